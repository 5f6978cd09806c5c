"""The page on which a consent ends, in the browser: what is captured from now on, and what never is. HTML, not Slack.

It loads nothing and runs nothing. Text from outside is escaped here.
"""

from html import escape

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",  # the address of the page holds the code
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
WITHDRAW = {"gmail": "https://myaccount.google.com/connections", "graph": "https://myapplications.microsoft.com"}

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Cadence: {title}</title>
<style>
  body {{ font: 17px/1.55 system-ui, sans-serif; max-width: 36em; margin: 12vh auto; padding: 0 1.2em;
         color: #1d1c1d; background: #fff }}
  h1 {{ font-size: 1.5em; line-height: 1.25; overflow-wrap: anywhere }}
  h2 {{ font-size: 1em; margin: 1.6em 0 .2em }}
  ul {{ margin: 0; padding-left: 1.2em }}
  p.aside {{ color: #616061; font-size: .9em; margin-top: 2em }}
  @media (prefers-color-scheme: dark) {{
    body {{ color: #e8e8e8; background: #1a1d21 }} p.aside {{ color: #ababad }} a {{ color: #7db8f5 }}
  }}
</style>
<h1>{title}</h1>
{body}
</html>
"""

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
    return _PAGE.format(title=escape(f"{address} is connected"), body=body)


def refused(address: str, reason: str) -> str:
    """It is not, and why."""
    shown = escape(reason[:1].upper() + reason[1:].rstrip("."))
    return _PAGE.format(title=escape(f"{address} is not connected"), body=_REFUSED.format(reason=shown))
