"""`cadence coverage`: the weeks, the chart and what if, as a person or a program asks for them."""

import csv
import io
import math
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from PIL import Image
from rich.cells import cell_len

from bot import coverage_words
from bot.chart import COLOURS, draw
from bot.cli.chart import save_chart
from models.actions import claims, episodes
from models.actions.partners import pause_partner
from models.actions.reads import hold_read
from models.cadence import Tier
from models.queries.recoveries import Recoveries
from models.queries.standings import standings
from models.queries.trend import TrendLine, coverage_now, trend
from models.weekly_read import Coverage
from tests.cast import ACME, GLOBEX, INITECH, MONDAY, STARTED, TOMAS, TYRELL, UMBRELLA, ZONE, Cast, put_cast, put_touch
from tests.command_line import CommandLine
from tests.databases import ROOT, Database

WEEK = timedelta(weeks=1)
FIRST_SIX = ["week", "tier", "covered", "eligible", "coverage", "source"]


@pytest.fixture
def cast(database: Database) -> Cast:
    """Ten weeks of mail, two reads held, one recovery."""
    with database.sessions.begin() as session:
        cast = put_cast(session)
        for back in range(10):
            for partner, every in ((ACME, 1), (GLOBEX, 2), (UMBRELLA, 3)):
                if back % every == 0:
                    put_touch(session, cast, partner, MONDAY - WEEK * back - timedelta(days=1))
    for at in (MONDAY - WEEK, MONDAY):
        with database.sessions.begin() as session:
            assert hold_read(session, cast.programme, at)
            episodes.open_episodes(session, cast.programme, standings(session, cast.programme, at), at)
    with database.sessions.begin() as session:
        claims.claim(session, cast.programme, cast.partner(INITECH), cast.person(TOMAS), MONDAY)
    return cast


@pytest.fixture
def run(database: Database, cast: Cast) -> CommandLine:
    return CommandLine(database.url, now=MONDAY + timedelta(hours=1))


# --- the weeks ----------------------------------------------------------------------------------------------------


def test_the_weeks_are_those_of_the_trend_with_held_and_reconstructed_told_apart(
    database: Database, cast: Cast, run: CommandLine
) -> None:
    found = run("coverage", "--json", "--weeks", "6").json["weeks"]
    with database.reading() as session:
        lines = trend(session, cast.programme, run.now, 6)
    assert list(found[0])[:6] == FIRST_SIX
    assert [(one["week"], one["rank"], one["covered"], one["eligible"]) for one in found] == [
        (one.week.isoformat(), one.tier.rank, one.coverage.covered, one.coverage.eligible) for one in lines
    ]
    assert [one["source"] for one in found] == ["reconstructed"] * 12 + ["snapshot"] * 6
    assert [(one["on_time"], one["on_time_of"]) for one in found] == [
        (one.on_time.covered, one.on_time.eligible) for one in lines
    ]
    assert any(one["on_time_of"] for one in found)
    assert sum(one["opened"] for one in found) == sum(one.recoveries.opened for one in lines) > 0


def test_the_tiers_are_coverage_now_at_any_instant_also_before_the_installation(
    database: Database, cast: Cast, run: CommandLine
) -> None:
    for at in (MONDAY + timedelta(hours=1), MONDAY - 3 * WEEK, STARTED - 30 * WEEK):
        found = run("coverage", "--json", "--as-of", at.isoformat()).json
        with database.reading() as session:
            now = coverage_now(session, cast.programme, at)
        assert [(one["covered"], one["eligible"], one["new"], one["blind"]) for one in found["tiers"]] == [
            (one.coverage.covered, one.coverage.eligible, one.new, one.blind) for one in now
        ]
        assert [one["reply_backed_partners"] for one in found["tiers"]] == [one.reply_backed.covered for one in now]
        assert all(date.fromisoformat(one["week"]) <= at.date() for one in found["weeks"])


def test_who_is_not_counted_is_said_in_numbers(database: Database, cast: Cast, run: CommandLine) -> None:
    assert run("coverage", "--json").json["untiered"] == 1
    assert "Not counted: 1 in no tier." in run("coverage").out
    with database.sessions.begin() as session:
        for partner in (TYRELL, GLOBEX):
            pause_partner(session, cast.workspace_id, "test", cast.partner(partner), "moving", None, run.now)
    assert "Not counted: 2 paused." in run("coverage").out
    assert run("coverage", "--json").json["untiered"] == 0


def test_blind_partners_are_counted_and_named(database: Database) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session, observed_until=MONDAY - timedelta(days=3))
        for partner in (ACME, GLOBEX):
            put_touch(session, cast, partner, MONDAY - timedelta(days=9))
    said = CommandLine(database.url)("coverage").out
    assert "9 could not be seen" in said
    assert "Could not be seen: " in said
    assert "Acme" in said


def test_the_table_of_weeks_fits_eighty_columns_and_says_where_each_week_comes_from(
    database: Database, cast: Cast
) -> None:
    run = CommandLine(database.url, now=MONDAY + timedelta(hours=1), terminal=True)
    out = re.sub(r"\x1b\[[\d;]*m", "", run("coverage", "--weeks", "52").out)
    assert max(cell_len(line) for line in out.splitlines()) <= 80
    piped = CommandLine(database.url, now=run.now)("coverage", "--weeks", "12").out
    assert re.search(r"^2026-11-16 +Tier 1 .*snapshot$", piped, re.MULTILINE)
    assert re.search(r"^2026-11-09 +Tier 1 .*reconstructed$", piped, re.MULTILINE)
    assert "Recoveries in these 12 weeks: " in piped


def test_weeks_as_csv_begin_with_the_stable_columns(run: CommandLine) -> None:
    rows = list(csv.DictReader(io.StringIO(run("coverage", "--csv", "--weeks", "4").out)))
    assert list(rows[0])[:6] == FIRST_SIX
    assert len(rows) == 12
    tiers = list(csv.DictReader(io.StringIO(run("coverage", "--csv").out)))
    assert [one["tier"] for one in tiers] == ["Tier 1", "Tier 2", "Tier 3"]


def test_no_weeks_is_an_answer_too(run: CommandLine) -> None:
    assert run("coverage", "--json", "--weeks", "0").json["weeks"] == []
    assert "Week" not in run("coverage", "--weeks", "0").out


# --- what if ------------------------------------------------------------------------------------------------------


def test_what_if_says_what_becomes_of_each_tier_and_what_the_book_needs(run: CommandLine) -> None:
    said = run("coverage", "--what-if", "1=30,2=21+3").out
    assert re.search(r"Tier 1 at 30 days: (\d of 3 covered, \d+ %, becomes|stays at) \d of 3", said)
    assert "Tier 2 at 21 days and 3 days of grace: " in said
    assert "The book needs 2.4 touches a week instead of 5.2: shared by 3 partner managers, 0.8 each on average" in said
    assert "One touch per partner and window, for 9 partners" in said
    assert not any(name in said for name in ("Dana", "Priya", "Tomás", "Acme"))
    told = run("coverage", "--json", "--what-if", "1=30").json["what_if"]
    assert (told["managers"], told["touches_per_week"]) == (3, pytest.approx(5.2))
    first = told["tiers"][0]
    assert (first["window_days"], first["then_window_days"], first["rank"]) == (7, 30, 1)
    assert first["then_covered"] >= first["covered"]
    rows = list(csv.DictReader(io.StringIO(run("coverage", "--csv", "--what-if", "1=30").out)))
    assert [row["then_window_days"] for row in rows] == ["30", "14", "30"]


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("--what-if", "9=10"), "there is no tier 9; the tiers are 1, 2, 3"),
        (("--what-if", "soon"), "'soon' is not a tier and its days"),
        (("--what-if", "1=10", "--csv", "--weeks", "3"), "choose --weeks or --what-if"),
        (("--chart", "f.gif"), "'f.gif' does not end in .png, .svg or .pdf"),
        (("--chart", "f.png", "--weeks", "0"), "a chart needs --weeks"),
    ],
)
def test_what_is_wrong_is_one_line(run: CommandLine, args: tuple[str, ...], why: str) -> None:
    said = run("coverage", *args, status=2)
    assert why in said.err
    assert not said.out


# --- the chart ----------------------------------------------------------------------------------------------------


def lines_of(weeks: int, tiers: int, held: int = 0, *, eligible: int = 20, names: str = "Tier {}") -> list[TrendLine]:
    found = []
    for week in range(weeks):
        day = date(2026, 11, 23) - timedelta(weeks=weeks - 1 - week)
        at = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
        for rank in range(1, tiers + 1):
            figure = Coverage(min(eligible, (week * rank) % 21), eligible)
            source = "snapshot" if week >= weeks - held else "reconstructed"
            tier = Tier(rank, names.format(rank), 7 * rank)
            found.append(TrendLine(day, at, tier, figure, figure, figure, 0, 0, 0, 0, Recoveries(), source))
    return found


def points(line: Line2D) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in line.get_xydata().tolist()]  # type: ignore[union-attr]  # always an array


def words_in(figure: Figure) -> list[str]:
    return [text for one in figure.findobj(Text) if (text := str(one.get_text()))]


def test_the_chart_has_the_weeks_and_its_words_say_the_same(run: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "coverage.png"
    said = run("coverage", "--weeks", "8", "--chart", str(path))
    assert said.out.startswith("Coverage on Mon 23 Nov 2026")
    assert f"The chart is in {path}. Coverage over 8 weeks until Mon 23 Nov 2026. Tier 1: " in said.err
    held = "No read was held in 6 of these 8 weeks, so they are reconstructed from mail; the others are as their reads "
    assert f"{held}were held." in said.err
    with Image.open(path) as picture:
        assert picture.size == (1350, 750)
        assert picture.info["Description"] in said.err


def test_one_held_week_is_the_other_one() -> None:
    said = coverage_words.sources(lines_of(8, 1, 1)) or ""
    assert said.startswith("No read was held in 7 of these 8 weeks, so they are reconstructed from mail; ")
    assert said.endswith("; the other one is as its read was held.")


@pytest.mark.parametrize(("weeks", "tiers"), [(0, 0), (1, 1), (1, 3), (4, 5), (52, 1), (52, 5), (156, 9)])
def test_a_chart_of_any_shape_names_every_tier_at_its_line_and_both_numbers_below(weeks: int, tiers: int) -> None:
    lines = lines_of(weeks, tiers, weeks // 3)
    figure = draw(lines)
    words = words_in(figure)
    for rank in range(1, tiers + 1):
        assert any(re.fullmatch(rf"Tier {rank}: \d+ %", one) for one in words)
    caption = next((one for one in words if one.startswith("Week of")), "").replace("\xa0", " ").replace("\n", " ")
    for one in lines[-tiers:][: coverage_words.MOST_TIERS] if tiers else ():
        assert f"{one.tier.name}: {one.coverage.covered} of {one.coverage.eligible} covered" in caption
    assert ("No weekly read was due yet." in words) is (weeks == 0)
    figure.draw_without_rendering()
    width, height = figure.get_size_inches() * figure.dpi
    for text in figure.findobj(Text):
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert box.x0 >= 0, text
            assert box.x1 <= width, text
            assert box.y0 >= 0, text
            assert box.y1 <= height, text


def test_names_of_lines_that_end_together_do_not_lie_on_each_other() -> None:
    figure = draw([replace(one, coverage=Coverage(20, 20)) for one in lines_of(13, 5)])
    figure.draw_without_rendering()
    boxes = [one.get_window_extent() for one in figure.findobj(Text) if re.match(r"Tier \d: ", str(one.get_text()))]
    assert len(boxes) == 5
    assert not any(one.overlaps(other) for one in boxes for other in boxes if one is not other)


def test_lines_differ_by_dash_and_mark_and_their_colours_by_grey() -> None:
    axes = draw(lines_of(8, 5, 4)).axes[0]
    drawn = [line for line in axes.lines if len(points(line)) == 8]
    assert len({str(vars(line)["_dash_pattern"]) for line in drawn}) == len(drawn) == 5
    assert len({str(line.get_marker()) for line in axes.lines} - {"None", ""}) == 5
    greys = sorted(
        sum(part * int(one[at : at + 2], 16) for part, at in ((0.3, 1), (0.59, 3), (0.11, 5))) for one in COLOURS[:3]
    )
    assert all(after - before > 10 for before, after in pairwise(greys))


def test_reconstructed_weeks_have_hollow_marks_on_grey_and_are_labelled() -> None:
    figure = draw(lines_of(9, 1, 3))
    marks = {
        str(line.get_markerfacecolor()): [week for week, _ in points(line)]
        for line in figure.axes[0].lines
        if line.get_linestyle() == "None" and len(points(line)) > 1
    }
    assert marks == {"white": [0, 1, 2, 3, 4, 5], COLOURS[0]: [6, 7, 8]}
    assert "reconstructed from mail" in words_in(figure)
    assert "reconstructed from mail" not in " ".join(words_in(draw(lines_of(9, 1, 9))))


def test_weeks_without_eligible_partners_are_a_gap_and_not_zero() -> None:
    lines = [replace(one, coverage=Coverage(0, 0)) if one.week.day < 10 else one for one in lines_of(9, 1, 9)]
    (line,) = [one for one in draw(lines).axes[0].lines if len(points(one)) == 9 and one.get_linestyle() == "-"]
    undefined = [one.coverage.share is None for one in lines]
    assert [math.isnan(height) for _, height in points(line)] == undefined
    assert True in undefined
    nobody = draw([replace(one, coverage=Coverage(0, 0)) for one in lines])
    assert "No partner was eligible at these reads." in words_in(nobody)
    assert "no eligible partners" in coverage_words.picture(
        [replace(one, coverage=Coverage(0, 0)) for one in lines], ZONE
    )


@pytest.mark.parametrize(
    "name", ["$x^{2}$ {}", "$\\frac{{ {}", "戦略 🙂 {}", "<b>&{}", "\n{}", "\x00\u202e{}", "W" * 80 + "{}"]
)
def test_a_tier_of_any_name_is_drawn_literally_and_without_a_warning(name: str, tmp_path: Path) -> None:
    for suffix in ("png", "svg", "pdf"):
        lines = [
            replace(one, tier=replace(one.tier, name=name.replace("{}", str(one.tier.rank)))) for one in lines_of(3, 2)
        ]
        path = tmp_path / f"chart.{suffix}"
        save_chart(path, lines, ZONE)
        assert path.stat().st_size > 5_000


def test_a_chart_that_cannot_be_written_is_told_in_one_line(run: CommandLine, tmp_path: Path) -> None:
    said = run("coverage", "--chart", str(tmp_path / "nowhere" / "f.png"), status=1)
    assert "could not be written: No such file or directory" in said.err
    assert not said.out


def test_without_the_extra_one_line_says_what_to_install_and_nothing_else_needs_it(
    database: Database, cast: Cast, tmp_path: Path
) -> None:
    """In a process of its own, to which matplotlib is not to be had."""
    program = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from bot.cli.app import cadence\n"
        "cadence(sys.argv[1:], standalone_mode=True)"
    )

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        env = {"CADENCE_DATABASE_URL": database.url, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        command = [sys.executable, "-c", program, "coverage", "--as-of", "2026-11-23T10:00Z", *args]
        return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)

    without = run("--chart", str(tmp_path / "f.png"))
    assert (without.returncode, without.stdout) == (1, "")
    assert without.stderr.strip() == "cadence: a chart needs matplotlib: install Cadence with its `charts` extra"
    assert run("--weeks", "2").returncode == 0


def test_drawing_leaves_nothing_but_the_picture(database: Database, cast: Cast, tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    folder.mkdir()
    env = {"CADENCE_DATABASE_URL": database.url, "PATH": "/usr/bin:/bin", "HOME": str(home), "TMPDIR": str(folder)}
    command = [sys.executable, "-m", "bot", "coverage", "--chart", str(tmp_path / "f.png")]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(home.iterdir())
    assert not list(folder.iterdir())
    assert (tmp_path / "f.png").exists()


def test_a_picture_begins_with_the_first_figure_and_says_so() -> None:
    lines = lines_of(52, 2)
    young = [one if one.week >= date(2026, 8, 31) else replace(one, coverage=Coverage(0, 0)) for one in lines]
    assert coverage_words.begun(young)[0].week == date(2026, 8, 31)
    assert coverage_words.before_it_began(young) == "No partner was eligible before Mon 31 Aug."
    assert coverage_words.before_it_began(lines) is None
    nobody = [replace(one, coverage=Coverage(0, 0)) for one in lines]
    assert (coverage_words.begun(nobody), coverage_words.before_it_began(nobody)) == (nobody, None)
