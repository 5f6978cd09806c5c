"""`cadence partner NAME` and `cadence why NAME`: one record, and the evidence behind its clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import click

from bot import evidence, signal_words, wording
from bot.cli.common import Desk, as_of_option, json_option, pass_desk, the_partner
from bot.cli.reports import clock_time, standing_record, touch_record, when
from bot.cli.show import as_json, as_pairs, as_table, heading, say, tell
from models.clock import local_day
from models.queries.mail import PartnerRecord, TouchFacts, partner_record, touches
from models.queries.programme import Programme
from models.queries.quiet import silence_of
from models.queries.standings import standings
from models.rhythm import Silence
from models.standing import Standing, shut_days

ON_RECORD = 5


@dataclass(frozen=True, slots=True)
class Found:
    now: datetime
    standing: Standing
    record: PartnerRecord
    touches: Sequence[TouchFacts]
    silence: Silence | None


@click.command()
@click.argument("name")
@json_option
@as_of_option
@pass_desk
def partner(desk: Desk, name: str, form: str | None, as_of: date | None) -> None:
    """The record of the partner called NAME; a typing error is forgiven."""
    found = _find(desk, name, as_of, ON_RECORD)
    if form == "json":
        as_json(_record(found, desk.programme))
        return
    standing, facts, today = found.standing, found.standing.facts, local_day(found.now, desk.programme.zone)
    shut = signal_words.not_counted(standing, desk.programme.zone, desk.programme.shutdowns)
    pairs = [
        ("Tier", f"{facts.tier.name}, {wording.rhythm(standing)}" if facts.tier else "none"),
        ("Owner", f"{facts.owner.name} <{facts.owner.email}>" if facts.owner else "none"),
        ("Standing", wording.lateness(standing, today) + (f", {wording.NOT_SEEN}" if standing.unobserved else "")),
        ("Last touch", wording.last_touch(standing).removeprefix("last touch ")),
        ("Last heard", wording.last_heard(standing, today, desk.programme.zone).removeprefix("last heard ")),
        ("Next step", wording.next_step(standing, today).removeprefix("next step: ")),
        ("Domains", ", ".join(found.record.domains) or "none"),
        ("Contacts", ", ".join(found.record.contacts) or "none"),
    ]
    if facts.episode:
        opened = wording.on_day(local_day(facts.episode.opened_at, desk.programme.zone), today)
        pairs.append(
            ("Recovery", f"open since {opened}, {wording.claimed(standing, today) or 'nobody has taken it yet'}")
        )
    if standing.reply_owed:
        pairs.append(("Reply", "they wrote last and wait for ours"))
    if standing.step_stale:
        pairs.append(("Gone stale", f"its next step: {signal_words.stale_step(standing, today, desk.programme.zone)}"))
    if found.silence:
        pairs.append(("Writes", signal_words.writing(found.silence)))
    if standing.due_on and shut:
        pairs.append(("Shut", f"due {wording.on_day(standing.due_on, today)}: {shut}"))
    if found.record.pause_reason:
        pairs.append(("Paused", found.record.pause_reason))
    as_pairs(desk, facts.name, pairs)
    if found.touches:
        say()
        heading(desk, "Last mails")
        as_table(desk, ["When", "", "By", "Counts"], [_line(desk, one) for one in found.touches])


@click.command()
@click.argument("name")
@json_option
@as_of_option
@pass_desk
def why(desk: Desk, name: str, form: str | None, as_of: date | None) -> None:
    """Why the clock of the partner called NAME stands where it stands, mail by mail."""
    found = _find(desk, name, as_of, None)
    last = next((one for one in found.touches if one.counts), None)
    every = [one for one in found.touches if not one.counts]
    others = every[: evidence.CANDIDATES]
    policy = desk.programme.policy
    if form == "json":
        candidates = [{**_evidence(one), "reason": evidence.why_not(one, policy)} for one in others]
        as_json(
            {
                "as_of": found.now,
                "policy": str(policy),
                **standing_record(found.standing),
                "state": str(found.standing.state),
                "last_touch": _evidence(last) if last else None,
                "did_not_count": candidates,
            }
        )
        return
    today = local_day(found.now, desk.programme.zone)
    name = wording.name(found.standing.facts.name)
    heading(desk, f"{name} {when(desk, found.now)}: {wording.lateness(found.standing, today)}")
    if found.standing.due_on:
        shut = signal_words.not_counted(found.standing, desk.programme.zone, desk.programme.shutdowns)
        due = wording.on_day(found.standing.due_on, today) + (f" ({shut})" if shut else "")
        tell(desk, f"{_clock(found.standing, today)}, which makes it due on {due}.")
    say()
    if last is None:
        tell(desk, "No mail has moved its clock.")
    else:
        as_pairs(desk, "The last touch", _pairs(desk, last))
    if others:
        say()
        heading(desk, "Newest mail that did not count")
        rows = [[clock_time(desk, one.at), one.by, evidence.why_not(one, policy), one.rule] for one in others]
        as_table(desk, ["When", "By", "Why not", "Rule"], rows)
        if len(every) > len(others):
            tell(desk, f"And {wording.plural(len(every) - len(others), 'older mail')} that did not count.")
    say()
    tell(desk, evidence.UNRECORDED)


def _find(desk: Desk, typed: str, as_of: date | None, limit: int | None) -> Found:
    now, programme = desk.at(as_of), desk.programme
    with desk.reading() as session:
        partner_id = the_partner(session, programme, typed, now).id
        [standing] = standings(session, programme, now, partner_ids=[partner_id])
        record = partner_record(session, partner_id)
        mails = touches(session, programme, now, partner_id=partner_id, limit=limit)
        return Found(now, standing, record, mails, silence_of(session, programme, now, standing))


def _record(found: Found, programme: Programme) -> dict[str, Any]:
    standing, facts, silence = found.standing, found.standing.facts, found.silence
    shut = shut_days(standing, programme.zone, programme.shutdowns)
    episode, claim, step = facts.episode, standing.claim, facts.next_step
    return {
        **standing_record(standing),
        "as_of": found.now,
        "state": str(standing.state),
        "status": str(facts.status),
        "paused_until": facts.paused_until,
        "pause_reason": found.record.pause_reason,
        "cadence_start_on": facts.cadence_start_on,
        "reply_backed": standing.reply_backed,
        "reply_owed": standing.reply_owed,
        "next_step_stale": standing.step_stale,
        "silence": {
            "usual_days": silence.usual_days,
            "silent_days": silence.silent_days,
            "chance": silence.chance,
            "stays_silent": silence.stays_silent,
            "words": silence.words,
        }
        if silence
        else None,
        "shutdowns": [{"reason": one.reason, "days": days} for one, days in shut],
        "external_id": found.record.external_id,
        "domains": found.record.domains,
        "contacts": found.record.contacts,
        "next_step_owner": step.owner.name if step and step.owner else None,
        "episode": {
            "opened_at": episode.opened_at,
            "claimed_by": claim.by.name if claim else None,
            "claimed_at": claim.at if claim else None,
            "claim_due_on": claim.due_on if claim else None,
        }
        if episode
        else None,
        "touches": [touch_record(one) for one in found.touches],
    }


def _evidence(touch: TouchFacts) -> dict[str, Any]:
    return {
        **touch_record(touch),
        "matched_by": touch.matched_by,
        "field": touch.field,
        "captured_at": touch.captured_at,
        "clamped": touch.clamped,
        "voided": touch.void_reason,
    }


def _clock(standing: Standing, today: date) -> str:
    facts = standing.facts
    window = f"a window of {wording.plural(facts.tier.window_days, 'day')}" if facts.tier else "no window"
    if standing.days_since is None:
        return f"Never touched, and {window} since {wording.on_day(facts.cadence_start_on, today)}"
    return f"Last touched {wording.days_ago(standing.days_since)}, with {window}"


def _pairs(desk: Desk, touch: TouchFacts) -> list[tuple[str, str]]:
    at = clock_time(desk, touch.at)
    field = {"from": "From", "to": "To", "cc": "Cc", "bcc": "Bcc"}.get(touch.field, touch.field)
    return [
        ("When", at + (f" ({evidence.IN_FUTURE})" if touch.clamped else "")),
        ("Who", f"{touch.by}, {touch.direction}"),
        ("Matched", f"{touch.matched} in {field}, by {touch.matched_by}"),
        ("Verdict", f"{touch.verdict}: {touch.rule}{_in_words(touch)}"),
        ("Message-ID", touch.message_id or "none"),
        ("Mailboxes", ", ".join(touch.mailboxes) or "none any more"),
        ("Captured", clock_time(desk, touch.captured_at)),
    ]


def _in_words(touch: TouchFacts) -> str:
    words = evidence.rule_words(touch)
    return f" ({words})" if words else ""


def _line(desk: Desk, touch: TouchFacts) -> list[str]:
    arrow = "to them" if touch.direction == "outbound" else "from them"
    return [
        clock_time(desk, touch.at),
        arrow,
        touch.by,
        "yes" if touch.counts else evidence.why_not(touch, desk.programme.policy),
    ]
