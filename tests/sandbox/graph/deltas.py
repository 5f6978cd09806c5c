"""What one folder of a stand-in mailbox answers to delta, with the manners that Exchange is known for. No HTTP here."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.sandbox.graph.mailboxes import GraphMailboxStore, StoredMessage

FILTERED_CAP = 5_000


@dataclass(frozen=True, slots=True)
class State:
    """What a link remembers: from which change on it tells, and how far the walk has come."""

    folder: str
    since: datetime | None  # of `$filter`
    changed_after: int | None  # None: a walk from the start
    began_at: int  # the mailbox's count of changes when the walk began: from there the next one tells
    start: int = 0


@dataclass(slots=True)
class Delta:
    """The links given out for one mailbox."""

    box: GraphMailboxStore
    _states: dict[str, State] = field(default_factory=dict)

    def page(self, state: State, size: int, *, immutable: bool) -> tuple[list[dict[str, Any]], State, bool]:
        """Items, the state of what follows, and whether this walk goes on."""
        items = self._items(state, immutable=immutable)
        chosen, end = items[state.start : state.start + size], state.start + size
        if end < len(items):
            return chosen, State(state.folder, state.since, state.changed_after, state.began_at, end), True
        return chosen, State(state.folder, state.since, state.began_at, self.box.changes), False

    def link(self, state: State) -> str:
        token = f"{len(self._states):04}"
        self._states[token] = state
        return token

    def state(self, token: str) -> State | None:
        return self._states.get(token)

    def forget(self) -> None:
        self._states.clear()

    def _items(self, state: State, *, immutable: bool) -> list[dict[str, Any]]:
        box, select = self.box, ("receivedDateTime",)
        here = box.window(state.since or datetime.min.replace(tzinfo=UTC))
        here = [one for one in here if one.folder == state.folder and one.number not in box.hidden]
        if state.changed_after is None:
            if state.since is not None:
                here = here[-min(FILTERED_CAP, box.closes_after or FILTERED_CAP) :]
            return [box.resource(one, select, immutable=immutable) for one in here]
        told: list[dict[str, Any]] = []
        for one in here:
            if one.entered > state.changed_after and state.folder not in _left(one, state.changed_after):
                told.append(box.resource(one, select, immutable=immutable))
            elif one.marked > state.changed_after:
                told.append({"id": one.immutable_id if immutable else one.mutable_id})
        gone = [one for one in box.window(datetime.min.replace(tzinfo=UTC)) if one.folder != state.folder]
        told += [
            {"@odata.type": "#microsoft.graph.message", "id": one.immutable_id, "@removed": {"reason": "deleted"}}
            for one in gone
            if state.folder in _left(one, state.changed_after)
        ]
        return told


def _left(message: StoredMessage, after: int) -> set[str]:
    """The folders it has left since then. One that it returned to is never told of it."""
    return {folder for folder, at in message.left if at > after}
