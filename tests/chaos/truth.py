"""What really happened, as the stand-ins and the people at the keys know it. Knows nothing of the product."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any


@dataclass(frozen=True, slots=True)
class Copy:
    """One mail as it lies in one mailbox. `at` is the provider's time for it.

    `before`: what the provider called it earlier, where it numbers its mail anew.
    """

    team: str
    mailbox: str
    provider_id: str
    folder: str  # inbox, sent
    at: datetime
    headers: tuple[tuple[str, str], ...]
    before: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        return self.before | {self.provider_id}

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


@dataclass(frozen=True, slots=True)
class Roster:
    """Who is who in one programme."""

    team: str
    people: frozenset[str]  # addresses
    domains: dict[str, str]  # → partner's name
    leads: tuple[str, ...]  # Slack ids
    zone: str
    channel: str
    read_weekday: int
    read_at: time


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message that Slack took, with the words it was first sent with, whether its answer arrived or not."""

    team: str
    channel: str
    ts: str
    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as it stands in Slack now."""

    team: str
    channel: str
    ts: str
    text: str
    blocks: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Press:
    """Somebody has pressed Claim, once, however often Slack delivered it."""

    team: str
    user: str
    partner_id: int


@dataclass(frozen=True, slots=True)
class Agreed:
    """A next step that somebody submitted. `certain`: the form closed, so it must be there."""

    team: str
    partner_id: int
    text: str
    certain: bool


@dataclass(slots=True)
class Truth:
    """`began` and `ended` bound the time in which reads were due; `now` is when everything has settled."""

    rosters: Sequence[Roster]
    copies: Sequence[Copy]
    accepted: Sequence[Accepted]
    shown: Sequence[Shown]
    presses: Sequence[Press]
    agreed: Sequence[Agreed]
    began: datetime
    ended: datetime
    dms: dict[tuple[str, str], str] = field(default_factory=dict)  # (team, Slack id) → channel of private messages
