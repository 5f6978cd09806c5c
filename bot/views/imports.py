"""Many partners or people at once: the form for lines and files, and what an import would do or has done.

Nothing is written before somebody has seen what would change.
"""

from collections.abc import Sequence

from bot import ids, wording
from bot.ids import Carried
from bot.views import inputs, kit
from bot.views.kit import Block, View
from models.roster_report import RosterReport

KINDS = {
    "partners": "Partners: name, tier, owner's address, domains",
    "people": "People: address, name, role (lead, manager or viewer)",
}
COUNTED = {"partners": ("partner", "partners"), "people": ("person", "people")}
SHOWN = 20
PROBLEMS = 25
SCRATCH = 2_600  # characters of one section

HINT = (
    "One a line, with commas or straight from a spreadsheet, with a header or without. Slack takes 3,000 characters at "
    "once: paste the rest in a second go, or upload a file."
)


def import_form(
    kind: str,
    lines: str = "",
    report: RosterReport | None = None,
    *,
    carried: Carried | None = None,
    trouble: str | None = None,
    file_name: str | None = None,
) -> View:
    """The form; with a report above it what the lines would do, and then submitting does it."""
    blocks: list[Block] = []
    if trouble is not None:
        blocks.append(kit.section(kit.words(trouble, 600)))
    if report is not None:
        blocks += report_blocks(kind, report, done=False)
    kinds = [kit.option(text, word) for word, text in KINDS.items()]
    blocks += [
        inputs.choice(ids.IMPORT_KIND, "What are they?", kinds, kind),
        inputs.lines(ids.IMPORT_LINES, "Lines", initial=lines, wanted=EXAMPLES[kind], hint=HINT),
        inputs.file(ids.IMPORT_FILE, "Or a CSV file", ["csv", "tsv", "txt"], hint=_file_hint(file_name)),
    ]
    ready = report is not None and not report.problems and bool(report.added or report.changed)
    carried = carried or Carried()
    return kit.modal(
        ids.IMPORT_FORM,
        "Import",
        blocks,
        carried=carried,
        submit="Import them" if ready else "Check",
        close="Cancel",
    )


EXAMPLES = {
    "partners": "Acme, Tier 1, dana@lantern.example, acme.example",
    "people": "dana@lantern.example, Dana Kim, manager",
}


def working_view(what: str) -> View:
    return kit.modal(ids.NOTE_MODAL, "Import", [kit.section(f"{what} …")])


def done_view(kind: str, report: RosterReport) -> View:
    return kit.modal(ids.NOTE_MODAL, "Import", report_blocks(kind, report, done=True))


def import_words(kind: str, report: RosterReport, *, done: bool) -> str:
    """One sentence of what changed, would change, or stands in the way."""
    if report.problems:
        return f"{wording.plural(len(report.problems), 'problem')}, so nothing would be changed."
    if report.empty:
        return "These lines name nobody."
    counts = f"{len(report.added)} added, {len(report.changed)} changed, {report.unchanged} unchanged"
    total = wording.plural(len(report.added) + len(report.changed) + report.unchanged, *COUNTED[kind])
    if done:
        return f"{total}: {counts}."
    if not report.added and not report.changed:
        return f"{total}, all as the roster has them already: nothing to do."
    return f"{total}: {counts}. Nothing is written yet."


def report_blocks(kind: str, report: RosterReport, *, done: bool) -> list[Block]:
    """Every problem with its line and column; what changes by name, and the rest counted."""
    head = import_words(kind, report, done=done)
    mark = "✓ " if done else ""
    blocks: list[Block] = [kit.section(f"*{mark}{head}*")]
    if report.problems:
        told = [_problem(*one) for one in report.problems]
        return [*blocks, *_sections(_cut(told, PROBLEMS, "more"))]
    added = [wording.name(one) for one in report.added]
    changed = [wording.plain(one, 200) for one in report.changed]
    for title, those in (("Added" if done else "New", added), ("Changed" if done else "Would change", changed)):
        if those:
            blocks += _sections([f"{title}:", *_cut([f"• {kit.words(one, 300)}" for one in those], SHOWN, "more")])
    notes = [kit.words(wording.plain(one, 250), 400) for one in report.warnings]
    if report.again:
        notes.append(f"{wording.plural(report.again, 'message')} of the last 90 days will be read again.")
    if report.voided:
        notes.append(
            f"{wording.plural(report.voided, 'touch', 'touches')} belong to nobody any more and count no longer."
        )
    if notes:
        blocks += _sections(_cut(notes, SHOWN, "more notes"))
    return blocks


def _problem(line: int, column: str, text: str) -> str:
    where = f"line {line}, {column}" if column else f"line {line}"
    return f"• {kit.words(f'{where}: {wording.plain(text, 250)}', 400)}"


def _cut(lines: Sequence[str], most: int, more: str) -> list[str]:
    rest = len(lines) - most
    return [*lines[:most], *([f"and {rest} {more}"] if rest > 0 else [])]


def _sections(lines: Sequence[str]) -> list[Block]:
    """As many blocks as the lines need: a section takes 3,000 characters."""
    blocks, room = [list[str]()], SCRATCH
    for line in lines:
        if len(line) + 1 > room and blocks[-1]:
            blocks.append([])
            room = SCRATCH
        blocks[-1].append(line)
        room -= len(line) + 1
    return [kit.section("\n".join(one)) for one in blocks if one]


def _file_hint(file_name: str | None) -> str:
    if file_name:
        return f"{kit.label(file_name, 80)} is the one that was checked; choose another one to replace it."
    return "UTF-8, at most 2 MB. A file comes before lines."
