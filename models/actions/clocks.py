"""Writes of the indexes into the facts: out of date with every change of a fact, made anew from the facts later.

Whoever changes a fact calls `facts_changed` in the same transaction. Reading never trusts what is out of date.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, sessionmaker

from models import weeks
from models.actions.write import insert_ignoring
from models.cadence import REPLY_DAYS, Status, soon_days
from models.clock import local_day
from models.queries.clocks import WEEKS_KEPT, basis, last_week, outdated_partners, scheduled_at, stored_tally
from models.queries.pasts import frame, pasts
from models.queries.programme import Programme
from models.tables import PartnerClock, WeekSpan, WeekTally, WeekWindow, Workspace
from models.weeks import Frame, Past, cadence_windows, due_days, spans_of, week_states

AT_ONCE = 50  # partners of one transaction: whoever changes a fact of theirs waits for it


def facts_changed(session: Session, workspace_id: int, partner_ids: Collection[int] | None = None) -> None:
    """What is known about these partners has changed, or without ids something that may concern each of them."""
    if partner_ids is None:
        session.execute(
            update(Workspace).where(Workspace.id == workspace_id).values(cadence_version=Workspace.cadence_version + 1),
            execution_options=_BLUNT,
        )
        return
    rows = [
        {"partner_id": partner_id, "workspace_id": workspace_id, "changes": 1, "judged": 0, **_EMPTY}
        for partner_id in sorted(partner_ids)
    ]
    if rows:
        # An upsert, for a plain update would miss a row that is being made at this moment.
        dialect = session.get_bind().dialect.name
        one = postgresql.insert(PartnerClock) if dialect == "postgresql" else sqlite.insert(PartnerClock)
        session.execute(
            one.on_conflict_do_update(index_elements=["partner_id"], set_={"changes": PartnerClock.changes + 1}),
            rows,
        )


def refresh_clocks(
    sessions: sessionmaker[Session],
    reading: sessionmaker[Session],
    programme: Programme,
    now: datetime,
    limit: int = 10_000,
) -> int:
    """Makes clocks that are out of date anew, some partners at a time; answers how many.

    Judging happens outside of the transaction that stores: nobody else's write waits for it.
    """
    done = 0
    while done < limit:
        with reading() as session:
            wanted = outdated_partners(session, programme, now, AT_ONCE)
            judged = _judged(session, programme, wanted, now) if wanted else None
        if judged is None:
            break
        with sessions.begin() as session:
            stored = _store(session, programme.workspace_id, judged)
        if not stored:
            break
        done += stored
    return done


@dataclass(slots=True)
class _Judged:
    """Rows of some partners' clocks, spans and windows."""

    clocks: list[dict[str, Any]] = field(default_factory=list)
    spans: list[dict[str, Any]] = field(default_factory=list)
    windows: list[dict[str, Any]] = field(default_factory=list)


def _judged(session: Session, programme: Programme, partner_ids: Sequence[int], now: datetime) -> _Judged:
    """How many changes were counted is read before the facts: a change that comes meanwhile is one too many."""
    rests_on = basis(session, programme)
    counted = select(PartnerClock.partner_id, PartnerClock.changes).where(PartnerClock.partner_id.in_(partner_ids))
    changes = {row.partner_id: row.changes for row in session.execute(counted)}
    newest = last_week(programme, now)
    numbers = range(newest - WEEKS_KEPT + 1, newest + 1)
    instants = [scheduled_at(programme, week) for week in numbers]
    around = frame(session, programme)
    rows = _Judged()
    for past in pasts(session, programme, partner_ids):
        mine = {"partner_id": past.partner_id}
        noted = {"judged": changes.get(past.partner_id, 0), "basis": rests_on, "computed_at": now, "week": newest}
        rows.clocks.append({**mine, **noted, **_clock(programme, past, around, now)})
        found = spans_of(zip(numbers, week_states(past, instants, around), strict=True))
        rows.spans += [mine | _columns(span) for span in found]
        rows.windows += [mine | _columns(one) for one in cadence_windows(past, now, around)]
    return rows


def _columns(row: weeks.WeekSpan | weeks.WeekWindows) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__}


def _store(session: Session, workspace_id: int, rows: _Judged) -> int:
    """Replaces what is stored of the partners, but of those that somebody else is storing at this moment."""
    ids = [row["partner_id"] for row in rows.clocks]
    unborn = {"workspace_id": workspace_id, "changes": 0, "judged": -1, **_EMPTY}
    if ids:
        session.execute(insert_ignoring(session, PartnerClock, [{"partner_id": one, **unborn} for one in ids]))
    held = set(
        session.scalars(
            select(PartnerClock.partner_id)
            .where(PartnerClock.partner_id.in_(ids))
            .order_by(PartnerClock.partner_id)
            .with_for_update(skip_locked=True)
        )
    )
    if not held:
        return 0
    mine = PartnerClock.partner_id.in_(held)
    tally = Counter({key: -number for key, number in stored_tally(session, mine).items()})
    for table, new in ((WeekSpan, rows.spans), (WeekWindow, rows.windows)):
        session.execute(delete(table).where(table.partner_id.in_(held)), execution_options=_BLUNT)
        if new := [row for row in new if row["partner_id"] in held]:
            session.execute(insert(table), new)
    session.execute(update(PartnerClock), [row for row in rows.clocks if row["partner_id"] in held])
    tally.update(stored_tally(session, mine))
    _add_to_tally(session, workspace_id, tally)
    return len(held)


def _add_to_tally(session: Session, workspace_id: int, changes: Mapping[tuple[int, int, str], int]) -> None:
    rows = [
        {"workspace_id": workspace_id, "week": week, "tier_rank": rank, "kind": kind, "number": number}
        for (week, rank, kind), number in sorted(changes.items())
        if number
    ]
    if rows:
        dialect = session.get_bind().dialect.name
        one = postgresql.insert(WeekTally) if dialect == "postgresql" else sqlite.insert(WeekTally)
        session.execute(
            one.on_conflict_do_update(
                index_elements=["workspace_id", "week", "tier_rank", "kind"],
                set_={"number": WeekTally.number + one.excluded.number},
            ),
            rows,
        )


def _clock(programme: Programme, past: Past, around: Frame, now: datetime) -> Mapping[str, Any]:
    """The columns that judge the partner on any later day, as long as nothing changes."""
    phase = next((one for one in reversed(past.phases) if one.from_at <= now), past.phases[0])
    tier = around.tier_at(phase.tier_id, now)
    heard = [at for at in past.heard if at <= now]
    later = [known_at for known_at, _ in past.counted if known_at > now]
    later += [at for at in past.heard if at > now] + [one.from_at for one in past.phases if one.from_at > now]
    last_touch_at = max((at for known_at, at in past.counted if known_at <= now), default=None)
    touched_on = local_day(last_touch_at, programme.zone) if last_touch_at else None
    paused = phase.status is Status.PAUSED
    row: dict[str, Any] = {
        **_EMPTY,
        "valid_until": min(later, default=None),
        "tier_rank": tier.rank if tier else None,
        "owner_id": phase.owner_id,
        "ended": phase.status is Status.ENDED,
        "paused_until": (phase.paused_until or date.max) if paused else None,
        "touched": last_touch_at is not None,
        "last_touch_at": last_touch_at,
        "last_heard_at": heard[-1] if heard else None,
    }
    if tier is not None:
        due, last_day = due_days(tier, touched_on, past.cadence_start_on, around.shutdowns)
        row["due_on"], row["late_on"] = due, last_day + timedelta(days=1)
        row["soon_on"] = due - timedelta(days=soon_days(tier.window_days))
        row["start_seen_on"] = past.cadence_start_on + timedelta(days=tier.window_days)
        row["backed_until"] = _backed_until(programme, heard, last_touch_at, touched_on, tier.window_days)
    return row


def _backed_until(
    programme: Programme,
    heard: Sequence[datetime],
    last_touch_at: datetime | None,
    touched_on: date | None,
    window_days: int,
) -> date | None:
    """The last day on which the partner's touch counts as backed by a reply, if nothing more is heard."""
    if touched_on is not None and last_touch_at is not None:
        reply = next((at for at in heard if at > last_touch_at), None)
        if reply is not None and (local_day(reply, programme.zone) - touched_on).days <= REPLY_DAYS:
            return date.max
    return local_day(heard[-1], programme.zone) + timedelta(days=window_days) if heard else None


_BLUNT = {"synchronize_session": False}
_BLANK = (
    *("valid_until", "tier_rank", "owner_id", "paused_until", "last_touch_at", "last_heard_at"),
    *("soon_on", "due_on", "late_on", "start_seen_on", "backed_until"),
)
_EMPTY: dict[str, Any] = {**dict.fromkeys(_BLANK), "ended": False, "touched": False}
