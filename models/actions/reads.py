"""Writes of the weekly read and of nudges. A read is held once a week; its lines are written once and never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from models.actions.episodes import open_episodes, settle_episodes
from models.actions.write import CLOCK, audit, inserted
from models.clock import local_day, week_of
from models.queries.programme import Programme
from models.queries.quiet import newly_quiet
from models.queries.reads import troubles
from models.queries.standings import last_touch_ids, standings
from models.standing import Standing
from models.tables import Nudge, Read, ReadLine
from models.weekly_read import GoneQuiet

WELL_AGAIN = "mailbox well"  # of nudges that mark the end of a spell and are told to nobody


def hold_read(session: Session, programme: Programme, now: datetime, actor: str = CLOCK) -> int | None:
    """Holds this week's read: the snapshot, one line per partner, and an episode for each overdue one.

    None when the week has its read already. The unique row decides, so replicas and restarts cannot hold two.
    """
    week = week_of(local_day(now, programme.zone))
    row = {
        "workspace_id": programme.workspace_id,
        "week": week,
        "at": now,
        "policy": str(programme.policy),
        "timezone": programme.zone.key,
        "troubles": [asdict(one) for one in troubles(session, programme, now)],
    }
    read_id: int | None = inserted(session, Read, row)
    if read_id is None:
        return None
    settle_episodes(session, programme, now)
    lines = standings(session, programme, now)
    touch_ids = last_touch_ids(session, programme, now)
    silent = {one.standing.facts.partner_id: one for one in newly_quiet(session, programme, now, lines)}
    session.add_all(_line(read_id, line, touch_ids, silent.get(line.facts.partner_id)) for line in lines)
    open_episodes(session, programme, lines, now)
    after = {"week": week.isoformat(), "partners": len(lines)}
    audit(
        session,
        programme.workspace_id,
        actor,
        "hold read",
        f"read:{read_id}",
        now,
        after=after,
    )
    return read_id


def notice(
    session: Session,
    workspace_id: int,
    person_id: int,
    kind: str,
    subject: str,
    transition: str,
    now: datetime,
) -> bool:
    """Notes a transition somebody should hear of; answers whether it is new. Told or dropped later, never twice."""
    row = {
        "workspace_id": workspace_id,
        "person_id": person_id,
        "kind": kind,
        "subject": subject,
        "transition": transition,
        "noticed_at": now,
    }
    return inserted(session, Nudge, row) is not None


def trouble_spell(session: Session, person_id: int, subject: str) -> str:
    """What makes this trouble of a mailbox another one than the last: how often it was well again in between."""
    ended = select(func.count()).select_from(Nudge).where(Nudge.person_id == person_id, Nudge.subject == subject)
    return f"spell {(session.scalar(ended.where(Nudge.kind == WELL_AGAIN)) or 0) + 1}"


def end_spell(session: Session, workspace_id: int, person_id: int, subject: str, now: datetime) -> None:
    """The mailbox is well. If its owner was told of trouble, the next trouble is news again; this is none to tell."""
    spell = trouble_spell(session, person_id, subject)
    known = select(Nudge.id).where(Nudge.person_id == person_id, Nudge.subject == subject, Nudge.kind == "mailbox")
    if session.scalar(known.where(Nudge.transition == spell)) is None:
        return
    row = {
        "workspace_id": workspace_id,
        "person_id": person_id,
        "kind": WELL_AGAIN,
        "subject": subject,
        "transition": spell,
        "noticed_at": now,
        "dropped": "nothing to tell",
    }
    inserted(session, Nudge, row)


def carry_nudges(session: Session, nudge_ids: Sequence[int], outbox_post_id: int) -> None:
    """These nudges are told by that message."""
    session.execute(update(Nudge).where(Nudge.id.in_(nudge_ids)).values(outbox_post_id=outbox_post_id))


def drop_nudges(session: Session, reasons: Mapping[int, str]) -> None:
    """These nudges have become pointless before they were told: nudge id → why."""
    for nudge_id, reason in reasons.items():
        session.execute(update(Nudge).where(Nudge.id == nudge_id).values(dropped=reason))


def _line(read_id: int, line: Standing, touch_ids: Mapping[int, int], silent: GoneQuiet | None) -> ReadLine:
    facts = line.facts
    return ReadLine(
        read_id=read_id,
        partner_id=facts.partner_id,
        state=str(line.state),
        tier_rank=facts.tier.rank if facts.tier else None,
        window_days=facts.tier.window_days if facts.tier else None,
        grace_days=facts.tier.grace_days if facts.tier else None,
        owner_id=facts.owner.id if facts.owner else None,
        last_touch_at=facts.last_touch_at,
        last_touch_id=touch_ids.get(facts.partner_id),
        due_on=line.due_on,
        days_overdue=line.days_overdue,
        reply_backed=line.reply_backed,
        reply_owed=line.reply_owed,
        unobserved=line.unobserved,
        quiet_chance=silent.chance if silent else None,
        quiet_words=silent.words if silent else None,
    )
