"""A Gmail mailbox as capture reads it: the history since last time, or a bounded walk back. It never judges or stores.

The rules that make it lose nothing:
1. The cursor comes from the profile, before anything is listed; from a message, whose history may have expired, only
   where a server has no profile.
2. A yielded page's cursor promises no more than the pages so far contain, so storing any of them is safe.
3. A message that does not come is named in `failed`; the cursor may pass it because the engine queues it.
4. When Gmail forgets the history, or has none, the gap is listed again back to a day before the last clean poll.
"""

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from jobs.mailbox.base import Page, Paused, ProviderError, Unseen
from jobs.mailbox.gmail_api import GmailApi
from jobs.mailbox.gmail_cursor import Backfill, Cursor
from jobs.mailbox.gmail_errors import BadRequest, Gone
from jobs.mailbox.gmail_listing import date_near, is_old, listed, young
from jobs.mailbox.gmail_message import dicts, labels_of, number, set_aside
from jobs.mailbox.gmail_quota import Pace, Project, Quota, project_named, quota_for
from jobs.mailbox.google_auth import Credentials, project_of
from models.clock import Clock, SystemClock

CAP = 5000  # messages of a first walk
CHUNK = 100  # messages of one page, and so of one transaction
OVERLAP = timedelta(hours=24)
MARGIN = timedelta(days=7)  # migrated mail can stand out of order in the listing
RESTARTS = 3  # of a walk whose page tokens are refused


@dataclass(slots=True)
class _Changes:
    """Records of the history up to and with `until`: what to fetch, and what its labels settle already."""

    until: str
    skip: Sequence[str] = ()
    wanted: dict[str, None] = field(default_factory=dict)
    aside: dict[str, str] = field(default_factory=dict)

    def add(self, record: dict[str, Any]) -> None:
        for change in dicts(record.get("messagesAdded")):
            message = change.get("message")
            if not isinstance(message, dict) or not message.get("id"):
                continue
            key = str(message["id"])
            verdict = set_aside(
                labels_of(message), self.skip
            )  # None also where the history gives no labels: then we look
            if verdict is None:
                self._want(key)
            elif key not in self.wanted:
                self.aside[key] = verdict
        for change in dicts(record.get("labelsAdded")):
            message = change.get("message")
            # A draft that is sent and spam that is freed come as labels on a message that we set aside before.
            if isinstance(message, dict) and message.get("id") and {"SENT", "INBOX"} & set(labels_of(change)):
                self._want(str(message["id"]))

    def _want(self, key: str) -> None:
        self.wanted[key] = None
        self.aside.pop(key, None)


class GmailMailbox:
    """The Mailbox protocol for Gmail. Keep the object between polls: it keeps the access token and the pace."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        address: str = "me",
        api_url: str = "https://gmail.googleapis.com",
        clock: Clock | None = None,
        wait: Callable[[float], None] = time.sleep,
        quota: Quota | None = None,
        tick: Callable[[], float] = time.monotonic,
        cap: int = CAP,
        chunk: int = CHUNK,
        project: Project | None = None,
        skip: Sequence[str] = (),
    ) -> None:
        self._credentials, self._address, self._skip = credentials, address, skip
        self._api_url = api_url.rstrip("/").removesuffix("/gmail/v1")
        self._cap = cap
        self._clock, self._wait = clock or SystemClock(), wait
        quota = quota or quota_for(api_url)
        self._pace = Pace(quota, project or project_named(project_of(credentials), self._api_url, quota), tick)
        # A page that full buckets pay for never sleeps in the middle.
        self._chunk = self._pace.affords(chunk, walking=False)
        self._walk_chunk = self._pace.affords(chunk, walking=True)
        self._ahead: bool | None = None  # whether the next page walks back; None: there may be no next one
        self._not_before: Paused | None = None

    def pages(
        self, cursor: str | None, *, since: datetime, last_ok_at: datetime | None, unseen: Unseen
    ) -> Iterator[Page]:
        """Everything new since `cursor`, ending with a page marked `last`; see the protocol."""
        with self._gmail() as gmail:
            try:
                for page in self._walk(gmail, Cursor.load(cursor), cursor, since, last_ok_at, unseen):
                    self._ahead = None if page.last else gmail.walking
                    yield page
            except Paused as pause:
                self._not_before = pause
                raise

    def rests_for(self) -> float:
        """In how many seconds the next page can be read without a wait: until then nobody needs to hold a thread."""
        if self._ahead is None:
            return self._pace.rest(0, walking=False)
        return self._pace.rest(self._walk_chunk if self._ahead else self._chunk, walking=self._ahead)

    def fetch(self, provider_ids: Sequence[str]) -> Page:
        """These messages again. When Gmail throttles us midway, what came is answered and the rest stays queued."""
        with self._gmail() as gmail:
            fetched = gmail.fetch(provider_ids)
        if isinstance(fetched.stopped, Paused):
            self._not_before = fetched.stopped
        if fetched.stopped and not fetched:
            raise fetched.stopped
        return Page(None, tuple(fetched.messages), tuple(fetched.failed), tuple(fetched.gone), tuple(fetched.set_aside))

    def recent(self, since: datetime, unseen: Unseen) -> Iterator[Sequence[str]]:
        """The newest ids back past `since`, without those the ledger knows: 5 units, and a probe of the date or two."""
        with self._gmail() as gmail:
            token = None
            try:
                while True:
                    ids, token = gmail.listing(token)
                    open_ids = unseen(ids) if ids else set()
                    if wanted := [key for key in ids if key in open_ids]:
                        yield wanted[: young(gmail, wanted, since)]
                    if token is None or (ids and is_old(gmail, ids, len(ids) - 1, since)):
                        return
            except Paused as pause:
                self._not_before = pause
                raise

    def check(self) -> str:
        """The address that Gmail knows this mailbox by."""
        with self._gmail() as gmail:
            return gmail.answers_to(self._address)

    def _gmail(self) -> GmailApi:
        if self._not_before is not None:
            if self._clock.now() < self._not_before.until:
                raise Paused(self._not_before.until, str(self._not_before))
            self._not_before = None
        return GmailApi(self._credentials, self._api_url, self._clock, self._wait, self._pace, self._skip)

    def _walk(
        self,
        gmail: GmailApi,
        place: Cursor | None,
        stored: str | None,
        since: datetime,
        last_ok_at: datetime | None,
        unseen: Unseen,
    ) -> Iterator[Page]:
        gap_since = min(since, place.backfill.since) if place and place.backfill else since
        if last_ok_at is not None:
            gap_since = last_ok_at - OVERLAP
        pinned = place is None  # in this pass, before anything was listed
        if place is None:
            # A cursor that we cannot read is as lost as one that Gmail forgot; a first walk is bounded, a gap is not.
            place = self._pin(gmail, *((since, self._cap) if stored is None else (gap_since, None)))
        elif place.backfill is not None and not place.backfill.done:
            # A walk can take an hour. What is new comes first, whenever the walk goes on.
            with suppress(Gone, BadRequest):  # then it is the walk's end that lists again
                place = yield from self._follow(gmail, place, unseen, ends=False)
        while True:
            if place.backfill is not None:
                place = yield from self._walk_back(gmail, place.history, place.backfill, unseen)
            try:
                yield from self._follow(gmail, place, unseen)
                return
            except (Gone, BadRequest):
                if pinned:
                    break
            cap = place.backfill.cap if place.backfill else None  # a first walk stays as short as it was to be
            place, pinned = self._pin(gmail, gap_since, cap), True
        # A server that keeps no history: the listing told everything, and is read again at the next poll.
        known_from = place.backfill.known_from if place.backfill else None
        yield Page(Cursor(place.history).dump(), observed_from=known_from, last=True)

    def _pin(self, gmail: GmailApi, since: datetime, cap: int | None) -> Cursor:
        history = gmail.history_now()
        if history is None:
            raise ProviderError("Gmail's answers have no history id: check GMAIL_API_URL")
        return Cursor(history, Backfill(since, since, cap))

    def _follow(
        self, gmail: GmailApi, place: Cursor, unseen: Unseen, *, ends: bool = True
    ) -> Generator[Page, None, Cursor]:
        """The history after the cursor, a chunk of records at a time. Raises Gone when Gmail no longer knows it.

        It `ends` the pass, unless a walk back is still to be finished.
        """
        start, token, promised = place.history, None, None
        while True:
            answer = gmail.history(start, token)
            token = answer.get("nextPageToken")
            # Of several pages, only what the first one promised is certain to be contained in all of them.
            promised = promised or number(answer.get("historyId")) or start
            chunks = self._chunks(dicts(answer.get("history")), place.history)
            last = None if token else chunks.pop() if chunks else _Changes(place.history, self._skip)
            for changes in chunks:
                after = replace(place, history=changes.until)
                yield from self._page(gmail, place, after, list(changes.wanted), changes.aside, unseen)
                place = after
            if last is not None:
                end = Cursor(max(promised, last.until, key=int), None if ends else place.backfill)
                if ends or last.wanted or last.aside:
                    for page in self._page(gmail, place, end, list(last.wanted), last.aside, unseen, last=ends):
                        known_from = place.backfill.known_from if place.backfill and page.last else None
                        yield replace(page, observed_from=known_from)
                return end

    def _chunks(self, records: Iterator[dict[str, Any]], start: str) -> list[_Changes]:
        """The records in their order, cut where a chunk is full, but never between two of one id."""
        chunks: list[_Changes] = []
        until = start
        for record in records:
            key = number(record.get("id")) or until
            if not chunks or (key != until and len(chunks[-1].wanted) + len(chunks[-1].aside) >= self._chunk):
                chunks.append(_Changes(key, self._skip))
            chunks[-1].until = until = key
            chunks[-1].add(record)
        return chunks

    def _walk_back(self, gmail: GmailApi, history: str, job: Backfill, unseen: Unseen) -> Generator[Page, None, Cursor]:
        """Fetches what the listing holds down to the cut-off. A killed walk resumes at the page it had come to."""
        restarts, chunk = 0, self._walk_chunk
        gmail.walking = True
        while not job.done:
            try:
                for ids, following in listed(gmail, job.page_token, job.since - MARGIN):
                    kept = ids if job.cap is None else ids[: job.cap - job.kept]
                    after = self._after(gmail, job, kept, following)
                    places = Cursor(history, job), Cursor(history, after)
                    for start in range(0, max(1, len(kept)), chunk):
                        some = kept[start : start + chunk]
                        reached = places[1] if start + chunk >= len(kept) else places[0]
                        yield from self._page(gmail, places[0], reached, some, {}, unseen)
                    job = after
                    if job.done:
                        break
            except BadRequest as error:  # the page token has expired: list again, the ledger skips what it knows
                restarts += 1
                if restarts > RESTARTS:
                    raise ProviderError(str(error)) from error
                job = replace(job, page_token=None, kept=0)
        gmail.walking = False
        return Cursor(history, job)

    def _after(self, gmail: GmailApi, job: Backfill, kept: Sequence[str], following: str | None) -> Backfill:
        """The walk once these ids are stored."""
        count = job.kept + len(kept)
        after = replace(job, kept=count, page_token=following, done=following is None)
        if job.cap is None or count < job.cap:
            return after
        oldest = date_near(gmail, kept, len(kept) - 1)
        return replace(after, page_token=None, done=True, known_from=max(job.since, oldest or job.since))

    def _page(
        self,
        gmail: GmailApi,
        before: Cursor,
        after: Cursor,
        wanted: Sequence[str],
        aside: Mapping[str, str],
        unseen: Unseen,
        *,
        last: bool = False,
    ) -> Iterator[Page]:
        """Fetches what is wanted and not yet known. If that is cut short, what came is yielded under the old cursor."""
        fresh = unseen([*wanted, *aside]) if wanted or aside else set()
        if not fresh and before == after and not last:
            return
        fetched = gmail.fetch([key for key in wanted if key in fresh])
        messages, gone, by_labels = tuple(fetched.messages), tuple(fetched.gone), tuple(fetched.set_aside)
        if fetched.stopped:
            if messages or gone or by_labels:
                yield Page(before.dump(), messages, gone=gone, set_aside=by_labels)
            raise fetched.stopped
        known = tuple((key, verdict) for key, verdict in aside.items() if key in fresh)
        yield Page(after.dump(), messages, tuple(fetched.failed), gone, known + by_labels, last=last)
