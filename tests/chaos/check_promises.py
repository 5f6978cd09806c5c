"""Every claim has one holder, and every change its audit entry: the audit is replayed and compared with the tables."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from tests.chaos.findings import Finding
from tests.chaos.rows import Row, Tables
from tests.chaos.truth import Truth

ENDS = {  # what the audit calls it → what the claim does
    "release": "released",
    "decline claim": "declined",
    "lapse claim": "lapsed",
    "reassign claim": "reassigned",
    "return claim": "left",
}


def claims(tables: Tables, truth: Truth) -> Iterator[Finding]:
    episodes = tables.by_id("episode")
    open_now: dict[int, list[Row]] = defaultdict(list)
    for episode in tables["episode"]:
        if episode["closed_at"] is None:
            open_now[episode["partner_id"]].append(episode)
    for partner_id, several in open_now.items():
        if len(several) > 1:
            yield Finding(
                "episode doubled", f"partner {partner_id}: episodes {[one['id'] for one in several]} are open"
            )
    held: dict[int, list[Row]] = defaultdict(list)
    for claim in tables["claim"]:
        if claim["ended_at"] is None:
            held[claim["episode_id"]].append(claim)
    for episode_id, several in held.items():
        if len(several) > 1:
            yield Finding("claim with two holders", f"episode {episode_id}: {several}")
        if episodes[episode_id]["closed_at"] is not None:
            yield Finding("claim on what is closed", f"episode {episode_id}: {several}")
    yield from _replayed(tables)
    yield from _pressed(tables, truth)


def _replayed(tables: Tables) -> Iterator[Finding]:
    """The audit from its first entry to its last: never two holders at once, and the holders of now at its end."""
    holder: dict[int, str] = {}
    for entry in sorted(tables["audit_entry"], key=lambda row: int(row["id"])):
        kind, _, number = entry["subject"].partition(":")
        if kind != "partner":
            continue
        partner_id, action = int(number), entry["action"]
        if action == "claim":
            if partner_id in holder:
                yield Finding("claimed over somebody", f"partner {partner_id} was {holder[partner_id]}'s: {entry}")
            holder[partner_id] = entry["after"]["by"]
        elif action in ENDS:
            if holder.get(partner_id) != entry["before"]["by"]:
                yield Finding("ended what was not held", f"partner {partner_id}, {holder.get(partner_id)}: {entry}")
            holder.pop(partner_id, None)
        elif action == "close episode":
            holder.pop(partner_id, None)
    episodes = tables.by_id("episode")
    now = {
        episodes[row["episode_id"]]["partner_id"]: f"person:{row['person_id']}"
        for row in tables["claim"]
        if row["ended_at"] is None
    }
    for partner_id in sorted(now.keys() | holder.keys()):
        if now.get(partner_id) != holder.get(partner_id):
            said = f"partner {partner_id}: the table says {now.get(partner_id)}, the audit {holder.get(partner_id)}"
            yield Finding("holder differs from audit", said)


def _pressed(tables: Tables, truth: Truth) -> Iterator[Finding]:
    """Nobody holds more claims than the person has asked for, however often a click was delivered."""
    people, episodes, teams = tables.by_id("person"), tables.by_id("episode"), tables.teams()
    pressed = Counter((teams[one.team]["id"], one.user, one.partner_id) for one in truth.presses)
    taken: Counter[tuple[int, str, int]] = Counter()
    for row in tables["claim"]:
        if row["assigned_by_id"] is None:
            person, episode = people[row["person_id"]], episodes[row["episode_id"]]
            taken[row["workspace_id"], person["slack_user_id"], episode["partner_id"]] += 1
    for key, times in taken.items():
        if times > pressed[key]:
            yield Finding("claim nobody pressed", f"{key}: {times} claims, {pressed[key]} presses")


def next_steps(tables: Tables, truth: Truth) -> Iterator[Finding]:
    teams = tables.teams()
    stored = Counter((row["workspace_id"], row["partner_id"], row["text"]) for row in tables["next_step"])
    asked: set[tuple[int, int, str]] = set()
    for one in truth.agreed:
        key = (int(teams[one.team]["id"]), one.partner_id, one.text)
        asked.add(key)
        if stored[key] > 1 or (one.certain and not stored[key]):
            kind = "next step doubled" if stored[key] else "next step lost"
            rows = [row for row in tables["next_step"] if row["text"] == one.text]
            shown = [(row["id"], f"{row['set_at']}", row["set_by_id"], row["end_reason"]) for row in rows]
            yield Finding(kind, f"{key}: rows {shown}")
    for key in stored.keys() - asked:
        yield Finding("next step invented", str(key))
    current = Counter(row["partner_id"] for row in tables["next_step"] if row["ended_at"] is None)
    for partner_id, times in current.items():
        if times > 1:
            yield Finding("two next steps at once", f"partner {partner_id}: {times}")


def audited(tables: Tables) -> Iterator[Finding]:
    """Each kind of change, counted in its table and in the audit."""
    episodes = tables.by_id("episode")

    def partner(row: Row) -> str:
        return f"partner:{row['partner_id']}"

    def claimed(row: Row) -> str:
        return f"partner:{episodes[row['episode_id']]['partner_id']}"

    def itself(kind: str) -> Callable[[Row], str]:
        return lambda row: f"{kind}:{row['id']}"

    def every(_: Row) -> bool:
        return True

    reopened = Counter(row["subject"] for row in tables["audit_entry"] if row["action"] == "reopen episode")
    changes: list[tuple[str, str, Callable[[Row], bool], Callable[[Row], str]]] = [
        ("hold read", "read", every, itself("read")),
        ("open episode", "episode", every, partner),
        ("claim", "claim", every, claimed),
        ("set next step", "next_step", every, partner),
        ("finish next step", "next_step", lambda row: row["end_reason"] == "done", partner),
        ("void touch", "touch", lambda row: row["voided_at"] is not None, itself("touch")),
        ("add partner", "partner", every, itself("partner")),
        *((action, "claim", _ended(reason), claimed) for action, reason in ENDS.items()),
    ]
    entries = Counter((row["action"], row["subject"]) for row in tables["audit_entry"])
    for action, table, counts, subject in changes:
        made = Counter(subject(row) for row in tables[table] if counts(row))
        told = Counter({about: number for (name, about), number in entries.items() if name == action})
        for about in sorted(made.keys() | told.keys()):
            if made[about] != told[about]:
                said = f"'{action}' of {about}: {made[about]} times in {table}, {told[about]} times in the audit"
                yield Finding("change without its audit" if made[about] > told[about] else "audit without change", said)
    closed = Counter(partner(row) for row in tables["episode"] if row["closed_at"] is not None)
    for about, number in (closed + reopened).items():
        if entries["close episode", about] != number:
            said = f"'close episode' of {about}: {number} times, {entries['close episode', about]} in the audit"
            yield Finding("change without its audit", said)
    for row in tables["mailbox"]:
        if not entries["connect mailbox", f"mailbox:{row['id']}"]:
            yield Finding("change without its audit", f"mailbox {row['id']} was connected by nobody")
    for row in tables["person"]:
        if not entries["add person", f"person:{row['id']}"]:
            yield Finding("change without its audit", f"person {row['id']} was added by nobody")


def _ended(reason: str) -> Callable[[Row], bool]:
    def check(row: dict[str, Any]) -> bool:
        return bool(row["end_reason"] == reason)

    return check
