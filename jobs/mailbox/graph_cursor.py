"""What a Microsoft 365 mailbox remembers between passes, and how its listing by time moves on. It calls nobody."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from jobs.mailbox.graph_api import TOP, Listing
from jobs.mailbox.graph_message import instant


@dataclass(frozen=True, slots=True)
class Cursor:
    """Everything received before `watermark` was listed. `known_from` stands there until a first walk is complete.

    `links` are there where the folders are read one by one: of each the address of its next changes.
    """

    watermark: datetime
    known_from: datetime | None = None
    rescanned_at: datetime | None = None
    links: Mapping[str, str] | None = None

    def dump(self) -> str:
        times = {"watermark": self.watermark, "known_from": self.known_from, "rescanned_at": self.rescanned_at}
        told: dict[str, Any] = {name: at and at.isoformat() for name, at in times.items()}
        return json.dumps(told if self.links is None else told | {"links": dict(self.links)})

    @classmethod
    def load(cls, text: str | None) -> Self | None:
        """The stored cursor; None when there is none, or none that we can read: then the gap is listed again."""
        try:
            stored = json.loads(text or "null")
            watermark, known_from, rescanned_at = (
                stored[name] and datetime.fromisoformat(stored[name])
                for name in ("watermark", "known_from", "rescanned_at")
            )
            links = stored.get("links")
            if links is not None:
                links = {str(folder): str(link) for folder, link in links.items()}
            return cls(watermark, known_from, rescanned_at, links) if watermark and watermark.tzinfo else None
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


@dataclass(slots=True)
class Walk:
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
        elif has_new and self.in_order and latest is not None and whole_second(latest) > self.bound:
            self.bound, self.link = whole_second(latest), None
            self.handled = {key: at for key, at in self.handled.items() if at is None or at >= self.bound}
        else:
            self.link, self.done = listing.following, listing.following is None


def whole_second(at: datetime) -> datetime:
    """Graph's filter is given whole seconds, downwards, so that nothing falls between two of them."""
    return at.replace(microsecond=0)
