"""Two partner programmes in one database, their mailboxes at two providers, their Slack, and half a year of mail."""

import json
import os
import random
import socket
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import psycopg
import yaml
from sqlalchemy import select
from sqlalchemy.engine import make_url

from bot.views.installing import NEEDED, OPTIONAL
from models.actions import mailboxes, setup
from models.actions.installations import Grant, install
from models.actions.partners import PartnerRow, put_partner
from models.actions.people import PersonRow, put_person
from models.actions.rematch import roster_change
from models.db import make_engine, make_sessions
from models.tables import Partner
from models.vault import Vault, new_key
from tests.chaos.clock import SharedClock
from tests.chaos.standins import accepted, gmail_copies, graph_copies, imap_copies, private_rooms, shown
from tests.chaos.truth import Agreed, Copy, Press, Roster, Truth
from tests.databases import ROOT, migrate
from tests.sandbox.gmail.server import GmailServer
from tests.sandbox.graph.server import GraphServer
from tests.sandbox.imap import ImapStandIn
from tests.sandbox.slack.server import SlackServer, Team
from tests.sandbox.slack.workspace import Workspace

BEGIN = datetime(2026, 10, 22, 7, 0, tzinfo=UTC)  # a Thursday; on the Sunday after it Europe's clocks go back
CROWD = 100
PUBLIC = "http://localhost:9"
DAY = timedelta(days=1)
Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Manager:
    email: str
    slack_id: str
    provider: str  # gmail, graph, imap


@dataclass(frozen=True, slots=True)
class Ally:
    """One partner. `liveliness`: how often there is mail, against the others."""

    name: str
    domain: str
    owner: Manager
    liveliness: float


@dataclass(slots=True)
class Programme:
    """One workspace with its people, partners and what happened there."""

    name: str
    workspace: Workspace
    zone: str
    read_at: str
    managers: tuple[Manager, ...]
    leads: tuple[tuple[str, str], ...]  # address, Slack id
    crowd: tuple[str, ...]  # Slack ids of people without a mailbox
    allies: tuple[Ally, ...]
    channel: str = ""
    partner_ids: dict[str, int] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    @property
    def team(self) -> str:
        return self.workspace.team_id

    @property
    def pressers(self) -> list[str]:
        return [*(one.slack_id for one in self.managers), *self.crowd]

    def roster(self) -> Roster:
        hour, minute = map(int, self.read_at.split()[1].split(":"))
        people = {one.email for one in self.managers} | {email for email, _ in self.leads}
        leads = tuple(slack_id for _, slack_id in self.leads)
        domains = {one.domain: one.name for one in self.allies}
        return Roster(self.team, frozenset(people), domains, leads, self.zone, self.channel, 0, time(hour, minute))


class Town:
    """Everything outside of the product. `with Town(…) as town:` it is there; `prepare` fills the database."""

    def __init__(self, folder: Path, database_url: str, seed: int) -> None:
        self.folder, self.database_url = folder, database_url
        self.random = random.Random(f"{seed} town")
        self.clock_file = folder / "clock"
        self.clock = SharedClock(self.clock_file)
        self.clock.move_to(BEGIN)
        manifest = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
        options: dict[str, Any] = {"manifest": manifest, "clock": self.clock.now}
        one, two = Workspace("Lantern", **options), Workspace("Harbour", series="B", **options)
        boxes = {"dana": "gmail", "priya": "gmail", "tomas": "gmail", "mia": "graph", "ivo": "imap"}
        lantern = _managers("lantern.example", boxes)
        harbour = _managers("harbour.example", {"lars": "gmail", "olga": "graph"})
        crowd = tuple(f"U0CROWD{number:03}" for number in range(CROWD))
        self.programmes = (
            Programme(
                *("lantern", one, "Europe/London", "mon 09:00", lantern),
                *((("robin@lantern.example", "U0ROBIN"),), crowd, self._allies("lantern", lantern, 32)),
            ),
            # Due in the same instant as the other.
            Programme(
                *("harbour", two, "Europe/Berlin", "mon 10:00", harbour),
                *((("lena@harbour.example", "U0LENA"), ("noor@harbour.example", "U0NOOR")), ()),
                self._allies("harbour", harbour, 12),
            ),
        )
        self.gmail, self.graph = GmailServer(now=self.clock.now), GraphServer(now=self.clock.now)
        accounts = [boss.email for home in self.programmes for boss in home.managers if boss.provider == "imap"]
        self.imap = {address: ImapStandIn() for address in accounts}
        self.slack = SlackServer(one, event_retry_delays=(0.5, 1.0, 2.0))
        self.slack.add(two)
        self.key = new_key()
        self.presses: list[Press] = []
        self.agreed: list[Agreed] = []
        self._owed = timedelta()
        self._numbers = iter(range(1, 10_000_000))
        self._lock = threading.Lock()

    def __enter__(self) -> "Town":
        self.slack.start()
        self.gmail.start()
        self.graph.__enter__()
        for server in self.imap.values():
            server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.slack.stop()
        self.gmail.stop()
        for server in self.imap.values():
            server.__exit__()
        # Frozen and killed processes leave requests behind, so how many were in flight at once says nothing here.
        self.graph.__exit__(KeyboardInterrupt, None, None)

    def team(self, programme: Programme) -> Team:
        return next(one for one in self.slack.teams if one.workspace is programme.workspace)

    def programme_of(self, team: str) -> Programme:
        return next(one for one in self.programmes if one.team == team)

    def environment(self) -> dict[str, str]:
        """Of a process of the product: these settings and nothing else."""
        tokens = self.graph.tokens
        keep = {name: os.environ[name] for name in ("HOME", "PATH", "LANG") if name in os.environ}
        return keep | {
            "PYTHONPATH": str(ROOT),
            "CADENCE_DATABASE_URL": self.database_url,
            "CADENCE_SECRET_KEYS": self.key,
            "CADENCE_PUBLIC_URL": PUBLIC,
            "CADENCE_POLL_SECONDS": "1",
            "CADENCE_TICK_SECONDS": "1",
            "SLACK_CLIENT_ID": self.slack.oauth.client_id,
            "SLACK_CLIENT_SECRET": self.slack.oauth.client_secret,
            "SLACK_SIGNING_SECRET": self.slack.workspace.signing_secret,
            "SLACK_API_URL": self.slack.api_url,
            "GMAIL_API_URL": self.gmail.api_url,
            "MICROSOFT_TENANT_ID": tokens.tenant_id,
            "MICROSOFT_CLIENT_ID": tokens.client_id,
            "MICROSOFT_CLIENT_SECRET": tokens.client_secret,
            "MICROSOFT_LOGIN_URL": self.graph.url,
            "GRAPH_API_URL": self.graph.url,
        }

    def ask(self, question: str, **values: Any) -> list[tuple[Any, ...]]:
        """One question to the database, in words that both kinds understand; `:name` stands for a value."""
        if self.database_url.startswith("sqlite"):
            told = {
                name: f"{one.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}" if isinstance(one, datetime) else one
                for name, one in values.items()
            }
            with closing(sqlite3.connect(make_url(self.database_url).database or "")) as file:
                return file.execute(question, told).fetchall()
        for name in values:
            question = question.replace(f":{name}", f"%({name})s")
        with psycopg.connect(self.database_url) as server:
            return server.execute(question.encode(), values).fetchall()

    def move_to(self, at: datetime) -> None:
        """Everybody's clock. The queue waits by the database's own, which is moved by as much: what waits in it is due
        earlier. While the database is away it is owed that."""
        now = self.clock.now()
        self.clock.move_to(at)
        self._owed += at - now
        if self.database_url.startswith("sqlite"):
            return
        with suppress(psycopg.Error), psycopg.connect(self.database_url) as server:
            server.execute(
                "UPDATE procrastinate_jobs SET scheduled_at = scheduled_at - %s "
                "WHERE status = 'todo' AND scheduled_at IS NOT NULL",
                [self._owed],
            )
            self._owed = timedelta()

    def prepare(self) -> None:
        """What administrators and leads do before the first read, by the product's own doors; and old mail."""
        migrate(self.database_url)
        vault, now = Vault((self.key,)), self.clock.now()
        engine = make_engine(self.database_url)
        for programme in self.programmes:
            self._people_in_slack(programme)
            with make_sessions(engine).begin() as session:
                token = programme.workspace.bot_token
                scopes, bot = (*NEEDED, *OPTIONAL), programme.workspace.bot.id
                lead = programme.leads[0][1]
                grant = Grant(programme.team, programme.name, None, "A1", programme.workspace.bot_id, bot, scopes, lead)
                workspace_id = install(session, grant, vault.seal(grant.key, token), now)
                assert workspace_id is not None
                wanted = setup.Schedule(programme.read_at, programme.zone, programme.channel, "post", None)
                setup.set_schedule(session, workspace_id, "chaos", wanted, now)
                setup.note_channel(session, workspace_id, programme.channel, None, now)
                setup.start_reads(session, workspace_id, "chaos", now)
                with roster_change(session, workspace_id, "chaos", now):
                    for person in _people(programme):
                        put_person(session, workspace_id, "chaos", person, now)
                    for number, ally in enumerate(programme.allies):
                        since = (now - 90 * DAY).date()
                        row = PartnerRow(ally.name, 1 + number % 3, ally.owner.email, (ally.domain,), (), since=since)
                        put_partner(session, workspace_id, "chaos", row, now)
                for manager in programme.managers:
                    secret, options = self._access(manager)
                    sealed = vault.seal(manager.email, json.dumps(secret)) if secret else None
                    place = workspace_id, "chaos", manager.email, manager.provider, now
                    mailboxes.put_mailbox(session, *place, sealed=sealed, options=options)
            with make_sessions(engine, reading=True)() as session:
                rows = session.execute(select(Partner.name, Partner.id).where(Partner.workspace_id == workspace_id))
                programme.partner_ids = {row.name: row.id for row in rows}
                programme.names = {key: name for name, key in programme.partner_ids.items()}
            self._old_mail(programme)
        engine.dispose()

    # --- mail

    def write(self, programme: Programme, ally: Ally, at: datetime, kind: str) -> None:
        """One mail of a kind, put into every mailbox that gets it."""
        owner, dice = ally.owner, self.random
        with self._lock:
            number = next(self._numbers)
        other = dice.choice(programme.managers)
        contact = f"kim{dice.randint(1, 3)}@{ally.domain}"
        headers: Headers = [
            ("Date", format_datetime(at)),
            ("Message-ID", f"<{number}.{int(at.timestamp())}@mail.example>"),
            ("Subject", f"About matter {number}"),
        ]
        if kind in ("out", "out to two"):
            to = contact
            if kind == "out to two":
                to = f"{contact}, kim1@{dice.choice(programme.allies).domain}"
            headers += [("From", owner.email), ("To", to)]
            if other is not owner and dice.random() < 0.4:
                headers.append(("Cc", other.email))
                self._deliver(other, headers, at, "inbox")
            self._deliver(owner, headers, at, "sent")
        elif kind == "in":
            both = other is not owner and dice.random() < 0.4
            to = f"{owner.email}, {other.email}" if both else owner.email
            headers += [("From", contact), ("To", to)]
            for one in (owner, other) if both else (owner,):
                self._deliver(one, headers, at, "inbox")
        elif kind == "internal":
            headers += [("From", owner.email), ("To", other.email)]
            self._deliver(owner, headers, at, "sent")
            if other is not owner:
                self._deliver(other, headers, at, "inbox")
        elif kind == "bounce":
            failed = ("X-Failed-Recipients", "nobody@elsewhere.example")
            sender = f"mailer-daemon@{owner.email.partition('@')[2]}"
            headers += [("From", sender), ("To", owner.email), ("Auto-Submitted", "auto-replied"), failed]
            self._deliver(owner, headers, at, "inbox")
        elif kind == "news":
            sender = f"news@{ally.domain}"
            stop = ("List-Unsubscribe", f"<mailto:stop@{ally.domain}>")
            headers += [("From", sender), ("To", owner.email), ("Precedence", "bulk"), stop]
            self._deliver(owner, headers, at, "inbox")
        else:
            headers += [("From", "sam@family.example"), ("To", owner.email)]
            self._deliver(owner, headers, at, "inbox")

    def _deliver(self, manager: Manager, headers: Headers, at: datetime, folder: str) -> None:
        if manager.provider == "gmail":
            self.gmail.mailbox(manager.email).deliver(headers, at, ["SENT" if folder == "sent" else "INBOX"])
        elif manager.provider == "imap":
            self.imap[manager.email].deliver(dict(headers), at, "Sent" if folder == "sent" else "INBOX")
        else:
            self.graph.mailbox(manager.email).deliver(headers, at, "sentitems" if folder == "sent" else "inbox")

    def _access(self, manager: Manager) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """What is stored of the access to a mailbox: the secret, and where its server is."""
        if manager.provider == "gmail":
            return self.gmail.authorized_user(manager.email), None
        if manager.provider == "imap":
            return {"password": "secret"}, {"host": "127.0.0.1", "port": self.imap[manager.email].port, "tls": False}
        return None, None

    def _old_mail(self, programme: Programme) -> None:
        for ally in programme.allies:
            for _ in range(self.random.randint(1, 4)):
                days = self.random.uniform(1, 50) if ally.liveliness > 0.5 else self.random.uniform(20, 60)
                at = (BEGIN - timedelta(days=days)).replace(microsecond=0)
                self.write(programme, ally, at, self.random.choice(("out", "out", "in")))

    # --- what the checker is told

    def copies(self) -> list[Copy]:
        copies: list[Copy] = []
        for programme in self.programmes:
            boxes = {kind: [one.email for one in programme.managers if one.provider == kind] for kind in _KINDS}
            copies += gmail_copies(self.gmail, programme.team, boxes["gmail"])
            copies += graph_copies(self.graph, programme.team, boxes["graph"])
            copies += imap_copies(self.imap, programme.team, boxes["imap"])
        return copies

    def truth(self) -> Truth:
        rooms: dict[tuple[str, str], str] = {}
        for team in self.slack.teams:
            rooms |= private_rooms(team)
        return Truth(
            rosters=[one.roster() for one in self.programmes],
            copies=self.copies(),
            accepted=accepted(self.slack),
            shown=[message for team in self.slack.teams for message in shown(team)],
            presses=list(self.presses),
            agreed=list(self.agreed),
            began=BEGIN,
            ended=self.clock.now(),
            dms=rooms,
        )

    # --- people and partners

    def _allies(self, home: str, managers: Sequence[Manager], count: int) -> tuple[Ally, ...]:
        found = []
        for number in range(count):
            name = f"{home.title()} Ally {number:02}"
            lively = self.random.choice((0.05, 0.3, 1.0))
            found.append(Ally(name, f"ally{number:02}-{home}.example", managers[number % len(managers)], lively))
        return tuple(found)

    def _people_in_slack(self, programme: Programme) -> None:
        workspace = programme.workspace
        members = [workspace.bot.id]
        for person in _people(programme):
            assert person.slack_user_id is not None
            workspace.add_user(person.email.partition("@")[0], person.name, person.email, id=person.slack_user_id)
            members.append(person.slack_user_id)
        programme.channel = workspace.add_channel("partner-weekly", members=members).id


_KINDS = ("gmail", "graph", "imap")


def _managers(domain: str, boxes: Mapping[str, str]) -> tuple[Manager, ...]:
    return tuple(Manager(f"{name}@{domain}", f"U0{name.upper()}", kind) for name, kind in boxes.items())


def _people(programme: Programme) -> list[PersonRow]:
    domain = programme.managers[0].email.partition("@")[2]
    people = [
        PersonRow(email, _name(email), "lead", slack_id, (), programme.zone) for email, slack_id in programme.leads
    ]
    for one in programme.managers:
        people.append(PersonRow(one.email, _name(one.email), "manager", one.slack_id, (), programme.zone))
    for number, slack_id in enumerate(programme.crowd):
        email = f"crowd{number:03}@{domain}"
        people.append(PersonRow(email, _name(email), "manager", slack_id, (), programme.zone))
    return people


def _name(email: str) -> str:
    return f"{email.partition('@')[0].title()} Chaos"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
