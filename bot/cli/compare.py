"""`cadence read --compare`: a held read beside what was known then and is known now. It has the words, no figures."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from bot import wording
from bot.cli.common import Desk, Failure
from bot.cli.reports import when
from bot.cli.show import as_json, heading, tell
from models.clock import local_day, week_of
from models.queries.late_evidence import Because
from models.queries.snapshots import Difference, ReadCheck, Stood, held_weeks, read_check
from models.weekly_read import Coverage

FIELDS = {
    "tier_rank": "tier",
    "window_days": "window",
    "grace_days": "grace",
    "owner": "owner",
    "last_touch_at": "last touch",
    "due_on": "due day",
    "days_overdue": "days overdue",
    "reply_backed": "backed by a reply",
    "reply_owed": "reply owed",
    "unobserved": "not observed",
}


def compare(desk: Desk, day: date, form: str | None) -> None:
    """The read that was held in the week of `day`."""
    with desk.reading() as session:
        weeks = held_weeks(session, desk.programme.workspace_id)
        if not weeks:
            raise Failure("no read has been held yet: `cadence read --post` holds the first one")
        week = week_of(_day(day, desk))
        found = read_check(session, desk.programme, week)
    if found is None:
        raise Failure(f"no read was held in the week of {week}: the newest one is of the week of {weeks[0]}")
    desk.at(found.at)  # without the touches of then, everything would differ
    if form == "json":
        as_json(_record(found))
    else:
        _tell(desk, found)


def _day(day: date, desk: Desk) -> date:
    return local_day(desk.at(day), desk.programme.zone) if isinstance(day, datetime) else day


def _tell(desk: Desk, found: ReadCheck) -> None:
    zone, today = ZoneInfo(found.zone_key), local_day(found.at, ZoneInfo(found.zone_key))
    heading(desk, f"The read held {when(desk, found.at)}, {wording.plural(found.partners, 'partner')}")
    if not found.unproven:
        tell(desk, "Computed anew from what was known then it is the same, partner by partner.")
    else:
        same = found.partners - len(found.unproven)
        tell(
            desk,
            f"Computed anew from what was known then, {same} of {wording.plural(found.partners, 'line')} are the same. "
            "Of the others an older state of some fact was not kept:",
        )
        for one in found.unproven:
            tell(desk, f"· {_sentence(one, zone, today, 'is found to be')}")
    if not found.changed:
        tell(desk, "With what is known today it would be the same.")
    else:
        stood = wording.plural(len(found.changed), "partner")
        tell(desk, f"With what is known today, {stood} would have stood otherwise:")
        for one in found.changed:
            tell(desk, f"· {_sentence(one, zone, today, 'would be')}")
        for rank, (was, now) in found.coverage.items():
            if was != now:
                tell(desk, f"Coverage of tier {rank}: the read said {_both(was)}; it would be {_both(now)}.")
    if found.policy is not found.policy_now:
        tell(desk, f"The read counted by the policy {found.policy}, and so does this; today's is {found.policy_now}.")


def _sentence(one: Difference, zone: ZoneInfo, today: date, would: str) -> str:
    reasons = "; ".join(dict.fromkeys(reason(why, zone, today) for why in one.because))
    return f"{wording.name(one.partner)}: {reasons or 'why is not on record'}: {_change(one, zone, today, would)}."


def reason(why: Because, zone: ZoneInfo, today: date) -> str:
    """ "a mail of Thu 12 Nov was captured on Tue 24 Nov (imported)"."""

    def day(at: datetime | None) -> str:
        return wording.on_day(local_day(at, zone), today) if at is not None else "an unknown day"

    mail = f"{'a mail from them' if why.direction == 'inbound' else 'a mail'} of {day(why.mail_at)}"
    detail = wording.plain(why.detail or "", 120)
    return {
        "captured": f"{mail} was captured on {day(why.at)}{' (imported)' if why.imported else ''}",
        "taken_back": f"{mail} was taken back on {day(why.at)} ({detail})",
        "judged_again": f"{mail} is no longer taken for a person's ({detail})",
        "gone": f"the mail of {day(why.mail_at)} behind it is no longer stored",
        "stands_again": f"{mail}, captured before, did not count then and does now",
        "merged": f"merged into {wording.name(detail)} on {day(why.at)}",
        "took_in": f"{wording.name(detail)} was merged into it on {day(why.at)}",
        "start": f"its cadence starts on {detail} since {day(why.at)}",
        "seen": f"the mail of {wording.name(detail)} could not be seen then and has been read since",
        "shutdown": f"{detail} on {day(why.at)} (shutdown)",
    }[why.kind]


def _change(one: Difference, zone: ZoneInfo, today: date, would: str) -> str:
    was, now = one.was, one.would_be
    if was is None:
        return "it had no line"
    if now is None:
        return "it would have no line"
    if was.state is not now.state:
        return f"was {wording.STATE_WORDS[was.state]}, {would} {wording.STATE_WORDS[now.state]}"
    changed = [
        f"{FIELDS[name]} {_value(was, name, zone, today)} → {_value(now, name, zone, today)}" for name in one.changes
    ]
    return f"{wording.STATE_WORDS[was.state]} all the same, with {', '.join(changed)}"


def _value(stood: Stood, field: str, zone: ZoneInfo, today: date) -> str:
    value = getattr(stood, field)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{wording.on_day(local_day(value, zone), today)} {value.astimezone(zone):%H:%M}"
    if isinstance(value, date):
        return wording.on_day(value, today)
    return "none" if value is None else wording.plain(str(value))


def _both(coverage: Coverage) -> str:
    return wording.counted(coverage) if coverage.eligible else "nothing eligible"


def _record(found: ReadCheck) -> dict[str, Any]:
    return {
        "week": found.week,
        "held_at": found.at,
        "policy": found.policy,
        "policy_now": found.policy_now,
        "timezone": found.zone_key,
        "partners": found.partners,
        "same_from_what_was_known_then": not found.unproven,
        "same_from_what_is_known_now": not found.changed,
        "not_proven": [_difference(one) for one in found.unproven],
        "changed": [_difference(one) for one in found.changed],
        "tiers": [
            {
                "rank": rank,
                "covered": was.covered,
                "eligible": was.eligible,
                "would_be_covered": now.covered,
                "would_be_eligible": now.eligible,
            }
            for rank, (was, now) in found.coverage.items()
        ],
    }


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "partner": one.partner,
        "was": asdict(one.was) if one.was else None,
        "would_be": asdict(one.would_be) if one.would_be else None,
        "changes": one.changes,
        "because": [asdict(why) for why in one.because],
    }
