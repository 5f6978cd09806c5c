"""The facts about one partner and how they are judged at an instant. Pure: it fetches nothing and asks no clock."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from models.cadence import (
    REPLY_DAYS,
    REPLY_OWED_BUSINESS_DAYS,
    Shutdown,
    State,
    Status,
    Tier,
    add_business_days,
    due_on,
    state_on,
    working_day,
)
from models.clock import local_day

OBSERVED_FOR = timedelta(hours=24)
"""How long a clean sync of a mailbox vouches for its owner's partners."""


@dataclass(frozen=True, slots=True)
class Who:
    """One of our people, as reports name them."""

    id: int
    name: str
    email: str
    slack_user_id: str | None = None


@dataclass(frozen=True, slots=True)
class NextStepFacts:
    text: str
    due_on: date | None
    owner: Who | None
    set_at: datetime | None = None
    id: int | None = None


@dataclass(frozen=True, slots=True)
class ClaimFacts:
    by: Who
    at: datetime
    due_on: date
    asked: bool = False  # a lead has assigned it, and `by` has neither accepted nor declined yet


@dataclass(frozen=True, slots=True)
class EpisodeFacts:
    """The open recovery episode, with its current holder if it has one."""

    id: int
    opened_at: datetime
    claim: ClaimFacts | None


@dataclass(frozen=True, slots=True)
class PartnerFacts:
    """What is known about a partner at an instant. All instants are aware."""

    partner_id: int
    name: str
    tier: Tier | None
    owner: Who | None
    status: Status
    paused_until: date | None
    cadence_start_on: date
    last_touch_at: datetime | None
    last_touch_by: str | None
    last_heard_at: datetime | None
    last_reply_at: datetime | None  # the first human inbound after the last touch
    last_outbound_at: datetime | None  # the latest human outbound, counting or not
    observed_at: datetime | None  # when a mailbox of the owner was last known to be synced; None: never
    next_step: NextStepFacts | None
    episode: EpisodeFacts | None


@dataclass(frozen=True, slots=True)
class Standing:
    """One partner, judged. `due_on` is None where no clock runs, `days_since` where no touch was ever seen.

    `days_quiet` is `days_since`, or for a partner never touched the days since the start of its cadence.
    `unobserved` marks an overdue partner whose owner's mail is not seen: it stands as overdue all the same.
    `step_stale`: the next step's day has passed, or it names none and was agreed more than a window ago.
    """

    facts: PartnerFacts
    state: State
    due_on: date | None
    days_since: int | None
    days_overdue: int
    unobserved: bool
    reply_backed: bool
    reply_owed: bool
    days_quiet: int = 0
    step_stale: bool = False

    @property
    def eligible(self) -> bool:
        return self.state.eligible

    @property
    def covered(self) -> bool:
        return self.state.covered

    @property
    def claim(self) -> ClaimFacts | None:
        return self.facts.episode.claim if self.facts.episode else None


def stand(facts: PartnerFacts, now: datetime, zone: ZoneInfo, shutdowns: Sequence[Shutdown] = ()) -> Standing:
    """Judges one partner at `now` by the calendar of `zone`. What carries a later time is left out of the facts."""
    facts = _known_at(facts, now)
    today = local_day(now, zone)
    touched_on = local_day(facts.last_touch_at, zone) if facts.last_touch_at else None
    blind_since_on = _blind_since_on(facts, now, zone)
    state = state_on(
        today,
        status=facts.status,
        paused_until=facts.paused_until,
        tier=facts.tier,
        last_touch_on=touched_on,
        cadence_start_on=facts.cadence_start_on,
        blind_since_on=blind_since_on,
        shutdowns=shutdowns,
    )
    due = None
    if facts.tier and state not in (State.ENDED, State.PAUSED):
        due = due_on(touched_on, facts.cadence_start_on, facts.tier.window_days, shutdowns)
    overdue = state is State.OVERDUE
    return Standing(
        facts=facts,
        state=state,
        due_on=due,
        days_since=(today - touched_on).days if touched_on else None,
        days_overdue=(today - due).days if overdue and due else 0,
        unobserved=overdue and blind_since_on is not None,
        reply_backed=_reply_backed(facts, today, touched_on, zone),
        reply_owed=state not in (State.ENDED, State.PAUSED) and _reply_owed(facts, today, zone),
        days_quiet=(today - (touched_on or facts.cadence_start_on)).days,
        step_stale=state not in (State.ENDED, State.PAUSED) and step_stale(facts, today, zone, shutdowns),
    )


def shut_days(standing: Standing, zone: ZoneInfo, shutdowns: Sequence[Shutdown]) -> list[tuple[Shutdown, int]]:
    """The shutdowns that moved the partner's due day, and how many days of each do not count for it."""
    facts, due = standing.facts, standing.due_on
    if due is None:
        return []
    start = local_day(facts.last_touch_at, zone) if facts.last_touch_at else facts.cadence_start_on
    days = [(one, (min(one.until_on, due) - max(one.from_on - timedelta(days=1), start)).days) for one in shutdowns]
    return [(one, count) for one, count in days if count > 0]


def observed(facts: PartnerFacts, now: datetime) -> bool:
    """Whether a mailbox of the owner vouches that what was not seen by `now` was not there."""
    return facts.observed_at is not None and now <= facts.observed_at + OBSERVED_FOR


def step_stale(facts: PartnerFacts, today: date, zone: ZoneInfo, shutdowns: Sequence[Shutdown] = ()) -> bool:
    """Whether what was agreed next has been left lying. Without a day it lasts for one window of the tier."""
    step = facts.next_step
    if step is None:
        return False
    if step.due_on is not None:
        return today > step.due_on
    if facts.tier is None or step.set_at is None:
        return False
    return today > working_day(local_day(step.set_at, zone), facts.tier.window_days, shutdowns)


def sort_key(standing: Standing) -> tuple[float, float, str, str, int]:
    """The order of every list of partners: tier, then how many windows have passed (most first), then name.

    40 days of silence are 1.3 windows to a tier of 30 days and 5.7 to one of 7, and the list must say so.
    """
    facts = standing.facts
    days = standing.days_quiet if standing.days_since is None else standing.days_since
    return list_order(facts.tier, days, facts.name, facts.partner_id)


def list_order(tier: Tier | None, days: int, name: str, partner_id: int) -> tuple[float, float, str, str, int]:
    """The same from its parts; `days` are those since the last touch, or since the start of the cadence."""
    rank = float("inf") if tier is None else float(tier.rank)
    windows = 0.0 if tier is None else days / max(tier.window_days, 1)
    return (rank, -windows, name.casefold(), name, partner_id)


def _known_at(facts: PartnerFacts, now: datetime) -> PartnerFacts:
    """The same facts without what lies after `now`. A reply without its touch goes with it."""
    told = (facts.last_touch_at, facts.last_heard_at, facts.last_reply_at, facts.last_outbound_at, facts.observed_at)
    if all(at is None or at <= now for at in told) and (facts.last_touch_at or not facts.last_reply_at):
        return facts
    touched = facts.last_touch_at is not None and facts.last_touch_at <= now

    def past(at: datetime | None) -> datetime | None:
        return at if at is not None and at <= now else None

    return replace(
        facts,
        last_touch_at=facts.last_touch_at if touched else None,
        last_touch_by=facts.last_touch_by if touched else None,
        last_heard_at=past(facts.last_heard_at),
        last_reply_at=past(facts.last_reply_at) if touched else None,
        last_outbound_at=past(facts.last_outbound_at),
        observed_at=past(facts.observed_at),
    )


def _blind_since_on(facts: PartnerFacts, now: datetime, zone: ZoneInfo) -> date | None:
    """The day from which the owner's mail is not seen any more, or None while it is.

    An owner without a mailbox, and a partner without an owner, are blind from the start of the cadence.
    """
    if facts.observed_at is None:
        return facts.cadence_start_on
    blind_since = facts.observed_at + OBSERVED_FOR
    return None if now <= blind_since else local_day(blind_since, zone)


def _reply_backed(facts: PartnerFacts, today: date, touched_on: date | None, zone: ZoneInfo) -> bool:
    """Whether there is a conversation: the last touch was answered soon, or they wrote to us within the window."""
    if facts.tier is None:
        return False
    if facts.last_heard_at and (today - local_day(facts.last_heard_at, zone)).days <= facts.tier.window_days:
        return True
    if touched_on is None or facts.last_reply_at is None:
        return False
    return (local_day(facts.last_reply_at, zone) - touched_on).days <= REPLY_DAYS


def _reply_owed(facts: PartnerFacts, today: date, zone: ZoneInfo) -> bool:
    """Whether the partner wrote last and has waited for two business days."""
    heard_at, outbound_at = facts.last_heard_at, facts.last_outbound_at
    if heard_at is None or (outbound_at is not None and outbound_at >= heard_at):
        return False
    return today >= add_business_days(local_day(heard_at, zone), REPLY_OWED_BUSINESS_DAYS)
