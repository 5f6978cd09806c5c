"""Whole kinds of records, row by row, for files that leave the house. What is in a row is what the views show.

It never holds more than some hundred rows, however many there are.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from models.db import take_time
from models.queries.evidence import sightings
from models.queries.programme import Programme, people
from models.queries.standings import standings
from models.standing import Standing
from models.tables import Partner
from models.tables.roster import MERGED
from models.views import columns, view

AT_ONCE = 500
PARTNERS_AT_ONCE = 2_000  # of each lot the roster and all next steps are read anew
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Kind:
    view: str
    since: str  # the column that `since` is about
    order: tuple[str, ...]  # of keys, so that nothing has to be sorted


_KINDS = {
    "touches": _Kind("v_touch", "touched_at", ("touch_id",)),
    "reads": _Kind("v_read_line", "held_at", ("read_id", "partner_id")),
    "episodes": _Kind("v_episode", "opened_at", ("episode_id",)),
    "next-steps": _Kind("v_next_step", "set_at", ("next_step_id",)),
    "claims": _Kind("v_claim", "claimed_at", ("claim_id",)),
    "audit": _Kind("v_audit", "changed_at", ("audit_id",)),
}
KINDS = ("partners", *_KINDS)
HIDDEN = {"programme_id", "fresh"}  # a file is of one programme, and is judged when it is written


def export_columns(kind: str) -> list[str]:
    names = [name for name in columns("v_partner" if kind == "partners" else _KINDS[kind].view) if name not in HIDDEN]
    return [*names, "mailboxes"] if kind == "touches" else names


def export_rows(
    session: Session, programme: Programme, kind: str, now: datetime, since: datetime | None = None
) -> Iterator[Record]:
    """The records of a kind, in the order in which they came to be; of partners all as they stand at `now`."""
    if kind == "partners":
        yield from _partners(session, programme, now)
        return
    wanted = _KINDS[kind]
    source = view(wanted.view)
    query = select(source).where(source.c.programme_id == programme.workspace_id)
    if since is not None:
        query = query.where(source.c[wanted.since] >= since)
    query = query.order_by(*(source.c[name] for name in wanted.order))
    take_time(session)
    names = {f"person:{one.id}": one.name for one in people(session, programme.workspace_id)}
    with session.execute(query, execution_options={"yield_per": AT_ONCE}) as found:
        for rows in found.partitions():
            yield from _records(session, kind, rows, names)


def _records(session: Session, kind: str, rows: Sequence[Row[Any]], names: Mapping[str, str]) -> Iterator[Record]:
    seen_in = sightings(session, [row.touch_id for row in rows]) if kind == "touches" else {}
    for row in rows:
        record = {name: value for name, value in row._mapping.items() if name not in HIDDEN}
        if kind == "touches":
            record["mailboxes"] = list(seen_in.get(row.touch_id, ()))
        elif kind == "audit":
            record |= {name: _named(record[name], names) for name in ("before", "after")}
        yield record


def _named(written: str | None, names: Mapping[str, str]) -> str | None:
    """What an entry says of before or after, with people by name."""
    if written is None or '"person:' not in written:
        return written
    values = json.loads(written)
    found = {key: names.get(value, value) if isinstance(value, str) else value for key, value in values.items()}
    return json.dumps(found, ensure_ascii=False)


def _partners(session: Session, programme: Programme, now: datetime) -> Iterator[Record]:
    """From the facts of this moment, not from what was noted for the view."""
    mine = select(Partner).where(Partner.workspace_id == programme.workspace_id, Partner.status != MERGED)
    after = 0
    while rows := session.scalars(mine.where(Partner.id > after).order_by(Partner.id).limit(PARTNERS_AT_ONCE)).all():
        ids = [row.id for row in rows]
        judged = {one.facts.partner_id: one for one in standings(session, programme, now, partner_ids=ids)}
        for row in rows:
            yield _partner(row, judged[row.id], now)
        after = ids[-1]
        session.expunge_all()


def _partner(row: Partner, one: Standing, now: datetime) -> Record:
    facts, step, claim = one.facts, one.facts.next_step, one.claim
    return {
        "partner_id": row.id,
        "partner": row.name,
        "tier_rank": facts.tier.rank if facts.tier else None,
        "tier": facts.tier.name if facts.tier else None,
        "window_days": facts.tier.window_days if facts.tier else None,
        "grace_days": facts.tier.grace_days if facts.tier else None,
        "owner": facts.owner.name if facts.owner else None,
        "owner_email": facts.owner.email if facts.owner else None,
        "status": row.status,
        "paused_until": row.paused_until,
        "cadence_start_on": row.cadence_start_on,
        "external_id": row.external_id,
        "state": str(one.state),
        "eligible": one.eligible,
        "covered": one.covered,
        "last_touch_at": facts.last_touch_at,
        "last_touch_by": facts.last_touch_by,
        "last_heard_at": facts.last_heard_at,
        "days_since": one.days_since,
        "due_on": one.due_on,
        "days_overdue": one.days_overdue,
        "reply_backed": one.reply_backed,
        "reply_owed": one.reply_owed,
        "unobserved": one.unobserved,
        "next_step": step.text if step else None,
        "next_step_due_on": step.due_on if step else None,
        "claimed_by": claim.by.name if claim else None,
        "claim_due_on": claim.due_on if claim else None,
        "as_of": now,
    }
