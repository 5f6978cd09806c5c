"""One connection to an IMAP server, with the few commands that capture needs. It keeps no cursor and changes nothing.

Folders are opened with EXAMINE alone and headers asked for with PEEK: nothing is marked as read, and no body asked for.
"""

import imaplib
import re
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import date
from types import TracebackType
from typing import Any

from imapclient import IMAPClient, SocketTimeout
from imapclient.response_parser import parse_fetch_response

from jobs.mailbox.base import NeedsAuth, ProviderError
from jobs.mailbox.imap_access import PLAIN_PORT, Access
from jobs.mailbox.imap_answers import (
    Rows,
    Standing,
    code,
    has_calendar,
    listed_of,
    number,
    plain_rows,
    row_of,
    uid_set,
    with_calendar,
    words,
)
from jobs.mailbox.imap_folders import Listed
from models.message import WANTED_HEADERS

TIMEOUT = SocketTimeout(connect=15, read=60)
HEADERS = f"(UID FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS ({' '.join(WANTED_HEADERS)})])"
STRUCTURE = "(UID BODYSTRUCTURE)"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # in every locale


class Refused(ProviderError):
    """The server says no to one command, or its answer cannot be read; the connection stands."""


class Session(AbstractContextManager["Session"]):
    """Connected and logged in when the constructor returns. Close it by leaving the `with` block."""

    def __init__(self, access: Access, context: ssl.SSLContext | None) -> None:
        self._access, self._context = access, context
        self._client = self._connected()
        # IMAPClient logs each line, and the names of attachments stand in them.
        self._imap: imaplib.IMAP4 = self._client._imap
        self._imap.debug = 0
        try:
            with suppress(OSError):  # a command in two pieces would wait 40 ms for the first one's acknowledgement
                self._client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if access.encryption == "starttls":
                self._encrypt()
            self._log_in()
        except BaseException:
            self._hang_up()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            with suppress(imaplib.IMAP4.error, OSError):
                self._client.logout()
                return
        self._hang_up()

    def folders(self) -> list[Listed]:
        """Every folder. Some servers tell what a folder is for only when they are asked for just that."""
        with self._asking("for its folders"):
            listed = [listed_of(*one) for one in self._client.list_folders()]
            if not any("\\sent" in one.flags for one in listed) and self._client.has_capability("SPECIAL-USE"):
                with suppress(imaplib.IMAP4.error):
                    self._imap.xatom("LIST", "(SPECIAL-USE)", '""', '"*"')
                    _, lines = self._imap.response("LIST")
                    special = [listed_of(*one) for one in self._client._proc_folder_list(lines or [])]
                    listed = special + [one for one in listed if one.name not in {other.name for other in special}]
        return listed

    def status(self, folder: str) -> Standing:
        with self._asking(f"for the status of {folder}"):
            told = self._client.folder_status(folder, ["UIDVALIDITY", "UIDNEXT", "MESSAGES"])
            told = {bytes(name).upper(): value for name, value in told.items()}
        return Standing(number(told, b"UIDVALIDITY"), number(told, b"UIDNEXT"), number(told, b"MESSAGES"))

    def examine(self, folder: str) -> Standing:
        """Opens the folder for reading; what follows is about it."""
        with self._asking(f"to open {folder}"):
            told = self._client.select_folder(folder, readonly=True)
        return Standing(number(told, b"UIDVALIDITY"), number(told, b"UIDNEXT"), number(told, b"EXISTS"))

    def search(self, uids: str, since: date | None = None) -> list[int]:
        """The UIDs that exist of these, ascending. The day of `since` is the server's own, in its own time zone."""
        days = () if since is None else ("SINCE", f"{since.day}-{MONTHS[since.month - 1]}-{since.year}")
        with self._asking("which messages there are"):
            kind, lines = self._imap.uid("SEARCH", "UID", uids, *days)
            if kind != "OK":
                raise imaplib.IMAP4.error(lines[-1] if lines else kind)
            words = [word for line in lines if isinstance(line, bytes) for word in line.split()]
        return sorted({int(word) for word in words if word.isdigit()})

    def rows(self, uids: Sequence[int]) -> Rows:
        """The headers of these. An answer that cannot be read is asked for again in halves, until it is one message."""
        rows = Rows()
        self._collect(uids, rows)
        if uids and len(rows.unreadable) == len(uids) > 1:
            raise Refused(f"{self._access.host} gives no message at all ({next(iter(rows.unreadable.values()))})")
        return rows

    def invitations(self, uids: Sequence[int]) -> set[int]:
        """Those of the messages that have a calendar part, by their structure."""
        if not uids:
            return set()
        try:
            with self._asking("for the structure of messages"):
                answers = _told(with_calendar(self._fetched(uids, STRUCTURE)), uids)
        except Refused:
            half = len(uids) // 2
            return self.invitations(uids[:half]) | self.invitations(uids[half:]) if half else set()
        return {uid for uid, told in answers.items() if has_calendar(told.get(b"BODYSTRUCTURE"))}

    def _collect(self, uids: Sequence[int], rows: Rows) -> None:
        if not uids:
            return
        try:
            with self._asking("for headers"):
                lines = self._fetched(uids, HEADERS)
                found = plain_rows(lines)
                if found is None:
                    found = {uid: row for uid, told in _told(lines, uids).items() if (row := row_of(told)) is not None}
                wanted = set(uids)
                rows.found.update({uid: row for uid, row in found.items() if uid in wanted})
        except Refused as error:
            if len(uids) == 1:
                rows.unreadable[uids[0]] = str(error)
                return
            half = len(uids) // 2
            self._collect(uids[:half], rows)
            self._collect(uids[half:], rows)

    def _fetched(self, uids: Sequence[int], items: str) -> list[Any]:
        """The lines of the answer as imaplib cuts them."""
        kind, lines = self._imap.uid("FETCH", uid_set(uids), items)
        if kind != "OK":
            raise imaplib.IMAP4.error(lines[-1] if lines else kind)
        return [] if lines == [None] else list(lines)

    def _connected(self) -> Any:
        access = self._access
        try:
            return IMAPClient(
                access.host,
                access.port,
                ssl=access.encryption == "tls",
                ssl_context=self._context if access.encryption == "tls" else None,
                timeout=TIMEOUT,
            )
        except (OSError, imaplib.IMAP4.error) as error:
            raise self._unreachable(error) from error

    def _encrypt(self) -> None:
        host = self._access.host
        try:
            if not self._client.has_capability("STARTTLS"):
                raise ProviderError(
                    f"{host} offers no encryption at port {PLAIN_PORT}: give its encrypted port, usually 993"
                )
            self._client.starttls(self._context)
        except (OSError, imaplib.IMAP4.error) as error:
            raise self._unreachable(error) from error

    def _log_in(self) -> None:
        access, client = self._access, self._client
        with self._asking("who we are"):
            plain = client.has_capability("AUTH=PLAIN")
            closed = client.has_capability("LOGINDISABLED") and not plain
        if closed and access.tokens is None:
            raise ProviderError(
                f"{access.host} takes no password on this connection: connect the mailbox with encryption, at port 993"
            )
        if access.tokens is None and not plain and not (_PLAIN_NAME.fullmatch(access.username) and _ascii(access)):
            raise ProviderError(
                f"{access.host} takes no user name or password with such characters: set another password for it"
            )
        try:
            if access.tokens is not None:
                client.oauth2_login(access.username, access.tokens.current())
            elif plain:
                client.plain_login(access.username, access.password)
            else:
                client.login(access.username, access.password)
        except (OSError, imaplib.IMAP4.abort) as error:
            raise self._unreachable(error) from error
        except imaplib.IMAP4.error as error:
            said = words(error)
            if access.tokens is not None:
                access.tokens.forget()
            if _NOT_NOW.search(said) and not _WRONG.search(said):
                raise ProviderError(f"{access.host} lets nobody in now ({said}): it is tried again") from error
            raise NeedsAuth(
                f"{access.host} refuses the login of {access.username} ({said}): connect the mailbox again with "
                "its present password; some providers want an app password"
            ) from error

    def _unreachable(self, error: Exception) -> ProviderError:
        where = f"{self._access.host}:{self._access.port}"
        if isinstance(error, ssl.SSLCertVerificationError):
            return ProviderError(
                f"the certificate of {where} cannot be trusted ({error.verify_message}): check the host name, "
                "or have this machine trust the authority that signed it"
            )
        if isinstance(error, ssl.SSLError):
            return ProviderError(f"{where} speaks no TLS that we know ({words(error)}): check --port, usually 993")
        return ProviderError(f"{where} cannot be reached ({words(error)}): check --host and --port")

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Turns what the client raises into our own: a broken line ends the session, a refusal does not."""
        host = self._access.host
        try:
            yield
        except (imaplib.IMAP4.abort, OSError) as error:
            raise ProviderError(
                f"{host} broke off when it was asked {what} ({code(error)}): reading goes on at the next pass"
            ) from error
        except imaplib.IMAP4.error as error:
            raise Refused(f"{host} refused when it was asked {what} ({code(error)})") from error
        except (ValueError, TypeError, IndexError, AttributeError, RecursionError) as error:
            raise Refused(f"{host} was asked {what}, and its answer cannot be read") from error

    def _hang_up(self) -> None:
        with suppress(imaplib.IMAP4.error, OSError):
            self._client.shutdown()


def _told(lines: list[Any], uids: Sequence[int]) -> dict[int, Mapping[bytes, Any]]:
    """Answers by UID. One without a UID is about something else: the flags of a message, changed meanwhile."""
    wanted = set(uids)
    answers = parse_fetch_response(lines, normalise_times=False, uid_is_key=False)
    return {told[b"UID"]: told for told in answers.values() if told.get(b"UID") in wanted}


def _ascii(access: Access) -> bool:
    return (access.password or "").isascii()


_PLAIN_NAME = re.compile(r"[A-Za-z0-9@._+=/-]+")
_WRONG = re.compile(r"\[(?:AUTHENTICATIONFAILED|AUTHORIZATIONFAILED|EXPIRED)\]", re.IGNORECASE)
_NOT_NOW = re.compile(
    r"\[(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG)\]|temporar|too many|overload|unavailable|later", re.IGNORECASE
)
