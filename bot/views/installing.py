"""The pages around an installation from the browser: what is asked for, and how it ended. HTML, not Slack."""

from collections.abc import Sequence
from html import escape

from bot.views.web import page

NEEDED = {
    "chat:write": "post the weekly read where you invite it, and write to people of your roster",
    "commands": "answer to /cadence",
    "users:read": "know who pressed a button, their time zone, and whether somebody is a guest",
}
OPTIONAL = {
    "im:write": "send files to a person",
    "users:read.email": "find the people of your roster in Slack by their addresses",
    "channels:read": "see whether a channel is shared with another company, and post nothing there",
    "groups:read": "see the same of a private channel that you invited it to",
    "files:read": "take a roster as a CSV file that you upload",
    "files:write": "send exports, and a picture where Slack draws no chart",
}

_START = """<p>Cadence posts once a week which partners have gone quiet, and who writes to them next. It asks Slack for
leave to</p>
<ul>{needed}</ul>
<h2>and, if you like, to</h2>
<ul>{optional}</ul>
<p>It cannot read your conversations, and does not ask to.</p>
<p><a class="button" href="{address}">Add Cadence to Slack</a></p>
<p class="aside">After that Cadence writes to you in Slack and leads through the rest. Nothing is posted before you have
seen it.</p>"""

_DONE = """<p>Cadence has written to you in Slack, under <b>Apps → Cadence</b>, and leads through the rest: channel,
roster, mailboxes. Nothing is posted before you have seen it in private.</p>
<p><a class="button" href="{address}">Open Slack</a></p>
<p class="aside">To end it, remove the app from your workspace: the token is erased at once. You can close this
page.</p>"""

_REFUSED = """<p>{reason}.</p>
<p><a href="/slack/install">Start again</a></p>
<p class="aside">Nothing was stored.</p>"""


def start_page(address: str) -> str:
    """Before: `address` is Slack's page, which asks for consent."""
    return page(
        "Add Cadence to your Slack workspace",
        _START.format(needed=_listed(NEEDED), optional=_listed(OPTIONAL), address=escape(address, quote=True)),
    )


def installed_page(where: str | None, address: str) -> str:
    """After: `where` is the name of the workspace."""
    shown = escape(address, quote=True)
    return page(f"Cadence is installed in {where or 'your organisation'}", _DONE.format(address=shown))


def refused_page(reason: str) -> str:
    """It did not come to it; `reason` is a sentence without its full stop."""
    return page("Cadence is not installed", _REFUSED.format(reason=escape(reason[:1].upper() + reason[1:].rstrip("."))))


def missing_scopes(scopes: Sequence[str]) -> str:
    return f"without {', '.join(scopes)} Cadence cannot work: leave them in when Slack asks"


def _listed(scopes: dict[str, str]) -> str:
    return "".join(f"<li>{escape(what)}</li>" for what in scopes.values())
