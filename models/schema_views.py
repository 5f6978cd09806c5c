"""Puts the views into a database, with the guards that keep held reads as they were, and takes them away for steps.

They belong to the newest schema and to no step of its history: a step could not change a table that a view looks at
(SQLite refuses to rename it, PostgreSQL to drop a column). So `migrations/env.py` takes all away before steps run, and
makes them anew behind the last one. What was granted on a view on PostgreSQL is granted again.
"""

import hashlib
from collections.abc import Sequence

from sqlalchemy import Connection, Dialect, inspect, text

from models.tables import Base
from models.views import VIEWS

HELD = ("read", "read_line")
MAY_FOLLOW = "last_touch_id"  # the touch may become another row, when two partners are merged
REFUSAL = "a weekly read that was held is never changed"
Grants = Sequence[str]


def in_place(connection: Connection) -> bool:
    """Whether every view is there as today's code writes it."""
    wanted = {name: _mark(sql) for name, sql in definitions(connection.dialect).items()}
    return _stored(connection) == wanted


def take_away(connection: Connection) -> Grants:
    """Drops views and guards; answers the statements that grant again what was granted on the views."""
    grants = _grants(connection)
    views = [name for name in inspect(connection).get_view_names() if name.startswith("v_")]
    tables = set(inspect(connection).get_table_names())
    for name in views:
        connection.exec_driver_sql(f"DROP VIEW {name}")
    for table in HELD:
        for what in ("update", "delete"):
            on = f" ON {table}" if connection.dialect.name == "postgresql" else ""
            if table in tables:
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS keep_{table}_{what}{on}")
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("DROP FUNCTION IF EXISTS keep_held_read()")
    return grants


def put_in_place(connection: Connection, grants: Grants = ()) -> None:
    """Creates all views and guards on a database at head, on which none is left."""
    for name, sql in definitions(connection.dialect).items():
        connection.exec_driver_sql(sql)
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"COMMENT ON VIEW {name} IS '{_mark(sql)}'")
    for sql in _guards(connection.dialect):
        connection.exec_driver_sql(sql)
    kept = [grant for grant in grants if any(f" {name} " in grant for name in VIEWS)]
    for grant in kept:
        connection.exec_driver_sql(grant)


def definitions(dialect: Dialect) -> dict[str, str]:
    """CREATE VIEW for each view."""
    written = {
        name: view.compile(dialect=dialect, compile_kwargs={"literal_binds": True}) for name, view in VIEWS.items()
    }
    return {name: f"CREATE VIEW {name} AS {str(sql).replace('%%', '%')}" for name, sql in written.items()}


def _guards(dialect: Dialect) -> list[str]:
    """Triggers that refuse to change or to delete what a read has said."""
    postgres = dialect.name == "postgresql"
    refuse = (
        "FOR EACH ROW EXECUTE FUNCTION keep_held_read()" if postgres else f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    )
    found = []
    if postgres:
        body = f"BEGIN RAISE EXCEPTION '{REFUSAL}'; END"
        found.append(f"CREATE FUNCTION keep_held_read() RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
    for table in HELD:
        kept = ", ".join(f'"{one.name}"' for one in Base.metadata.tables[table].columns if one.name != MAY_FOLLOW)
        found.append(f"CREATE TRIGGER keep_{table}_update BEFORE UPDATE OF {kept} ON {table} {refuse}")
        found.append(f"CREATE TRIGGER keep_{table}_delete BEFORE DELETE ON {table} {refuse}")
    return found


def _mark(sql: str) -> str:
    return hashlib.sha256(sql.encode()).hexdigest()[:16]


def _stored(connection: Connection) -> dict[str, str]:
    """View → the mark of what it was made from. PostgreSQL keeps no text as it was written, so it has a comment."""
    if connection.dialect.name == "postgresql":
        found = connection.exec_driver_sql(
            "SELECT relname, obj_description(oid, 'pg_class') FROM pg_class "
            "WHERE relkind = 'v' AND relnamespace = current_schema()::regnamespace"
        )
        return {name: mark or "" for name, mark in found if name.startswith("v_")}
    rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'view'")
    return {name: _mark(sql) for name, sql in rows if name.startswith("v_")}


def _grants(connection: Connection) -> Grants:
    if connection.dialect.name != "postgresql":
        return ()
    rows = connection.execute(
        text(
            "SELECT format('GRANT %s ON %I TO %s', given.privilege_type, relname, "
            "CASE given.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(given.grantee)) END) "
            "FROM pg_class, aclexplode(relacl) AS given "
            "WHERE relkind = 'v' AND relnamespace = current_schema()::regnamespace AND given.grantee <> relowner"
        )
    )
    return [grant for (grant,) in rows]
