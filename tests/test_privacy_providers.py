"""Nobody's business is nowhere, at every provider: marked mail is captured with everything logged, then searched for.

Each mailbox is connected, read while things go wrong in words that quote mail, and looked at with every command. The
wire is asked too: no request may be for a body, a preview or an attachment.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest

from jobs.capture import Outcome
from jobs.mailbox.base import Mailbox
from jobs.mailbox.google_auth import consented
from models.queries.mail import mailboxes
from models.vault import new_key
from tests.capture_world import Headers, Office, office
from tests.cast import DANA, MONDAY
from tests.command_line import CommandLine
from tests.databases import Database
from tests.gmail_world import MovingClock, provider
from tests.graph_world import app_tokens, graph_mailbox
from tests.imap_servers import BODY as DOVECOT_BODY
from tests.imap_servers import PASSWORD, Dovecot
from tests.imap_world import imap_mailbox
from tests.privacy_world import BODY, STRANGER, TOPIC, assert_nothing_left, every_value, listening, mails
from tests.sandbox.gmail import GmailServer
from tests.sandbox.gmail.faults import Fault
from tests.sandbox.graph import GraphServer
from tests.sandbox.imap import ImapStandIn
from tests.test_imap_servers import NO_DOVECOT

DAY = timedelta(days=1)
KEY = new_key()
QUOTE = f"cannot handle '{TOPIC} {STRANGER}' of {STRANGER} <{STRANGER}@home.example>"
COMMANDS = (
    *("capture", "capture --json", "why Acme", "why Acme --json", "why Globex", "partner Acme", "suggest"),
    *("doctor", "mailbox list", "mailbox list --json", "mailbox list --csv", "mailbox check", "coverage", "overdue"),
)
_accounts = count(1)


class Post(Protocol):
    """Dana's mailbox at one provider. `secrets` are never to be seen, `env` is what the command line needs."""

    name: str
    env: dict[str, str]
    secrets: list[str]

    def connect(self, run: CommandLine, folder: Path) -> None: ...

    def put(self, headers: Headers, label: str, at: datetime) -> None:
        """`label` is Gmail's: INBOX, SENT, DRAFT, SPAM."""

    def mailbox(self, clock: MovingClock) -> Mailbox: ...

    def troubles(self) -> Iterator[None]:
        """Goes wrong in one way after the other, each time in words that quote mail, and is well at the end."""

    def assert_modest(self) -> None:
        """What was asked for on the wire."""


def add(run: CommandLine, provider: str, *more: str, stdin: bytes | None = None) -> None:
    run("mailbox", "add", "--provider", provider, "--address", DANA.email, *more, stdin=stdin)


class GmailPost:
    name = "gmail"

    def __init__(self, stack: ExitStack, clock: MovingClock) -> None:
        self.server = stack.enter_context(GmailServer(now=clock.now))
        self.env = {"GMAIL_API_URL": self.server.api_url}
        self.file = self.server.authorized_user(DANA.email)
        self.secrets = [self.file["refresh_token"], self.file["client_secret"]]
        self.granted: list[Any] = []
        self.keys: list[str] = []

    def connect(self, run: CommandLine, folder: Path) -> None:
        token_file = folder / "token.json"
        token_file.write_text(json.dumps(self.file), encoding="utf-8")
        add(run, "gmail", "--token-file", str(token_file), "--check")

    def put(self, headers: Headers, label: str, at: datetime) -> None:
        self.keys.append(self.server.mailbox(DANA.email).deliver(headers, at, [label]))

    def mailbox(self, clock: MovingClock) -> Mailbox:
        credentials = consented(json.dumps(self.file))
        made = provider(self.server, clock, credentials)
        if not self.granted:
            made.check()
        self.granted.append(credentials)
        return made

    def troubles(self) -> Iterator[None]:
        fail = self.server.fail
        fail("messages.get", Fault(400, "invalidArgument", QUOTE), message_ids=self.keys[:3], times=None)
        fail("messages.get", Fault(500, "backendError", QUOTE), message_ids=self.keys[3:6], times=None)
        fail("messages.get", Fault(200, body=json.dumps({"payload": QUOTE})), message_ids=self.keys[6:7], times=None)
        yield
        answers = [Fault(403, "forbidden", QUOTE), Fault(403, body=f"<html>{QUOTE}"), Fault(400, "badRequest", QUOTE)]
        for fault in (*answers, Fault(403, QUOTE, QUOTE), Fault(503, QUOTE, QUOTE), Fault(500, body=QUOTE)):
            self.server.heal()
            for method in ("history.list", "messages.list", "getProfile"):
                fail(method, fault, times=None)
            yield
        self.server.heal()

    def assert_modest(self) -> None:
        self.secrets += [one.token for one in self.granted if one.token]
        calls = [call for call in self.server.calls if call.path.startswith("/gmail/")]
        assert {re.sub(r"/[0-9a-f]{8,}$", "/ID", call.path.partition("/me/")[2]) for call in calls} <= {
            *("profile", "history", "messages", "messages/ID", "labels")
        }
        for call in calls:
            assert "q" not in call.params
            asked = set(re.split(r"[^A-Za-z]+", " ".join(call.params.get("fields", []))))
            assert not asked & {"snippet", "body", "raw", "parts", "attachmentId", "data"}
            if call.path.partition("/messages/")[2]:
                assert call.params["format"] in (["metadata"], ["minimal"])
                assert {"headers", "internalDate"} & asked


class GraphPost:
    name = "graph"
    folders: Mapping[str, str] = {"INBOX": "inbox", "SENT": "sentitems", "DRAFT": "drafts", "SPAM": "junkemail"}

    def __init__(self, stack: ExitStack, clock: MovingClock) -> None:
        self.server = stack.enter_context(GraphServer(now=clock.now))
        self.server.mailbox(DANA.email)
        tokens = self.server.tokens
        self.env = {
            "MICROSOFT_TENANT_ID": tokens.tenant_id,
            "MICROSOFT_CLIENT_ID": tokens.client_id,
            "MICROSOFT_CLIENT_SECRET": tokens.client_secret,
            "MICROSOFT_LOGIN_URL": self.server.url,
            "GRAPH_API_URL": self.server.url,
        }
        self.secrets = [tokens.client_secret]
        self.keys: list[str] = []

    def connect(self, run: CommandLine, folder: Path) -> None:
        consent = self.server.tokens.consent(DANA.email)
        self.secrets.append(consent["refresh_token"])
        token_file = folder / "token.json"
        token_file.write_text(json.dumps(consent), encoding="utf-8")
        add(run, "graph", "--token-file", str(token_file), "--check")

    def put(self, headers: Headers, label: str, at: datetime) -> None:
        self.keys.append(self.server.mailbox(DANA.email).deliver(headers, at, self.folders[label]))

    def mailbox(self, clock: MovingClock) -> Mailbox:
        tokens = app_tokens(self.server)
        self.secrets.append(tokens.current())
        return graph_mailbox(self.server, clock, DANA.email, tokens=tokens)

    def troubles(self) -> Iterator[None]:
        fail = self.server.fail
        fail("messages.get", Fault(400, "ErrorInvalidRequest", QUOTE), message_ids=self.keys[:3], times=None)
        fail("messages.get", Fault(500, QUOTE, QUOTE), message_ids=self.keys[3:6], times=None)
        fail("messages.get", Fault(200, body=json.dumps({"subject": QUOTE})), message_ids=self.keys[6:7], times=None)
        yield
        for fault in (Fault(403, "ErrorAccessDenied", QUOTE), Fault(400, QUOTE, QUOTE), Fault(503, QUOTE, QUOTE)):
            self.server.heal()
            for method in ("messages.list", "mailFolders.list", "mailFolders.get"):
                fail(method, fault, times=None)
            yield
        self.server.heal()
        fail("messages.list", Fault(400, "InefficientFilter", QUOTE), times=None)
        yield
        self.server.heal()

    def assert_modest(self) -> None:
        calls = [call for call in self.server.calls if call.mailbox]
        assert {call.status for call in calls} >= {200, 400, 403}
        shown = {"id", "internetMessageId", "from", "sender", "replyTo", "toRecipients", "ccRecipients"}
        shown |= {"bccRecipients", "subject", "receivedDateTime", "sentDateTime", "isDraft", "parentFolderId"}
        for call in calls:
            assert set(call.params) <= {
                *("$select", "$filter", "$orderby", "$top", "$count", "$skiptoken", "$deltatoken")
            }
            selected = set(call.params["$select"].split(",")) if "token" not in str(call.params) else set()
            assert selected <= shown | {"internetMessageHeaders", "childFolderCount"}
            assert not re.search(r"attachments|\$value|extensions|body|preview", call.path, re.IGNORECASE)
        permissions = " ".join(call.params.get("scope", "") for call in self.server.calls_of("token")).split()
        allowed = {"https://graph.microsoft.com/.default", "https://graph.microsoft.com/Mail.ReadBasic"}
        assert set(permissions) <= allowed | {"offline_access", "openid", "profile"}


class ImapPost:
    """At a server that misbehaves on request."""

    name = "imap"
    secret = "pfeffer und salz 93"

    def __init__(self, stack: ExitStack, clock: MovingClock) -> None:
        self.server = stack.enter_context(ImapStandIn())
        self.server.passwords = {self.secret}
        self.env: dict[str, str] = {}
        plain = base64.b64encode(f"\0{DANA.email}\0{self.secret}".encode()).decode()
        self.secrets = [self.secret, plain]

    def connect(self, run: CommandLine, folder: Path) -> None:
        port = str(self.server.port)
        more = ("--host", "127.0.0.1", "--port", port, "--no-tls", "--check")
        add(run, "imap", *more, stdin=f"{self.secret}\n".encode())

    def put(self, headers: Headers, label: str, at: datetime) -> None:
        mixed = f'(("text" "plain" NIL NIL NIL "7bit" 4 1)("text" "plain" ("name" "{STRANGER}.txt") NIL NIL "7bit" 4 1)'
        flags = {"DRAFT": ("\\Draft",)}.get(label, ())
        typed = headers | {"Content-Type": f'multipart/mixed; boundary="{STRANGER}"'}
        if label != "SPAM":
            place = "Sent" if label == "SENT" else "INBOX"
            self.server.deliver(typed, at, place, flags=flags, structure=f'{mixed} "mixed")')

    def mailbox(self, clock: MovingClock) -> Mailbox:
        secret = json.dumps({"password": self.secret})
        return imap_mailbox(self.server.port, clock, DANA.email, secret=secret)

    def troubles(self) -> Iterator[None]:
        faults = self.server.faults
        faults.garbles, faults.omits = {1, 2}, {3}
        yield
        for command in ("FETCH", "SEARCH", "STATUS", "EXAMINE", "LIST"):
            faults.answers = {command: f"NO [SERVERBUG] {QUOTE}"}
            yield
        faults.answers = {"FETCH": f"BAD {QUOTE}"}
        yield
        faults.answers = {"STATUS": f"{QUOTE}\r\n* {QUOTE}"}
        yield
        faults.answers, faults.drops = {}, {"FETCH": 1}
        yield
        for said in (QUOTE, f"* {QUOTE}", f"* 1 FETCH ({QUOTE}", f"* 2 FETCH (UID 2 ENVELOPE ({QUOTE}"):
            faults.drops, faults.chatter = {}, said
            yield
        faults.chatter, faults.garbles, faults.omits = "", set(), set()

    def assert_modest(self) -> None:
        fetches = [line for line in self.server.log if " FETCH " in f" {line.upper()} "]
        assert_headers_alone(fetches)
        verbs = {line.split()[0].upper() for line in self.server.log}
        assert not verbs & {"SELECT", "STORE", "COPY", "MOVE", "APPEND", "EXPUNGE", "CREATE", "DELETE", "RENAME"}


class DovecotPost:
    """At a real server: its own log shows what it was asked."""

    name = "dovecot"

    def __init__(self, stack: ExitStack, clock: MovingClock) -> None:
        self.server = stack.enter_context(Dovecot())
        self.user = f"dana{next(_accounts)}@lantern.example"
        self.server.prepare(self.user)
        self.env: dict[str, str] = {}
        self.secrets = [base64.b64encode(f"\0{self.user}\0{PASSWORD}".encode()).decode(), DOVECOT_BODY]
        self.our_own = len(self.server.heard())

    def connect(self, run: CommandLine, folder: Path) -> None:
        port = str(self.server.port)
        more = ("--host", "127.0.0.1", "--port", port, "--no-tls", "--username", self.user)
        add(run, "imap", *more, stdin=f"{PASSWORD}\n".encode())

    def put(self, headers: Headers, label: str, at: datetime) -> None:
        body = f'--x\r\nContent-Type: text/plain; name="{STRANGER}.txt"\r\n\r\n{BODY}\r\n--x--'
        typed = headers | {"Content-Type": "multipart/mixed; boundary=x"}
        place = self.server.sent if label == "SENT" else "INBOX"
        # A server takes no date that lies ahead of its own clock.
        self.server.deliver(self.user, typed, at - 60 * DAY, place, body)

    def mailbox(self, clock: MovingClock) -> Mailbox:
        return imap_mailbox(self.server.port, clock, DANA.email, username=self.user)

    def troubles(self) -> Iterator[None]:
        yield

    def assert_modest(self) -> None:
        lines = [re.sub(r"^\S+ \S+ ", "", line) for line in self.server.heard().splitlines()]
        fetches = [line for line in lines if re.search(r"\bFETCH\b", line, re.IGNORECASE)]
        assert_headers_alone(fetches)
        assert not [line for line in lines if re.match(r"(UID )?(SELECT|STORE|COPY|MOVE|EXPUNGE)\b", line)]


def assert_headers_alone(fetches: list[str]) -> None:
    assert fetches
    for line in fetches:
        items = line.upper().partition("FETCH ")[2]
        assert "BODY[" not in items, "it would mark the mail as read"
        for item in re.findall(
            r"BODY\.PEEK\[[^]]*\]|BODY(?!\.PEEK|STRUCTURE)\S*|RFC822\S*|PREVIEW|BINARY\S*|TEXT\b", items
        ):
            assert item.startswith("BODY.PEEK[HEADER.FIELDS ("), line


POSTS: list[Any] = [GmailPost, GraphPost, ImapPost, pytest.param(DovecotPost, marks=NO_DOVECOT)]


@pytest.fixture
def work(database: Database) -> Iterator[Office]:
    with office(database, ()) as made:
        yield made


@pytest.mark.parametrize("kind", POSTS)
def test_a_mailbox_of_private_internal_and_partner_mail_leaves_nothing_but_the_partners(
    work: Office, kind: type[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ExitStack() as stack, listening() as heard:
        post: Post = kind(stack, work.clock)
        env = {"CADENCE_SECRET_KEYS": KEY} | post.env
        run = CommandLine(work.database.url, now=work.clock.at, env=env)
        said = [captured_by(run, "mailbox list")]
        post.connect(run, tmp_path)
        mailbox = post.mailbox(work.clock)
        for number, (headers, label) in enumerate(mails()):
            post.put(headers, label, MONDAY - timedelta(hours=number + 1))
        outcomes = set()
        for _ in post.troubles():
            report = work.read(mailbox=mailbox)
            said.append(f"{report} {work.facts().error} {[one.reason for one in work.queue()]}")
            outcomes.add(report.outcome)
            said += [captured_by(now_of(run, work), command) for command in ("mailbox list", "mailbox list --json")]
            work.clock.at += timedelta(hours=13)
            mailbox = post.mailbox(work.clock)  # as after a restart: no pause is remembered but the stored one
        for _ in range(3):
            report = work.read(mailbox=mailbox)
            work.clock.at += timedelta(hours=13)
        assert report.outcome is Outcome.DONE
        assert kind is DovecotPost or outcomes > {Outcome.DONE}, "the troubles were felt"
        said += [captured_by(now_of(run, work), command) for command in COMMANDS]
        assert {one[3] for one in work.touches()} == {"to-acme@lantern.example", "from-acme@a.example"}
        post.assert_modest()
        printed = capsys.readouterr()
        places = {
            "database": every_value(work.database),
            "log": "\n".join(heard),
            "reports": "\n".join(said),
            "output": printed.out + printed.err,
        }
    assert any("to-acme" in text for text in places.values()), "what concerns a partner is found by the same search"
    places = {place: text.lower() for place, text in places.items()}
    assert_nothing_left(places, STRANGER, TOPIC, BODY, KEY, *post.secrets)


def captured_by(run: CommandLine, command: str) -> str:
    said = run(*command.split(), status=None)
    return f"{said.out}{said.err}"


def now_of(run: CommandLine, work: Office) -> CommandLine:
    return CommandLine(run.url, now=work.clock.at, env=run.env)


def test_a_file_of_mail_leaves_nothing_but_the_partners_whatever_is_printed(
    work: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = []
    for number, (headers, _) in enumerate(mails()):
        at = MONDAY - timedelta(hours=number + 1)
        lines = [
            f"{name}: {value}" for name, value in ({"Date": f"{at:%a, %d %b %Y %H:%M:%S +0000}"} | headers).items()
        ]
        parts.append(
            "\n".join([f"From {STRANGER}@x.example Mon Nov 23 08:00:00 2026", *lines, "", BODY, TOPIC, "", ""])
        )
    broken = (
        f"From {STRANGER} Mon Nov 23 08:00:00 2026\nFrom: \udcff{STRANGER}\n: {TOPIC}\nDate: {STRANGER}\n\n{BODY}\n\n"
    )
    path, bad, empty = tmp_path / "mail.mbox", tmp_path / "bad.mbox", tmp_path / "empty.mbox"
    path.write_text("".join(parts), encoding="utf-8")
    bad.write_bytes((broken * 3).encode("utf-8", "surrogateescape") + b"\x00\xff" * 500)
    empty.write_bytes(f"{STRANGER} {TOPIC}".encode())
    run = CommandLine(work.database.url, env={"CADENCE_SECRET_KEYS": KEY})
    with listening() as heard:
        said = [
            captured_by(run, f"{command} --mbox {file} --mailbox {DANA.email}")
            for file in (path, bad, empty, path)
            for command in ("capture", "capture --json", "suggest")
        ]
        said += [captured_by(run, command) for command in COMMANDS]
    assert {one[3] for one in work.touches()} == {"to-acme@lantern.example", "from-acme@a.example"}
    printed = capsys.readouterr()
    places = {"database": every_value(work.database), "log": "\n".join(heard), "reports": "\n".join(said)}
    places["output"] = printed.out + printed.err
    places = {place: text.lower() for place, text in places.items()}
    assert_nothing_left(places, STRANGER, TOPIC, BODY)
    with work.database.reading() as session:
        assert [box.provider for box in mailboxes(session, work.cast.workspace_id)] == ["mbox"]
