"""Coverage over weeks as a picture, drawn with matplotlib where it is installed. It fetches nothing.

Nothing is told by colour alone: each tier has its own dash, its own marker and its name at the end of its line.
"""

import logging
import textwrap
from collections.abc import Callable, Sequence
from datetime import date
from io import BytesIO
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from bot import coverage_words, wording
from models.queries.trend import TrendLine
from models.settings import lent
from models.weekly_read import Coverage

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_LABELS, MOST_MARKS = 9, 52
NAME_ROOM = 13
APART = 6.5  # per cent between two names at the end of their lines
# Okabe and Ito's colours, which people who see few colours tell apart, in an order whose greys differ as well.
COLOURS = ("#000000", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.6)), (0, (7, 2, 1.5, 2)), (0, (3, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY, PALE = "#595959", "#EFEFEF"


class End(NamedTuple):
    """Where a line ends, and what stands beside it."""

    height: float
    order: int
    week: int
    words: str
    colour: str
    marker: str


class NoCharts(Exception):
    """matplotlib is not installed: it is an extra."""


def chart(lines: Sequence[TrendLine], zone: ZoneInfo, kind: str = "png") -> bytes:
    """The picture as a file of this kind: png, svg or pdf. Raises NoCharts."""
    said = coverage_words.picture(lines, zone)
    # What a reader that shows no pictures shows instead; of PDF only these keys are known.
    about = {"Title": "Cadence coverage", ("Subject" if kind == "pdf" else "Description"): said}
    undated = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
    with TemporaryDirectory(prefix="cadence-chart-") as folder, lent(MPLCONFIGDIR=folder):
        try:
            import matplotlib  # noqa: F401  # asked for first, so that only its own absence is told as such
        except ModuleNotFoundError as error:
            raise NoCharts from error
        logging.getLogger("matplotlib").setLevel(logging.ERROR)  # its font cache is new each time
        written = BytesIO()
        draw(lines).savefig(written, format=kind, metadata=about | undated)
    return written.getvalue()


def draw(lines: Sequence[TrendLine]) -> "Figure":
    """One line per tier over the weeks; where nobody was eligible it has a gap."""
    from matplotlib.figure import Figure

    asked, lines = lines, coverage_words.begun(lines)
    weeks = sorted({one.week for one in lines})
    figure = Figure(figsize=(9, 5), dpi=150, facecolor="white")
    axes = figure.add_axes((0.075, 0.225, 0.69, 0.665))
    _frame(axes, weeks)
    title = f"Covered of the eligible partners, {wording.plural(len(weeks), 'weekly read')}"
    _words(axes.set_title, title, loc="left", fontsize=13)
    figures = {(one.week, one.tier.rank): one.coverage for one in lines}
    made = [one.source == coverage_words.RECONSTRUCTED for one in {one.week: one for one in lines}.values()]
    _shade(axes, made)
    ends: list[End] = []
    names = {one.tier.rank: one.tier.name for one in lines}  # the newest name wins
    for number, (rank, name) in enumerate(sorted(names.items())):
        line = [figures.get((week, rank)) for week in weeks]
        ends += _tier(axes, number, name, line, made)
    _names(axes, ends, len(weeks))
    if not ends and lines:
        _words(axes.text, 0.5, 0.5, "No partner was eligible at these reads.", transform=axes.transAxes, ha="center")
    if not lines:
        _words(axes.text, 0.5, 0.5, "No weekly read was due yet.", transform=axes.transAxes, ha="center")
    _caption(figure, asked, made)
    return figure


def _frame(axes: "Axes", weeks: Sequence[date]) -> None:
    axes.set_ylim(-8, 104)
    axes.set_xlim(-0.5, max(len(weeks), 1) - 0.5)
    axes.set_yticks(range(0, 101, 20), [f"{one} %" for one in range(0, 101, 20)])
    axes.grid(axis="y", color="#D0D0D0", linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    step = -(-len(weeks) // MOST_LABELS) or 1
    shown = list(range((len(weeks) - 1) % step, len(weeks), step))  # the newest week has its date in any case
    labels, year = [], None
    for at in shown:
        labels.append(f"{wording.on_day(weeks[at], weeks[at]).split(' ', 1)[1]}" + _year(weeks[at], year))
        year = weeks[at].year
    axes.set_xticks(shown, labels)
    axes.tick_params(colors="#333333", length=3)


def _year(day: date, told: int | None) -> str:
    return "" if day.year == told else f"\n{day.year}"


def _shade(axes: "Axes", made: Sequence[bool]) -> None:
    """A grey ground behind the weeks that no read held."""
    runs: list[list[int]] = []
    for at, one in enumerate(made):
        if one and runs and runs[-1][1] == at - 1:
            runs[-1][1] = at
        elif one:
            runs.append([at, at])
    for low, high in runs:
        axes.axvspan(low - 0.5, high + 0.5, color=PALE, linewidth=0, zorder=0)
    if runs:
        low, high = max(runs, key=lambda run: run[1] - run[0])
        wide = (high - low + 1) / len(made) > 0.3
        word = "reconstructed from mail" if wide else "reconstr."
        _words(axes.text, low - 0.4, -5, word, fontsize=8, color=GREY, va="center", style="italic")


def _tier(axes: "Axes", number: int, name: str, line: Sequence[Coverage | None], made: Sequence[bool]) -> list[End]:
    """Draws one tier; answers where its name belongs, or nothing if it never had a figure."""
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    heights = [float("nan") if one is None or one.share is None else 100 * one.share for one in line]
    places = range(len(line))
    axes.plot(places, heights, color=colour, linestyle=DASHES[number % len(DASHES)], linewidth=1.8, zorder=3)
    every = -(-len(line) // MOST_MARKS)
    for hollow in (True, False):
        those = [at for at in places if made[at] is hollow and (len(line) - 1 - at) % every == 0]
        face = "white" if hollow else colour
        axes.plot(
            those, [heights[at] for at in those], linestyle="", marker=marker, clip_on=False, zorder=4,
            markersize=6.0 if len(line) < 27 else 4.5, markerfacecolor=face, markeredgecolor=colour,
        )  # fmt: skip
    known = [at for at, one in enumerate(line) if one is not None and one.eligible]
    if not known:
        return []
    newest = line[-1]
    figure = f"{wording.percent(newest)} %" if newest is not None and newest.eligible else "none now"
    return [End(heights[known[-1]], -number, known[-1], f"{wording.plain(name, NAME_ROOM)}: {figure}", colour, marker)]


def _names(axes: "Axes", ends: Sequence[End], weeks: int) -> None:
    """The names at the right, moved apart where lines end close together, each with a thread to its line."""
    edge, step = weeks - 0.5, max(weeks, 1) * 0.02
    for end, at in _apart(sorted(ends)):
        axes.plot(
            [end.week, edge + step, edge + 2 * step], [end.height, at, at],
            color=end.colour, linewidth=0.7, alpha=0.7, clip_on=False, zorder=2,
        )  # fmt: skip
        axes.plot([edge + 2.2 * step], [at], marker=end.marker, color=end.colour, markersize=6, clip_on=False)
        _words(axes.text, edge + 3.1 * step, at, end.words, color="#222222", va="center", fontsize=10, clip_on=False)


def _apart(ends: Sequence[End]) -> list[tuple[End, float]]:
    """Heights at least APART from each other and within the axes, as near to the lines' ends as that allows."""
    apart = min(APART, 100 / max(len(ends) - 1, 1))
    at: list[float] = []
    for end in ends:
        at.append(max(end.height, at[-1] + apart) if at else end.height)
    top = 100.0
    for index in range(len(at) - 1, -1, -1):
        at[index] = min(at[index], top)
        top = at[index] - apart
    return list(zip(ends, at, strict=True))


def _caption(figure: "Figure", lines: Sequence[TrendLine], made: Sequence[bool]) -> None:
    """The last read with both its numbers, and what the marks mean."""
    if not lines:
        return
    last = lines[-1].week
    said = [f"{wording.plain(one.tier.name, 40)}: {wording.counted(one.coverage)}" for one in lines if one.week == last]
    said = [one.replace(" ", "\u00a0") for one in said]  # a line breaks between tiers
    paragraphs = [f"Week of {wording.on_day(last, last)} {last.year} – {coverage_words.limited(said)}."]
    if any(made):
        filled = "; filled marks: as the weekly read was held" if not all(made) else ""
        paragraphs.append(f"Hollow marks on grey: reconstructed from mail{filled}.")
    if left_out := coverage_words.before_it_began(lines):
        paragraphs[-1] += f" {left_out}"
    text = "\n".join(textwrap.fill(one, 128) for one in paragraphs)
    _words(figure.text, 0.02, 0.02, text, fontsize=8.5, color="#333333", va="bottom")


def _words(put: Callable[..., Any], *args: Any, **more: Any) -> None:
    """Puts a text, literally: matplotlib would read formulas between dollar signs, and warn of signs it has not."""
    put(*(_drawable(one) if isinstance(one, str) else one for one in args), parse_math=False, **more)


def _drawable(text: str) -> str:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    known = get_font(findfont(FontProperties())).get_charmap()
    return "".join(one if one == "\n" or ord(one) in known else "□" for one in text)
