"""Coverage over weeks as inline SVG, once for a page and once for a phone. Nothing is told by colour alone.

Each tier has its own dash, its own mark and its name at the end of its line. Colours stand in the page's style.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from bot import coverage_words, wording
from bot.report.markup import Html, element, together
from models.queries.trend import TrendLine
from models.weekly_read import Coverage

MOST_LINES = 8
LABEL_APART = 17
DATE_ROOM = 52
LETTER = 6.8  # width of a letter at the size of the names
TOP, BOTTOM, LEFT = 14, 44, 46
_MARKS = (
    "M-4.5,0a4.5,4.5 0 1,0 9,0a4.5,4.5 0 1,0 -9,0z",  # disc
    "M-4,-4h8v8h-8z",  # square
    "M0,-5.2L5,3.8H-5z",  # triangle
    "M0,-5.6L5.6,0L0,5.6L-5.6,0z",  # diamond
    "M0,5.2L5,-3.8H-5z",  # triangle, upside down
    "M-1.7,-5h3.4v3.3h3.3v3.4h-3.3v3.3h-3.4v-3.3h-3.3v-3.4h3.3z",  # plus
    "M0,-5.6L5.3,-1.7L3.3,4.5H-3.3L-5.3,-1.7z",  # pentagon
    "M-5.2,-3h10.4v6h-10.4z",  # bar
)


@dataclass(frozen=True, slots=True)
class Paper:
    """How large it is drawn, and how much of that is for the names at the right."""

    kind: str
    width: int
    height: int
    names: int

    @property
    def right(self) -> int:
        return self.width - self.names

    @property
    def floor(self) -> int:
        return self.height - BOTTOM


PAPERS = (Paper("wide", 760, 330, 160), Paper("narrow", 360, 300, 120))


def charts(lines: Sequence[TrendLine], spoken: str) -> Html | None:
    """The chart on both papers; None where there is no line to draw. `spoken` says the same to whoever hears it."""
    lines = coverage_words.begun(lines)
    weeks = sorted({one.week for one in lines})
    drawn = {one.tier.rank: one.tier.name for one in lines}  # the newest name wins
    known = {(one.week, one.tier.rank): one.coverage for one in lines if one.coverage.eligible}
    ranks = [rank for rank in sorted(drawn) if any(rank == other for _, other in known)][:MOST_LINES]
    if len({week for week, _ in known}) < 2:
        return None
    made = [
        week for week in weeks if any(one.week == week and one.source == coverage_words.RECONSTRUCTED for one in lines)
    ]
    return together(
        *(_chart(paper, weeks, {rank: drawn[rank] for rank in ranks}, known, made, spoken) for paper in PAPERS)
    )


def left_out(lines: Sequence[TrendLine]) -> str | None:
    """What a reader should know who does not find a tier in the chart."""
    eligible = {one.tier.rank for one in lines if one.coverage.eligible}
    more = len(eligible) - MOST_LINES
    return (
        f"The chart shows the first {MOST_LINES} tiers; the tables below show all {len(eligible)}."
        if more > 0
        else None
    )


def _chart(
    paper: Paper,
    weeks: Sequence[date],
    names: dict[int, str],
    known: dict[tuple[date, int], Coverage],
    made: Sequence[date],
    spoken: str,
) -> Html:
    step = (paper.right - LEFT - 16) / max(len(weeks) - 1, 1)
    across = {week: LEFT + 8 + at * step for at, week in enumerate(weeks)}

    def height(coverage: Coverage) -> float:
        return paper.floor - (coverage.share or 0) * (paper.floor - TOP)

    points = {
        rank: [(week, across[week], height(known[week, rank])) for week in weeks if (week, rank) in known]
        for rank in names
    }
    ends = [
        (found[-1][2], found[-1][1], number, _end(paper, names[rank], known.get((weeks[-1], rank))))
        for number, (rank, found) in enumerate(points.items())
        if found
    ]
    return element(
        "svg",
        _ground(paper, weeks, across, made, step),
        _grid(paper),
        _dates(paper, weeks, across),
        *(_line(number, _runs(weeks, found), made, len(weeks), paper) for number, found in enumerate(points.values())),
        _names(paper, ends),
        class_=f"chart {paper.kind}",
        viewBox=f"0 0 {paper.width} {paper.height}",
        role="img",
        aria_label=spoken,
    )


def _ground(paper: Paper, weeks: Sequence[date], across: dict[date, float], made: Sequence[date], step: float) -> Html:
    """A grey ground behind the weeks that no read was held in, with a word on the longest stretch of them."""
    runs: list[list[date]] = []
    for at, week in enumerate(weeks):
        if week in made:
            if runs and at and runs[-1][-1] == weeks[at - 1]:
                runs[-1].append(week)
            else:
                runs.append([week])
    pieces: list[Html] = []
    half = min(step / 2, 8 if len(weeks) < 2 else step / 2)
    for run in runs:
        low, high = max(across[run[0]] - half, LEFT), min(across[run[-1]] + half, paper.right)
        pieces.append(element("rect", class_="made", x=low, y=TOP, width=high - low, height=paper.floor - TOP))
    longest = max(runs, key=len, default=[])
    if longest and (len(longest) - 0.5) * step > 21 * LETTER:
        word = "reconstructed from mail"
        pieces.append(
            element("text", word, class_="word", x=max(across[longest[0]] - half, LEFT) + 6, y=paper.floor - 7)
        )
    return together(*pieces)


def _grid(paper: Paper) -> Html:
    pieces = []
    for share in (0, 25, 50, 75, 100):
        y = paper.floor - share / 100 * (paper.floor - TOP)
        pieces.append(element("line", class_="grid", x1=LEFT, x2=paper.right, y1=y, y2=y))
        pieces.append(element("text", f"{share} %", class_="axis", x=LEFT - 7, y=y + 4, text_anchor="end"))
    return together(*pieces)


def _dates(paper: Paper, weeks: Sequence[date], across: dict[date, float]) -> Html:
    """As many as there is room for, the newest in any case; the year where it begins."""
    every = max(1, -(-len(weeks) * DATE_ROOM // (paper.right - LEFT)))
    pieces, year = [], 0
    for at in range((len(weeks) - 1) % every, len(weeks), every):
        week = weeks[at]
        day = wording.on_day(week, week).split(" ", 1)[1]
        pieces.append(element("text", day, class_="axis", x=across[week], y=paper.floor + 18, text_anchor="middle"))
        if week.year != year:
            pieces.append(
                element("text", str(week.year), class_="axis", x=across[week], y=paper.floor + 34, text_anchor="middle")
            )
        year = week.year
    return together(*pieces)


Point = tuple[date, float, float]


def _runs(weeks: Sequence[date], found: Sequence[Point]) -> list[list[Point]]:
    """The points in stretches: where nobody was eligible the line has a gap."""
    place = {week: at for at, week in enumerate(weeks)}
    runs: list[list[Point]] = []
    for point in found:
        if runs and place[point[0]] == place[runs[-1][-1][0]] + 1:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def _line(number: int, runs: Sequence[Sequence[Point]], made: Sequence[date], weeks: int, paper: Paper) -> Html:
    every = -(-weeks // (26 if paper.kind == "wide" else 14))
    all_points = [point for run in runs for point in run]
    pieces = [
        element("polyline", class_="line", points=" ".join(f"{x:.1f},{y:.1f}" for _, x, y in run))
        for run in runs
        if len(run) > 1
    ]
    alone = {run[0] for run in runs if len(run) == 1}
    for back, point in enumerate(reversed(all_points)):
        if back % every == 0 or point in alone:
            kind = "hollow" if point[0] in made else "full"
            pieces.append(_mark(number, point[1], point[2], kind))
    return element("g", *pieces, class_=f"tier t{number}")


def _names(paper: Paper, ends: Sequence[tuple[float, float, int, str]]) -> Html:
    """Names at the right, moved apart where lines end close together, each with a thread to its line."""
    pieces = []
    at: list[float] = []
    ordered = sorted(ends)
    for y, *_ in ordered:
        at.append(max(y, at[-1] + LABEL_APART) if at else y)
    low = float(paper.floor)
    for index in range(len(at) - 1, -1, -1):
        at[index] = min(at[index], low)
        low = at[index] - LABEL_APART
    for (y, x, number, words), shown in zip(ordered, at, strict=True):
        thread = f"{x:.1f},{y:.1f} {paper.right + 2},{shown:.1f} {paper.right + 6},{shown:.1f}"
        pieces.append(
            element(
                "g",
                element("polyline", class_="thread", points=thread),
                _mark(number, paper.right + 13, shown, "full"),
                element("text", words, class_="name", x=paper.right + 22, y=shown + 4.5),
                class_=f"tier t{number}",
            )
        )
    return together(*pieces)


def _mark(number: int, x: float, y: float, kind: str) -> Html:
    return element(
        "path", class_=f"mark {kind}", d=_MARKS[number % len(_MARKS)], transform=f"translate({x:.1f} {y:.1f})"
    )


def _end(paper: Paper, name: str, now: Coverage | None) -> str:
    figure = f"{wording.percent(now)} %" if now is not None else "none now"
    room = int((paper.names - 24) / LETTER) - len(figure) - 2
    return f"{wording.plain(name, max(room, 4))}: {figure}"
