"""Every derived column equals its recomputation: from touches and the roster, with arithmetic of our own."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.chaos.findings import Finding
from tests.chaos.rows import CLOCKS_DIFFER, Row, Tables
from tests.chaos.truth import Truth

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
COVERED = ("on_pace", "due_soon")


@dataclass(slots=True)
class Partner:
    """What a partner's clocks rest on."""

    row: Row
    zone: ZoneInfo
    tier: Row | None
    counting: list[Row] = field(default_factory=list)  # touches that move the clock, by time
    heard: list[datetime] = field(default_factory=list)

    def last(self, now: datetime) -> Row | None:
        place = bisect_right(self.counting, now, key=lambda touch: touch["at"])
        return self.counting[place - 1] if place else None

    def last_heard(self, now: datetime) -> datetime | None:
        place = bisect_right(self.heard, now)
        return self.heard[place - 1] if place else None

    def day(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def due_on(self, touched_at: datetime | None) -> date | None:
        if self.tier is None:
            return None
        start = self.day(touched_at) if touched_at else self.row["cadence_start_on"]
        return date.fromordinal(start.toordinal() + self.tier["window_days"])

    def late(self, touched_at: datetime | None, now: datetime) -> bool | None:
        """Whether the window is over; None where that is not the question."""
        due = self.due_on(touched_at)
        if due is None or self.tier is None or self.row["status"] != "active":
            return None
        if touched_at is None and self.day(now) <= due:
            return None
        return self.day(now) > due + timedelta(days=self.tier["grace_days"])


def partners(tables: Tables) -> dict[int, Partner]:
    zones = {row["id"]: ZoneInfo(row["timezone"] or "UTC") for row in tables["workspace"]}
    tiers = tables.by_id("tier")
    found = {
        row["id"]: Partner(row, zones[row["workspace_id"]], tiers.get(row["tier_id"])) for row in tables["partner"]
    }
    for touch in sorted(tables["touch"], key=lambda row: (row["at"], row["id"])):
        if touch["verdict"] != "human" or touch["voided_at"] is not None:
            continue
        partner = found[touch["partner_id"]]
        if touch["direction"] == "inbound":
            partner.heard.append(touch["at"])
        elif touch["field"] in ("to", "cc"):
            partner.counting.append(touch)
    return found


def derived(tables: Tables, truth: Truth) -> Iterator[Finding]:
    known = partners(tables)
    yield from _roster(tables)
    yield from _clocks(tables, known)
    yield from _tally(tables)
    yield from _spans(tables, known)
    yield from _standings(tables, known)
    yield from _lines(tables, known)
    yield from _episodes(tables, known, truth)


def _roster(tables: Tables) -> Iterator[Finding]:
    newest = {row["partner_id"]: row for row in sorted(tables["partner_history"], key=lambda row: int(row["id"]))}
    for partner in tables["partner"]:
        names = ("tier_id", "owner_id", "status", "paused_until")
        differ = {name: (partner[name], newest[partner["id"]][name]) for name in names}
        if wrong := {name: both for name, both in differ.items() if both[0] != both[1]}:
            yield Finding("roster and its history differ", f"partner {partner['id']}: {wrong}")


def _clocks(tables: Tables, known: dict[int, Partner]) -> Iterator[Finding]:
    clocks = tables.by_id("partner_clock", "partner_id")
    for partner_id, partner in known.items():
        clock = clocks.get(partner_id)
        if clock is None or clock["changes"] != clock["judged"] or clock["computed_at"] is None:
            if partner.counting or partner.heard:
                yield Finding("clock not made anew", f"partner {partner_id}: {clock}")
            continue
        now = clock["computed_at"]
        last = partner.last(now)
        at = last["at"] if last else None
        wanted = {
            "last_touch_at": at,
            "last_heard_at": partner.last_heard(now),
            "touched": at is not None,
            "owner_id": partner.row["owner_id"],
            "tier_rank": partner.tier["rank"] if partner.tier else None,
            "due_on": partner.due_on(at),
        }
        if partner.tier and (due := wanted["due_on"]):
            wanted["late_on"] = due + timedelta(days=partner.tier["grace_days"] + 1)
            wanted["soon_on"] = due - timedelta(days=-(-partner.tier["window_days"] // 4))
        yield from _compared("clock wrong", f"partner {partner_id} as of {now}", clock, wanted)


def _tally(tables: Tables) -> Iterator[Finding]:
    home = {row["id"]: row["workspace_id"] for row in tables["partner"]}
    wanted: Counter[tuple[Any, ...]] = Counter()
    for span in tables["week_span"]:
        for week in range(span["from_week"], span["until_week"] + 1):
            wanted[home[span["partner_id"]], week, span["tier_rank"], span["kind"]] += 1
    for window in tables["week_window"]:
        key = home[window["partner_id"]], window["week"], window["tier_rank"]
        wanted[*key, "in time"] += window["in_time"]
        wanted[*key, "missed"] += window["missed"]
    stored: dict[tuple[Any, ...], int] = {
        (row["workspace_id"], row["week"], row["tier_rank"], row["kind"]): row["number"] for row in tables["week_tally"]
    }
    for key in sorted(wanted.keys() | stored.keys()):
        if wanted[key] != stored.get(key, 0):
            yield Finding("tally wrong", f"{key}: {stored.get(key, 0)} is stored, {wanted[key]} are there")


def _spans(tables: Tables, known: dict[int, Partner]) -> Iterator[Finding]:
    """A week that counts as covered had its touch in time, and one that counts as overdue had not."""
    programmes = tables.by_id("workspace")
    for span in tables["week_span"]:
        partner, word = known[span["partner_id"]], span["kind"].split()[0]
        if word not in ("covered", "overdue"):
            continue
        for week in range(span["from_week"], span["until_week"] + 1):
            at = _read_at(programmes[partner.row["workspace_id"]], week, partner.zone)
            last = partner.last(at)
            late = partner.late(last["at"] if last else None, at)
            if late is not None and late != (word == "overdue"):
                touched = last["at"] if last else None
                said = f"partner {span['partner_id']}, week {week} ({at}): {span['kind']}, last touch {touched}"
                yield Finding("week judged wrong", said)


def _read_at(programme: Row, week: int, zone: ZoneInfo) -> datetime:
    hour, minute = map(int, (programme["read_at"] or "mon 09:00").split()[1].split(":"))
    monday = date.fromordinal(week * 7 + 1)  # reads of a run are all held on Mondays
    return datetime(monday.year, monday.month, monday.day, hour, minute, tzinfo=zone).astimezone(UTC)


def _standings(tables: Tables, known: dict[int, Partner]) -> Iterator[Finding]:
    clocks = tables.by_id("partner_clock", "partner_id")
    versions = {row["id"]: row["cadence_version"] for row in tables["workspace"]}
    for row in tables["partner_standing"]:
        clock, partner, now = clocks.get(row["partner_id"]), known[row["partner_id"]], row["as_of"]
        if (
            clock is None
            or row["changes"] != clock["changes"]
            or row["cadence_version"] != versions[row["workspace_id"]]
        ):
            continue
        last = partner.last(now)
        at = last["at"] if last else None
        wanted: dict[str, Any] = {
            "last_touch_at": at,
            "last_heard_at": partner.last_heard(now),
            "owner_id": partner.row["owner_id"],
            "days_since": (partner.day(now) - partner.day(at)).days if at else None,
            "due_on": partner.due_on(at),
        }
        if row["state"] == "overdue" and wanted["due_on"]:
            wanted["days_overdue"] = (partner.day(now) - wanted["due_on"]).days
        name = f"partner {row['partner_id']} as of {now}"
        yield from _compared("standing wrong", name, row, wanted)
        yield from _state("standing wrong", name, partner, row["state"], at, now)


def _lines(tables: Tables, known: dict[int, Partner]) -> Iterator[Finding]:
    """A read's snapshot: one line per partner, from mail that was there and captured by then."""
    held: dict[int, list[Row]] = defaultdict(list)
    for line in tables["read_line"]:
        held[line["read_id"]].append(line)
    for read in tables["read"]:
        lines, at = held[read["id"]], read["at"]
        expected = {key for key, one in known.items() if one.row["workspace_id"] == read["workspace_id"]}
        if {line["partner_id"] for line in lines} != expected:
            yield Finding("read incomplete", f"read {read['id']}: {len(lines)} lines, {len(expected)} partners")
        for line in lines:
            partner, touched_at = known[line["partner_id"]], line["last_touch_at"]
            name = f"read {read['id']} of {at}, partner {line['partner_id']}"
            by_then = at - timedelta(seconds=CLOCKS_DIFFER)
            certain = [one for one in partner.counting if one["at"] <= at and one["captured_at"] <= by_then]
            if certain and (touched_at is None or touched_at < certain[-1]["at"]):
                yield Finding("read line too old", f"{name}: {touched_at}, touch {certain[-1]['id']} is newer")
            if touched_at and touched_at not in {one["at"] for one in partner.counting if one["at"] <= at}:
                yield Finding("read line invented", f"{name}: {touched_at} is the time of no touch")
            yield from _compared("read line wrong", name, line, {"due_on": partner.due_on(touched_at)})
            yield from _state("read line wrong", name, partner, line["state"], touched_at, at)


def _episodes(tables: Tables, known: dict[int, Partner], truth: Truth) -> Iterator[Finding]:
    touches = tables.by_id("touch")
    for episode in tables["episode"]:
        partner, name = known[episode["partner_id"]], f"episode {episode['id']} of partner {episode['partner_id']}"
        since = [touch for touch in partner.counting if touch["at"] >= episode["opened_at"]]
        if episode["closed_at"] is None and since:
            yield Finding("recovery not noticed", f"{name}, open since {episode['opened_at']}: touch {since[0]['id']}")
        if (episode["outcome"] == "recovered") != (episode["touch_id"] is not None):
            yield Finding("episode closed by nothing", f"{name}: {episode}")
        elif episode["touch_id"] is not None:
            touch = touches.get(episode["touch_id"])
            if touch is None or touch["partner_id"] != episode["partner_id"] or touch not in since:
                yield Finding("episode closed by nothing", f"{name}: {episode} by {touch}")
        if episode["closed_at"] is not None and episode["closed_at"] + HOUR < episode["opened_at"]:
            yield Finding("episode runs backwards", f"{name}: {episode}")
    for claim in tables["claim"]:
        if claim["ended_at"] is not None and claim["ended_at"] + HOUR < claim["at"]:
            yield Finding("claim runs backwards", str(claim))


def _state(
    kind: str, name: str, partner: Partner, state: str, touched_at: datetime | None, now: datetime
) -> Iterator[Finding]:
    late = partner.late(touched_at, now)
    fine = {
        None: state not in (*COVERED, "overdue", "blind"),
        True: state in ("overdue", "blind"),
        False: state in COVERED,
    }
    if not fine[late]:
        yield Finding(kind, f"{name}: it is {state}, last touch {touched_at}, due on {partner.due_on(touched_at)}")


def _compared(kind: str, name: str, row: Row, wanted: dict[str, Any]) -> Iterator[Finding]:
    if wrong := {key: (row[key], value) for key, value in wanted.items() if row[key] != value}:
        said = ", ".join(f"{key} is {was}, not {value}" for key, (was, value) in wrong.items())
        yield Finding(kind, f"{name}: {said}")
