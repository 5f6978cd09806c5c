"""Coverage now, at the weekly reads before, and who is not counted: all that a page about coverage shows."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.cadence import State
from models.queries.programme import Programme
from models.queries.recoveries import Recoveries, together
from models.queries.standings import standings
from models.queries.trend import TrendLine, coverage_now, trend
from models.tables import Partner, PartnerHistory, Touch
from models.weekly_read import Coverage, TierLine

AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class CoverageOverTime:
    """`weeks` are the reads of the last weeks, oldest first, each tier by rank. `paused`: also those in no tier.

    `mail`: whether any of a partner's was captured by then.
    """

    at: datetime
    tiers: tuple[TierLine, ...]
    weeks: tuple[TrendLine, ...]
    untiered: int
    paused: int
    mail: bool = True

    @property
    def recoveries(self) -> Mapping[int, Recoveries]:
        """What happened in all of these weeks, by tier rank; only of tiers with anything to tell."""
        by_tier: dict[int, list[Recoveries]] = {}
        for one in self.weeks:
            if one.recoveries != Recoveries():
                by_tier.setdefault(one.tier.rank, []).append(one.recoveries)
        return {rank: together(those) for rank, those in sorted(by_tier.items())}

    @property
    def overall(self) -> Coverage:
        return Coverage(
            sum(one.coverage.covered for one in self.tiers), sum(one.coverage.eligible for one in self.tiers)
        )

    @property
    def new(self) -> int:
        return sum(one.new for one in self.tiers)

    @property
    def blind(self) -> int:
        return sum(one.blind for one in self.tiers)


def coverage_over_time(session: Session, programme: Programme, now: datetime, weeks: int) -> CoverageOverTime:
    """Of any instant, also one before the installation."""
    tiers = coverage_now(session, programme, now)
    outside = _untiered(session, programme, now)
    return CoverageOverTime(
        at=now,
        tiers=tiers,
        weeks=tuple(trend(session, programme, now, weeks)) if weeks else (),
        untiered=outside[State.UNTIERED],
        paused=sum(one.paused for one in tiers) + outside[State.PAUSED],
        mail=_any_mail(session, programme, now),
    )


def _any_mail(session: Session, programme: Programme, now: datetime) -> bool:
    some = select(Touch.id).where(Touch.workspace_id == programme.workspace_id, Touch.at <= now)
    return session.scalar(some.limit(1)) is not None


def _untiered(session: Session, programme: Programme, now: datetime) -> Counter[State]:
    """How the partners stand that are in no tier: no line names them, and yet they may not drop out silently."""
    ever = session.scalars(
        select(PartnerHistory.partner_id)
        .join(Partner, Partner.id == PartnerHistory.partner_id)
        .where(Partner.workspace_id == programme.workspace_id, PartnerHistory.tier_id.is_(None))
        .distinct()
        .order_by(PartnerHistory.partner_id)
    ).all()
    found: Counter[State] = Counter()
    for start in range(0, len(ever), AT_ONCE):
        some = standings(session, programme, now, partner_ids=ever[start : start + AT_ONCE])
        found.update(one.state for one in some if one.facts.tier is None)
    return found
