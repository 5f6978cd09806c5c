"""The App Home tab: what is mine, and for leads what needs a decision. The most important first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from bot import ids, wording
from bot.ids import Carried
from bot.views import kit, rows
from bot.views.kit import Block, View
from bot.views.reads_notice import uncertain_payload
from bot.views.rows import Paper
from models.cadence import State
from models.queries.outbox import Post
from models.queries.programme import Person
from models.standing import Standing
from models.weekly_read import MailboxTrouble

MOST = 10
POSTS = 3


@dataclass(frozen=True, slots=True)
class HomePage:
    """What concerns one person. `standings` are all of the programme; `posts` are for leads."""

    person: Person
    leads: bool
    standings: Sequence[Standing]
    today: date
    zone: ZoneInfo
    posts: Sequence[Post] = ()
    troubles: Sequence[MailboxTrouble] = ()  # of the own mailboxes; for leads, of all
    note: str | None = None  # mrkdwn: the answer to what was just pressed


def home_view(page: HomePage) -> View:
    me, paper = page.person.id, Paper(page.today, page.zone)
    claims = [one for one in page.standings if one.claim is not None and one.claim.by.id == me]
    mine = [one for one in page.standings if one.facts.owner is not None and one.facts.owner.id == me]
    free = [one for one in mine if one.claim is None]
    steps = [one for one in page.standings if _is_my_step(one, me)]
    blocks: list[Block] = [kit.section(page.note)] if page.note else []
    for post in page.posts[:POSTS] if page.leads else ():
        blocks += uncertain_payload(post)["blocks"]
    if page.troubles:
        told = "\n".join(f"• {kit.words(wording.trouble(one), 300)}" for one in page.troubles[:MOST])
        blocks += [kit.header("Mailboxes"), kit.section(told)]
    shown: set[int] = set()
    blocks += _list("My claims", claims, paper, shown)
    blocks += _list("Overdue", [one for one in free if one.state is State.OVERDUE], paper, shown)
    blocks += _list("Due soon", [one for one in free if one.state is State.DUE_SOON], paper, shown)
    blocks += _list("My next steps", steps, paper, shown)
    if not shown:
        blocks.append(kit.section("Nothing waits for you: every partner of yours is in rhythm."))
    return kit.home([*blocks, kit.divider(), _nudges(page), kit.context(_help())])


def stranger_view(sentence: str) -> View:
    """For somebody who is not on the roster."""
    return kit.home([kit.header("Cadence"), kit.section(kit.words(sentence, 1_000))])


def _list(heading: str, those: Sequence[Standing], paper: Paper, shown: set[int]) -> list[Block]:
    """Rows of partners that stand nowhere above; the others are counted."""
    fresh = [one for one in those if one.facts.partner_id not in shown][:MOST]
    shown |= {one.facts.partner_id for one in fresh}
    if not fresh:
        return []
    blocks = [kit.header(heading), *(rows.partner_row(one, paper) for one in fresh)]
    more = sum(one.facts.partner_id not in shown for one in those)
    if more:
        blocks.append(kit.context(f"and {more} more: `{ids.COMMAND} mine` shows them all"))
    return blocks


def _nudges(page: HomePage) -> Block:
    person = page.person
    if not person.nudges:
        start = kit.button(ids.NUDGES_ON, "Start nudges again", Carried())
        return kit.section("Nudges are off.", accessory=start)
    quiet = person.snoozed_until is not None and person.snoozed_until >= page.today
    until = f", quiet until the end of {wording.on_day(person.snoozed_until, page.today)}" if quiet else ""  # type: ignore[arg-type]  # quiet says that it is a day
    stop = kit.button(ids.NUDGES_OFF, "Stop nudges", Carried())
    return kit.section(f"Nudges are on{until}: at most one private message a day.", accessory=stop)


def _is_my_step(standing: Standing, me: int) -> bool:
    step = standing.facts.next_step
    return step is not None and step.owner is not None and step.owner.id == me


def _help() -> str:
    return f"`{ids.COMMAND} help` lists what you can ask."
