"""What the stand-ins hold, read out for the checker: mail by mailbox, and every message that Slack took."""

import hashlib
from collections.abc import Iterable, Mapping

from tests.chaos.truth import Accepted, Copy, Shown
from tests.sandbox.gmail.server import GmailServer
from tests.sandbox.graph.server import GraphServer
from tests.sandbox.imap import ImapStandIn
from tests.sandbox.slack.server import SlackServer, Team


def gmail_copies(server: GmailServer, team: str, addresses: Iterable[str]) -> list[Copy]:
    copies = []
    for address in addresses:
        box = server.mailbox(address)
        for key in box.message_ids:
            mail = box.get(key)
            headers = tuple((name, value or "") for name, value in mail.headers)
            copies.append(Copy(team, address, key, "sent" if "SENT" in mail.labels else "inbox", mail.at, headers))
    return copies


def graph_copies(server: GraphServer, team: str, addresses: Iterable[str]) -> list[Copy]:
    copies = []
    for address in addresses:
        box = server.mailbox(address)
        for mail in list(box._messages.values()):
            folder = "sent" if mail.folder == "sentitems" else "inbox"
            at = mail.at.replace(microsecond=0)  # finer times are not shown
            copies.append(Copy(team, address, mail.immutable_id, folder, at, mail.headers))
    return copies


def imap_copies(servers: Mapping[str, ImapStandIn], team: str, addresses: Iterable[str]) -> list[Copy]:
    """A folder is told by a digest of its name; what was numbered anew had other numbers before."""
    copies = []
    for address in addresses:
        for folder, box in servers[address].folders.items():
            name = hashlib.sha256(folder.encode()).hexdigest()[:12]
            for uid, mail in box.mails.items():
                names = {f"{name}:{validity}:{number}" for validity, number in mail.numbers}
                now = f"{name}:{box.uidvalidity}:{uid}"
                kind = "sent" if folder == "Sent" else "inbox"
                at = mail.at.replace(microsecond=0)
                copies.append(Copy(team, address, now, kind, at, tuple(mail.headers), frozenset(names - {now})))
    return copies


def accepted(server: SlackServer) -> list[Accepted]:
    """Also those of which the app never heard that Slack took them."""
    return [
        Accepted(call.team, call.response["channel"], call.response["ts"], str(call.args.get("text") or ""))
        for call in server.faults.called("chat.postMessage")
        if call.response.get("ok")
    ]


def shown(team: Team) -> list[Shown]:
    workspace = team.workspace
    with workspace.lock:
        return [
            Shown(workspace.team_id, one.channel, one.ts, one.text, list(one.blocks))
            for channel in workspace.channels.values()
            for one in channel.messages
            if one.user == workspace.bot.id and one.visible_to is None
        ]


def private_rooms(team: Team) -> dict[tuple[str, str], str]:
    workspace = team.workspace
    with workspace.lock:
        return {
            (workspace.team_id, one.peer): one.id
            for one in workspace.channels.values()
            if one.kind == "im" and one.peer is not None
        }
