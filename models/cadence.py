"""Windows, due dates and the state of a partner on a day. Pure: it reads no clock, no database and no mail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

REPLY_DAYS = 14
"""A touch answered within this many days is backed by a reply."""

REPLY_OWED_BUSINESS_DAYS = 2


class Status(StrEnum):
    """What a lead decided about a partner."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class Policy(StrEnum):
    """Which touches move the cadence clock."""

    OUTBOUND = "outbound"
    TWO_WAY = "two_way"
    ANY = "any"


class State(StrEnum):
    """Where a partner stands: always exactly one, derived, never stored as truth. In the order of the decision."""

    ENDED = "ended"
    PAUSED = "paused"
    UNTIERED = "untiered"
    NEW = "new"
    ON_PACE = "on_pace"
    DUE_SOON = "due_soon"
    BLIND = "blind"
    OVERDUE = "overdue"

    @property
    def covered(self) -> bool:
        return self in (State.ON_PACE, State.DUE_SOON)

    @property
    def eligible(self) -> bool:
        """Whether the partner counts in coverage at all."""
        return self.covered or self is State.OVERDUE


@dataclass(frozen=True, slots=True)
class Tier:
    """A class of partner with its cadence target. Rank 1 comes first."""

    rank: int
    name: str
    window_days: int
    grace_days: int = 0


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Days on which the whole programme is shut, both ends included: no window runs on. `reason` is for people."""

    from_on: date
    until_on: date
    reason: str = ""


def soon_days(window_days: int) -> int:
    """How long before the due day a partner is due soon: a quarter of the window, rounded up."""
    return -(-window_days // 4)


def due_on(
    last_touch_on: date | None, cadence_start_on: date, window_days: int, shutdowns: Sequence[Shutdown] = ()
) -> date:
    """The last day that is still in time. A partner never touched is counted from the start of its cadence.

    Days of a shutdown are no days of the window. `shutdowns` do not overlap and come in their order.
    """
    start = cadence_start_on if last_touch_on is None else last_touch_on
    return working_day(start, window_days, shutdowns)


def working_day(start: date, days: int, shutdowns: Sequence[Shutdown] = ()) -> date:
    """The day that lies `days` days after `start`, those of shutdowns not counted."""
    day = start + timedelta(days=days)
    for shut in shutdowns:
        if shut.from_on > day:
            break
        if shut.until_on > start:
            day += shut.until_on - max(shut.from_on - timedelta(days=1), start)
    return day


def state_on(
    today: date,
    *,
    status: Status,
    paused_until: date | None,
    tier: Tier | None,
    last_touch_on: date | None,
    cadence_start_on: date,
    blind_since_on: date | None,
    shutdowns: Sequence[Shutdown] = (),
) -> State:
    """The state on a day, decided from top to bottom. `blind_since_on` is None while the owner's mail is seen.

    The last day of a pause still belongs to it; a pause without an end lasts until it is lifted by hand.
    Blindness excuses for one window only, so that nobody looks better for good by unplugging a mailbox.
    """
    if status is Status.ENDED:
        return State.ENDED
    if status is Status.PAUSED and (paused_until is None or today <= paused_until):
        return State.PAUSED
    if tier is None:
        return State.UNTIERED
    due = due_on(last_touch_on, cadence_start_on, tier.window_days, shutdowns)
    if last_touch_on is None and today <= due:
        return State.NEW
    if today < due - timedelta(days=soon_days(tier.window_days)):
        return State.ON_PACE
    if today <= working_day(due, tier.grace_days, shutdowns):
        return State.DUE_SOON
    if blind_since_on is not None and (today - blind_since_on).days <= tier.window_days:
        return State.BLIND
    return State.OVERDUE


def add_business_days(day: date, count: int) -> date:
    """The day that lies `count` business days (Monday to Friday) later. From a weekend, Monday is the first."""
    while count > 0:
        day += timedelta(days=1)
        if day.weekday() < 5:
            count -= 1
    return day


def claim_due_on(claimed_on: date, tier_rank: int) -> date:
    """Until when a recovery touch is promised: the first tier gets two business days, every other five."""
    return add_business_days(claimed_on, 2 if tier_rank == 1 else 5)
