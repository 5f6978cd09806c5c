"""How far an IMAP account was read, folder by folder, and what of it is stored."""

import json
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Self

from jobs.mailbox.imap_answers import Standing


@dataclass(frozen=True, slots=True)
class Place:
    """How far a folder was read. `since` stands there until its listing by date is complete.

    `last` is the last UID that was dealt with, `next` what the server would have given to the next message then.
    """

    uidvalidity: int
    last: int = 0
    next: int | None = None
    since: date | None = None
    resets: tuple[datetime, ...] = ()

    def is_at_end(self, told: Standing) -> bool:
        """Nothing can be new; never answered where the server does not say enough."""
        if told.uidvalidity != self.uidvalidity or self.since is not None:
            return False
        return told.messages == 0 or (told.uidnext is not None and told.uidnext == self.next)


@dataclass(slots=True)
class Cursor:
    """The places of all folders. `known_from` stands there until a first walk is complete."""

    folders: dict[str, Place] = field(default_factory=dict)
    known_from: datetime | None = None

    def dump(self) -> str:
        folders = {
            name: {
                "uidvalidity": place.uidvalidity,
                "last": place.last,
                **({"next": place.next} if place.next is not None else {}),
                **({"since": place.since.isoformat()} if place.since else {}),
                **({"resets": [at.isoformat() for at in place.resets]} if place.resets else {}),
            }
            for name, place in self.folders.items()
        }
        return json.dumps({"folders": folders, "known_from": self.known_from and self.known_from.isoformat()})

    @classmethod
    def load(cls, text: str | None) -> Self | None:
        """The stored cursor; None when there is none, or none that we can read: then the gap is listed again."""
        try:
            stored = json.loads(text or "null")
            known_from = stored["known_from"]
            folders = {name: _place(entry) for name, entry in stored["folders"].items()}
            return cls(folders, datetime.fromisoformat(known_from) if known_from else None)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


def _place(entry: Any) -> Place:
    since, resets = entry.get("since"), entry.get("resets") or ()
    return Place(
        int(entry["uidvalidity"]),
        int(entry["last"]),
        entry.get("next"),
        date.fromisoformat(since) if since else None,
        tuple(datetime.fromisoformat(at) for at in resets),
    )
