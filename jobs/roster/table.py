"""A roster file → rows of cells, each knowing its line. It says what is wrong with the file, not with its content.

Must not guess an encoding: a name that is read wrongly looks right until somebody is addressed by it.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_ESCAPED = re.compile(r"'(?=[@+\-=|%])")  # how spreadsheets are kept from running a cell, here and in our own export


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    line: int
    column: str
    text: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column}: {self.text}" if self.column else f"line {self.line}: {self.text}"


class RosterError(Exception):
    """The file cannot be imported. All that is wrong with it is listed, each with its line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("; ".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one line by column; a column that the file lacks is absent."""

    line: int
    cells: Mapping[str, str]


def read_table(data: bytes, columns: Sequence[str], required: Sequence[str]) -> tuple[list[Row], list[Problem]]:
    """The rows, and what is wrong with single lines. Raises RosterError when the file as a whole cannot be read."""
    text = _decoded(data)
    if not text.strip():
        raise RosterError([Problem(1, "", f"the file is empty: its first line must be {','.join(columns)}")])
    delimiter = _delimiter(text, columns)
    problems: list[Problem] = []
    rows: list[Row] = []
    header: list[str] = []
    for line, cells in _records(text, delimiter, problems):
        if not any(cells):
            continue
        if not header:
            header = [cell.lower() for cell in cells]
            _check_header(line, header, columns, required)
        elif len(cells) != len(header):
            hint = "; put quotes around lists" if delimiter == ";" and len(cells) > len(header) else ""
            problems.append(Problem(line, "", f"it has {len(cells)} cells where the header has {len(header)}{hint}"))
        else:
            rows.append(Row(line, dict(zip(header, cells, strict=True))))
    if not header and problems:
        raise RosterError(problems)
    return rows, problems


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        what = f"the file is not UTF-8 (byte 0x{data[error.start]:02x})"
        how = "save it as CSV in UTF-8 (in Excel: Save As, “CSV UTF-8”)"
        raise RosterError([Problem(line, "", f"{what}: {how}")]) from error


def _delimiter(text: str, columns: Sequence[str]) -> str:
    """Comma or semicolon, whichever makes more known columns of the header."""
    first = text.lstrip().splitlines()[0]

    def known(delimiter: str) -> int:
        return sum(cell.strip().strip('"').lower() in columns for cell in first.split(delimiter))

    return ";" if known(";") > known(",") else ","


def _records(text: str, delimiter: str, problems: list[Problem]) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line it begins on; a quoted cell may run over several lines."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problems.append(Problem(line, "", f"the quotes do not fit together ({error}): nothing after it was read"))
            return
        yield (
            line,
            [
                _ESCAPED.sub("", cell.strip(), count=1) if _ESCAPED.match(cell.strip()) else cell.strip()
                for cell in cells
            ],
        )


def _check_header(line: int, header: list[str], columns: Sequence[str], required: Sequence[str]) -> None:
    problems = []
    for name in dict.fromkeys(header):
        if name not in columns:
            problems.append(Problem(line, name or "(no name)", f"unknown column; known are {', '.join(columns)}"))
        elif header.count(name) > 1:
            problems.append(Problem(line, name, "the column stands there more than once"))
    problems += [Problem(line, name, "the column is missing") for name in required if name not in header]
    if problems:
        raise RosterError(problems)
