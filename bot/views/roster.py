"""Partners and people as a lead edits them in Slack: one page that finds them, and a form for each of the two."""

from collections.abc import Sequence

from bot import ids, wording
from bot.ids import Carried, encode
from bot.views import inputs, kit
from bot.views.kit import Block, Element, View
from bot.views.next_step import owner_options
from bot.views.suggestions import name_of, tier_option
from models.cadence import Status, Tier
from models.names import LONGEST_NAME, name_key
from models.queries.programme import Person
from models.queries.roster import PartnerLine
from models.queries.standings import PartnerName
from models.standing import Who

NOBODY = "none"
ROLES = {
    "lead": "Lead: runs the read, edits tiers and roster",
    "manager": "Partner manager: owns partners, claims, connects a mailbox",
    "viewer": "Viewer: reads along",
}
KEPT, ENDED = "kept", "ended"


def roster_modal(partners: int, people: int, note: str | None = None) -> View:
    """`note` is mrkdwn: what has just been changed."""
    blocks: list[Block] = [kit.section(note)] if note else []
    none = Carried()
    blocks += [
        kit.header("Partners"),
        kit.section(
            f"{wording.plural(partners, 'partner')} on the roster.",
            accessory=inputs.find(ids.FIND_PARTNER, "Find a partner"),
        ),
        kit.actions(kit.button(ids.NEW_PARTNER, "Add a partner", none), kit.button(ids.IMPORT, "Import several", none)),
        kit.header("People"),
        kit.section(
            f"{wording.plural(people, 'person', 'people')} on the roster.",
            accessory=inputs.find(ids.FIND_PERSON, "Find a person"),
        ),
        kit.actions(
            kit.button(ids.NEW_PERSON, "Add a person", none),
            kit.button(ids.row(ids.IMPORT, 2), "Import people", Carried(verb="people")),
        ),
    ]
    return kit.modal(ids.ROSTER_MODAL, "Partners and people", blocks)


def partner_form(
    line: PartnerLine | None, name: str, tiers: Sequence[Tier], owners: Sequence[Who], carried: Carried
) -> View:
    """Of a partner that is there, or of a new one of this name. `carried.partner` says which."""
    ranks = [kit.option("No tier: it counts nowhere", NOBODY), *(tier_option(one) for one in tiers)]
    people = [kit.option("Nobody", NOBODY), *owner_options(owners)]
    owner = next((str(one.id) for one in owners if line is not None and one.email == line.owner_email), NOBODY)
    rank = str(line.tier) if line is not None and line.tier is not None else NOBODY
    blocks = [
        inputs.line(ids.PARTNER_NAME, "Name", LONGEST_NAME, initial=line.name if line else name),
        inputs.menu(ids.PARTNER_TIER, "Tier", ranks, rank if line else None, wanted="Choose a tier"),
        inputs.menu(ids.PARTNER_OWNER, "Owner", people, owner if line else None, wanted="Choose a person"),
        inputs.lines(
            ids.PARTNER_DOMAIN,
            "Domains",
            initial="\n".join(line.domains) if line else "",
            wanted="acme.com",
            hint="One a line. Mail with addresses at these domains, and below them, is theirs.",
        ),
        inputs.lines(
            ids.PARTNER_CONTACTS,
            "Contacts",
            initial="\n".join(line.contacts) if line else "",
            wanted="wendy@gmail.com",
            hint="Addresses elsewhere that belong to them, one a line.",
        ),
    ]
    if line is not None:
        ended = line.status is Status.ENDED
        kept = "Active" if line.status is not Status.PAUSED else "Paused, as it is"
        options = [kit.option(kept, KEPT), kit.option("Ended: it counts nowhere, its history stays", ENDED)]
        blocks.append(inputs.choice(ids.PARTNER_STATUS, "Partnership", options, ENDED if ended else KEPT))
    title, submit = ("Edit a partner", "Save") if line else ("Add a partner", "Add")
    return kit.modal(ids.EDIT_PARTNER_FORM, title, blocks, carried=carried, submit=submit, close="Cancel")


def person_form(person: Person | None, carried: Carried) -> View:
    """`carried.owner` is the person; without one it is somebody new."""
    roles = [kit.option(text, word) for word, text in ROLES.items()]
    blocks: list[Block] = []
    if person is None:
        blocks = [
            inputs.person(ids.PERSON_USER, "In Slack", optional=True, hint="Name and address are taken from there."),
            inputs.line(
                ids.PERSON_EMAIL, "E-mail address", 254, optional=True, hint="Needed when Slack does not tell it."
            ),
        ]
    blocks += [
        inputs.line(
            ids.PERSON_NAME, "Name", LONGEST_NAME, initial=person.name if person else "", optional=person is None
        ),
        inputs.choice(ids.PERSON_ROLE, "Role", roles, person.role if person else "manager"),
        inputs.lines(
            ids.PERSON_ALIASES,
            "Other addresses they write from",
            initial="\n".join(person.aliases) if person else "",
            hint="One a line.",
        ),
    ]
    if person is not None:
        gone = kit.option("No longer on duty: holds no claim, hears nothing, may read along", "left")
        box = inputs.tick(ids.PERSON_LEFT, "Duty", gone)
        if person.left:
            box["element"]["initial_options"] = [gone]
        blocks = [kit.context(kit.words(wording.plain(person.email, 254), 400)), *blocks, box]
    title, submit = ("Edit a person", "Save") if person else ("Add a person", "Add")
    return kit.modal(ids.PERSON_FORM, title, blocks, carried=carried, submit=submit, close="Cancel")


def partner_options(names: Sequence[PartnerName], typed: str) -> list[Element]:
    wanted = name_key(typed) if typed.strip() else ""
    found = [one for one in names if wanted in name_key(one.name)]
    found.sort(key=lambda one: (not name_key(one.name).startswith(wanted), name_key(one.name)))
    return [
        kit.option(
            f"{kit.label(one.name, 50)}{f', {one.tier.name}' if one.tier else ''}", encode(Carried(partner=one.id))
        )
        for one in found[: kit.MOST_OPTIONS]
    ]


def person_options(everybody: Sequence[Person], typed: str) -> list[Element]:
    wanted = typed.casefold().strip()
    found = [one for one in everybody if wanted in one.name.casefold() or wanted in one.email]
    return [
        kit.option(
            f"{kit.label(one.name, 50)}, {one.role}{', off duty' if one.left else ''}", encode(Carried(owner=one.id))
        )
        for one in found[: kit.MOST_OPTIONS]
    ]


def guessed_name(typed: str) -> str:
    """A domain that was typed in place of a name says it well enough."""
    return name_of(typed) if "." in typed and " " not in typed else typed


def partner_note(name: str, added: bool, again: int) -> str:
    shown = kit.strong(kit.words(wording.name(name), 300))
    follows = f" {wording.plural(again, 'message')} of the last 90 days will be read again." if again else ""
    return f"✓ {shown} {'is on the roster' if added else 'is changed'}.{follows}"


def person_note(name: str, role: str, added: bool, off_duty_with: int | None = None) -> str:
    shown = kit.strong(kit.words(wording.name(name), 300))
    if off_duty_with is not None:
        rest = f" {wording.plural(off_duty_with, 'partner')} still need another owner." if off_duty_with else ""
        return f"✓ {shown} is off duty.{rest}"
    return f"✓ {shown} is {'on the roster as' if added else 'now'} {role}."


def note_view(title: str, note: str) -> View:
    return kit.modal(ids.NOTE_MODAL, title, [kit.section(note)])
