"""Pauses as a lead decides them: each with a reason and an end. The recovery episode closes in the same transaction."""

from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from models.actions.episodes import open_episodes, settle_episodes, take_turns
from models.actions.outbox import want_redraw
from models.actions.partners import pause_partner, resume_partner
from models.actions.write import actor_of
from models.cadence import Status
from models.clock import local_day
from models.queries.programme import Programme
from models.queries.standings import standings
from models.tables import Partner

LONGEST_DAYS = 366
MOST_REASON = 300


class WrongPause(Exception):
    """This cannot be a pause. The text is one plain sentence; `field` is what is wrong, `until` or `reason`."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def wrong(reason: str, until: date | None, today: date) -> list[WrongPause]:
    """What is wrong with a pause, if anything."""
    found = []
    if until is None:
        found.append(WrongPause("until", "A pause needs its last day."))
    elif until < today:
        found.append(WrongPause("until", "This day is over: choose today or a later one."))
    elif until > today + timedelta(days=LONGEST_DAYS):
        found.append(WrongPause("until", "A pause lasts a year at most: it can be made longer when that day comes."))
    if not reason.strip():
        found.append(WrongPause("reason", "Say in a few words why it is paused."))
    elif len(reason) > MOST_REASON:
        found.append(WrongPause("reason", f"At most {MOST_REASON} characters, please."))
    return found


def pause(
    session: Session, programme: Programme, partner_id: int, reason: str, until: date, lead_id: int, now: datetime
) -> bool:
    """Takes the partner out of coverage until the end of a day; raises WrongPause. False: its partnership has ended."""
    for one in wrong(reason, until, local_day(now, programme.zone)):
        raise one
    take_turns(session, programme.workspace_id)
    if session.get_one(Partner, partner_id).status not in (Status.ACTIVE, Status.PAUSED):
        return False
    pause_partner(session, programme.workspace_id, actor_of(lead_id), partner_id, reason.strip(), until, now)
    settle_episodes(session, programme, now, {partner_id})
    return True


def resume(session: Session, programme: Programme, partner_id: int, lead_id: int, now: datetime) -> bool:
    """Ends a pause before its day; answers whether there was one. Who is overdue waits for a recovery touch at once."""
    take_turns(session, programme.workspace_id)
    if not resume_partner(session, programme.workspace_id, actor_of(lead_id), partner_id, now):
        return False
    if open_episodes(session, programme, standings(session, programme, now, partner_ids={partner_id}), now):
        want_redraw(session, programme.workspace_id, now)
    return True
