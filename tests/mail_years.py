"""A made-up mailbox of any size, with every kind of mail that a partner team gets, and a count of it by other means.

It shares no code with the product: `letters` writes headers, `count` reads them with the standard library. Whether a
person wrote a mail cannot be read without rules, so the mail says it itself, in a header that the product never reads.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.header import Header, decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import format_datetime, getaddresses, parsedate_to_datetime
from pathlib import Path

OWNER = "dana@lantern.example"
ALIAS = "dana.kim@lantern.example"
COLLEAGUE = "tom@lantern.example"
PARTNERS = {f"Partner {number}": f"partner{number}.example" for number in range(16)}
CONTACTS = {"Partner 0": "wendy@shared-host.example", "Partner 1": "bo@partner2.example"}
TRUTH = "X-Truth"  # what became of it: a verdict of a touch, or `bounced`; the addresses say whose touch it is
FROM_LINE = "From {number}@xxx {at:%a %b %d %H:%M:%S} +0000 {at:%Y}\n"

Fields = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail, with Gmail's labels. `at` is when the provider says that it came."""

    fields: Fields
    at: datetime
    labels: str
    body: str = "Hello\n"

    @property
    def raw(self) -> bytes:
        lines = "".join(f"{name}: {value}\n" for name, value in [("X-Gmail-Labels", self.labels), *self.fields])
        return f"{lines}\n{self.body}\n".encode()


def write(path: Path, mails: Iterable[Letter]) -> Path:
    """As Takeout writes them."""
    with path.open("wb") as file:
        for number, mail in enumerate(mails):
            file.write(FROM_LINE.format(number=10**18 + number, at=mail.at).encode() + mail.raw)
    return path


def letters(count: int, newest: datetime, *, seed: int = 3) -> list[Letter]:
    """At least so many mails of the eighty days before `newest`, in no order, as Takeout has them."""
    writer = _Writer(random.Random(seed), newest)
    kinds, weights = zip(*_KINDS.items(), strict=True)
    while len(writer.written) < count:
        writer.chance.choices(kinds, weights)[0](writer)
    writer.chance.shuffle(writer.written)
    return writer.written


class _Writer:
    def __init__(self, chance: random.Random, newest: datetime) -> None:
        self.chance, self.newest = chance, newest
        self.written: list[Letter] = []
        self.number = 0

    def write(
        self,
        sender: str,
        to: str,
        truth: str,
        labels: str = "",
        *,
        at: datetime | None = None,
        subject: str = "",
        **more: str,
    ) -> Letter:
        """`more` names other headers with underscores; an empty one is left out."""
        self.number += 1
        at = at or self.newest - timedelta(seconds=self.chance.randrange(80 * 86_400))
        zone = timezone(timedelta(hours=self.chance.choice((0, 0, 1, -8, 9))))
        fields = {
            "From": sender,
            "To": to,
            "Subject": subject or f"{self.chance.choice(('', 'Re: ', 'AW: ', 'Fwd: '))}Plan {self.number}",
            "Date": format_datetime(at.astimezone(zone)),
            "Message-ID": self.chance.choice(("<{}@mail.example>", "\n <{}@mail.example>")).format(self.number),
            TRUTH: truth,
        } | {name.replace("_", "-"): value for name, value in more.items()}
        body = self.chance.choice(("Hello\n", "Hello\n\nFrom the team: bye\n", "\n>From x\n", "x" * 3_000 + "\n", ""))
        kept = [(name, value) for name, value in fields.items() if value]
        letter = Letter(kept, at, labels or "Inbox,Opened,Category Personal", body)
        self.written.append(letter)
        return letter

    def partner(self) -> str:
        return self.chance.choice(list(PARTNERS.values()))

    def us(self) -> str:
        named = f'"Kim, Dana" <{OWNER}>', f"Dana Kim <{ALIAS}>", OWNER.upper(), "<dana+work@lantern.example>", OWNER
        return self.chance.choice(named)

    def theirs(self, host: str = "") -> str:
        host, local = host or self.partner(), self.chance.choice(("al", "bo.lee", "ann+plan", "o'hara"))
        name = self.chance.choice(("Al Lee", '"Lee, Al (Sales)"', Header("Jürgen Öz", "utf-8").encode(), ""))
        return f"{name} <{local}@{self.chance.choice(('', '', 'mail.'))}{host}>"

    def stranger(self) -> str:
        return f"Sam <sam{self.chance.randrange(500)}@stranger{self.chance.randrange(90)}.example>"


def _to_partner(one: _Writer) -> None:
    one.write(one.us(), one.theirs(), "human", "Sent,Opened", Cc=one.chance.choice(("", COLLEAGUE, one.theirs())))


def _copied(one: _Writer) -> None:
    one.write(one.us(), one.stranger(), "human", "Sent", Cc=f"{COLLEAGUE},\n {one.theirs()}")


def _to_several(one: _Writer) -> None:
    one.write(one.us(), ", ".join(one.theirs() for _ in range(one.chance.randrange(2, 6))), "human", "Archived,Sent")


def _to_contact(one: _Writer) -> None:
    one.write(one.us(), one.chance.choice(("wendy+q3@shared-host.example", *CONTACTS.values())), "human", "Sent")


def _hidden(one: _Writer) -> None:
    one.write(one.us(), COLLEAGUE, "human", "Sent", Bcc=one.theirs())


def _from_partner(one: _Writer) -> None:
    one.write(one.theirs(), one.us(), "human", In_Reply_To=f"<{max(1, one.number - 5)}@mail.example>")


def _from_contact_through_list(one: _Writer) -> None:
    contact = one.chance.choice(list(CONTACTS.values()))
    one.write(contact, "group@lists.example", "human", List_Id="<group.lists.example>")


def _strange(one: _Writer) -> None:
    one.write(one.stranger(), one.us(), "human", Cc=one.chance.choice(("", one.theirs())))
    one.write(one.us(), one.stranger(), "human", "Sent")
    one.write(OWNER, f"{COLLEAGUE}, {ALIAS}", "human", "Sent")


def _look_alike(one: _Writer) -> None:
    host = one.partner()
    for address in (f"al@not{host}", f"al@{host}.evil.example", f"{host}@evil.example"):
        one.write(f'"al@{host}" <{address}>', one.us(), "human")


def _machines(one: _Writer) -> None:
    host = one.partner()
    one.write(f"al@{host}", one.us(), "auto", subject="Automatic reply: Plan", Auto_Submitted="auto-replied")
    one.write(f"no-reply@{host}", one.us(), "auto", subject=f"Your ticket {one.number}")
    one.write(f"news@{host}", one.us(), "bulk", "Inbox,Category Promotions", List_Unsubscribe="<mailto:off@x.example>")
    one.write(f"al@{host}", "all@lists.example", "bulk", List_Id="All <all.lists.example>")
    one.write(f"al@{host}", one.us(), "calendar", Content_Type="text/calendar; method=REQUEST")
    one.write(f"al@{host}", one.us(), "suspect", Authentication_Results="mx.example; dmarc=fail (p=NONE)")


def _bounced(one: _Writer) -> None:
    lost = f"gone{one.number}@{one.partner()}"
    sent = one.write(one.us(), lost, "bounced", "Sent")
    at = sent.at + timedelta(minutes=one.chance.randrange(1, 600))
    one.write(
        "mailer-daemon@relay.example", OWNER, "bounce", at=at, subject="Returned mail: see", X_Failed_Recipients=lost
    )


def _put_aside(one: _Writer) -> None:
    for labels in ("Drafts", "Spam,Unread", "Trash,Sent"):
        one.write(OWNER, one.theirs(), "human", labels)


def _without_id(one: _Writer) -> None:
    one.write(one.us(), one.theirs(), "human", "Sent", Message_ID="")
    if one.chance.random() < 0.5:
        one.written.append(one.written[-1])


def _without_date(one: _Writer) -> None:
    letter = one.write(one.theirs(), one.us(), "human", Date="")
    if one.chance.random() < 0.5:
        letter.fields.append(("Received", f"from x\n by y; {format_datetime(letter.at)}"))


def _twice(one: _Writer) -> None:
    """The same mail under two labels, and a copy that another server gave another Message-ID."""
    letter = one.write(one.us(), one.theirs(), "human", "Sent")
    one.written.append(letter)
    other = [(name, f"<{one.number}.copy@relay.example>" if name == "Message-ID" else v) for name, v in letter.fields]
    one.written.append(Letter(other, letter.at, "Sent", letter.body))


def _to_everybody(one: _Writer) -> None:
    hosts = one.chance.sample(list(PARTNERS.values()), 12)
    one.write(one.us(), ", ".join(f"al@{host}" for host in hosts), "broadcast", "Sent")


def _merged(one: _Writer) -> None:
    """One mail to each of twelve partners, within an hour."""
    subject, start = f"News {one.number}", one.newest - timedelta(seconds=one.chance.randrange(7_200, 80 * 86_400))
    for minutes, host in enumerate(one.chance.sample(list(PARTNERS.values()), 12)):
        at = start + timedelta(minutes=4 * minutes)
        one.write(OWNER, f"al@{host}", "broadcast", "Sent", at=at, subject=subject)


_KINDS: dict[Callable[[_Writer], None], float] = {
    _to_partner: 14,
    _copied: 5,
    _to_several: 5,
    _to_contact: 3,
    _hidden: 1,
    _from_partner: 16,
    _from_contact_through_list: 2,
    _strange: 10,
    _look_alike: 1,
    _machines: 3,
    _bounced: 2,
    _put_aside: 1,
    _without_id: 3,
    _without_date: 2,
    _twice: 3,
    _to_everybody: 0.5,
    _merged: 0.2,
}


@dataclass(frozen=True, slots=True, order=True)
class Counted:
    """One touch as this module counts it."""

    partner: str
    at: datetime
    direction: str
    field: str
    verdict: str
    voided: bool

    @property
    def counts(self) -> bool:
        return self.direction == "outbound" and self.verdict == "human" and self.field != "bcc" and not self.voided


@dataclass(frozen=True, slots=True)
class Counts:
    touches: list[Counted]
    mails: int  # different ones

    @property
    def last(self) -> dict[str, datetime]:
        """The newest mail to each partner that counts."""
        newest: dict[str, datetime] = {}
        for one in sorted(one for one in self.touches if one.counts):
            newest[one.partner] = one.at
        return newest


def count(mails: Sequence[Letter]) -> Counts:
    """Each mail once: by its Message-ID, or by who wrote what when to whom; and one text of a moment is one mail."""
    touches: list[Counted] = []
    known: set[object] = set()
    told: set[object] = set()
    for letter in mails:
        headers = BytesHeaderParser(policy=compat32).parsebytes(letter.raw)
        message_id = "".join(str(headers.get("Message-ID", "")).split()).strip("<>")
        author, at = _addresses(headers, "From")[0], _time(headers, letter.at)
        seen = (author, at, frozenset(_addresses(headers, "To", "Cc")), _subject(headers))
        if (message_id or seen) in known:
            continue
        known.add(message_id or seen)
        if seen in told or not {"Drafts", "Spam", "Trash"}.isdisjoint(letter.labels.split(",")):
            continue
        told.add(seen)
        truth = str(headers[TRUTH])
        verdict = "human" if truth == "bounced" else truth
        touches += [
            Counted(partner, at, direction, field, verdict, truth == "bounced")
            for partner, direction, field in _touched(headers, author)
        ]
    return Counts(sorted(touches), len(known))


def _touched(headers: Message, author: str) -> Iterator[tuple[str, str, str]]:
    if author not in (OWNER, ALIAS, COLLEAGUE):
        if partner := _partner_of(author):
            yield partner, "inbound", "from"
        return
    found: dict[str, str] = {}
    for field in ("to", "cc", "bcc"):
        for address in _addresses(headers, field):
            if partner := _partner_of(address):
                found.setdefault(partner, field)
    for partner, field in found.items():
        yield partner, "outbound", field


def _partner_of(address: str) -> str | None:
    for partner, contact in CONTACTS.items():
        if address == contact:
            return partner
    host = address.rpartition("@")[2]
    return next((name for name, domain in PARTNERS.items() if host == domain or host.endswith("." + domain)), None)


def _addresses(headers: Message, *names: str) -> list[str]:
    """Lower case, without what follows a plus sign."""
    values = [str(value) for name in names for value in headers.get_all(name, [])]
    parts = [address.lower().rpartition("@") for _, address in getaddresses(values) if address]
    return [f"{local.partition('+')[0]}@{host}" for local, _, host in parts]


def _time(headers: Message, provider: datetime) -> datetime:
    written = headers["Date"]
    return parsedate_to_datetime(str(written)).astimezone(UTC) if written else provider


def _subject(headers: Message) -> str:
    return str(make_header(decode_header(str(headers["Subject"])))).rpartition(": ")[2]
