"""Gmail's calls as capture needs them: paced, retried part by part, answered in our own types. It keeps no cursor.

It never asks for a body, and never sends `q`: the metadata scope refuses it, even when empty.
"""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import count
from types import TracebackType
from typing import Any, Self

import httplib2
from google.api_core.client_options import ClientOptions
from google.auth.exceptions import GoogleAuthError
from google_auth_httplib2 import AuthorizedHttp, Request
from googleapiclient.discovery import build
from googleapiclient.errors import BatchError, HttpError
from googleapiclient.http import BatchHttpRequest

from jobs.mailbox.base import Paused, ProviderError
from jobs.mailbox.gmail_errors import BROKEN_LINE, BadRequest, Gone, TryAgain, broken_line, judge, judge_token
from jobs.mailbox.gmail_message import Answer, Fetched, dicts, instant, number
from jobs.mailbox.gmail_quota import Pace
from jobs.mailbox.google_auth import Credentials
from models.clock import Clock
from models.message import WANTED_HEADERS

BACKOFF = (1.0, 2.0, 4.0, 8.0, 16.0)
PATIENCE = 30.0  # seconds that a walk may sleep by itself; longer waits are the engine's, so that others go on
BLINK = 0.01  # seconds that nobody waits for
PAUSE = timedelta(minutes=5)  # after the last attempt, when the server named no time
LONGEST_PAUSE = timedelta(days=1)
PROJECT_PAUSED = "Gmail asked all mailboxes of the Google Cloud project for patience"
PAGE = 500
TIMEOUT = 30.0
HISTORY_TYPES = ["messageAdded", "labelAdded"]
HISTORY_FIELDS = (
    "history(id,messagesAdded/message(id,labelIds),labelsAdded(message(id),labelIds)),nextPageToken,historyId"
)
MESSAGE_FIELDS = "id,labelIds,internalDate,payload/headers"
FIRST_HISTORY = "1"

_dice = random.SystemRandom()


@dataclass(slots=True)
class GmailApi(AbstractContextManager["GmailApi"]):
    """One mailbox, one connection, one thread: httplib2 is not safe to share. Close it by leaving the `with` block."""

    credentials: Credentials
    api_url: str
    clock: Clock
    wait: Callable[[float], None]
    pace: Pace
    skip: Sequence[str] = ()
    walking: bool = False  # through what is old: only with its share of the units
    batches_work: bool = True
    _http: Any = field(init=False)
    _calls: "_Calls" = field(init=False)
    _tries: int = field(init=False, default=len(BACKOFF) + 1)

    def __post_init__(self) -> None:
        http = httplib2.Http(timeout=TIMEOUT, proxy_info=_proxy)
        self._http = AuthorizedHttp(self.credentials, http=http, max_refresh_attempts=1)
        self._calls = calls_of(self.api_url)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def profile(self) -> dict[str, Any]:
        """emailAddress and historyId; empty where a server has no profiles."""
        try:
            return self._call(self._calls.users.getProfile(userId="me"), self.pace.quota.profile)
        except (Gone, BadRequest):
            return {}

    def history_now(self) -> str | None:
        """A point from which the history tells everything: the profile's, else that of the newest message."""
        if found := number(self.profile().get("historyId")):
            return found
        ids, _ = self.listing(None)
        if not ids:
            return FIRST_HISTORY
        request = self._calls.messages.get(userId="me", id=ids[0], format="minimal", fields="id,historyId")
        return number(self._call(request, self.pace.quota.message).get("historyId"))

    def answers_to(self, address: str) -> str:
        """The address that Gmail knows this mailbox by. Without a profile: this one, if it may be listed by it."""
        if found := self.profile().get("emailAddress"):
            return str(found)
        try:
            self.listing(None, address)
        except Gone as error:
            raise ProviderError(f"{error}. Check GMAIL_API_URL, and whose token it is") from error
        return address

    def history(self, start: str, page_token: str | None) -> dict[str, Any]:
        """One page of what happened after `start`; raises Gone when Gmail no longer knows."""
        request = self._calls.history.list(
            userId="me",
            startHistoryId=start,
            historyTypes=HISTORY_TYPES,
            maxResults=PAGE,
            fields=HISTORY_FIELDS,
            **({"pageToken": page_token} if page_token else {}),
        )
        return self._call(request, self.pace.quota.history)

    def listing(self, page_token: str | None, user_id: str = "me") -> tuple[list[str], str | None]:
        """One page of message ids, newest first, and the token of the next."""
        request = self._calls.messages.list(
            userId=user_id,
            maxResults=PAGE,
            fields="messages/id,nextPageToken",
            **({"pageToken": page_token} if page_token else {}),
        )
        answer = self._call(request, self.pace.quota.listing)
        ids = [str(entry["id"]) for entry in dicts(answer.get("messages")) if entry.get("id")]
        return ids, answer.get("nextPageToken") or None

    def date_of(self, message_id: str) -> datetime | None:
        """When Gmail took the message in; None when it is gone, carries no date, or cannot be had."""
        request = self._calls.messages.get(userId="me", id=message_id, format="minimal", fields="id,internalDate")
        try:
            return instant(self._call(request, self.pace.quota.message, alone=True).get("internalDate"))
        except TryAgain:
            self._tries = 1  # the next message does not wait for the same trouble
            return None
        except (Gone, BadRequest):
            return None

    def fetch(self, message_ids: Sequence[str]) -> Fetched:
        """Headers of these messages. Parts of a batch fail and are retried alone; the others are kept."""
        fetched = Fetched(self.skip)
        size = self.pace.quota.batch_size
        for start in range(0, len(message_ids), size):
            self._fetch_some(list(message_ids[start : start + size]), fetched)
            if fetched.stopped:
                break
        return fetched

    def _fetch_some(self, left: list[str], fetched: Fetched) -> None:
        """Settles up to one batch of messages, or says in `stopped` why not."""
        for attempt in count():
            answers, whole = self._round(left)
            again = {key: answer for key, answer in answers.items() if isinstance(answer, TryAgain)}
            for key in left:
                if key not in again:
                    fetched.settle(key, answers[key])
            left = list(again)
            if not left:
                self._tries = len(BACKOFF) + 1
            if fetched.stopped or not left:
                return
            trouble = max(again.values(), key=lambda one: (one.throttled, one.seconds or 0.0))
            if not whole and not trouble.throttled and attempt + 1 >= self._tries:
                # These will not come now. They are queued, and the next batch does not wait for the same trouble.
                fetched.failed += [(key, str(answer)) for key, answer in again.items()]
                self._tries = 1
                return
            try:
                self._pause(trouble, attempt)
            except Paused as pause:
                fetched.stopped = pause
                return

    def _round(self, message_ids: Sequence[str]) -> tuple[Mapping[str, Answer], bool]:
        """One attempt for each message, and whether the trouble is with the mailbox and not with messages."""
        try:
            self._spend(self.pace.quota.message * len(message_ids))
            if self.batches_work and len(message_ids) > 1:
                answers = self._batch(message_ids)
                if answers is not None:
                    return answers, False
            return {key: self._alone(key) for key in message_ids}, False
        except ProviderError as error:
            return dict.fromkeys(message_ids, error), True

    def _batch(self, message_ids: Sequence[str]) -> Mapping[str, Answer] | None:
        """All in one request; None, and no more batches on this connection, when the server cannot do that."""
        answers: dict[str, Answer] = {}

        def take(key: str, answer: Any, error: HttpError | None) -> None:
            answers[key] = judge(error, self.clock.now()) if error is not None else answer

        batch = BatchHttpRequest(batch_uri=f"{self.api_url}/batch/gmail/v1", callback=take)
        for key in message_ids:
            batch.add(self._get(key), request_id=key)
        try:
            self._send(batch)
        except (Gone, BadRequest, BatchError, ValueError, KeyError, IndexError, TypeError, AttributeError):
            # No batch endpoint, or an answer with one broken part: the client reads it without a net and loses all.
            self.batches_work = False
            return None
        return answers

    def _alone(self, key: str) -> Answer:
        try:
            return self._send(self._get(key))
        except (TryAgain, Gone, BadRequest) as trouble:
            return trouble

    def _get(self, key: str) -> Any:
        return self._calls.messages.get(
            userId="me", id=key, format="metadata", metadataHeaders=list(WANTED_HEADERS), fields=MESSAGE_FIELDS
        )

    def _call(self, request: Any, units: int, *, alone: bool = False) -> dict[str, Any]:
        """One request with its retries; raises Paused when it should wait for longer than we may sleep.

        `alone` asks for one message: an error that stays with it is the message's and raises TryAgain.
        """
        for attempt in count():
            self._spend(units)
            try:
                answer = self._send(request)
                if isinstance(answer, dict):
                    return answer
                trouble = TryAgain("Gmail's answer is not an object")
            except TryAgain as error:
                trouble = error
            if alone and not trouble.throttled and attempt + 1 >= self._tries:
                raise trouble
            self._pause(trouble, attempt)
        raise AssertionError("the last attempt pauses")

    def _send(self, request: Any) -> Any:
        """Sends a request or a batch; every failure comes out as one of ours."""
        try:
            if not self.credentials.valid:
                # Before the client does it itself, with a connection that has no timeout.
                self.credentials.refresh(Request(self._http.http))  # type: ignore[no-untyped-call]  # google-auth again
            return request.execute(http=self._http)
        except HttpError as error:
            raise judge(error, self.clock.now()) from error
        except BROKEN_LINE as error:
            raise broken_line(error) from error
        except GoogleAuthError as error:
            raise judge_token(error) from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            if isinstance(request, BatchHttpRequest):
                raise
            raise TryAgain("Gmail's answer cannot be read") from error

    def _spend(self, units: int) -> None:
        """Pays for a call before it is made; raises Paused while the whole project has to be patient for long."""
        held = self.pace.project.minute.held()
        if held > PATIENCE:
            raise Paused(self.clock.now() + timedelta(seconds=held), PROJECT_PAUSED)
        seconds = self.pace.spend(units, walking=self.walking)
        if seconds > BLINK:
            self.wait(seconds)

    def _pause(self, trouble: TryAgain, attempt: int) -> None:
        """Sleeps before the next attempt; raises Paused in place of a long wait, or after the last attempt."""
        seconds = trouble.seconds
        if attempt >= len(BACKOFF):
            seconds = max(seconds or 0.0, PAUSE.total_seconds())
        elif seconds is None:
            seconds = BACKOFF[attempt] + _dice.random()
        seconds = min(seconds, LONGEST_PAUSE.total_seconds())
        if trouble.project_wide:
            self.pace.project.minute.hold(seconds)
        if seconds > PATIENCE:
            raise Paused(self.clock.now() + timedelta(seconds=seconds), str(trouble))
        self.wait(seconds)


@dataclass(frozen=True, slots=True)
class _Calls:
    users: Any
    messages: Any
    history: Any


@lru_cache(maxsize=8)
def calls_of(api_url: str) -> _Calls:
    """The client's resource objects, kept: building `users().messages()` anew costs 1.7 ms each time.

    They carry no credentials and never connect; every request is executed with a connection of its own.
    """
    options = ClientOptions(api_endpoint=f"{api_url}/")
    service = build("gmail", "v1", http=httplib2.Http(), static_discovery=True, client_options=options)
    users = service.users()
    return _Calls(users, users.messages(), users.history())


def _proxy(scheme: str) -> Any:
    """The environment's proxy, but never for this machine itself."""
    proxy = httplib2.proxy_info_from_environment(scheme)
    if proxy is not None and isinstance(proxy.bypass_hosts, list | tuple):
        proxy.bypass_hosts = (*proxy.bypass_hosts, "localhost", "127.0.0.1", "::1")
    return proxy
