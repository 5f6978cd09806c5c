"""The Slack surface as people meet it: the real app behind signed HTTP, a stand-in workspace, one cast, one clock."""

import copy
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import yaml
from slack_bolt import App
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from bot.app import EVENTS_PATH, build_app, flask_app
from bot.listeners.desk import Suggest
from bot.outbox import Outbox, posting_client
from bot.redraw import redraw_of
from jobs.roster.pasted import roster_report
from jobs.weekly_read import hold_and_post
from models.actions.people import PersonRow
from models.settings import Settings, load_settings
from models.tables import AuditEntry, Claim, OutboxPost
from tests.cast import ACME, CHANNEL, GLOBEX, INITECH, MONDAY, PEOPLE, TEAM, UMBRELLA, Cast, put_cast, put_touch
from tests.databases import ROOT, Database
from tests.sandbox.slack.server import SlackServer
from tests.sandbox.slack.workspace import Message, Workspace

STRANGER, GUEST, FOREIGNER = "U0STRANGER", "U0GUEST", "U0FOREIGN"


@dataclass
class StandingClock:
    at: datetime = MONDAY + timedelta(hours=1)

    def now(self) -> datetime:
        return self.at


@dataclass
class Surface:
    """Dana's view of the world: press, type, look. Everything waits for what it started."""

    database: Database
    cast: Cast
    slack: SlackServer
    settings: Settings
    clock: StandingClock
    app: App
    outbox: Outbox = field(init=False)

    def __post_init__(self) -> None:
        client = posting_client(self.slack.workspace.bot_token, self.slack.api_url)
        render = redraw_of(self.settings)
        self.outbox = Outbox(self.database.sessions, self.database.reading, client, self.clock, render)

    @property
    def workspace(self) -> Workspace:
        return self.slack.workspace

    def pump(self) -> None:
        """As often as the outbox has something to do: a thread's pages wait for their parent."""
        for _ in range(5):
            self.outbox.pump(self.cast.workspace_id)

    def hold_read(self) -> Message:
        """Holds and posts this week's read; answers its parent message."""
        assert hold_and_post(self.database.sessions, self.cast.programme, self.clock.now()) is not None
        self.pump()
        return self.read()

    def read(self) -> Message:
        return next(one for one in self.workspace.messages(CHANNEL) if one.text.startswith("Weekly read"))

    def ask(self, person: PersonRow | str, text: str, channel: str = CHANNEL) -> Message:
        """Sends a command; answers what only this person sees then."""
        user_id = user(person)
        before = len(self.whispers(user_id, channel))
        answer = self.slack.interactions.message(user_id, channel, f"/cadence {text}".strip())
        assert answer["ok"], answer
        return self._next_whisper(user_id, channel, before)

    def press(self, person: PersonRow | str, place: Any, action_id: str, **more: Any) -> None:
        answer = self.slack.interactions.press(user(person), place, action_id, **more)
        assert answer["ok"], answer

    def press_and_hear(self, person: PersonRow | str, place: Message, action_id: str, **more: Any) -> Message:
        user_id = user(person)
        before = len(self.whispers(user_id, place.channel))
        self.press(person, place, action_id, **more)
        return self._next_whisper(user_id, place.channel, before)

    def modal(self, person: PersonRow | str) -> Any:
        """The modal on top, once there is one."""
        stacks, user_id = self.workspace.views.stacks, user(person)
        assert self.workspace.wait_until(lambda: stacks.get(user_id))
        return stacks[user_id][-1]

    def home(self, person: PersonRow | str) -> Any:
        homes, user_id = self.workspace.views.homes, user(person)
        before = homes.get(user_id)
        seen = before.hash if before else None
        self.slack.interactions.open_home(user_id)
        assert self.workspace.wait_until(lambda: user_id in homes and homes[user_id].hash != seen)
        return copy.deepcopy(homes[user_id])

    def whispers(self, user_id: str, channel: str = CHANNEL) -> list[Message]:
        return [one for one in self.workspace.messages(channel, user_id) if one.visible_to == user_id]

    def count(self, table: type[Any]) -> int:
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(table)) or 0

    def written(self) -> tuple[int, int, int]:
        """What a refused request must leave as it was."""
        return self.count(Claim), self.count(AuditEntry), self.count(OutboxPost)

    def _next_whisper(self, user_id: str, channel: str, before: int) -> Message:
        assert self.workspace.wait_until(lambda: len(self.whispers(user_id, channel)) > before), self.workspace.refused
        return self.whispers(user_id, channel)[-1]


def user(person: PersonRow | str) -> str:
    found = person if isinstance(person, str) else person.slack_user_id
    assert found is not None
    return found


def slip(session: Session, cast: Cast) -> None:
    """Acme and Initech have slipped, Globex is due soon, Umbrella is in time; the others were never touched."""
    for partner, days in ((ACME, 23), (INITECH, 21), (GLOBEX, 7), (UMBRELLA, 3)):
        put_touch(session, cast, partner, MONDAY - timedelta(days=days))


def people_in_slack(workspace: Workspace) -> None:
    for one in PEOPLE:
        workspace.add_user(one.email.split("@")[0], one.name, one.email, id=user(one))
    workspace.add_user("sam", "Sam Stranger", "sam@elsewhere.example", id=STRANGER)
    workspace.add_user("gus", "Gus Guest", "gus@guest.example", id=GUEST, is_restricted=True)
    workspace.add_user("fay", "Fay Foreign", "fay@other.example", id=FOREIGNER, team_id="T0OTHER")
    members = [*map(user, PEOPLE), STRANGER, GUEST, FOREIGNER, workspace.bot.id]
    workspace.add_channel("partners", id=CHANNEL, members=members)


def patient(app: App) -> App:
    """On a machine that is busy with other tests, Bolt's three seconds would be a matter of luck.

    Whoever is about those seconds measures them; in use nothing sets them.
    """
    for listener in app._listeners:
        listener.ack_timeout = 10
    return app


@contextmanager
def surface(database: Database, *, cast: Cast | None = None, suggest: Suggest | None = None) -> Iterator[Surface]:
    if cast is None:
        with database.sessions.begin() as session:
            cast = put_cast(session)
            slip(session, cast)
    clock = StandingClock()
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    workspace = Workspace("Lantern", manifest=manifest, clock=clock.now)
    workspace.views.trigger_seconds = 10  # for the same reason as in `patient`
    workspace.team_id = workspace.bot.team_id = TEAM
    people_in_slack(workspace)
    with SlackServer(workspace, event_retry_delays=(0.0, 0.0, 0.0), ack_seconds=10) as slack:
        settings = load_settings(
            CADENCE_DATABASE_URL=database.url,
            SLACK_BOT_TOKEN=workspace.bot_token,
            SLACK_SIGNING_SECRET=workspace.signing_secret,
            SLACK_API_URL=slack.api_url,
        )
        app = build_app(
            settings, database.sessions, database.reading, clock, suggest=suggest, import_roster=roster_report
        )
        web = make_server("127.0.0.1", 0, flask_app(patient(app), settings), threaded=True)
        slack.delivery.request_url = f"http://127.0.0.1:{web.server_port}{EVENTS_PATH}"
        server = threading.Thread(target=web.serve_forever, args=(0.01,), daemon=True)
        server.start()
        try:
            yield Surface(database, cast, slack, settings, clock, app)
        finally:
            app.listener_runner.listener_executor.shutdown(wait=True)
            web.shutdown()
            server.join()
            web.server_close()
