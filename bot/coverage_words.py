"""What is said about coverage over time and under other windows: plain text for every surface, no name of a person."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

from bot import wording
from models.cadence import Tier
from models.clock import local_day
from models.queries.coverage import CoverageOverTime
from models.queries.recoveries import Recoveries, together
from models.queries.trend import TrendLine
from models.weekly_read import Coverage
from models.what_if import Outlook, TierOutlook, Under

MOST_TIERS = 8
RECONSTRUCTED = "reconstructed"


def page(found: CoverageOverTime, zone: ZoneInfo) -> list[str]:
    """The four sentences of the page: coverage, replies, windows kept, recoveries; each tier with both its numbers."""
    today = local_day(found.at, zone)
    now = [(one.tier, one.coverage) for one in found.tiers]
    replies = [f"{wording.name(one.tier.name)}: {_both(one.reply_backed)}" for one in found.tiers]
    said = [
        coverage(now, found.weeks, today),
        f"Backed by a reply – {limited(replies)}." if replies else None,
        on_time(found.weeks, today),
        recoveries(found.weeks),
    ]
    return [one for one in said if one]


def picture(lines: Sequence[TrendLine], zone: ZoneInfo) -> str:
    """What a chart of these weeks shows, for those who cannot see it: said as on the page, of the last read."""
    if not lines:
        return "No weekly read was due in these weeks."
    last, today = lines[-1].week, local_day(lines[-1].at, zone)
    weeks = wording.plural(len({one.week for one in lines}), "week")
    now = [(one.tier, one.coverage) for one in lines if one.week == last]
    about = f"Coverage over {weeks} until {wording.on_day(last, last)} {last.year}."
    return " ".join(filter(None, [about, coverage(now, lines, today), sources(lines)]))


def coverage(now: Sequence[tuple[Tier, Coverage]], before: Sequence[TrendLine], today: date) -> str:
    """ "Tier 1: 18 of 29 covered, 62 % (up 9 points since Mon 24 Aug); Tier 2: …": compared with the oldest figure."""
    parts: list[str] = []
    told: date | None = None
    for tier, figure in now:
        covered = wording.counted(figure, "" if parts and figure.eligible else "covered")
        then = oldest(before, tier.rank)
        moved = wording.change(figure, then.coverage if then else None)
        if then and moved:
            covered += f" ({moved}{'' if then.week == told else f' since {wording.on_day(then.week, today)}'})"
            told = then.week
        parts.append(f"{wording.name(tier.name)}: {covered}")
    return f"{limited(parts)}." if parts else "No tiers are set yet."


def oldest(lines: Sequence[TrendLine], rank: int) -> TrendLine | None:
    """The first week in which the tier had a figure: what today's is compared with. The newest week is no past."""
    newest = lines[-1].week if lines else date.min
    return next((one for one in lines if one.tier.rank == rank and one.coverage.eligible and one.week < newest), None)


def on_time(lines: Sequence[TrendLine], today: date) -> str | None:
    """Of the cadence windows that ended in the 13 weeks before the last read, how many were closed in time."""
    if not lines:
        return None
    last = lines[-1].week
    parts = [f"{wording.name(one.tier.name)}: {_both(one.on_time)}" for one in lines if one.week == last]
    return f"Windows kept in the 13 weeks before {wording.on_day(last, today)} – {limited(parts)}."


def recoveries(lines: Sequence[TrendLine]) -> str | None:
    """Of all tiers together, and never of a person."""
    if not lines:
        return None
    weeks = len({one.week for one in lines})
    of = "that week" if weeks == 1 else f"these {weeks} weeks"
    all_of_them = together(one.recoveries for one in lines)
    if all_of_them == Recoveries():
        return f"Recoveries in {of}: none."
    told = [f"{getattr(all_of_them, word)} {word}" for word in ("opened", "claimed", "recovered", "lapsed")]
    took = "" if all_of_them.days is None else f"; median to recovery: {_days(all_of_them.days)}"
    return f"Recoveries in {of}: {', '.join(told)}{took}."


def sources(lines: Iterable[TrendLine], *, mail: bool = True) -> str | None:
    """Which weeks come from no held read; None when all do. `mail`: whether there is any to reconstruct a week from."""
    weeks = {one.week: one.source for one in lines}
    if weeks and not mail:
        return "No mail with a partner has been captured yet, so these weeks tell nothing so far."
    made = sum(source == RECONSTRUCTED for source in weeks.values())
    if not made:
        return None
    if made == len(weeks):
        return "No read was held in these weeks: they are reconstructed from mail."
    rest = (
        "the other one is as its read was held" if len(weeks) - made == 1 else "the others are as their reads were held"
    )
    held = f"No read was held in {made} of these {len(weeks)} weeks"
    return f"{held}, so {'it is' if made == 1 else 'they are'} reconstructed from mail; {rest}."


def outside(found: CoverageOverTime) -> str | None:
    """Who is not counted, as numbers; None when everybody is."""
    said = wording.outside(found.paused, found.new, found.untiered, found.blind)
    return f"{said}." if said else None


def limited(parts: Sequence[str]) -> str:
    """The first tiers, and how many more there are."""
    more = len(parts) - MOST_TIERS
    return "; ".join([*parts[:MOST_TIERS], *([wording.plural(more, "more tier")] if more > 0 else [])])


def begun(lines: Sequence[TrendLine]) -> Sequence[TrendLine]:
    """From the first week on in which anybody counted: what a picture shows."""
    first = next((one.week for one in lines if one.coverage.eligible), None)
    return lines if first is None else [one for one in lines if one.week >= first]


def before_it_began(lines: Sequence[TrendLine]) -> str | None:
    """What a picture says about the weeks that it leaves out at its start."""
    shown = begun(lines)
    if len(shown) == len(lines):
        return None
    return f"No partner was eligible before {wording.on_day(shown[0].week, lines[-1].week)}."


def evenly(count: int, most: int) -> list[int]:
    """At most `most` places of `count`, spread evenly, with the first and the last."""
    if count <= most:
        return list(range(count))
    return [round(step * (count - 1) / (most - 1)) for step in range(most)]


# Other windows


def what_if(outlook: Outlook) -> list[str]:
    """ "Tier 1 at 10 days: 20 of 28 covered, 71 %, becomes 25 of 28, 89 %."; then what the book needs."""
    changed = [one for one in outlook.tiers if one.changed]
    said = [f"{_becomes(one)}." for one in changed[:MOST_TIERS]]
    if len(changed) > MOST_TIERS:
        said.append(f"{wording.plural(len(changed) - MOST_TIERS, 'more tier')} would change.")
    if not said:
        said = ["These are the windows as they are: nothing would change."]
    return [*said, needed(outlook)]


def needed(outlook: Outlook) -> str:
    now, then = outlook.touches_now, outlook.touches_then
    book = f"The book needs {decimal(then)} touches a week"
    if now != then:
        book += f" instead of {decimal(now)}"
    shared = ""
    each_now, each_then = outlook.each(now), outlook.each(then)
    if each_now is not None and each_then is not None:
        owners = wording.plural(outlook.owners, "partner manager")
        before = f" instead of {decimal(each_now)}" if now != then else ""
        shared = f": shared by {owners}, {decimal(each_then)} each on average{before}"
    return f"{book}{shared}."


def counted_touches(outlook: Outlook) -> str:
    """What the sum of touches counts, exactly."""
    those = wording.plural(sum(one.then.clocked for one in outlook.tiers), "partner")
    return (
        f"One touch per partner and window, for {those}: also the new and those that could not be seen, "
        "but not the paused, the ended or those in no tier. Days of grace are not counted on."
    )


def decimal(number: Fraction) -> str:
    """ "34.2", "41"."""
    return _number(float(number))


def _becomes(one: TierOutlook) -> str:
    target = f"{wording.name(one.then.tier.name)} at {wording.plural(one.then.tier.window_days, 'day')}"
    if one.then.tier.grace_days != one.now.tier.grace_days:
        target += f" and {wording.plural(one.then.tier.grace_days, 'day')} of grace"
    now, then = wording.counted(one.now.coverage), wording.counted(one.then.coverage, "")
    moved = _shifted(one.now, one.then)
    becomes = f"stays at {now}" if one.now.coverage == one.then.coverage else f"{now}, becomes {then}"
    return f"{target}: {becomes}{f' ({moved})' if moved else ''}"


def _shifted(now: Under, then: Under) -> str:
    """How many more or fewer stand outside: the number of the eligible changes with the window too."""
    counts: Mapping[str, tuple[int, int]] = {"new": (now.new, then.new), "could not be seen": (now.blind, then.blind)}
    return ", ".join(
        f"{word}: {after} instead of {before}" for word, (before, after) in counts.items() if before != after
    )


def _both(figure: Coverage) -> str:
    return wording.counted(figure, "") if figure.eligible else "none"


def _number(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _days(number: float) -> str:
    return f"{_number(number)} day{'' if number == 1 else 's'}"
