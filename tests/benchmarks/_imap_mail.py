"""A mailbox of years for measurements, written where Dovecot keeps its mail: no protocol takes the time of filling it.

Three in ten mails are with partners; the rest are colleagues, lists, strangers and machines.
"""

import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.header import Header
from pathlib import Path

OWNER = "dana@lantern.example"
OUR_HOST = "lantern.example"
PARTNERS = 200
UNTIL = datetime(2026, 11, 23, 9, tzinfo=UTC)
SPAN = timedelta(days=80)  # a first walk goes back 90

_FIRST = ("Ana", "Bo", "Chioma", "Dana", "Élodie", "Grace", "Håkon", "Jürgen", "Kim", "Ömer", "Priya", "Tom", "真由美")
_LAST = ("Lee", "Müller", "García", "Novák", "Okafor", "Smith", "Şahin", "Tanaka", "Rossi", "Jensen", "O'Brien", "山田")
_WORDS = ("plan", "budget", "launch", "review", "contract", "agenda", "invoice", "pricing", "Angebot", "réunion")
_KINDS = (
    *("to partner",) * 15,
    *("from partner",) * 15,
    *("to colleague",) * 10,
    *("from colleague",) * 12,
    *("list",) * 18,
    *("newsletter",) * 10,
    *("from stranger",) * 10,
    *("to stranger",) * 4,
    *("notice",) * 4,
    *("invitation",) * 2,
)
_SIGNATURE = "\r\n        ".join("Zm9vYmFyYmF6cXV4" * 4 for _ in range(5))


def fill(maildir: Path, sent: str, count: int, seed: int = 1) -> None:
    """`count` mails in the inbox and the folder of sent mail of a Maildir++."""
    inbox, outbox = maildir / "cur", maildir / f".{sent}" / "cur"
    for folder in (inbox, outbox):
        folder.mkdir(parents=True, exist_ok=True)
    for number, (is_sent, at, mail) in enumerate(mails(count, seed)):
        path = (outbox if is_sent else inbox) / f"{int(at.timestamp())}.M{number}P1.bench,S={len(mail)}:2,S"
        path.write_bytes(mail)
        os.utime(path, (at.timestamp(), at.timestamp()))  # the server's own time of a message
    owner = maildir.parent.stat()
    for path in (maildir, *maildir.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)


def mails(count: int, seed: int = 1) -> Iterator[tuple[bool, datetime, bytes]]:
    """(whether we sent it, the server's time, the mail), oldest first."""
    chance = random.Random(seed)
    for number in range(count):
        at = UNTIL - SPAN * (1 - number / count)
        kind = chance.choice(_KINDS)
        yield kind.startswith("to "), at, _mail(chance, number, kind, at)


def _mail(chance: random.Random, number: int, kind: str, at: datetime) -> bytes:
    us = f"Dana Kim <{OWNER}>"
    colleagues = _people(chance, OUR_HOST, chance.choice((1, 1, 2, 4)))
    others = _people(chance, _host(chance, kind), chance.choice((1, 1, 1, 2, 3)))
    sender, to = (us, others) if kind.startswith("to ") else (others[0], [us, *colleagues[1:]])
    if kind.endswith("colleague"):
        sender, to = (us, colleagues) if kind.startswith("to ") else (colleagues[0], [us, *colleagues[1:]])
    cc = _people(chance, chance.choice((OUR_HOST, _host(chance, kind))), chance.choice((0, 0, 0, 1, 2, 5)))
    day = f"{at:%a, %d %b %Y %H:%M:%S}"
    subject = (
        f"{chance.choice(('', 'Re: ', 'Re: ', 'AW: ', 'Fwd: '))}{' '.join(chance.sample(_WORDS, 3))} {number // 4}"
    )
    lines = [
        f"Return-Path: <{sender.rpartition('<')[2].strip('>')}>",
        f"Delivered-To: {OWNER}",
        *(
            f"Received: from mail{hop}.example ([192.0.2.{hop}])\r\n by mx{hop}.{OUR_HOST} with ESMTPS id {number:x}"
            f"\r\n for <{OWNER}>; {day} +0000"
            for hop in range(4)
        ),
        *(
            f"{name}: i=1; a=rsa-sha256; c=relaxed/relaxed; d=mail.example; s=2026;\r\n        b={_SIGNATURE}"
            for name in ("ARC-Seal", "ARC-Message-Signature", "DKIM-Signature", "X-Google-DKIM-Signature")
        ),
        f"Authentication-Results: mx.{OUR_HOST};\r\n\tdkim=pass header.d=mail.example;\r\n\tspf=pass; dmarc=pass",
        f"From: {sender}",
        f"To: {_folded(to)}",
        *([f"Cc: {_folded(cc)}"] if cc else []),
        f"Subject: {_encoded(subject)}",
        f"Date: {day} +0000",
        f"Message-ID: <{number}.{chance.getrandbits(64):x}@mail.example>",
        *_thread(chance, number),
        *_marks(kind),
        "MIME-Version: 1.0",
    ]
    return "\r\n".join([*lines, *_body(chance, kind, number), ""]).encode()


def _host(chance: random.Random, kind: str) -> str:
    if kind.endswith("partner"):
        return f"{chance.choice(('', '', 'mail.', 'eu.'))}partner{chance.randrange(PARTNERS)}.example"
    return f"stranger{chance.randrange(3_000)}.example"


def _people(chance: random.Random, host: str, count: int) -> list[str]:
    people = []
    for _ in range(count):
        first, last = chance.choice(_FIRST), chance.choice(_LAST)
        local = f"{first}.{last}{chance.randrange(20)}".encode("ascii", "ignore").decode().replace("'", "").lower()
        email = f"{local.strip('.')}@{host}"
        form = chance.randrange(8)
        if form == 0:
            people.append(email)
        elif form <= 2 and last.isascii():
            people.append(f'"{last}, {_encoded(first) if first.isascii() else "A"}" <{email}>')
        else:
            people.append(f"{_encoded(f'{first} {last}')} <{email}>")
    return people


def _encoded(text: str) -> str:
    return text if text.isascii() else Header(text, "utf-8", maxlinelen=200).encode()


def _folded(people: list[str]) -> str:
    return ",\r\n ".join(", ".join(people[start : start + 2]) for start in range(0, len(people), 2))


def _thread(chance: random.Random, number: int) -> list[str]:
    before = [
        f"<{number - one}.{chance.getrandbits(64):x}@mail.example>" for one in range(chance.choice((0, 0, 1, 3, 8)))
    ]
    return [f"In-Reply-To: {before[-1]}", "References: " + "\r\n ".join(before)] if before else []


def _marks(kind: str) -> list[str]:
    return {
        "list": ["List-Id: <dev.lists.example>", "List-Unsubscribe: <mailto:leave@lists.example>", "Precedence: list"],
        "newsletter": ["List-Unsubscribe: <https://news.example/off>", "Precedence: bulk"],
        "notice": ["Auto-Submitted: auto-generated"],
    }.get(kind, [])


def _body(chance: random.Random, kind: str, number: int) -> list[str]:
    text = "Thank you for the plan, we come back to you with what is still open." * 5
    if kind != "invitation" and chance.random() < 0.4:
        return ["Content-Type: text/plain; charset=utf-8", "", text]
    mark, second = (
        f"b{number:x}",
        "text/calendar; method=REQUEST" if kind == "invitation" else "text/html; charset=utf-8",
    )
    return [
        f'Content-Type: multipart/alternative; boundary="{mark}"',
        *("", f"--{mark}", "Content-Type: text/plain; charset=utf-8", "", text),
        *(f"--{mark}", f"Content-Type: {second}", "", f"<p>{text}</p>", f"--{mark}--"),
    ]
