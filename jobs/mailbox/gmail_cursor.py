"""The Gmail cursor: where in the history the mailbox was read to, and how far a walk back has come. Pure."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Self


@dataclass(frozen=True, slots=True)
class Backfill:
    """A walk back through the listing, newest first.

    It goes back to `since`, next to the page that `page_token` names, after `kept` messages of at most `cap`.
    When `done`, only the history since the walk began is missing, and the mailbox is known from `known_from` on.
    """

    since: datetime
    known_from: datetime
    cap: int | None = None
    page_token: str | None = None
    kept: int = 0
    done: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """`history` is pinned before a walk back begins, so that polling goes on from there when it ends."""

    history: str
    backfill: Backfill | None = None

    def dump(self) -> str:
        job = self.backfill
        backfill = job and {
            "since": job.since.isoformat(),
            "known_from": job.known_from.isoformat(),
            "cap": job.cap,
            "page": job.page_token,
            "kept": job.kept,
            "done": job.done,
        }
        return json.dumps({"history": self.history, "backfill": backfill})

    @classmethod
    def load(cls, text: str | None) -> Self | None:
        """The stored cursor; None when there is none, or none that we can read: then the gap is listed again."""
        try:
            stored = json.loads(text or "null")
            job = stored["backfill"]
            backfill = job and Backfill(
                since=datetime.fromisoformat(job["since"]),
                known_from=datetime.fromisoformat(job["known_from"]),
                cap=job["cap"],
                page_token=job["page"],
                kept=int(job["kept"]),
                done=bool(job["done"]),
            )
            return cls(str(int(stored["history"])), backfill)
        except (ValueError, KeyError, TypeError):
            return None
