"""Coverage under other windows, from the same facts. Pure: it reads no database and changes no tier.

Only the target changes; who belongs to which tier, and what was written when, stays as it is.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from models.cadence import Shutdown, State, Tier
from models.standing import Standing, stand
from models.weekly_read import Coverage, coverage_of

LONGEST_WINDOW, LONGEST_GRACE = 3650, 365
_CHANGE = re.compile(
    r"(?:tier\s*)?(?P<rank>\d{1,9})\s*(?:=|:|\bat\b|\bto\b)\s*(?P<window>\d{1,9})(?:\s*-?days?\b)?"
    r"(?:\s*(?:\+|\bplus\b)\s*(?P<grace>\d{1,9})(?:\s*days?\b)?(?:\s*(?:of\s+)?grace)?)?"
)


class UnclearTarget(ValueError):
    """What was typed is no tier with its days. The sentence shows how the command line has it."""


@dataclass(frozen=True, slots=True)
class OtherTarget:
    """A window to try for a tier. `grace_days` None: as it is now."""

    rank: int
    window_days: int
    grace_days: int | None = None


@dataclass(frozen=True, slots=True)
class Under:
    """A tier under one target. `clocked` are the partners whose clock runs: all but the paused and the ended."""

    tier: Tier
    coverage: Coverage
    new: int
    blind: int
    clocked: int

    @property
    def touches(self) -> Fraction:
        """Touches per week that keep every partner with a running clock in time: one for each of them and window."""
        return Fraction(7 * self.clocked, self.tier.window_days)


@dataclass(frozen=True, slots=True)
class TierOutlook:
    now: Under
    then: Under

    @property
    def changed(self) -> bool:
        return self.now.tier != self.then.tier


@dataclass(frozen=True, slots=True)
class Outlook:
    """What other windows would mean. `owners`: how many people own a partner whose clock runs; never who, or how many.

    Partners without an owner need their touches too, so they are in the sum that is divided.
    """

    tiers: tuple[TierOutlook, ...]
    owners: int

    @property
    def touches_now(self) -> Fraction:
        return sum((one.now.touches for one in self.tiers), Fraction())

    @property
    def touches_then(self) -> Fraction:
        return sum((one.then.touches for one in self.tiers), Fraction())

    def each(self, touches: Fraction) -> Fraction | None:
        """Of so many touches per week the share of one owner, on average; None when nobody owns anything."""
        return touches / self.owners if self.owners else None


def other_targets(typed: str) -> tuple[OtherTarget, ...]:
    """ "1=10, 2=21+3" or "tier 1 at 10 days and tier 2 at 21"; raises ValueError with one sentence on anything else."""
    found: dict[int, OtherTarget] = {}
    for part in re.split(r"\s*(?:[,;]|\band\b)\s*", typed.strip().casefold()):
        match = _CHANGE.fullmatch(part)
        if match is None:
            known = "a tier and its days such as 1=10, or 1=10+2 with two days of grace"
            raise UnclearTarget(f"'{part[:40]}' is not {known}")
        rank, window = int(match["rank"]), int(match["window"])
        grace = int(match["grace"]) if match["grace"] else None
        if not 1 <= window <= LONGEST_WINDOW:
            raise ValueError(f"a window of {window} days is not one of 1 to {LONGEST_WINDOW} days")
        if grace is not None and grace > LONGEST_GRACE:
            raise ValueError(f"{grace} days of grace are more than {LONGEST_GRACE}")
        if rank in found:
            raise ValueError(f"tier {rank} is there twice")
        found[rank] = OtherTarget(rank, window, grace)
    return tuple(found.values())


def what_if(
    standings: Sequence[Standing],
    tiers: Iterable[Tier],
    targets: Iterable[OtherTarget],
    now: datetime,
    zone: ZoneInfo,
    shutdowns: Sequence[Shutdown] = (),
) -> Outlook:
    """Every tier as it is and as it would be, by rank. Raises ValueError for a target of a tier that there is not."""
    in_force = {tier.rank: tier for tier in tiers}
    wanted = {target.rank: target for target in targets}
    if unknown := sorted(wanted.keys() - in_force.keys()):
        there = ", ".join(map(str, sorted(in_force))) or "none yet"
        raise ValueError(f"there is no tier {unknown[0]}; the tiers are {there}")
    then = {rank: _other(tier, wanted.get(rank)) for rank, tier in in_force.items()}
    outlooks = []
    for rank in sorted(in_force):
        mine = [one for one in standings if one.facts.tier is not None and one.facts.tier.rank == rank]
        other = mine
        if then[rank] != in_force[rank]:
            other = [stand(replace(one.facts, tier=then[rank]), now, zone, shutdowns) for one in mine]
        outlooks.append(TierOutlook(_under(in_force[rank], mine), _under(then[rank], other)))
    clocked = [one for one in standings if one.facts.tier is not None and _clocked(one)]
    return Outlook(tuple(outlooks), len({one.facts.owner.id for one in clocked if one.facts.owner is not None}))


def _other(tier: Tier, target: OtherTarget | None) -> Tier:
    if target is None:
        return tier
    grace = tier.grace_days if target.grace_days is None else target.grace_days
    return replace(tier, window_days=target.window_days, grace_days=grace)


def _under(tier: Tier, standings: Sequence[Standing]) -> Under:
    return Under(
        tier=tier,
        coverage=coverage_of(standings),
        new=sum(one.state is State.NEW for one in standings),
        blind=sum(one.state is State.BLIND for one in standings),
        clocked=sum(map(_clocked, standings)),
    )


def _clocked(one: Standing) -> bool:
    return one.state not in (State.ENDED, State.PAUSED)
