"""A mailbox's state in plain words: from facts, the gravest first, always with what to do."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from models.mailbox_health import Health, health_of
from tests.cast import MONDAY, ZONE

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Box:
    address: str = "dana@lantern.example"
    provider: str = "gmail"
    status: str = "active"
    credential: str | None = None
    error: str | None = None
    lacking: str | None = None
    paused_until: datetime | None = None
    created_at: datetime = MONDAY - 30 * DAY
    last_ok_at: datetime | None = MONDAY - timedelta(minutes=5)
    reconciled_at: datetime | None = MONDAY - HOUR
    seen: int = 0
    pending: int = 0
    dead: int = 0
    gap: int | None = 0
    lacking_since: datetime | None = None
    files_from: datetime | None = None
    files_until: datetime | None = None


WELL = Box()
LACKING = MONDAY - 3 * DAY


def health(box: Box) -> Health:
    return health_of(box, MONDAY, ZONE)


@pytest.mark.parametrize(
    ("box", "state", "attention", "says"),
    [
        (WELL, "ok", False, "nothing is missing, as of 08:00"),
        (replace(WELL, pending=2), "ok", False, "nothing is missing, as of 08:00; 2 messages will be asked for again"),
        (replace(WELL, provider="mbox", last_ok_at=None), "file", False, "filled from a file"),
        (
            replace(WELL, last_ok_at=None, reconciled_at=None, gap=None, created_at=MONDAY - HOUR, seen=1200),
            *("backfilling", False, "read for the first time, 1200 messages so far"),
        ),
        (replace(WELL, last_ok_at=None, created_at=MONDAY - 2 * DAY), "stale", True, "never read to its end"),
        (
            replace(WELL, paused_until=MONDAY + HOUR),
            *("paused", False, "the provider asked for patience until 10:00"),
        ),
        (
            replace(WELL, paused_until=MONDAY + 30 * HOUR, last_ok_at=MONDAY - 2 * DAY),
            *("paused", True, "the provider asked for patience until 24 Nov 15:00"),
        ),
        (replace(WELL, paused_until=MONDAY - HOUR), "ok", False, "nothing is missing, as of 08:00"),
        (replace(WELL, status="needs_auth"), "needs consent", True, "the consent to read it was withdrawn"),
        (replace(WELL, status="error", error="No route."), "unreachable", True, "No route"),
        (replace(WELL, lacking="no Sent folder was found"), "partly seen", True, "no Sent folder was found"),
        (replace(WELL, last_ok_at=MONDAY - 25 * HOUR), "stale", True, "not read since 22 Nov 08:00"),
        (
            replace(WELL, dead=1, gap=1, lacking_since=LACKING),
            "incomplete",
            True,
            "1 message could not be fetched within two days",
        ),
        (
            replace(WELL, gap=2, lacking_since=LACKING),
            "gap",
            True,
            "the provider lists 2 messages that are not captured yet",
        ),
        (
            replace(WELL, reconciled_at=None, gap=None, created_at=MONDAY - HOUR),
            *("reconciling", False, "not yet compared with the provider's own list"),
        ),
        (
            replace(WELL, reconciled_at=None, gap=None),
            *("reconciling", True, "not yet compared with the provider's own list"),
        ),
        (
            replace(WELL, reconciled_at=MONDAY - 4 * DAY),
            *("reconciling", True, "not compared with the provider's own list since 19 Nov 09:00"),
        ),
    ],
)
def test_each_state_has_its_words(box: Box, state: str, attention: bool, says: str) -> None:
    found = health(box)
    assert (str(found.state), found.attention, found.says) == (state, attention, says)


def test_whatever_needs_attention_says_what_to_do() -> None:
    troubled = [
        replace(WELL, status="needs_auth"),
        replace(WELL, status="error"),
        replace(WELL, last_ok_at=None),
        replace(WELL, dead=1),
        replace(WELL, gap=1),
        replace(WELL, reconciled_at=None),
    ]
    for box in troubled:
        assert health(box).attention
        assert "`cadence " in health(box).detail, box


def test_only_a_comparison_without_a_gap_is_health() -> None:
    assert str(health(replace(WELL, reconciled_at=None, gap=None)).state) != "ok"


def test_one_trouble_keeps_its_spell_while_the_mailbox_is_read_on() -> None:
    for lacking in (replace(WELL, dead=1, lacking_since=LACKING), replace(WELL, gap=3, lacking_since=LACKING)):
        read_again = replace(lacking, last_ok_at=MONDAY, reconciled_at=MONDAY)
        assert health(lacking).spell == health(read_again).spell != ""
    assert (
        health(replace(WELL, gap=3, lacking_since=LACKING)).spell
        == health(replace(WELL, gap=1, lacking_since=LACKING)).spell
    )
