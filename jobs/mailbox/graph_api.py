"""Graph's calls as capture needs them: retried, at most two at once, answered in our own types. It keeps no cursor.

It asks for what Mail.ReadBasic shows and never for a body. Every request asks for ids that survive a move.
"""

import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import count
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from jobs.mailbox.base import Paused, ProviderError
from jobs.mailbox.graph_errors import (
    BadRequest,
    Forbidden,
    Gone,
    NoMailbox,
    Resync,
    TryAgain,
    Unauthenticated,
    judge,
)
from jobs.mailbox.graph_message import FOLDERS, LISTED, Answer, dicts
from jobs.mailbox.microsoft_auth import TIMEOUT, AccessTokens
from models.clock import Clock

TOP = 200
IN_FLIGHT = 2  # Microsoft refuses more than four at once for an app and a mailbox
BACKOFF = (1.0, 2.0, 4.0, 8.0, 16.0)
PATIENCE = 30.0  # seconds that a walk may sleep at a time; longer waits are the engine's, so that others go on
NAMED_WAITS = 2  # how often one call waits as long as Microsoft says
PAUSE = timedelta(minutes=5)  # after the last attempt, unless Microsoft names a longer time
LONGEST_PAUSE = timedelta(days=1)

_dice = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of messages, as Graph describes them, and the address of what follows."""

    items: tuple[dict[str, Any], ...]
    following: str | None
    delta: str | None = None  # what to ask for later changes


class _Bearer(AuthBase):
    """Given as `auth`, so that no .netrc of this machine takes its place."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@dataclass(slots=True)
class GraphApi(AbstractContextManager["GraphApi"]):
    """One mailbox and its connections. Close it by leaving the `with` block."""

    tokens: AccessTokens
    address: str
    api_url: str
    clock: Clock
    wait: Callable[[float], None]
    _session: requests.Session = field(init=False)
    _tries: int = field(init=False, default=len(BACKOFF) + 1)
    _stop: threading.Event = field(init=False, default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._session = requests.Session()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=IN_FLIGHT))
        if urlsplit(self.api_url).hostname in ("127.0.0.1", "::1", "localhost"):
            self._session.trust_env = False  # no proxy for this machine itself

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def listing(self, since: datetime, *, top: int = TOP, select: Sequence[str] = LISTED) -> Listing:
        """The mailbox from `since` on, oldest first, whatever folder a message lies in."""
        query = {
            "$filter": _since(since),
            "$orderby": "receivedDateTime asc",
            "$top": str(top),
            "$select": ",".join(select),
        }
        return self._listing(self._url("messages", query))

    def following(self, link: str) -> Listing:
        """The page behind a link that Graph gave. Raises Resync when it no longer knows it."""
        # Only path and query are taken: the token goes to no other host than the configured one.
        parts, home = urlsplit(link), urlsplit(self.api_url)
        try:
            return self._listing(f"{home.scheme}://{home.netloc}{parts.path}?{parts.query}")
        except (NoMailbox, BadRequest) as error:
            raise Resync(str(error)) from error

    def folders(self) -> dict[str, str]:
        """The ids of the folders that decide something, with their well-known names."""
        found = {}
        for name in FOLDERS:
            try:
                folder = self._call(self._url(f"mailFolders/{name}", {"$select": "id"}))
            except (Gone, BadRequest):
                continue  # not every mailbox has every folder
            found[str(folder.get("id"))] = name
        return found

    def folders_in(self, folder: str | None) -> Iterator[tuple[str, bool]]:
        """The folders that lie in one, or at the top, each with whether it has some of its own."""
        path = "mailFolders" if folder is None else f"mailFolders/{quote(folder, safe='')}/childFolders"
        listing = self._listing(self._url(path, {"$select": "id,childFolderCount", "$top": str(TOP)}))
        while True:
            for item in listing.items:
                # A search folder shows what lies in others.
                if item.get("id") and "searchfolder" not in str(item.get("@odata.type")).lower():
                    yield str(item["id"]), bool(item.get("childFolderCount"))
            if not listing.following:
                return
            listing = self.following(listing.following)

    def changes(self, folder: str, since: datetime | None) -> Listing:
        """The ids of a folder's messages, of any time or since then, by delta. Raises Gone when there is no folder."""
        query = {"$select": "id,receivedDateTime"} | ({"$filter": _since(since)} if since else {})
        return _listing_of(self._call(self._url(f"mailFolders/{quote(folder, safe='')}/messages/delta", query)))

    def held(self, folder: str, since: datetime, until: datetime) -> int | None:
        """How many messages of a window lie in a folder; None where Microsoft will not say."""
        window = f"{_since(since)} and receivedDateTime lt {until:%Y-%m-%dT%H:%M:%SZ}"
        query = {"$filter": window, "$count": "true", "$top": "1", "$select": "id"}
        try:
            told = self._call(self._url(f"mailFolders/{quote(folder, safe='')}/messages", query)).get("@odata.count")
        except (BadRequest, Forbidden, Gone):
            return None
        return told if isinstance(told, int) else None

    def messages(self, keys: Sequence[str], select: Sequence[str]) -> dict[str, Answer]:
        """These messages, two at a time. Each has its answer, or the error that came in its place."""
        self._stop.clear()
        self._tries = len(BACKOFF) + 1
        with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="graph") as pool:
            answers = pool.map(lambda key: self._message(key, select), keys)
            return dict(zip(keys, answers, strict=True))

    def _message(self, key: str, select: Sequence[str]) -> Answer:
        if self._stop.is_set():
            return ProviderError("not asked for: the mailbox was paused")
        try:
            url = self._url(f"messages/{quote(key, safe='')}", {"$select": ",".join(select)})
            return self._call(url, alone=True)
        except Resync as trouble:
            return Gone(str(trouble))  # 410, and no listing that could have been forgotten
        except (Gone, BadRequest) as trouble:
            return trouble
        except TryAgain as trouble:
            self._tries = 1  # the others of the page do not wait for the same trouble
            return trouble
        except ProviderError as trouble:
            self._stop.set()
            return trouble

    def _listing(self, url: str) -> Listing:
        try:
            answer = self._call(url)
        except Gone as error:
            raise NoMailbox(f"{error}. Check the address, and GRAPH_API_URL if it is set") from error
        return _listing_of(answer)

    def _url(self, path: str, query: Mapping[str, str]) -> str:
        mailbox = f"{self.api_url}/v1.0/users/{quote(self.address, safe='@')}"
        return f"{mailbox}/{path}?{urlencode(query, quote_via=quote, safe='$,:')}"

    def _call(self, url: str, *, alone: bool = False) -> dict[str, Any]:
        """One request with its retries. Raises Paused when it should wait for longer than we may sleep.

        `alone` asks for one message: trouble that stays with it is the message's and raises TryAgain.
        """
        for attempt in count():
            try:
                return self._send(url)
            except TryAgain as trouble:
                if alone and not trouble.mailbox_wide and attempt + 1 >= self._tries:
                    raise
                self._pause(trouble, attempt)
        raise AssertionError("the last attempt pauses")

    def _send(self, url: str) -> dict[str, Any]:
        """Sends it, once more with a new token if the first is not taken; every failure comes out as one of ours."""
        token = self.tokens.current()
        try:
            return self._answer(url, token)
        except Unauthenticated:
            return self._answer(url, self.tokens.current(refused=token))

    def _answer(self, url: str, token: str) -> dict[str, Any]:
        paged = f", odata.maxpagesize={TOP}" if "/messages/delta?" in url else ""  # which takes no $top
        headers = {"Prefer": f'IdType="ImmutableId"{paged}', "Accept": "application/json"}
        try:
            with _two_at_once(self.api_url, self.address):
                response = self._session.get(
                    url, headers=headers, auth=_Bearer(token), timeout=TIMEOUT, allow_redirects=False
                )
        except requests.RequestException as error:
            # Not its words: they hold the address of the mailbox.
            raise TryAgain(f"Microsoft could not be reached ({type(error).__name__})", mailbox_wide=True) from error
        if response.status_code != 200:
            retry_after = response.headers.get("Retry-After", "")
            raise judge(response.status_code, response.text, retry_after, self.clock.now())
        try:
            answer = response.json()
        except ValueError as error:
            raise TryAgain("Microsoft's answer cannot be read") from error
        if not isinstance(answer, dict):
            raise TryAgain("Microsoft's answer is not an object")
        return answer

    def _pause(self, trouble: TryAgain, attempt: int) -> None:
        """Sleeps before the next attempt; raises Paused in place of a long wait, or after the last attempt."""
        seconds = trouble.seconds
        if seconds is not None and seconds > PATIENCE:
            raise Paused(self.clock.now() + min(timedelta(seconds=seconds), LONGEST_PAUSE), str(trouble))
        if attempt >= (len(BACKOFF) if seconds is None else NAMED_WAITS):
            raise Paused(self.clock.now() + PAUSE, str(trouble))
        self.wait(seconds if seconds is not None else BACKOFF[attempt] + _dice.random())


@cache
def _two_at_once(api_url: str, address: str) -> threading.BoundedSemaphore:
    """One for a mailbox in the whole process: a check at the command line or in Slack may meet a pass."""
    return threading.BoundedSemaphore(IN_FLIGHT)


def _listing_of(answer: Mapping[str, Any]) -> Listing:
    following, delta = (
        link if isinstance(link, str) and link else None
        for link in (answer.get("@odata.nextLink"), answer.get("@odata.deltaLink"))
    )
    return Listing(tuple(dicts(answer.get("value"))), following, delta)


def _since(at: datetime) -> str:
    return f"receivedDateTime ge {at:%Y-%m-%dT%H:%M:%SZ}"
