"""A stand-in IMAP server on loopback that misbehaves on request, for what a real server does not do to order.

Its manners are judged by the tests that run against real servers too; it must not grow into one.
"""

import base64
import re
import socketserver
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

CAPABILITIES = "IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2"


@dataclass(slots=True)
class StoredMail:
    headers: list[tuple[str, str]]
    at: datetime
    flags: tuple[str, ...] = ()
    structure: str = '("text" "plain" NIL NIL NIL "7bit" 4 1)'
    numbers: set[tuple[int, int]] = field(default_factory=set)  # UIDVALIDITY and UID, now and before


@dataclass(slots=True)
class StandInFolder:
    """One folder, and what it tells of itself."""

    flags: str = "\\HasNoChildren"
    uidvalidity: int | None = 1
    next_uid: int = 1
    mails: dict[int, StoredMail] = field(default_factory=dict)
    tells_next: bool = True


@dataclass(slots=True)
class Faults:
    """What goes wrong from now on. A command is named as in the log: `FETCH`, `SEARCH`, `LOGIN`, `STATUS` …"""

    answers: dict[str, str] = field(default_factory=dict)  # command → tagged answer in its place: `NO [..] text`
    drops: dict[str, int] = field(default_factory=dict)  # command → after how many of them the line breaks
    omits: set[int] = field(default_factory=set)  # UIDs that FETCH leaves out
    garbles: set[int] = field(default_factory=set)  # UIDs whose answer cannot be read
    hides_dates: bool = False
    cuts: bool = False  # the line breaks before an answer to FETCH is complete
    splits_search: bool = False  # one line per UID
    chatter: str = ""  # untagged lines before the answer to a FETCH
    before_status: Any = None  # called before STATUS answers, as when mail arrives just then
    after_fetch: Any = None
    greeting: str = f"* OK [CAPABILITY {CAPABILITIES}] ready"
    gates: list[threading.Event] = field(default_factory=list)  # each of the next commands waits for one


class ImapStandIn:
    """Running inside its `with` block. `log` holds every command, without its tag."""

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.folders = {"INBOX": StandInFolder(), "Sent": StandInFolder("\\HasNoChildren \\Sent")}
        self.faults = Faults()
        self.capabilities = CAPABILITIES
        self.passwords = {"secret"}
        self.log: list[str] = []
        self.connections = 0
        self.shutdowns = 0
        self.lock = threading.RLock()
        stand_in = self

        class Handler(socketserver.StreamRequestHandler):
            disable_nagle_algorithm = True

            def setup(self) -> None:
                if context is not None:
                    self.request = context.wrap_socket(self.request, server_side=True)
                super().setup()

            def finish(self) -> None:
                super().finish()
                self.request.close()

            def handle(self) -> None:
                stand_in.connections += 1
                _Conversation(stand_in, self.rfile, self.wfile).hold()

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that goes away, or wants no such certificate, is none."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def deliver(
        self,
        headers: Mapping[str, str | None],
        at: datetime,
        folder: str = "INBOX",
        *,
        flags: tuple[str, ...] = (),
        structure: str | None = None,
    ) -> int:
        with self.lock:
            box = self.folders[folder]
            uid, box.next_uid = box.next_uid, box.next_uid + 1
            mail = StoredMail([(name, value) for name, value in headers.items() if value is not None], at, flags)
            box.mails[uid] = mail
            mail.numbers.add((box.uidvalidity or 0, uid))
            if structure:
                mail.structure = structure
            return uid

    def renumber(self, folder: str = "INBOX") -> None:
        """Numbers the folder's messages anew under another UIDVALIDITY, as after a repair."""
        with self.lock:
            box = self.folders[folder]
            box.uidvalidity = (box.uidvalidity or 0) + 1
            box.mails = {number: mail for number, (_, mail) in enumerate(sorted(box.mails.items()), 1)}
            box.next_uid = len(box.mails) + 1
            for number, mail in box.mails.items():
                mail.numbers.add((box.uidvalidity, number))

    def heal(self) -> None:
        """All is well from now on; who waits at a gate goes on when it opens."""
        self.faults = Faults()

    def hang_up(self) -> None:
        """Ends all conversations, as a server does that starts anew."""
        self.shutdowns += 1

    def commands(self, *names: str) -> list[str]:
        return [line for line in self.log if line.split()[0] in names]


class _Hangup(Exception):
    pass


@dataclass(slots=True)
class _Conversation:
    server: ImapStandIn
    reads: Any
    writes: Any
    open: StandInFolder | None = None
    heard: dict[str, int] = field(default_factory=dict)

    def hold(self) -> None:
        shutdowns = self.server.shutdowns
        self.say(self.server.faults.greeting)
        if self.server.faults.greeting.startswith("* BYE"):
            return
        try:
            while line := self.reads.readline():
                tag, _, rest = line.decode().strip().partition(" ")
                if self.server.faults.gates:
                    self.server.faults.gates.pop().wait()
                if self.server.shutdowns > shutdowns:
                    return
                self.answer(tag, rest)
        except (_Hangup, OSError, ssl.SSLError):
            return

    def say(self, text: str) -> None:
        self.writes.write(text.encode() + b"\r\n")

    def answer(self, tag: str, rest: str) -> None:
        words = rest.split()
        if words[0].upper() == "UID":
            words = words[1:]
        name, server = words[0].upper(), self.server
        with server.lock:
            server.log.append(" ".join([name, *words[1:]]) if name not in ("LOGIN", "AUTHENTICATE") else name)
            self.heard[name] = self.heard.get(name, 0) + 1
            if name in server.faults.drops and self.heard[name] > server.faults.drops[name]:
                raise _Hangup
            if name in server.faults.answers:
                if name == "AUTHENTICATE":
                    self.ask()
                self.say(f"{tag} {server.faults.answers[name]}")
                return
            done = getattr(self, f"do_{name.lower()}", self.do_unknown)(words[1:], rest)
            self.say(f"{tag} {done or f'OK {name} done'}")
        if name == "LOGOUT":
            raise _Hangup

    def ask(self) -> str:
        self.say("+ ")
        return str(self.reads.readline().decode().strip())

    def do_unknown(self, words: list[str], rest: str) -> str:
        return "BAD never heard of it"

    def do_capability(self, words: list[str], rest: str) -> None:
        self.say(f"* CAPABILITY {self.server.capabilities}")

    def do_logout(self, words: list[str], rest: str) -> None:
        self.say("* BYE until soon")

    def do_login(self, words: list[str], rest: str) -> str | None:
        return None if words[-1].strip('"') in self.server.passwords else "NO [AUTHENTICATIONFAILED] wrong"

    def do_authenticate(self, words: list[str], rest: str) -> str | None:
        said = base64.b64decode(self.ask()).decode()
        secret = said.split("\x00")[-1] if words[0].upper() == "PLAIN" else said.split("Bearer ")[-1].strip("\x01")
        return None if secret in self.server.passwords else "NO [AUTHENTICATIONFAILED] wrong"

    def do_list(self, words: list[str], rest: str) -> None:
        for name, box in self.server.folders.items():
            if words[0] != "(SPECIAL-USE)" or "\\Sent" in box.flags:
                self.say(f'* LIST ({box.flags}) "/" "{name}"')

    def do_status(self, words: list[str], rest: str) -> str | None:
        if self.server.faults.before_status:
            self.server.faults.before_status()
        box = self.server.folders.get(_folder(rest))
        if box is None:
            return "NO [NONEXISTENT] no such folder"
        told = f"MESSAGES {len(box.mails)}"
        told += f" UIDVALIDITY {box.uidvalidity}" if box.uidvalidity else ""
        told += f" UIDNEXT {box.next_uid}" if box.tells_next else ""
        self.say(f'* STATUS "{_folder(rest)}" ({told})')
        return None

    def do_examine(self, words: list[str], rest: str) -> str | None:
        self.open = self.server.folders.get(_folder(rest))
        if self.open is None:
            return "NO [NONEXISTENT] no such folder"
        self.say(f"* {len(self.open.mails)} EXISTS")
        if self.open.uidvalidity:
            self.say(f"* OK [UIDVALIDITY {self.open.uidvalidity}] valid")
        if self.open.tells_next:
            self.say(f"* OK [UIDNEXT {self.open.next_uid}] next")
        return "OK [READ-ONLY] opened"

    def do_search(self, words: list[str], rest: str) -> None:
        box = self.open or StandInFolder()
        found = _uids(words[1], box)
        if len(words) > 2:
            day = datetime.strptime(words[3], "%d-%b-%Y").replace(tzinfo=UTC)
            found = [uid for uid in found if box.mails[uid].at >= day]
        for line in [[uid] for uid in found] if self.server.faults.splits_search else [found]:
            self.say(" ".join(["* SEARCH", *map(str, line)]))

    def do_fetch(self, words: list[str], rest: str) -> None:
        box, faults = self.open or StandInFolder(), self.server.faults
        if faults.chatter:
            self.say(faults.chatter)
        wanted = re.search(r"HEADER\.FIELDS \(([^)]*)\)", rest)
        names = {name.lower() for name in (wanted[1].split() if wanted else ())}
        for uid in _uids(words[0], box):
            mail, sequence = box.mails[uid], sorted(box.mails).index(uid) + 1
            if uid in faults.omits:
                continue
            if uid in faults.garbles:
                self.say(f"* {sequence} FETCH (UID {uid} FLAGS (")
                continue
            if "BODYSTRUCTURE" in rest:
                self.say(f"* {sequence} FETCH (UID {uid} BODYSTRUCTURE {mail.structure})")
                continue
            lines = [f"{name}: {value}\r\n" for name, value in mail.headers if name.lower() in names]
            block = ("".join(lines) + "\r\n").encode()
            at = "" if faults.hides_dates else f'INTERNALDATE "{mail.at:%d-%b-%Y %H:%M:%S +0000}" '
            start = f"* {sequence} FETCH (UID {uid} FLAGS ({' '.join(mail.flags)}) {at}"
            self.writes.write(
                f"{start}BODY[HEADER.FIELDS ({wanted[1] if wanted else ''})] {{{len(block)}}}\r\n".encode()
            )
            self.writes.write(block + b")\r\n")
        if faults.after_fetch:
            faults.after_fetch()
        if faults.cuts:
            raise _Hangup


def _folder(rest: str) -> str:
    found = re.search(r'"([^"]*)"', rest)
    return found[1] if found else rest.split()[1]


def _uids(wanted: str, box: StandInFolder) -> list[int]:
    """As RFC 3501 has it: `*` is the newest message, and a range may run backwards."""
    newest = max(box.mails, default=0)
    found: set[int] = set()
    for part in wanted.split(","):
        first, _, last = part.partition(":")
        ends = sorted(newest if end == "*" else int(end) for end in (first, last or first))
        found |= {uid for uid in box.mails if ends[0] <= uid <= ends[1]}
    return sorted(found)
