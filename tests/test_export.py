"""Exports: every record once, in columns that stay, safe to open, without what may not leave the house."""

import csv
import io
import json
import tracemalloc
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from models.actions import claims, episodes, next_steps, reads
from models.actions.touches import void_touch
from models.queries.export import KINDS, export_columns, export_rows
from models.queries.standings import standings
from models.tables import Partner, Touch
from tests.cast import ACME, DANA, GLOBEX, HOOLI, MONDAY, ROBIN, TOMAS, Cast, put_cast, put_touch
from tests.command_line import CommandLine, Said
from tests.databases import Database

FORMULA = '=HYPERLINK("https://evil.example")'


@pytest.fixture
def cast(database: Database) -> Cast:
    """A read was held; Acme is overdue and claimed, has a next step, and a touch was taken back."""
    with database.sessions.begin() as session:
        cast = put_cast(session)
        for partner, days in ((ACME, 11), (GLOBEX, 3), (HOOLI, 9)):
            put_touch(session, cast, partner, MONDAY - timedelta(days=days))
        put_touch(session, cast, ACME, MONDAY - timedelta(days=9), by="wendy@acme-mail.example")
        spare = session.get_one(Touch, put_touch(session, cast, GLOBEX, MONDAY - timedelta(days=2)))
        void_touch(session, cast.workspace_id, spare, "capture", "bounced", MONDAY)
        reads.hold_read(session, cast.programme, MONDAY)
        claims.claim(session, cast.programme, cast.partner(ACME), cast.person(DANA), MONDAY)
        step = (cast.partner(ACME), FORMULA, cast.person(TOMAS), MONDAY.date(), cast.person(ROBIN))
        next_steps.set_next_step(session, cast.programme, *step, f"person:{cast.person(ROBIN)}", MONDAY)
        episodes.settle_episodes(session, cast.programme, MONDAY)
    return cast


def rows(said: Said) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(said.out)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_and_its_lines_of_json_hold_the_same_records_in_the_same_columns(
    database: Database, cast: Cast, kind: str
) -> None:
    cadence = CommandLine(database.url)
    sheet = rows(cadence("export", kind))
    lines = [json.loads(line) for line in cadence("export", kind, "--json").out.splitlines()]
    assert len(sheet) == len(lines) > 0
    for cells, record in zip(sheet, lines, strict=True):
        assert list(cells) == list(record) == export_columns(kind)
        for name, value in record.items():
            if isinstance(value, str) and not value.startswith("="):
                assert cells[name] == value


def test_partners_are_exported_as_the_reports_see_them_at_this_moment(database: Database, cast: Cast) -> None:
    sheet = {row["partner"]: row for row in rows(CommandLine(database.url)("export", "partners"))}
    with database.reading() as session:
        judged = standings(session, cast.programme, MONDAY)
    assert {name: row["state"] for name, row in sheet.items()} == {one.facts.name: str(one.state) for one in judged}
    assert (sheet["Acme"]["days_overdue"], sheet["Acme"]["claimed_by"]) == ("4", "Dana Kim")
    assert (sheet["Globex"]["last_touch_at"], sheet["Globex"]["due_on"]) == ("2026-11-20T09:00:00Z", "2026-11-27")


def test_a_cell_that_a_spreadsheet_would_run_is_text(database: Database, cast: Cast) -> None:
    cadence = CommandLine(database.url)
    assert rows(cadence("export", "next-steps"))[0]["next_step"] == f"'{FORMULA}"
    assert json.loads(cadence("export", "next-steps", "--json").out)["next_step"] == FORMULA


def test_the_record_of_changes_names_people_and_partners(database: Database, cast: Cast) -> None:
    changes = rows(CommandLine(database.url)("export", "audit"))
    step = next(row for row in changes if row["action"] == "set next step")
    assert (step["actor_name"], step["subject_name"], step["before"]) == ("Robin Okafor", "Acme", "")
    claim = next(row for row in changes if row["action"] == "claim")
    assert json.loads(claim["after"])["by"] == "Dana Kim"


def test_touches_tell_what_counts_and_where_it_was_seen_and_nothing_that_is_hashed(
    database: Database, cast: Cast
) -> None:
    said = CommandLine(database.url)("export", "touches")
    assert "subject-" not in said.out
    assert "content-" not in said.out
    sheet = rows(said)
    assert [(row["partner"], row["counts"]) for row in sheet] == [
        *(("Acme", "true"), ("Globex", "true"), ("Hooli", "true")),
        *(("Acme", "false"), ("Globex", "false")),
    ]
    assert (sheet[0]["written_by"], sheet[0]["mailboxes"]) == ("Dana Kim", "dana@lantern.example")
    assert (sheet[3]["written_by"], sheet[4]["void_reason"]) == ("wendy@acme-mail.example", "bounced")


def test_since_a_day_means_since_its_beginning(database: Database, cast: Cast) -> None:
    cadence = CommandLine(database.url)
    assert len(rows(cadence("export", "touches", "--since", "2026-11-20"))) == 2
    assert len(rows(cadence("export", "touches", "--since", "2026-11-20T09:01"))) == 1
    assert rows(cadence("export", "episodes", "--since", "2026-11-24")) == []
    assert "leave --since out" in cadence("export", "partners", "--since", "2026-11-20", status=2).err


def test_a_file_is_whole_or_as_it_was(database: Database, cast: Cast, tmp_path: Path) -> None:
    cadence, file = CommandLine(database.url), tmp_path / "touches.csv"
    said = cadence("export", "touches", "--out", str(file))
    assert said.out == ""
    assert f"5 lines in {file}" in said.err
    assert file.read_bytes().decode("utf-8") == cadence("export", "touches").out
    nowhere = cadence("export", "touches", "--out", str(tmp_path / "no" / "touches.csv"), status=1)
    assert nowhere.err.count("\n") == 1
    assert [one.name for one in tmp_path.iterdir()] == ["touches.csv"]


def test_another_programme_in_the_database_is_not_exported(database: Database, cast: Cast) -> None:
    with database.reading() as session:
        other = replace(cast.programme, workspace_id=99)
        assert [list(export_rows(session, other, kind, MONDAY)) for kind in KINDS] == [[]] * len(KINDS)


def test_many_touches_are_exported_without_holding_them_all(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        like = session.query(Touch).first()
        assert like is not None
        same = {one.name: getattr(like, one.name) for one in Touch.__table__.columns if one.name != "id"}
        session.execute(insert(Touch), [same | {"dedupe_key": f"many-{number}"} for number in range(20_000)])
        assert session.query(Partner).count() == 10
    peaks = []
    for limit in (2_000, 20_000):
        with database.reading() as session:
            tracemalloc.start()
            for _, _row in zip(range(limit), export_rows(session, cast.programme, "touches", MONDAY), strict=False):
                pass
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]
