"""What `cadence mailbox add` asks about an account. A password is no argument: others could read it there."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from bot.cli.common import Failure
from jobs.mailbox.providers import LOGINS

Function = TypeVar("Function", bound=Callable[..., Any])
UNTRIED = json.dumps({"password": "not typed yet"})

_OPTIONS = (
    click.option("--host", help="IMAP: the server, such as imap.yourcompany.com."),
    click.option(
        "--port",
        type=click.IntRange(1, 65535),
        help="IMAP: 993, or 143. With --consent: where this machine awaits the answer, otherwise any free port.",
    ),
    click.option("--username", help="IMAP: the name to log in with, if it is not the address."),
    click.option("--no-tls", is_flag=True, help="IMAP: without encryption, inside one machine or a closed network."),
    click.option("--sent-folder", help="IMAP: the folder of sent mail, where it is not found by itself."),
    click.option("--folder", "folders", multiple=True, help="IMAP: one more folder to read; can be repeated."),
)


def imap_options(function: Function) -> Function:
    """The options; the command gets what was given of them as arguments of their names."""
    command: Any = function
    for option in reversed(_OPTIONS):
        command = option(command)
    return cast(Function, command)


@dataclass(frozen=True, slots=True)
class Asking:
    """How a person is asked for consent: on this machine or elsewhere, and at which port the answer is awaited."""

    here: bool
    port: int | None


def asking(provider: str, consent: bool, no_browser: bool, token_file: Path | None, port: int | None) -> Asking | None:
    """With --consent how to ask; without it None."""
    if not consent:
        if no_browser:
            raise click.UsageError("--no-browser is for --consent")
        return None
    if provider not in LOGINS:
        raise click.UsageError(f"--consent is for --provider {' and '.join(sorted(LOGINS))}; imap takes a password")
    if token_file is not None:
        raise click.UsageError("give --consent or --token-file: both are one person's consent")
    return Asking(not no_browser, port)


def imap_account(provider: str, given: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored about the account. Without --host, what was stored when it was connected before still holds."""
    names = {"sent_folder": "sent", "no_tls": "tls"}
    account = {names.get(name, name): value for name, value in given.items() if value}
    if account and provider != "imap":
        raise click.UsageError("--host and the options beside it are for --provider imap")
    if "tls" in account:
        account["tls"] = False
    if "folders" in account:
        account["folders"] = list(account["folders"])
    account = account if "host" in account else {**stored, **account}
    if provider == "imap" and not account.get("host"):
        raise click.UsageError("--provider imap needs --host: which server holds the mailbox?")
    return account


def password_secret() -> str:
    """The password as it is sealed: the first line of standard input, or hidden typing on a terminal."""
    if sys.stdin.isatty():
        password = str(click.prompt("Password", hide_input=True, err=True))
    else:
        try:
            password = sys.stdin.buffer.readline().decode("utf-8-sig").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise Failure("the password on standard input is no text in UTF-8: give it so") from error
    if not password:
        raise Failure("no password was given: pass it on standard input, such as `… < password.txt`")
    return json.dumps({"password": password})
