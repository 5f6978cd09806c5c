"""Notices transitions and tells people about them: one private message per person and day at most, in their own hours.

A transition is noticed once, by a unique row. It is told in the words of the moment, or dropped with the reason.
"""

from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session, sessionmaker

from bot.nudge_lines import ORDER, NudgeLine, mailbox_line, partner_line
from bot.views.nudges import nudge_payload
from models import mailbox_health
from models.actions import outbox, reads
from models.cadence import State
from models.clock import local_day
from models.public_holidays import is_holiday
from models.queries import outbox as outbox_queries
from models.queries.health import mailbox_healths
from models.queries.outbox import WaitingNudge
from models.queries.programme import Person, Programme, people
from models.queries.reads import troubles
from models.queries.standings import standings
from models.queries.wishes import muted_by
from models.standing import Standing, sort_key

Waiting = tuple[WaitingNudge, Person]


def notice_transitions(session: Session, programme: Programme, now: datetime) -> int:
    """Notes what has newly become true of each partner and mailbox; answers how many transitions are new."""
    today, noticed = local_day(now, programme.zone), 0
    gone = {one.id for one in people(session, programme.workspace_id) if one.left}

    def note(person_id: int, kind: str, subject: str, transition: str) -> None:
        nonlocal noticed
        if person_id in gone:
            return
        noticed += reads.notice(session, programme.workspace_id, person_id, kind, subject, transition, now)

    for line in standings(session, programme, now):
        facts, subject, claim = line.facts, f"partner:{line.facts.partner_id}", line.claim
        if facts.owner and line.state is State.DUE_SOON:
            note(facts.owner.id, "due_soon", subject, str(line.due_on))
        if facts.owner and line.state is State.OVERDUE and claim is None and facts.episode:
            note(facts.owner.id, "overdue", subject, f"episode:{facts.episode.id}")
        if claim and claim.due_on <= today:
            note(claim.by.id, "claim_due", subject, claim.due_on.isoformat())
        step = facts.next_step
        doer = step.owner if step and step.owner and step.owner.id not in gone else facts.owner
        if step and step.due_on and step.due_on <= today and doer:
            note(doer.id, "next_step_due", subject, step.due_on.isoformat())
    for box, condition in mailbox_healths(session, programme, now):
        if box.owner_id is None:
            continue
        subject = f"mailbox:{box.address}"
        if condition.attention:  # whatever else is wrong with it meanwhile, it was told of this spell
            note(box.owner_id, "mailbox", subject, reads.trouble_spell(session, box.owner_id, subject))
        elif condition.state is mailbox_health.State.OK:
            reads.end_spell(session, programme.workspace_id, box.owner_id, subject, now)
    return noticed


def send_nudges(sessions: sessionmaker[Session], programme: Programme, now: datetime) -> int:
    """Queues one message for everybody who has something waiting and may be told now; answers how many messages."""
    queued = 0
    with sessions.begin() as session:
        waiting = outbox_queries.waiting_nudges(session, programme.workspace_id)
        if not waiting:
            return 0
        lines = {one.facts.partner_id: one for one in standings(session, programme, now)}
        boxes = {one.address: one.detail for one in troubles(session, programme, now)}
        everybody = {person.id: person for person in people(session, programme.workspace_id)}
        muted = muted_by(session, programme.workspace_id)
        heard: dict[int, list[Waiting]] = {}
        for nudge in waiting:
            whose = everybody[nudge.person_id]
            if unwanted := _unwanted(nudge, whose, muted):
                reads.drop_nudges(session, {nudge.id: unwanted})
            else:
                heard.setdefault(_hearer(nudge, whose, everybody, programme, now).id, []).append((nudge, whose))
        for person in everybody.values():
            mine = heard.get(person.id)
            if mine and may_be_told(person, now, programme):
                queued += _tell(session, programme, person, mine, lines, boxes, now)
    return queued


def may_be_told(person: Person, now: datetime, programme: Programme) -> bool:
    """On a working day in the person's own hours, nine to five if not said otherwise, neither away nor snoozing.

    A public holiday where the person lives is no working day. While the programme is shut, nobody is told anything:
    the read is still held, because it is a figure and asks nobody for anything.
    """
    zone = person.zone(programme)
    local = now.astimezone(zone)
    shut = any(one.from_on <= local_day(now, programme.zone) <= one.until_on for one in programme.shutdowns)
    snoozing = person.snoozed_until is not None and local.date() <= person.snoozed_until
    in_hours = local.weekday() < 5 and person.hours[0] <= local.hour < person.hours[1]
    reached = person.slack_user_id is not None and not person.left
    free = shut or snoozing or person.is_away(now, programme)
    return in_hours and reached and not free and not is_holiday(local.date(), zone, person.country)


def _unwanted(nudge: WaitingNudge, whose: Person, muted: set[tuple[int, int]]) -> str | None:
    """Why nobody shall be told, if so."""
    kind, _, key = nudge.subject.partition(":")
    if whose.left:
        return "the person has left"
    if not whose.nudges:
        return "nudges are switched off"
    if kind == "partner" and (whose.id, int(key)) in muted:
        return "nudges about this partner are switched off"
    return None


def _hearer(
    nudge: WaitingNudge, whose: Person, everybody: dict[int, Person], programme: Programme, now: datetime
) -> Person:
    """Whoever is away is stood in for by one who is there and wants nudges. A mailbox only its owner can mend."""
    deputy = everybody.get(whose.stand_in_id) if whose.stand_in_id is not None else None
    if deputy is None or nudge.kind == "mailbox" or not whose.is_away(now, programme):
        return whose
    return deputy if deputy.nudges and not deputy.left and not deputy.is_away(now, programme) else whose


def _order(lines: dict[int, Standing], line: NudgeLine) -> tuple[object, ...]:
    """What is promised first, then what has slipped most."""
    partner = sort_key(lines[line.partner_id]) if line.partner_id is not None else ()
    return ORDER.index(line.kind), partner


def _tell(
    session: Session,
    programme: Programme,
    person: Person,
    nudges: list[Waiting],
    lines: dict[int, Standing],
    boxes: dict[str, str],
    now: datetime,
) -> bool:
    """Puts one message for one person into the outbox, unless the day has had its message already.

    What a lead asks of somebody is answered at once and apart: it is no nudge, and takes no day's message.

    What is waiting belongs to the person, or to somebody away for whom the person stands in.
    """
    today = local_day(now, programme.zone)
    told: dict[int, NudgeLine] = {}
    for nudge, whose in nudges:
        kind, key = nudge.subject.split(":", 1)
        line = None
        if kind == "mailbox" and key in boxes:
            line = mailbox_line(key, boxes[key])
        elif kind == "partner" and int(key) in lines:
            absent = None if whose.id == person.id else whose.name
            line = partner_line(nudge.kind, whose.id, lines[int(key)], today, absent)
        if line is not None:
            told[nudge.id] = line
    reads.drop_nudges(session, {nudge.id: "overtaken by the facts" for nudge, _ in nudges if nudge.id not in told})
    if not told or person.slack_user_id is None:
        return False
    unique = {(line.kind, line.partner_id, line.text): line for line in told.values()}
    payload = nudge_payload(person.name, sorted(unique.values(), key=partial(_order, lines)))
    day = local_day(now, person.zone(programme)).isoformat()
    post_id = outbox.enqueue(session, programme.workspace_id, person.slack_user_id, "nudge", day, 0, payload, now)
    if post_id is None:
        return False  # one message a day: the rest waits for tomorrow
    reads.carry_nudges(session, list(told), post_id)
    return True
