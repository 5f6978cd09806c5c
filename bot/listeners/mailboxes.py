"""Somebody's mailboxes in Slack: how they are doing, how one is connected, and taking one off. Reads no mail."""

from slack_bolt import App

from bot import ids
from bot.connecting import connect_link, obstacle
from bot.listeners.call import Call, on_action
from bot.listeners.desk import Desk, Refused
from bot.listeners.homepage import boxes_seen
from bot.listeners.pages import answer
from bot.listeners.typed import Command
from bot.views.help import HelpLine
from bot.views.kit import Payload
from bot.views.mailboxes import connect_view, mailboxes_payload, removed_note
from models.actions.consents import new_ticket
from models.actions.deliveries import first_delivery
from models.actions.mailboxes import remove_mailbox
from models.actions.write import actor_of


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.CONNECT, connect)
    for link in (ids.CONNECT_GOOGLE, ids.CONNECT_MICROSOFT):
        on_action(app, desk, link, opened)
    on_action(app, desk, ids.DISCONNECT, disconnect)


def show(call: Call, _rest: str) -> Payload:
    """The own ones; a lead sees how the others' are doing, never what is in them."""
    visitor = call.visitor()
    with call.desk.reading() as session:
        shown = boxes_seen(session, visitor, call.now, lambda _: visitor.leads)
    return mailboxes_payload(shown, visitor.today, visitor.programme.zone, acts=visitor.may_act)


COMMANDS = {
    "mailbox": Command(
        show, HelpLine("mailbox", "your mailbox: how it is doing, connect, disconnect", "everyday"), bare=True
    )
}


def connect(call: Call) -> None:
    """Each window gets links of its own: they are good once, and for whoever opened it."""
    visitor, desk = call.visitor(acting=True), call.desk
    why = obstacle(desk.settings, desk.connects)
    links: dict[str, str] = {}
    if why is None:
        home, me = visitor.programme.workspace_id, visitor.person.id
        with desk.sessions.begin() as session:
            for provider in desk.connects:
                ticket = new_ticket(session, home, me, provider, call.now)
                links[provider] = connect_link(desk.settings, ticket)
    call.open(connect_view(visitor.person.email, links.get("gmail"), links.get("graph"), why))
    call.ack()


def opened(call: Call) -> None:
    """The browser has gone there by itself."""
    call.ack()


def disconnect(call: Call) -> None:
    """The own one; a lead may take off anybody's."""
    visitor, mailbox_id = call.visitor(), call.carried().need_post()
    with call.desk.sessions.begin() as session:
        found = boxes_seen(session, visitor, call.now, lambda box: box.id == mailbox_id)
        box = next((one for one in found if one.facts.id == mailbox_id), None)
        if box is None:
            raise Refused("This mailbox is not connected any more.")
        if not visitor.leads and not (box.mine and visitor.may_act):
            helps = call.desk.who_helps(visitor.programme)
            raise Refused(f"Only its owner or a programme lead can disconnect a mailbox. {helps}")
        if first_delivery(session, call.key(), call.now):
            home, actor = visitor.programme.workspace_id, actor_of(visitor.person.id)
            remove_mailbox(session, home, actor, mailbox_id, call.now, purge=False)
    call.ack()
    answer(call, removed_note(box.facts.address))
