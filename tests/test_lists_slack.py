"""`/cadence owed`, `stale` and `quiet`: as on the command line, within Slack's limits, nothing cut in silence."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from bot.ids import Carried
from bot.views.rows import Paper
from bot.views.signals import IN_ANSWER, Signals, signals_answer, signals_modal
from models.actions import next_steps
from models.actions.clocks import refresh_clocks
from models.actions.partners import PartnerRow, put_partner
from models.actions.rematch import roster_change
from models.actions.shutdowns import add_shutdown
from models.cadence import Shutdown
from tests.cast import ACME, DANA, GLOBEX, MONDAY, PRIYA, STARTED, TOMAS, UMBRELLA, VERA, Cast, put_cast, put_touch
from tests.command_line import CommandLine
from tests.databases import Database
from tests.facts import LONDON, NOW, QUIET
from tests.sandbox.slack.workspace import Message
from tests.slack_lint import elements, lint_message, lint_view, said
from tests.surface import STRANGER, Surface, surface

DAY = timedelta(days=1)
THEM = "hello@partner.example"


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    """Globex waits for us; Umbrella wrote every six days before its 27 of silence; Acme's next step is old."""
    with surface(database) as one:
        with database.sessions.begin() as session:
            for number in range(12):
                put_touch(session, one.cast, UMBRELLA, MONDAY - (27 + 6 * number) * DAY, by=THEM)
            put_touch(session, one.cast, GLOBEX, MONDAY - 5 * DAY, by=THEM)
            step = ("Send the deck", one.cast.person(DANA), MONDAY.date() - DAY, None)
            next_steps.set_next_step(
                session, one.cast.programme, one.cast.partner(ACME), *step, "test", MONDAY - 9 * DAY
            )
        yield one


def shown(message: Message) -> str:
    lint_message({"text": message.text, "blocks": message.blocks})
    return said(message.blocks)


@pytest.mark.parametrize(
    ("command", "names", "reason"),
    [
        ("owed", ("Globex",), "last heard 5 days ago · owner Priya Nair"),
        ("stale", ("Acme",), "Send the deck, was due Sun 22 Nov · owner Dana Kim"),
        ("quiet", ("Umbrella",), "silent for 27: about 1 in 10 of its silences last so long · owner Dana Kim"),
    ],
)
def test_each_list_names_the_partners_of_the_command_line_with_the_reason(
    at: Surface, database: Database, command: str, names: tuple[str, ...], reason: str
) -> None:
    message = at.ask(VERA, command)
    words = shown(message)
    assert reason in words
    assert reason in message.text
    listed = CommandLine(database.url, now=at.clock.at)(command, "--json").json
    assert tuple(one["partner"] for one in listed) == names
    assert all(name in words for name in names)


@pytest.mark.parametrize(("command", "who"), [("owed", PRIYA), ("stale", DANA), ("quiet", DANA)])
def test_mine_are_the_own_partners_and_other_words_are_not_passed_over(at: Surface, command: str, who: Any) -> None:
    assert "1 " in shown(at.ask(who, f"{command} mine"))
    other = DANA if who is PRIYA else PRIYA
    assert not any(name in shown(at.ask(other, f"{command} mine")) for name in ("Acme", "Globex", "Umbrella"))
    assert f"I do not know “{command} tier 1”" in shown(at.ask(who, f"{command} tier 1"))


def test_nothing_on_a_list_is_said_in_one_line(database: Database) -> None:
    with surface(database) as one:
        assert "No next step has gone stale." in shown(one.ask(VERA, "stale"))
        assert "Nobody's silence is out of character." in shown(one.ask(VERA, "quiet"))
        assert "Nobody has waited two business days for our reply." in shown(one.ask(VERA, "owed"))


def test_strangers_learn_nothing_from_the_lists(at: Surface) -> None:
    for command in ("owed", "stale", "quiet"):
        assert not any(name in shown(at.ask(STRANGER, command)) for name in ("Acme", "Globex", "Umbrella"))


def test_the_card_says_how_a_partner_writes_and_which_days_do_not_count(at: Surface, database: Database) -> None:
    with database.sessions.begin() as session:
        days = Shutdown((MONDAY - 2 * DAY).date(), (MONDAY - DAY).date(), "Moving house")
        add_shutdown(session, at.cast.workspace_id, "test", days, MONDAY)
    words = shown(at.ask(DANA, "partner Umbrella"))
    assert (
        "Writing to us: usually writes every 6 days, silent for 27: about 1 in 10 of its silences last so long" in words
    )
    assert "which makes it due on Sun 6 Dec (2 days of Moving house do not count)" in words
    assert "(2 days of Moving house do not count)" in shown(at.ask(DANA, "why Umbrella"))


HOSTILE = "<!channel> *_~`&" + "語" * 60


@pytest.mark.parametrize("count", [0, 1, 5, 19, 20, 21, 400])
@pytest.mark.parametrize("name", ["Acme", HOSTILE])
def test_lists_of_any_length_fit_and_say_how_many_more_there_are(count: int, name: str) -> None:
    those = [(QUIET.standing(QUIET.facts(partner_id=n, name=f"{name} {n}", heard=5)), HOSTILE) for n in range(count)]
    found, paper = Signals("Many partners", those, "Nobody waits."), Paper(NOW.date(), LONDON)
    payload = signals_answer(found, paper, Carried(verb="owed"))
    lint_message(payload)
    assert payload["text"].count("\n• ") == min(count, IN_ANSWER)
    assert (f"and {count - IN_ANSWER} more" in payload["text"]) is (count > IN_ANSWER)
    assert (f"See all {count}" in said(payload["blocks"])) is (count > IN_ANSWER)
    assert (payload["text"] == "Nobody waits.") is (count == 0)
    for page in range(-(-count // 15) or 1):
        view = signals_modal(found, paper, Carried(verb="owed", page=page))
        lint_view(view)
        assert said(view["blocks"]).count("Open card") == min(count - 15 * page, 15)


def test_a_signal_of_many_partners_is_read_to_its_end_page_by_page_in_slack(database: Database) -> None:
    cast = crowded(database, 33)
    with surface(database, cast=cast) as one:
        with database.sessions.begin() as session:
            for name in cast.partner_ids:
                put_touch(session, cast, replace(ACME, name=name), MONDAY - 5 * DAY, by=THEM)
        message = one.ask(VERA, "owed")
        assert "and 13 more" in shown(message)
        one.press(VERA, message, "see_all:0")
        seen = [said(drawn(one)["blocks"])]
        for page in (1, 2):
            turn(one, page)
            seen.append(said(drawn(one)["blocks"]))
        assert ["1 to 15 of 33" in seen[0], "16 to 30 of 33" in seen[1], "31 to 33 of 33" in seen[2]] == [True] * 3
        assert [sum(f"Quiet {n:03}" in page for page in seen) for n in range(33)] == [1] * 33
        one.press(VERA, one.modal(VERA), f"open_card:{cast.partner_ids['Quiet 032']}")
        assert one.workspace.wait_until(lambda: "Quiet 032" in said(one.modal(VERA).content["blocks"][:1]))


def turn(at: Surface, page: int) -> None:
    before = at.modal(VERA).hash
    at.press(VERA, at.modal(VERA), f"turn_page:{page}")
    assert at.workspace.wait_until(lambda: at.modal(VERA).hash != before)


def crowded(database: Database, count: int) -> Cast:
    """So many partners of three tiers and three owners, never touched."""
    owners = (DANA, PRIYA, TOMAS)
    crowd = tuple(
        PartnerRow(f"Quiet {n:03}", n % 3 + 1, owners[n % 3].email, (f"q{n}.example",), since=ACME.since)
        for n in range(count)
    )
    with database.sessions.begin() as session:
        return put_cast(session, partners=crowd)


def drawn(at: Surface) -> Any:
    view = at.modal(VERA).content
    lint_view(view)
    return view


def choose(at: Surface, menu: str, label: str) -> str:
    """Chooses in a menu of the open list, and answers what the list says then."""
    view = at.modal(VERA)
    before = view.hash
    element = next(one for one in elements(view.content["blocks"]) if one["action_id"] == menu)
    chosen = next(one for one in element["options"] if one["text"]["text"] == label)
    at.press(VERA, view, menu, action={"selected_option": chosen})
    assert at.workspace.wait_until(lambda: at.modal(VERA).hash != before)
    return said(drawn(at)["blocks"])


def test_the_list_is_filtered_by_tier_and_owner_and_the_pages_keep_it(database: Database) -> None:
    with surface(database, cast=crowded(database, 150)) as one:
        message = one.ask(VERA, "overdue")
        lint_message({"text": message.text, "blocks": message.blocks})
        assert "and 140 more" in message.text
        one.press(VERA, message, "see_all")
        assert "Partners 1 to 15 of 150" in said(drawn(one)["blocks"])
        assert "of 50 (100 more without the filter)" in choose(one, "filter_tier", "Tier 2")
        before = one.modal(VERA).hash
        one.press(VERA, one.modal(VERA), "turn_page:1")
        assert one.workspace.wait_until(lambda: one.modal(VERA).hash != before)
        assert "Overdue partners of Tier 2" in said(drawn(one)["blocks"])
        assert "Partners 16 to 30 of 50" in said(drawn(one)["blocks"])
        assert "There is nothing on this list." in choose(one, "filter_owner", "Tomás Silva")
        assert "of 50 (100 more without the filter)" in choose(one, "filter_tier", "All tiers")


def test_overdue_asks_as_much_of_the_database_however_long_the_roster_is(database: Database) -> None:
    counts = []
    cast = crowded(database, 30)
    with surface(database, cast=cast) as one:
        for more in (0, 90):
            with database.sessions.begin() as session, roster_change(session, cast.workspace_id, "cast", STARTED):
                for n in range(more):
                    row = PartnerRow(f"More {n:03}", 1, DANA.email, (f"m{n}.example",), since=ACME.since)
                    put_partner(session, cast.workspace_id, "cast", row, STARTED)
            refresh_clocks(database.sessions, database.reading, cast.programme, one.clock.at)
            one.ask(VERA, "overdue")  # what is asked for the first time is remembered
            counts.append(statements(database, lambda: one.ask(VERA, "overdue")))
    assert counts[0] == counts[1] <= 50


def statements(database: Database, asking: Callable[[], object]) -> int:
    """How many of them it takes."""
    asked: list[str] = []

    def note(*given: Any) -> None:
        asked.append(given[2])

    event.listen(database.engine, "before_cursor_execute", note)
    asking()
    event.remove(database.engine, "before_cursor_execute", note)
    return len(asked)
