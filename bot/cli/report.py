"""`cadence report`: a quarter of coverage as one page for a leader, in one file that loads nothing."""

from datetime import date
from pathlib import Path

import click

from bot.cli.common import Desk, Failure, as_of_option, note, pass_desk
from bot.cli.show import say
from bot.report.page import report_page
from models.queries.quarter import quarter

STDOUT = "-"


@click.command()
@click.option("--html", "target", metavar="FILE", required=True, help="Where the page goes; - is standard output.")
@click.option("--weeks", type=click.IntRange(1, 156), default=13, show_default=True, help="How many weekly reads.")
@click.option("--partners", is_flag=True, help="Name the overdue, unseen and waiting partners in an appendix.")
@as_of_option
@pass_desk
def report(desk: Desk, target: str, weeks: int, partners: bool, as_of: date | None) -> None:
    """The leader's page: coverage, trend, recoveries, what was not seen, and the method. It names no person."""
    now, programme = desk.at(as_of), desk.programme
    with desk.reading() as session:
        found = quarter(session, programme, now, weeks)
    page = report_page(found, programme.zone, partners=partners)
    if target == STDOUT:
        say(page.rstrip("\n"))
        return
    path = Path(target)
    _replace(path, page)
    note(f"The page is in {path}: {len(page.encode()) / 1000:.0f} kB, and it loads nothing else.")


def _replace(path: Path, page: str) -> None:
    """The whole page or the file as it was."""
    part = path.with_name(f".{path.name}.part")
    try:
        if path.exists() and not path.is_file():  # a pipe or a device is written to, not replaced
            path.write_text(page, encoding="utf-8")
            return
        part.write_text(page, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise Failure(f"{path} could not be written: {error.strerror or error}") from error
