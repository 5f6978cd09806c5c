"""`cadence mailbox add --consent`: sends a person to the provider's page, and waits for what the browser brings back.

Must not print a token or a code, and stores nothing: the caller does, while the browser waits for its last page.
"""

import importlib
import secrets
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import parse_qsl, urlsplit

import click

from bot.cli.common import Desk, Failure, note
from bot.cli.loopback import Loopback
from bot.views.consent import connected, refused
from bot.wording import plain
from jobs.mailbox.base import Mailbox, NeedsAuth, ProviderError
from jobs.mailbox.consent import GOOD_FOR, Granted, Login, Pending, begin, finish
from jobs.mailbox.providers import LOGINS
from models.addresses import normal_address

# Google wants the address in digits (RFC 8252); Microsoft's page for redirect addresses takes this name only.
COMES_BACK_TO = {"gmail": "http://127.0.0.1:{port}/", "graph": "http://localhost:{port}"}
HIGH_PORTS = 49152


@contextmanager
def consent_given(desk: Desk, provider: str, address: str, *, port: int | None, here: bool) -> Iterator[str]:
    """The secret that a consent is worth. The browser is told how the block ended. `here`: it runs on this machine."""
    login = LOGINS[provider](desk.settings, web=False)
    desk.vault.seal(address, "")  # a missing key is told before anybody is sent away
    if not here:
        pending = _asked(desk, login, provider, address, port or HIGH_PORTS + secrets.randbelow(2**16 - HIGH_PORTS))
        note(f"Open this page in any browser, signed in as {address}, and allow what it asks:\n\n{pending.url}\n")
        note("The page after that will not load. That is as it should be: copy its address.")
        granted = finish(pending, _pasted(), login, desk.clock.now())
        yield granted.secret
        _tell_end(granted, login)
        return
    with Loopback(port or 0) as loopback:
        pending = _asked(desk, login, provider, address, loopback.port)
        note(f"Open this page in the browser, signed in as {address}, and allow what it asks:\n\n{pending.url}\n")
        _open(desk, pending.url)
        caller = loopback.caller(GOOD_FOR.total_seconds())
        try:
            granted = finish(pending, caller.answer, login, desk.clock.now())
            yield granted.secret
        except BaseException as error:
            caller.show(refused(address, _reason(error)))
            raise
        caller.show(connected(provider, address))
    _tell_end(granted, login)


def refuse_other_account(built: Mailbox, address: str) -> None:
    """One call: whoever consented must be the one who was asked."""
    try:
        answered = built.check()
    except NeedsAuth as error:
        first = str(error).partition(". ")[0]
        raise Failure(
            f"the account that consented does not open {address} ({first}): start again, signed in as {address}"
        ) from error
    if (normal_address(answered) or answered) != address:
        raise Failure(f"{plain(answered)} consented and not {address}: start again, and choose {address} on the page")


def _asked(desk: Desk, login: Login, provider: str, address: str, port: int) -> Pending:
    return begin(login, address, COMES_BACK_TO[provider].format(port=port), desk.clock.now())


def _open(desk: Desk, url: str) -> None:
    """In a browser with a window, if there is one; one that runs in this terminal would take it over."""
    if desk.browser is not None:
        desk.browser(url)
    elif desk.on_terminal():
        with suppress(webbrowser.Error):
            found = webbrowser.get()
            in_terminal = isinstance(found, webbrowser.GenericBrowser)
            if not in_terminal or isinstance(found, webbrowser.BackgroundBrowser):
                found.open(url)


def _pasted() -> dict[str, str]:
    """The address at which the browser ended, from the terminal or the first line of standard input."""
    if not sys.stdin.isatty():
        return _parameters(sys.stdin.readline())
    with suppress(ImportError):
        importlib.import_module("readline")  # otherwise a terminal cuts long lines: macOS after 1,024 characters
    answer: dict[str, str] = click.prompt("Its address", value_proc=_parameters, err=True)
    return answer


def _parameters(text: str) -> dict[str, str]:
    with suppress(ValueError):  # of urlsplit
        answer = dict(parse_qsl(urlsplit(text.strip()).query, keep_blank_values=True))
        if answer.keys() & {"code", "error"}:
            return answer
    raise click.UsageError(
        "this is not the address at which the browser ended, which begins with http:// and holds a code"
    )


def _reason(error: BaseException) -> str:
    ours = isinstance(error, (ProviderError, click.ClickException))
    return str(error) if ours else "something went wrong on Cadence's side; the terminal says what"


def _tell_end(granted: Granted, login: Login) -> None:
    if granted.ends_at is not None:
        note(
            f"{login.name} ends this consent on {granted.ends_at:%Y-%m-%d}, because the app is marked as in testing: "
            "publish the app, or make it internal, and consent again."
        )
