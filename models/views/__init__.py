"""What other tools may read of the database: views whose names and columns stay. docs/sql-views.md tells of each.

A view counts nothing in a way of its own: it shows what the queries say of the same instant. It holds no subject, no
keyed hash, no secret. `models.schema_views` brings the views into a database.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Label, TableClause, column, table

from models.views import records, standing, weeks
from models.views.common import View

VIEWS: Mapping[str, View] = {
    "v_partner": standing.partner(),
    "v_coverage": standing.coverage(),
    "v_coverage_week": weeks.coverage_week(),
    "v_touch": records.touch(),
    "v_read_line": records.read_line(),
    "v_episode": records.episode(),
    "v_claim": records.claim(),
    "v_next_step": records.next_step(),
    "v_audit": records.audit(),
    "v_freshness": standing.freshness(),
}


def view(name: str) -> TableClause:
    """A view for reading, its columns typed as in the tables behind it."""
    return table(name, *(column(one.name, one.type) for one in _columns(name)))


def columns(name: str) -> list[str]:
    return [one.name for one in _columns(name)]


def _columns(name: str) -> list[Label[Any]]:
    return list(VIEWS[name].selected_columns)  # type: ignore[arg-type]
