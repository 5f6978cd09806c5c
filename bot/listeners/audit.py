"""The audit log for leads: leafed through in a modal, or sent as a file to whoever asks."""

from slack_bolt import App

from bot import ids
from bot.cells import table_csv
from bot.files import NoFile, upload
from bot.ids import Carried
from bot.listeners.call import Call, on_action
from bot.listeners.desk import Desk, Refused
from bot.listeners.typed import Command, literal, look_up, not_found
from bot.views.audit import ON_PAGE, audit_modal
from bot.views.help import HelpLine
from bot.views.kit import Payload, View
from models.queries.audit import audit_page
from models.queries.export import export_columns, export_rows


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.AUDIT, show)
    on_action(app, desk, ids.AUDIT_PAGE, turn)
    on_action(app, desk, ids.AUDIT_EXPORT, send)


def show(call: Call) -> None:
    call.open(page(call, call.carried()))
    call.ack()


def turn(call: Call) -> None:
    call.update(page(call, call.carried()))
    call.ack()


def send(call: Call) -> None:
    """The whole log as a file, to the lead who asked, in private."""
    call.ack()
    visitor, carried = call.visitor(leading=True), call.beneath()
    names = export_columns("audit")
    with call.desk.reading() as session:
        rows = export_rows(session, visitor.programme, "audit", call.now)
        content = table_csv(names, ([record[name] for name in names] for record in rows))
    try:
        upload(
            call.client,
            channel=call.user_id or "",
            name=f"cadence-audit-{visitor.today}.csv",
            content=content.encode("utf-8", "backslashreplace"),
            title=f"Audit log, {visitor.today}",
        )
    except NoFile as error:
        raise Refused(f"{error}. On the server, `cadence export audit` writes the same.") from error
    call.update(page(call, carried, "The audit log is in your messages with Cadence, as a file for a spreadsheet."))


def typed(call: Call, rest: str) -> Payload | None:
    """`/cadence audit`, or of one partner `audit Acme`."""
    name = literal(rest)
    carried = Carried()
    if name:
        found = look_up(call, name)
        if found is None or found.partner is None:
            call.ack()
            return not_found("audit Acme", found, name)
        carried = Carried(partner=found.partner.id)
    call.open(page(call, carried))
    call.ack()
    return None


COMMANDS = {
    "audit": Command(
        typed, HelpLine("audit", "who changed what, and when; `audit Acme` for one partner", "lead"), acks=True
    )
}


def page(call: Call, carried: Carried, note: str | None = None) -> View:
    visitor = call.visitor(leading=True)
    about = None if carried.partner is None else f"partner:{carried.partner}"
    with call.desk.reading() as session:
        lines, older = audit_page(session, visitor.programme.workspace_id, carried.page or 0, ON_PAGE, about=about)
    return audit_modal(lines, carried, older=older, today=visitor.today, zone=visitor.programme.zone, note=note)
