"""One partner as a row of a list, the same in the weekly read, in answers and in modals."""

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from bot import ids, wording
from bot.ids import Carried
from bot.views import kit
from bot.views.kit import Block, Element
from models.cadence import State
from models.clock import local_day
from models.queries.reads import Settled
from models.standing import NextStepFacts, Standing

NAME_ROOM = 160
MOST_OPTIONS = 5  # Slack draws no longer menu; the card is the last and the least missed
CLAIM_LABEL = "Claim recovery touch"


@dataclass(frozen=True, slots=True)
class Paper:
    """What a row is drawn on: the day it speaks of, the read it belongs to, its revision, and the share of its room."""

    today: date
    zone: ZoneInfo
    read_id: int | None = None
    revision: int = 0
    scale: float = 1.0
    buttons: bool = True
    cards: bool = False  # whether a row opens its partner's card: in windows and on Home

    def words(self, sentence: str, room: int) -> str:
        return kit.words(sentence, room * self.scale)


def name_on(paper: Paper, name: str) -> str:
    """A partner's name as rows and texts of one message show it."""
    return paper.words(wording.name(name), NAME_ROOM)


def partner_row(standing: Standing, paper: Paper, settled: Settled | None = None) -> Block:
    """Name, tier, owner; how late and since when; the next step; who is on it."""
    facts = standing.facts
    tier = wording.name(facts.tier.name) if facts.tier else "no tier"
    owner = f"owner {wording.owner(standing)}" if facts.owner else wording.owner(standing)
    lines = [
        f"{kit.strong(name_on(paper, facts.name))} · {paper.words(f'{tier} · {owner}', 160)}",
        paper.words(_clocks(standing, paper), 260),
        paper.words(wording.next_step(standing, paper.today), 180),
        outcome(standing, paper, settled),
    ]
    return kit.section(
        "\n".join(line for line in lines if line),
        block_id=ids.row_block(facts.partner_id, paper.revision),
        accessory=_accessory(standing, paper, settled) if paper.buttons else None,
    )


def outcome(standing: Standing, paper: Paper, settled: Settled | None = None) -> str:
    """Who is on it, by an absolute day because the message is read all week; or how the episode ended."""
    claim = standing.claim
    if claim is not None:
        mark = "… " if claim.asked else "✓ "
        return mark + paper.words(f"{wording.on_it(claim)} · by {_day(claim.due_on, paper)}", 180)
    if settled is None:
        return ""
    ended = f"on {_day(local_day(settled.at, paper.zone), paper)}"
    by = f" by {wording.name(settled.by)}" if settled.by else ""
    said = {
        "recovered": f"Recovered{by} {ended}",
        "late_evidence": "An earlier touch came to light: it was never overdue",
        "shutdown": "All was shut on those days, as was entered since: it was never overdue",
        "paused": f"Paused {ended}",
        "ended": f"Ended {ended}",
        "re_tiered": f"Moved to another tier {ended}",
        "merged": f"Merged into another partner {ended}",
    }
    return "✓ " + paper.words(said.get(settled.outcome, f"Closed {ended}"), 180)


def settled_now(standing: Standing, settled: Settled | None) -> bool:
    """Whether the row needs nobody any more. A claim is newer: it belongs to an episode that is open."""
    return settled is not None and standing.claim is None


def _clocks(standing: Standing, paper: Paper) -> str:
    heard_at = standing.facts.last_heard_at
    heard = wording.last_heard(standing, paper.today, paper.zone)
    if heard_at is not None and local_day(heard_at, paper.zone) > paper.today:
        heard = f"they wrote on {_day(local_day(heard_at, paper.zone), paper)}"
    late = wording.rhythm(standing) if standing.state is State.OVERDUE else wording.lateness(standing, paper.today)
    parts = [late, wording.last_touch(standing), heard]
    if standing.unobserved:
        parts.append(wording.NOT_SEEN)
    return " · ".join(parts)


def _accessory(standing: Standing, paper: Paper, settled: Settled | None) -> Element | None:
    """Claim while it is free; a menu for its holder afterwards. Others who use it are told who holds it.

    A menu weighs three times as much as a button: where there is little room the card has all that it offers.
    """
    facts = standing.facts
    partner_id = facts.partner_id
    roomy = paper.scale == 1.0
    if standing.claim is not None and not roomy:
        return _card_button(standing, paper)
    if standing.claim is not None:
        return claim_menu(partner_id, asked=standing.claim.asked, step=facts.next_step, card=paper.cards)
    over = settled is not None or (standing.state is not State.OVERDUE and facts.episode is None)
    if over and settled is None and facts.next_step is not None:
        return step_menu(partner_id, facts.next_step, card=paper.cards) if roomy else _card_button(standing, paper)
    if over:
        return _card_button(standing, paper) if paper.cards else None
    spoken = kit.label(f"{CLAIM_LABEL} for {wording.name(standing.facts.name)}", 75, NAME_ROOM * paper.scale)
    return kit.button(
        ids.row(ids.CLAIM, partner_id), CLAIM_LABEL, Carried(partner=partner_id, read=paper.read_id), spoken=spoken
    )


def _card_button(standing: Standing, paper: Paper) -> Element:
    spoken = kit.label(f"Open card of {wording.name(standing.facts.name)}", 75, NAME_ROOM * paper.scale)
    card = Carried(partner=standing.facts.partner_id)
    return kit.button(ids.row(ids.OPEN_CARD, standing.facts.partner_id), "Open card", card, spoken=spoken)


def claim_menu(
    partner_id: int, *, asked: bool, step: NextStepFacts | None = None, shared: bool = True, card: bool = False
) -> Element:
    """What its holder can do with a claim, and, where others see it as well, a lead. Who presses is judged then."""
    said = (("Accept", ids.ACCEPT), ("Decline", ids.DECLINE)) if asked else (("Release", ids.RELEASE),)
    lead = (("Reassign…", ids.ASSIGN_ONE),) if shared else ()
    options = [("Set next step", ids.NEXT_STEP), *said, *lead]
    menu = [(text, Carried(verb=verb, partner=partner_id)) for text, verb in options]
    menu = [*menu[:1], *_done(partner_id, step), *menu[1:], *(_card(partner_id) if card else [])]
    return kit.overflow(ids.row(ids.ROW_MENU, partner_id), *menu[:MOST_OPTIONS])


def step_menu(partner_id: int, step: NextStepFacts, *, card: bool = False) -> Element:
    """What can be done with a next step where there is nothing to claim."""
    edit = ("Change next step", Carried(verb=ids.NEXT_STEP, partner=partner_id))
    past = ("Earlier steps", Carried(verb=ids.STEP_HISTORY, partner=partner_id))
    open_card = _card(partner_id) if card else []
    return kit.overflow(ids.row(ids.ROW_MENU, partner_id), *_done(partner_id, step), edit, past, *open_card)


def _card(partner_id: int) -> list[tuple[str, Carried]]:
    return [("Open card", Carried(verb=ids.OPEN_CARD, partner=partner_id))]


def _done(partner_id: int, step: NextStepFacts | None) -> list[tuple[str, Carried]]:
    if step is None or step.id is None:
        return []
    return [("Next step is done", Carried(verb=ids.STEP_DONE, partner=partner_id, step=step.id))]


def _day(day: date, paper: Paper) -> str:
    return wording.on_day(day, paper.today)
