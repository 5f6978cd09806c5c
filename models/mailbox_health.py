"""How a mailbox is doing, from stored facts: one state, one sentence, and what to do. Pure.

"No error was seen" is not health: a well mailbox was compared with the provider's list, and nothing is missing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from zoneinfo import ZoneInfo

UNREAD_AFTER = timedelta(hours=24)
UNCOMPARED_AFTER = timedelta(days=3)  # the comparison is daily; a bad day or two are no news


class State(StrEnum):
    OK = "ok"
    FILE = "file"
    BACKFILLING = "backfilling"
    PAUSED = "paused"
    NEEDS_CONSENT = "needs consent"
    UNREACHABLE = "unreachable"
    STALE = "stale"
    PARTLY_SEEN = "partly seen"
    INCOMPLETE = "incomplete"
    GAP = "gap"
    RECONCILING = "reconciling"


class Facts(Protocol):
    """What is stored of a mailbox."""

    @property
    def address(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def credential(self) -> str | None: ...
    @property
    def error(self) -> str | None: ...
    @property
    def lacking(self) -> str | None: ...
    @property
    def paused_until(self) -> datetime | None: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def last_ok_at(self) -> datetime | None: ...
    @property
    def reconciled_at(self) -> datetime | None: ...
    @property
    def seen(self) -> int: ...
    @property
    def pending(self) -> int: ...
    @property
    def dead(self) -> int: ...
    @property
    def gap(self) -> int | None: ...
    @property
    def lacking_since(self) -> datetime | None: ...
    @property
    def files_from(self) -> datetime | None: ...
    @property
    def files_until(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Health:
    """`action` is what to do, if anything. `spell` stays the same for as long as it is one and the same trouble."""

    state: State
    says: str
    action: str | None = None
    attention: bool = False
    spell: str = ""

    @property
    def detail(self) -> str:
        return f"{self.says}; {self.action}" if self.action else self.says


def health_of(box: Facts, now: datetime, zone: ZoneInfo) -> Health:
    """The first that holds, the gravest first."""
    since_ok = box.last_ok_at.isoformat() if box.last_ok_at else "never"
    unread = now - (box.last_ok_at or box.created_at) > UNREAD_AFTER
    if box.provider == "mbox":
        span = f", mail of {_span(box.files_from, box.files_until, zone)}" if box.files_from and box.files_until else ""
        action = "`cadence mailbox add` connects it, so that new mail is read too"
        return Health(State.FILE, f"filled from a file{span}", action)
    if box.status == "needs_auth":
        says = box.error or "the consent to read it was withdrawn"
        return Health(State.NEEDS_CONSENT, _phrase(says), how_to_connect_again(box), True, since_ok)
    if box.status == "error":
        action = f"`cadence mailbox check {box.address}` tries it now"
        return Health(State.UNREACHABLE, _phrase(box.error or "it cannot be read"), action, True, since_ok)
    if box.paused_until is not None and box.paused_until > now:
        says = f"the provider asked for patience until {_moment(box.paused_until, now, zone)}"
        return Health(State.PAUSED, says, "nothing is lost, reading goes on by itself then", unread, since_ok)
    if unread:
        says = f"not read since {_moment(box.last_ok_at, now, zone)}" if box.last_ok_at else "never read to its end"
        why = f" ({_phrase(box.error)})" if box.error else ""
        return Health(State.STALE, says + why, "see that `cadence run` is running: `cadence doctor`", True, since_ok)
    if box.last_ok_at is None:
        says = f"read for the first time, {_messages(box.seen)} so far"
        return Health(State.BACKFILLING, says, "nothing to do, it goes on by itself")
    return _completeness(box, now, zone)


def how_to_connect_again(box: Facts) -> str:
    """Of a mailbox that its provider refuses. It was a person who consented where a secret is stored."""
    consented = box.credential and box.provider != "imap"
    command = f"cadence mailbox add --provider {box.provider} --address {box.address}"
    command += " --consent" if consented else ""
    how = f"“Connect a mailbox” on Home in Slack or `{command}`" if consented else f"`{command}`"
    return f"{how} connects it again, and what came meanwhile is captured then"


def _completeness(box: Facts, now: datetime, zone: ZoneInfo) -> Health:
    """Of a mailbox that is read: whether anything is missing."""
    lacking = box.lacking_since.isoformat() if box.lacking_since else ""
    if box.lacking:
        return Health(State.PARTLY_SEEN, _phrase(box.lacking), None, True, box.lacking)
    if box.dead:
        says = f"{_messages(box.dead)} could not be fetched within two days"
        action = "asked for again once a day; an import brings them too: `cadence capture --mbox FILE`"
        return Health(State.INCOMPLETE, says, action, True, lacking)
    if box.gap:
        says = f"the provider lists {_messages(box.gap)} that {'is' if box.gap == 1 else 'are'} not captured yet"
        action = f"fetched again by itself; `cadence capture --mailbox {box.address}` does it now"
        return Health(State.GAP, says, action, True, lacking)
    compared = box.reconciled_at
    if compared is None or now - compared > 2 * UNREAD_AFTER:
        says = (
            f"not compared with the provider's own list since {_moment(compared, now, zone)}"
            if compared
            else ("not yet compared with the provider's own list")
        )
        late = now - (compared or box.created_at) > UNCOMPARED_AFTER
        action = (
            f"`cadence capture --mailbox {box.address}` does it now" if late else "it is done after the next reading"
        )
        return Health(State.RECONCILING, says, action, late, str(compared))
    says = f"nothing is missing, as of {_moment(compared, now, zone)}"
    waiting = f"; {_messages(box.pending)} will be asked for again" if box.pending else ""
    return Health(State.OK, says + waiting)


def _messages(count: int) -> str:
    return f"{count} message" if count == 1 else f"{count} messages"


def _phrase(text: str) -> str:
    """A provider's sentence as part of ours."""
    return text.strip().rstrip(".;")


def _span(from_at: datetime, until_at: datetime, zone: ZoneInfo) -> str:
    """ "3 Jan 2019 to 5 May 2026"."""
    days = [f"{at.astimezone(zone):%d %b %Y}".lstrip("0") for at in (from_at, until_at)]
    return " to ".join(dict.fromkeys(days))


def _moment(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    return f"{local:%H:%M}" if local.date() == today else f"{local:%d %b %H:%M}".lstrip("0")
