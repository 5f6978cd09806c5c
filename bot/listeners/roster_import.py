"""Many partners or people at once, from lines or a file: tried first, then all of it or nothing. For leads.

What was tried is held by Slack, in the form or as its file, and recognised by its digest: no replica remembers it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from slack_bolt import App

from bot import ids
from bot.cells import table_csv
from bot.files import NoFile, download, upload
from bot.ids import Carried
from bot.listeners.call import Call, answering, on_action
from bot.listeners.desk import Desk, ImportRoster, Refused, Visitor
from bot.listeners.pages import answer
from bot.listeners.settings import opened_from, redraw_home
from bot.listeners.typed import Command, literal
from bot.views import inputs
from bot.views.help import HelpLine, sorry
from bot.views.imports import KINDS, done_view, import_form, working_view
from models.actions.deliveries import first_delivery
from models.actions.setup import steps_changed
from models.actions.write import actor_of
from models.queries.roster import PartnerLine, partner_lines
from models.roster_report import RosterReport

DEFAULT = "partners"


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.IMPORT, open_form)
    on_action(app, desk, ids.EXPORT_ROSTER, send_roster)
    app.view(ids.IMPORT_FORM)(answering(desk, submit))


def open_form(call: Call) -> None:
    call.visitor(leading=True)
    _ready(call)
    kind = call.carried().verb or DEFAULT
    call.open(import_form(kind if kind in KINDS else DEFAULT, carried=opened_from(call)))
    call.ack()


def typed(call: Call, rest: str) -> None:
    """`import`, or `import people`."""
    call.visitor(leading=True)
    _ready(call)
    kind = literal(rest).casefold()
    call.open(import_form(kind if kind in KINDS else DEFAULT, carried=opened_from(call)))
    call.ack()


COMMANDS = {
    "import": Command(
        typed, HelpLine("import", "many partners or people at once, from lines or a CSV file", "lead"), acks=True
    )
}


def submit(call: Call) -> None:
    """Checks what is in the form. The same once more, after it was shown to be right, is written."""
    visitor, beneath = call.visitor(leading=True), call.beneath()
    _ready(call)
    values: Mapping[str, Any] = call.body["view"]["state"]["values"]
    kind = inputs.read_choice(values, ids.IMPORT_KIND) or DEFAULT
    lines, file = inputs.read_text(values, ids.IMPORT_LINES), inputs.read_file(values, ids.IMPORT_FILE)
    file_id = str(file["id"]) if file and file.get("id") else beneath.file
    if kind not in KINDS or not (lines or file_id):
        call.ack(response_action="errors", errors={ids.IMPORT_LINES: "Paste lines, or choose a file."})
        return
    call.ack(response_action="update", view=working_view("Reading"))
    try:
        data = download(call.client, file_id) if file_id else lines.encode()
    except NoFile as error:
        here = Carried(verb=beneath.verb)
        call.update_answered(import_form(kind, lines, trouble=f"{error}.", carried=here))
        return
    digest = hashlib.sha256(kind.encode() + b"\0" + data).hexdigest()[:32]
    if digest == beneath.digest:
        _write(call, visitor, kind, lines, data)
        return
    report = _try(call, visitor, kind, data)
    right = not report.problems and bool(report.added or report.changed)
    carried = Carried(verb=beneath.verb, file=file_id, digest=digest if right else None)
    name = str(file.get("name") or "") if file else None
    call.update_answered(import_form(kind, lines, report, carried=carried, file_name=name))


def send_roster(call: Call) -> None:
    """The partners as a file that an import takes back, in a private message."""
    visitor = call.visitor(leading=True)
    call.carried()
    call.ack()
    with call.desk.reading() as session:
        lines = partner_lines(session, visitor.programme.workspace_id).values()
    columns = [one.name for one in fields(PartnerLine)]
    table = table_csv(columns, ([getattr(line, column) for column in columns] for line in lines))
    try:
        content = table.encode()
        upload(call.client, channel=call.user_id or "", name="partners.csv", content=content, title="Partners")
    except NoFile as error:
        answer(call, sorry(f"{error}."))
        return
    answer(call, sorry("The file is in your messages with me. An import takes it back, changed or not."))


def _write(call: Call, visitor: Visitor, kind: str, lines: str, data: bytes) -> None:
    """What was shown is done; when others have changed the roster meanwhile, what is wrong now is shown instead."""
    with call.desk.sessions() as session, session.begin() as transaction:
        if not first_delivery(session, _key(call), call.now):
            return
        report = _import(call)(session, visitor.programme, kind, data, actor_of(visitor.person.id), call.now)
        if report.problems:
            transaction.rollback()
        else:
            steps_changed(session, visitor.programme.workspace_id)
    if report.problems:
        call.update_answered(import_form(kind, lines, report, carried=Carried(verb=call.beneath().verb)))
        return
    call.update_answered(done_view(kind, report))
    redraw_home(call)


def _try(call: Call, visitor: Visitor, kind: str, data: bytes) -> RosterReport:
    """The same import, taken back."""
    with call.desk.sessions() as session, session.begin() as transaction:
        report = _import(call)(session, visitor.programme, kind, data, actor_of(visitor.person.id), call.now)
        transaction.rollback()
    return report


def _key(call: Call) -> str:
    """One view is submitted twice here, first to be tried: what is written has its own key."""
    return f"{call.key()}:{call.beneath().digest}"


def _ready(call: Call) -> None:
    _import(call)


def _import(call: Call) -> ImportRoster:
    if call.desk.import_roster is None:
        raise Refused("This Cadence imports on the command line only: `cadence partners import`.")
    return call.desk.import_roster
