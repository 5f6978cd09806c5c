"""Writes of recovery episodes: they open for a partner that slipped and close by what the facts say."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, and_, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from models.actions.outbox import want_letters_redrawn, want_redraw
from models.actions.write import CAPTURE, CLOCK, audit, insert_into
from models.cadence import Policy, State
from models.queries.programme import Programme
from models.queries.shutdowns import kept_shutdowns
from models.queries.standings import counting, standings, were_late
from models.standing import Standing
from models.tables import Claim, Episode, Touch, Workspace


def open_episodes(session: Session, programme: Programme, overdue: Sequence[Standing], now: datetime) -> dict[int, int]:
    """Opens an episode for every overdue partner that has none; answers the new ones, by partner."""
    late = {one.facts.partner_id: one for one in overdue if one.state is State.OVERDUE and one.facts.episode is None}
    if not late:
        return {}
    home = {"workspace_id": programme.workspace_id, "opened_at": now}
    new = insert_into(session, Episode).on_conflict_do_nothing().returning(Episode.partner_id, Episode.id)
    opened = session.execute(new, [home | {"partner_id": partner_id} for partner_id in late]).all()
    for row in opened:
        standing = late[row.partner_id]
        after = {"due_on": str(standing.due_on), "days_overdue": standing.days_overdue}
        audit(session, programme.workspace_id, CLOCK, "open episode", f"partner:{row.partner_id}", now, after=after)
    return {row.partner_id: row.id for row in opened}


def settle_episodes(
    session: Session,
    programme: Programme,
    now: datetime,
    partner_ids: Collection[int] | None = None,
) -> int:
    """Closes every open episode that the facts have resolved; answers how many.

    A counting touch since it opened closes it as recovered. An older touch that came to light late closes it when
    the partner was not overdue at the opening after all, and so does a shutdown that was entered late. A pause, an
    end or another tier closes it as such.
    """
    take_turns(session, programme.workspace_id)
    values: dict[str, Any] = {"workspace_id": programme.workspace_id}
    if partner_ids is not None:
        values["partner_ids"] = list(partner_ids)
    episodes = list(session.scalars(_OPEN if partner_ids is None else _OPEN_OF, values))
    if not episodes:
        return 0
    ids = {episode.partner_id for episode in episodes}
    stands = {one.facts.partner_id: one for one in standings(session, programme, now, partner_ids=ids)}
    return len(settle(session, programme, episodes, stands, now))


def open_episodes_of(session: Session, workspace_id: int, partner_ids: Collection[int]) -> dict[int, Episode]:
    """The open episode of each of these partners that has one."""
    found = session.scalars(_OPEN_OF, {"workspace_id": workspace_id, "partner_ids": list(partner_ids)})
    return {episode.partner_id: episode for episode in found}


def settle(
    session: Session, programme: Programme, episodes: Collection[Episode], stands: Mapping[int, Standing], now: datetime
) -> set[int]:
    """Closes those of them that the facts have resolved; answers whose, by partner.

    Whoever calls has taken the turn, and read how the partners stand.
    """
    outcomes: dict[int, tuple[str, int | None]] = {}
    unclear: dict[datetime, list[Episode]] = defaultdict(list)
    for episode in episodes:
        today = stands[episode.partner_id]
        last = today.facts.last_touch_at
        since = last is not None and last >= episode.opened_at
        touch = _first_counting(session, programme, episode, now) if since else None
        if touch:
            outcomes[episode.partner_id] = "recovered", touch.id
        elif today.state in (State.PAUSED, State.ENDED):
            outcomes[episode.partner_id] = str(today.state), None
        else:
            unclear[episode.opened_at].append(episode)
    for opened_at, some in unclear.items():  # those of one read were opened together, and are asked about together
        late = were_late(session, programme, opened_at, {episode.partner_id for episode in some})
        for episode in some:
            outcome = _resolved_otherwise(session, programme, episode, stands[episode.partner_id], late)
            if outcome is not None:
                outcomes[episode.partner_id] = outcome, None
    ended = [episode for episode in episodes if episode.partner_id in outcomes]
    return {one.partner_id for one in ended if _close(session, programme, one, *outcomes[one.partner_id], now)}


_OPEN = (
    select(Episode)
    .where(Episode.workspace_id == bindparam("workspace_id"), Episode.closed_at.is_(None))
    .order_by(Episode.partner_id)
)
_OPEN_OF = _OPEN.where(Episode.partner_id.in_(bindparam("partner_ids", expanding=True)))
_TURN = select(Workspace.id).where(Workspace.id == bindparam("workspace_id")).with_for_update(key_share=True)


def take_turns(session: Session, workspace_id: int) -> None:
    """Closing and claiming wait for each other, else a claim could be laid on an episode that is being closed.

    The row is the one that capture takes first as well, so nobody waits in a circle.
    """
    session.execute(_TURN, {"workspace_id": workspace_id})


def reopen_if_voided(session: Session, programme: Programme, now: datetime) -> int:
    """Reopens the episodes whose recovering touch was taken back afterwards, unless a newer one is open already.

    It was voided, or turned out to be one of a mail merge.
    """
    rows = session.execute(
        select(Episode, func.coalesce(Touch.void_reason, Touch.rule).label("reason"))
        .join(Touch, Touch.id == Episode.touch_id)
        .where(
            Episode.workspace_id == programme.workspace_id,
            Episode.outcome == "recovered",
        )
        .where(or_(Touch.voided_at.is_not(None), Touch.verdict != "human"))
    )
    reopened = 0
    for episode, reason in rows.all():
        episode.outcome = "voided"
        session.flush()
        open_now = select(Episode.id).where(Episode.partner_id == episode.partner_id, Episode.closed_at.is_(None))
        if session.scalar(open_now) is None:
            episode.closed_at = episode.outcome = episode.touch_id = None
            session.flush()
            reopened += 1
        audit(
            session,
            programme.workspace_id,
            CAPTURE,
            "reopen episode",
            f"partner:{episode.partner_id}",
            now,
            before={"outcome": "recovered"},
            after={"reason": reason},
        )
        want_redraw(session, programme.workspace_id, episode.opened_at)
    return reopened


def _first_counting(session: Session, programme: Programme, episode: Episode, now: datetime) -> Touch | None:
    values = {"partner_id": episode.partner_id, "opened_at": episode.opened_at, "now": now}
    return session.scalars(_first_counting_query(programme.policy), values).first()


@lru_cache
def _first_counting_query(policy: Policy) -> Select[Touch]:
    now: Any = bindparam("now", type_=Touch.at.type)
    return (
        select(Touch)
        .where(Touch.partner_id == bindparam("partner_id"), counting(policy, now))
        .where(Touch.at >= bindparam("opened_at"), Touch.at <= now)
        .order_by(Touch.at, Touch.id)
        .limit(1)
    )


def _resolved_otherwise(
    session: Session, programme: Programme, episode: Episode, today: Standing, late: Collection[int]
) -> str | None:
    """`late`: who of those whose episodes were opened together was overdue at that instant."""
    if episode.partner_id not in late:
        return "shutdown" if _shut_since(session, programme, episode) else "late_evidence"
    return None if today.state in (State.OVERDUE, State.BLIND) else "re_tiered"


def _shut_since(session: Session, programme: Programme, episode: Episode) -> bool:
    """Whether a shutdown that was entered after the opening is what keeps the partner from having been overdue."""
    known = kept_shutdowns(session, programme.workspace_id, entered_by=episode.opened_at)
    before = replace(programme, shutdowns=tuple(one.shutdown for one in known))
    if len(before.shutdowns) == len(programme.shutdowns):
        return False
    return bool(were_late(session, before, episode.opened_at, {episode.partner_id}))


def _close(
    session: Session,
    programme: Programme,
    episode: Episode,
    outcome: str,
    touch_id: int | None,
    now: datetime,
) -> bool:
    closed = session.execute(
        update(Episode)
        .where(Episode.id == episode.id, Episode.closed_at.is_(None))
        .values(closed_at=now, outcome=outcome, touch_id=touch_id)
        .returning(Episode.id)
    ).first()
    if closed is None:
        return False
    end_claims(session, Claim.episode_id == episode.id, "closed", now)
    after = {"outcome": outcome, "touch": touch_id}
    audit(
        session,
        programme.workspace_id,
        CAPTURE,
        "close episode",
        f"partner:{episode.partner_id}",
        now,
        after=after,
    )
    want_redraw(session, programme.workspace_id, episode.opened_at)
    return True


def end_claims(session: Session, which: object, reason: str, now: datetime) -> bool:
    ended = session.execute(
        update(Claim)
        .where(and_(which, Claim.ended_at.is_(None)))  # type: ignore[arg-type]  # a column expression
        .values(ended_at=now, end_reason=reason)
        .returning(Claim.workspace_id, Claim.person_id, Claim.at, Claim.assigned_by_id)
    ).all()
    for claim in ended:
        if claim.assigned_by_id is not None:
            want_letters_redrawn(session, claim.workspace_id, claim.person_id, claim.at)
    return bool(ended)
