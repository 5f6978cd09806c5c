"""How the figures of the leader's page come about, in plain words, with the windows and rules that were in force."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from bot import wording
from bot.report.markup import Html, element, outside
from bot.report.tables import TIER_ROOM, table
from models.cadence import REPLY_DAYS, Policy, Shutdown, soon_days
from models.clock import local_day
from models.queries.quarter import Quarter
from models.weeks import ON_TIME_WEEKS

POLICIES = {
    Policy.OUTBOUND: "each mail that one of our people wrote to it, with a contact of the partner in To or Cc",
    Policy.TWO_WAY: "each mail that one of our people wrote to it and that the partner answered",
    Policy.ANY: "each mail between one of our people and the partner, in either direction",
}
_RULES = (
    (
        "Covered",
        "The last touch is no older than the window of the tier and its days of grace. The due day itself is in time.",
    ),
    (
        "Eligible",
        "All partners but the new, the paused, the ended, those in no tier and those that could not be seen. "
        "Where nobody is eligible there is no figure: neither 0 nor 100 %.",
    ),
    (
        "Backed by a reply",
        f"Of the eligible partners, those that answered the last touch within {REPLY_DAYS} days or wrote to us within "
        "the window. It tells mail that lands from mail that is only sent.",
    ),
    (
        "Windows kept, or on time",
        f"Of the cadence windows that ended in the {ON_TIME_WEEKS} weeks before the read, those closed by a touch in "
        "time. Much mail on one day closes no window of the weeks before.",
    ),
    (
        "Recoveries",
        "Opened: a partner was found overdue. Claimed: somebody took on a recovery touch; whoever was asked by a lead "
        "did so by saying yes. Recovered: a touch was captured after that day, by whomever. Lapsed: the promised day "
        "passed, and the partner is open again. Days run from opening to recovery. They are counted per tier, never "
        "per person.",
    ),
    (
        "Change",
        "The difference of two figures as they were shown, in points of a hundred.",
    ),
)


def method(found: Quarter, zone: ZoneInfo) -> Html:
    rules = [part for term, words in _RULES for part in (element("dt", term), element("dd", words))]
    return element(
        "section",
        element("h2", "How this is counted", id="method-title"),
        element(
            "dl",
            element("dt", "Touch"),
            element(
                "dd",
                "One mail that a person wrote, shown by its headers; texts are never read. Automatic replies, bounces, "
                f"invitations and newsletters are none. A partner's clock begins anew with {POLICIES[found.policy]}.",
                id="policy",
            ),
            element("dt", "Days"),
            element("dd", f"Calendar days in {zone.key}. The time of the mail counts, never that of its capture."),
            *rules,
            element("dt", "Where the figures come from"),
            *(element("dd", one) for one in _sources(found)),
            element("dt", "Shutdowns"),
            *_shutdowns(found.shutdowns, local_day(found.at, zone)),
        ),
        _windows(found),
        id="method",
        aria_labelledby="method-title",
    )


def day(at: datetime, zone: ZoneInfo) -> str:
    """ "Mon 23 Nov 2026"."""
    return _day(local_day(at, zone))


def moment(at: datetime, zone: ZoneInfo) -> str:
    """ "Mon 23 Nov 2026 at 09:05 (Europe/London)"."""
    return f"{day(at, zone)} at {at.astimezone(zone):%H:%M} ({zone.key})"


def _windows(found: Quarter) -> Html | None:
    tiers = [one.tier for one in found.coverage.tiers]
    if not tiers:
        return None
    return table(
        "The windows in force at this instant; past weeks are judged by those of their time",
        ["Tier", "A touch at least every", "Days of grace", "Due soon in the last"],
        [
            (
                outside(one.name, TIER_ROOM),
                [
                    wording.plural(one.window_days, "day"),
                    str(one.grace_days),
                    wording.plural(soon_days(one.window_days), "day"),
                ],
            )
            for one in tiers
        ],
    )


def _sources(found: Quarter) -> list[str]:
    kinds = {one.week: one.source for one in found.coverage.weeks}
    held = sum(source == "snapshot" for source in kinds.values())
    said = ["Figures of now: from the stored touches, at the instant named at the top."]
    if held:
        said.append(
            f"{wording.plural(held, 'week')} from the snapshot of the weekly read, which never changes afterwards."
        )
    if len(kinds) - held:
        said.append(
            f"{wording.plural(len(kinds) - held, 'week')} reconstructed: no read was held, so partners are judged from "
            "touches, tiers and pauses as they are known today. Mail that comes to light late can change them."
        )
    return said


def _shutdowns(those: tuple[Shutdown, ...], today: date) -> list[Html]:
    if not those:
        return [element("dd", "None in this time.")]
    told = [f"{_span(one)}: no window runs on these days" for one in those]
    return [
        element("dd", f"{words} (", outside(one.reason, 80), ")." if one.from_on <= today else "), ahead.")
        for one, words in zip(those, told, strict=True)
    ]


def _span(one: Shutdown) -> str:
    return _day(one.from_on) if one.from_on == one.until_on else f"{_day(one.from_on)} to {_day(one.until_on)}"


def _day(on: date) -> str:
    return f"{wording.on_day(on, on)} {on.year}"
