"""`cadence overdue` and `cadence touches`: lists, from the same facts as the Slack messages."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import click

from bot import evidence, wording
from bot.cli.common import Desk, pass_desk, report_options, the_partner
from bot.cli.show import as_csv, as_json, as_table, heading, tell
from models.cadence import State
from models.clock import local_day
from models.queries.mail import TouchFacts
from models.queries.mail import touches as stored_touches
from models.queries.reads import troubles
from models.queries.standings import standings
from models.standing import Standing, sort_key
from models.weekly_read import MailboxTrouble

OVERDUE = (
    *("partner", "tier", "owner", "owner_email", "last_touch_at", "last_touch_by", "last_heard_at", "days_since"),
    *("window_days", "due_on", "days_overdue", "next_step", "next_step_due_on", "claimed_by", "claim_due_on"),
    "unobserved",
)
TOUCHES = (
    *("partner", "at", "direction", "counts", "verdict", "rule", "by", "matched", "message_id", "mailboxes"),
    *("field", "clamped", "void_reason"),
)


STEP_SHOWN = 60
BLIND_SHOWN = 20


@click.command()
@report_options
@pass_desk
def overdue(desk: Desk, form: str | None, as_of: date | None) -> None:
    """Partners that nobody has written to in time, most urgent first."""
    now, programme = desk.at(as_of), desk.programme
    with desk.reading() as session:
        lines = standings(session, programme, now)
        troubled = troubles(session, programme, now)
    late = sorted((one for one in lines if one.state is State.OVERDUE), key=sort_key)
    if form == "json":
        as_json([standing_record(one) for one in late])
    elif form == "csv":
        as_csv(OVERDUE, [standing_record(one) for one in late])
    else:
        heading(desk, f"{wording.plural(len(late), 'partner')} overdue {when(desk, now)}")
        if late:
            overdue_table(desk, late, local_day(now, programme.zone))
        counts = {state: sum(one.state is state for one in lines) for state in State}
        outside = wording.outside(counts[State.PAUSED], counts[State.NEW], counts[State.UNTIERED], counts[State.BLIND])
        if outside:
            tell(desk, f"{outside}.")
        tell_unseen(desk, sorted((one for one in lines if one.state is State.BLIND), key=sort_key), troubled)


@click.command()
@click.option("--partner", "typed", metavar="NAME", help="Only those of this partner.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the newest ones.")
@report_options
@pass_desk
def touches(desk: Desk, typed: str | None, limit: int | None, form: str | None, as_of: date | None) -> None:
    """Captured mail with partners, newest first; also what does not count, with the rule that said so."""
    now, programme = desk.at(as_of), desk.programme
    with desk.reading() as session:
        partner_id = the_partner(session, programme, typed, now).id if typed is not None else None
        found = stored_touches(session, programme, now, partner_id=partner_id, limit=limit)
    if form == "json":
        as_json([touch_record(one) for one in found])
    elif form == "csv":
        as_csv(TOUCHES, [touch_record(one) for one in found])
    elif not found:
        tell(desk, "No mail with a partner was captured.")
    else:
        rows = [
            [
                clock_time(desk, one.at),
                one.partner,
                one.direction,
                "yes" if one.counts else "no",
                one.by,
                _why(desk, one),
            ]
            for one in found
        ]
        as_table(desk, ["When", "Partner", "Direction", "Counts", "By", "Because"], rows)


def tell_unseen(desk: Desk, blind: Sequence[Standing], troubled: Sequence[MailboxTrouble]) -> None:
    """What a list cannot know: partners without a mailbox that shows their mail, mailboxes that need attention."""
    named = wording.unseen([one.facts.name for one in blind], BLIND_SHOWN)
    if named:
        tell(desk, f"{named}.")
    for one in troubled:
        tell(desk, f"{wording.trouble(one)}.")


def standing_record(one: Standing) -> dict[str, Any]:
    """A standing under the keys that stay stable."""
    facts, claim, step = one.facts, one.claim, one.facts.next_step
    return {
        "partner": facts.name,
        "tier": facts.tier.name if facts.tier else None,
        "owner": facts.owner.name if facts.owner else None,
        "owner_email": facts.owner.email if facts.owner else None,
        "last_touch_at": facts.last_touch_at,
        "last_touch_by": facts.last_touch_by,
        "last_heard_at": facts.last_heard_at,
        "days_since": one.days_since,
        "window_days": facts.tier.window_days if facts.tier else None,
        "due_on": one.due_on,
        "days_overdue": one.days_overdue,
        "next_step": step.text if step else None,
        "next_step_due_on": step.due_on if step else None,
        "claimed_by": claim.by.name if claim else None,
        "claim_due_on": claim.due_on if claim else None,
        "unobserved": one.unobserved,
    }


def touch_record(one: TouchFacts) -> dict[str, Any]:
    return {column: getattr(one, column) for column in TOUCHES}


def overdue_table(desk: Desk, late: list[Standing], today: date) -> None:
    """The list for people: 40 days are 1.3 windows to one tier and 5.7 to another, so the window stands beside them."""
    rows = []
    for one in late:
        facts = one.facts
        touched = (
            f"{wording.days_ago(one.days_since)}, {facts.last_touch_by}" if one.days_since is not None else "never"
        )
        claimed = wording.claimed(one, today)
        step = wording.plain(wording.next_step(one, today).removeprefix("next step: "), STEP_SHOWN)
        rows.append(
            [
                facts.name + (" (not observed)" if one.unobserved else ""),
                facts.tier.name if facts.tier else "",
                wording.plural(one.days_overdue, "day"),
                str(facts.tier.window_days) if facts.tier else "",
                touched,
                wording.owner(one),
                f"{claimed}; {step}" if claimed else step,
            ]
        )
    as_table(desk, ["Partner", "Tier", "Overdue", "Window", "Last touch", "Owner", "Next"], rows, right=[2, 3])


def when(desk: Desk, now: datetime) -> str:
    """ "on Mon 23 Nov 2026 at 09:05 (Europe/London)"."""
    zone = desk.programme.zone
    day = local_day(now, zone)
    return f"on {wording.on_day(day, day)} {day.year} at {now.astimezone(zone):%H:%M} ({zone.key})"


def clock_time(desk: Desk, at: datetime) -> str:
    """The local minute, sortable."""
    return f"{at.astimezone(desk.programme.zone):%Y-%m-%d %H:%M}"


def _why(desk: Desk, one: TouchFacts) -> str:
    if one.void_reason:
        return f"taken back: {one.void_reason}"
    if one.verdict == "human" and not one.counts:  # the verdict speaks for it, so something else does not
        return evidence.why_not(one, desk.programme.policy)
    return f"{one.verdict}: {one.rule}" + (f"; {evidence.IN_FUTURE}" if one.clamped else "")
