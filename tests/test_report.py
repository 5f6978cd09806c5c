"""The leader's page: its figures are everybody's figures, it loads nothing, and no name can break it."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright
from sqlalchemy.orm import Session

from bot import coverage_words
from bot.report.chart import MOST_LINES
from bot.report.page import report_page
from bot.views.coverage import coverage_answer
from bot.views.monthly import monthly_payload
from models.actions import claims, episodes
from models.actions.partners import pause_partner
from models.actions.programme import set_tier, the_workspace
from models.actions.reads import hold_read
from models.actions.shutdowns import add_shutdown
from models.cadence import Shutdown, State, Status, Tier
from models.queries.coverage import coverage_over_time
from models.queries.programme import programmes
from models.queries.quarter import quarter
from models.queries.reads import weekly_read
from models.queries.standings import standings
from models.queries.trend import coverage_now, trend
from models.settings import load_settings
from models.weekly_read import Coverage
from tests.cast import (
    ACME,
    DANA,
    GLOBEX,
    INITECH,
    MONDAY,
    PARTNERS,
    PEOPLE,
    TYRELL,
    UMBRELLA,
    ZONE,
    Cast,
    put_cast,
    put_touch,
)
from tests.command_line import CommandLine
from tests.databases import Database

NOW = MONDAY + timedelta(minutes=5)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = "</td><script>alert(1)</script> & \u202egnp.exe \u0627\u0644\u0639\u0631\u0628" + "x" * 400
VOID = {"meta", "link", "br"}


@dataclass
class Seen(HTMLParser):
    """A page as a program reads it: figures by id, tags and texts; it fails where tags do not match."""

    figures: dict[str, str] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    open: list[tuple[str, str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag == "data":
            assert found["id"] not in self.figures, found
            self.figures[str(found["id"])] = str(found["value"])
        if tag not in VOID:
            self.open.append((tag, found.get("id")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1][0] != "style":
            self.texts.append(data)
            for _, ident in self.open:
                if ident:
                    self.shown[ident] = self.shown.get(ident, "") + data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).replace("\u00a0", " ").split())


def seen(page: str) -> Seen:
    found = Seen()
    found.feed(page)
    found.close()
    assert not found.open
    return found


def page_of(database: Database, cast: Cast, now: datetime = NOW, weeks: int = 13, *, partners: bool = False) -> str:
    with database.reading() as session:
        programme = programmes(session, load_settings())[0]
        return report_page(quarter(session, programme, now, weeks), ZONE, partners=partners)


def live(session: Session) -> Cast:
    """Ten partners over a quarter: some keep their rhythm, some slip, one is paused; four reads were held."""
    cast = put_cast(session)
    for number, partner in enumerate(PARTNERS):
        every = (5, 9, 6, 12, 20, 13, 25, 40, 28, 10)[number]
        newest = (1, 9, 8, 3, 17, 5, 12, 35, 2, 4)[number]
        for days in range(newest, 84, every):
            put_touch(session, cast, partner, MONDAY - timedelta(days=days, hours=3))
            if number % 2:
                put_touch(session, cast, partner, MONDAY - timedelta(days=days, hours=1), by=f"hi@{partner.domains[0]}")
    add_shutdown(
        session, cast.workspace_id, "test", Shutdown(date(2026, 10, 5), date(2026, 10, 7), "Company days"), MONDAY
    )
    programme = programmes(session, load_settings())[0]
    for back in (3, 2, 1, 0):
        for days in range(6, -1, -1):
            at = MONDAY - timedelta(weeks=back, days=days)
            episodes.settle_episodes(session, programme, at)
            late = [one for one in standings(session, programme, at) if one.state is State.OVERDUE]
            episodes.open_episodes(session, programme, late, at)
            session.flush()
            for one in standings(session, programme, at)[::3]:
                if one.facts.episode and one.claim is None:
                    claims.claim(session, programme, one.facts.episode.id, cast.person(DANA), at)
            claims.lapse_claims(session, programme, at)
        hold_read(session, programme, at)
    pause_partner(session, cast.workspace_id, "test", cast.partner(UMBRELLA), "holidays", None, MONDAY)
    return replace(cast, programme=programme)


@pytest.fixture
def cast(database: Database) -> Cast:
    with database.sessions.begin() as session:
        return live(session)


def both(coverage: Coverage) -> str:
    return f"{coverage.covered}/{coverage.eligible}"


def test_every_figure_is_the_one_that_the_queries_and_the_other_surfaces_say(database: Database, cast: Cast) -> None:
    page = seen(page_of(database, cast))
    with database.reading() as session:
        now, lines = coverage_now(session, cast.programme, NOW), trend(session, cast.programme, NOW, 13)
        over_time = coverage_over_time(session, cast.programme, NOW, 13)
        read = weekly_read(session, cast.programme, NOW)
    expected = {"now-all-coverage": both(read.overall)}
    for one in now:
        last = next(line for line in reversed(lines) if line.tier.rank == one.tier.rank)
        expected |= {
            f"now-{one.tier.rank}-coverage": both(one.coverage),
            f"now-{one.tier.rank}-reply-backed": both(one.reply_backed),
            f"now-{one.tier.rank}-on-time": both(last.on_time),
            f"now-{one.tier.rank}-due-soon": str(one.due_soon),
            f"now-{one.tier.rank}-overdue": str(one.overdue),
        }
    for line in lines:
        happened = line.recoveries
        counts = {name: getattr(line, name) for name in ("overdue", "new", "blind", "paused")}
        counts |= {name: getattr(happened, name) for name in ("opened", "claimed", "recovered", "lapsed")}
        ident = f"week-{line.week}-{line.tier.rank}"
        expected |= {f"{ident}-{name}": str(count) for name, count in counts.items()}
        expected |= {
            f"{ident}-coverage": both(line.coverage),
            f"{ident}-reply-backed": both(line.reply_backed),
            f"{ident}-on-time": both(line.on_time),
            f"{ident}-days": "" if happened.days is None else f"{happened.days:g}",
        }
    expected |= {
        "outside-new": str(read.new),
        "outside-paused": str(read.paused),
        "outside-blind": str(len(read.blind)),
        "outside-untiered": str(read.untiered),
        "outside-ended": str(read.ended),
        "unseen-blind": str(len(read.blind)),
        "unseen-overdue": str(sum(one.unobserved for one in read.overdue)),
        "unseen-mailboxes": str(len(read.troubles)),
        "signal-due-soon": str(len(read.due_soon)),
        "signal-reply-owed": str(len(read.reply_owed)),
        "signal-step-stale": str(len(read.step_stale)),
    }
    for rank in {line.tier.rank for line in lines}:
        for name in ("opened", "claimed", "recovered", "lapsed"):
            total = sum(getattr(line.recoveries, name) for line in lines if line.tier.rank == rank)
            expected[f"quarter-{rank}-{name}"] = str(total)
    expected |= {
        f"quarter-all-{name}": str(sum(getattr(line.recoveries, name) for line in lines))
        for name in ("opened", "claimed", "recovered", "lapsed")
    }
    assert {key: value for key, value in page.figures.items() if not re.fullmatch(r"quarter-\w+-days", key)} == expected
    assert sum(int(page.figures[f"quarter-{rank}-opened"]) for rank in (1, 2, 3)) > 3

    said = CommandLine(database.url, now=NOW)("coverage", "--weeks", "13", "--json").json
    for row in said["tiers"]:
        assert page.figures[f"now-{row['rank']}-coverage"] == f"{row['covered']}/{row['eligible']}"
    assert len(said["weeks"]) == len(lines)
    for row in said["weeks"]:
        assert page.figures[f"week-{row['week']}-{row['rank']}-coverage"] == f"{row['covered']}/{row['eligible']}"
    for payload in (coverage_answer(over_time, ZONE), monthly_payload(over_time, ZONE)):
        for sentence in coverage_words.page(over_time, ZONE):
            assert sentence in payload["text"]
            assert sentence in page.text


def test_a_median_over_the_quarter_is_that_of_all_its_recoveries(database: Database) -> None:
    """One day, one day and nine days: 1. The weekly medians alone, 1 and 9, would say 5."""
    with database.sessions.begin() as session:
        cast = put_cast(session, partners=(ACME, GLOBEX, INITECH))
        programme = programmes(session, load_settings())[0]
        for partner, opened, took in ((ACME, 30, 1), (GLOBEX, 30, 1), (INITECH, 20, 9)):
            put_touch(session, cast, partner, MONDAY - timedelta(days=60))
            at = MONDAY - timedelta(days=opened)
            late = [one for one in standings(session, programme, at) if one.facts.name == partner.name]
            episodes.open_episodes(session, programme, late, at)
            put_touch(session, cast, partner, at + timedelta(days=took, hours=-1))
            episodes.settle_episodes(session, programme, at + timedelta(days=took))
    page = seen(page_of(database, cast))
    assert [page.figures[f"quarter-1-{name}"] for name in ("opened", "recovered", "days")] == ["3", "3", "1"]


def test_no_person_is_named_and_partners_only_when_asked_for(database: Database, cast: Cast) -> None:
    plain, named = (page_of(database, cast, partners=wanted) for wanted in (False, True))
    for page in (plain, named):
        for person in PEOPLE:
            assert person.email not in page
            assert person.name not in page
            assert person.name.split()[0] not in seen(page).text
    assert not any(partner.name in plain for partner in PARTNERS)
    with database.reading() as session:
        late = [one.facts.name for one in weekly_read(session, cast.programme, NOW).overdue]
    assert late
    assert all(name.replace("&", "&amp;") in named for name in late)


def test_names_from_outside_stay_names(database: Database) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session, partners=(replace(ACME, name=HOSTILE), GLOBEX))
        set_tier(session, cast.workspace_id, "test", Tier(1, f"Gold {HOSTILE}", 7), MONDAY - timedelta(weeks=20))
        shut = Shutdown(date(2026, 11, 2), date(2026, 11, 2), f"Break {HOSTILE}")
        add_shutdown(session, cast.workspace_id, "test", shut, MONDAY)
    page = page_of(database, cast, partners=True)
    found = seen(page)
    assert "<script" not in page.lower()
    assert "\u202e" not in page
    assert not [tag for tag, _ in found.tags if tag not in KNOWN]
    assert "</td><script>alert(1)</script> &" in found.text
    assert max(len(one) for one in found.texts) < 600
    assert all(not name.startswith("on") for _, attrs in found.tags for name in attrs)


KNOWN = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "section", "footer", "div", "h1", "h2", "h3"),
    *("p", "ul", "li", "dl", "dt", "dd", "code", "data", "bdi", "span", "figure", "figcaption"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "svg", "g", "rect", "line", "polyline", "path", "text"),
}


def test_it_is_one_file_that_loads_nothing_and_can_be_read_by_everybody(database: Database, cast: Cast) -> None:
    page = page_of(database, cast, partners=True)
    found = seen(page)
    assert page.startswith('<!doctype html>\n<html lang="en">')
    metas = {
        attrs.get("http-equiv") or attrs.get("name"): attrs.get("content") for tag, attrs in found.tags if tag == "meta"
    }
    policy = metas["Content-Security-Policy"] or ""
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/]{43}='; base-uri 'none'; form-action 'none'", policy
    )
    assert not {"src", "href", "style", "srcset"} & {name for _, attrs in found.tags for name in attrs}
    assert not re.search(r"url\(|@import|https?:", page)
    idents = [attrs["id"] for _, attrs in found.tags if attrs.get("id")]
    assert len(idents) == len(set(idents))
    assert {attrs["aria-labelledby"] for _, attrs in found.tags if "aria-labelledby" in attrs} <= set(idents)
    levels = [int(tag[1]) for tag, _ in found.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    tables = sum(tag == "table" for tag, _ in found.tags)
    assert tables == sum(tag == "caption" for tag, _ in found.tags) > 5
    assert all(attrs.get("scope") in ("col", "row", "rowgroup") for tag, attrs in found.tags if tag == "th")
    pictures = [attrs for tag, attrs in found.tags if tag == "svg"]
    assert [one["role"] for one in pictures] == ["img", "img"]
    assert all("Tier 1: " in (one["aria-label"] or "") for one in pictures)


def test_lines_differ_by_more_than_colour_and_reconstructed_weeks_look_otherwise(
    database: Database, cast: Cast
) -> None:
    found = seen(page_of(database, cast))
    groups = [attrs["class"] for tag, attrs in found.tags if tag == "g"]
    assert {"tier t0", "tier t1", "tier t2"} == set(groups)
    style = (Path(__file__).parent.parent / "bot/report/style.css").read_text(encoding="utf-8")
    dashes = re.findall(r"\.t\d \{ --c: [^;]+; --dash: ([^;]+); \}", style)
    assert len(set(dashes)) == len(dashes) == MOST_LINES
    marks = [attrs for tag, attrs in found.tags if tag == "path"]
    assert len({one["d"] for one in marks}) == 3
    assert {one["class"] for one in marks} == {"mark hollow", "mark full"}
    assert "No read was held in 9 of these 13 weeks, so they are reconstructed from mail" in found.text
    for name in ("Tier 1: ", "Tier 2: ", "Tier 3: "):
        assert sum(text.startswith(name) and text.endswith("%") for text in found.texts) == 2  # page and phone


@pytest.mark.parametrize("case", ["no partners", "no tiers used", "first week", "all ended"])
def test_a_programme_with_nothing_to_show_says_so(database: Database, case: str) -> None:
    with database.sessions.begin() as session:
        if case == "first week":
            several = tuple(replace(one, since=MONDAY.date()) for one in PARTNERS)
            cast = put_cast(session, started=MONDAY - timedelta(hours=1), partners=several)
        elif case == "no partners":
            cast = put_cast(session, partners=())
        elif case == "no tiers used":
            cast = put_cast(session, partners=(TYRELL,))
        else:
            cast = put_cast(session, partners=tuple(replace(one, status=Status.ENDED) for one in PARTNERS))
    found = seen(page_of(database, cast, partners=True))
    assert "svg" not in {tag for tag, _ in found.tags}
    assert (
        "No partner was eligible at these reads, so there is no line to draw. The next read is on Mon 30 Nov 2026."
        in found.text
    )
    assert found.figures["now-1-coverage"] == "0/0"
    words = {
        "no partners": "There are no partners yet. Once they are imported, the weekly read of Mon 30 Nov 2026",
        "no tiers used": "No partner counts at this instant",
        "first week": "9 partners are new: each counts once it was written to, or when its first window ends.",
        "all ended": "No partner counts at this instant",
    }
    assert words[case] in found.text
    assert ("weeks" in found.shown) == (case == "first week")


def test_a_single_read_draws_no_line(database: Database, cast: Cast) -> None:
    found = seen(page_of(database, cast, weeks=1))
    assert "svg" not in {tag for tag, _ in found.tags}
    assert "A line needs two reads with eligible partners; here is one." in found.text
    early = datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert "No weekly read was due yet. The first is on Mon 23 Nov 2026" in seen(page_of(database, cast, early, 1)).text


def test_more_tiers_than_lines_are_told(database: Database) -> None:
    with database.sessions.begin() as session:
        many = tuple(
            replace(ACME, name=f"P{rank}", tier=rank, domains=(f"p{rank}.example",), contacts=())
            for rank in range(1, 13)
        )
        started = MONDAY - timedelta(weeks=30)
        workspace_id = the_workspace(session, started)
        for rank in range(1, 13):
            set_tier(session, workspace_id, "test", Tier(rank, f"Tier {rank}", 7), started)
        cast = put_cast(session, partners=many)
    found = seen(page_of(database, cast))
    assert "The chart shows the first 8 tiers; the tables below show all 12." in found.text
    assert sum(attrs.get("class") == "chart wide" for _, attrs in found.tags) == 1
    assert "now-12-coverage" in found.figures


def test_the_command_writes_the_page_whole_or_not_at_all(database: Database, cast: Cast, tmp_path: Path) -> None:
    run, target = CommandLine(database.url, now=NOW), tmp_path / "quarter.html"
    said = run("report", "--html", str(target))
    assert str(target) in said.err
    assert said.out == ""
    assert target.read_text(encoding="utf-8") == page_of(database, cast)
    assert run("report", "--html", "-").out == target.read_text(encoding="utf-8")
    then = run("report", "--html", "-", "--as-of", "2026-11-02", "--weeks", "4").out
    assert "4 weekly reads until Mon 2 Nov 2026; as of Mon 2 Nov 2026 at 23:59 (Europe/London)" in seen(then).text
    refused = run("report", "--html", str(tmp_path / "nowhere" / "a.html"), status=1)
    assert "nowhere" in refused.err
    assert "could not be written" in refused.err
    assert list(tmp_path.iterdir()) == [target]
    assert "--html" in run("report", status=2).err


@pytest.fixture
def browser_page(tmp_path: Path) -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here: install Debian's package `chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


@pytest.mark.browser
def test_a_browser_shows_it_at_any_width_and_prints_it_in_the_light(
    database: Database, cast: Cast, tmp_path: Path, browser_page: Page
) -> None:
    target, asked, complaints = tmp_path / "page.html", [], []
    target.write_text(page_of(database, cast, partners=True), encoding="utf-8")
    browser_page.on("request", lambda request: asked.append(request.url))
    browser_page.on("console", lambda message: complaints.append(message.text))
    browser_page.emulate_media(color_scheme="dark")
    browser_page.goto(target.as_uri())
    ground = "getComputedStyle(document.body).backgroundColor"
    assert browser_page.evaluate(ground) == "rgb(20, 23, 27)"
    for width, shown, hidden in ((1000, "wide", "narrow"), (360, "narrow", "wide")):
        browser_page.set_viewport_size({"width": width, "height": 800})
        assert browser_page.evaluate("document.documentElement.scrollWidth") <= width
        assert browser_page.locator(f"svg.{shown}").is_visible()
        assert browser_page.locator(f"svg.{hidden}").is_hidden()
    browser_page.emulate_media(media="print", color_scheme="dark")
    assert browser_page.evaluate(ground) == "rgb(255, 255, 255)"
    assert browser_page.locator("svg.wide").is_visible()
    assert browser_page.locator("#weeks").is_hidden()
    assert asked == [target.as_uri()]
    assert complaints == []


@pytest.mark.browser
def test_a_quarter_is_two_sheets_of_paper(database: Database, cast: Cast, tmp_path: Path, browser_page: Page) -> None:
    target = tmp_path / "page.html"
    target.write_text(page_of(database, cast), encoding="utf-8")
    browser_page.goto(target.as_uri())
    printed = browser_page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 2
