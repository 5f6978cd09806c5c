"""Who has slipped now, by the stored clocks: in a few statements, however long the roster is.

A partner whose clock is out of date is judged from its facts, so this is what `standings` says of the same instant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from models.cadence import State, Tier
from models.clock import local_day
from models.queries.clocks import TRUSTED, outdated_partners, trust
from models.queries.programme import Programme, tiers
from models.queries.promises import last_observed
from models.queries.standings import standings
from models.standing import OBSERVED_FOR, Standing, list_order, sort_key
from models.tables import Claim, Episode, Partner, PartnerClock


@dataclass(frozen=True, slots=True)
class Slipped:
    """A partner past its rhythm, in the order of every list. `blind`: it could not be seen, so it may not have."""

    partner_id: int
    name: str
    tier: Tier
    owner_id: int | None
    blind: bool


def slipped(session: Session, programme: Programme, now: datetime) -> list[Slipped]:
    """Everybody who is overdue or could not be seen."""
    today = local_day(now, programme.zone)
    ranks = {tier.rank: tier for tier in tiers(session, programme.workspace_id, now).values()}
    seen_at = last_observed(session, programme.workspace_id, now)
    lost_on = {
        owner_id: local_day(at + OBSERVED_FOR, programme.zone)
        for owner_id, at in seen_at.items()
        if now > at + OBSERVED_FOR
    }
    clock = PartnerClock
    rows = session.execute(
        select(
            clock.partner_id,
            clock.tier_rank,
            clock.owner_id,
            clock.last_touch_at,
            Partner.name,
            Partner.cadence_start_on,
        )
        .join(Partner, Partner.id == clock.partner_id)
        .where(TRUSTED, clock.late_on <= today, ~clock.ended)
        .where(or_(clock.paused_until.is_(None), clock.paused_until < today)),
        trust(programme, now),
    )
    found = []
    for partner_id, rank, owner_id, touched_at, name, start_on in rows:
        if rank is None:
            continue  # no tier, no clock
        tier = ranks[rank]
        since = local_day(touched_at, programme.zone) if touched_at else start_on
        blind_on = lost_on.get(owner_id) if owner_id in seen_at else start_on
        blind = blind_on is not None and (today - blind_on).days <= tier.window_days
        order = list_order(tier, (today - since).days, name, partner_id)
        found.append((order, Slipped(partner_id, name, tier, owner_id, blind)))
    late = outdated_partners(session, programme, now, spans=False)
    for one in standings(session, programme, now, partner_ids=late) if late else ():
        if one.state in (State.OVERDUE, State.BLIND) and one.facts.tier is not None:
            found.append((sort_key(one), _of(one, one.facts.tier)))
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


def holders(session: Session, workspace_id: int) -> dict[int, int]:
    """Who holds the claim on a partner: partner → person."""
    rows = session.execute(
        select(Episode.partner_id, Claim.person_id)
        .join(Claim, Claim.episode_id == Episode.id)
        .where(Episode.workspace_id == workspace_id, Episode.closed_at.is_(None), Claim.ended_at.is_(None))
    )
    return {row.partner_id: row.person_id for row in rows}


def in_order(lines: Sequence[Standing], partner_ids: Sequence[int]) -> list[Standing]:
    by_id = {one.facts.partner_id: one for one in lines}
    return [by_id[one] for one in partner_ids if one in by_id]


def _of(one: Standing, tier: Tier) -> Slipped:
    owner = one.facts.owner
    return Slipped(one.facts.partner_id, one.facts.name, tier, owner.id if owner else None, one.state is State.BLIND)
