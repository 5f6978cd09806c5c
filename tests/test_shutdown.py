"""Company shutdowns by command: windows wait, the reason stands beside what moved, and taking one back undoes it."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cadence import Shutdown, due_on
from models.queries.programme import programme as programme_of
from models.queries.standings import standings
from models.settings import load_settings
from models.standing import shut_days, stand
from models.weekly_read import weekly_read
from tests.cast import ACME, Cast, put_cast, put_touch
from tests.command_line import CommandLine
from tests.databases import Database
from tests.facts import LONDON, NOW, QUIET, TIERS

DAY = timedelta(days=1)
TOUCHED = datetime(2026, 12, 21, 9, tzinfo=ZoneInfo("Europe/London"))
IN_JANUARY = datetime(2027, 1, 4, 9, tzinfo=ZoneInfo("Europe/London"))
CHRISTMAS = ("2026-12-24", "2027-01-01")


@pytest.fixture
def cast(database: Database) -> Cast:
    with database.sessions.begin() as session:
        cast = put_cast(session)
        put_touch(session, cast, ACME, TOUCHED)
        return cast


@pytest.fixture
def run(database: Database, cast: Cast) -> CommandLine:
    return CommandLine(database.url, now=IN_JANUARY)


def test_a_shutdown_moves_due_days_and_every_surface_says_why(run: CommandLine) -> None:
    assert run("partner", "Acme", "--json").json["state"] == "overdue"
    said = run("shutdown", "add", *CHRISTMAS, "--reason", "Christmas").out
    assert said == (
        "Shutdown 1: Christmas, Thu 24 Dec 2026 to Fri 1 Jan, 9 days. "
        "No window runs on these days; the weekly read is held all the same.\n"
    )
    found = run("partner", "Acme", "--json").json
    assert (found["state"], found["due_on"]) == ("due_soon", "2027-01-06")
    assert found["shutdowns"] == [{"reason": "Christmas", "days": 9}]
    assert "due Wed 6 Jan: 9 days of Christmas do not count" in run("partner", "Acme").out
    assert "due on Wed 6 Jan (9 days of Christmas do not count)" in run("why", "Acme").out
    assert "Shut, so no window runs on: Christmas, Thu 24 Dec 2026 to Fri 1 Jan, 9 days." in run("read").out


def test_a_partner_touched_since_has_no_word_of_it(database: Database, cast: Cast, run: CommandLine) -> None:
    run("shutdown", "add", *CHRISTMAS, "--reason", "Christmas")
    with database.sessions.begin() as session:
        put_touch(session, cast, ACME, IN_JANUARY - 2 * DAY)
    assert run("partner", "Acme", "--json").json["shutdowns"] == []
    assert "Christmas" not in run("partner", "Acme").out


def test_the_list_names_them_with_the_id_that_takes_one_back(database: Database, run: CommandLine) -> None:
    assert "No shutdown is kept" in run("shutdown", "list").out
    run("shutdown", "add", *CHRISTMAS, "--reason", "Christmas")
    run("shutdown", "add", "2026-08-03", "2026-08-03", "--reason", "  Summer\nparty ")
    assert run("shutdown", "list", "--json").json == [
        {"id": 2, "from": "2026-08-03", "until": "2026-08-03", "days": 1, "reason": "Summer party"},
        {"id": 1, "from": "2026-12-24", "until": "2027-01-01", "days": 9, "reason": "Christmas"},
    ]
    assert run("shutdown", "list", "--csv").out.splitlines()[1] == "2,2026-08-03,2026-08-03,1,Summer party"
    assert "Christmas" in run("shutdown", "list").out
    run("shutdown", "remove", "1")
    assert [one["id"] for one in run("shutdown", "list", "--json").json] == [2]
    assert run("partner", "Acme", "--json").json["due_on"] == "2026-12-28"


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (("add", "2027-01-01", "2026-12-24", "--reason", "Christmas"), 1, "lies before"),
        (("add", "2026-12-24", "2027-12-24", "--reason", "Christmas"), 1, "longer than a shutdown can be"),
        (("add", *CHRISTMAS, "--reason", " "), 1, "needs a reason"),
        (("add", *CHRISTMAS), 2, "--reason"),
        (("add", "tomorrow", "2027-01-01", "--reason", "x"), 2, "is not a day such as"),
        (("remove", "7"), 1, "there is no shutdown 7: `cadence shutdown list` shows their ids"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(run: CommandLine, args: tuple[str, ...], status: int, said: str) -> None:
    found = run("shutdown", *args, status=status)
    assert said in found.err
    assert found.err.count("\n") == 1
    assert run("shutdown", "list", "--json").json == []


def test_two_shutdowns_do_not_overlap(run: CommandLine) -> None:
    run("shutdown", "add", *CHRISTMAS, "--reason", "Christmas")
    assert (
        "it overlaps with Christmas"
        in run("shutdown", "add", "2027-01-01", "2027-01-02", "--reason", "New year", status=1).err
    )


def test_the_bot_knows_it_when_it_looks_next(database: Database, cast: Cast, run: CommandLine) -> None:
    run("shutdown", "add", *CHRISTMAS, "--reason", "Christmas")
    with database.reading() as session:
        programme = programme_of(session, load_settings(), cast.workspace_id)
        [acme] = standings(session, programme, IN_JANUARY, partner_ids=[cast.partner(ACME)])
    assert acme.due_on == date(2027, 1, 6)


def test_away_is_said_and_taken_back_by_command(run: CommandLine) -> None:
    said = run("away", "dana.kim@lantern.example", "--until", "2027-01-15", "--stand-in", "priya@lantern.example").out
    assert said == "Dana Kim is away until Fri 15 Jan; Priya Nair hears the nudges.\n"
    assert run("away", "dana@lantern.example", "--back").out == "Dana Kim is back.\n"
    assert run("away", "dana@lantern.example", "--until", "2027-01-15").out.endswith("; nudges wait.\n")


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (("dana@lantern.example",), 2, "give --until DAY"),
        (("dana@lantern.example", "--until", "2027-01-15", "--back"), 2, "give --until DAY"),
        (("dana@lantern.example", "--until", "2027-01-03"), 2, "is past"),
        (("nobody@lantern.example", "--until", "2027-01-15"), 1, "nobody on the roster has the address"),
        (
            ("dana@lantern.example", "--until", "2027-01-15", "--stand-in", "dana@lantern.example"),
            1,
            "Dana Kim cannot stand in",
        ),
        (
            ("dana@lantern.example", "--until", "2027-01-15", "--stand-in", "vera@lantern.example"),
            1,
            "Vera Lindqvist cannot stand in",
        ),
    ],
)
def test_away_refuses_what_cannot_be(run: CommandLine, args: tuple[str, ...], status: int, said: str) -> None:
    assert said in run("away", *args, status=status).err


@pytest.mark.parametrize(
    ("from_on", "until_on", "told"), [(-40, -31, False), (-40, -30, True), (30, 31, True), (31, 40, False)]
)
def test_the_read_speaks_of_a_shutdown_that_a_window_can_reach(from_on: int, until_on: int, told: bool) -> None:
    today = NOW.date()
    shut = Shutdown(today + from_on * DAY, today + until_on * DAY, "Moving house")
    assert bool(weekly_read([], TIERS, NOW, LONDON, shutdowns=[shut]).shutdowns) is told


@given(touched=st.integers(0, 60), starts=st.integers(-70, 40), length=st.integers(1, 20))
def test_the_days_said_not_to_count_are_those_by_which_the_due_day_moved(
    touched: int, starts: int, length: int
) -> None:
    today = NOW.date()
    shut = Shutdown(today + starts * DAY, today + (starts + length - 1) * DAY, "Christmas")
    standing = stand(QUIET.facts(touched=touched), NOW, LONDON, [shut])
    usual = due_on(today - touched * DAY, today, 7)
    assert standing.due_on is not None
    assert sum(days for _, days in shut_days(standing, LONDON, [shut])) == (standing.due_on - usual).days
