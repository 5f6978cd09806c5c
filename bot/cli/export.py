"""`cadence export` and `cadence views`: all records of a kind as a file, and how fresh the database's views are."""

import csv as plain_csv
import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, TextIO

import click
from defusedcsv import csv

from bot.cells import csv_cell, jsonable
from bot.cli.common import AsOf, Desk, Failure, json_option, note, pass_desk
from bot.cli.reports import clock_time
from bot.cli.show import as_json, tell
from bot.wording import plural
from models.actions.clocks import refresh_clocks
from models.actions.noted import note_standings
from models.clock import instant
from models.queries.export import KINDS, export_columns, export_rows
from models.queries.freshness import Freshness, freshness


@click.command()
@click.argument("kind", metavar="WHAT", type=click.Choice(KINDS))
@click.option("--since", type=AsOf(), help="Only what is of this day or instant and later.")
@click.option("--out", type=click.Path(path_type=Path), help="Into this file instead of standard output.")
@json_option
@pass_desk
def export(desk: Desk, kind: str, since: date | None, out: Path | None, form: str | None) -> None:
    """All partners, touches, reads, episodes, next-steps, claims or the audit, as CSV that is safe in a spreadsheet.

    With --json one object on each line.
    """
    if since is not None and kind == "partners":
        raise click.UsageError(
            "partners are exported as they stand now: leave --since out.", click.get_current_context()
        )
    now, programme = desk.clock.now(), desk.programme
    count = 0
    with desk.reading() as session, _target(out) as target:
        names = export_columns(kind)
        writer = csv.writer(target, lineterminator="\n", quoting=plain_csv.QUOTE_MINIMAL)
        if form != "json":
            writer.writerow(names)
        for record in export_rows(session, programme, kind, now, _start(desk, since)):
            values = {name: jsonable(record[name]) for name in names}
            if form == "json":
                target.write(json.dumps(values, ensure_ascii=False) + "\n")
            else:
                writer.writerow([csv_cell(value) for value in values.values()])
            count += 1
    if out is not None:
        note(f"{plural(count, 'line')} in {out}.")


@click.command()
@click.option("--refresh", is_flag=True, help="Bring them up to date now; `cadence run` does so every hour.")
@json_option
@pass_desk
def views(desk: Desk, refresh: bool, form: str | None) -> None:
    """How fresh the views are that other tools read in the database (docs/sql-views.md)."""
    programme, now = desk.programme, desk.clock.now()
    if refresh:
        refresh_clocks(desk.sessions, desk.reading, programme, now, limit=10_000_000)
        note_standings(desk.sessions, desk.reading, programme, now)
    with desk.reading() as session:
        found = freshness(session, programme.workspace_id)
    if form == "json":
        as_json({name: getattr(found, name) for name in Freshness.__dataclass_fields__})
        return
    tell(desk, _told(desk, "v_partner and v_coverage", found.standings_as_of, found.standings_outdated))
    tell(desk, _told(desk, "v_coverage_week", found.weeks_as_of, found.weeks_outdated))
    tell(desk, "The other views show what is stored at the moment they are asked.")


def _told(desk: Desk, which: str, as_of: datetime | None, outdated: int) -> str:
    if as_of is None:
        return f"{which}: not made yet: `cadence views --refresh` does, and `cadence run` every hour."
    changed = (
        f"the facts of {plural(outdated, 'partner')} have changed since" if outdated else "nothing has changed since"
    )
    return f"{which}: as of {clock_time(desk, as_of)}; {changed}."


def _start(desk: Desk, since: date | None) -> datetime | None:
    """The instant given, or the start of the local day given."""
    if since is None or isinstance(since, datetime):
        return None if since is None else desk.at(since)
    return instant(since, time(), desk.programme.zone)


@contextmanager
def _target(out: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file that is whole or as it was. Half characters, which mail can hold, are escaped."""
    if out is None:
        stream = io.TextIOWrapper(sys.stdout.buffer, **_TEXT)
        try:
            yield stream
        finally:
            stream.detach()
        return
    written = out if out.exists() and not out.is_file() else out.with_name(f".{out.name}.part")
    try:
        with written.open("w", **_TEXT) as file:
            yield file
        if written != out:
            written.replace(out)
    except OSError as error:
        raise Failure(f"{out} could not be written: {error.strerror or error}") from error
    finally:
        if written != out:
            written.unlink(missing_ok=True)


_TEXT: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace", "newline": ""}
