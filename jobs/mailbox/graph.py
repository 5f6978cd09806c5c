"""A Microsoft 365 mailbox as capture reads it: a window over all folders, oldest mail first. It never judges or stores.

The rules that make it lose nothing:
1. The listing goes by the time of receipt and not by folder, so moving a message neither hides nor doubles it.
2. The watermark is the time of a mail that was listed, never the clock's; each pass begins a quarter of an hour before.
3. A yielded page's cursor promises no more than the pages so far contain, so storing any of them is safe.
4. A message that does not come is named in `failed`; the cursor may pass it because the engine queues it.
5. Once a day the last seven days are listed again: mail that was imported, freed from junk or sent late is found then.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Self

import structlog

from jobs.mailbox.base import Page, Paused, ProviderError, Unseen
from jobs.mailbox.graph_api import TOP, GraphApi, Listing
from jobs.mailbox.graph_errors import BadRequest, Forbidden, Resync
from jobs.mailbox.graph_message import HEADERS, LISTED, Fetched, instant, is_sent, set_aside
from jobs.mailbox.microsoft_auth import GRAPH_URL, AccessTokens
from models.clock import Clock, SystemClock

LATE = timedelta(minutes=15)  # a message can appear behind others that were received after it
RESCAN_EVERY = timedelta(days=1)
RESCAN = timedelta(days=7)
OVERLAP = timedelta(hours=24)
RESTARTS = 3  # of a listing that Microsoft forgets
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Everything received before `watermark` was listed. `known_from` stands there until a first walk is complete."""

    watermark: datetime
    known_from: datetime | None = None
    rescanned_at: datetime | None = None

    def dump(self) -> str:
        times = {"watermark": self.watermark, "known_from": self.known_from, "rescanned_at": self.rescanned_at}
        return json.dumps({name: at and at.isoformat() for name, at in times.items()})

    @classmethod
    def load(cls, text: str | None) -> Self | None:
        """The stored cursor; None when there is none, or none that we can read: then the gap is listed again."""
        try:
            stored = json.loads(text or "null")
            watermark, known_from, rescanned_at = (
                stored[name] and datetime.fromisoformat(stored[name])
                for name in ("watermark", "known_from", "rescanned_at")
            )
            return cls(watermark, known_from, rescanned_at) if watermark and watermark.tzinfo else None
        except (ValueError, KeyError, TypeError):
            return None


@dataclass(slots=True)
class _Walk:
    """How far one pass has come. `bound` is where the listing begins that is being read now."""

    place: Cursor
    bound: datetime
    newest: datetime
    link: str | None = None
    done: bool = False
    in_order: bool = True
    handled: dict[str, datetime | None] = field(default_factory=dict)

    def take(self, listing: Listing, now: datetime) -> dict[str, dict[str, Any]]:
        """The messages of a page that this pass has not had yet; decides what to ask for next."""
        new: dict[str, dict[str, Any]] = {}
        latest: datetime | None = None
        for item in listing.items:
            key, at = str(item.get("id") or ""), instant(item.get("receivedDateTime"))
            if key and key not in self.handled:
                new[key] = item
                self.handled[key] = at
            if at is not None:
                self.in_order = self.in_order and (latest is None or at >= latest)
                latest = max(at, latest or at)
        # No clock of ours or theirs may push the watermark into the future, where it would hide what comes.
        self.newest = max(self.newest, min(latest or self.newest, now))
        self._decide(listing, bool(new), latest)
        if self.in_order or self.done:
            self.place = replace(self.place, watermark=max(self.place.watermark, self.newest))
        return new

    def _decide(self, listing: Listing, has_new: bool, latest: datetime | None) -> None:
        """Keyset paging by the time of receipt. A link is followed only where the times bring us no further."""
        full = len(listing.items) >= TOP
        if not listing.following and not full:
            self.done = True
        elif has_new and self.in_order and latest is not None and _second(latest) > self.bound:
            self.bound, self.link = _second(latest), None
            self.handled = {key: at for key, at in self.handled.items() if at is None or at >= self.bound}
        else:
            self.link, self.done = listing.following, listing.following is None


class GraphMailbox:
    """The Mailbox protocol for Microsoft 365. Keep the object between polls: it keeps the token and the folders."""

    def __init__(
        self,
        tokens: AccessTokens,
        address: str,
        *,
        api_url: str = GRAPH_URL,
        clock: Clock | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._tokens, self._address = tokens, address
        self._api_url = api_url.rstrip("/").removesuffix("/v1.0")
        self._clock, self._wait = clock or SystemClock(), wait
        self._folders: dict[str, str] | None = None
        self._shows_headers = True
        self._not_before: Paused | None = None

    def pages(
        self, cursor: str | None, *, since: datetime, last_ok_at: datetime | None, unseen: Unseen
    ) -> Iterator[Page]:
        """Everything new since `cursor`, ending with a page marked `last`; see the protocol."""
        place = Cursor.load(cursor)
        if place is None:
            start = last_ok_at - OVERLAP if cursor is not None and last_ok_at is not None else since
            place = Cursor(start, known_from=start)
        with self._graph() as graph:
            try:
                yield from self._walk(graph, place, unseen)
            except Paused as pause:
                self._not_before = pause
                raise

    def fetch(self, provider_ids: Sequence[str]) -> Page:
        """These messages again. When Microsoft throttles us midway, what came is answered, the rest stays queued."""
        fetched = Fetched()
        with self._graph() as graph:
            folders = self._places(graph)
            for key, answer in self._asked(graph, provider_ids, LISTED).items():
                fetched.settle(key, answer, folders)
        if isinstance(fetched.stopped, Paused):
            self._not_before = fetched.stopped
        if fetched.stopped and not fetched:
            raise fetched.stopped
        return Page(None, tuple(fetched.messages), tuple(fetched.failed), tuple(fetched.gone), tuple(fetched.set_aside))

    def recent(self, since: datetime, unseen: Unseen) -> Iterator[Sequence[str]]:
        """The ids received since then that the ledger does not know, whatever folder they lie in now."""
        with self._graph() as graph:
            try:
                listing = graph.listing(_second(since), select=("id",))
                while True:
                    ids = [str(item["id"]) for item in listing.items if item.get("id")]
                    open_ids = unseen(ids) if ids else set()
                    yield [key for key in ids if key in open_ids]
                    if not listing.following:
                        return
                    listing = graph.following(listing.following)
            except Paused as pause:
                self._not_before = pause
                raise

    def check(self) -> str:
        """Lists as capture does. The address is the one that was asked for: no permission of ours shows another."""
        with self._graph() as graph:
            graph.listing(self._clock.now() - RESCAN_EVERY, top=1, select=("id",))
        return self._address

    def renewed_secret(self) -> str | None:
        """What to store in place of the token file now; None while that one is young enough."""
        return self._tokens.renewed(self._clock.now())

    def _graph(self) -> GraphApi:
        if self._not_before is not None:
            if self._clock.now() < self._not_before.until:
                raise Paused(self._not_before.until, str(self._not_before))
            self._not_before = None
        return GraphApi(self._tokens, self._address, self._api_url, self._clock, self._wait)

    def _walk(self, graph: GraphApi, place: Cursor, unseen: Unseen) -> Iterator[Page]:
        now = self._clock.now()
        first = place.known_from is not None
        rescan = not first and (place.rescanned_at is None or now - place.rescanned_at >= RESCAN_EVERY)
        start = place.watermark - LATE
        walk = _Walk(place, _second(min(start, now - RESCAN) if rescan else start), place.watermark)
        if rescan:
            self._folders = None
        restarts = 0
        while True:
            try:
                listing = graph.following(walk.link) if walk.link else graph.listing(walk.bound)
            except Resync as error:
                restarts += 1
                if restarts > RESTARTS:
                    raise ProviderError(f"Microsoft forgets its own listing again and again ({error})") from error
                walk.link = None
                continue
            before = walk.place
            new = walk.take(listing, now)
            last = walk.done
            if last:
                rescanned_at = now if first or rescan else place.rescanned_at
                walk.place = replace(walk.place, known_from=None, rescanned_at=rescanned_at)
            for page in self._page(graph, before, walk.place, new, unseen, last=last):
                yield replace(page, observed_from=place.known_from) if page.last else page
            if last:
                return

    def _page(
        self,
        graph: GraphApi,
        before: Cursor,
        after: Cursor,
        new: dict[str, dict[str, Any]],
        unseen: Unseen,
        *,
        last: bool,
    ) -> Iterator[Page]:
        """What of these is not yet known. If fetching is cut short, what came is yielded under the old cursor."""
        fresh = unseen(list(new)) if new else set()
        if not fresh and not last:
            return
        fetched = self._settled(graph, {key: item for key, item in new.items() if key in fresh})
        messages, gone, aside = tuple(fetched.messages), tuple(fetched.gone), tuple(fetched.set_aside)
        if fetched.stopped:
            if messages or gone or aside:
                yield Page(before.dump(), messages, gone=gone, set_aside=aside)
            raise fetched.stopped
        yield Page(after.dump(), messages, tuple(fetched.failed), gone, aside, last=last)

    def _settled(self, graph: GraphApi, items: dict[str, dict[str, Any]]) -> Fetched:
        """Listed messages as ours. Headers are asked for wherever there can be some, whoever wrote the message.

        Not only for partners' mail: a group that rewrites From shows its true author in the headers alone.
        """
        fetched = Fetched()
        if not items:
            return fetched
        folders = self._places(graph)
        received = [key for key, item in items.items() if not set_aside(item, folders) and not is_sent(item, folders)]
        headers = self._asked(graph, received, ("id",)) if self._shows_headers else {}
        for key, item in items.items():
            answer = headers.get(key, {})
            if isinstance(answer, dict):
                item = item | {HEADERS: answer.get(HEADERS)}
            elif not isinstance(answer, BadRequest):  # without headers its properties must do
                item = answer
            fetched.settle(key, item, folders)
        return fetched

    def _asked(self, graph: GraphApi, keys: Sequence[str], select: Sequence[str]) -> dict[str, Any]:
        """Messages with their headers, or without where this permission shows none."""
        if self._shows_headers:
            answers = graph.messages(keys, (*select, HEADERS))
            if not any(isinstance(answer, Forbidden) for answer in answers.values()):
                return answers
        answers = graph.messages(keys, select)
        if self._shows_headers and any(isinstance(answer, dict) for answer in answers.values()):
            self._shows_headers = False
            log.warning("graph.headers_refused", detail="verdicts rest on sender, subject and type of the messages")
        return answers

    def _places(self, graph: GraphApi) -> dict[str, str]:
        if self._folders is None:
            self._folders = graph.folders()
        return self._folders


def _second(at: datetime) -> datetime:
    """Graph's filter is given whole seconds, downwards, so that nothing falls between two of them."""
    return at.replace(microsecond=0)
