"""Everything that `cadence run` keeps going: the Slack surface, the clock, capture and the outbox, in one process.

Steps are safe to repeat and to run in two processes. What is due is asked of the database, never of this process.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from slack_bolt import App
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from bot import measures
from bot.access import Access, NoAccess
from bot.app import build_app
from bot.asking import is_shared, refusal
from bot.channels import SHARED
from bot.connecting import obstacle
from bot.first_lead import greet_installer
from bot.logs import working_on
from bot.measures import Pulse
from bot.outbox import Outbox, posting_client, rest_channel, says_no
from bot.people import link_people, notice_leavers
from bot.pictures import below_plain_posts
from bot.redraw import redraw_of
from bot.views.reads_notice import leaders_payload, uncertain_payload
from jobs import monthly, recovery, retention, weekly_read
from jobs.capture import Capture
from jobs.mailbox.providers import LOGINS
from jobs.mailbox.web_consent import WebConsents
from jobs.nudges import send_nudges
from jobs.roster.pasted import roster_report
from jobs.rounds import Rounds
from jobs.schedule import Job, scheduler
from jobs.suggest import suggestions_from_mailboxes
from models.actions import outbox as outbox_actions
from models.actions.clocks import refresh_clocks
from models.actions.installations import regain_access
from models.actions.noted import note_standings
from models.actions.programme import OtherWorkspace, add_workspace, link_workspace, the_workspace
from models.clock import Clock, local_day
from models.correspondence import Suggestions
from models.db import make_engine, make_sessions
from models.queries import outbox as outbox_queries
from models.queries import programme as programme_queries
from models.queries.freshness import standings_as_of
from models.queries.installations import unlinked_workspace
from models.queries.programme import Programme, people, workspace_of_team
from models.queries.retention import kept
from models.settings import Settings, SettingsError
from models.vault import Vault

if TYPE_CHECKING:
    from jobs.fleet import Fleet

OUTBOX_SECONDS = 1
CLOCKS_AT_ONCE = 1_000
NOTED_EVERY = timedelta(hours=1)
LAST_WORDS = 9.0  # seconds that a stop waits for all that runs
log = structlog.get_logger(__name__)


@contextmanager
def quietly() -> Iterator[None]:
    """Holds back what Slack's libraries log while something is tried whose failure is told in our own words."""
    logging.disable(logging.CRITICAL)  # Bolt sets the level of its loggers itself
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def offered_every(engine: Engine, settings: Settings) -> int:
    """Seconds between two looks for mailboxes to read. Where a queue knows which are due, the looks are frequent."""
    return max(1, settings.poll_seconds // 20) if engine.dialect.name == "postgresql" else settings.poll_seconds


class SlackRefused(Exception):
    """Slack does not take the bot's token; the text says what to do."""


class Running:
    """One running Cadence. Build it, `start` it, `stop` it; or call the steps one by one."""

    def __init__(self, settings: Settings, clock: Clock, *, worker: bool = True) -> None:
        """`worker`: on PostgreSQL this process reads mailboxes too; otherwise `cadence worker` has to."""
        if settings.slack_bot_token is None and not settings.installable:
            raise SettingsError("SLACK_BOT_TOKEN is not set: copy the bot token (xoxb-…) from your Slack app's page")
        self.settings, self.clock = settings, clock
        self.engine: Engine = make_engine(settings.database_url)
        self.sessions: sessionmaker[Session] = make_sessions(self.engine)
        self.reading: sessionmaker[Session] = make_sessions(self.engine, reading=True)
        self.vault = Vault(settings.secret_keys)
        self.access = Access(settings, self.sessions, self.reading, self.vault, clock)
        self.consents = WebConsents(settings, clock)
        reachable = obstacle(settings, tuple(LOGINS)) is None
        self.connects = self.consents.providers() if reachable else ()
        with quietly():  # Bolt remarks on having both a client and an authorize
            self.app: App = build_app(
                settings,
                self.sessions,
                self.reading,
                clock,
                access=self.access,
                suggest=self._suggest,
                import_roster=roster_report,
                connects=self.connects,
            )
        below = below_plain_posts(settings, self.reading, clock)
        self.outbox = Outbox(self.sessions, self.reading, self.access.posting, clock, redraw_of(settings), below)
        self.rounds = self._reader(worker)
        self._linking = threading.Thread(target=self._link_everybody, name="people", daemon=True)
        self._greetings: list[threading.Thread] = []
        jobs = [
            Job("tick", self.tick, settings.tick_seconds),
            Job("capture", self.capture, offered_every(self.engine, settings)),
            Job("outbox", self.pump, OUTBOX_SECONDS),
            Job("clocks", self.clocks, settings.tick_seconds),
        ]
        self.connected: Callable[[], bool] = lambda: True  # over HTTP Slack comes to us
        self.pulse = Pulse({job.name: job.every_seconds for job in jobs})
        self._ticker = scheduler([Job(job.name, self._beating(job), job.every_seconds) for job in jobs])

    def _reader(self, worker: bool) -> "Rounds | Fleet":
        """Threads on SQLite, which is one machine's; on PostgreSQL a queue that any number of machines works off."""
        parts = self.settings, self.sessions, self.reading, self.vault, self.clock
        if self.engine.dialect.name != "postgresql":
            return Rounds(*parts)
        from jobs.fleet import Fleet  # its libraries come with the driver

        return Fleet(*parts, worker=worker)

    def connect(self) -> None:
        """Learns from Slack which workspace the settings' token is for; raises SlackRefused when it is not taken."""
        if self.settings.slack_bot_token is None:
            return
        token = self.settings.slack_bot_token.get_secret_value()
        try:
            with quietly():
                answer = posting_client(token, self.settings.slack_api_url).auth_test()
        except SlackApiError as error:
            raise SlackRefused(
                f"Slack refuses SLACK_BOT_TOKEN ({refusal(error)}): copy it anew from your app's page"
            ) from error
        except OSError as error:
            raise SlackRefused(f"cannot reach {self.settings.slack_api_url}: {error}") from error
        now = self.clock.now()
        with self.sessions.begin() as session:
            workspace_id = self._own_workspace(session, answer["team_id"], now)
            if answer["team_id"]:  # other servers than Slack's may not say it: then the first request does
                try:
                    link_workspace(session, workspace_id, answer["team_id"], answer["user_id"])
                except OtherWorkspace as error:
                    raise SlackRefused(str(error)) from error
            regain_access(session, workspace_id, now)
        self.access.own_workspace = workspace_id

    def _own_workspace(self, session: Session, team_id: str | None, now: datetime) -> int:
        """Beside installed workspaces the token's own is the one that Slack names, not the oldest."""
        if not self.settings.installable or team_id is None:
            return the_workspace(session, now)
        found = workspace_of_team(session, team_id) or unlinked_workspace(session)
        return found if found is not None else add_workspace(session, now, team_id)

    def installed(self, workspace_id: int) -> None:
        """Somebody has installed the app there: Cadence writes to them, without keeping the browser waiting."""

        def greet() -> None:
            for programme in self.programmes():
                if programme.workspace_id == workspace_id:
                    self._step("people", self._find_people, programme)

        greeting = threading.Thread(target=greet, name="installed", daemon=True)
        self._greetings = [*(one for one in self._greetings if one.is_alive()), greeting]
        greeting.start()

    def have_greeted(self) -> None:
        """Waits until whoever has just installed Cadence is written to."""
        for greeting in self._greetings:
            greeting.join(LAST_WORDS)

    def start(self) -> None:
        self._linking.start()
        self._ticker.start()
        self.capture()

    def stop(self) -> bool:
        """Lets what runs finish its page or its message, starts nothing new; answers whether all ended in time."""
        ending = [threading.Thread(target=self.rounds.stop, name="stop", daemon=True)]
        if self._ticker.running:
            ending.append(threading.Thread(target=self._ticker.shutdown, name="stop", daemon=True))
        for thread in ending:
            thread.start()
        until = time.monotonic() + LAST_WORDS
        last = [*ending, *self._greetings, *([self._linking] if self._linking.ident else [])]
        for thread in last:
            thread.join(max(0.0, until - time.monotonic()))
        self.engine.dispose()
        return not any(thread.is_alive() for thread in last)

    def tick(self) -> None:
        """Whatever the clock has made due: the sweep, the read, its reminder to the leads, the monthly post, nudges."""
        if not self.rounds.caught_up():
            return
        for programme in self.programmes():
            self._step("sweep", self._sweep, programme)
            self._step("read", self._read, programme)
            self._step("leads", lambda p: weekly_read.ask_leads(self.sessions, p, self.clock.now()), programme)
            self._step("monthly", self._monthly, programme)
            self._step("nudges", lambda p: send_nudges(self.sessions, p, self.clock.now()), programme)
            self._step("uncertain", self._tell_leads, programme)
            self._step("retention", self._erase_old, programme)

    def pump(self) -> None:
        """Sends and redraws what is waiting."""
        for programme in self.programmes():
            self._step("outbox", lambda p: self.outbox.pump(p.workspace_id), programme)

    def clocks(self) -> None:
        """Makes the clocks of partners anew whose facts have changed, and once an hour the figures of the views."""
        for programme in self.programmes():
            self._step("clocks", self._refresh, programme)
            self._step("standings", self._note, programme)

    def capture(self) -> None:
        """Begins a round over the mailboxes."""
        self.rounds.begin(self.programmes())

    def _refresh(self, programme: Programme) -> None:
        refresh_clocks(self.sessions, self.reading, programme, self.clock.now(), CLOCKS_AT_ONCE)

    def _note(self, programme: Programme) -> None:
        """How every partner stands, once an hour, for tools that read the database."""
        now = self.clock.now()
        with self.reading() as session:
            noted_at = standings_as_of(session, programme.workspace_id)
        if noted_at is None or now - noted_at >= NOTED_EVERY:
            note_standings(self.sessions, self.reading, programme, now)

    def _sweep(self, programme: Programme) -> None:
        if recovery.sweep(self.sessions, programme, self.clock.now()):
            weekly_read.note_missed(self.sessions, programme, self.clock.now())
            self._find_people(programme)
            notice_leavers(self._slack(programme), self.reading, self.sessions, programme, self.clock.now())

    def _slack(self, programme: Programme) -> WebClient:
        return self.access.asking(programme.workspace_id)

    def _link_everybody(self) -> None:
        for programme in self.programmes():
            self._step("people", self._find_people, programme)

    def _find_people(self, programme: Programme) -> None:
        """Who of the roster is who in Slack; and before the first read, who leads through the first run."""
        link_people(self._slack(programme), self.reading, self.sessions, programme, self.clock.now())
        greet_installer(
            self._slack(programme),
            self.reading,
            self.sessions,
            self.settings,
            programme,
            self.clock.now(),
        )

    def _read(self, programme: Programme) -> None:
        now = self.clock.now()
        with self.reading() as session:
            due = weekly_read.read_is_due(session, programme, now)
        self.pulse.note_read(programme.workspace_id, weekly_read.due_in_week(programme, now) if due else None)
        if not due:
            return
        channel = programme.channel or ""
        if is_shared(self._slack(programme), channel):
            with self.sessions.begin() as session:
                rest_channel(session, programme.workspace_id, channel, SHARED, now)
            return
        weekly_read.hold_and_post(self.sessions, programme, now)
        self.pulse.note_read(programme.workspace_id, None)

    def _monthly(self, programme: Programme) -> None:
        now = self.clock.now()
        with self.reading() as session:
            due = monthly.post_is_due(session, programme, now)
        if not due:
            return
        channel = programme.leaders_channel or ""
        if is_shared(self._slack(programme), channel):
            with self.sessions.begin() as session:
                subject = f"leaders {channel} {SHARED} {local_day(now, programme.zone):%Y-%m}"
                outbox_actions.tell_leads(session, programme.workspace_id, subject, leaders_payload(channel), now)
            return
        monthly.queue_post(self.sessions, programme, now)

    def _tell_leads(self, programme: Programme) -> None:
        """Asks the leads, once per message, about a post of which nobody knows whether it arrived."""
        now = self.clock.now()
        with self.sessions.begin() as session:
            outbox_actions.abandon(session, now)
            outbox_actions.tell_again(session, programme.workspace_id, now)
            posts = outbox_queries.uncertain_posts(session, programme.workspace_id)
            uncertain = [
                post
                for post in posts
                if post.kind in ("read", monthly.KIND) and not says_no(post, post.error or "")  # that was told
            ]
            leads = [one for one in people(session, programme.workspace_id) if one.leads] if uncertain else []
            for post in uncertain:
                for lead in leads:
                    if lead.slack_user_id:
                        outbox_actions.enqueue(
                            session,
                            programme.workspace_id,
                            lead.slack_user_id,
                            "notice",
                            f"post {post.id}, attempt {post.attempts}",
                            0,
                            uncertain_payload(post),
                            now,
                        )

    def _erase_old(self, programme: Programme) -> None:
        retention.erase_old(self.sessions, self.reading, programme, kept(self.settings), self.clock.now())

    def _suggest(self, programme: Programme, skip: int, limit: int) -> Suggestions:
        capture = Capture(self.sessions, self.reading, self.clock)
        return suggestions_from_mailboxes(capture, self.settings, self.vault, programme, skip, limit)

    def programmes(self) -> list[Programme]:
        """Those in whose workspace Cadence may speak; the others rest, their mail too."""
        with self.reading() as session:
            everyone = programme_queries.programmes(session, self.settings)
        reached = self.access.reaches(everyone)
        self.pulse.reached, self.pulse.resting = len(reached), len(everyone) - len(reached)
        return reached

    def _beating(self, job: Job) -> Callable[[], None]:
        """The job with its name on every line of the log; that it came to its end is noted."""

        def step() -> None:
            with working_on(job.name):
                job.step()
            self.pulse.beat(job.name)

        return step

    def _step(self, name: str, step: Callable[[Programme], object], programme: Programme) -> None:
        with working_on(name, workspace=programme.workspace_id):
            try:
                step(programme)
            except NoAccess as error:  # taken away, or sealed with another key, since the programmes were listed
                log.warning("step.no_access", step=name, error=str(error))
            except Exception:  # a step that fails is offered again at the next tick; the others go on
                measures.FAILED_STEPS.add(name)
                log.exception("step.failed", step=name)
