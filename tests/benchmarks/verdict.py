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
from pathlib import Path
from typing import Any

from jobs.mailbox.mbox import fields_of, message_of
from models.addresses import addresses_in
from models.headers import date_of
from models.message import WANTED_HEADERS, Message
from models.verdict import Verdict, judge
from tests.gmail_world import Ledger, MovingClock
from tests.imap_world import imap_mailbox
from tests.sandbox.imap import ImapStandIn

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


def run(options: Mapping[str, str]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    if corpus := options.get("CORPUS"):
        labelled = corpus_messages(Path(corpus))
        figures["accuracy"] = accuracy(labelled)
        blocks = [each.block for each in labelled]
    else:
        print("accuracy: name a folder of labelled headers in CORPUS to measure it\n")
        blocks = synthetic()
    figures["speed"] = speed(blocks)
    return figures


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


def speed(blocks: list[bytes]) -> dict[str, float]:
    """Messages a second, one core: the standard library's reading of the same facts against reading and judging."""
    rounds = max(1, 5_000 // len(blocks))
    wanted = [_only_wanted(block) for block in blocks]
    floor = _rate(_floor, wanted, rounds)
    ours = _rate(_read_and_judge, wanted, rounds)
    print(f"{'floor: compat32 + getaddresses + date':45}{floor:10,.0f} messages/s")
    print(f"{'read, addresses, date and verdict':45}{ours:10,.0f} messages/s   {ours / floor:.2f} × floor")
    return {"floor": floor, "cadence": ours, "ratio": ours / floor}


def synthetic(count: int = 1_000) -> list[bytes]:
    return [
        (
            f"From: Al Lee <al{number}@acme.example>\nTo: Dana Kim <dana@lantern.example>, tom@lantern.example\n"
            f'Cc: "Lee, Bo" <bo@acme.example>\nSubject: Re: plan {number}\nMessage-ID: <{number}@acme.example>\n'
            f"Date: Mon, 02 Nov 2026 10:00:00 +0000\nIn-Reply-To: <{number}@lantern.example>\n"
        ).encode()
        for number in range(count)
    ]


def _rate(work: Callable[[bytes], object], blocks: list[bytes], rounds: int) -> float:
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        for _ in range(rounds):
            for block in blocks:
                work(block)
        best = min(best, time.process_time() - started)
    return rounds * len(blocks) / best


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


def _only_wanted(block: bytes) -> bytes:
    parsed = BytesHeaderParser().parsebytes(block)
    for name in set(parsed.keys()):
        if name.lower() not in WANTED:
            del parsed[name]
    return parsed.as_bytes()
