"""Values as JSON and CSV hold them. A cell that a spreadsheet would run as a formula is escaped. Writes no file."""

import csv as plain_csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from defusedcsv import csv


def table_csv(columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    """A whole table as text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", quoting=plain_csv.QUOTE_MINIMAL)
    writer.writerow(columns)
    writer.writerows([csv_cell(jsonable(value)) for value in row] for row in rows)
    return out.getvalue()


def jsonable(value: Any) -> Any:
    """ISO 8601 for instants (UTC) and dates."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: jsonable(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(one) for one in value]
    return value


def csv_cell(value: Any) -> Any:
    """A JSON value as one cell."""
    if isinstance(value, list):
        return ";".join(map(str, value))
    return {None: "", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else value
