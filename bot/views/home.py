"""The App Home tab: what a lead has to decide, then what is mine. The most important first, at most 100 blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from bot import ids, wording
from bot.ids import Carried
from bot.views import inputs, kit, rows
from bot.views.kit import Block, View
from bot.views.mailboxes import SHEET as MAILBOXES
from bot.views.reads_notice import uncertain_payload
from bot.views.rows import Paper
from models.cadence import State
from models.queries.outbox import Post
from models.queries.programme import Person
from models.standing import Standing
from models.weekly_read import MailboxTrouble, TierLine

MOST = 8
POSTS = 3
TIERS = 12
FREE = 10


@dataclass(frozen=True, slots=True)
class Week:
    """What a lead sees of the whole programme. `free` are partners of the newest read that nobody has taken.

    Without a read, `read_id` is None and nothing is listed.
    """

    tiers: Sequence[TierLine]
    read_id: int | None = None
    listed: int = 0
    settled: int = 0
    free: Sequence[Standing] = ()


@dataclass(frozen=True, slots=True)
class HomePage:
    """What concerns one person. `standings` are the person's book, in the order of a read; `posts` are for leads."""

    person: Person
    leads: bool
    standings: Sequence[Standing]
    today: date
    zone: ZoneInfo
    posts: Sequence[Post] = ()
    troubles: Sequence[MailboxTrouble] = ()  # of the own mailboxes; for leads, of all
    note: str | None = None  # mrkdwn: the answer to what was just pressed
    week: Week | None = None  # for leads
    setup: Sequence[Block] = ()  # what is still missing before the first read
    mailboxes: Sequence[Block] = ()  # the own mailboxes
    wishes: Sequence[Block] = ()  # the own settings


def home_view(page: HomePage) -> View:
    me, paper = page.person.id, Paper(page.today, page.zone, cards=True)
    claims = [one for one in page.standings if one.claim is not None and one.claim.by.id == me]
    mine = [one for one in page.standings if one.facts.owner is not None and one.facts.owner.id == me]
    free = [one for one in mine if one.claim is None]
    held = [one for one in mine if one.claim is not None and one.claim.by.id != me and one.state is State.OVERDUE]
    steps = [one for one in page.standings if _is_my_step(one, me)]
    blocks: list[Block] = [kit.section(page.note)] if page.note else []
    blocks += page.setup
    for post in page.posts[:POSTS] if page.leads else ():
        blocks += uncertain_payload(post)["blocks"]
    if page.troubles:
        told = "\n".join(f"• {kit.words(wording.trouble(one), 250)}" for one in page.troubles[:MOST])
        more = len(page.troubles) - MOST
        if more > 0:
            told += f"\n• and {more} more: `{ids.COMMAND} mailbox` shows them all"
        blocks += [kit.header("Mailboxes that need attention"), kit.section(told)]
    if page.week is not None:
        blocks += _week(page.week, paper)
    shown: set[int] = set()
    listed = [
        *_list("My claims", claims, paper, shown),
        *_list("Overdue", [one for one in free if one.state is State.OVERDUE], paper, shown),
        *_list("Overdue, in a colleague's hands", held, paper, shown),
        *_list("Due soon", [one for one in free if one.state is State.DUE_SOON], paper, shown),
        *_list("My next steps", steps, paper, shown),
    ]
    if not listed:
        none = "No partner is yours, so nothing waits for you."
        listed = [kit.section("Nothing waits for you: every partner of yours is in rhythm." if mine else none)]
        blocks += [kit.header("My partners")] if page.week is not None else []
    blocks += [*listed, kit.header("Look something up"), *_looking(page.leads)]
    if page.mailboxes:
        blocks += [kit.header("My mailbox"), *page.mailboxes]
    blocks += [kit.header("My settings"), *(page.wishes or [_nudges(page)])]
    if page.leads:
        blocks += [kit.header("Run the programme"), *_running()]
    return kit.home([*blocks, kit.divider(), kit.context(_help())])


def stranger_view(sentence: str) -> View:
    """For somebody who is not on the roster."""
    return kit.home([kit.header("Cadence"), kit.section(kit.words(sentence, 1_000))])


def _week(week: Week, paper: Paper) -> list[Block]:
    """Coverage tier by tier, how far the read has come, and whom nobody has taken."""
    lines = [paper.words(wording.tier_line(one), 230) for one in week.tiers[:TIERS]]
    if len(week.tiers) > TIERS:
        lines.append(f"and {wording.plural(len(week.tiers) - TIERS, 'more tier')}: `{ids.COMMAND} coverage` shows them")
    blind = sum(one.blind for one in week.tiers)
    if blind:
        what = wording.plural(blind, "partner", "partners")
        lines.append(f"{what} could not be seen: their owners' mailboxes have not synced")
    blocks = [kit.header("Coverage"), kit.section("\n".join(lines) or "There are no tiers yet.")]
    if week.read_id is None:
        return [*blocks, kit.context("The first weekly read has not been held yet.")]
    blocks.append(kit.header("This week's read"))
    if not week.listed:
        blocks.append(kit.section("Nothing was overdue in the newest read."))
        return blocks
    done = week.settled == week.listed
    said = f"*{week.settled} of {week.listed} assigned*" + (": every slipped partner has somebody." if done else "")
    names = [
        f"• {rows.name_on(paper, one.facts.name)} · {paper.words(f'{wording.rhythm(one)} · {wording.owner(one)}', 180)}"
        for one in week.free[:FREE]
    ]
    more = week.listed - week.settled - len(names)
    if more > 0:
        names.append(f"• and {more} more")
    blocks.append(kit.section("\n".join([said, *names])))
    carried = Carried(read=week.read_id)
    buttons = [] if done else [kit.button(ids.WALK, "Walk the read", carried, style="primary")]
    buttons.append(kit.button(ids.SEE_ALL, "See the whole read", carried))
    return [*blocks, kit.actions(*buttons)]


LOOKS = {
    "owed": ("Waiting for our reply", "Reply owed"),
    "stale": ("Next steps gone stale", "Stale next steps"),
    "quiet": ("Gone quiet", "Gone quiet"),
    "coverage": ("How coverage has moved", "Coverage over weeks"),
    "suggest": ("Missing on the roster?", "Suggestions"),
}
"""What a button of Home opens in a window: its label, and the window's title."""
FOR_LEADS = ("suggest",)


def _looking(leads: bool) -> list[Block]:
    """Every partner by name, and the lists that are nobody's own."""
    buttons = [kit.button(ids.row(ids.SEE_ALL, 0), "Overdue partners", Carried())]
    for number, (look, (text, _)) in enumerate(LOOKS.items()):
        if leads or look not in FOR_LEADS:
            buttons.append(kit.button(ids.row(ids.LOOK, number), text, Carried(verb=look)))
    find = inputs.find(ids.FIND_CARD, "Find a partner")
    return [kit.section("Where a partner stands, its next step, its mail", accessory=find), kit.actions(*buttons)]


def _running() -> list[Block]:
    """A lead's ways to change how the programme runs."""
    nothing = Carried()
    return [
        kit.actions(
            kit.button(ids.PREVIEW, "Preview the read", nothing),
            kit.button(ids.EDIT_SCHEDULE, "Schedule and channel", nothing),
            kit.button(ids.EDIT_TIERS, "Tiers", nothing),
            kit.button(ids.EDIT_ROSTER, "Partners and people", nothing),
            kit.button(ids.row(ids.SEE_ALL, 1), "Mailboxes", Carried(verb=MAILBOXES)),
            kit.button(ids.IMPORT, "Import", nothing),
            kit.button(ids.AUDIT, "Audit log", nothing),
        )
    ]


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
