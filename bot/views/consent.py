"""The pages around a consent, in the browser: what is captured from then on, and what never is. HTML, not Slack.

They load nothing and run nothing. Text from outside is escaped here.
"""

from html import escape

from bot.views.web import page

WITHDRAW = {"gmail": "https://myaccount.google.com/connections", "graph": "https://myapplications.microsoft.com"}
WHERE = {"gmail": "Google", "graph": "Microsoft 365"}
LOGIN = {"gmail": "Google", "graph": "Microsoft"}

_KEPT = """<h2>What is kept, of mail with partners</h2>
<ul>
  <li>who wrote, to or from which partner address, when, and in which direction</li>
  <li>the message's id, and the rule by which Cadence took it for a person's mail or a machine's</li>
</ul>
<h2>What never is</h2>
<ul>
  <li>the text of a mail, and attachments: the permission that you {give} shows neither</li>
  <li>addresses and subjects of mail that concerns no partner: private, internal, newsletters</li>
</ul>"""

_CONNECTED = f"""<p>Cadence now reads the headers of this mailbox's mail by itself, of the last weeks and of what comes:
sender, recipients, date, subject line, and the marks that mail programs leave. You need not do anything.</p>
{_KEPT.format(give="gave")}
<p>Nothing is sent, changed or marked as read. Cadence can only look.</p>
<p class="aside">To end it, ask for <code>cadence mailbox remove</code>, or take Cadence off the apps of your account:
<a href="{{withdraw}}" rel="noreferrer">{{withdraw}}</a>. You can close this page.</p>"""

_ASK = f"""<p>For <b>{{name}}</b>, <b>{{address}}</b>. Cadence sees by itself when you last wrote to a partner, so that
nobody has to log it.</p>
<h2>What is read</h2>
<ul>
  <li>the headers of each mail: from, to, cc, date, message id, and which mail it answers</li>
  <li>the subject line, to tell a person's mail from an automatic reply; it is not stored</li>
</ul>
{_KEPT.format(give="give")}
<p>Nothing is sent, changed or marked as read.</p>
<form method="post" action="{{action}}">
<input type="hidden" name="ticket" value="{{ticket}}">
<button class="button">Continue to {{login}}</button>
</form>
<p class="aside">{{login}} asks you next: sign in as {{address}}. This link is yours alone, and good once, within ten
minutes. You can disconnect at any time.</p>"""

_DONE = f"""<p>{{begins}} You need not do anything.</p>
<h2>What is read</h2>
<ul>
  <li>the headers of each mail: from, to, cc, date, message id, and which mail it answers</li>
  <li>the subject line, to tell a person's mail from an automatic reply; it is not stored</li>
</ul>
{_KEPT.format(give="gave")}
<p>Nothing is sent, changed or marked as read. Cadence can only look.</p>
<h2>In Slack</h2>
<p>Cadence's <b>Home</b> and <code>/cadence mailbox</code> show how it is doing, and what was seen in it.{{ends}}</p>
<p class="aside">To end it, press <b>Disconnect</b> there: the token is erased at once. Or take Cadence off the apps of
your account: <a href="{{withdraw}}" rel="noreferrer">{{withdraw}}</a>. You can close this page.</p>"""

_REFUSED = """<p>{reason}.</p>
<p class="aside">Nothing was stored. You can close this page.</p>"""

_FROM_SLACK = """<p>{reason}.</p>
<p>Cadence's Home in Slack shows which mailboxes are connected, and <b>Connect a mailbox</b> there makes a new link.</p>
<p class="aside">Nothing was stored. You can close this page.</p>"""


def ask_page(name: str, address: str, provider: str, action: str, ticket: str) -> str:
    """Before the provider is asked. Its form posts the ticket to `action`, so that looking alone begins nothing."""
    body = _ASK.format(
        name=escape(name),
        address=escape(address),
        login=LOGIN[provider],
        action=escape(action, quote=True),
        ticket=escape(ticket, quote=True),
    )
    return page(f"Connect your {WHERE[provider]} mailbox", body)


def done_page(provider: str, address: str, begins: str, ends: str | None) -> str:
    """After it: the secret is stored. `begins` is a sentence, and so is `ends`, of a consent that ends by itself."""
    more = f" {escape(ends)}" if ends else ""
    return page(
        f"{address} is connected", _DONE.format(begins=escape(begins), ends=more, withdraw=escape(WITHDRAW[provider]))
    )


def not_connected_page(reason: str) -> str:
    """It did not come to it, for whoever came from Slack; `reason` is a sentence without its full stop."""
    return page("Nothing was connected", _FROM_SLACK.format(reason=_sentence(reason)))


def connected(provider: str, address: str) -> str:
    """The mailbox is connected, and the secret stored."""
    body = _CONNECTED.format(withdraw=escape(WITHDRAW[provider]))
    return page(f"{address} is connected", body)


def refused(address: str, reason: str) -> str:
    """It is not, and why."""
    return page(f"{address} is not connected", _REFUSED.format(reason=_sentence(reason)))


def _sentence(reason: str) -> str:
    return escape(reason[:1].upper() + reason[1:].rstrip("."))
