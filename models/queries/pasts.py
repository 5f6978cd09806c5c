"""The whole past of partners, read in few statements, for judging many weeks at once. Judging is `models.weeks`."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from models.cadence import Policy, Status, Tier
from models.queries.programme import Programme
from models.queries.standings import counting, human
from models.tables import Mailbox, Observation, Partner, PartnerHistory, TierHistory, Touch
from models.tables import Tier as TierRow
from models.weeks import Frame, Past, Phase, Seeing


def frame(session: Session, programme: Programme) -> Frame:
    """Tiers with their history, when each owner's mail was seen, and shutdowns."""
    tiers: dict[int, list[tuple[datetime, Tier]]] = {}
    for row, rank in session.execute(
        select(TierHistory, TierRow.rank)
        .join(TierRow, TierRow.id == TierHistory.tier_id)
        .where(TierRow.workspace_id == programme.workspace_id)
        .order_by(TierHistory.from_at, TierHistory.id)
    ):
        tiers.setdefault(row.tier_id, []).append(
            (row.from_at, Tier(rank, row.name, row.window_days, row.grace_days)),
        )
    spells: dict[int, list[tuple[datetime, datetime, datetime]]] = {}
    for owner_id, from_at, until_at, recorded_at in session.execute(
        select(Mailbox.owner_id, Observation.from_at, Observation.until_at, Observation.recorded_at)
        .join(Mailbox, Mailbox.id == Observation.mailbox_id)
        .where(Mailbox.workspace_id == programme.workspace_id, Mailbox.owner_id.is_not(None))
    ):
        if owner_id is not None:
            spells.setdefault(owner_id, []).append((from_at, until_at, recorded_at))
    seeing = {owner_id: Seeing(tuple(found)) for owner_id, found in spells.items()}
    return Frame(programme.zone, tiers, seeing, programme.shutdowns)


def pasts(session: Session, programme: Programme, partner_ids: Collection[int]) -> list[Past]:
    """Everything that judging these partners needs. Ask for some hundreds at a time."""
    counted: dict[int, list[tuple[datetime, datetime]]] = {}
    for partner_id, known_at, at in session.execute(_counted(programme.policy, partner_ids)):
        counted.setdefault(partner_id, []).append((known_at, at))
    heard: dict[int, list[datetime]] = {}
    for partner_id, at in session.execute(
        select(Touch.partner_id, Touch.at).where(Touch.partner_id.in_(partner_ids), human("inbound")).order_by(Touch.at)
    ):
        heard.setdefault(partner_id, []).append(at)
    phases: dict[int, list[Phase]] = {}
    for row in session.scalars(
        select(PartnerHistory)
        .where(PartnerHistory.partner_id.in_(partner_ids))
        .order_by(PartnerHistory.from_at, PartnerHistory.id)
    ):
        phases.setdefault(row.partner_id, []).append(
            Phase(row.from_at, row.tier_id, row.owner_id, Status(row.status), row.paused_until)
        )
    started = session.execute(select(Partner.id, Partner.cadence_start_on).where(Partner.id.in_(partner_ids)))
    return [
        Past(
            partner_id,
            cadence_start_on,
            tuple(phases[partner_id]),
            tuple(sorted(counted.get(partner_id, ()))),
            tuple(heard.get(partner_id, ())),
        )
        for partner_id, cadence_start_on in started
        if partner_id in phases
    ]


def _counted(policy: Policy, partner_ids: Collection[int]) -> Select[int, datetime, datetime]:
    """(partner, when it was known to count, its time). Only `two_way` learns later that a mail counts."""
    known_at = Touch.at.label("known_at")
    if policy is Policy.TWO_WAY:
        answer = aliased(Touch)
        known_at = (
            select(func.min(answer.at))
            .where(answer.partner_id == Touch.partner_id, human("inbound", answer), answer.at > Touch.at)
            .correlate(Touch)
            .scalar_subquery()
            .label("known_at")
        )
    return select(Touch.partner_id, known_at, Touch.at).where(Touch.partner_id.in_(partner_ids), counting(policy))
