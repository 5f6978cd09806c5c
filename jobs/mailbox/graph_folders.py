"""A Microsoft 365 mailbox by folders, for where Microsoft will not list it as a whole. It fetches and stores nothing.

Delta answers what has changed in one folder, and is believed less than the listing of the whole mailbox:
1. It is asked for ids alone. What else it tells of a message that was changed is only what was changed.
2. A filtered walk holds at most 5,000 messages and can end early, so a walk from the start is counted afterwards over a
   window that closed when it began; if it is short, the folder is walked again without the filter.
3. A state that Microsoft forgets, also midway, begins again from the start.
4. A message that leaves a folder and returns may never be told, which the daily walk from the start makes good.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from jobs.mailbox.base import ProviderError
from jobs.mailbox.graph_api import GraphApi
from jobs.mailbox.graph_errors import BadRequest, Forbidden, Gone, Resync
from jobs.mailbox.graph_message import SET_ASIDE, instant

RESTARTS = 3  # of a listing that Microsoft forgets


class Incomplete(ProviderError):
    """A folder holds more messages than Microsoft lists."""


@dataclass(frozen=True, slots=True)
class Step:
    """Ids of a folder, and on its last step the link that tells what changes from then on."""

    keys: tuple[str, ...] = ()
    newest: datetime | None = None
    link: str | None = None


def read_folders(graph: GraphApi, known: Mapping[str, str]) -> list[str]:
    """The ids of the folders that mail is read from: all but drafts, junk, the bin and the outbox, with their contents.

    Not Inbox and Sent Items alone: rules file partners' mail anywhere. `known` maps ids to well-known names.
    """
    found: list[str] = []
    waiting: list[str | None] = [None]
    while waiting:
        for folder, has_children in graph.folders_in(waiting.pop()):
            if known.get(folder) not in SET_ASIDE:
                found.append(folder)
                waiting += [folder] if has_children else []
    return list(dict.fromkeys(found))


def changes(
    graph: GraphApi, folder: str, link: str | None, since: datetime, closed_at: datetime, *, oldest: datetime
) -> Iterator[Step]:
    """What the folder holds since then; with a `link` what has changed in it, of mail that is no older than `oldest`.

    Ends with the step that has the next link, or without one when the folder is no more. Raises Incomplete when what
    was listed is still short: the ids so far stand, and no link is given that would hide the others.
    """
    restarts, filtered = 0, True
    while True:
        listed: set[str] = set()
        try:
            listing = graph.following(link) if link else graph.changes(folder, since if filtered else None)
            while True:
                items = [item for item in listing.items if item.get("id") and "@removed" not in item]
                times = {str(item["id"]): instant(item.get("receivedDateTime")) for item in items}
                young = {key: at for key, at in times.items() if at is None or at >= (oldest if link else since)}
                listed |= {key for key, at in young.items() if at is not None and at < closed_at}
                yield Step(tuple(young), max((at for at in young.values() if at), default=None))
                if not listing.following:
                    break
                listing = graph.following(listing.following)
            if not listing.delta:
                raise Resync("a listing ended without saying where the next one begins")
        except Resync as error:
            restarts += 1
            if restarts > RESTARTS:
                raise forgotten(error) from error
            link = None
            continue
        except Gone:
            return
        except (BadRequest, Forbidden):
            if not filtered:
                raise
            filtered = False
            continue
        held = None if link else graph.held(folder, since, closed_at)
        if not link and filtered and (held is None or len(listed) < held):
            filtered = False
            continue
        if held is not None and len(listed) < held:
            raise Incomplete(
                f"Microsoft lists {len(listed)} of the {held} messages of a folder: it is listed again at the next pass"
            )
        yield Step(link=listing.delta)
        return


def forgotten(error: Resync) -> ProviderError:
    """What to say when beginning again does not help."""
    return ProviderError(f"Microsoft forgets its own listing again and again ({error})")
