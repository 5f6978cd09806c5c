"""The page on which a consent ends, in the browser: what is captured from now on, and what never is. HTML, not Slack.

It loads nothing and runs nothing. Text from outside is escaped here.
"""

from html import escape

from bot.views.web import page

WITHDRAW = {"gmail": "https://myaccount.google.com/connections", "graph": "https://myapplications.microsoft.com"}

_CONNECTED = """<p>Cadence now reads the headers of this mailbox's mail by itself, of the last weeks and of what comes:
sender, recipients, date, subject line, and the marks that mail programs leave. You need not do anything.</p>
<h2>What is kept, of mail with partners</h2>
<ul>
  <li>who wrote, to or from which partner address, when, and in which direction</li>
  <li>the message's id, and the rule by which Cadence took it for a person's mail or a machine's</li>
</ul>
<h2>What never is</h2>
<ul>
  <li>the text of a mail, and attachments: the permission that you gave shows neither</li>
  <li>addresses and subjects of mail that concerns no partner: private, internal, newsletters</li>
</ul>
<p>Nothing is sent, changed or marked as read. Cadence can only look.</p>
<p class="aside">To end it, ask for <code>cadence mailbox remove</code>, or take Cadence off the apps of your account:
<a href="{withdraw}" rel="noreferrer">{withdraw}</a>. You can close this page.</p>"""

_REFUSED = """<p>{reason}.</p>
<p class="aside">Nothing was stored. You can close this page.</p>"""


def connected(provider: str, address: str) -> str:
    """The mailbox is connected, and the secret stored."""
    body = _CONNECTED.format(withdraw=escape(WITHDRAW[provider]))
    return page(f"{address} is connected", body)


def refused(address: str, reason: str) -> str:
    """It is not, and why."""
    shown = escape(reason[:1].upper() + reason[1:].rstrip("."))
    return page(f"{address} is not connected", _REFUSED.format(reason=shown))
