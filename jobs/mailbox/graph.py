"""A Microsoft 365 mailbox as capture reads it: a window over all folders, oldest mail first. It never judges or stores.

The rules that make it lose nothing:
1. The listing goes by the time of receipt and not by folder, so moving a message neither hides nor doubles it.
2. The watermark is the time of a mail that was listed, never the clock's; each pass begins a quarter of an hour before.
3. A yielded page's cursor promises no more than the pages so far contain, so storing any of them is safe.
4. A message that does not come is named in `failed`; the cursor may pass it because the engine queues it.
5. Once a day the last seven days are listed again: mail that was imported, freed from junk or sent late is found then.
6. Where Microsoft refuses that listing, the folders are read one by one, and the listing is tried again every day.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from jobs.mailbox.base import Page, Paused, Unseen
from jobs.mailbox.graph_api import GraphApi
from jobs.mailbox.graph_cursor import Cursor, Walk, whole_second
from jobs.mailbox.graph_errors import BadRequest, Forbidden, Resync
from jobs.mailbox.graph_folders import RESTARTS, Incomplete, changes, forgotten, read_folders
from jobs.mailbox.graph_message import HEADERS, LISTED, TYPE, Fetched, is_sent, set_aside
from jobs.mailbox.microsoft_auth import GRAPH_URL, AccessTokens
from models.clock import Clock, SystemClock

LATE = timedelta(minutes=15)  # a message can appear behind others that were received after it
RESCAN_EVERY = timedelta(days=1)
RESCAN = timedelta(days=7)
OVERLAP = timedelta(hours=24)
log = structlog.get_logger(__name__)


class _WindowRefused(Exception):
    """Microsoft will not list the whole mailbox by time of receipt. `place` is how far it had come."""

    def __init__(self, place: Cursor) -> None:
        super().__init__()
        self.place = place


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
        with self._patient() as graph:
            if place.links is not None and not self._is_rescan(place):
                yield from self._by_folder(graph, place, since, unseen)
                return
            try:
                yield from self._walk(graph, place, unseen)
            except _WindowRefused as refused:
                log.warning("graph.window_refused", detail="the folders are read one by one")
                yield from self._by_folder(graph, refused.place, since, unseen)

    def fetch(self, provider_ids: Sequence[str]) -> Page:
        """These messages again. When Microsoft throttles us midway, what came is answered, the rest stays queued."""
        with self._graph() as graph:
            fetched = self._whole(graph, provider_ids)
        if isinstance(fetched.stopped, Paused):
            self._not_before = fetched.stopped
        if fetched.stopped and not fetched:
            raise fetched.stopped
        return Page(None, tuple(fetched.messages), tuple(fetched.failed), tuple(fetched.gone), tuple(fetched.set_aside))

    def recent(self, since: datetime, unseen: Unseen) -> Iterator[Sequence[str]]:
        """The ids received since then that the ledger does not know, whatever folder they lie in now."""
        with self._patient() as graph:
            for ids in self._ids(graph, whole_second(since)):
                open_ids = unseen(ids) if ids else set()
                yield [key for key in ids if key in open_ids]

    def check(self) -> str:
        """Lists as capture does. The address is the one that was asked for: no permission of ours shows another."""
        since = self._clock.now() - RESCAN_EVERY
        with self._graph() as graph:
            try:
                graph.listing(since, top=1, select=("id",))
            except (BadRequest, Forbidden):
                graph.changes("inbox", None)
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

    @contextmanager
    def _patient(self) -> Iterator[GraphApi]:
        """Remembers a pause, so that nothing is asked before its end."""
        with self._graph() as graph:
            try:
                yield graph
            except Paused as pause:
                self._not_before = pause
                raise

    def _ids(self, graph: GraphApi, since: datetime) -> Iterator[list[str]]:
        """Of the whole mailbox, some twice where a link is forgotten; folder by folder where that is refused."""
        link: str | None = None
        restarts = 0
        while True:
            try:
                listing = graph.following(link) if link else graph.listing(since, select=("id",))
            except Resync as error:
                restarts += 1
                if restarts > RESTARTS:
                    raise forgotten(error) from error
                link = None
                continue
            except (BadRequest, Forbidden):
                break
            yield [str(item["id"]) for item in listing.items if item.get("id")]
            if (link := listing.following) is None:
                return
        for folder in read_folders(graph, self._places(graph)):
            for step in changes(graph, folder, None, since, whole_second(self._clock.now()), oldest=since):
                yield list(step.keys)

    def _is_rescan(self, place: Cursor) -> bool:
        """Whether the last days are listed again; not before a first walk is complete."""
        if place.known_from is not None:
            return False
        return place.rescanned_at is None or self._clock.now() - place.rescanned_at >= RESCAN_EVERY

    def _walk(self, graph: GraphApi, place: Cursor, unseen: Unseen) -> Iterator[Page]:
        now = self._clock.now()
        first, rescan = place.known_from is not None, self._is_rescan(place)
        start = place.watermark - LATE
        walk = Walk(place, whole_second(min(start, now - RESCAN) if rescan else start), place.watermark)
        if rescan:
            self._folders = None
        restarts = 0
        while True:
            try:
                listing = graph.following(walk.link) if walk.link else graph.listing(walk.bound)
            except Resync as error:
                restarts += 1
                if restarts > RESTARTS:
                    raise forgotten(error) from error
                walk.link = None
                continue
            except (BadRequest, Forbidden) as error:
                raise _WindowRefused(walk.place) from error
            before = walk.place
            new = walk.take(listing, now)
            last = walk.done
            if last:
                rescanned_at = now if first or rescan else place.rescanned_at
                walk.place = replace(walk.place, known_from=None, rescanned_at=rescanned_at, links=None)
            for page in self._page(graph, before, walk.place, new, unseen, last=last):
                yield replace(page, observed_from=place.known_from) if page.last else page
            if last:
                return

    def _by_folder(self, graph: GraphApi, place: Cursor, since: datetime, unseen: Unseen) -> Iterator[Page]:
        """What `_walk` does, by delta. A folder's link enters the cursor after the pages that it promises."""
        now, newest = self._clock.now(), place.watermark
        first, rescan = place.known_from is not None, self._is_rescan(place)
        start = place.watermark - LATE
        start = whole_second(start if first else min(start, now - RESCAN))
        if rescan:
            self._folders = None
        links = {} if rescan else dict(place.links or {})
        troubles, failed = list[Incomplete](), set[str]()
        folders = read_folders(graph, self._places(graph))
        for folder in folders:
            try:
                for step in changes(graph, folder, links.get(folder), start, whole_second(now), oldest=since):
                    newest = max(newest, min(step.newest or newest, now))
                    if step.link:
                        links[folder] = step.link
                    fresh = sorted(unseen(step.keys) - failed) if step.keys else []
                    fetched = self._whole(graph, fresh)
                    failed.update(key for key, _ in fetched.failed)
                    place = replace(place, links=links)
                    yield from _stored(place, place, fetched)
            except Incomplete as error:
                troubles.append(error)
        if troubles:
            raise troubles[0]
        links = {folder: links[folder] for folder in folders if folder in links}
        rescanned_at = now if first or rescan else place.rescanned_at
        done = Cursor(newest, rescanned_at=rescanned_at, links=links)
        yield Page(done.dump(), observed_from=place.known_from, last=True)

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
        yield from _stored(before, after, fetched, last=last)

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
                item = item | {name: answer[name] for name in (HEADERS, TYPE) if name in answer}
            elif not isinstance(answer, BadRequest):  # without headers its properties must do
                item = answer
            fetched.settle(key, item, folders)
        return fetched

    def _whole(self, graph: GraphApi, keys: Sequence[str]) -> Fetched:
        """Messages of which nothing is known but the id."""
        fetched = Fetched()
        if keys:
            folders = self._places(graph)
            for key, answer in self._asked(graph, keys, LISTED).items():
                fetched.settle(key, answer, folders)
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


def _stored(before: Cursor, after: Cursor, fetched: Fetched, *, last: bool = False) -> Iterator[Page]:
    """A page of what came. If fetching was cut short it is stored under the old cursor, and the reason raised."""
    messages, gone, aside = tuple(fetched.messages), tuple(fetched.gone), tuple(fetched.set_aside)
    if fetched.stopped:
        if messages or gone or aside:
            yield Page(before.dump(), messages, gone=gone, set_aside=aside)
        raise fetched.stopped
    if fetched or last:
        yield Page(after.dump(), messages, tuple(fetched.failed), gone, aside, last=last)
