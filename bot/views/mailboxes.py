"""Somebody's mailboxes: how each is doing, what was seen in it, and how one is connected or taken off."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from bot import ids, wording
from bot.ids import Carried
from bot.views import kit
from bot.views.kit import Block, Payload, View
from bot.views.sheets import see_all, sheet_modal
from models.clock import local_day
from models.mailbox_health import Health
from models.queries.mail import MailboxFacts

MOST = 6
SHEET = "mailboxes"

NONE_CONNECTED = "No mailbox of yours is connected, so nobody sees what you and your partners write."
NONE_NEEDED = "You read along, so no mailbox of yours is needed: those of the partner managers are read."


@dataclass(frozen=True, slots=True)
class Box:
    """A mailbox with its health. `touches`: how many mails with partners were seen in it. `mine`: of whoever looks."""

    facts: MailboxFacts
    health: Health
    touches: int
    mine: bool


def mailbox_blocks(
    boxes: Sequence[Box], today: date, zone: ZoneInfo, scale: float = 1.0, *, acts: bool = True
) -> list[Block]:
    """The own ones; then, for a lead, everybody's with the owner's address. `acts`: whoever looks can own partners."""
    mine, others = [one for one in boxes if one.mine], [one for one in boxes if not one.mine]
    blocks: list[Block] = []
    if not mine:
        blocks.append(kit.section(NONE_CONNECTED if acts else NONE_NEEDED))
    blocks += [_row(one, today, zone, scale) for one in mine[:MOST]]
    if acts:
        blocks.append(kit.actions(kit.button(ids.CONNECT, "Connect a mailbox", Carried())))
    if others:
        blocks.append(kit.section("*Mailboxes of the others*"))
        blocks += [_row(one, today, zone, scale) for one in others[:MOST]]
    more = len(boxes) - len(mine[:MOST]) - len(others[:MOST])
    if more:
        blocks.append(kit.context(f"and {more} more"))
        blocks.append(kit.actions(see_all(len(boxes), Carried(verb=SHEET), place=2)))
    return blocks


def mailboxes_modal(
    boxes: Sequence[Box], today: date, zone: ZoneInfo, carried: Carried, note: str | None = None, *, acts: bool
) -> View:
    """All of them page by page, the own ones first. `acts`: whoever looks can own partners."""
    ordered = sorted(boxes, key=lambda one: (not one.mine, one.facts.address))
    head = "" if any(one.mine for one in boxes) else (NONE_CONNECTED if acts else NONE_NEEDED)
    connect = [kit.actions(kit.button(ids.CONNECT, "Connect a mailbox", Carried()))] if acts else []
    return sheet_modal(
        "Mailboxes", head, ordered, lambda one: _row(one, today, zone, 1.0), carried, note, below=connect
    )


def mailboxes_payload(boxes: Sequence[Box], today: date, zone: ZoneInfo, *, acts: bool) -> Payload:
    """The answer to `/cadence mailbox`."""

    def draw(scale: float) -> Payload:
        blocks = [kit.section("*Your mailboxes*"), *mailbox_blocks(boxes, today, zone, scale, acts=acts)]
        mine, others = [one for one in boxes if one.mine], [one for one in boxes if not one.mine]
        said = ["Your mailboxes", *(_line(one, today, zone, scale) for one in mine[:MOST])]
        if not mine:
            said.append("None is connected." if acts else NONE_NEEDED)
        if others:
            said += ["Mailboxes of the others", *(_line(one, today, zone, scale) for one in others[:MOST])]
        if more := len(boxes) - len(mine[:MOST]) - len(others[:MOST]):
            said.append(f"and {more} more")
        return {"text": "\n".join(said), "blocks": blocks}

    return kit.fitting(draw)


def connect_view(address: str, google: str | None = None, microsoft: str | None = None, why: str | None = None) -> View:
    """How a mailbox is connected: by a page of ours where `google` or `microsoft` is its link, else by a command.

    `why` says why there is no link at all, behind a "because".
    """
    shown = kit.words(wording.plain(address, 120), 300)
    said = (
        "Cadence reads headers only: sender, recipients, date. Never a text, never an attachment. Nobody has to log "
        "anything by hand after that."
    )
    commands = {
        "Google": None if google else f"`cadence mailbox add --provider gmail --address {shown} --consent`",
        "Microsoft 365": None if microsoft else f"`cadence mailbox add --provider graph --address {shown} --consent`",
        "any other": f"`cadence mailbox add --provider imap --address {shown} --host …`",
    }
    listed = "\n".join(f"• {name}: {command}" for name, command in commands.items() if command)
    blocks = [kit.section(said)]
    links = [
        kit.link_button(action, text, url)
        for action, text, url in (
            (ids.CONNECT_GOOGLE, "Connect Google", google),
            (ids.CONNECT_MICROSOFT, "Connect Microsoft 365", microsoft),
        )
        if url
    ]
    if links:
        blocks.append(kit.actions(*links))
        blocks.append(
            kit.context(
                "Opens a page that says what is read, before you are asked to consent. This window's links are yours "
                "alone, and good once, within ten minutes."
            )
        )
        how = "Another mailbox is connected with one command, by whoever runs Cadence:"
    else:
        how = "Whoever runs Cadence connects it with one command, and sends you a link to consent in your browser:"
    blocks.append(kit.section(f"{how}\n{listed}"))
    if why:
        because = kit.words(wording.plain(why, 300), 400)
        blocks.append(kit.context(f"There is no button here to connect it yourself, because {because}."))
    return kit.modal(ids.NOTE_MODAL, "Connect a mailbox", blocks)


def connected_note(address: str) -> Payload:
    """For whoever consented in the browser."""
    shown = kit.words(wording.plain(address, 120), 300)
    return kit.notice(
        f"{shown} is connected: Cadence reads its headers, never a text or an attachment. `{ids.COMMAND} mailbox` "
        "shows how it is doing, and disconnects it. If it was not you who connected it, do that now."
    )


def removed_note(address: str) -> Payload:
    shown = kit.words(wording.plain(address, 120), 300)
    return kit.notice(
        f"{shown} is disconnected: it is not read any more, and its secret is erased. What was captured stays, because "
        "it is the partners' history."
    )


def _line(box: Box, today: date, zone: ZoneInfo, scale: float) -> str:
    return kit.words(f"{wording.plain(box.facts.address, 120)}: {_sentence(box, today, zone)}", 450 * scale)


def _row(box: Box, today: date, zone: ZoneInfo, scale: float) -> Block:
    known = box.mine or box.facts.owner_email == box.facts.address
    owner = "" if known else f" · {wording.plain(box.facts.owner_email or 'nobody', 80)}"
    head = kit.strong(kit.words(wording.plain(box.facts.address, 120), 200 * scale))
    said = kit.words(_sentence(box, today, zone), 450 * scale)
    return kit.section(f"{head}{kit.words(owner, 150 * scale)}\n{said}", accessory=_remove(box))


def _sentence(box: Box, today: date, zone: ZoneInfo) -> str:
    ok_at = box.facts.last_ok_at
    read = f"last read {wording.days_ago((today - local_day(ok_at, zone)).days)}" if ok_at else "not read yet"
    seen = f"{wording.plural(box.facts.seen, 'message')} looked at"
    said = f"{read}; {seen}, {wording.plural(box.touches, 'mail')} with partners; {box.health.detail}"
    return wording.plain(f"{said[:1].upper()}{said[1:]}", 400)


def _remove(box: Box) -> kit.Element:
    address = wording.plain(box.facts.address, 120)
    question = kit.confirm(
        "Disconnect this mailbox?",
        "It is not read any more, and its secret is erased. What was captured stays.",
        "Disconnect",
        "Keep it",
    )
    carried = Carried(post=box.facts.id)
    return kit.button(
        ids.row(ids.DISCONNECT, box.facts.id), "Disconnect", carried, spoken=f"Disconnect {address}", confirm=question
    )
