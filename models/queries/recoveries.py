"""What happened to recovery episodes between weekly reads, per tier and never per person."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from statistics import median

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from models.clock import local_day
from models.queries.clocks import scheduled_at
from models.queries.pasts import frame
from models.queries.programme import Programme
from models.tables import Claim, Episode, PartnerHistory

AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Recoveries:
    """What happened to recovery episodes in some time: of a tier, or of all. `took`: days from opening to recovery.

    A question that a lead put to somebody is claimed by a yes and from then on; unanswered or declined it is not, and
    without a yes none lapses.
    """

    opened: int = 0
    claimed: int = 0
    recovered: int = 0
    lapsed: int = 0
    took: tuple[int, ...] = ()

    @property
    def days(self) -> float | None:
        """Median days from opening to recovery. Of several weeks it is none of the medians of its weeks."""
        return median(self.took) if self.took else None


def together(those: Iterable[Recoveries]) -> Recoveries:
    """Several weeks or tiers as one."""
    found = list(those)
    return Recoveries(
        opened=sum(one.opened for one in found),
        claimed=sum(one.claimed for one in found),
        recovered=sum(one.recovered for one in found),
        lapsed=sum(one.lapsed for one in found),
        took=tuple(sorted(chain.from_iterable(one.took for one in found))),
    )


def recoveries(
    session: Session, programme: Programme, now: datetime, instants: Mapping[int, datetime]
) -> dict[tuple[int, int], Recoveries]:
    """Per week and tier, what happened after the read before and until this one."""
    weeks = sorted(instants)
    edges = [scheduled_at(programme, weeks[0] - 1), *(instants[week] for week in weeks)]
    around = frame(session, programme)
    rows = session.execute(
        select(Episode, Claim)
        .outerjoin(Claim, Claim.episode_id == Episode.id)
        .where(Episode.workspace_id == programme.workspace_id, Episode.opened_at <= now)
        .where(or_(Episode.closed_at.is_(None), Episode.closed_at > edges[0]))
        .order_by(Episode.id, Claim.id)
    ).all()
    tier_then = _tier_ids(session, {row.Episode.partner_id for row in rows})
    opened, claimed, recovered, lapsed = (Counter[tuple[int, int]]() for _ in range(4))
    days: dict[tuple[int, int], list[int]] = {}
    counted: set[int] = set()

    def week_of_event(at: datetime | None) -> int | None:
        if at is None or at > now:
            return None
        return next((week for week, low, high in zip(weeks, edges, edges[1:], strict=False) if low < at <= high), None)

    for episode, claim in rows:
        history = tier_then.get(episode.partner_id, [])
        tier_id = next((one for at, one in reversed(history) if at <= episode.opened_at), None)
        tier_id = history[0][1] if tier_id is None and history else tier_id
        tier = around.tier_at(tier_id, episode.opened_at)
        if tier is None:
            continue
        if episode.id not in counted:
            counted.add(episode.id)
            if (week := week_of_event(episode.opened_at)) is not None:
                opened[week, tier.rank] += 1
            week = week_of_event(episode.closed_at)
            if week is not None and episode.outcome == "recovered" and episode.closed_at is not None:
                recovered[week, tier.rank] += 1
                took = local_day(episode.closed_at, programme.zone) - local_day(episode.opened_at, programme.zone)
                days.setdefault((week, tier.rank), []).append(took.days)
        if claim is not None:
            if (week := week_of_event(claim.taken_at)) is not None:
                claimed[week, tier.rank] += 1
            lapsed_at = claim.ended_at if claim.end_reason == "lapsed" and claim.taken_at is not None else None
            if (week := week_of_event(lapsed_at)) is not None:
                lapsed[week, tier.rank] += 1
    return {
        key: Recoveries(opened[key], claimed[key], recovered[key], lapsed[key], tuple(sorted(days.get(key, ()))))
        for key in {*opened, *claimed, *recovered, *lapsed}
    }


def _tier_ids(session: Session, partner_ids: Iterable[int]) -> dict[int, list[tuple[datetime, int | None]]]:
    found: dict[int, list[tuple[datetime, int | None]]] = {}
    wanted = sorted(partner_ids)
    for start in range(0, len(wanted), AT_ONCE):
        rows = session.execute(
            select(PartnerHistory.partner_id, PartnerHistory.from_at, PartnerHistory.tier_id)
            .where(PartnerHistory.partner_id.in_(wanted[start : start + AT_ONCE]))
            .order_by(PartnerHistory.from_at, PartnerHistory.id)
        )
        for partner_id, from_at, tier_id in rows:
            found.setdefault(partner_id, []).append((from_at, tier_id))
    return found
