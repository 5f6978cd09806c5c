"""Organisations that the mail knows and the roster does not: the list for a lead, and the form that adds one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from bot import ids, wording
from bot.ids import Carried
from bot.views import kit
from bot.views.kit import Block, Payload, View
from bot.views.next_step import owner_options
from bot.views.rows import Paper
from models.cadence import Tier
from models.correspondence import REGULAR_DAYS, Suggestion, Suggestions
from models.names import LONGEST_NAME
from models.standing import Who

IN_LIST = 10
SHEET = "suggest"
TROUBLES = 3
LONGEST_DOMAIN = 253


def looking_note() -> Payload:
    return kit.notice(
        "Looking through the mail of the last 90 days. Names are not stored, so I ask the mailboxes for them now; "
        "the answer follows here."
    )


def busy_note() -> Payload:
    return kit.notice("Somebody has just asked the same, and the mailboxes are being asked. Please try again soon.")


def suggestions_answer(told: Suggestions, owners: Mapping[str, int], on: Paper) -> Payload:
    """`owners`: mailbox → the person whose it is, who becomes the proposed owner."""

    def draw(scale: float) -> Payload:
        paper = replace(on, scale=scale)
        named = [one for one in told.found if one.domain is not None]
        head = _head(told)
        blocks: list[Block] = [kit.section(f"*{head}*" if told.found or told.skipped else head)]
        lines = [_line(one, paper) for one in named]
        for number, (one, line) in enumerate(zip(named, lines, strict=True)):
            blocks.append(kit.section(line, accessory=_button(number, one, owners)))
        notes = [kit.words(one, 400 * scale) for one in _notes(told)]
        if notes:
            blocks.append(kit.context("\n".join(notes)))
        if told.more:
            blocks.append(kit.actions(_next(told)))
        return {"text": "\n".join([head, *lines, *notes]), "blocks": blocks}

    return kit.fitting(draw)


def partner_form(domain: str, tiers: Sequence[Tier], owners: Sequence[Who], chosen: int | None) -> View:
    """The name is a guess from the domain: whoever adds the partner knows better."""
    people = owner_options(owners)
    return kit.modal(
        ids.PARTNER_FORM,
        "Add a partner",
        [
            kit.line_input(ids.PARTNER_NAME, "Name", LONGEST_NAME, initial=name_of(domain)),
            kit.select_input(ids.PARTNER_TIER, "Tier", [tier_option(one) for one in tiers], None, "Choose a tier"),
            kit.select_input(
                ids.PARTNER_OWNER, "Owner", people, next((one for one in people if one["value"] == str(chosen)), None)
            ),
            kit.line_input(
                ids.PARTNER_DOMAIN,
                "Domain",
                LONGEST_DOMAIN,
                initial=domain,
                hint="Mail with addresses at this domain, and below it, is theirs.",
            ),
        ],
        submit="Add",
        close="Cancel",
    )


def tier_option(tier: Tier) -> kit.Element:
    return kit.option(f"{kit.label(tier.name, 40)}, {wording.rhythm_days(tier)}", str(tier.rank))


def added_view(name: str, tier: Tier, owner: Who, again: int) -> View:
    """What became of the form."""
    messages = wording.plural(again, "message")
    follows = (
        f"{messages} of the last 90 days will be read again now, so its last touch appears by itself."
        if again
        else "Its next mail is its first touch."
    )
    said = (
        f"{wording.name(name)} is on the roster: {wording.name(tier.name)}, {wording.rhythm_days(tier)}, "
        f"owner {wording.name(owner.name)}. {follows}"
    )
    return kit.modal(ids.NOTE_MODAL, "Cadence", [kit.section("✓ " + kit.words(said, 2_000))])


def name_of(domain: str) -> str:
    """ "smallco.co.uk" → "Smallco"."""
    return domain.partition(".")[0].replace("-", " ").replace("_", " ").title()


def _head(told: Suggestions) -> str:
    """Mrkdwn without a word of anybody else's."""
    every = told.skipped + len(told.found) + told.more
    if every:
        count = wording.plural(every, "organisation")
        verb = "writes" if every == 1 else "write"
        return f"{count} {verb} with us regularly and {'is' if verb == 'writes' else 'are'} not on the roster"
    if not told.looked_into:
        return f"No mailbox is connected that could tell: `{ids.COMMAND} mailbox` says how to connect one."
    return (
        "Nobody is missing: every organisation with regular mail is on the roster. Regular means that both sides "
        f"wrote on {REGULAR_DAYS} days or more of the last 90."
    )


def _line(one: Suggestion, paper: Paper) -> str:
    mail = one.mail
    days = f"we wrote on {wording.plural(len(mail.ours), 'day')}, they on {wording.plural(len(mail.theirs), 'day')}"
    seen = wording.listed([wording.plain(box, 60) for box in sorted(mail.mailboxes)])
    said = f"{days} · last mail {_day(mail.last_on, paper.today)} · in the mail of {seen}"
    return f"{kit.strong(paper.words(one.domain or '', 300))}\n{paper.words(said, 400)}"


def _next(told: Suggestions) -> kit.Element:
    page = (told.skipped + len(told.found)) // IN_LIST
    label = f"Show the next {min(told.more, IN_LIST)}"
    return kit.button(ids.row(ids.LOOK, page), label, Carried(verb=SHEET, page=page))


def _button(number: int, one: Suggestion, owners: Mapping[str, int]) -> kit.Element:
    likely = {owners[box] for box in one.mail.mailboxes if box in owners}
    carried = Carried(domain=one.domain, owner=likely.pop() if len(likely) == 1 else None)
    spoken = f"Add {one.domain} as partner"
    return kit.button(ids.row(ids.ADD_PARTNER, number), "Add as partner", carried, spoken=spoken)


def _notes(told: Suggestions) -> list[str]:
    """What the list does not show, and why."""
    unnamed = sum(one.domain is None for one in told.found)
    said = []
    if told.skipped and told.found:
        said.append(f"Here are {told.skipped + 1} to {told.skipped + len(told.found)}, by how regular their mail is.")
    elif told.skipped:
        said.append("There are no more of them.")
    if unnamed:
        why = "their mailboxes could not be asked" if told.troubles else "their newest mail could not be fetched"
        said.append(f"{wording.plural(unnamed, 'organisation')} cannot be named: names are not stored, and {why}.")
    troubles = sorted(told.troubles.items())
    for address, reason in troubles[:TROUBLES]:
        said.append(f"{wording.plain(address, 80)} could not be asked: {wording.plain(reason, 200)}.")
    if len(troubles) > TROUBLES:
        said.append(f"{len(troubles) - TROUBLES} more mailboxes could not be asked.")
    if told.more:
        said.append(f"{told.more} more with less mail.")
    for address in told.files_only[:TROUBLES]:
        said.append(f"Nothing is kept of the mail that {wording.plain(address, 80)} got from files.")
    return said


def _day(day: date, today: date) -> str:
    return wording.on_day(day, today)
