"""The audit log as a modal: what was changed, by whom and when, the newest first."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from bot import ids, wording
from bot.ids import Carried
from bot.views import kit
from bot.views.kit import Block, View
from models.clock import local_day
from models.queries.audit import AuditLine

ON_PAGE = 20
VALUES = 6
VALUE_LIMIT = 60


def audit_modal(
    lines: Sequence[AuditLine], carried: Carried, *, older: bool, today: date, zone: ZoneInfo, note: str | None = None
) -> View:
    """One page. `carried.partner` is whom it is about, if it is about one; `carried.page` counts from the newest."""
    page = carried.page or 0
    blocks: list[Block] = [kit.section(note)] if note else []
    if not lines:
        blocks.append(kit.section("Nothing has been changed yet."))
    for line in lines:
        blocks.append(kit.section(_entry(line, today, zone)))
    turns = []
    if page > 0:
        turns.append(_turn("Newer", carried, page - 1))
    if older:
        turns.append(_turn("Older", carried, page + 1))
    if carried.partner is None:
        turns.append(kit.button(ids.AUDIT_EXPORT, "Send me all as CSV", Carried()))
    if turns:
        blocks.append(kit.actions(*turns))
    return kit.modal(ids.AUDIT_MODAL, "Audit log", blocks, carried=Carried(page=page, partner=carried.partner))


def _entry(line: AuditLine, today: date, zone: ZoneInfo) -> str:
    what = wording.plain(line.action, 60) + (f" · {wording.name(line.subject)}" if line.subject else "")
    shown = list(line.changed.items())[:VALUES]
    more = len(line.changed) - len(shown)
    told = [f"{wording.plain(key.replace('_', ' '), 40)}: {_change(*values)}" for key, values in shown]
    said = "; ".join(told) + (f"; and {more} more" if more > 0 else "")
    who = f"{wording.name(line.actor)}, {_when(line.at, today, zone)}"
    head = f"{kit.strong(kit.words(what, 300))}\n{kit.words(who, 300)}"
    return f"{head}\n{kit.words(said, 900)}" if said else head


def _change(before: Any, after: Any) -> str:
    return _value(after) if before is None else f"{_value(before)} → {_value(after)}"


def _value(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return wording.plain(", ".join(str(one) for one in value), VALUE_LIMIT)
    return wording.plain(str(value), VALUE_LIMIT)


def _when(at: datetime, today: date, zone: ZoneInfo) -> str:
    return f"{wording.on_day(local_day(at, zone), today)} {at.astimezone(zone):%H:%M}"


def _turn(text: str, carried: Carried, page: int) -> kit.Element:
    return kit.button(f"{ids.AUDIT_PAGE}:{page}", text, Carried(page=page, partner=carried.partner))
