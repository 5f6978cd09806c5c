"""Reply owed and next step stale: what is on the lists, what the read says of them, and that all say the same."""

import csv
import io
import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bot.views import kit
from bot.views.read import read_preview
from models.actions import next_steps
from models.actions.partners import PartnerRow
from models.actions.reads import hold_read
from models.cadence import Shutdown, Status, Tier
from models.queries.reads import held_read
from models.standing import NextStepFacts, step_stale
from models.weekly_read import GoneQuiet, weekly_read
from tests.cast import ACME, DANA, GLOBEX, HOOLI, INITECH, MONDAY, UMBRELLA, Cast, put_cast, put_touch
from tests.command_line import CommandLine
from tests.databases import Database
from tests.facts import LONDON, NOW, QUIET, TIERS, WEEKLY

DAY = timedelta(days=1)
TODAY = MONDAY.date()
THEM = "hello@partner.example"


@pytest.fixture
def cast(database: Database) -> Cast:
    """Acme and Hooli wait for us; Acme's step is past its day, Globex's names none and is old, Umbrella's is fresh."""
    with database.sessions.begin() as session:
        cast = put_cast(session)
        for partner, ago in ((ACME, 12), (GLOBEX, 1), (INITECH, 1), (UMBRELLA, 1), (HOOLI, 10)):
            put_touch(session, cast, partner, MONDAY - ago * DAY)
        put_touch(session, cast, ACME, MONDAY - 9 * DAY, by=THEM)
        put_touch(session, cast, HOOLI, MONDAY - 5 * DAY, by=THEM)
        put_touch(session, cast, GLOBEX, MONDAY - 2 * DAY, by=THEM)
        agree(session, cast, ACME, "Send the deck", TODAY - 3 * DAY, 10)
        agree(session, cast, GLOBEX, "Think about a joint page", None, 8)
        agree(session, cast, UMBRELLA, "Call", None, 8)
        return cast


def agree(session: object, cast: Cast, partner: PartnerRow, text: str, due_on: date | None, ago: int) -> None:
    next_steps.set_next_step(
        session,  # type: ignore[arg-type]  # a session, as every caller has one
        cast.programme,
        cast.partner(partner),
        text,
        cast.person(DANA),
        due_on,
        None,
        "test",
        MONDAY - ago * DAY,
    )


@pytest.fixture
def run(database: Database, cast: Cast) -> CommandLine:
    return CommandLine(database.url)


def test_owed_lists_who_wrote_last_and_waits_also_when_it_is_overdue(run: CommandLine) -> None:
    found = run("owed", "--json").json
    assert [(one["partner"], one["state"], one["waiting_days"]) for one in found] == [
        ("Acme", "overdue", 9),
        ("Hooli", "due_soon", 5),
    ]
    said = run("owed").out
    assert said.startswith("2 partners wait for our reply on Mon 23 Nov 2026 at 09:00 (Europe/London)\n")
    assert "9 days ago" in said
    assert "overdue" in said


def test_the_lists_can_be_asked_for_the_past(run: CommandLine) -> None:
    assert [one["partner"] for one in run("owed", "--json", "--as-of", "2026-11-17").json] == ["Acme"]
    assert run("owed", "--json", "--as-of", "2026-11-13").json == []
    assert [one["partner"] for one in run("stale", "--json", "--as-of", "2026-11-21").json] == ["Acme"]
    assert run("stale", "--json", "--as-of", "2026-11-20").json == []  # the day itself is in time


def test_stale_lists_steps_past_their_day_and_old_ones_without_a_day(run: CommandLine) -> None:
    found = run("stale", "--json").json
    assert [(one["partner"], one["next_step_due_on"], one["next_step_owner"]) for one in found] == [
        ("Acme", "2026-11-20", "Dana Kim"),
        ("Globex", None, "Dana Kim"),
    ]
    said = run("stale").out
    assert "was due Fri 20 Nov" in said
    assert "no day, agreed 8 days ago" in said
    assert "7 partners have no next step at all." in said


@pytest.mark.parametrize("command", ["owed", "stale", "quiet"])
def test_the_lists_come_as_csv_with_the_keys_of_their_json(run: CommandLine, command: str) -> None:
    found = run(command, "--json").json
    rows = list(csv.DictReader(io.StringIO(run(command, "--csv").out)))
    assert [row["partner"] for row in rows] == [one["partner"] for one in found]
    assert all(list(row) == list(one) for row, one in zip(rows, found, strict=True))


@pytest.mark.parametrize("command", ["owed", "stale", "quiet"])
def test_the_lists_fit_eighty_columns_with_long_names_too(database: Database, command: str) -> None:
    with database.sessions.begin() as session:
        long = PartnerRow("Größtenteils ausgezeichnete 東京 Handelsgesellschaft " * 2, 2, DANA.email, ("long.example",))
        cast = put_cast(session, partners=(long,), observed_until=None)
        for number in range(9):
            put_touch(session, cast, long, MONDAY - (40 + 6 * number) * DAY, by=THEM)
        agree(session, cast, long, "Write down what was said " * 10, TODAY - 90 * DAY, 100)
    for terminal in (True, False):
        said = CommandLine(database.url, terminal=terminal)(command).out
        table = [line for line in said.splitlines() if line.startswith(("Größ", "Partner"))]
        assert all(cell_len(line) <= 80 for line in table)


def test_the_read_says_both_and_only_counts_who_is_overdue(run: CommandLine) -> None:
    found = run("read", "--json").json
    assert (found["reply_owed"], found["step_stale"]) == (["Hooli"], ["Globex"])
    said = run("read").out
    for line, command in ((r"Waiting for our reply: Hooli", "owed"), (r"Next step gone stale: Globex", "stale")):
        [overdue] = re.findall(rf"{line}(?:; also (\d+) of the overdue)?\.", said)
        assert 1 + int(overdue or 0) == len(run(command, "--json").json)


def test_a_list_too_long_for_a_line_says_how_many_more_and_where_they_are(database: Database) -> None:
    with database.sessions.begin() as session:
        many = tuple(PartnerRow(f"Partner {n}", 1, DANA.email, (f"p{n}.example",), since=TODAY) for n in range(12))
        cast = put_cast(session, partners=many)
        for partner in many:
            agree(session, cast, partner, "Call", TODAY - DAY, 2)
    said = CommandLine(database.url)("read").out
    assert "and 6 more (`cadence stale` lists them)." in said


def test_a_step_that_was_done_since_leaves_a_held_read_and_one_agreed_since_is_not_stale(
    database: Database, cast: Cast
) -> None:
    with database.sessions.begin() as session:
        read_id = hold_read(session, cast.programme, MONDAY)
        assert read_id is not None
        assert [one.facts.name for one in held_read(session, cast.programme, read_id, MONDAY).read.step_stale] == [
            "Globex"
        ]
        later = MONDAY + DAY
        next_steps.set_next_step(session, cast.programme, cast.partner(GLOBEX), "New", None, TODAY, None, "test", later)
        assert held_read(session, cast.programme, read_id, later).read.step_stale == ()


@pytest.mark.parametrize(
    ("step", "stale"),
    [
        (NextStepFacts("Call", date(2026, 11, 23), None), False),
        (NextStepFacts("Call", date(2026, 11, 22), None), True),
        (NextStepFacts("Call", None, None, NOW - 7 * DAY), False),
        (NextStepFacts("Call", None, None, NOW - 8 * DAY), True),
        (NextStepFacts("Call", None, None), False),
        (None, False),
    ],
)
def test_a_step_is_stale_after_its_day_or_without_one_after_a_window(step: NextStepFacts | None, stale: bool) -> None:
    facts = QUIET.facts(touched=1, tier=WEEKLY, next_step=step)
    assert QUIET.standing(facts).step_stale is stale


def test_a_paused_or_ended_partner_has_no_stale_step_and_one_without_a_tier_only_by_its_day() -> None:
    late, old = NextStepFacts("Call", date(2026, 11, 1), None), NextStepFacts("Call", None, None, NOW - 400 * DAY)
    for status in (Status.PAUSED, Status.ENDED):
        assert not QUIET.standing(QUIET.facts(touched=1, status=status, next_step=late)).step_stale
    assert QUIET.standing(QUIET.facts(touched=1, tier=None, next_step=late)).step_stale
    assert not QUIET.standing(QUIET.facts(touched=1, tier=None, next_step=old)).step_stale


@given(age=st.integers(0, 90), window=st.integers(1, 60), shut=st.integers(0, 20))
def test_days_of_a_shutdown_do_not_make_a_step_without_a_day_older(age: int, window: int, shut: int) -> None:
    today = NOW.date()
    facts = QUIET.facts(tier=Tier(1, "Tier 1", window), next_step=NextStepFacts("Call", None, None, NOW - age * DAY))
    shutdowns = [Shutdown(today - age * DAY + DAY, today - age * DAY + shut * DAY)] if shut else []
    assert step_stale(facts, today, LONDON, shutdowns) is (age - shut > window)


HOSTILE = "<!channel> *_~`&" + "語" * 60


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 40, 400])
@pytest.mark.parametrize("name", ["Acme", HOSTILE])
def test_the_read_holds_every_early_signal_within_slacks_limits(count: int, name: str) -> None:
    step = NextStepFacts("Call", date(2026, 11, 1), None)
    facts = [
        QUIET.facts(touched=1, partner_id=number, name=f"{name} {number}", heard=5, wrote=6, next_step=step)
        for number in range(1, count + 1)
    ]
    late = [QUIET.facts(touched=20, partner_id=1000 + number, name=f"{name} {number}") for number in range(count)]
    lines = [QUIET.standing(one) for one in (*facts, *late)]
    words = "usually writes every 6 days, silent for 27: about 1 in 40"
    gone = [GoneQuiet(one, 0.02, words) for one in lines[:count]]
    shut = [Shutdown(date(2026, 11, 2), date(2026, 11, 3), HOSTILE)]
    read = weekly_read(lines, TIERS, NOW, LONDON, quiet=gone, shutdowns=shut)
    payload = read_preview(read)
    assert kit.weight(payload["blocks"]) <= kit.MOST_BYTES
    assert len(payload["text"]) <= kit.MOST_TEXT
    assert len(read.step_stale) == len(read.quiet) == len(read.reply_owed) == count
    if name == "Acme" and count:
        assert "Next step gone stale: Acme 1" in payload["text"]
        assert f"Acme 1 {words}" in payload["text"]
        assert (f"and {count - 3} more" in payload["text"]) is (count > 4)
