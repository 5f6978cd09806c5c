"""The lines of a read that was held, as standings again. They never change; what was promised since then does."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from models.cadence import State, Status, Tier, due_on
from models.clock import local_day
from models.queries.programme import Programme, people, tiers
from models.queries.standings import partner_facts
from models.standing import PartnerFacts, Standing, sort_key, step_stale
from models.tables import NextStep, Partner, Read, ReadLine, Touch
from models.weekly_read import GoneQuiet


def snapshot_standings(session: Session, programme: Programme, read: Read, now: datetime) -> list[Standing]:
    """The lines of a held read as standings: clocks from the snapshot, promises as they are at `now`.

    Of partners that no list of a read can name only their standing is told: they are counted, and nothing else.
    """
    who = {person.id: person.who for person in people(session, programme.workspace_id)}
    names = {tier.rank: tier for tier in tiers(session, programme.workspace_id, read.at).values()}
    promised = set(session.scalars(_with_next_step(programme.workspace_id, now)))
    rows = session.execute(
        select(
            ReadLine.partner_id,
            ReadLine.state,
            ReadLine.tier_rank,
            ReadLine.window_days,
            ReadLine.grace_days,
            ReadLine.owner_id,
            ReadLine.last_touch_at,
            ReadLine.due_on,
            ReadLine.days_overdue,
            ReadLine.unobserved,
            ReadLine.reply_backed,
            ReadLine.reply_owed,
            ReadLine.quiet_chance,
            Partner.name,
            Partner.cadence_start_on,
            Touch.person_id,
            Touch.by_address,
            Touch.direction,
        )
        .join(Partner, Partner.id == ReadLine.partner_id)
        .outerjoin(Touch, Touch.id == ReadLine.last_touch_id)
        .where(ReadLine.read_id == read.id)
        .order_by(ReadLine.partner_id)
    ).all()
    named = {
        line.partner_id
        for line in rows
        if line.state in _LISTED or line.reply_owed or line.quiet_chance is not None or line.partner_id in promised
    }
    current = {facts.partner_id: facts for facts in partner_facts(session, programme, now, named)} if named else {}
    lines = []
    today = local_day(read.at, programme.zone)
    for line in rows:
        tier = None
        if line.tier_rank is not None and line.window_days is not None:
            known = names.get(line.tier_rank)
            name = known.name if known else f"Tier {line.tier_rank}"
            tier = Tier(line.tier_rank, name, line.window_days, line.grace_days or 0)
        by_us = line.person_id is not None and line.direction == "outbound"
        author = who.get(line.person_id) if by_us else None
        last_on = local_day(line.last_touch_at, programme.zone) if line.last_touch_at else None
        facts = replace(
            current.get(line.partner_id) or _untold(line.partner_id, line.name, line.cadence_start_on),
            tier=tier,
            owner=who.get(line.owner_id) if line.owner_id is not None else None,
            status=_status(line.state),
            last_touch_at=line.last_touch_at,
            last_touch_by=author.name if author else line.by_address,
        )
        due = line.due_on
        if read.timezone is None and tier is not None:  # older versions did not keep the day
            due = due_on(last_on, facts.cadence_start_on, tier.window_days, programme.shutdowns)
        lines.append(
            Standing(
                facts=facts,
                state=State(line.state),
                due_on=due,
                days_since=(today - last_on).days if last_on else None,
                days_overdue=line.days_overdue,
                unobserved=line.unobserved,
                reply_backed=line.reply_backed,
                reply_owed=line.reply_owed,
                days_quiet=(today - (last_on or facts.cadence_start_on)).days,
                step_stale=facts.status is Status.ACTIVE
                and step_stale(facts, today, programme.zone, programme.shutdowns),
            )
        )
    return lines


_LISTED = (State.OVERDUE, State.DUE_SOON, State.BLIND)


def _with_next_step(workspace_id: int, now: datetime) -> Select[int]:
    """Partners with whom something has been agreed that stands."""
    return select(NextStep.partner_id).where(
        NextStep.workspace_id == workspace_id,
        NextStep.set_at <= now,
        or_(NextStep.ended_at.is_(None), NextStep.ended_at > now),
    )


def _untold(partner_id: int, name: str, cadence_start_on: date) -> PartnerFacts:
    """A partner of which a read says nothing but how it stands."""
    nothing: Any = dict.fromkeys(
        (
            *("tier", "owner", "paused_until", "last_touch_at", "last_touch_by", "last_heard_at", "last_reply_at"),
            *("last_outbound_at", "observed_at", "next_step", "episode"),
        )
    )
    return PartnerFacts(
        partner_id=partner_id, name=name, status=Status.ACTIVE, cadence_start_on=cadence_start_on, **nothing
    )


def were_quiet(session: Session, read_id: int, lines: Sequence[Standing]) -> list[GoneQuiet]:
    """Whom the read named as gone quiet, in its own words and order."""
    by_id = {one.facts.partner_id: one for one in lines}
    rows = session.execute(
        select(ReadLine.partner_id, ReadLine.quiet_chance, ReadLine.quiet_words).where(
            ReadLine.read_id == read_id, ReadLine.quiet_chance.is_not(None)
        )
    )
    found = [
        GoneQuiet(by_id[partner_id], chance, words or "") for partner_id, chance, words in rows if chance is not None
    ]
    return sorted(found, key=lambda one: (one.chance, sort_key(one.standing)))


def _status(state: str) -> Status:
    return Status(state) if state in (Status.PAUSED, Status.ENDED) else Status.ACTIVE
