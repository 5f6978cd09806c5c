"""The views for other tools: the same on both databases, the same figures as our own reports, in nobody's way."""

import random
import re
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import inspect, select, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from bot.cli.running import Running
from models.actions.noted import note_standings
from models.actions.reads import hold_read
from models.queries.export import export_columns, export_rows
from models.queries.freshness import freshness
from models.queries.mail import touches
from models.queries.trend import coverage_now, trend
from models.schema_views import REFUSAL, definitions, in_place
from models.settings import load_settings
from models.views import VIEWS, columns, view
from tests.cast import ACME, GLOBEX, MONDAY, STARTED, put_cast, put_touch
from tests.command_line import CommandLine
from tests.databases import ROOT, Database, alembic_config
from tests.surface import StandingClock
from tests.test_trend import MORNING, Programme

STEP = '''"""a later step"""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "9999", "{head}", None, None


def upgrade() -> None:
    with op.batch_alter_table("touch", recreate="{recreate}") as batch_op:
        batch_op.alter_column("rule", existing_type=sa.String(), type_=sa.Text())
    with op.batch_alter_table("read_line", recreate="{recreate}") as batch_op:
        batch_op.drop_column("quiet_words")
        batch_op.add_column(sa.Column("quiet_words", sa.String(), nullable=True))


def downgrade() -> None:
    pass
'''


@pytest.fixture
def programme(database: Database) -> Programme:
    """Much has happened; every index is up to date, and so is what was noted of partners."""
    with database.sessions.begin() as session:
        cast = put_cast(session, started=STARTED, observed_until=MORNING)
    programme = Programme(database, cast, random.Random(3))
    for _ in range(120):
        programme.happen()
        programme.now += timedelta(hours=3)
    with database.sessions.begin() as session:
        hold_read(session, programme.cast.programme, programme.now)
    programme.refresh()
    note_standings(database.sessions, database.reading, programme.cast.programme, programme.now)
    return programme


def shown(session: Session, name: str) -> list[dict[str, object]]:
    return [dict(row) for row in session.execute(select(view(name))).mappings()]


def test_every_view_is_there_with_its_columns_in_their_order(database: Database) -> None:
    found = inspect(database.engine)
    assert set(found.get_view_names()) == set(VIEWS)
    for name in VIEWS:
        assert [one["name"] for one in found.get_columns(name)] == columns(name)


def test_the_documentation_names_every_view_and_every_column_in_its_order() -> None:
    page = (ROOT / "docs" / "sql-views.md").read_text(encoding="utf-8")
    sections = re.split(r"^## (v_\w+)$", page, flags=re.MULTILINE)[1:]
    told = {
        name: re.findall(r"^\| `(\w+)` \|", body, re.MULTILINE)
        for name, body in zip(*[iter(sections)] * 2, strict=True)
    }
    assert told == {name: columns(name) for name in VIEWS}
    granted = page[page.index("GRANT SELECT ON") : page.index("TO cadence_bi;\nALTER")]
    assert set(re.findall(r"v_\w+", granted)) == set(VIEWS)


def test_no_view_shows_a_hash_a_secret_or_what_concerns_no_partner() -> None:
    hidden = {"subject_hmac", "content_hmac", "dedupe_key", "credential", "cursor", "digest_key", "payload", "options"}
    assert not hidden & {name for one in VIEWS for name in columns(one)}
    for sql in definitions(sqlite.dialect()).values():
        assert not re.search(r"\b(seen|seen_hint|bounce|pending_fetch|outbox_post)\b", sql)


def test_the_views_are_no_tables_to_alembic_and_a_downgrade_drops_them(database: Database) -> None:
    command.check(alembic_config(database.url))
    command.downgrade(alembic_config(database.url), "-1")
    assert inspect(database.engine).get_view_names() == []
    command.upgrade(alembic_config(database.url), "head")
    assert set(inspect(database.engine).get_view_names()) == set(VIEWS)


def test_coverage_is_the_same_in_the_view_in_json_and_in_csv(programme: Programme) -> None:
    names = ("covered", "eligible", "due_soon", "overdue", "new", "blind", "paused")
    with programme.database.reading() as session:
        ours = coverage_now(session, programme.cast.programme, programme.now)
        rows = sorted(shown(session, "v_coverage"), key=lambda row: str(row["tier_rank"]))
    assert [(row["tier_rank"], row["tier"], row["window_days"]) for row in rows] == [
        (one.tier.rank, one.tier.name, one.tier.window_days) for one in ours
    ]
    cadence = CommandLine(programme.database.url, programme.now)
    told = cadence("coverage", "--json").json["tiers"]
    assert [[row[name] for name in names] for row in rows] == [[one[name] for name in names] for one in told]
    assert [row["reply_backed"] for row in rows] == [one["reply_backed_partners"] for one in told]
    header, *lines = cadence("coverage", "--csv").out.splitlines()
    assert [[dict(zip(header.split(","), line.split(","), strict=True))[name] for name in names] for line in lines] == [
        [str(row[name]) for name in names] for row in rows
    ]
    assert {row["as_of"] for row in rows} == {programme.now}
    assert sum(int(str(row["eligible"])) for row in rows) > 0


def test_every_week_is_the_same_in_the_view_and_in_the_trend(programme: Programme) -> None:
    with programme.database.reading() as session:
        ours = trend(session, programme.cast.programme, programme.now, 30)
        rows = {(row["week"], row["tier_rank"]): row for row in shown(session, "v_coverage_week")}
    assert {one.source for one in ours} == {"snapshot", "reconstructed"}
    compared = 0
    for one in ours:
        row = rows.get((one.week, one.tier.rank))
        if row is None:  # nobody was in a tier yet
            assert one.coverage.eligible + one.new + one.blind + one.paused == 0
            continue
        compared += 1
        assert (row["covered"], row["eligible"]) == (one.coverage.covered, one.coverage.eligible)
        assert (row["reply_backed"], row["overdue"]) == (one.reply_backed.covered, one.overdue)
        assert (row["new"], row["blind"], row["paused"]) == (one.new, one.blind, one.paused)
        assert (row["on_time"], row["on_time_of"]) == (one.on_time.covered, one.on_time.eligible)
        assert row["source"] == one.source
    assert compared > 20


def test_a_partner_is_the_same_in_the_view_and_in_the_export(programme: Programme) -> None:
    cast, names = programme.cast, export_columns("partners")
    with programme.database.reading() as session:
        exported = list(export_rows(session, cast.programme, "partners", programme.now))
        rows = sorted(shown(session, "v_partner"), key=lambda row: int(str(row["partner_id"])))
    assert [{name: row[name] for name in names} for row in rows] == exported
    assert all(row["fresh"] for row in rows)


@pytest.mark.parametrize("policy", ["outbound", "two_way", "any"])
def test_a_touch_counts_in_the_view_as_it_does_in_the_report(programme: Programme, policy: str) -> None:
    with programme.database.sessions.begin() as session:
        session.execute(text("UPDATE workspace SET policy = :policy"), {"policy": policy})
    programme.again()
    with programme.database.reading() as session:
        future = programme.now + timedelta(days=1)
        ours = {one.id: (one.counts, one.by) for one in touches(session, programme.cast.programme, future)}
        rows = {row["touch_id"]: (row["counts"], row["written_by"]) for row in shown(session, "v_touch")}
    assert ours == rows
    assert len({counts for counts, _ in rows.values()}) == 2


def test_what_has_changed_since_is_told_and_brought_up_to_date(database: Database) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session)
        put_touch(session, cast, ACME, MONDAY - timedelta(days=11))
    cadence = CommandLine(database.url)
    assert "v_partner and v_coverage: not made yet" in cadence("views").out
    assert (
        "v_partner and v_coverage: as of 2026-11-23 09:00; nothing has changed since."
        in cadence("views", "--refresh").out
    )
    cadence("partners", "rename", "Globex", "Globex Corporation")
    with database.reading() as session:
        found = freshness(session, cast.workspace_id)
        stale = [row["partner_id"] for row in shown(session, "v_partner") if not row["fresh"]]
    assert (found.partners, found.standings_as_of) == (10, MONDAY)
    assert stale in ([], [cast.partner(GLOBEX)])
    assert found.standings_outdated == len(stale)


def test_the_running_bot_brings_the_views_up_to_date_every_hour(database: Database) -> None:
    with database.sessions.begin() as session:
        put_cast(session)
    clock = StandingClock(MONDAY)
    settings = load_settings(SLACK_BOT_TOKEN="xoxb-1", CADENCE_DATABASE_URL=database.url)
    running, noted = Running(settings, clock), []
    for minutes in (0, 59, 60):
        clock.at = MONDAY + timedelta(minutes=minutes)
        running.clocks()
        with database.reading() as session:
            noted.append({row["as_of"] for row in shown(session, "v_partner")})
    running.engine.dispose()
    assert noted == [{MONDAY}, {MONDAY}, {MONDAY + timedelta(minutes=60)}]


def test_a_later_step_may_rebuild_a_table_that_views_look_at(database: Database, tmp_path: Path) -> None:
    """SQLite renames no table that a view names, PostgreSQL changes no column that a view shows."""
    steps = tmp_path / "migrations"
    shutil.copytree(ROOT / "migrations", steps, ignore=shutil.ignore_patterns("__pycache__"))
    config = Config()
    config.set_main_option("script_location", str(steps))
    config.attributes["url"] = database.url
    with database.engine.connect() as connection:
        head = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    recreate = "always" if database.backend == "sqlite" else "never"
    (steps / "versions" / "9999_later.py").write_text(STEP.format(head=head, recreate=recreate))
    command.upgrade(config, "head")
    with database.sessions.begin() as session:
        cast = put_cast(session)
        put_touch(session, cast, ACME, MONDAY - timedelta(days=1))
        hold_read(session, cast.programme, MONDAY)
        assert in_place(session.connection())
        assert len(shown(session, "v_read_line")) == 10
    with pytest.raises(DBAPIError, match=REFUSAL), database.engine.begin() as connection:
        connection.execute(text("DELETE FROM read_line"))


def test_a_database_at_head_gets_its_views_back_and_is_else_left_alone(database: Database) -> None:
    with database.engine.begin() as connection:
        assert in_place(connection)
        connection.execute(text("DROP VIEW v_touch"))
        assert not in_place(connection)
    CommandLine(database.url)("migrate")
    with database.engine.connect() as connection:
        assert in_place(connection)


@pytest.mark.postgres
def test_what_was_granted_on_a_view_is_granted_again(database: Database) -> None:
    if database.backend != "postgresql":
        pytest.skip("SQLite has no roles")
    role = f"bi_{random.randrange(10**9)}"
    with database.engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {role}"))
        connection.execute(text(f"GRANT SELECT ON v_touch, v_partner TO {role}"))
    try:
        command.upgrade(alembic_config(database.url), "head")
        command.stamp(alembic_config(database.url), "head")
        with database.engine.begin() as connection:
            connection.execute(text("DROP VIEW v_audit"))  # so that all are made anew
        command.upgrade(alembic_config(database.url), "head")
        with database.engine.connect() as connection:
            may = "SELECT has_table_privilege(:role, :view, 'SELECT')"
            granted = {name: connection.execute(text(may), {"role": role, "view": name}).scalar_one() for name in VIEWS}
        assert {name for name, given in granted.items() if given} == {"v_touch", "v_partner"}
    finally:
        with database.engine.begin() as connection:
            connection.execute(text(f"DROP OWNED BY {role}"))
            connection.execute(text(f"DROP ROLE {role}"))
