"""`cadence coverage --chart FILE`: which files can be drawn, and writing one. Drawing is `bot.chart`."""

from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from bot.chart import NoCharts, chart
from bot.cli.common import Failure
from models.queries.trend import TrendLine

CHART_WEEKS = 13
SUFFIXES = (".png", ".svg", ".pdf")


def chart_file(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Path | None:
    """The file, if it is one that can be drawn; before anything is asked of the database."""
    if value is None:
        return None
    path = Path(value)
    if path.suffix.lower() not in SUFFIXES:
        raise click.BadParameter(f"'{value}' does not end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    return path


def save_chart(path: Path, lines: Sequence[TrendLine], zone: ZoneInfo) -> None:
    """Writes the picture; raises Failure with one line when that cannot be."""
    try:
        path.write_bytes(chart(lines, zone, path.suffix.lower().removeprefix(".")))
    except NoCharts as error:
        raise Failure("a chart needs matplotlib: install Cadence with its `charts` extra") from error
    except OSError as error:
        raise Failure(f"{path} could not be written: {error.strerror or error}") from error
