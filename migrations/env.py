"""How Alembic reaches the database: the settings' one, or the connection that a caller hands over."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from models.db import UtcDateTime, make_engine
from models.settings import load_settings
from models.tables import Base


def _render(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Migrations name plain types only, so that an old step never depends on today's code."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        render_item=_render,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


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
