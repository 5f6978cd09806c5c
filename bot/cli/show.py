"""How results look: tables on a terminal, aligned text in a pipe, JSON and CSV for programs. It knows no report."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from bot.cells import jsonable, table_csv
from bot.cli.common import Desk
from bot.wording import plain

Record = Mapping[str, Any]


def say(text: str = "") -> None:
    """One line of a result."""
    click.echo(text)


def as_json(value: object) -> None:
    """ISO 8601 for instants (UTC) and dates. Half characters, which mail can hold, stay escaped."""
    whole = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(jsonable(value), ensure_ascii=not whole, indent=2)
    click.echo(text.encode("utf-8", "backslashreplace").decode())


def as_csv(columns: Sequence[str], records: Sequence[Record]) -> None:
    """Cells that a spreadsheet would run as formulas are escaped."""
    whole = table_csv(columns, ([record[column] for column in columns] for record in records))
    click.echo(whole.encode("utf-8", "backslashreplace").decode(), nl=False)


def as_table(desk: Desk, columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """`right` names the columns that hold numbers. What comes from outside is made plain here."""
    cells = [[plain(cell) for cell in row] for row in rows]
    if not desk.on_terminal():
        _aligned([list(columns), *cells], right)
        return
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(
            column, justify="right" if number in right else "left", overflow="fold", no_wrap=number in right
        )
    for row in cells:
        table.add_row(*map(Text, row))
    desk.console().print(table)


def as_pairs(desk: Desk, title: str, pairs: Sequence[tuple[str, str]]) -> None:
    """A record: what it is about, then label and value on each line."""
    shown = [(label, plain(value)) for label, value in pairs]
    if not desk.on_terminal():
        say(plain(title))
        _aligned([[f"  {label}", value] for label, value in shown], ())
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in shown:
        grid.add_row(label, Text(value))
    console = desk.console()
    console.print(Text(plain(title), style="bold"))
    console.print(grid)


def tell(desk: Desk, text: str, style: str = "") -> None:
    """A sentence: wrapped between words on a terminal, one line in a pipe."""
    if desk.on_terminal():
        desk.console().print(Text(text, style=style))
    else:
        say(text)


def heading(desk: Desk, text: str) -> None:
    tell(desk, text, "bold")


def _aligned(rows: list[list[str]], right: Sequence[int]) -> None:
    widths = [max(cell_len(row[number]) for row in rows) for number in range(len(rows[0]))]
    for row in rows:
        cells = []
        for number, (cell, width) in enumerate(zip(row, widths, strict=True)):
            gap = " " * (width - cell_len(cell))
            cells.append(gap + cell if number in right else cell + gap)
        say("  ".join(cells).rstrip())
