"""The weekly read as Slack messages: the parent in its six points, and up to two pages of further partners below it.

How the partners fall on pages depends on the snapshot alone, so that a redraw never moves one to another message.
"""

from collections.abc import Sequence

from bot import ids, signal_words, wording
from bot.ids import Carried
from bot.views import kit, rows
from bot.views.kit import Payload, View
from bot.views.lists import Leaf, Listed, leaf, list_modal
from bot.views.rows import Paper
from models.queries.reads import HeldRead
from models.standing import Standing
from models.weekly_read import WeeklyRead

IN_PARENT = 10  # of a list that is too long for one message
PAGES_BELOW = 2
SHOWN = IN_PARENT + PAGES_BELOW * kit.MOST_ROWS
LINED_UP = 7  # how many names wording puts into one line
MAIL_TROUBLES = 5
RECOVERIES = 12


def read_parts(held: HeldRead, revision: int) -> list[Payload]:
    """Part 0 is the message in the channel, the others go into its thread."""
    read = held.read

    def paper(scale: float) -> Paper:
        return Paper(read.today, read.zone, read_id=held.id, revision=revision, scale=scale)

    def below(first: int) -> Payload:
        page = read.overdue[first : first + kit.MOST_ROWS]
        return kit.fitting(lambda scale: _below(held, page, first + 1, paper(scale)))

    starts = range(_in_parent(read), min(len(read.overdue), SHOWN), kit.MOST_ROWS)
    return [kit.fitting(lambda scale: _parent(held, paper(scale))), *map(below, starts)]


def read_preview(read: WeeklyRead) -> Payload:
    """The read as it would be posted now, without buttons: nobody can claim from a message that was not posted."""
    held = HeldRead(0, read, {})
    return kit.fitting(lambda scale: _parent(held, Paper(read.today, read.zone, scale=scale, buttons=False)))


def unassigned_payload(held: HeldRead) -> Payload | None:
    """What a lead hears in the afternoon: partners nobody has taken, and a button; None when there are none."""
    read = held.read
    free = [one for one in read.overdue if one.claim is None and one.facts.partner_id not in held.settled]
    if not free:
        return None

    def draw(scale: float) -> Payload:
        paper = Paper(read.today, read.zone, scale=scale)
        needs = wording.plural(
            len(free), "partner still waits for a name beside it", "partners still wait for a name beside them"
        )
        blocks, told = [kit.section(f"*{needs}*")], [f"{needs}:"]
        for one in free[: kit.MOST_ROWS]:
            line = (
                f"{rows.name_on(paper, one.facts.name)} · {paper.words(f'{wording.rhythm(one)} · {_owner(one)}', 200)}"
            )
            blocks.append(kit.section(line, accessory=_assign_one(one, held.id, paper)))
            told.append(f"• {line}")
        buttons = []
        if len(free) > kit.MOST_ROWS:
            more = f"and {len(free) - kit.MOST_ROWS} more"
            blocks.append(kit.context(more))
            told.append(f"• {more}")
            buttons.append(see_all(read, held.id))
        buttons.append(kit.button(ids.WALK, "Walk the read", Carried(read=held.id)))
        owned = sum(one.facts.owner is not None for one in free)
        if owned:
            question = kit.confirm(
                "Assign to owners?", f"{wording.plural(owned, 'partner')} will go to the owner.", "Assign", "Not now"
            )
            assign = kit.button(
                ids.ASSIGN, "Assign to owners", Carried(read=held.id), style="primary", confirm=question
            )
            buttons.insert(0, assign)
        blocks.append(kit.actions(*buttons))
        return {"text": "\n".join(told), "blocks": blocks}

    return kit.fitting(draw)


def unassigned_again(held: HeldRead) -> Payload:
    """The same as things stand now."""
    return unassigned_payload(held) or kit.notice(f"✓ {wording.ALL_ASSIGNED}.")


def _assign_one(standing: Standing, read_id: int, paper: Paper) -> kit.Element:
    partner_id = standing.facts.partner_id
    spoken = kit.label(f"Assign {wording.name(standing.facts.name)}", 75, rows.NAME_ROOM * paper.scale)
    return kit.button(
        ids.row(ids.ASSIGN_ONE, partner_id), "Assign…", Carried(partner=partner_id, read=read_id), spoken=spoken
    )


def read_modal(held: HeldRead, carried: Carried, note: str | None = None) -> View:
    """Everything a read names, 15 partners at a time, of one tier or owner if asked."""
    read = held.read
    lists = {
        "Overdue": read.overdue,
        "Due soon": read.due_soon,
        "Waiting for our reply": read.reply_owed,
        "Next step gone stale": read.step_stale,
        "Gone quiet": tuple(one.standing for one in read.quiet),
        "Could not be seen": read.blind,
    }
    every = {one.facts.partner_id: one for those in lists.values() for one in those}
    listed = [_listed(heading, one) for heading, those in lists.items() for one in those]
    paper = Paper(read.today, read.zone, read_id=held.id)
    here = Carried(read=held.id, tier=carried.tier, owner=carried.owner, page=carried.page)
    return list_modal(wording.title(read), leaf(listed, here), every, here, paper, held.settled, note)


def read_leaf(held: HeldRead) -> Leaf:
    """All of a read, for its menus."""
    read = held.read
    those = (*read.overdue, *read.due_soon, *read.reply_owed, *read.step_stale, *read.blind)
    return leaf([_listed("", one) for one in (*those, *(one.standing for one in read.quiet))], Carried())


def _listed(heading: str, one: Standing) -> Listed:
    facts = one.facts
    return Listed(heading, facts.partner_id, facts.tier, facts.owner, one.claim.by.id if one.claim else None)


def _parent(held: HeldRead, paper: Paper) -> Payload:
    read = held.read
    shown = read.overdue[: _in_parent(read)]
    summary = paper.words(wording.summary(read), 1_400)
    moves = _recoveries(read, paper)
    signals = _lines(
        paper,
        (wording.due_soon_line(read), 800),
        (wording.reply_owed_line(read), 600),
        (signal_words.step_stale_line(read), 500),
        (signal_words.quiet_line(read), 600),
        (signal_words.shutdown_line(read), 250),
    )
    unseen = _unseen(read, paper)
    needs = paper.words(wording.nothing_to_recover(read), 400)
    blocks = [kit.header(wording.title(read)), kit.section(summary)]
    if moves:
        blocks.append(kit.section(f"*Since the last read*\n{moves}"))
    if shown:
        needs = f"{_needing(read)}: {_named(shown, len(read.overdue) - len(shown), paper)}"
        blocks.append(kit.section(f"*{_needing(read)}*"))
        blocks += [rows.partner_row(one, paper, held.settled.get(one.facts.partner_id)) for one in shown]
    else:
        blocks.append(kit.section(needs))
    buttons = _buttons(held) if paper.buttons else []
    if buttons:
        blocks.append(kit.actions(*buttons))
    elif len(read.overdue) > len(shown):  # a preview has neither pages below it nor a button
        blocks.append(
            kit.context(f"and {len(read.overdue) - len(shown)} more, which the posted read shows page by page")
        )
    if signals:
        blocks.append(kit.section(signals))
    if unseen:
        blocks.append(kit.context(unseen))
    progress = _lines(paper, (wording.progress(read, _settled(held)), 200))
    if progress:
        blocks.append(kit.section(f"*{progress}*"))
    said = (paper.words(wording.title(read), 120), summary, needs, moves, signals, unseen, progress)
    return {"text": "\n".join(filter(None, said)), "blocks": blocks}


def _in_parent(read: WeeklyRead) -> int:
    """How many partners stand in the parent: all of them while one message can hold them."""
    return len(read.overdue) if len(read.overdue) <= kit.MOST_ROWS else IN_PARENT


def _below(held: HeldRead, page: Sequence[Standing], first: int, paper: Paper) -> Payload:
    read = held.read
    last = first + len(page) - 1
    where = f"Partners {first} to {last} of {len(read.overdue)} that need a touch"
    blocks = [kit.section(f"*{where}*")]
    blocks += [rows.partner_row(one, paper, held.settled.get(one.facts.partner_id)) for one in page]
    more = len(read.overdue) - last if last == SHOWN else 0
    if more:
        blocks.append(kit.actions(see_all(read, held.id)))
    return {"text": f"{where}: {_named(page, more, paper)}", "blocks": blocks}


def _buttons(held: HeldRead) -> list[kit.Element]:
    buttons = [see_all(held.read, held.id)] if _more_than_shown(held.read) else []
    if held.read.overdue:
        spoken = "Walk the read: the partners one by one, for programme leads"
        buttons.append(kit.button(ids.WALK, "Walk the read", Carried(read=held.id), spoken=spoken))
    return buttons


def see_all(read: WeeklyRead, read_id: int) -> kit.Element:
    others = (read.due_soon, read.reply_owed, read.step_stale, read.blind, read.quiet)
    what = "See the whole read" if any(others) or not read.overdue else f"See all {len(read.overdue)}"
    return kit.button(ids.SEE_ALL, what, Carried(read=read_id), spoken=f"{what}: its partners, page by page")


def _needing(read: WeeklyRead) -> str:
    return wording.plural(len(read.overdue), "partner needs a touch", "partners need a touch")


def _named(shown: Sequence[Standing], more: int, paper: Paper) -> str:
    """The names as the rows show them, and how many more there are."""
    names = ", ".join(rows.name_on(paper, one.facts.name) for one in shown)
    return f"{names} and {more} more" if more else names


def _more_than_shown(read: WeeklyRead) -> bool:
    named = (read.due_soon, read.reply_owed, read.step_stale, read.blind)
    return (
        len(read.overdue) > _in_parent(read)
        or any(len(those) > LINED_UP for those in named)
        or len(read.quiet) > signal_words.QUIET_SHOWN + 1
    )


def _recoveries(read: WeeklyRead, paper: Paper) -> str:
    """Last week's recoveries, one a line; how many are not told here is said. Who still waits comes last, or in one."""
    waiting = [one for one in read.recoveries if one.outcome == "open"]
    those = [one for one in read.recoveries if one.outcome != "open"]
    if len(read.recoveries) <= RECOVERIES:
        those, waiting = [*those, *waiting], []
    told = [paper.words(f"• {wording.recovery(one)}", 150) for one in those[:RECOVERIES]]
    if len(those) > RECOVERIES:
        told.append(f"• and {len(those) - RECOVERIES} more")
    if waiting:
        who = wording.plural(len(waiting), "partner of it still waits", "partners of it still wait")
        told.append(f"• {who} for a recovery touch")
    return "\n".join(told)


def _unseen(read: WeeklyRead, paper: Paper) -> str:
    """What could not be seen, and who is not counted."""
    troubles = [(wording.trouble(one), 250) for one in read.troubles[:MAIL_TROUBLES]]
    if len(read.troubles) > MAIL_TROUBLES:
        troubles.append((f"{len(read.troubles) - MAIL_TROUBLES} more mailboxes need attention", 100))
    outside = wording.outside(read.paused, read.new, read.untiered, len(read.blind))
    return _lines(paper, (wording.blind_line(read), 700), *troubles, (outside, 200))


def _settled(held: HeldRead) -> int:
    return sum(rows.settled_now(one, held.settled.get(one.facts.partner_id)) for one in held.read.overdue)


def _lines(paper: Paper, *sentences: tuple[str | None, int]) -> str:
    return "\n".join(paper.words(sentence, room) for sentence, room in sentences if sentence)


def _owner(standing: Standing) -> str:
    return f"owner {wording.owner(standing)}" if standing.facts.owner else wording.owner(standing)
