"""The facts of every partner at any instant, read from touches and histories. Judging them is `models.standing`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, and_, bindparam, case, exists, func, or_, select, true
from sqlalchemy.orm import Session, aliased

from models.cadence import Policy, State, Status, Tier
from models.queries.programme import Programme, everybody, tiers
from models.queries.promises import episodes_of, last_observed, next_steps_of
from models.standing import (
    PartnerFacts,
    Standing,
    Who,
    stand,
)
from models.tables import (
    Partner,
    PartnerHistory,
    Touch,
)
from models.tables.roster import MERGED

MOST_NAMED = 20_000
"""How many ids a statement may name. Of more partners than that everybody is asked for."""


def human(direction: str, touch: type[Touch] = Touch, known_at: datetime | None = None) -> ColumnElement[bool]:
    """Touches written by a person in one direction and not voided. `known_at`: captured by then, not voided by then."""
    standing: ColumnElement[bool] = touch.voided_at.is_(None)
    if known_at is not None:
        standing = and_(touch.captured_at <= known_at, or_(standing, touch.voided_at > known_at))
    return and_(touch.direction == direction, touch.verdict == "human", standing)


def counting(policy: Policy, now: datetime | None = None, known_at: datetime | None = None) -> ColumnElement[bool]:
    """Touches that move the cadence clock under a policy: `Touch.counts` in the glossary.

    `now`: as the mail stood then, whenever it was captured; `known_at`: as far as it had been captured then.
    """
    outbound = and_(human("outbound", known_at=known_at), Touch.field.in_(("to", "cc")))
    if policy is Policy.ANY:
        return or_(outbound, human("inbound", known_at=known_at))
    if policy is Policy.TWO_WAY:
        answer = aliased(Touch)
        answered = exists().where(
            answer.partner_id == Touch.partner_id,
            human("inbound", answer, known_at),
            answer.at > Touch.at,
            true() if now is None else answer.at <= now,
        )
        return and_(outbound, answered)
    return outbound


def standings(
    session: Session,
    programme: Programme,
    now: datetime,
    *,
    partner_ids: Collection[int] | None = None,
    known_at: datetime | None = None,
) -> list[Standing]:
    """Every partner's standing at an instant, from stored facts alone, so that asking twice gives the same.

    With `known_at` from those facts only that had been stored by then.
    """
    return [
        stand(facts, now, programme.zone, programme.shutdowns)
        for facts in partner_facts(session, programme, now, partner_ids, known_at)
    ]


def were_late(session: Session, programme: Programme, at: datetime, partner_ids: Collection[int]) -> set[int]:
    """Whose window was over at an instant, be it overdue or blind then: no more is asked for."""
    found = partner_facts(session, programme, at, partner_ids, promises=False, vouched=False)
    stood = (stand(facts, at, programme.zone, programme.shutdowns) for facts in found)
    return {one.facts.partner_id for one in stood if one.state in (State.OVERDUE, State.BLIND)}


def bare_standings(
    session: Session, programme: Programme, now: datetime, partner_ids: Collection[int]
) -> dict[int, Standing]:
    """How partners stand, without the people and promises around them; who is no partner of the programme is not in."""
    found = partner_facts(session, programme, now, partner_ids, promises=False)
    return {facts.partner_id: stand(facts, now, programme.zone, programme.shutdowns) for facts in found}


def partner_facts(
    session: Session,
    programme: Programme,
    now: datetime,
    partner_ids: Collection[int] | None = None,
    known_at: datetime | None = None,
    *,
    promises: bool = True,
    vouched: bool = True,
) -> list[PartnerFacts]:
    """The facts as they were at `now`: mail by its own time, roster by its history, promises by when they were made.

    Without `promises` nobody is named and nothing that was agreed; without `vouched` nobody asks what mailboxes vouch
    for, which tells a blind partner from an overdue one.
    """
    workspace_id = programme.workspace_id
    wanted: frozenset[int] | None = None
    if partner_ids is not None and len(partner_ids) > MOST_NAMED:
        wanted = frozenset(partner_ids)
        partner_ids = None
    rows = _clocks(session, programme, now, partner_ids, known_at)
    by_id = everybody(session, workspace_id) if promises else {}
    tiers_then = tiers(session, workspace_id, now)
    owners = None if partner_ids is None else {row.owner_id for row in rows}
    observed = last_observed(session, workspace_id, now, known_at, owners) if vouched else {}
    steps = next_steps_of(session, workspace_id, now, by_id, partner_ids) if promises else {}
    episodes = episodes_of(session, workspace_id, now, by_id, partner_ids) if promises else {}
    facts = []
    for row in rows:
        if wanted is not None and row.id not in wanted:
            continue
        owner = by_id.get(row.owner_id) if row.owner_id else None
        facts.append(
            PartnerFacts(
                partner_id=row.id,
                name=row.name,
                tier=tiers_then.get(row.tier_id) if row.tier_id else None,
                owner=owner,
                status=Status(row.status),
                paused_until=row.paused_until,
                cadence_start_on=row.cadence_start_on,
                last_touch_at=row.touched_at,
                last_touch_by=_author(row.by_address, row.person_id, row.direction, by_id),
                last_heard_at=row.last_heard_at,
                last_reply_at=row.last_reply_at,
                last_outbound_at=row.last_outbound_at,
                observed_at=observed.get(row.owner_id) if row.owner_id else None,
                next_step=steps.get(row.id),
                episode=episodes.get(row.id),
            )
        )
    return facts


def last_touch_ids(session: Session, programme: Programme, now: datetime) -> dict[int, int]:
    """The touch behind each partner's clock."""
    rows = _clocks(session, programme, now, None)
    return {row.id: row.touch_id for row in rows if row.touch_id is not None}


def _clocks(
    session: Session,
    programme: Programme,
    now: datetime,
    partner_ids: Collection[int] | None,
    known_at: datetime | None = None,
) -> Sequence[Row[*tuple[Any, ...]]]:
    lateral = session.get_bind().dialect.name == "postgresql"
    query = _clocks_query(programme.policy, lateral, partner_ids is not None, known_at is not None)
    values: dict[str, Any] = {"workspace_id": programme.workspace_id, "now": now}
    if partner_ids is not None:
        values["partner_ids"] = list(partner_ids)
    if known_at is not None:
        values["known_at"] = known_at
    return session.execute(query, values).all()


@lru_cache
def _clocks_query(policy: Policy, lateral: bool, some: bool, known: bool) -> Select[*tuple[Any, ...]]:
    """One row per partner: what was in force of it, its last counting touch and the clocks beside it.

    Columns, not objects: to make ten thousand objects takes longer than to find what is in them. PostgreSQL is asked
    LATERAL, else it reads all mail there is for the last touches; SQLite has no such word and needs none. Made once
    for all instants: to put it together takes longer than to answer it for one partner.
    """
    now: Any = bindparam("now", type_=Touch.at.type)
    known_at: Any = bindparam("known_at", type_=Touch.at.type) if known else None

    def latest(condition: ColumnElement[bool]) -> ScalarSelect[datetime]:
        return (
            select(func.max(Touch.at))
            .where(Touch.partner_id == Partner.id, condition, Touch.at <= now)
            .correlate(Partner)
            .scalar_subquery()
        )

    def last_touch(*columns: Any) -> Select[*tuple[Any, ...]]:
        return (
            select(*columns)
            .where(Touch.partner_id == Partner.id, counting(policy, now, known_at), Touch.at <= now)
            .order_by(Touch.at.desc(), Touch.id.desc())
            .limit(1)
            .correlate(Partner)
        )

    def in_force(*columns: Any) -> Select[*tuple[Any, ...]]:
        """The newest row that had begun; before the first, the first."""
        begun, row = PartnerHistory.from_at <= now, PartnerHistory
        return (
            select(*columns)
            .where(row.partner_id == Partner.id)
            .order_by(case((begun, 0), else_=1), case((begun, row.from_at)).desc(), case((begun, row.id)).desc())
            .order_by(row.from_at, row.id)
            .limit(1)
            .correlate(Partner)
        )

    touch: Any = Touch
    then: Any = PartnerHistory
    if lateral:
        touch = last_touch(Touch.id, Touch.at, Touch.by_address, Touch.person_id, Touch.direction).lateral().c
        then = in_force(then.tier_id, then.owner_id, then.status, then.paused_until).lateral().c
    reply = aliased(Touch)
    first_reply = (
        select(func.min(reply.at))
        .where(
            reply.partner_id == Partner.id,
            human("inbound", reply, known_at),
            reply.at > touch.at,
            reply.at <= now,
        )
        .correlate_except(reply)
        .scalar_subquery()
    )
    query = select(
        Partner.id,
        Partner.name,
        Partner.cadence_start_on,
        then.tier_id,
        then.owner_id,
        then.status,
        then.paused_until,
        touch.id.label("touch_id"),
        touch.at.label("touched_at"),
        touch.by_address,
        touch.person_id,
        touch.direction,
        latest(human("inbound", known_at=known_at)).label("last_heard_at"),
        latest(human("outbound", known_at=known_at)).label("last_outbound_at"),
        first_reply.label("last_reply_at"),
    ).select_from(Partner)
    if lateral:
        query = query.join(then.tier_id.table, true()).outerjoin(touch.id.table, true())
    else:
        query = query.join(then, then.id == in_force(then.id).scalar_subquery())
        query = query.outerjoin(touch, touch.id == last_touch(touch.id).scalar_subquery())
    query = query.where(Partner.workspace_id == bindparam("workspace_id")).order_by(Partner.id)
    if known:
        query = query.where(Partner.created_at <= known_at)
    return query.where(Partner.id.in_(bindparam("partner_ids", expanding=True))) if some else query


def _author(by_address: str | None, person_id: int | None, direction: str, by_id: dict[int, Who]) -> str | None:
    person = by_id.get(person_id) if person_id and direction == "outbound" else None
    return person.name if person else by_address


@dataclass(frozen=True, slots=True)
class PartnerName:
    id: int
    name: str
    tier: Tier | None
    owner_id: int | None


def partner_names_of(session: Session, workspace_id: int, partner_ids: Collection[int]) -> dict[int, str]:
    """The names of those that are partners of the programme."""
    values = {"workspace_id": workspace_id, "partner_ids": list(partner_ids)}
    return {row.id: row.name for row in session.execute(_NAMES, values)}


_NAMES = select(Partner.id, Partner.name).where(
    Partner.id.in_(bindparam("partner_ids", expanding=True)), Partner.workspace_id == bindparam("workspace_id")
)


def partner_names(session: Session, workspace_id: int, as_of: datetime) -> list[PartnerName]:
    """Every partner's name, for look-ups that tolerate typing errors."""
    in_force = tiers(session, workspace_id, as_of)
    rows = session.execute(
        select(Partner.id, Partner.name, Partner.tier_id, Partner.owner_id)
        .where(Partner.workspace_id == workspace_id, Partner.status != MERGED)
        .order_by(Partner.name)
    )
    return [PartnerName(row.id, row.name, in_force.get(row.tier_id), row.owner_id) for row in rows]
