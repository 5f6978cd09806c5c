"""How regular the mail with an organisation is: days on which somebody wrote, never numbers of mails. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

LOOK_BACK = timedelta(days=90)
REGULAR_DAYS = 2


@dataclass(slots=True)
class Correspondence:
    """On which days people of ours wrote to people of an organisation, and they to us; in whose mailboxes it lies."""

    ours: set[date] = field(default_factory=set)
    theirs: set[date] = field(default_factory=set)
    mailboxes: set[str] = field(default_factory=set)

    def add(self, day: date, outbound: bool, mailbox: str) -> None:
        (self.ours if outbound else self.theirs).add(day)
        self.mailboxes.add(mailbox)

    def since(self, day: date) -> "Correspondence":
        ours, theirs = ({one for one in days if one >= day} for days in (self.ours, self.theirs))
        return Correspondence(ours, theirs, self.mailboxes)

    @property
    def regular(self) -> bool:
        return min(len(self.ours), len(self.theirs)) >= REGULAR_DAYS

    @property
    def last_on(self) -> date:
        return max(self.ours | self.theirs)

    @property
    def weight(self) -> tuple[int, int, date]:
        """To sort by: what both sides keep up comes before what one side does."""
        return min(len(self.ours), len(self.theirs)), len(self.ours | self.theirs), self.last_on


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An organisation for the roster; without a domain where no mailbox could be asked for it."""

    domain: str | None
    mail: Correspondence


@dataclass(frozen=True, slots=True)
class Suggestions:
    """The most regular first. `skipped` have more mail than those, `more` have less.

    `troubles`: mailbox → why it could not be asked.

    `looked_into` mailboxes keep hints of their mail; of those in `files_only` nothing was kept.
    """

    found: tuple[Suggestion, ...]
    more: int = 0
    troubles: Mapping[str, str] = field(default_factory=dict)
    looked_into: int = 0
    files_only: tuple[str, ...] = ()
    skipped: int = 0
