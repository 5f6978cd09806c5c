"""Every sentence about partners, once, as plain text: the terminal, Slack and direct messages say the same.

The partner is the subject and people are never ranked. Mark-up does not belong here: views `escape` these sentences.
Names that go into a sentence are made `plain` by it.
"""

import re
from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

from bot.literal import cut as cut
from bot.literal import escape as escape
from bot.literal import plain as plain
from models.cadence import State, Tier
from models.clock import local_day
from models.standing import ClaimFacts, Standing, Who
from models.weekly_read import Coverage, MailboxTrouble, Recovery, TierLine, WeeklyRead

NAME_LIMIT = 80
STEP_LIMIT = 300
NOT_SEEN = "not observed: no mailbox of its owner has synced lately"
NO_ANSWER = "was asked, has not answered"
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SLACK_USER = re.compile(r"[UW][A-Z0-9]{2,}")
STATE_WORDS = {
    State.ENDED: "ended",
    State.PAUSED: "paused",
    State.UNTIERED: "in no tier",
    State.NEW: "new",
    State.ON_PACE: "on pace",
    State.DUE_SOON: "due soon",
    State.BLIND: "could not be seen",
    State.OVERDUE: "overdue",
}


# Numbers, names and dates


def plural(count: int, one: str, many: str | None = None) -> str:
    """ "1 day", "4 days", "2 matches"."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def listed(names: Sequence[str], shown: int = 2) -> str:
    """ "Acme, Globex and 2 more". What is not shown is counted; a single name is shown rather than counted."""
    if len(names) <= shown + 1:
        return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return f"{', '.join(names[:shown])} and {len(names) - shown} more" if shown else plural(len(names), "partner")


def name(text: str) -> str:
    """A partner's or a person's name inside a sentence."""
    return plain(text, NAME_LIMIT) or "(no name)"


def mention(who: Who) -> str:
    """Mrkdwn, not plain text: a mention, which notifies. Somebody whom Slack does not know is named instead."""
    known = who.slack_user_id is not None and _SLACK_USER.fullmatch(who.slack_user_id)
    return f"<@{who.slack_user_id}>" if known else escape(name(who.name))


def on_day(day: date, today: date) -> str:
    """ "Mon 23 Nov", with the year when it is another one."""
    year = "" if day.year == today.year else f" {day.year}"
    return f"{_WEEKDAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}{year}"


def days_ago(days: int) -> str:
    return {0: "today", 1: "yesterday"}.get(days, f"{days} days ago")


def by_day(due_on: date, today: date) -> str:
    """ "by Thu 26 Nov"; once it is past, "was due Thu 26 Nov"."""
    if due_on < today:
        return f"was due {on_day(due_on, today)}"
    near = {0: "today", 1: "by tomorrow"}
    return near.get((due_on - today).days, f"by {on_day(due_on, today)}")


# One partner


def lateness(standing: Standing, today: date) -> str:
    """How its clock stands: "4 days overdue", "due today", "due by Thu 26 Nov", or its state in words."""
    due = standing.due_on
    if standing.state is State.OVERDUE:
        return f"{plural(standing.days_overdue, 'day')} overdue"
    if due is None or standing.state not in (State.DUE_SOON, State.ON_PACE, State.NEW):
        return STATE_WORDS[standing.state]
    if due < today:
        return f"due since {on_day(due, today)}, within its grace"
    return f"due {by_day(due, today)}"


def rhythm(standing: Standing) -> str:
    """ "12 days past its 7-day rhythm"; for whom is in time, the rhythm alone."""
    if standing.facts.tier is None:
        return "no rhythm set"
    target = rhythm_days(standing.facts.tier)
    late = standing.state is State.OVERDUE
    return f"{plural(standing.days_overdue, 'day')} past its {target}" if late else target


def rhythm_days(tier: Tier) -> str:
    return f"{tier.window_days}-day rhythm"


def last_touch(standing: Standing) -> str:
    if standing.days_since is None:
        return "never touched"
    author = standing.facts.last_touch_by
    return f"last touch {days_ago(standing.days_since)}" + (f" by {name(author)}" if author else "")


def last_heard(standing: Standing, today: date, zone: ZoneInfo) -> str:
    heard_at = standing.facts.last_heard_at
    return f"last heard {days_ago((today - local_day(heard_at, zone)).days)}" if heard_at else "never heard from"


def next_step(standing: Standing, today: date) -> str:
    step = standing.facts.next_step
    if step is None:
        return "no next step"
    due = f", {by_day(step.due_on, today)}" if step.due_on else ""
    return f"next step: {plain(step.text, STEP_LIMIT)}{due}" + (f" ({name(step.owner.name)})" if step.owner else "")


def owner(standing: Standing) -> str:
    return name(standing.facts.owner.name) if standing.facts.owner else "no owner"


def claimed(standing: Standing, today: date) -> str | None:
    """ "Dana Kim is on it, by Thu 26 Nov", or was asked; None while nobody is."""
    claim = standing.claim
    return f"{on_it(claim)}, {by_day(claim.due_on, today)}" if claim else None


def on_it(claim: ClaimFacts) -> str:
    return f"{name(claim.by.name)} {NO_ANSWER if claim.asked else 'is on it'}"


def blind(standing: Standing) -> str:
    """Why a partner could not be judged: a fact about mailboxes, no reproach."""
    facts = standing.facts
    if facts.owner is None:
        return f"{name(facts.name)} has no owner, so no mailbox shows its mail"
    return f"{name(facts.name)} could not be seen: no mailbox of {name(facts.owner.name)} has synced within 24 hours"


# Coverage


def percent(coverage: Coverage) -> int | None:
    """Whole per cent, rounded to the nearest; 100 only when all are covered and 0 only when none is."""
    if not coverage.eligible:
        return None
    nearest = (200 * coverage.covered + coverage.eligible) // (2 * coverage.eligible)
    return nearest if coverage.covered in (0, coverage.eligible) else min(max(nearest, 1), 99)


def counted(coverage: Coverage, what: str = "covered") -> str:
    """ "18 of 29 covered, 62 %"."""
    if not coverage.eligible:
        return "no eligible partners"
    return f"{coverage.covered} of {coverage.eligible}{' ' + what if what else ''}, {percent(coverage)} %"


def change(coverage: Coverage, previous: Coverage | None) -> str | None:
    """ "up 3 points": the difference of the two figures as they were shown. None where one of them is undefined."""
    now, before = percent(coverage), percent(previous) if previous else None
    if now is None or before is None:
        return None
    if now == before:
        return "unchanged"
    return f"{'up' if now > before else 'down'} {plural(abs(now - before), 'point')}"


def tier_line(line: TierLine) -> str:
    """ "Tier 1: 18 of 29 covered, 62 % (up 3 points since the last read)"."""
    moved = change(line.coverage, line.previous)
    return f"{name(line.tier.name)}: {counted(line.coverage)}" + (f" ({moved} since the last read)" if moved else "")


def reply_backed(line: TierLine) -> str:
    return counted(line.reply_backed, "backed by a reply")


def outside(paused: int, new: int, untiered: int, blind: int) -> str | None:
    """Who does not count in coverage, as numbers; None when everybody does."""
    counts = {"paused": paused, "new": new, "in no tier": untiered, "could not be seen": blind}
    said = [f"{count} {what}" for what, count in counts.items() if count]
    return f"Not counted: {', '.join(said)}" if said else None


# The weekly read


def title(read: WeeklyRead) -> str:
    return f"Weekly read, {on_day(read.today, read.today)} {read.today.year}"


def summary(read: WeeklyRead) -> str:
    """The first sentence: coverage of every tier with both numbers and the change since the last read."""
    parts: list[str] = []
    for line in read.tiers:
        moved = change(line.coverage, line.previous)
        first = not any("since the last read" in part for part in parts)
        note = f" ({moved}{' since the last read' if first else ''})" if moved else ""
        parts.append(f"{name(line.tier.name)}: {counted(line.coverage, '' if parts else 'covered')}{note}")
    return f"{'; '.join(parts)}." if parts else "No tiers are set yet."


def headline(read: WeeklyRead, shown: int = 2) -> str:
    """The notification: which partners need a touch, or that none does."""
    if not read.overdue:
        return nothing_to_recover(read)
    names = [name(one.facts.name) for one in read.overdue]
    needs = "partner needs" if len(names) == 1 else "partners need"
    return f"{len(names)} {needs} a touch: {listed(names, shown)}."


def nothing_to_recover(read: WeeklyRead) -> str:
    """The one line of a good week. It claims nothing about partners that could not be seen."""
    if not read.overall.eligible:
        return "There is nothing to recover: no eligible partners yet."
    seen = "Every partner that could be seen" if read.blind else "Every partner"
    if not read.due_soon:
        return f"{seen} is in rhythm."
    first = read.due_soon[0]
    return f"{seen} is in rhythm. Next up: {name(first.facts.name)}, {lateness(first, read.today)}."


def sentence(text: str) -> str:
    """With a capital and a full stop. An address or a domain at its beginning stays as it is."""
    first = text.partition(" ")[0]
    whole = text if "@" in first or "." in first else f"{text[:1].upper()}{text[1:]}"
    return whole if whole.endswith((".", "!", "?")) else f"{whole}."


ALL_ASSIGNED = "Every slipped partner has a name beside it"


def progress(read: WeeklyRead, settled: int = 0) -> str | None:
    """ "7 of 11 assigned"; None when there is nothing to assign. Partners `settled` since need nobody any more."""
    if not read.overdue:
        return None
    if read.unassigned <= settled:
        return ALL_ASSIGNED
    return f"{read.assigned + settled} of {len(read.overdue)} assigned"


def due_soon_line(read: WeeklyRead, shown: int = 6) -> str | None:
    said = [f"{name(one.facts.name)} ({lateness(one, read.today).removeprefix('due ')})" for one in read.due_soon]
    return f"Due soon: {listed(said, shown)}" if said else None


def reply_owed_line(read: WeeklyRead, shown: int = 6) -> str | None:
    """Everybody whom `owed` lists: who is not overdue by name, and how many of the overdue, whose rows say it."""
    said = [name(one.facts.name) for one in read.reply_owed]
    those = beside_overdue(said, sum(one.reply_owed for one in read.overdue), shown)
    return f"Waiting for our reply: {those}" if those else None


def beside_overdue(names: Sequence[str], overdue: int, shown: int) -> str | None:
    """ "Globex and Hooli; also 3 of the overdue"."""
    if not overdue:
        return listed(names, shown) if names else None
    return f"{listed(names, shown)}; also {overdue} of the overdue" if names else f"{overdue} of the overdue"


def blind_line(read: WeeklyRead, shown: int = 6) -> str | None:
    return unseen([one.facts.name for one in read.blind], shown)


def unseen(partners: Sequence[str], shown: int = 6) -> str | None:
    """Who could not be judged, and what would help."""
    said = [name(one) for one in partners]
    if not said:
        return None
    return f"Could not be seen: {listed(said, shown)}. No mailbox of the owner has synced within 24 hours"


def trouble(one: MailboxTrouble) -> str:
    detail = f" ({plain(one.detail, STEP_LIMIT)})" if one.detail else ""
    return f"The mailbox {plain(one.address, NAME_LIMIT)} needs attention: {plain(one.status, NAME_LIMIT)}{detail}"


def recovery(one: Recovery) -> str:
    """What became of a slipped partner since the last read: told once, without totals."""
    partner = name(one.partner)
    took = "" if one.days is None else f" after {plural(one.days, 'day')}" if one.days else " on the same day"
    said = {
        "recovered": f"is back in rhythm{took}" + (f", touch by {name(one.by)}" if one.by else ""),
        "claimed": f"is in good hands with {name(one.by)}" if one.by else "is in good hands",
        "asked": "still waits for a recovery touch"
        + (f": {name(one.by)} was asked, has not answered" if one.by else ""),
        "lapsed": "is open again: the day for its recovery touch has passed",
        "open": "still waits for a recovery touch",
        "late_evidence": "was never overdue: an earlier touch came to light",
        "shutdown": "was never overdue: all was shut on those days, as was entered since",
        "paused": "is paused",
        "ended": "has ended",
        "re_tiered": f"has moved to {name(one.tier)}" if one.tier else "has changed its tier",
        "merged": "was merged into another partner",
        "voided": "is open again: the touch that closed it did not hold",
    }
    return f"{partner} {said.get(one.outcome, plain(one.outcome, NAME_LIMIT))}"
