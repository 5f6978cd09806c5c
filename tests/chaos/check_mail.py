"""Every partner mail in the stand-ins' mailboxes is exactly one touch, and no other mail is any."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import getaddresses
from typing import Any

from tests.chaos.findings import Finding
from tests.chaos.rows import Row, Tables
from tests.chaos.truth import Copy, Roster, Truth

MACHINES = ("mailer-daemon", "postmaster", "no-reply", "noreply")
Place = tuple[str, str, str]  # team, partner, message id


@dataclass(slots=True)
class Expected:
    """One mail between our side and one partner, as the mailboxes hold it."""

    direction: str
    human: bool
    at: set[datetime] = field(default_factory=set)  # by each provider that has it
    held: set[tuple[str, frozenset[str]]] = field(default_factory=set)  # mailbox, the provider's ids for one copy

    @property
    def known_as(self) -> set[tuple[str, str]]:
        return {(mailbox, name) for mailbox, names in self.held for name in names}


def expected(truth: Truth) -> dict[Place, Expected]:
    """By the page of terms: one touch per message and partner, whoever has a copy."""
    rosters = {roster.team: roster for roster in truth.rosters}
    found: dict[Place, Expected] = {}
    for copy in truth.copies:
        roster = rosters[copy.team]
        direction, partners = _partners(copy, roster)
        for partner in partners:
            place = copy.team, partner, copy.header("Message-ID").strip("<> ")
            one = found.setdefault(place, Expected(direction, _by_a_person(copy)))
            one.at.add(copy.at)
            one.held.add((copy.mailbox, copy.names))
    return found


def mail(tables: Tables, truth: Truth) -> Iterator[Finding]:
    wanted = expected(truth)
    programmes = {row["id"]: row["slack_team_id"] for row in tables["workspace"]}
    partners = tables.by_id("partner")
    stored: dict[Place, list[Row]] = defaultdict(list)
    for touch in tables["touch"]:
        partner = partners[touch["partner_id"]]
        stored[programmes[touch["workspace_id"]], partner["name"], touch["message_id"].strip("<> ")].append(touch)
    seen_in = _sightings(tables)
    for place, one in wanted.items():
        touches = stored.get(place, [])
        if not touches:
            if one.human:
                yield Finding("mail lost", f"{place} of {sorted(map(str, one.at))} lies in {sorted(one.known_as)}")
            continue
        if len(touches) > 1:
            yield Finding("touch doubled", f"{place}: touches {[touch['id'] for touch in touches]}")
        yield from _judged(place, one, touches[0], seen_in)
    for place in stored.keys() - wanted.keys():
        yield Finding("touch invented", f"{place}: {[_shown(touch) for touch in stored[place]]}")
    yield from _ledger(tables, truth)


def _judged(place: Place, one: Expected, touch: Row, seen_in: dict[int, set[tuple[str, str]]]) -> Iterator[Finding]:
    if (touch["verdict"] == "human") != one.human or touch["direction"] != one.direction:
        yield Finding("touch misjudged", f"{place}: {_shown(touch)}, the mail is {one.direction}, human: {one.human}")
    if touch["at"] not in one.at:
        yield Finding("touch misdated", f"{place}: {_shown(touch)}, the mail is of {sorted(map(str, one.at))}")
    if touch["voided_at"] is not None:
        yield Finding("touch voided", f"{place}: {_shown(touch)} because {touch['void_reason']}")
    seen = seen_in.get(touch["id"], set())
    missing = [(mailbox, *names) for mailbox, names in one.held if not any((mailbox, name) in seen for name in names)]
    if missing:
        yield Finding("copy not noted", f"{place}: touch {touch['id']} lacks {sorted(missing)}")
    if more := seen - one.known_as:
        yield Finding("copy invented", f"{place}: touch {touch['id']} claims {sorted(more)}")


def _ledger(tables: Tables, truth: Truth) -> Iterator[Finding]:
    """Whatever lies in a mailbox was dealt with, once; and nothing waits or was given up."""
    boxes = {(row["workspace_id"], row["address"]): row for row in tables["mailbox"]}
    addresses = {row["id"]: row["address"] for row in tables["mailbox"]}
    teams = tables.teams()
    held: dict[int, set[frozenset[str]]] = defaultdict(set)
    for copy in truth.copies:
        box = boxes.get((teams[copy.team]["id"], copy.mailbox))
        if box is None:
            yield Finding("mailbox gone", f"{copy.mailbox} of {copy.team} is in no table")
            return
        held[box["id"]].add(copy.names)
    dealt: Counter[tuple[int, str]] = Counter((row["mailbox_id"], row["provider_id"]) for row in tables["seen"])
    for mailbox_id, copies in held.items():
        if missing := sorted(max(names) for names in copies if not any(dealt[mailbox_id, one] for one in names)):
            more = f"{len(missing)} messages, such as {missing[:5]}"
            yield Finding("mail never looked at", f"{addresses[mailbox_id]} (mailbox {mailbox_id}): {more}")
    for key, times in dealt.items():
        if times > 1:
            yield Finding("mail looked at twice", f"{key}: {times} entries of the ledger")
    for row in tables["pending_fetch"]:
        kind = "mail given up" if row["dead_at"] else "mail still waits"
        yield Finding(kind, f"{addresses[row['mailbox_id']]}: {row['provider_id']}, {row['attempts']} attempts, {row}")


def _sightings(tables: Tables) -> dict[int, set[tuple[str, str]]]:
    boxes = tables.by_id("mailbox")
    found: dict[int, set[tuple[str, str]]] = defaultdict(set)
    for row in tables["sighting"]:
        found[row["touch_id"]].add((boxes[row["mailbox_id"]]["address"], row["provider_id"]))
    return found


def _partners(copy: Copy, roster: Roster) -> tuple[str, list[str]]:
    author = _addresses(copy, "From")
    if copy.folder == "sent" or any(one in roster.people for one in author):
        to = _addresses(copy, "To") + _addresses(copy, "Cc")
        return "outbound", list(dict.fromkeys(name for one in to if (name := _partner(one, roster))))
    return "inbound", [name for one in author if (name := _partner(one, roster))]


def _partner(address: str, roster: Roster) -> str | None:
    return None if address in roster.people else roster.domains.get(address.partition("@")[2])


def _addresses(copy: Copy, name: str) -> list[str]:
    return [address.lower() for _, address in getaddresses([copy.header(name)]) if address]


def _by_a_person(copy: Copy) -> bool:
    [author] = _addresses(copy, "From")
    automatic = copy.header("Auto-Submitted") not in ("", "no") or copy.header("Precedence") in ("bulk", "list")
    listed = bool(copy.header("List-Unsubscribe") or copy.header("List-Id"))
    return not (automatic or listed or author.partition("@")[0] in MACHINES)


def _shown(touch: Row) -> dict[str, Any]:
    names = ("id", "at", "captured_at", "direction", "verdict", "rule", "by_address", "matched", "clamped")
    return {name: str(touch[name]) for name in names}
