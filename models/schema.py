"""Brings a database to the newest schema and says whether it is there. Alembic does the work; no step is known here."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url

from models.db import normal_url

STEPS = Path(__file__).resolve().parent.parent / "migrations"
ONE_AT_A_TIME = 0x0CADE5CE  # the advisory lock of migrations on PostgreSQL


class SchemaError(Exception):
    """The database is not at the newest schema; the text says what to do."""


def migrate(engine: Engine) -> tuple[str | None, str | None]:
    """Runs what is missing, in one transaction; answers the revision before and after. Two at once take turns."""
    config = _config()
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_AT_A_TIME})
        before = MigrationContext.configure(connection).get_current_revision()
        _refuse_newer(before)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        return before, MigrationContext.configure(connection).get_current_revision()


def require_head(engine: Engine) -> None:
    """Raises SchemaError unless the database is at head. A SQLite file that does not exist is not created by asking."""
    path = engine.url.database
    if engine.dialect.name == "sqlite" and path and path != ":memory:" and not Path(path).exists():
        raise SchemaError(f"there is no database at {path} yet: run `cadence migrate`")
    with engine.execution_options(reading=True).connect() as connection:  # a report waits for no writer
        current = MigrationContext.configure(connection).get_current_revision()
    _refuse_newer(current)
    if current != _steps().get_current_head():
        what = "is empty" if current is None else "was made by an older Cadence"
        raise SchemaError(f"the database {what}: run `cadence migrate`")


def shown_url(url: str) -> str:
    """The address of a database for people: without its password."""
    parsed = make_url(url)
    if "password" in parsed.query:
        parsed = parsed.update_query_dict({"password": "hidden"})
    return parsed.render_as_string(hide_password=True)


def dump_url(url: str) -> str:
    """The address of a PostgreSQL database as its own programs take it, without its password."""
    return shown_url(make_url(normal_url(url)).set(drivername="postgresql").render_as_string(hide_password=False))


def _refuse_newer(revision: str | None) -> None:
    known = {step.revision for step in _steps().walk_revisions()}
    if revision is not None and revision not in known:
        raise SchemaError(
            f"the database is at step {revision}, which this Cadence does not know: install the newer one"
        )


def _steps() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(STEPS).replace("%", "%%"))
    return config
