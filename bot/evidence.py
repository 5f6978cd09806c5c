"""One mail as evidence, in words: who wrote to whom, and why it moved the clock or why it did not.

Plain text for the terminal and for Slack alike. Knows no subject: there is none to know.
"""

from datetime import date
from zoneinfo import ZoneInfo

from bot import wording
from models.cadence import Policy
from models.clock import local_day
from models.queries.mail import TouchFacts

NOT_A_PERSONS = {
    "auto": "an automatic reply, no person wrote it",
    "bounce": "a report that mail could not be delivered",
    "calendar": "an invitation or an answer to one",
    "bulk": "a newsletter or list mail",
    "broadcast": "one mail to many, not to this partner",
    "suspect": "its sender may be forged",
}


def mail(touch: TouchFacts, today: date, zone: ZoneInfo) -> str:
    """ "Mon 2 Nov: Dana Kim wrote to a@acme.example" or "… a@acme.example wrote to us"."""
    day, by = wording.on_day(local_day(touch.at, zone), today), wording.plain(touch.by, 80)
    if touch.direction != "outbound":
        return f"{day}: {by} wrote to us"
    copied = "" if touch.field == "to" else f" (in {touch.field.capitalize()})"
    return f"{day}: {by} wrote to {wording.plain(touch.matched, 80)}{copied}"


def why_counted(touch: TouchFacts) -> str:
    """The rule that fired, and what tied the mail to the partner."""
    matched = wording.plain(touch.matched, 80)
    tie = "is a contact of theirs" if touch.matched_by == "contact" else "belongs to their domain"
    boxes = wording.listed([wording.plain(one, 80) for one in touch.mailboxes], 3)
    seen = f"; seen in the mailbox of {boxes}" if boxes else ""
    return f"{wording.plain(touch.rule, 120)}; {matched} {tie}{seen}"


def why_not(touch: TouchFacts, policy: Policy) -> str:
    """Why a mail with the partner did not move the clock, without the rule."""
    if touch.void_reason:
        return f"taken back: {wording.plain(touch.void_reason, 120)}"
    if touch.verdict != "human":
        return NOT_A_PERSONS.get(touch.verdict, touch.verdict)
    if touch.direction == "inbound":
        return "the partner wrote it: that is heard and moves no clock"
    if touch.field == "bcc":
        return "the partner was in Bcc only"
    if policy is Policy.TWO_WAY:
        return "not answered yet, and this programme counts answered mail"
    return "it does not count under this programme's policy"


def line(touch: TouchFacts, policy: Policy, today: date, zone: ZoneInfo) -> str:
    """One mail with its outcome, for lists."""
    said = mail(touch, today, zone)
    if touch.counts:
        return f"{said}. Counts."
    rule = "" if touch.void_reason or touch.verdict == "human" else f" ({wording.plain(touch.rule, 120)})"
    return f"{said}: {why_not(touch, policy)}{rule}."
