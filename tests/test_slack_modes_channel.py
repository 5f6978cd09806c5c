"""Failure modes of slack.md: what Slack refuses when the read is posted or updated, and who hears of it."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select
from structlog.testing import capture_logs

from bot.outbox import Outbox, posting_client
from bot.redraw import redraw_of
from bot.views.reads_notice import missed_payload
from jobs.weekly_read import hold_and_post, note_missed, read_is_due
from models.actions.outbox import enqueue
from models.actions.people import PersonRow
from models.actions.programme import add_workspace
from models.actions.setup import note_channel
from models.actions.write import first_run
from models.db import make_engine, make_sessions
from models.queries.programme import Programme, programme
from models.tables import Claim, OutboxPost, Read, Workspace
from tests.cast import ACME, CHANNEL, DANA, INITECH, MONDAY, PRIYA, ROBIN
from tests.databases import Database
from tests.slack_lint import elements, lint_message, said
from tests.surface import Surface, surface

WEEK = timedelta(weeks=1)


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    with surface(database) as one:
        with database.sessions.begin() as session:
            first_run(session, one.cast.workspace_id, "sweep", "once", MONDAY - WEEK)
        yield one


def now(at: Surface) -> Programme:
    with at.database.reading() as session:
        return programme(session, at.settings, at.cast.workspace_id)


def due(at: Surface) -> bool:
    with at.database.reading() as session:
        return read_is_due(session, now(at), at.clock.at)


def posts(at: Surface, kind: str = "read") -> list[tuple[str, str | None]]:
    with at.database.reading() as session:
        rows = session.scalars(select(OutboxPost).where(OutboxPost.kind == kind).order_by(OutboxPost.id))
        return [(row.status, row.error) for row in rows]


def heard(at: Surface, user_id: str = "U0ROBIN") -> list[str]:
    """What somebody was told in private."""
    return [one.text for one in at.workspace.messages(at.workspace.im(user_id).id)]


def claim(at: Surface, partner: int, who: PersonRow = DANA) -> None:
    at.press_and_hear(who, at.read(), f"claim:{partner}")


def shown_after(at: Surface, seconds: float = 3) -> None:
    at.clock.at += timedelta(seconds=seconds)
    at.pump()


def test_5_a_claim_on_a_read_that_was_deleted_succeeds_and_nothing_is_posted_again(at: Surface) -> None:
    message = at.hold_read()
    assert at.workspace.delete_message(CHANNEL, message.ts)
    told = at.ask(DANA, "claim Acme")
    assert "is yours" in told.text
    for _ in range(3):
        shown_after(at)
    assert at.count(Claim) == 1
    assert [one for one in at.workspace.messages(CHANNEL) if one.text.startswith("Weekly read")] == []
    assert posts(at)[0] == ("gone", "message_not_found")
    assert len(at.slack.faults.called("chat.update")) == 1


@pytest.mark.parametrize("refusal", ["edit_window_closed", "cant_update_message"])
def test_6_a_read_that_cannot_be_changed_any_more_keeps_the_claim_and_says_so_once_below_itself(
    at: Surface, refusal: str
) -> None:
    message = at.hold_read()
    at.slack.faults.refuse("chat.update", refusal, times=50)
    claim(at, at.cast.partner(ACME))
    shown_after(at)
    claim(at, at.cast.partner(INITECH), PRIYA)
    for _ in range(5):
        shown_after(at)
    assert at.count(Claim) == 2
    assert len(at.slack.faults.called("chat.update")) == 1
    below = [one for one in at.workspace.messages(CHANNEL, thread_ts=message.ts) if "update the list" in one.text]
    assert len(below) == 1
    assert below[0].thread_ts == message.ts


def test_7_an_archived_channel_rests_and_the_lead_hears_of_it_once(at: Surface) -> None:
    at.workspace.archive(CHANNEL)
    hold_and_post(at.database.sessions, now(at), at.clock.at)
    for _ in range(3):
        shown_after(at)
    assert posts(at)[0] == ("failed", "is_archived")
    [told] = heard(at)
    assert "is archived: choose another channel" in told
    lint_message({"text": told, "blocks": at.workspace.messages(at.workspace.im("U0ROBIN").id)[0].blocks})
    at.clock.at += WEEK
    assert not due(at), "the schedule rests"
    other = at.workspace.add_channel("others", members=[at.workspace.bot.id])
    with at.database.sessions.begin() as session:
        enqueue(session, at.cast.workspace_id, other.id, "monthly", "2026-11", 0, {"text": "Hi", "blocks": []}, MONDAY)
    at.pump()
    assert [one.text for one in at.workspace.messages(other.id)] == ["Hi"], "other channels go on"
    assert len(heard(at)) == 1


def test_7_a_channel_that_was_archived_after_the_post_is_not_asked_again_and_again(at: Surface) -> None:
    at.hold_read()
    at.workspace.archive(CHANNEL)
    assert "is yours" in at.ask(DANA, "claim Acme", at.workspace.im("U0DANA").id).text
    for _ in range(5):
        shown_after(at)
    assert len(at.slack.faults.called("chat.update")) == 1
    assert len(heard(at)) == 1
    assert now(at).channel_trouble == "is_archived"


def test_7_a_channel_that_is_set_anew_or_takes_a_message_ends_the_rest(at: Surface) -> None:
    at.slack.faults.refuse("chat.postMessage", "is_archived")
    hold_and_post(at.database.sessions, now(at), at.clock.at)
    at.pump()
    at.clock.at += WEEK
    assert not due(at)
    with at.database.sessions.begin() as session:
        note_channel(session, at.cast.workspace_id, CHANNEL, None, at.clock.at)
    assert due(at)
    with at.database.sessions.begin() as session:
        session.get_one(Workspace, at.cast.workspace_id).channel_trouble = "is_archived"
    assert not due(at)
    [notice] = at.workspace.messages(at.workspace.im("U0ROBIN").id)
    again = next(one["action_id"] for one in elements(notice.blocks) if one["action_id"].startswith("post_again"))
    at.press(ROBIN, notice, again)
    at.pump()
    assert at.read().blocks
    assert due(at)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        pytest.param("not_in_channel", "/invite", id="8"),
        pytest.param("channel_not_found", "/invite", id="8 private"),
    ],
)
def test_8_a_read_that_the_bot_cannot_post_is_marked_as_not_sent_and_the_lead_hears_how_to_invite_it(
    at: Surface, trouble: str, words: str
) -> None:
    _refused(at, trouble, words)


def test_9_a_restricted_channel_is_told_in_words_of_its_own(at: Surface) -> None:
    _refused(at, "restricted_action_read_only_channel", "restricted")
    assert "/invite" not in heard(at)[0]


def _refused(at: Surface, trouble: str, words: str) -> None:
    at.slack.faults.refuse("chat.postMessage", trouble)
    hold_and_post(at.database.sessions, now(at), at.clock.at)
    for _ in range(3):
        shown_after(at)
    assert {status for status, _ in posts(at)} <= {"failed", "pending"}
    assert at.workspace.messages(CHANNEL) == []
    [told] = heard(at)
    assert words in told
    assert now(at).channel_trouble == trouble


def test_12_a_rate_limit_in_the_middle_of_a_read_loses_and_doubles_no_part(at: Surface) -> None:
    parts = 4
    with at.database.sessions.begin() as session:
        for part in range(parts):
            message = {"text": f"part {part}", "blocks": []}
            enqueue(session, at.cast.workspace_id, CHANNEL, "read", "2026-11-23", part, message, MONDAY)
    started = at.clock.at
    at.outbox.pump(at.cast.workspace_id)  # the parent and what follows it
    at.slack.faults.rate_limit("chat.postMessage", retry_after=30)
    with at.database.sessions.begin() as session:
        message = {"text": "part 9", "blocks": []}
        enqueue(session, at.cast.workspace_id, CHANNEL, "read", "2026-11-23", 9, message, MONDAY)
        enqueue(
            session, at.cast.workspace_id, CHANNEL, "read", "2026-11-23", 10, {"text": "part 10", "blocks": []}, MONDAY
        )
    for _ in range(10):
        at.clock.at += timedelta(seconds=2.9)
        at.pump()
    assert at.clock.at - started < timedelta(seconds=30)
    assert len(at.slack.faults.called("chat.postMessage")) == parts + 1, "nobody asks before the time is over"
    told = at.ask(DANA, "claim Acme")
    assert "is yours" in told.text, "people are answered meanwhile"
    at.clock.at += timedelta(seconds=5)
    at.pump()
    sent = [one.text for one in at.workspace.channels[CHANNEL].messages if one.text.startswith("part")]
    assert sorted(sent) == sorted(f"part {part}" for part in (0, 1, 2, 3, 9, 10))


def test_12_another_workspace_goes_on_while_one_waits(at: Surface) -> None:
    with at.database.sessions.begin() as session:
        other = add_workspace(session, MONDAY)
        for workspace_id in (at.cast.workspace_id, other):
            message = {"text": f"of {workspace_id}", "blocks": []}
            enqueue(session, workspace_id, CHANNEL, "monthly", "2026-11", 0, message, MONDAY)
    at.slack.faults.rate_limit("chat.postMessage", retry_after=30)
    at.outbox.pump(at.cast.workspace_id)
    at.outbox.pump(other)
    assert [one.text for one in at.workspace.messages(CHANNEL)] == [f"of {other}"]


def test_15_two_workers_at_the_tick_and_one_that_was_down_post_one_read(at: Surface) -> None:
    client = posting_client(at.workspace.bot_token, at.slack.api_url)
    other = Outbox(at.database.sessions, at.database.reading, client, at.clock, redraw_of(at.settings))
    at.clock.at = MONDAY + timedelta(minutes=40)  # down from 08:55 to 09:40
    assert due(at)
    held = [hold_and_post(at.database.sessions, now(at), at.clock.at) for _ in range(2)]
    assert [one is not None for one in held] == [True, False]
    for _ in range(4):
        other.pump(at.cast.workspace_id)
        at.outbox.pump(at.cast.workspace_id)
    assert len([one for one in at.workspace.messages(CHANNEL) if one.text.startswith("Weekly read")]) == 1
    assert not due(at)
    assert at.count(Read) == 1


def test_15_two_workers_that_tick_in_the_same_moment_hold_one_read(at: Surface) -> None:
    start, programme = threading.Barrier(2), now(at)
    engines = [make_engine(at.database.url) for _ in range(2)]

    def tick(engine: Engine) -> int | None:
        sessions = make_sessions(engine)
        start.wait()
        return hold_and_post(sessions, programme, at.clock.at)

    try:
        for week in range(3):
            with ThreadPoolExecutor(2) as pool:
                held = list(pool.map(tick, engines))
            assert sum(one is not None for one in held) == 1
            assert at.count(Read) == week + 1
            at.clock.at += timedelta(weeks=1)
    finally:
        for engine in engines:
            engine.dispose()
    with at.database.reading() as session:
        parents = [one.period for one in session.scalars(select(OutboxPost)) if one.kind == "read" and one.part == 0]
    assert len(parents) == len(set(parents)) == 3


def test_15_a_week_that_passed_during_an_outage_is_skipped_and_reconstructed_the_next_is_held(at: Surface) -> None:
    """Within its week an outage delays the read and never loses it; a week that is over is not posted afterwards."""
    at.clock.at = MONDAY + timedelta(days=6, hours=14)  # Sunday evening
    assert due(at)
    at.clock.at = MONDAY + WEEK - timedelta(hours=2)
    assert not due(at), "the hour of the next week has not come"
    at.clock.at = MONDAY + WEEK
    assert due(at)
    hold_and_post(at.database.sessions, now(at), at.clock.at)
    with at.database.reading() as session:
        assert [row.week for row in session.scalars(select(Read))] == [(MONDAY + WEEK).date()]


def hold_last_weeks_read(at: Surface) -> None:
    assert hold_and_post(at.database.sessions, now(at), MONDAY - WEEK) is not None


def missed(at: Surface) -> list[str]:
    return [week.isoformat() for week in note_missed(at.database.sessions, now(at), at.clock.at)]


def test_15_weeks_without_a_read_are_logged_and_told_to_the_leads_once(at: Surface) -> None:
    hold_last_weeks_read(at)
    hold_and_post(at.database.sessions, now(at), at.clock.at)
    at.clock.at = MONDAY + 2 * WEEK + timedelta(days=6)  # the week after is still to be made up for
    assert missed(at) == ["2026-11-30"]
    at.clock.at = MONDAY + 4 * WEEK - timedelta(hours=3)
    with capture_logs() as logged:
        assert missed(at) == ["2026-12-07", "2026-12-14"]
        assert missed(at) == []
    [line] = logged
    assert (line["event"], line["log_level"], line["weeks"]) == ("read.missed", "error", ["2026-12-07", "2026-12-14"])
    shown_after(at)
    first, second = [one for one in heard(at) if "no weekly read" in one]
    assert "in the week of Mon 30 Nov.*" in first
    assert "the week of Mon 7 Dec and the week of Mon 14 Dec.*" in second
    lint_message(missed_payload([MONDAY.date()], MONDAY.date()))


def test_15_weeks_in_which_the_channel_took_nothing_are_logged_with_the_reason(at: Surface) -> None:
    hold_last_weeks_read(at)
    hold_and_post(at.database.sessions, now(at), at.clock.at)
    with at.database.sessions.begin() as session:
        note_channel(session, at.cast.workspace_id, CHANNEL, "is_archived", at.clock.at)
    at.clock.at = MONDAY + 2 * WEEK
    with capture_logs() as logged:
        assert missed(at) == ["2026-11-30"]
    assert [line["reason"] for line in logged] == ["is_archived"]
    shown_after(at)
    assert not [one for one in heard(at) if "no weekly read" in one], "that the channel rests was told when it began to"


def test_15_before_the_first_read_no_week_is_missed(at: Surface) -> None:
    at.clock.at = MONDAY + 3 * WEEK
    named = replace(now(at), started_at=None)
    assert note_missed(at.database.sessions, named, at.clock.at) == [], "nobody knows since when the settings name it"
    started = replace(now(at), started_at=MONDAY + timedelta(days=1))
    assert [str(one) for one in note_missed(at.database.sessions, started, at.clock.at)] == ["2026-11-30", "2026-12-07"]


def test_17_a_layout_that_slack_refuses_is_shown_as_text_and_the_lead_is_told_once(at: Surface) -> None:
    at.slack.faults.refuse("chat.postMessage", "msg_blocks_too_long")
    hold_and_post(at.database.sessions, now(at), at.clock.at)
    for _ in range(3):
        shown_after(at)
    assert at.read().blocks == []
    assert "Acme" in at.read().text
    assert posts(at)[0] == ("sent", "shown as text: Slack refused its layout")
    [told] = heard(at)
    assert "plain text without buttons" in told


def test_17_an_update_that_slack_finds_too_rich_shows_the_truth_as_text_and_does_not_loop(at: Surface) -> None:
    at.hold_read()
    at.slack.faults.refuse("chat.update", "invalid_blocks")
    claim(at, at.cast.partner(ACME))
    for _ in range(4):
        shown_after(at)
    assert "Dana Kim is on it" in at.read().text or "1 of" in at.read().text
    assert len(at.slack.faults.called("chat.update")) == 2
    claim_typed = at.ask(DANA, "claim Initech")
    assert "is yours" in claim_typed.text
    shown_after(at)
    assert "Dana Kim is on it" in said(at.read().blocks), "the next change has its layout again"
