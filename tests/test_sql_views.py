"""The views for other tools: the same on both databases, the same numbers as our own reports, gone with a downgrade."""

from alembic import command
from sqlalchemy import inspect

from models.views import VIEWS, columns
from tests.databases import Database, alembic_config


def test_every_view_is_there_with_its_columns_in_their_order(database: Database) -> None:
    found = inspect(database.engine)
    assert set(found.get_view_names()) == set(VIEWS)
    for name in VIEWS:
        assert [one["name"] for one in found.get_columns(name)] == columns(name)


def test_the_views_are_no_tables_to_alembic_and_a_downgrade_drops_them(database: Database) -> None:
    command.check(alembic_config(database.url))
    command.downgrade(alembic_config(database.url), "-1")
    assert inspect(database.engine).get_view_names() == []
    command.upgrade(alembic_config(database.url), "head")
    assert set(inspect(database.engine).get_view_names()) == set(VIEWS)
