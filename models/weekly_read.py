"""Standings gathered into the weekly read: coverage, and the named partners behind it. Pure: it has no words for Slack.

Partners are listed and counted, people never are.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from models.cadence import Shutdown, State, Tier
from models.clock import local_day, week_of
from models.standing import Standing, sort_key


@dataclass(frozen=True, slots=True)
class Coverage:
    """Covered out of eligible: both numbers, always."""

    covered: int
    eligible: int

    @property
    def share(self) -> float | None:
        """Between 0 and 1; None when nothing is eligible, which is neither 0 nor 100 %."""
        return self.covered / self.eligible if self.eligible else None


@dataclass(frozen=True, slots=True)
class TierLine:
    """One tier in the read. What is not eligible is counted beside it, so nothing drops out silently."""

    tier: Tier
    coverage: Coverage
    previous: Coverage | None
    reply_backed: Coverage
    due_soon: int
    overdue: int
    new: int
    blind: int
    paused: int


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of one recovery episode since the last read.

    `outcome` is recovered, claimed, asked (a lead asked somebody who has not said yes), lapsed, open, late_evidence,
    shutdown, paused, ended or re_tiered; `days` counts from its opening to its end.
    """

    partner: str
    tier: str
    outcome: str
    by: str | None
    days: int | None


@dataclass(frozen=True, slots=True)
class MailboxTrouble:
    """A mailbox that needs attention."""

    address: str
    status: str
    detail: str
    spell: str = ""  # the same for as long as it is one and the same trouble


@dataclass(frozen=True, slots=True)
class GoneQuiet:
    """A partner whose silence is out of character for it: how rare one like it is, and the reason in words."""

    standing: Standing
    chance: float
    words: str


@dataclass(frozen=True, slots=True)
class WeeklyRead:
    """The picture computed at one instant. Lists are in the order in which they are shown."""

    at: datetime
    week: date
    zone: ZoneInfo
    tiers: tuple[TierLine, ...]
    overall: Coverage
    overdue: tuple[Standing, ...]
    due_soon: tuple[Standing, ...]
    reply_owed: tuple[Standing, ...]
    blind: tuple[Standing, ...]
    paused: int
    new: int
    untiered: int
    ended: int
    recoveries: tuple[Recovery, ...]
    troubles: tuple[MailboxTrouble, ...]
    step_stale: tuple[Standing, ...] = ()
    quiet: tuple[GoneQuiet, ...] = ()
    shutdowns: tuple[Shutdown, ...] = ()

    @property
    def today(self) -> date:
        return local_day(self.at, self.zone)

    @property
    def assigned(self) -> int:
        """How many slipped partners have a name beside them."""
        return sum(one.claim is not None for one in self.overdue)

    @property
    def unassigned(self) -> int:
        return len(self.overdue) - self.assigned


def coverage_of(standings: Iterable[Standing]) -> Coverage:
    eligible = [one for one in standings if one.eligible]
    return Coverage(sum(one.covered for one in eligible), len(eligible))


def coverage_lines(
    standings: Sequence[Standing],
    tiers: Iterable[Tier],
    previous: Mapping[int, Coverage] | None = None,
) -> tuple[TierLine, ...]:
    """One line for every tier, by rank; also for an empty one. `previous` is the last read's coverage by rank."""
    before = previous or {}
    by_rank: dict[int, list[Standing]] = {}
    named: dict[int, Tier] = {}
    for one in standings:
        if one.facts.tier is not None:
            by_rank.setdefault(one.facts.tier.rank, []).append(one)
            named[one.facts.tier.rank] = one.facts.tier
    named.update((tier.rank, tier) for tier in tiers)
    return tuple(_line(named[rank], by_rank.get(rank, []), before.get(rank)) for rank in sorted(named))


def weekly_read(
    standings: Sequence[Standing],
    tiers: Iterable[Tier],
    now: datetime,
    zone: ZoneInfo,
    *,
    previous: Mapping[int, Coverage] | None = None,
    recoveries: Iterable[Recovery] = (),
    troubles: Iterable[MailboxTrouble] = (),
    quiet: Iterable[GoneQuiet] = (),
    shutdowns: Iterable[Shutdown] = (),
) -> WeeklyRead:
    """The read at `now`. The early signals (reply owed, next step stale, gone quiet) leave out who is overdue:
    its row says all of that. `quiet` comes in its order."""
    ordered = sorted(standings, key=sort_key)
    in_force = tuple(tiers)
    counts = Counter(one.state for one in ordered)

    def those(state: State) -> tuple[Standing, ...]:
        return tuple(one for one in ordered if one.state is state)

    return WeeklyRead(
        at=now,
        week=week_of(local_day(now, zone)),
        zone=zone,
        tiers=coverage_lines(ordered, in_force, previous),
        overall=coverage_of(ordered),
        overdue=those(State.OVERDUE),
        due_soon=tuple(sorted(those(State.DUE_SOON), key=_due_first)),
        reply_owed=tuple(one for one in ordered if one.reply_owed and one.state is not State.OVERDUE),
        blind=those(State.BLIND),
        paused=counts[State.PAUSED],
        new=counts[State.NEW],
        untiered=counts[State.UNTIERED],
        ended=counts[State.ENDED],
        recoveries=tuple(recoveries),
        troubles=tuple(troubles),
        step_stale=tuple(one for one in ordered if one.step_stale and one.state is not State.OVERDUE),
        quiet=tuple(one for one in quiet if one.standing.state is not State.OVERDUE),
        shutdowns=_near(shutdowns, in_force, local_day(now, zone)),
    )


def _line(tier: Tier, standings: Sequence[Standing], previous: Coverage | None) -> TierLine:
    counts = Counter(one.state for one in standings)
    coverage = coverage_of(standings)
    return TierLine(
        tier=tier,
        coverage=coverage,
        previous=previous,
        reply_backed=Coverage(
            sum(one.eligible and one.reply_backed for one in standings),
            coverage.eligible,
        ),
        due_soon=counts[State.DUE_SOON],
        overdue=counts[State.OVERDUE],
        new=counts[State.NEW],
        blind=counts[State.BLIND],
        paused=counts[State.PAUSED],
    )


def _near(shutdowns: Iterable[Shutdown], tiers: Sequence[Tier], today: date) -> tuple[Shutdown, ...]:
    """The shutdowns that the longest window can reach from today, back or ahead: those that may move a due day."""
    reach = timedelta(days=max((one.window_days for one in tiers), default=0))
    return tuple(one for one in shutdowns if one.from_on - reach <= today <= one.until_on + reach)


def _due_first(standing: Standing) -> date:
    return standing.due_on or date.max
