"""The listing of a Gmail mailbox, newest first, and where in it a date lies. It fetches no headers and keeps no place.

A listing shows no dates. The last message of a page is asked for its own, and the boundary is found by halving.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from jobs.mailbox.gmail_api import GmailApi

PROBES = 10


def listed(gmail: GmailApi, token: str | None, cutoff: datetime) -> Iterator[tuple[list[str], str | None]]:
    """Pages of ids young enough to keep, newest first, with the token of what follows; None ends the walk.

    It ends when the last ids of two pages in a row are too old. The first of the two is held back until then,
    since migrated mail can stand out of order; its boundary is found by halving.
    """
    held: tuple[list[str], str | None] | None = None
    while True:
        ids, following = gmail.listing(token)
        if ids and not is_old(gmail, ids, len(ids) - 1, cutoff):
            if held:
                yield held
            held = None
            yield ids, following
        elif held or not following:
            oldest = held[0] if held else ids
            yield oldest[: boundary(gmail, oldest, cutoff)], None
            return
        elif ids:
            held = ids, following
        if not following:
            return
        token = following


def boundary(gmail: GmailApi, ids: Sequence[str], cutoff: datetime) -> int:
    """How many of the ids come before the first that is too old; the last one is."""
    low, high = 0, max(0, len(ids) - 1)
    while low < high:
        middle = (low + high) // 2
        if is_old(gmail, ids, middle, cutoff):
            high = middle
        else:
            low = middle + 1
    return low


def young(gmail: GmailApi, ids: Sequence[str], cutoff: datetime) -> int:
    """How many of the ids are not too old. Mostly none: then one look at the newest settles it."""
    if is_old(gmail, ids, 0, cutoff):
        return 0
    return boundary(gmail, ids, cutoff) if is_old(gmail, ids, len(ids) - 1, cutoff) else len(ids)


def is_old(gmail: GmailApi, ids: Sequence[str], index: int, cutoff: datetime) -> bool:
    at = date_near(gmail, ids, index)
    return at is not None and at < cutoff


def date_near(gmail: GmailApi, ids: Sequence[str], index: int) -> datetime | None:
    """The date of a listed message, or of the next newer one if it is gone meanwhile."""
    for key in reversed(ids[max(0, index - PROBES) : index + 1]):
        if at := gmail.date_of(key):
            return at
    return None
