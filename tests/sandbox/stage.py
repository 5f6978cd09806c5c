"""Puts the story on stage: stand-ins for Slack and Gmail, and Cadence itself, set up as an administrator would.

The product runs unchanged: its own command line, its own processes' code, the stock clients. It is given a clock and
settings whose URLs point here; it knows of nothing else.
"""

import io
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from datetime import datetime, timedelta
from datetime import time as time_of_day
from functools import partial
from pathlib import Path
from typing import Any, Self

import yaml
from flask import Blueprint
from slack_bolt.adapter.socket_mode import SocketModeHandler

from bot.cli.app import cadence
from bot.cli.common import Desk
from bot.cli.run import connect_socket
from bot.cli.running import Running
from models.queries.mail import mailboxes
from models.settings import Settings, load_settings, setting_names
from models.vault import new_key
from tests.sandbox import story
from tests.sandbox.clock import StoryClock
from tests.sandbox.gmail.server import GmailServer
from tests.sandbox.slack.server import SlackServer
from tests.sandbox.slack.workspace import Channel, Message, Workspace

ROOT = Path(__file__).resolve().parents[2]
CHANNEL = "partner-weekly"
BEFORE_THE_READ = timedelta(minutes=30)
EARLY, A_MOMENT = time_of_day(4, 50), timedelta(minutes=2)
PATIENCE_SECONDS = 60.0


class Stuck(Exception):
    """Something that should happen did not."""


class Stage:
    """`with Stage(folder) as stage:` … the programme is set up and captured, half an hour before Monday's read.

    With `first_run` it is the same half hour, and Cadence was installed a moment ago: nobody is on a roster, no mailbox
    is connected, no channel is chosen. That is what a lead does in Slack then.
    """

    def __init__(
        self, folder: Path, *, port: int = 0, first_run: bool = False, blueprints: Sequence[Blueprint] = ()
    ) -> None:
        self.folder, self.first_run = folder, first_run
        self.connected = False
        self.story = story.tell()
        self.clock = StoryClock(story.READ_AT - BEFORE_THE_READ)
        self.workspace = Workspace("Lantern", manifest=_manifest(), clock=self.clock.now)
        for one in story.COLLEAGUES:
            self.workspace.add_user(
                one.email.partition("@")[0], one.name, one.email, id=one.slack_id, title=one.title, tz=story.ZONE.key
            )
        members = [self.workspace.bot.id, *(one.slack_id for one in story.COLLEAGUES)]
        self.channel: Channel = self.workspace.add_channel(CHANNEL, members=members, topic="The weekly partner read")
        for one in story.COLLEAGUES:
            self.workspace.im(one.slack_id)
        self.slack = SlackServer(self.workspace, port=port, blueprints=blueprints)
        self.gmail = GmailServer(now=self.clock.now)
        self._numbers = iter(range(500_000, 1_000_000))
        self.mails_sent = 0
        self.steps_done: set[str] = set()
        self.running: Running | None = None
        self._socket: SocketModeHandler | None = None

    def __enter__(self) -> Self:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.slack.start()
        self.gmail.start()
        for mail in self.story.mail:
            self._deliver(mail)
        self._files()
        self._install()
        if not self.first_run:
            self._import()
            self.connect_mailboxes()
            self.cadence("capture")
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()  # type: ignore[no-untyped-call]  # Bolt's handler has no types
        if self.running is not None:
            self.running.stop()
        self.slack.stop()
        self.gmail.stop()

    def cadence(self, *words: str) -> str:
        """One command of the product's own command line, as typed; answers what it printed."""
        out = io.StringIO()
        with redirect_stdout(out):
            cadence.main(list(words), prog_name="cadence", standalone_mode=False, obj=Desk(clock=self.clock, width=100))
        return out.getvalue()

    def start(self) -> Running:
        """Starts the product: Socket Mode, clock, capture, outbox."""
        self.running = Running(load_settings(), self.clock)
        self.running.connect()
        self._socket = connect_socket(self.running, self.workspace.app_token)
        self.running.start()
        return self.running

    def move_to(self, at: datetime) -> None:
        """Moves the clock as time would pass: mailboxes are read before the day's work and before the hour itself."""
        day = at.astimezone(story.ZONE).date()
        for stop in (datetime.combine(day, EARLY, tzinfo=story.ZONE), at - A_MOMENT):
            if self.clock.now() < stop < at:
                self.clock.move_to(stop)
                self.wait_for("a pass over every mailbox", partial(self._read_since, stop))
        self.clock.move_to(at)

    def _read_since(self, at: datetime) -> bool:
        assert self.running is not None  # the clock moves after `start`
        with self.running.reading() as session:
            boxes = [box for one in self.running.programmes() for box in mailboxes(session, one.workspace_id)]
        return all(box.last_ok_at is not None and box.last_ok_at >= at for box in boxes)

    def all_read(self) -> bool:
        """Every mailbox has been read to its end at least once."""
        return self.connected and self._read_since(story.READ_AT - timedelta(weeks=52))

    def send_mail(self, sender: story.Colleague, ally: story.Ally, subject: str) -> story.Mail:
        """A manager writes to a partner, now."""
        mail = story.compose(sender, ally, subject, self.clock.now(), next(self._numbers))
        self._deliver(mail)
        ally.touched_at, ally.touched_by = mail.at, sender.name
        self.mails_sent += 1
        return mail

    def reads(self) -> list[Message]:
        """The bot's messages in the channel, thread included."""
        return [one for one in self.channel.messages if one.user == self.workspace.bot.id and one.visible_to is None]

    def wait_for(self, what: str, seen: Callable[[], Any]) -> Any:
        """Waits until something is there, and answers it; Stuck names what never came."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            found = seen()
            if found:
                return found
            time.sleep(0.05)
        raise Stuck(what)

    def _deliver(self, mail: story.Mail) -> None:
        if mail.sender is not None and mail.sender.role == "manager":
            self.gmail.mailbox(mail.sender.email).deliver(mail.headers, mail.at, ["SENT"])
        for one in mail.inboxes:
            if one.role == "manager":
                headers = [pair for pair in mail.headers if pair[0] != "Bcc"]
                self.gmail.mailbox(one.email).deliver(headers, mail.at, ["INBOX"])

    def _files(self) -> None:
        """What an administrator has at hand: keys for the mailboxes, and the roster as CSV."""
        self._key_file, self._token_file = self.folder / "service-account.json", self.folder / "dana-token.json"
        self._key_file.write_text(json.dumps(self.gmail.service_account()))
        self._token_file.write_text(json.dumps(self.gmail.authorized_user(story.DANA.email)))
        (self.folder / "people.csv").write_text(story.people_csv(), encoding="utf-8")
        (self.folder / "partners.csv").write_text(story.partners_csv(self.story.allies), encoding="utf-8")

    def _install(self) -> None:
        """What README tells an administrator to do, with the same commands."""
        channel = {} if self.first_run else {"CADENCE_CHANNEL": self.channel.id, "CADENCE_TIMEZONE": story.ZONE.key}
        self._settings(
            {
                "CADENCE_DATABASE_URL": f"sqlite:///{self.folder / 'cadence.db'}",
                **channel,
                "CADENCE_LEADS": story.ROBIN.email,
                "CADENCE_SECRET_KEYS": new_key(),
                "CADENCE_POLL_SECONDS": "1",
                "CADENCE_TICK_SECONDS": "1",
                "SLACK_BOT_TOKEN": self.workspace.bot_token,
                "SLACK_APP_TOKEN": self.workspace.app_token,
                "SLACK_API_URL": self.slack.api_url,
                "GOOGLE_SERVICE_ACCOUNT_FILE": str(self._key_file),
                "GMAIL_API_URL": self.gmail.api_url,
            }
        )
        self.cadence("migrate")

    def _import(self) -> None:
        self.cadence("people", "import", str(self.folder / "people.csv"))
        self.cadence("partners", "import", str(self.folder / "partners.csv"))

    def connect_mailboxes(self) -> None:
        """The three managers' mailboxes: Dana's by a token of her own, the others by the company's service account."""
        gmail = ("mailbox", "add", "--provider", "gmail", "--address")
        self.cadence(*gmail, story.DANA.email, "--token-file", str(self._token_file))
        for one in (story.PRIYA, story.TOMAS):
            self.cadence(*gmail, one.email)
        self.connected = True

    def _settings(self, values: Mapping[str, str]) -> None:
        """The environment of this process: exactly these settings, whatever the shell or a `.env` says."""
        for name in setting_names():
            os.environ.pop(name, None)
        os.environ.update(values)
        Settings.model_config["env_file"] = None


def _manifest() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    return loaded
