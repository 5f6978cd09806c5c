"""Pages for the browser: one frame, no scripts, nothing from elsewhere. Callers escape what comes from outside."""

from html import escape
from urllib.parse import urlsplit

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",  # the address of the page may hold a code
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def form_headers(to: str) -> dict[str, str]:
    """For a page with a form that comes to us and is sent on to `to`.

    Where that page sends a browser on at once, to a company's own sign-in, some browsers hold the form to its policy
    still. So any address will do that is encrypted.
    """
    split = urlsplit(to)
    allowed = "https:" if split.scheme == "https" else f"{split.scheme}://{split.netloc}"
    policy = HEADERS["Content-Security-Policy"].replace("form-action 'none'", f"form-action 'self' {allowed}")
    return HEADERS | {"Content-Security-Policy": policy}


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
  h2 + p {{ margin-top: .2em }}
  ul {{ margin: 0; padding-left: 1.2em }}
  p.aside {{ color: #616061; font-size: .9em; margin-top: 2em }}
  .button {{ display: inline-block; padding: .55em 1.1em; border: 0; border-radius: .4em; background: #1f4d4a;
             color: #fff; font: inherit; font-weight: 600; text-decoration: none; cursor: pointer }}
  .button:focus {{ outline: 3px solid #7db8f5; outline-offset: 2px }}
  @media (prefers-color-scheme: dark) {{
    body {{ color: #e8e8e8; background: #1a1d21 }} p.aside {{ color: #ababad }} a {{ color: #7db8f5 }}
    .button, a.button {{ background: #2f7a75; color: #fff }}
  }}
</style>
<h1>{title}</h1>
{body}
</html>
"""


def page(title: str, body: str) -> str:
    """`title` is plain text, `body` is HTML."""
    return _PAGE.format(title=escape(title), body=body)
