"""`/cadence coverage` in Slack: four sentences and a chart, to whoever asks or to the channel, and what if."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bot import coverage_words, wording
from bot.views.coverage import coverage_answer, trend_chart, what_if_answer
from models.actions.reads import hold_read
from models.cadence import Tier
from models.queries.coverage import CoverageOverTime
from models.queries.recoveries import Recoveries
from models.queries.trend import TrendLine, coverage_now, trend
from models.weekly_read import Coverage, TierLine
from models.what_if import Outlook, TierOutlook, Under
from tests.cast import ACME, CHANNEL, DANA, GLOBEX, MONDAY, PARTNERS, PEOPLE, ROBIN, VERA, ZONE, put_cast, put_touch
from tests.command_line import CommandLine
from tests.databases import Database
from tests.sandbox.slack import block_kit
from tests.sandbox.slack.workspace import Message
from tests.slack_lint import lint_message, said
from tests.surface import STRANGER, Surface, surface

WEEK = timedelta(weeks=1)


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    with surface(database) as one:
        with database.sessions.begin() as session:
            for back in range(1, 12):
                put_touch(session, one.cast, ACME, MONDAY - WEEK * back)
                put_touch(session, one.cast, GLOBEX, MONDAY - WEEK * back - timedelta(days=back % 3))
            assert hold_read(session, one.cast.programme, MONDAY - WEEK)
            assert hold_read(session, one.cast.programme, MONDAY)
        yield one


@contextmanager
def no_charts() -> Iterator[None]:
    """A Slack that does not know charts yet, or any more."""
    known = block_kit.BLOCKS.pop("data_visualization")
    try:
        yield
    finally:
        block_kit.BLOCKS["data_visualization"] = known


def bare(message: Message) -> Any:
    blocks = [{key: value for key, value in one.items() if key != "block_id"} for one in message.blocks]
    lint_message({"text": message.text, "blocks": blocks})
    return blocks


def chart_of(message: Message) -> dict[str, Any]:
    (chart,) = [one for one in bare(message) if one["type"] == "data_visualization"]
    return dict(chart["chart"])


def everybody_sees(at: Surface) -> list[Message]:
    return [one for one in at.workspace.messages(CHANNEL) if one.visible_to is None]


def test_the_page_has_both_numbers_of_each_tier_and_the_change_since_then(at: Surface, database: Database) -> None:
    message = at.ask(VERA, "coverage")
    words = said(bare(message))
    with database.reading() as session:
        now = coverage_now(session, at.cast.programme, at.clock.now())
        lines = trend(session, at.cast.programme, at.clock.now(), 13)
    for one in now:
        assert f"{one.coverage.covered} of {one.coverage.eligible}" in words
    oldest = next(one for one in lines if one.tier.rank == 1 and one.coverage.eligible)
    moved = wording.change(now[0].coverage, oldest.coverage)
    day = wording.on_day(oldest.week, MONDAY.date())
    assert f"Tier 1: {wording.counted(now[0].coverage)} ({moved} since {day}); Tier 2: " in words
    for start in (
        "Backed by a reply – Tier 1: ",
        "Windows kept in the 13 weeks before Mon 23 Nov – Tier 1: ",
        "Recoveries in these",
    ):
        assert start in words
    assert len(bare(message)[0]["text"]["text"].splitlines()) == 4


def test_before_any_mail_nothing_is_said_to_be_reconstructed_from_it(database: Database) -> None:
    none = "No mail with a partner has been captured yet, so these weeks tell nothing so far."
    with database.sessions.begin() as session:
        cast = put_cast(session)
    with surface(database, cast=cast) as one:
        told = one.ask(ROBIN, "coverage")
        assert none in told.text
        assert "reconstructed from mail" not in told.text
        assert none in CommandLine(database.url, now=one.clock.at)("coverage").out
        with database.sessions.begin() as session:
            put_touch(session, cast, ACME, MONDAY - WEEK)
        assert "they are reconstructed from mail" in one.ask(ROBIN, "coverage").text


def test_its_text_says_the_same_and_nobody_is_named(at: Surface) -> None:
    message = at.ask(DANA, "coverage")
    words = said(bare(message))
    for sentence in words.splitlines():
        if "In the chart" not in sentence:
            assert sentence in message.text
    for name in (*(one.name for one in PEOPLE), *(one.name for one in PARTNERS)):
        assert name.split()[0] not in words + message.text
    assert "<@" not in words


def test_the_chart_is_the_trend_in_whole_per_cent_with_reconstructed_weeks_starred(
    at: Surface, database: Database
) -> None:
    chart = chart_of(at.ask(DANA, "coverage 10"))
    with database.reading() as session:
        lines = trend(session, at.cast.programme, at.clock.now(), 10)
    (series,) = [one for one in chart["series"] if one["name"] == "Tier 1"]
    expected = {}
    for one in (one for one in lines if one.tier.rank == 1):
        star = "*" if one.source == "reconstructed" else ""
        expected[f"{one.week.day} {one.week:%b}{star}"] = wording.percent(one.coverage)
    drawn = {point["label"]: point["value"] for point in series["data"]}
    assert drawn.items() <= expected.items()
    assert [label for label in drawn if "*" not in label] == ["16 Nov", "23 Nov"]
    assert list(drawn) == chart["axis_config"]["categories"]


@pytest.mark.parametrize("typed", ["coverage 4", "coverage 4 weeks", "Coverage last 4 weeks", "coverage 4w"])
def test_the_weeks_may_be_typed_as_people_say_them(at: Surface, typed: str) -> None:
    assert "Recoveries in these 4 weeks: " in at.ask(DANA, typed).text


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("coverage 0", "I can look back over 1 to 156 weeks."),
        ("coverage 9999", "I can look back over 1 to 156 weeks."),
        ("coverage of acme", "Did you mean `/cadence coverage`"),
        ("coverage what if tier 9 at 3 days", "There is no tier 9; the tiers are 1, 2, 3."),
        (
            "coverage what if",
            "Which tier, and at how many days? For example `/cadence coverage what if tier 1 at 10 days`",
        ),
        ("coverage what if <!channel>", "Which tier, and at how many days?"),
        ("coverage what if tier 1 at 99999999 days", "A window of 99999999 days is not one of 1 to 3650 days."),
    ],
)
def test_what_is_not_understood_is_answered_in_one_sentence(at: Surface, typed: str, answer: str) -> None:
    message = at.ask(DANA, typed)
    assert answer in message.text
    bare(message)


def test_only_people_of_the_roster_get_an_answer(at: Surface) -> None:
    assert "You are not on the roster" in at.ask(STRANGER, "coverage share").text
    assert not [one for one in everybody_sees(at) if "Tier 1" in one.text]


def test_share_says_it_once_to_the_whole_channel(at: Surface) -> None:
    before = len(everybody_sees(at))
    answer = at.slack.interactions.message("U0ROBIN", CHANNEL, "/cadence coverage 6 share")
    assert answer["ok"]
    assert at.workspace.wait_until(lambda: len(everybody_sees(at)) > before)
    message = everybody_sees(at)[-1]
    assert chart_of(message)["type"] == "line"
    assert len(everybody_sees(at)) == before + 1
    assert not at.whispers("U0ROBIN")


def test_nothing_is_shared_where_another_company_listens(at: Surface) -> None:
    at.workspace.channels[CHANNEL].is_ext_shared = True
    at.workspace.add_token(at.workspace.bot_token, "bot", (*at.workspace.bot_scopes, "channels:read"))
    before = len(everybody_sees(at))
    assert "People of another company are in this channel" in at.ask(ROBIN, "coverage share").text
    assert len(everybody_sees(at)) == before
    assert "Tier 1" in at.ask(ROBIN, "coverage").text, "to oneself it may be shown"


def test_what_slack_finds_too_rich_is_said_as_text(at: Surface) -> None:
    """To oneself and to the channel alike; the text names the same figures."""
    with no_charts():
        alone = at.ask(DANA, "coverage")
        assert not alone.blocks
        assert "Tier 1: 2 of 3 covered, 67 %" in alone.text
        before = len(everybody_sees(at))
        at.slack.interactions.message("U0DANA", CHANNEL, "/cadence coverage share")
        assert at.workspace.wait_until(lambda: len(everybody_sees(at)) > before)
    shared = everybody_sees(at)[-1]
    assert (shared.text, shared.blocks) == (alone.text, [])
    assert len(everybody_sees(at)) == before + 1


def test_where_slack_draws_no_chart_the_channel_gets_the_picture_if_the_app_may_upload(at: Surface) -> None:
    at.workspace.add_token(at.workspace.bot_token, "bot", (*at.workspace.bot_scopes, "files:write"))
    at.slack.interactions.message("U0DANA", CHANNEL, "/cadence coverage share")
    assert at.workspace.wait_until(lambda: everybody_sees(at))
    assert everybody_sees(at)[-1].blocks
    assert not len(at.workspace.files)  # the chart is drawn: no picture beside it
    with no_charts():
        assert not at.ask(DANA, "coverage").blocks
        at.slack.interactions.message("U0DANA", CHANNEL, "/cadence coverage share")
        assert at.workspace.wait_until(lambda: everybody_sees(at)[-1].files, timeout=30)
    *_, words, picture = everybody_sees(at)
    assert ("Tier 1: 2 of 3 covered, 67 %" in words.text, words.blocks) == (True, [])
    assert at.workspace.files.get(picture.files[0]["id"]).content.startswith(b"\x89PNG")
    assert len(at.workspace.files) == 1  # the private answer has none


def test_what_if_in_words(at: Surface) -> None:
    message = at.ask(DANA, "coverage what if tier 1 at 30 days and tier 2 at 21")
    words = said(bare(message))
    assert "Tier 1 at 30 days: " in words
    assert "The book needs 2.4 touches a week instead of 5.2: shared by 3 partner managers" in words
    assert "One touch per partner and window, for 9 partners" in words
    assert at.ask(DANA, "coverage what-if 1=30,2=21").text == message.text


# --- whatever the programme looks like -----------------------------------------------------------------------------


def found(weeks: int, tiers: int, name: str = "Tier {}", *, none: bool = False) -> CoverageOverTime:
    lines, now = [], []
    for rank in range(1, tiers + 1):
        tier = Tier(rank, name.replace("{}", str(rank)), 7)
        figure = Coverage(0, 0) if none else Coverage(rank, 30)
        now.append(TierLine(tier, figure, None, figure, 1, 2, 3, 4, 5))
    for week in range(weeks):
        day = date(2026, 11, 23) - timedelta(weeks=weeks - 1 - week)
        when = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
        for one in now:
            figure = replace(one.coverage, covered=min(one.coverage.eligible, week % 31))
            source = "snapshot" if week % 2 else "reconstructed"
            happened = Recoveries(1, 1, 1, 1, (week + one.tier.rank,))
            lines.append(TrendLine(day, when, one.tier, figure, figure, figure, 0, 0, 0, 0, happened, source))
    return CoverageOverTime(MONDAY, tuple(now), tuple(lines), 7, 9)


@pytest.mark.parametrize("none", [False, True])
@pytest.mark.parametrize("name", ["Tier {}", "<!channel> *{}* & `x`", "\u202e{}\ud800", "戦略的パートナー" * 10 + "{}"])
@pytest.mark.parametrize(("weeks", "tiers"), [(0, 0), (0, 3), (1, 1), (2, 6), (4, 7), (52, 5), (156, 3), (156, 40)])
def test_a_page_of_any_shape_and_spelling_is_one_that_slack_takes(
    weeks: int, tiers: int, name: str, none: bool
) -> None:
    page = found(weeks, tiers, name, none=none)
    lint_message(coverage_answer(page, ZONE))
    chart, _ = trend_chart(page.weeks)
    assert (chart is None) is (weeks < 2 or none)
    under = [Under(one.tier, one.coverage, 1, 2, 30) for one in page.tiers]
    then = [replace(one, tier=replace(one.tier, window_days=9), blind=5) for one in under]
    lint_message(what_if_answer(Outlook(tuple(map(TierOutlook, under, then)), 3)))


def test_a_chart_takes_weeks_evenly_and_says_what_it_leaves_out() -> None:
    chart, left_out = trend_chart(found(156, 9).weeks)
    assert chart is not None
    labels = chart["chart"]["axis_config"]["categories"]
    assert len(labels) == 20
    assert (labels[0], labels[-1]) == ("4 Dec 2023*", "23 Nov 2026")
    assert [one["name"] for one in chart["chart"]["series"]] == [f"Tier {rank}" for rank in range(1, 7)]
    assert left_out is not None
    assert "The chart shows 20 of 156 weeks. The chart leaves out 3 tiers." in left_out


def test_a_week_without_a_figure_is_left_out_and_never_drawn_as_nothing() -> None:
    page = found(13, 2)
    gone = {page.weeks[4].week, page.weeks[10].week}
    lines = [
        replace(one, coverage=Coverage(0, 0)) if one.week in gone and one.tier.rank == 2 else one for one in page.weeks
    ]
    chart, left_out = trend_chart(lines)
    assert chart is not None
    assert len(chart["chart"]["axis_config"]["categories"]) == 11
    assert "The chart shows 11 of 13 weeks." in str(left_out)
    never = [replace(one, coverage=Coverage(0, 0)) if one.tier.rank == 1 else one for one in page.weeks]
    chart, left_out = trend_chart(never)
    assert chart is not None
    assert [one["name"] for one in chart["chart"]["series"]] == ["Tier 2"]
    assert len(chart["chart"]["axis_config"]["categories"]) == 13
    assert "The chart leaves out 1 tier." in str(left_out)


def test_tiers_whose_names_begin_alike_stay_apart_in_the_chart() -> None:
    chart, _ = trend_chart(found(4, 3, "Strategic alliance partners {}").weeks)
    assert chart is not None
    assert len({one["name"] for one in chart["chart"]["series"]}) == 3


def test_the_change_is_told_against_the_oldest_week_with_a_figure() -> None:
    page = found(6, 3)
    early = {one.week for one in page.weeks[:6]}
    lines = [
        replace(one, coverage=Coverage(0, 0)) if one.tier.rank == 2 and one.week in early else one for one in page.weeks
    ]
    now = [(Tier(rank, f"Tier {rank}", 7), Coverage(15, 30)) for rank in (1, 2, 3)]
    assert coverage_words.coverage(now, lines, MONDAY.date()) == (
        "Tier 1: 15 of 30 covered, 50 % (up 50 points since Mon 19 Oct); "
        "Tier 2: 15 of 30, 50 % (up 43 points since Mon 2 Nov); "
        "Tier 3: 15 of 30, 50 % (up 50 points since Mon 19 Oct)."
    )
    assert coverage_words.coverage(now[:1], lines[-3:], MONDAY.date()) == "Tier 1: 15 of 30 covered, 50 %."
    assert (
        coverage_words.coverage([(now[0][0], Coverage(0, 0))], lines, MONDAY.date()) == "Tier 1: no eligible partners."
    )
    assert coverage_words.coverage([], (), MONDAY.date()) == "No tiers are set yet."


def test_recoveries_are_told_for_all_tiers_together() -> None:
    told = coverage_words.recoveries(found(4, 2).weeks)
    assert told == (
        "Recoveries in these 4 weeks: 8 opened, 8 claimed, 8 recovered, 8 lapsed; median to recovery: 3 days."
    )


def test_a_young_programme_keeps_all_its_tiers_in_a_chart_of_many_weeks() -> None:
    page = found(52, 3)
    young = {one.week for one in page.weeks[-3 * 6 :]}
    lines = [one if one.week in young else replace(one, coverage=Coverage(0, 0)) for one in page.weeks]
    late = [
        replace(one, coverage=Coverage(0, 0)) if one.tier.rank == 3 and one.week == min(young) else one for one in lines
    ]
    chart, left_out = trend_chart(late)
    assert chart is not None
    assert [one["name"] for one in chart["chart"]["series"]] == ["Tier 1", "Tier 2", "Tier 3"]
    assert "The chart shows 5 of 52 weeks." in str(left_out)
