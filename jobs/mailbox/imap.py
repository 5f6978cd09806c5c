"""An IMAP account as capture reads it: what is new in each folder, by UID. It never judges or stores.

The rules that make it lose nothing:
1. The cursor of a folder is the last UID that was dealt with, never the server's count or clock.
2. A folder that numbers its messages anew (UIDVALIDITY) is listed again by date; what is known is skipped as a double.
3. What SEARCH finds and FETCH leaves out is named in `failed`; the cursor may pass it because the engine queues it.
4. A yielded page's cursor promises no more than the pages so far contain, so storing any of them is safe.
5. Trouble with one folder holds up no other, but the pass does not end well.
"""

import hashlib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import lru_cache

from jobs.mailbox.base import NeedsAuth, Page, ProviderError, Unseen
from jobs.mailbox.imap_access import Access
from jobs.mailbox.imap_answers import Row, Standing, uid_set
from jobs.mailbox.imap_cursor import Cursor, Place
from jobs.mailbox.imap_folders import Chosen, choose
from jobs.mailbox.imap_session import Refused, Session
from jobs.mailbox.mbox import fields_of
from models.clock import Clock, SystemClock
from models.headers import date_of
from models.message import WANTED_HEADERS, Folder, Message

CHUNK = 500  # messages of one page, and so of one transaction
WINDOW = 50_000  # UIDs of one search: an answer is one line, and a line may have a million characters
OVERLAP = timedelta(hours=24)
ZONES = timedelta(days=1)  # the server's day of a message need not be ours
RESETS = 5  # of one folder in a day
RELIST_EVERY = timedelta(hours=1)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=15)
LOGINS = 3  # that are refused one after the other; another could lock the account
_NAMES = frozenset(WANTED_HEADERS)


class ImapMailbox:
    """The Mailbox protocol for IMAP, one connection per call. Keep the object between polls: it counts failures."""

    def __init__(self, access: Access, *, clock: Clock | None = None, context: ssl.SSLContext | None = None) -> None:
        self._access, self._clock = access, clock or SystemClock()
        if context is None and access.encryption != "none":
            context = ssl.create_default_context()  # verifies; made once, for it reads every authority's certificate
        self._context = context
        self._chosen: list[Chosen] = []
        self._listed_at: datetime | None = None
        self._lacking: str | None = None
        self._failures, self._refusals = 0, 0
        self._not_before: datetime | None = None
        self._trouble: ProviderError | None = None

    @property
    def lacking(self) -> str | None:
        """What of the account cannot be read although the rest can, in words that say what to do."""
        return self._lacking

    def pages(
        self, cursor: str | None, *, since: datetime, last_ok_at: datetime | None, unseen: Unseen
    ) -> Iterator[Page]:
        """Everything new since `cursor`, ending with a page marked `last`; see the protocol."""
        back_to = since if last_ok_at is None else min(since, last_ok_at - OVERLAP)
        place = Cursor.load(cursor)
        if place is None:
            place = Cursor(known_from=since if cursor is None else back_to)
        with self._session() as session:
            troubles: list[ProviderError] = []
            for folder in self._folders(session):
                try:
                    yield from self._walk(session, folder, place, back_to, unseen)
                except Refused as error:
                    self._listed_at = None
                    troubles.append(error)
        if troubles:
            raise troubles[0]
        known_from, place.known_from = place.known_from, None
        yield Page(place.dump(), observed_from=known_from, last=True)

    def fetch(self, provider_ids: Sequence[str]) -> Page:
        """These messages again. What lies in a folder that is gone, or was numbered anew, is listed under a new id."""
        asked = {key: _parts(key) for key in provider_ids}
        pages, gone = [], [key for key, parts in asked.items() if parts is None]
        with self._session() as session:
            folders = {_short(folder.name): folder for folder in self._folders(session)}
            for short in dict.fromkeys(parts[0] for parts in asked.values() if parts):
                here = {key: parts[1:] for key, parts in asked.items() if parts and parts[0] == short}
                folder = folders.get(short)
                uidvalidity = session.examine(folder.name).uidvalidity if folder else None
                keys = {key: uid for key, (validity, uid) in here.items() if validity == uidvalidity}
                gone += [key for key in here if key not in keys]
                if folder and keys:
                    pages.append(_settled(session, folder, keys))
        messages = tuple(message for page in pages for message in page.messages)
        failed = tuple(one for page in pages for one in page.failed)
        return Page(None, messages, failed, (*gone, *(key for page in pages for key in page.gone)))

    def recent(self, since: datetime, unseen: Unseen) -> Iterator[Sequence[str]]:
        """The ids since then that the ledger does not know, folder by folder."""
        with self._session() as session:
            for folder in self._folders(session):
                told = session.examine(folder.name)
                for uids in _searches(session, 1, told, _day(since)):
                    keys = [_key(folder.name, told.uidvalidity or 0, uid) for uid in uids]
                    open_ids = unseen(keys) if keys else set()
                    yield [key for key in keys if key in open_ids]

    def check(self) -> str:
        """Logs in, lists the folders and opens each. The address is the one given: IMAP knows user names only."""
        with self._session() as session:
            self._listed_at = None
            for folder in self._folders(session):
                session.examine(folder.name)
        return self._access.address

    def renewed_secret(self) -> str | None:
        """What to store in place of the token file, where the provider has replaced its refresh token."""
        return self._access.tokens.renewed() if self._access.tokens else None

    def _walk(
        self, session: Session, folder: Chosen, cursor: Cursor, back_to: datetime, unseen: Unseen
    ) -> Iterator[Page]:
        """What is new in one folder. The cursor is moved as the pages go out."""
        before = cursor.folders.get(folder.name)
        status = session.status(folder.name)
        if before is not None and before.is_at_end(status):
            return
        told = session.examine(folder.name)
        if told.uidnext is None and told.uidvalidity == status.uidvalidity:
            told = replace(told, uidnext=status.uidnext)
        place = self._start(folder.name, before, told, back_to)
        for uids in _searches(session, place.last + 1, told, place.since):
            for start in range(0, len(uids), CHUNK):
                keys = {_key(folder.name, place.uidvalidity, uid): uid for uid in uids[start : start + CHUNK]}
                fresh = unseen(list(keys))
                page = _settled(session, folder, {key: uid for key, uid in keys.items() if key in fresh})
                place = cursor.folders[folder.name] = replace(place, last=max(keys.values()))
                if fresh:
                    yield replace(page, cursor=cursor.dump())
        if place.since and told.uidnext:
            place = replace(place, last=max(place.last, told.uidnext - 1))  # what was older than its date stays unread
        cursor.folders[folder.name] = replace(place, next=told.uidnext, since=None)

    def _start(self, name: str, before: Place | None, told: Standing, back_to: datetime) -> Place:
        """Where to go on in a folder; by date when it is new to us or has numbered its messages anew."""
        if told.uidvalidity is None:
            raise Refused(f"{self._access.host} gives no UIDVALIDITY for {name}, so nothing in it has a lasting number")
        if before is None:
            return Place(told.uidvalidity, since=_day(back_to))
        if told.uidvalidity == before.uidvalidity:
            if told.uidnext is not None and told.uidnext <= before.last:
                raise Refused(
                    f"{self._access.host} numbers the messages of {name} anew without saying so (it was restored?): "
                    f"connect again after `cadence mailbox remove {self._access.address} --purge`"
                )
            return before
        now = self._clock.now()
        resets = tuple(at for at in before.resets if now - at < timedelta(days=1))
        if len(resets) >= RESETS:
            raise Refused(
                f"{self._access.host} has numbered the messages of {name} anew {RESETS} times in a day: "
                "have its UIDVALIDITY repaired; reading goes on tomorrow"
            )
        return Place(told.uidvalidity, since=_day(back_to), resets=(*resets, now))

    def _folders(self, session: Session) -> list[Chosen]:
        now = self._clock.now()
        if self._listed_at is None or now - self._listed_at >= RELIST_EVERY:
            self._chosen, lacking = choose(session.folders(), self._access.sent, self._access.folders)
            self._listed_at, self._lacking = now, "; ".join(lacking) or None
        return self._chosen

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """A connection. After a failure none is made for a while, and after three refused logins none at all."""
        now = self._clock.now()
        if self._trouble and (self._refusals >= LOGINS or (self._not_before and now < self._not_before)):
            raise self._trouble
        try:
            session = Session(self._access, self._context)
        except NeedsAuth as error:
            self._refusals, self._trouble = self._refusals + 1, error
            raise
        except ProviderError as error:
            self._not_before = now + min(FIRST_WAIT * 2 ** min(self._failures, 10), LONGEST_WAIT)
            self._failures, self._trouble = self._failures + 1, error
            raise
        self._failures, self._refusals, self._not_before, self._trouble = 0, 0, None, None
        with session:
            yield session


def _searches(session: Session, first: int, told: Standing, since: date | None) -> Iterator[list[int]]:
    """The UIDs from `first` on, ascending. `n:*` also names the newest message when that is older than n."""
    last = told.uidnext - 1 if told.uidnext else None
    if told.messages == 0 or (last is not None and last < first):
        return
    if last is None or told.messages is None or told.messages <= WINDOW:
        found = session.search(f"{first}:{'*' if last is None else last}", since)
        yield [uid for uid in found if uid >= first]
        return
    width = max(WINDOW, (last - first) // 1000)
    for start in range(first, last + 1, width):
        yield session.search(f"{start}:{min(start + width - 1, last)}", since)


def _settled(session: Session, folder: Chosen, keys: dict[str, int]) -> Page:
    """These messages of the open folder. What did not come is looked for once more: it may be gone meanwhile."""
    rows = session.rows(list(keys.values()))
    lost = [uid for uid in keys.values() if uid not in rows.found and uid not in rows.unreadable]
    alive = set(session.search(uid_set(lost))) if lost else set()
    messages = {key: _message(key, folder.kind, rows.found[uid]) for key, uid in keys.items() if uid in rows.found}
    many = [
        keys[key] for key, one in messages.items() if one.first("Content-Type").lstrip().lower()[:10] == "multipart/"
    ]
    invitations = session.invitations(many)
    failed = [(key, rows.unreadable[uid]) for key, uid in keys.items() if uid in rows.unreadable]
    failed += [(key, "the server lists it and does not deliver it") for key, uid in keys.items() if uid in alive]
    return Page(
        None,
        tuple(replace(one, is_calendar=True) if keys[key] in invitations else one for key, one in messages.items()),
        tuple(failed),
        tuple(key for key, uid in keys.items() if uid in lost and uid not in alive),
    )


def _message(key: str, kind: Folder, row: Row) -> Message:
    headers = tuple(pair for pair in fields_of(row.block) if pair[0] in _NAMES)
    if "\\draft" in row.flags:
        kind = Folder.DRAFT
    at = row.at or date_of(next((value for name, value in headers if name == "Date"), ""))
    return Message(key, headers, at, kind)


def _key(folder: str, uidvalidity: int, uid: int) -> str:
    return f"{_short(folder)}:{uidvalidity}:{uid}"


@lru_cache(maxsize=256)
def _short(folder: str) -> str:
    """A folder's name can be a person's, and the ledger keeps this for mail that concerns nobody."""
    return hashlib.sha256(folder.encode("utf-8", "replace")).hexdigest()[:12]


def _parts(key: str) -> tuple[str, int, int] | None:
    parts = key.split(":")
    if len(parts) != 3 or not parts[1].isdecimal() or not parts[2].isdecimal():
        return None
    return parts[0], int(parts[1]), int(parts[2])


def _day(since: datetime) -> date:
    return (since - ZONES).date()
