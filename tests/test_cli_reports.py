"""The reports: the keys that stay stable, the truth at any instant, and how they read in a terminal."""

import csv
import io
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from rich.cells import cell_len

from models.actions import claims, episodes, next_steps, partners, reads
from models.actions.partners import PartnerRow
from models.queries.standings import standings
from models.tables import Touch
from tests.cast import (
    ACME,
    DANA,
    GLOBEX,
    INITECH,
    MONDAY,
    MUELLER,
    PARTNERS,
    TOMAS,
    UMBRELLA,
    Cast,
    put_cast,
    put_touch,
)
from tests.command_line import CommandLine
from tests.databases import Database

OVERDUE_KEYS = [
    *("partner", "tier", "owner", "owner_email", "last_touch_at", "last_touch_by", "last_heard_at", "days_since"),
    *("window_days", "due_on", "days_overdue", "next_step", "next_step_due_on", "claimed_by", "claim_due_on"),
    "unobserved",
]
TIER_KEYS = [
    *("tier", "rank", "window_days", "covered", "eligible", "coverage", "reply_backed", "due_soon", "overdue", "new"),
    *("blind", "paused"),
]
TOUCH_KEYS = [
    *("partner", "at", "direction", "counts", "verdict", "rule", "by", "matched", "message_id", "mailboxes"),
    *("field", "clamped", "void_reason"),
]
WENDY = "wendy@acme-mail.example"


@pytest.fixture
def cast(database: Database) -> Cast:
    """Acme is 4 days late, Initech 23 and claimed, Umbrella 2; Globex is due soon; of the others nothing was seen."""
    with database.sessions.begin() as session:
        cast = put_cast(session)
        for partner, days in ((ACME, 11), (INITECH, 30), (UMBRELLA, 16), (GLOBEX, 6)):
            put_touch(session, cast, partner, MONDAY - timedelta(days=days))
        put_touch(session, cast, ACME, MONDAY - timedelta(days=8), by=WENDY)
        put_touch(session, cast, ACME, MONDAY - timedelta(days=7), verdict="bulk", rule="list-id")
        put_touch(session, cast, ACME, MONDAY - timedelta(days=6), field="bcc")
        taken_back = put_touch(session, cast, ACME, MONDAY - timedelta(days=5))
        row = session.get_one(Touch, taken_back)
        row.voided_at, row.void_reason = MONDAY, "bounced for hello@acme.example"
        due_on = date(2026, 11, 27)
        next_steps.set_next_step(
            session,
            cast.programme,
            cast.partner(ACME),
            "Send the deck",
            cast.person(DANA),
            due_on,
            None,
            "test",
            MONDAY,
        )
        episodes.open_episodes(session, cast.programme, standings(session, cast.programme, MONDAY), MONDAY)
        claims.claim(session, cast.programme, cast.partner(INITECH), cast.person(TOMAS), MONDAY)
        return cast


@pytest.fixture
def run(database: Database, cast: Cast) -> CommandLine:
    return CommandLine(database.url)


def test_overdue_has_its_stable_keys_in_the_order_of_urgency(run: CommandLine) -> None:
    found = run("overdue", "--json").json
    assert [list(one) for one in found] == [OVERDUE_KEYS] * len(found)
    named = [one for one in found if one["last_touch_at"]]
    assert [one["partner"] for one in named] == ["Initech", "Acme", "Umbrella"]
    assert found.index(named[0]) < found.index(named[1]) < found.index(named[2])
    initech, acme, _ = named
    assert (initech["claimed_by"], initech["claim_due_on"]) == ("Tomás Silva", "2026-11-25")
    assert acme == {
        "partner": "Acme",
        "tier": "Tier 1",
        "owner": "Dana Kim",
        "owner_email": "dana@lantern.example",
        "last_touch_at": "2026-11-12T09:00:00Z",
        "last_touch_by": "Dana Kim",
        "last_heard_at": "2026-11-15T09:00:00Z",
        "days_since": 11,
        "window_days": 7,
        "due_on": "2026-11-19",
        "days_overdue": 4,
        "next_step": "Send the deck",
        "next_step_due_on": "2026-11-27",
        "claimed_by": None,
        "claim_due_on": None,
        "unobserved": False,
    }


def test_overdue_as_csv_has_the_same_columns(run: CommandLine) -> None:
    rows = list(csv.DictReader(io.StringIO(run("overdue", "--csv").out)))
    assert list(rows[0]) == OVERDUE_KEYS
    assert [row["partner"] for row in rows] == [one["partner"] for one in run("overdue", "--json").json]
    assert rows[0]["unobserved"] in ("true", "false")


@pytest.mark.parametrize(
    ("as_of", "days"),
    [
        ("2026-11-19", None),  # the due day, to its end
        ("2026-11-20T00:00", 1),  # London's midnight
        ("2026-11-19T23:59:59Z", None),
        ("2026-11-20T01:00+02:00", None),  # still the 19th in London
        ("2026-11-22", 3),
    ],
)
def test_a_report_about_the_past_is_about_the_past(run: CommandLine, as_of: str, days: int | None) -> None:
    found = {one["partner"]: one["days_overdue"] for one in run("overdue", "--json", "--as-of", as_of).json}
    assert found.get("Acme") == days


def test_a_day_means_its_end_in_the_programmes_zone(run: CommandLine) -> None:
    assert run("coverage", "--json", "--as-of", "2026-07-01").json["as_of"] == "2026-07-01T22:59:59.999999Z"
    assert run("coverage", "--json").json["as_of"] == "2026-11-23T09:00:00Z"


def test_coverage_has_its_stable_keys_and_both_numbers(run: CommandLine) -> None:
    found = run("coverage", "--json", "--weeks", "3").json
    assert list(found) == ["as_of", "tiers", "untiered", "weeks", "recoveries"]
    first = found["tiers"][0]
    assert list(first)[:12] == TIER_KEYS
    assert (first["tier"], first["rank"], first["window_days"]) == ("Tier 1", 1, 7)
    assert (first["covered"], first["eligible"], first["overdue"], first["due_soon"]) == (1, 3, 2, 1)
    assert first["coverage"] == pytest.approx(1 / 3)
    assert found["untiered"] == 1
    assert {week["week"] for week in found["weeks"]} == {"2026-11-09", "2026-11-16", "2026-11-23"}
    assert list(found["weeks"][0])[:6] == ["week", "tier", "covered", "eligible", "coverage", "source"]
    assert {week["source"] for week in found["weeks"]} == {"reconstructed"}


def test_a_week_whose_read_was_held_comes_from_its_snapshot(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        assert reads.hold_read(session, cast.programme, MONDAY)
    run = CommandLine(database.url, now=MONDAY + timedelta(hours=1))
    weeks = run("coverage", "--json", "--weeks", "2").json["weeks"]
    assert {week["source"] for week in weeks if week["week"] == "2026-11-23"} == {"snapshot"}


def test_coverage_of_nothing_is_undefined_and_not_zero(database: Database) -> None:
    found = CommandLine(database.url)("coverage", "--json").json
    assert [(one["eligible"], one["coverage"], one["reply_backed"]) for one in found["tiers"]] == [(0, None, None)] * 3
    assert "–" in CommandLine(database.url)("coverage").out


def test_touches_are_all_there_with_what_said_they_count_or_not(run: CommandLine) -> None:
    found = run("touches", "--json").json
    assert [list(one) for one in found] == [TOUCH_KEYS] * 8
    assert found == sorted(found, key=lambda one: one["at"], reverse=True)
    acme = run("touches", "--json", "--partner", "acme").json
    assert [(one["counts"], one["verdict"], one["by"]) for one in acme] == [
        (False, "human", "Dana Kim"),
        (False, "human", "Dana Kim"),
        (False, "bulk", "Dana Kim"),
        (False, "human", WENDY),
        (True, "human", "Dana Kim"),
    ]
    assert acme[-1]["mailboxes"] == ["dana@lantern.example"]
    assert len(run("touches", "--limit", "2", "--csv").out.splitlines()) == 3
    table = run("touches", "--partner", "acme").out
    assert "the partner was in Bcc only" in table
    assert table.count("human: ") == 1, "why it counts is no reason why the others do not"


def test_why_shows_the_evidence_and_each_reason_not_to_count(run: CommandLine) -> None:
    found = run("why", "Acme", "--json").json
    last = found["last_touch"]
    assert (last["at"], last["by"], last["direction"]) == ("2026-11-12T09:00:00Z", "Dana Kim", "outbound")
    assert (last["matched"], last["matched_by"], last["field"]) == ("hello@acme.example", "domain", "to")
    assert last["mailboxes"] == ["dana@lantern.example"]
    assert re.fullmatch(r"<mail-\d+@lantern.example>", last["message_id"])
    reasons = [one["reason"] for one in found["did_not_count"]]
    assert reasons == [
        "taken back: bounced for hello@acme.example",
        "the partner was in Bcc only",
        "a newsletter or list mail: a list sent it",
        "the partner wrote it: that is heard and moves no clock",
    ]
    said = run("why", "Acme").out
    assert all(reason in said for reason in reasons)
    assert "Last touched 11 days ago, with a window of 7 days, which makes it due on Thu 19 Nov." in said


def test_a_time_that_was_clamped_is_marked(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        put_touch(session, cast, GLOBEX, MONDAY - timedelta(hours=1), clamped=True)
    assert "lay in the future" in CommandLine(database.url)("why", "Globex").out


def test_the_record_of_a_partner_holds_everything(run: CommandLine) -> None:
    found = run("partner", "Initech", "--json").json
    assert found["state"] == "overdue"
    assert found["domains"] == ["initech.example"]
    assert found["contacts"] == ["bill@lumbergh.example"]
    assert found["episode"] == {
        "opened_at": "2026-11-23T09:00:00Z",
        "claimed_by": "Tomás Silva",
        "claimed_at": "2026-11-23T09:00:00Z",
        "claim_due_on": "2026-11-25",
    }
    assert [one["counts"] for one in found["touches"]] == [True]
    assert {*OVERDUE_KEYS} <= set(found)
    assert run("partner", "Tyrell", "--json").json["episode"] is None
    assert len(run("partner", "Acme", "--json").json["touches"]) == 5


def test_a_typing_error_is_forgiven_and_said(run: CommandLine) -> None:
    said = run("partner", "Globx", "--json")
    assert said.json["partner"] == "Globex"
    assert said.err == "There is no 'Globx'. Did you mean Globex? This is about that one.\n"
    assert run("why", "mueller & soehne", "--json").json["partner"] == MUELLER.name
    nearest = run("partner", "Zzyzx", status=1).err
    assert nearest.startswith("cadence: there is no partner 'Zzyzx'; the nearest names are ")
    assert nearest.count("\n") == 1


def test_the_read_is_printed_as_it_stands(run: CommandLine) -> None:
    said = run("read").out
    assert "Weekly read, Mon 23 Nov 2026" in said
    assert "Tier 1: 1 of 3 covered, 33 %" in said
    assert "1 of " in said
    assert "assigned." in said
    found = run("read", "--json").json
    assert found["week"] == "2026-11-23"
    assert [one["partner"] for one in found["overdue"]] == [one["partner"] for one in run("overdue", "--json").json]


def test_hostile_names_are_shown_literally_and_keep_the_table_in_shape(database: Database, cast: Cast) -> None:
    names = ("<!channel> & [bold]Co[/bold]", "\u202eevil\u202c", "\x1b[31mRed" + "x" * 290, "=HYPERLINK(1)")
    with database.sessions.begin() as session:
        for number, name in enumerate(names):
            row = PartnerRow(name, 1, DANA.email, (f"hostile{number}.example",), since=date(2026, 8, 31))
            partners.put_partner(session, cast.workspace_id, "test", row, MONDAY - timedelta(weeks=12))
    run = CommandLine(database.url)
    said = run("overdue").out
    assert "<!channel> & [bold]Co[/bold]" in said
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert {one["partner"] for one in run("overdue", "--json").json} >= set(names)
    assert "'=HYPERLINK(1)," in run("overdue", "--csv").out
    shown = CommandLine(database.url, terminal=True)("overdue").out
    assert "\x1b[31m" not in shown


@pytest.mark.parametrize(
    "command",
    [
        ("overdue",),
        ("coverage",),
        ("touches",),
        ("partner", "Acme"),
        ("why", "Acme"),
        ("read",),
        ("tiers",),
        ("mailbox", "list"),
    ],
)
def test_a_terminal_of_80_columns_is_enough(database: Database, cast: Cast, command: tuple[str, ...]) -> None:
    said = CommandLine(database.url, terminal=True)(*command).out
    lines = re.sub(r"\x1b\[[0-9;]*m", "", said).splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert "…" not in said
    assert not re.search(r"\x1b\[[0-9;]*(3|4)\d", said)  # NO_COLOR is obeyed


def test_in_a_pipe_nothing_is_cut_and_nothing_is_drawn(run: CommandLine) -> None:
    said = run("overdue").out
    assert not re.search(r"[\u2500-\u257f\x1b]", said)
    assert "Send the deck, by Fri 27 Nov (Dana Kim)" in said
    assert all(line == line.rstrip() for line in said.splitlines())


def test_control_characters_of_a_mail_do_not_reach_the_terminal(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        touch = session.get_one(Touch, put_touch(session, cast, GLOBEX, MONDAY - timedelta(hours=2)))
        touch.rule = "odd \x07 rule"
    run = CommandLine(database.url)
    assert "\x07" not in run("touches").out
    assert run("touches", "--json").json[0]["rule"] == "odd \x07 rule"


def test_the_whole_cast_is_in_the_export(run: CommandLine) -> None:
    rows = list(csv.DictReader(io.StringIO(run("partners", "export").out)))
    assert {row["name"] for row in rows} == {partner.name for partner in PARTNERS}
    acme = next(row for row in rows if row["name"] == "Acme")
    assert (acme["tier"], acme["next_step"], acme["next_step_due_on"]) == ("1", "Send the deck", "2026-11-27")


def test_the_clock_of_the_desk_is_the_only_clock(database: Database, cast: Cast) -> None:
    later = CommandLine(database.url, now=datetime(2027, 1, 4, 9, tzinfo=UTC))
    assert later("coverage", "--json").json["as_of"] == "2027-01-04T09:00:00Z"
