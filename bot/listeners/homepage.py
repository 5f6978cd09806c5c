"""What stands on somebody's Home tab, read anew: a handful of statements, however long the roster is."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from bot.listeners.call import Call
from bot.listeners.desk import Visitor
from bot.views.home import FREE, HomePage, Week, home_view
from bot.views.kit import Block, View
from bot.views.mailboxes import Box, mailbox_blocks
from bot.views.my_settings import my_settings_blocks
from bot.views.setup import setup_blocks, trouble_blocks
from models.queries.book import book, read_progress
from models.queries.boxes import boxes_of
from models.queries.mail import MailboxFacts
from models.queries.outbox import uncertain_posts
from models.queries.programme import Person, people
from models.queries.reads import troubles
from models.queries.setup import setup_of
from models.queries.standings import standings
from models.queries.trend import coverage_now
from models.queries.wishes import muted_partners
from models.standing import sort_key
from models.weekly_read import MailboxTrouble


def home(call: Call, note: str | None = None) -> View:
    """The Home tab of whoever calls. `note` is mrkdwn: the answer to what was just pressed there."""
    visitor = call.visitor()
    programme = visitor.programme
    with call.desk.reading() as session:
        # Read anew: what was pressed may have changed the person's own settings.
        me = next(one for one in people(session, programme.workspace_id) if one.id == visitor.person.id)
        return home_view(
            HomePage(
                person=me,
                leads=visitor.leads,
                standings=book(session, programme, me.id, call.now),
                today=visitor.today,
                zone=programme.zone,
                posts=uncertain_posts(session, programme.workspace_id) if visitor.leads else (),
                troubles=_troubles(session, visitor, call.now),
                note=note,
                week=_week(session, visitor, call.now) if visitor.leads else None,
                setup=_setup(session, call, visitor),
                mailboxes=_mailboxes(session, visitor, call.now),
                wishes=my_settings_blocks(
                    me, visitor.today, len(muted_partners(session, me.id)), _stand_in(session, visitor)
                ),
            )
        )


def _week(session: Session, visitor: Visitor, now: datetime) -> Week:
    programme = visitor.programme
    tiers = coverage_now(session, programme, now)
    progress = read_progress(session, programme.workspace_id, now)
    if progress is None:
        return Week(tiers)
    first: Sequence[int] = progress.free[:FREE]
    free = sorted(standings(session, programme, now, partner_ids=first), key=sort_key) if first else ()
    return Week(tiers, progress.read_id, progress.listed, progress.settled, free)


def _setup(session: Session, call: Call, visitor: Visitor) -> Sequence[Block]:
    """What the first read still waits for; later, why the channel takes none."""
    if not visitor.leads:
        return ()
    setup = setup_of(session, visitor.programme, call.desk.settings)
    return trouble_blocks(setup) if setup.started else setup_blocks(setup)


def _stand_in(session: Session, visitor: Visitor) -> Person | None:
    wanted = visitor.person.stand_in_id
    if wanted is None:
        return None
    return next((one for one in people(session, visitor.programme.workspace_id) if one.id == wanted), None)


def boxes_seen(
    session: Session, visitor: Visitor, now: datetime, others: Callable[[MailboxFacts], bool] = lambda box: False
) -> list[Box]:
    """The visitor's own mailboxes, and those of others that are wanted."""
    me = visitor.person

    def is_mine(box: MailboxFacts) -> bool:
        return box.owner_id == me.id or box.address in (me.email, *me.aliases)

    found = boxes_of(session, visitor.programme, now, lambda box: is_mine(box) or others(box))
    return [Box(facts, health, touches, is_mine(facts)) for facts, health, touches in found]


def _mailboxes(session: Session, visitor: Visitor, now: datetime) -> Sequence[Block]:
    """The own ones, for whoever can own partners."""
    if not visitor.may_act:
        return ()
    return mailbox_blocks(boxes_seen(session, visitor, now), visitor.today, visitor.programme.zone)


def _troubles(session: Session, visitor: Visitor, now: datetime) -> tuple[MailboxTrouble, ...]:
    """A lead sees every mailbox that needs attention, everybody else the own ones."""
    mine = {visitor.person.email, *visitor.person.aliases}
    return tuple(one for one in troubles(session, visitor.programme, now) if visitor.leads or one.address in mine)
