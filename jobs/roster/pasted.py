"""Lines as people paste them, or the file they upload, → the importer. A header may be there, in a spreadsheet's words.

Judges nothing of what the cells mean: that is the importer's, and so is all or nothing.
"""

import csv
import io
import re
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from jobs.roster.csv import PARTNERS, PEOPLE, Imported, import_partners, import_people
from jobs.roster.table import Problem, RosterError
from models.names import name_key
from models.queries.programme import Programme
from models.queries.roster import partner_lines
from models.roster_report import RosterReport

KINDS = {"partners": (PARTNERS, import_partners), "people": (PEOPLE, import_people)}
WITHOUT_HEADER = {"partners": ("name", "tier", "owner_email", "domains"), "people": ("email", "name", "role")}
WORDS = {
    "partner": "name",
    "company": "name",
    "account": "name",
    "owner": "owner_email",
    "partner_manager": "owner_email",
    "domain": "domains",
    "contact": "contacts",
    "e-mail": "email",
    "email_address": "email",
    "full_name": "name",
    "alias": "aliases",
    "time_zone": "timezone",
}
LISTS = ("domains", "contacts", "aliases")
MARKS = ("\t", ";", ",")  # of spreadsheets, and of files
HEADER_OF_OURS = 1  # line more than the person sees
_OTHER_LINE = re.compile(r"(?<= in line )\d+\Z")


def roster_report(
    session: Session, programme: Programme, kind: str, data: bytes, actor: str, now: datetime
) -> RosterReport:
    """What the import did in this session; with problems it did nothing. The caller commits or takes it back."""
    columns, read = KINDS[kind]
    known = _known(session, programme) if kind == "partners" else {}
    table, shift = _table(data, kind, columns, known)
    try:
        done: Imported = read(session, programme, table, now, actor)
    except RosterError as error:
        return RosterReport(problems=tuple(_as_pasted(one, shift) for one in error.problems))
    return RosterReport(
        done.added, done.changed, done.unchanged, done.warnings, done.rematched.again, done.rematched.voided
    )


def _known(session: Session, programme: Programme) -> dict[str, list[str]]:
    """What a line without a header could say of each partner of the roster, by the key of its name."""
    return {
        name_key(one.name): [
            one.name,
            "" if one.tier is None else str(one.tier),
            one.owner_email or "",
            ";".join(one.domains),
        ]
        for one in partner_lines(session, programme.workspace_id).values()
    }


def _as_pasted(problem: Problem, shift: int) -> tuple[int, str, str]:
    """Line, column and text, counted by the lines that the person sees."""
    text = _OTHER_LINE.sub(lambda found: str(max(int(found[0]) - shift, 1)), problem.text)
    return max(problem.line - shift, 1), problem.column, text


def _table(data: bytes, kind: str, columns: tuple[str, ...], known: Mapping[str, list[str]]) -> tuple[bytes, int]:
    """The lines as a file with our header, and by how many lines it is longer. What cannot be read stays as it is."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data, 0
    first = next((line for line in text.splitlines() if line.strip()), "")
    mark = _mark(first)
    header = [_column(cell, kind) for cell in next(csv.reader([first], delimiter=mark), [])]
    shift = 0
    try:
        found = _numbered(csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True))
    except csv.Error:
        return data, 0  # the importer says where the quotes do not fit together
    if '"' not in text and not set(header) & set(columns):  # people paste one line from here, the next from there
        found = [(number, line.split(_mark(line))) for number, line in enumerate(text.splitlines(), 1)]
    rows = [(number, [cell.strip() for cell in row]) for number, row in found]
    if not set(header) & set(columns):
        header, shift = _usual(kind, header), HEADER_OF_OURS
        # Nobody takes an owner away by leaving the end of a line out.
        rows = [(number, [*row, *known.get(name_key(row[0]), ())[len(row) :]] if row else row) for number, row in rows]
        rows = [(number + shift, _folded(row, len(header))) for number, row in rows]
    else:
        named = next((index for index, (_, row) in enumerate(rows) if any(row)), None)
        if named is not None:
            rows[named] = (rows[named][0], header)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if shift:
        writer.writerow(header)
    written = shift
    for number, row in rows:
        if len(row) == len(header) and row is not header:
            row = _lists(row, header)
        out.write("\n" * max(number - written - 1, 0))  # each line keeps its number
        writer.writerow([cell.replace("\n", " ").replace("\r", " ") for cell in row])
        written = number
    return out.getvalue().encode(), shift


def _mark(line: str) -> str:
    """What separates the cells: whichever comes first, since lists stand in the last one."""
    return min((one for one in MARKS if one in line), key=line.index, default=",")


def _numbered(reader: object) -> list[tuple[int, list[str]]]:
    """Each row with the line it begins on."""
    found, line = [], 1
    for row in reader:  # type: ignore[attr-defined]  # the csv module does not export the type of its reader
        found.append((line, list(row)))
        line = reader.line_num + 1  # type: ignore[attr-defined]  # the same
    return found


def _usual(kind: str, first: list[str]) -> list[str]:
    """What the cells of lines without a header are. People are pasted with the name first as often as not."""
    names = list(WITHOUT_HEADER[kind])
    if kind == "people" and len(first) > 1 and "@" in first[1] and "@" not in first[0]:
        names[0], names[1] = names[1], names[0]
    return names


def _column(cell: str, kind: str) -> str:
    word = "_".join(cell.strip().casefold().split())
    if kind == "people" and word == "owner":
        return word
    return WORDS.get(word, word)


def _folded(row: list[str], columns: int) -> list[str]:
    """A short row filled up; what is too much belongs to the list in the last column: `acme.com, acme.co.uk`."""
    if not any(row):
        return row
    head, rest = row[: columns - 1], [one for one in row[columns - 1 :] if one]
    return [*head, *[""] * (columns - 1 - len(head)), ";".join(rest)]


def _lists(row: list[str], header: list[str]) -> list[str]:
    """Several in one cell, between commas or blanks as people write them, in the importer's spelling."""
    return [
        ";".join(cell.replace(",", " ").replace(";", " ").split()) if column in LISTS else cell
        for column, cell in zip(header, row, strict=True)
    ]
