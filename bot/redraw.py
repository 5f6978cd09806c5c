"""Draws a posted message anew from the facts of this moment. Knows which kinds of message live on; sends nothing."""

from datetime import date, datetime

from sqlalchemy.orm import Session

from bot.outbox import Render
from bot.views.claims import assigned_again
from bot.views.kit import Payload
from bot.views.read import read_parts, unassigned_again
from bot.views.setup import setup_payload
from bot.views.trend import TREND_PART
from models.actions.outbox import LETTER, READ, UNASSIGNED
from models.actions.setup import STEPS
from models.clock import local_day
from models.queries import reads
from models.queries.outbox import Post
from models.queries.programme import Programme, person_in_slack, programme
from models.queries.promises import assigned_at
from models.queries.setup import setup_of
from models.queries.standings import standings
from models.settings import Settings


def redraw_of(settings: Settings) -> Render:
    """What the outbox asks for: the message as it should read now, or None where nothing ever changes."""

    def render(session: Session, post: Post, now: datetime) -> Payload | None:
        if post.kind == STEPS:
            return setup_payload(setup_of(session, programme(session, settings, post.workspace_id), settings))
        if post.kind == LETTER:
            return _letter(session, programme(session, settings, post.workspace_id), post, now)
        if post.kind not in (READ, UNASSIGNED) or post.part == TREND_PART:
            return None
        read_id = reads.read_of_week(session, post.workspace_id, date.fromisoformat(post.period))
        if read_id is None:
            return None
        held = reads.held_read(session, programme(session, settings, post.workspace_id), read_id, now)
        if post.kind == UNASSIGNED:
            return unassigned_again(held)
        return read_parts(held, post.redraw_wanted)[post.part]

    return render


def _letter(session: Session, home: Programme, post: Post, now: datetime) -> Payload | None:
    """What a lead asked somebody to take, as it stands now."""
    person = person_in_slack(session, home.workspace_id, post.channel)
    if person is None:
        return None
    asked = assigned_at(session, home.workspace_id, person.id, post.created_at)
    if asked is None:
        return None
    stand = {one.facts.partner_id: one for one in standings(session, home, now, partner_ids=asked.partner_ids)}
    given = [stand[one] for one in dict.fromkeys(asked.partner_ids) if one in stand]
    return assigned_again(asked.lead, given, person.id, local_day(now, home.zone))
