"""What was said in Slack: reads once a week or a lead is told, no message twice, none left lying."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.chaos.findings import Finding
from tests.chaos.rows import Row, Tables
from tests.chaos.truth import Accepted, Roster, Truth

WEEK = timedelta(weeks=1)


def weeks_due(roster: Roster, began: datetime, ended: datetime) -> list[date]:
    """The Mondays of the weeks whose read was due between two instants."""
    zone = ZoneInfo(roster.zone)
    found: list[date] = []
    first = began.astimezone(zone).date()
    monday = first - timedelta(days=first.weekday())
    while True:
        day = monday + timedelta(days=roster.read_weekday)
        due_at = datetime.combine(day, roster.read_at, tzinfo=zone).astimezone(UTC)
        if due_at > ended:
            return found
        if due_at >= began:
            found.append(monday)
        monday += WEEK


def reads(tables: Tables, truth: Truth) -> Iterator[Finding]:
    teams = tables.teams()
    for roster in truth.rosters:
        workspace_id = teams[roster.team]["id"]
        held = Counter(row["week"] for row in tables.of("read", workspace_id))
        for week, times in held.items():
            if times > 1:
                yield Finding("read doubled", f"{roster.team}, week of {week}: {times} reads")
        due = weeks_due(roster, truth.began, truth.ended)
        for week in due:
            yield from _said(tables, truth, roster, workspace_id, week, held=bool(held[week]))
        for week in held.keys() - set(due):
            yield Finding("read out of turn", f"{roster.team}, week of {week}")


def _said(
    tables: Tables, truth: Truth, roster: Roster, workspace_id: int, week: date, *, held: bool
) -> Iterator[Finding]:
    """The read of a week stands in its channel, or a lead has heard that it does not, or may not."""
    name = f"{roster.team}, week of {week}"
    posts = [row for row in tables.of("outbox_post", workspace_id) if row["channel"] == roster.channel]
    mine = [row for row in posts if row["kind"] == "read" and row["period"] == week.isoformat()]
    if not held:
        told = [one.text for one in _private(truth, roster) if "There was no weekly read" in one.text]
        if not any(f"{week.day} {week:%b}" in text for text in told):
            yield Finding("read silently missing", f"{name}; leads were told: {told}")
        return
    for part, times in Counter(row["part"] for row in mine).items():
        if times > 1:
            yield Finding("read doubled", f"{name}: part {part} stands {times} times in the outbox")
    if not any(row["part"] == 0 for row in mine):
        yield Finding("read not posted", f"{name} was held, and the outbox has no message of it")
    for row in mine:
        if row["status"] == "sent":
            continue
        notices = [one for one in tables.of("outbox_post", workspace_id) if f"post {row['id']}," in one["period"]]
        heard = {one["channel"] for one in notices if _arrived(truth, roster.team, one)}
        if not heard & set(roster.leads):
            fate = [(one["id"], one["channel"], one["status"], one["error"]) for one in notices]
            yield Finding("read silently uncertain", f"{name}, part {row['part']}: {_brief(row)}; notices: {fate}")


def messages(tables: Tables, truth: Truth) -> Iterator[Finding]:
    """Each message that Slack took is one row, each row at most one message, and none is left lying."""
    teams = tables.teams()
    for team, programme in teams.items():
        rows = tables.of("outbox_post", programme["id"])
        for row in rows:
            if row["status"] in ("pending", "sending"):
                yield Finding("message stuck", f"{team}: {_brief(row)}")
            elif row["status"] == "failed":
                yield Finding("message refused", f"{team}: {_brief(row)}")
            elif row["status"] == "sent" and row["redraw_wanted"] > row["redraw_done"]:
                yield Finding("redraw stuck", f"{team}: {_brief(row)}")
        for row in tables.of("nudge", programme["id"]):
            if row["dropped"] is None and row["outbox_post_id"] not in (None, *(one["id"] for one in rows)):
                yield Finding("nudge astray", f"{team}: {row}")
        yield from _once(team, rows, [one for one in truth.accepted if one.team == team], truth)
    yield from _as_drawn(tables, truth)


def _once(team: str, rows: Sequence[Row], accepted: Sequence[Accepted], truth: Truth) -> Iterator[Finding]:
    known: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["ts"]:
            known[row["slack_channel"], row["ts"]].append(row)
    taken = {(one.channel, one.ts) for one in accepted}
    for place, several in known.items():
        if len(several) > 1:
            yield Finding("two rows, one message", f"{team}: {place}: {[_brief(row) for row in several]}")
        if place not in taken:
            yield Finding("sent and not there", f"{team}: {place}: {_brief(several[0])}")
    maybe: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        channel = str(truth.dms.get((team, row["channel"]), row["channel"]))
        maybe[channel, str(row["payload"]["text"])] += [row] * _unconfirmed(row)
    for one in accepted:
        if (one.channel, one.ts) in known:
            continue
        waiting = maybe.get((one.channel, one.text))
        if waiting:  # its answer was lost: the row says that nobody knows
            waiting.pop()
        else:
            same = [_brief(row) for row in rows if row["payload"]["text"] == one.text]
            yield Finding("message doubled", f"{team}: {one} belongs to no row; rows with these words: {same}")


def _unconfirmed(row: Row) -> int:
    """How many messages there may be of which nobody knows. A notice to a lead is repeated: better twice than never."""
    if row["kind"] == "notice":
        return int(row["attempts"]) - bool(row["ts"])
    return int(not row["ts"] and row["status"] in ("unknown", "sending", "gone"))


def _as_drawn(tables: Tables, truth: Truth) -> Iterator[Finding]:
    """What stands in Slack is what was drawn last."""
    teams = tables.teams()
    stands = {(one.team, one.channel, one.ts): one for one in truth.shown}
    for team, programme in teams.items():
        for row in tables.of("outbox_post", programme["id"]):
            if row["status"] != "sent" or not row["rendered_hash"]:
                continue
            shown = stands.get((team, row["slack_channel"], row["ts"]))
            if shown is None:
                yield Finding("message gone", f"{team}: {_brief(row)}")
            elif fingerprint(shown.text, shown.blocks) != row["rendered_hash"]:
                said = f"{team}: {_brief(row)} is not what stands there: {shown.text[:200]!r}"
                yield Finding("drawing is old", said)


def fingerprint(text: str, blocks: Sequence[dict[str, Any]]) -> str:
    plain = [{name: value for name, value in block.items() if name != "block_id"} for block in blocks]
    return hashlib.sha256(json.dumps([text, plain], sort_keys=True).encode()).hexdigest()[:32]


def _private(truth: Truth, roster: Roster) -> list[Accepted]:
    rooms = {room for lead in roster.leads if (room := truth.dms.get((roster.team, lead)))}
    return [one for one in truth.accepted if one.team == roster.team and one.channel in rooms]


def _arrived(truth: Truth, team: str, row: Row) -> bool:
    """Whether Slack took it, whatever the outbox knows of that."""
    room, text = truth.dms.get((team, row["channel"])), row["payload"]["text"]
    return any((one.team, one.channel, one.text) == (team, room, text) for one in truth.accepted)


def _brief(row: Row) -> dict[str, Any]:
    names = ("id", "channel", "kind", "period", "part", "status", "ts", "attempts", "error", "taken_at", "not_before")
    more = ("redraw_wanted", "redraw_done", "redrawn_at")
    return {name: str(row[name]) for name in (*names, *more) if row[name] is not None}
