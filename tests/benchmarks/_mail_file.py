"""Mail files for measurements: what a mailbox of years looks like on disk, written without holding it in memory."""

import base64
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

OWNER = "dana@lantern.example"
PARTNERS = 40
STARTED = datetime(2020, 1, 6, 8, tzinfo=UTC)
SIGNATURE = "b=" + "\n        ".join("Zm9vYmFyYmF6cXV4" * 4 for _ in range(5))
PROSE = b"Thank you for the plan, we look at it this week and come back to you with what is still open.\n"


def mails(count: int, *, bodies: bool = True, seed: int = 1) -> Iterator[bytes]:
    """Mails as Takeout writes them: a third with partners, the rest from strangers and lists; 27 kB each on average.

    Some bodies hold lines that start with `From `, one in ten an attachment. Without `bodies` each has one line.
    """
    chance = random.Random(seed)
    attachment = base64.encodebytes(chance.randbytes(60_000))
    for number in range(count):
        yield _head(number, STARTED + number * timedelta(minutes=2))
        if not bodies:
            yield b"Hello\n\n"
            continue
        yield PROSE * chance.choice((5, 20, 60, 150))
        if number % 50 == 0:
            yield b"\nFrom here on it is easy.\n\nFrom the team: with love\n\n"
        if number % 10 == 0:
            yield attachment * chance.choice((1, 2, 5))
        yield b"\n"


def write(path: Path, count: int, *, bodies: bool = True) -> Path:
    with path.open("wb") as file:
        file.writelines(mails(count, bodies=bodies))
    return path


def _head(number: int, at: datetime) -> bytes:
    partner, us = f"Al Lee <al{number % 7}@partner{number % PARTNERS}.example>", f"Dana Kim <{OWNER}>"
    stranger = f'"Lee, Bo" <bo{number % 997}@stranger{number % 311}.example>'
    sender, to, labels, more = [
        (us, f"{partner}, tom@lantern.example", "Sent,Opened", ""),
        (partner, f"{us}, Tom Day <tom@lantern.example>", "Inbox,Important,Opened", ""),
        (stranger, us, "Inbox,Category Personal,Opened", ""),
        (stranger, us, "Archived,Category Updates", "List-Unsubscribe: <mailto:off@stranger.example>\n"),
        (us, stranger, "Sent", ""),
        (stranger, f"{us}, {stranger}", "Inbox,Unread", "Cc: team@lantern.example, x@elsewhere.example\n"),
    ][number % 6]
    day = f"{at:%a, %d %b %Y %H:%M:%S}"
    return (
        f"From {10**18 + number}@xxx {at:%a %b %d %H:%M:%S} +0000 {at:%Y}\nX-GM-THRID: {10**18 + number // 3}\n"
        f"X-Gmail-Labels: {labels}\nDelivered-To: {OWNER}\n"
        f"Received: by 2002:a05:6402:1 with SMTP id x{number};\n        {day} +0000 (UTC)\n"
        f"ARC-Seal: i=1; a=rsa-sha256; t=1; cv=none;\n        d=google.com; s=arc-20260816;\n        {SIGNATURE}\n"
        f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\n        d=partner.example;\n        {SIGNATURE}\n"
        "Authentication-Results: mx.google.com;\n       dkim=pass header.i=@partner.example;\n       dmarc=pass\n"
        f"Return-Path: <al@partner.example>\nFrom: {sender}\nTo: {to}\n{more}Subject: Re: plan {number // 3}\n"
        f"Message-ID: <{number}.{number * 7}@mail.example>\nDate: {day} +0000\n"
        f"In-Reply-To: <{number - 1}@mail.example>\n"
        f"References: <{number - 2}@mail.example>\n <{number - 1}@mail.example>\n"
        f'MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary="0000{number}"\n\n'
    ).encode()
