"""How Alembic reaches the database: the settings' one, or the connection that a caller hands over."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from models import schema_views
from models.db import UtcDateTime, make_engine
from models.settings import load_settings
from models.tables import Base


def _render(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Migrations name plain types only, so that an old step never depends on today's code."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def _ours(name: str | None, kind: str, _parents: Any) -> bool:
    """The queue's tables are procrastinate's: no code of ours describes them."""
    return not (kind == "table" and name is not None and name.startswith("procrastinate_"))


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        render_item=_render,
        include_name=_ours,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        if not _moves(connection):
            context.run_migrations()
            return
        grants = schema_views.take_away(connection)
        context.run_migrations()
        if _at_head():
            schema_views.put_in_place(connection, grants)


def _moves(connection: Connection) -> bool:
    """Whether steps may run. A database that is at head, views and all, is left alone: nobody's query waits."""
    if "destination_rev" not in context.get_context().opts:  # `alembic check` and the like
        return False
    to_head = context.get_context().opts["destination_rev"] in ("head", "heads")
    return not (to_head and _at_head() and schema_views.in_place(connection))


def _at_head() -> bool:
    return set(context.get_context().get_current_heads()) == set(context.script.get_heads())


def migrate_online() -> None:
    handed_over = context.config.attributes.get("connection")
    if handed_over is not None:
        _run(handed_over)
        return
    engine = make_engine(context.config.attributes.get("url") or load_settings().database_url)
    with engine.begin() as connection:
        _run(connection)
    engine.dispose()


if context.is_offline_mode():
    raise SystemExit("Cadence migrates online only: set CADENCE_DATABASE_URL and run `alembic upgrade head`.")
migrate_online()
