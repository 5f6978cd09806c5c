"""The story that the demo and the end-to-end tests live in: eight weeks of a partner programme, the same every time.

Lantern has three partner managers and ninety partners. Plenty of mail goes out and comes in, and behind it eleven
Tier 1 partners have heard from nobody for more than three weeks. The story knows its own truth, written down while
the mail is made and by no rule of the product's, so that what Cadence says can be held against it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime
from random import Random
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/London")
MONDAY = date(2026, 6, 8)
READ_AT = datetime.combine(MONDAY, time(9), tzinfo=ZONE).astimezone(UTC)
WEEKS = 8
WINDOWS = {1: 7, 2: 14, 3: 30}
COMPANY = "lantern.example"


@dataclass(frozen=True, slots=True)
class Colleague:
    slack_id: str
    name: str
    role: str
    title: str

    @property
    def email(self) -> str:
        return f"{self.name.split()[0].lower()}@{COMPANY}".replace("á", "a")


ROBIN = Colleague("U0ROBIN", "Robin Okafor", "lead", "Programme lead")
DANA = Colleague("U0DANA", "Dana Kim", "manager", "Partner manager")
PRIYA = Colleague("U0PRIYA", "Priya Nair", "manager", "Partner manager")
TOMAS = Colleague("U0TOMAS", "Tomás Silva", "manager", "Partner manager")
COLLEAGUES = (ROBIN, DANA, PRIYA, TOMAS)
MANAGERS = (DANA, PRIYA, TOMAS)


@dataclass(slots=True)
class Ally:
    """One partner of the story, and what is true of it. `quiet` marks those that the mail volume hides."""

    name: str
    tier: int
    owner: Colleague
    contact_name: str
    quiet: bool = False
    fresh: bool = False  # joined last week and was never written to
    paused: bool = False
    touched_at: datetime | None = None  # the last mail of ours that counts
    touched_by: str | None = None
    heard_at: datetime | None = None

    @property
    def domain(self) -> str:
        return "".join(one for one in self.name.lower() if one.isalnum()) + ".example"

    @property
    def contact(self) -> str:
        return f"{self.contact_name.split()[0].lower()}@{self.domain}"

    @property
    def since(self) -> date:
        return MONDAY - timedelta(days=4) if self.fresh else MONDAY - timedelta(weeks=WEEKS)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it lies in mailboxes: who of ours sent it, and in whose inboxes of ours it arrived."""

    at: datetime
    headers: tuple[tuple[str, str], ...]
    sender: Colleague | None
    inboxes: tuple[Colleague, ...]


@dataclass(slots=True)
class Story:
    allies: list[Ally]
    mail: list[Mail] = field(default_factory=list)

    def overdue(self, today: date) -> list[Ally]:
        """Who has slipped, by the story's own arithmetic."""
        return [ally for ally in self.allies if self._eligible(ally, today) and not self._covered(ally, today)]

    def coverage(self, today: date) -> dict[int, tuple[int, int]]:
        """Tier → (covered, eligible)."""
        counted = {}
        for tier in WINDOWS:
            eligible = [ally for ally in self.allies if ally.tier == tier and self._eligible(ally, today)]
            counted[tier] = (sum(self._covered(ally, today) for ally in eligible), len(eligible))
        return counted

    def named(self, name: str) -> Ally:
        return next(ally for ally in self.allies if ally.name == name)

    def _eligible(self, ally: Ally, today: date) -> bool:
        never = ally.touched_at is None and (today - ally.since).days <= WINDOWS[ally.tier]
        return not ally.paused and not never

    def _covered(self, ally: Ally, today: date) -> bool:
        last = ally.touched_at.astimezone(ZONE).date() if ally.touched_at else ally.since
        return (today - last).days <= WINDOWS[ally.tier]


_FIRST = """
    Alder Amber Anchor Arbor Aster Atlas Aurora Basalt Beacon Birch Bluebird Boreal Bramble Brightwater Cardinal
    Cedar Cinder Clover Cobalt Copper Coral Crescent Delta Driftwood Ember Everest Falcon Fern Fjord Flint Foxglove
    Garnet Glacier Granite Halcyon Harbor Hawthorn Hazel Heron Horizon Indigo Ironwood Ivory Jasper Juniper Kestrel
    Kingfisher Lagoon Larkspur Lighthouse Linden Magnolia Maple Marigold Meridian Mesa Mistral Monarch Nimbus
    Northwind Oakline Obsidian Onyx Orchard Osprey Pinnacle Prairie Quarry Quartz Redwood Ridgeline Riverbend Rowan
    Saffron Sequoia Sierra Silverleaf Solstice Sparrow Summit Tamarack Tern Thistle Tidewater Topaz Umber Vale
    Verdant Willow Zephyr
"""
FIRST = _FIRST.split()
KIND = ("Systems", "Labs", "Group", "Software", "Logistics", "Health", "Energy", "Studios", "Networks")
CONTACTS = (
    "Ada Moreno", "Ben Fischer", "Chloe Martin", "Dev Patel", "Elena Rossi", "Farid Haddad", "Grace Lin", "Hugo Berg",
    "Iris Novak", "Jonas Weber", "Keiko Mori", "Liam Byrne", "Maya Cohen", "Nils Olsen", "Olga Petrova", "Paulo Reis",
)  # fmt: skip
TOPICS = (
    "Joint webinar in autumn", "Q3 co-sell list", "Integration roadmap", "Partner portal access", "Case study draft",
    "Pricing for the bundle", "Referral terms", "Training dates", "Launch checklist", "Customer introduction",
)  # fmt: skip


def tell() -> Story:
    """The whole story up to Monday's read, always the same."""
    return _Teller().tell()


def compose(sender: Colleague, ally: Ally, subject: str, at: datetime, number: int) -> Mail:
    """One ordinary mail from a manager to a partner, as a visitor of the demo sends it."""
    headers = _headers(number, at, f"{sender.name} <{sender.email}>", f"{ally.contact_name} <{ally.contact}>", subject)
    return Mail(at, headers, sender, ())


def _headers(
    number: int, at: datetime, sender: str, to: str, subject: str, *more: tuple[str, str]
) -> tuple[tuple[str, str], ...]:
    domain = sender.rsplit("@", 1)[-1].rstrip(">")
    return (
        ("From", sender),
        ("To", to),
        ("Subject", subject),
        ("Date", format_datetime(at.astimezone(ZONE))),
        ("Message-ID", f"<{number:06d}.{int(at.timestamp())}@mail.{domain}>"),
        *more,
    )


class _Teller:
    """Writes the mail partner by partner and keeps the truth beside it."""

    def __init__(self) -> None:
        self.random = Random(20260608)  # the same story every time is the point
        self.numbers = iter(range(1, 1_000_000))
        self.story = Story(list(self._allies()))

    def tell(self) -> Story:
        for ally in self.story.allies:
            if not ally.fresh:
                self._conversation(ally)
            if ally.quiet:
                self._hide(ally)
        self._broadcasts()
        self._everyday()
        self.story.mail.sort(key=lambda mail: mail.at)
        return self.story

    def _allies(self) -> Iterator[Ally]:
        for number, first in enumerate(FIRST):
            tier = 1 + number // 30
            yield Ally(
                name=f"{first} {KIND[number % len(KIND)]}",
                tier=tier,
                owner=MANAGERS[number % 3],
                contact_name=CONTACTS[(number * 7) % len(CONTACTS)],
                quiet=tier == 1 and number % 30 in (1, 3, 7, 9, 12, 14, 17, 20, 22, 25, 27),
                fresh=number in (36, 71),
                paused=number == 80,
            )

    def _day(self, ago: int) -> datetime:
        """A moment in office hours so many days before the read; a weekend counts as the Friday before it."""
        day = MONDAY - timedelta(days=ago)
        day -= timedelta(days=max(0, day.weekday() - 4))
        at = time(self.random.randint(9, 16), self.random.randint(0, 59), self.random.randint(0, 59))
        return datetime.combine(day, at, tzinfo=ZONE).astimezone(UTC)

    def _conversation(self, ally: Ally) -> None:
        """Mail both ways in the partner's rhythm, up to the day it fell silent."""
        window = WINDOWS[ally.tier]
        ago = self.random.randint(25, 45) if ally.quiet else self.random.randint(2, window - 2 if window > 7 else 6)
        while ago < WEEKS * 7 - 3:
            self._exchange(ally, ago)
            ago += max(3, round(window * self.random.uniform(0.6, 0.95)))

    def _exchange(self, ally: Ally, ago: int) -> None:
        subject, at = self.random.choice(TOPICS), self._day(ago)
        more: tuple[tuple[str, str], ...] = ()
        to = f"{ally.contact_name} <{ally.contact}>"
        if self.random.random() < 0.15:  # the partner stands in Cc of a mail between colleagues: still written to
            more, to = (("Cc", to),), f"{ROBIN.name} <{ROBIN.email}>"
        headers = self._outbound(ally, at, subject, to, *more)
        if self.random.random() < 0.6:
            heard_at = at + timedelta(hours=self.random.randint(2, 28))
            self._inbound(ally, heard_at, f"Re: {subject}", dict(headers))
            if self.random.random() < 0.9:
                self._thanks(ally, heard_at + timedelta(hours=self.random.randint(1, 5)), subject)

    def _thanks(self, ally: Ally, at: datetime, subject: str) -> None:
        """The manager answers the answer, unless that would be after the story has begun."""
        if at < READ_AT - timedelta(hours=1):
            self._outbound(ally, at, f"Re: {subject}", f"{ally.contact_name} <{ally.contact}>")

    def _outbound(
        self, ally: Ally, at: datetime, subject: str, to: str, *more: tuple[str, str]
    ) -> tuple[tuple[str, str], ...]:
        """Mail of the owner that counts."""
        headers = _headers(next(self.numbers), at, f"{ally.owner.name} <{ally.owner.email}>", to, subject, *more)
        self._add(Mail(at, headers, ally.owner, (ROBIN,) if more else ()))
        if ally.touched_at is None or at > ally.touched_at:
            ally.touched_at, ally.touched_by = at, ally.owner.name
        return headers

    def _inbound(self, ally: Ally, at: datetime, subject: str, answered: dict[str, str] | None = None) -> None:
        reference = answered["Message-ID"] if answered else None
        more = (("In-Reply-To", reference), ("References", reference)) if reference else ()
        at = min(at, READ_AT - timedelta(hours=1))
        headers = _headers(
            next(self.numbers), at, f"{ally.contact_name} <{ally.contact}>", ally.owner.email, subject, *more
        )
        self._add(Mail(at, headers, None, (ally.owner,)))
        if ally.heard_at is None or at > ally.heard_at:
            ally.heard_at = at

    def _hide(self, ally: Ally) -> None:
        """All the volume that looks like attention and is none."""
        owner = f"{ally.owner.name} <{ally.owner.email}>"
        for week in range(3):
            at = self._day(7 * week + 2)
            self._from_partner(
                ally, f"news@{ally.domain}", at, f"{ally.name} news", ("List-Id", f"<news.{ally.domain}>")
            )
        at = self._day(5)
        self._from_partner(ally, ally.contact, at, "Automatic reply: Summer news", ("Auto-Submitted", "auto-replied"))
        at = self._day(9)
        invite = _headers(
            next(self.numbers), at, owner, ally.contact, "Invitation: Quarterly review",
            ("Content-Type", 'text/calendar; method=REQUEST; charset="UTF-8"'),
        )  # fmt: skip
        self._add(Mail(at, invite, ally.owner, ()))
        which = [one for one in self.story.allies if one.quiet].index(ally)
        if which % 4 == 0:  # wrote to us and still waits
            self._inbound(ally, self._day(6), "A question about the renewal")
        if which % 4 == 1:  # was written to, and the mail came back
            self._bounced(ally, self._day(4))
        if which % 4 == 2:  # only a blind copy
            at = self._day(3)
            headers = _headers(next(self.numbers), at, owner, ROBIN.email, "For your files", ("Bcc", ally.contact))
            self._add(Mail(at, headers, ally.owner, (ROBIN,)))

    def _bounced(self, ally: Ally, at: datetime) -> None:
        sent = _headers(next(self.numbers), at, ally.owner.email, ally.contact, "Catching up")
        self._add(Mail(at, sent, ally.owner, ()))
        back = _headers(
            next(self.numbers), at + timedelta(minutes=1), f"Mail Delivery Subsystem <mailer-daemon@{COMPANY}>",
            ally.owner.email, "Delivery Status Notification (Failure)",
            ("Return-Path", "<>"), ("X-Failed-Recipients", ally.contact), ("Auto-Submitted", "auto-replied"),
            ("Content-Type", "multipart/report; report-type=delivery-status"),
        )  # fmt: skip
        self._add(Mail(at + timedelta(minutes=1), back, None, (ally.owner,)))

    def _from_partner(self, ally: Ally, sender: str, at: datetime, subject: str, *more: tuple[str, str]) -> None:
        headers = _headers(next(self.numbers), at, sender, ally.owner.email, subject, *more)
        self._add(Mail(at, headers, None, (ally.owner,)))

    def _broadcasts(self) -> None:
        """Two mailings: one merge with a mail each, one mail with everybody in To."""
        for manager in MANAGERS:
            own = [ally for ally in self.story.allies if ally.owner is manager and not ally.fresh]
            start = self._day(6)
            for step, ally in enumerate(own):
                at = start + timedelta(minutes=step)
                headers = _headers(next(self.numbers), at, manager.email, ally.contact, "Summer news from Lantern")
                self._add(Mail(at, headers, manager, ()))
            at = self._day(13)
            everybody = ", ".join(ally.contact for ally in own[:14])
            self._add(Mail(at, _headers(next(self.numbers), at, manager.email, everybody, "Office hours"), manager, ()))

    def _everyday(self) -> None:
        """What fills a mailbox and concerns no partner: colleagues, family, shops."""
        for manager in MANAGERS:
            for ago in range(1, WEEKS * 7, 3):
                at = self._day(ago)
                internal = _headers(next(self.numbers), at, manager.email, ROBIN.email, "Weekly numbers")
                self._add(Mail(at, internal, manager, (ROBIN,)))
                at = self._day(ago)
                private = _headers(
                    next(self.numbers), at, "Sam <sam@family.example>", manager.email, "Dinner on Friday?"
                )
                self._add(Mail(at, private, None, (manager,)))
                at = self._day(ago)
                shop = _headers(
                    next(self.numbers), at, "no-reply@shop.example", manager.email, "Your order",
                    ("List-Unsubscribe", "<mailto:stop@shop.example>"),
                )  # fmt: skip
                self._add(Mail(at, shop, None, (manager,)))

    def _add(self, mail: Mail) -> None:
        self.story.mail.append(mail)


def people_csv() -> str:
    rows = [f"{one.email},{one.name},{one.role},{one.slack_id},,Europe/London" for one in COLLEAGUES]
    return "\n".join(["email,name,role,slack_user_id,aliases,timezone", *rows]) + "\n"


def partners_csv(allies: Sequence[Ally]) -> str:
    rows = [
        ",".join(
            (one.name, str(one.tier), one.owner.email, one.domain, one.contact, "paused" * one.paused, str(one.since))
        )
        for one in allies
    ]
    return "\n".join(["name,tier,owner_email,domains,contacts,status,since", *rows]) + "\n"
