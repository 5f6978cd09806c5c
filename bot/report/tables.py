"""The tables of the leader's page, and how a figure stands in it. They show what they are given and count nothing."""

from collections.abc import Sequence
from datetime import date
from itertools import groupby
from zoneinfo import ZoneInfo

from bot import coverage_words, wording
from bot.report.markup import Html, element, outside, together
from models.clock import local_day
from models.queries.coverage import CoverageOverTime
from models.queries.quarter import Quarter
from models.queries.recoveries import Recoveries
from models.queries.recoveries import together as together_of
from models.queries.trend import TrendLine
from models.standing import Standing
from models.weekly_read import Coverage

TIER_ROOM, PARTNER_ROOM = 60, 80
NONE = "–"


def figure(ident: str, coverage: Coverage, shown: str) -> Html:
    """Both numbers of a figure for programs, its words for people."""
    return element("data", shown, id=ident, value=f"{coverage.covered}/{coverage.eligible}")


def both(ident: str, coverage: Coverage) -> Html:
    """ "18 of 29, 62 %"."""
    return figure(ident, coverage, wording.counted(coverage, "") if coverage.eligible else NONE)


def number(ident: str, count: float | None, shown: str | None = None) -> Html:
    words = f"{count:g}" if count is not None else NONE
    return element("data", words if shown is None else shown, id=ident, value="" if count is None else f"{count:g}")


def now_table(now: CoverageOverTime) -> Html:
    last = now.weeks[-1].week if now.weeks else None
    on_time = {one.tier.rank: one.on_time for one in now.weeks if one.week == last}
    rows = [
        [
            both(f"now-{one.tier.rank}-reply-backed", one.reply_backed),
            both(f"now-{one.tier.rank}-on-time", on_time.get(one.tier.rank, Coverage(0, 0))),
            number(f"now-{one.tier.rank}-due-soon", one.due_soon),
            number(f"now-{one.tier.rank}-overdue", one.overdue),
        ]
        for one in now.tiers
    ]
    return table(
        "Beside coverage, per tier",
        ["Tier", "Backed by a reply", "Windows kept in 13 weeks", "Due soon", "Overdue"],
        [(outside(one.tier.name, TIER_ROOM), row) for one, row in zip(now.tiers, rows, strict=True)],
    )


def recovery_table(found: Quarter, caption: str) -> Html:
    names = {one.tier.rank: one.tier.name for one in found.coverage.weeks}
    happened = found.coverage.recoveries
    rows = [
        (outside(name, TIER_ROOM), _recovered(f"quarter-{rank}", happened.get(rank, Recoveries())))
        for rank, name in sorted(names.items())
    ]
    if len(rows) > 1:
        rows.append((element("span", "All tiers"), _recovered("quarter-all", together_of(happened.values()))))
    return table(caption, ["Tier", "Opened", "Claimed", "Recovered", "Lapsed", "Median days to recovery"], rows)


def outside_table(found: Quarter) -> Html:
    now, read = found.coverage, found.read
    rows = [
        ("outside-new", "New", now.new, "never written to, and still within the first window"),
        ("outside-paused", "Paused", now.paused, "set aside by a lead, with a reason"),
        ("outside-blind", "Could not be seen", now.blind, "no mailbox of the owner has synced within 24 hours"),
        ("outside-untiered", "In no tier", now.untiered, "without a tier there is no window"),
        ("outside-ended", "Ended", read.ended, "no partner any more"),
    ]
    return count_table("Partners outside of coverage at this instant", rows)


def count_table(caption: str, rows: Sequence[tuple[str, str, int, str]]) -> Html:
    """What is counted under an id, how many there are, and what it means."""
    cells = [(name, [number(ident, count), why]) for ident, name, count, why in rows]
    return table(caption, ["What", "How many", "What it means"], cells, words=[2])


def week_tables(lines: Sequence[TrendLine]) -> Html | None:
    """One table for each tier that ever had a partner in these weeks."""
    ranks = [
        rank
        for rank in sorted({one.tier.rank for one in lines})
        if any(_told(one) for one in lines if one.tier.rank == rank)
    ]
    if not ranks:
        return None
    tables = [_week_table([one for one in lines if one.tier.rank == rank]) for rank in ranks]
    return element(
        "section",
        element("h2", "The weeks in numbers", id="weeks-title"),
        *tables,
        id="weeks",
        aria_labelledby="weeks-title",
        class_="on-screen",
    )


def _told(one: TrendLine) -> bool:
    return bool(
        one.coverage.eligible
        or one.new
        or one.blind
        or one.paused
        or one.on_time.eligible
        or one.recoveries != Recoveries()
    )


def _week_table(lines: Sequence[TrendLine]) -> Html:
    columns = [
        "Week of",
        "Covered",
        "By reply",
        "On time",
        "Overdue",
        "New",
        "Not seen",
        "Paused",
        "Opened",
        "Claimed",
        "Recovered",
        "Lapsed",
        "Days",
    ]
    bodies = []
    newest = lines[-1].week
    for source, those in groupby(lines, key=lambda one: one.source):
        said = "Reconstructed from mail" if source == coverage_words.RECONSTRUCTED else "As the weekly read was held"
        head = element("tr", element("th", said, scope="rowgroup", colspan=len(columns)))
        rows = [_row(_week(one.week, newest), _week_row(one), ()) for one in those]
        bodies.append(element("tbody", head, *rows))
    caption = together(
        outside(lines[-1].tier.name, TIER_ROOM), ": counts of partners; recoveries since the read before"
    )
    return _table(caption, columns, bodies, (), dense=True)


def _week(week: date, newest: date) -> str:
    """ "23 Nov": every week begins on a Monday."""
    return wording.on_day(week, newest).split(" ", 1)[1]


def _week_row(one: TrendLine) -> list[Html]:
    ident = f"week-{one.week.isoformat()}-{one.tier.rank}"
    counts = {"overdue": one.overdue, "new": one.new, "blind": one.blind, "paused": one.paused}
    return [
        both(f"{ident}-coverage", one.coverage),
        both(f"{ident}-reply-backed", one.reply_backed),
        both(f"{ident}-on-time", one.on_time),
        *(number(f"{ident}-{name}", count) for name, count in counts.items()),
        *_recovered(ident, one.recoveries),
    ]


def _recovered(ident: str, one: Recoveries) -> list[Html]:
    counts = {"opened": one.opened, "claimed": one.claimed, "recovered": one.recovered, "lapsed": one.lapsed}
    return [*(number(f"{ident}-{name}", count) for name, count in counts.items()), number(f"{ident}-days", one.days)]


def appendix(found: Quarter, zone: ZoneInfo) -> Html:
    """Partners by name, for whoever asked for it. Their owners and what they agreed stay out."""
    read = found.read
    lists = [
        _partners("Overdue", read.overdue, zone),
        _partners("Could not be seen", read.blind, zone),
        _partners("Waiting for our reply", read.reply_owed, zone),
        _partners("Next step left lying", read.step_stale, zone),
    ]
    shown = [one for one in lists if one is not None]
    return element(
        "section",
        element("h2", "Appendix: partners", id="partners-title"),
        *(shown or [element("p", "No partner is overdue, unseen or waiting.")]),
        id="partners",
        aria_labelledby="partners-title",
        class_="new-page",
    )


def _partners(title: str, those: Sequence[Standing], zone: ZoneInfo) -> Html | None:
    if not those:
        return None
    rows = [
        (
            outside(one.facts.name, PARTNER_ROOM),
            [
                outside(one.facts.tier.name, TIER_ROOM) if one.facts.tier else NONE,
                local_day(one.facts.last_touch_at, zone).isoformat() if one.facts.last_touch_at else "never",
                one.due_on.isoformat() if one.due_on else NONE,
                str(one.days_overdue or NONE),
            ],
        )
        for one in those
    ]
    columns = ["Partner", "Tier", "Last touch", "Due on", "Days overdue"]
    return table(f"{title}: {wording.plural(len(those), 'partner')}", columns, rows, words=[1, 2, 3], long=True)


def table(
    caption: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str | Html, Sequence[str | Html]]],
    *,
    words: Sequence[int] = (),
    long: bool = False,
) -> Html:
    """The first column heads its row; the others hold numbers unless they are among `words`."""
    return _table(
        caption, columns, [element("tbody", *(_row(head, cells, words) for head, cells in rows))], words, long=long
    )


def _table(
    caption: str | Html,
    columns: Sequence[str],
    bodies: Sequence[Html],
    words: Sequence[int],
    *,
    dense: bool = False,
    long: bool = False,
) -> Html:
    heads = [element("th", one, scope="col", class_=_align(at, words)) for at, one in enumerate(columns)]
    made = element(
        "table",
        element("caption", element("span", caption)),
        element("thead", element("tr", *heads)),
        *bodies,
        class_="dense" if dense else None,
    )
    # Wider than a phone, it scrolls by itself, also by the keyboard.
    name = caption if not isinstance(caption, Html) else "Weeks of one tier"
    return element("div", made, class_="scroll long" if long else "scroll", tabindex=0, role="region", aria_label=name)


def _row(head: str | Html, cells: Sequence[str | Html], words: Sequence[int]) -> Html:
    return element(
        "tr",
        element("th", head, scope="row"),
        *(element("td", one, class_=_align(at, words)) for at, one in enumerate(cells, 1)),
    )


def _align(at: int, words: Sequence[int]) -> str | None:
    return None if at == 0 or at in words else "number"
