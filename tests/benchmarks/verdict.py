"""How well and how fast mail is judged: a confusion table over labelled headers, two baselines, and a speed floor.

The labels are the corpus's own. No rule of the product may be fitted to one of its files.
"""

import csv
import hashlib
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from email.utils import getaddresses, parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any

from jobs.mailbox.mbox import fields_of, message_of
from models.addresses import addresses_in
from models.headers import date_of
from models.matching import Roster, decide
from models.message import WANTED_HEADERS, Folder, Message
from models.verdict import Verdict, judge
from tests.benchmarks._area import Area, held
from tests.gmail_world import NOW, Ledger, MovingClock
from tests.imap_world import imap_mailbox
from tests.sandbox.imap import ImapStandIn

MESSAGES, ROSTERS = 5_000, (100, 10_000)
OWNER = "dana@lantern.example"
WANTED = {name.lower() for name in WANTED_HEADERS}
VERDICTS = (Verdict.HUMAN, Verdict.AUTO, Verdict.BOUNCE, Verdict.CALENDAR, Verdict.BULK)
NAMED = {
    "human": {Verdict.HUMAN},
    "list": {Verdict.BULK},
    "newsletter": {Verdict.BULK},
    "bounce": {Verdict.BOUNCE},
    "feedback": {Verdict.BOUNCE},
    "autoreply": {Verdict.AUTO},
    "notification": {Verdict.AUTO, Verdict.BULK},
    "calendar": {Verdict.CALENDAR},
}
"""The verdicts that name a label rightly. A feedback report tells of mail that went out: it counts as a bounce."""

TARGETS = {"human": 0.002, "list": 0.97, "bounce": 0.98, "autoreply": 0.90, "feedback": 0.85, "calendar": 0.60}
"""Of unseen mail: for human at most so many false alarms, otherwise at least so much that is caught."""

INVITATION = '(("text" "plain" NIL NIL NIL "7bit" 4 1)("text" "calendar" NIL NIL NIL "7bit" 9 1) "alternative")'

Table = Mapping[str, Counter[str]]


@dataclass(frozen=True, slots=True)
class Labelled:
    file: str
    label: str
    message: Message
    block: bytes


def corpus_messages(corpus: Path) -> list[Labelled]:
    """Each file of the manifest through the product's own reader."""
    try:
        with (corpus / "manifest.csv").open(encoding="utf-8", newline="") as manifest:
            rows = list(csv.DictReader(manifest))
        blocks = [(corpus / row["file"]).read_bytes() for row in rows]
    except OSError as error:
        raise SystemExit(f"cannot read the corpus: {error.filename}: {error.strerror}") from error
    return [
        Labelled(row["file"], row["label"], message_of(b"", block), block)
        for row, block in zip(rows, blocks, strict=True)
    ]


def cadence(message: Message) -> str:
    return judge(message, outbound=False, from_is_contact=False, replies_to_known=False).verdict


def six_rules(message: Message) -> str:
    """What is usually written first: one look at each of the headers that everybody knows."""
    if message.first("Auto-Submitted").strip().lower() not in ("", "no"):
        return Verdict.AUTO
    if message.first("Return-Path").strip() == "<>" or re.search(
        "mailer-daemon|postmaster", message.first("From"), re.I
    ):
        return Verdict.BOUNCE
    if message.first("Content-Type").lower().startswith("multipart/report"):
        return Verdict.BOUNCE
    if re.search(r"out of (the )?office|automatic reply|auto-?reply|vacation", message.first("Subject"), re.I):
        return Verdict.AUTO
    if message.first("List-Id") or message.first("List-Unsubscribe"):
        return Verdict.BULK
    if message.first("Precedence").strip().lower() in ("bulk", "list", "junk"):
        return Verdict.BULK
    return Verdict.HUMAN


def everything_is_human(message: Message) -> str:
    return Verdict.HUMAN


def confusion(labelled: Iterable[Labelled], judged_by: Callable[[Message], str] = cadence) -> Table:
    table: dict[str, Counter[str]] = {}
    for each in labelled:
        table.setdefault(each.label, Counter())[judged_by(each.message)] += 1
    return table


def caught(table: Table, label: str) -> float:
    """The share of a label's mail that is not taken for a person's; for people's own mail, the false alarms."""
    counts = table.get(label, Counter())
    return 1 - counts[Verdict.HUMAN] / counts.total() if counts.total() else 0.0


def half_of(file: str) -> int:
    """Which of two halves a file belongs to, the same in every run."""
    return hashlib.sha256(file.encode()).digest()[0] % 2


def run(options: Mapping[str, str], area: Area) -> None:
    if corpus := options.get("CORPUS"):
        labelled = corpus_messages(Path(corpus))
        area.details["accuracy"] = accuracy(labelled)
        blocks = [each.block for each in labelled]
    else:
        print("accuracy: name a folder of labelled headers in CORPUS to measure it\n")
        blocks = synthetic()
    speed(area, blocks, int(options.get("SIZE", MESSAGES)))


def accuracy(labelled: list[Labelled]) -> dict[str, Any]:
    ours, six, none = (confusion(labelled, judged_by) for judged_by in (cadence, six_rules, everything_is_human))
    halves = [confusion(each for each in labelled if half_of(each.file) == half) for half in (0, 1)]
    print(f"{'label':13}{'mails':>6}", *(f"{verdict:>9}" for verdict in VERDICTS), end="")
    print(f" |{'caught':>8}{'named':>8}{'half A':>8}{'half B':>8} |{'six rules':>10}{'none':>6}")
    figures: dict[str, Any] = {}
    for label, counts in sorted(ours.items()):
        row: dict[str, Any] = {
            "mails": counts.total(),
            "verdicts": {str(verdict): counts[verdict] for verdict in VERDICTS},
            "caught": caught(ours, label),
            "named": sum(counts[verdict] for verdict in NAMED.get(label, set())) / counts.total(),
            "halves": [caught(half, label) for half in halves],
            "six_rules": caught(six, label),
            "everything_is_human": caught(none, label),
        }
        figures[label] = row
        print(f"{label:13}{counts.total():6}", *(f"{counts[verdict]:9}" for verdict in VERDICTS), end="")
        print(f" |{row['caught']:8.1%}{row['named']:8.1%}{row['halves'][0]:8.1%}{row['halves'][1]:8.1%}", end="")
        print(f" |{row['six_rules']:10.1%}{row['everything_is_human']:6.0%}")
    print('"caught" is not taken for a person\'s mail; for "human" that is the false alarms.\n')
    figures["structure"] = asked_for_structure(labelled)
    summary(figures)
    return figures


def summary(figures: Mapping[str, Any]) -> None:
    """Target against reached, and what the two baselines reach."""
    print(f"{'target':34}{'asked':>9}{'reached':>9}{'mails':>7}  {'':7}{'six rules':>10}{'all human':>10}")
    for label, target in TARGETS.items():
        row = figures.get(label)
        if row:
            reached = row["caught"]
            _row(label, target, reached, row["mails"], f"{row['six_rules']:10.1%}{row['everything_is_human']:10.1%}")
    if structure := figures["structure"]:
        _row("calendar, structure asked", 0.95, structure["calendar"], structure["calendar_mails"])
        _row("human, structure asked", TARGETS["human"], structure["human"], structure["human_mails"])
    print(
        "The corpus has no bodies. Where the structure is asked, a stand-in IMAP server gives each calendar mail a\n"
        "text/calendar part and each human one a text part: that line measures the way from the wire, not the world.\n"
    )


def _row(label: str, target: float, reached: float, mails: int, baselines: str = "") -> None:
    human = label.startswith("human")
    sign, good = ("≤", reached <= target) if human else ("≥", reached >= target)
    print(
        f"{label:34}{sign + f' {target:.1%}':>9}{reached:9.1%}{mails:7}  {'reached' if good else 'MISSED':7}{baselines}"
    )


def asked_for_structure(labelled: list[Labelled]) -> dict[str, Any]:
    """Calendar and human mails through a pass of the IMAP provider, which asks for structures where they matter."""
    kept = [each for each in labelled if each.label in ("calendar", "human")]
    if not any(each.label == "calendar" for each in kept):
        return {}
    at = datetime(2026, 11, 23, 9, tzinfo=UTC)
    clock, counts = MovingClock(at), Counter[str]()
    with ImapStandIn() as server:
        for number, each in enumerate(kept):
            headers: dict[str, str | None] = {}
            for name, value in each.message.headers:
                headers.setdefault(name, value)
            headers["X-Original-Sender"] = f"{number}@number.invalid"  # by which the answer is known again
            structure = INVITATION if each.label == "calendar" else None
            server.deliver(headers, at, "INBOX", structure=structure)
        ledger = Ledger(clock)
        ledger.poll(imap_mailbox(server.port, clock))
    for message in ledger.messages:
        label = kept[int(message.first("X-Original-Sender").partition("@")[0])].label
        counts[label] += 1
        counts[label + " caught"] += cadence(message) != Verdict.HUMAN
    return {
        f"{label}{what}": counts[label] if what else counts[f"{label} caught"] / counts[label]
        for label in ("calendar", "human")
        for what in ("", "_mails")
        if counts[label]
    }


def speed(area: Area, blocks: list[bytes], messages: int) -> None:
    """Messages a second, one core. The floor reads the same facts with the standard library and decides nothing."""
    wanted = [_only_wanted(block) for block in (blocks * (messages // len(blocks) + 1))[:messages]]
    floor, _ = _rate(_floor, wanted)
    ours, memory = _rate(_read_and_judge, wanted)
    area.row("read, addresses, date and verdict", ours, "messages/s", floor=floor, memory=memory)
    for partners in ROSTERS:
        roster = _roster(partners)
        ours, memory = _rate(partial(_read_and_decide, roster), wanted)
        what = f"the same, matched with a roster of {partners:,} partners"
        area.row(what, ours, "messages/s", floor=floor, memory=memory)
    print("Floor: compat32 of the headers that are wanted, getaddresses, and the date.")


def synthetic(count: int = 1_000) -> list[bytes]:
    return [
        (
            f"From: Al Lee <al{number}@acme.example>\nTo: Dana Kim <dana@lantern.example>, tom@lantern.example\n"
            f'Cc: "Lee, Bo" <bo@acme.example>\nSubject: Re: plan {number}\nMessage-ID: <{number}@acme.example>\n'
            f"Date: Mon, 02 Nov 2026 10:00:00 +0000\nIn-Reply-To: <{number}@lantern.example>\n"
        ).encode()
        for number in range(count)
    ]


def _rate(work: Callable[[bytes], object], blocks: list[bytes]) -> tuple[float, float | None]:
    best = float("inf")
    with held() as found:
        for _ in range(3):
            started = time.process_time()
            for block in blocks:
                work(block)
            best = min(best, time.process_time() - started)
    return len(blocks) / best, found.megabytes


def _floor(block: bytes) -> object:
    parsed = BytesHeaderParser().parsebytes(block)
    people = getaddresses([str(value) for name in ("From", "To", "Cc") for value in parsed.get_all(name, [])])
    try:
        return people, parsedate_to_datetime(str(parsed.get("Date", "")))
    except ValueError:
        return people, None


def _read_and_judge(block: bytes) -> object:
    message = Message("", tuple(fields_of(block)), None)
    people = addresses_in(value for name in ("From", "To", "Cc") for value in message.all(name))
    return people, date_of(message.first("Date")), cadence(message)


def _read_and_decide(roster: Roster, block: bytes) -> object:
    """What capture does with a message between its provider and its page's transaction."""
    message = Message("", tuple(fields_of(block)), NOW, Folder.INBOX)
    return decide(message, roster, mailbox=OWNER, captured_at=NOW, known_ids=frozenset())


def _roster(partners: int) -> Roster:
    """Half of the partners are known by a domain, half by an address; the first is the one that writes."""
    domains = {"acme.example": 1} | {f"partner{number}.example": number for number in range(2, partners, 2)}
    contacts = {f"al@shared{number}.example": number for number in range(3, partners, 2)}
    people = {OWNER: 1, "tom@lantern.example": 2} | {
        f"manager{number}@lantern.example": number for number in range(3, 23)
    }
    return Roster(people, contacts, domains)


def _only_wanted(block: bytes) -> bytes:
    parsed = BytesHeaderParser().parsebytes(block)
    for name in set(parsed.keys()):
        if name.lower() not in WANTED:
            del parsed[name]
    return parsed.as_bytes()
