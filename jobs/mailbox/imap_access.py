"""How an IMAP account is reached: server, login and folders, as `mailbox add` stored them. It connects nowhere."""

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from jobs.mailbox.base import ProviderError
from jobs.mailbox.imap_tokens import ImapTokens
from models.addresses import host_of, normal_domain

TLS_PORT, PLAIN_PORT = 993, 143
GOOGLE = ("gmail.com", "googlemail.com", "google.com", "googleapis.com")

Encryption = Literal["tls", "starttls", "none"]


class AccessRefused(ProviderError):
    """What was given cannot be used. The text says what is wanted instead."""


@dataclass(frozen=True, slots=True)
class Access:
    """One account. Of `password` and `tokens` exactly one is there; `folders` are read beside INBOX and Sent."""

    address: str
    host: str
    port: int
    username: str
    encryption: Encryption
    password: str | None = None
    tokens: ImapTokens | None = None
    sent: str | None = None
    folders: tuple[str, ...] = ()


def access_of(address: str, secret: str | None, options: Mapping[str, Any]) -> Access:
    """From the mailbox's options and its opened secret: `{"password": …}`, or an OAuth token file."""
    host, port = _host(str(options.get("host") or "")), options.get("port")
    refuse_google(address, host)
    tls = options.get("tls", True) is not False
    if port is None:
        port = TLS_PORT if tls else PLAIN_PORT
    if not isinstance(port, int) or not 0 < port < 65536:
        raise AccessRefused(f"{port} is no port: 993 is the usual one")
    username = str(options.get("username") or address)
    password, tokens = _credentials(secret)
    if any(not part.isprintable() for part in (username, password or "")):
        raise AccessRefused("the user name or the password holds a control character: type them again")
    encryption: Encryption = "none" if not tls else "starttls" if port == PLAIN_PORT else "tls"
    folders = tuple(str(name) for name in options.get("folders") or ())
    return Access(address, host, port, username, encryption, password, tokens, options.get("sent"), folders)


def refuse_google(address: str, host: str) -> None:
    """Google's IMAP opens to no narrower permission than all mail, with bodies, sending and deleting."""
    for name in (host, host_of(address)):
        if any(name == google or name.endswith(f".{google}") for google in GOOGLE):
            raise AccessRefused(
                f"{name} is Google's, whose IMAP wants the right to read, send and delete all mail: "
                "use --provider gmail, which shows headers only"
            )


def _host(typed: str) -> str:
    bare = typed.strip().removeprefix("[").removesuffix("]")
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        host = bare.lower() if bare.lower() == "localhost" else normal_domain(bare)
    if not host:
        raise AccessRefused(f"{typed!r} is no host name: give --host, such as imap.yourcompany.com, without a port")
    return host


def _credentials(secret: str | None) -> tuple[str | None, ImapTokens | None]:
    try:
        stored = json.loads((secret or "null").removeprefix("\ufeff"))
    except ValueError as error:
        raise AccessRefused("the token file is not JSON: give client_id, refresh_token and token_uri") from error
    if not isinstance(stored, dict):
        raise AccessRefused("no password is stored: connect the mailbox again with `cadence mailbox add`")
    if isinstance(stored.get("password"), str):
        if not stored["password"]:
            raise AccessRefused("the password is empty: give it on standard input")
        return stored["password"], None
    missing = [name for name in ("client_id", "refresh_token", "token_uri") if not isinstance(stored.get(name), str)]
    if missing:
        raise AccessRefused(f"the token file lacks {' and '.join(missing)}")
    where = urlsplit(stored["token_uri"])
    if where.scheme not in ("https", "http") or not where.hostname:
        raise AccessRefused("the token file has a token_uri that is no address: it begins with https://")
    refuse_google("", where.hostname)
    return None, ImapTokens(stored)
