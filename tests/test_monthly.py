"""The monthly post for the leadership: off until a channel is named, once a month, and it names nobody."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.cli.running import Running
from bot.views.monthly import monthly_payload, told
from jobs.monthly import KIND, due_at, first_working_day, next_post_at, post_is_due, queue_post
from jobs.weekly_read import hold_and_post
from models.actions.leaders import set_leaders_channel
from models.actions.setup import note_channel
from models.cadence import Shutdown
from models.queries.coverage import coverage_over_time
from models.queries.programme import Programme, programmes
from models.settings import load_settings
from models.tables import AuditEntry, OutboxPost, Workspace
from tests.cast import CHANNEL, MONDAY, PARTNERS, PEOPLE, ZONE, Cast, put_cast
from tests.command_line import CommandLine
from tests.databases import Database
from tests.sandbox.slack.server import SlackServer
from tests.sandbox.slack.workspace import Message
from tests.slack_lint import lint_message
from tests.surface import StandingClock, Surface, slip, surface, user
from tests.test_coverage_slack import no_charts

LEADERS = "C0LEADERS"
DUE = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)  # a Tuesday, and it is winter in London


@pytest.fixture
def cast(database: Database) -> Cast:
    with database.sessions.begin() as session:
        cast = put_cast(session)
        slip(session, cast)
        return cast


def switched_on(database: Database, at: datetime = MONDAY, channel: str | None = LEADERS) -> Programme:
    with database.sessions.begin() as session:
        [programme] = programmes(session, load_settings())
        set_leaders_channel(session, programme.workspace_id, "test", channel, at)
    with database.reading() as session:
        return programmes(session, load_settings())[0]


def due(database: Database, programme: Programme, now: datetime) -> bool:
    with database.reading() as session:
        return post_is_due(session, programme, now)


@pytest.mark.parametrize(
    ("month", "shutdowns", "day"),
    [
        (date(2026, 12, 15), (), date(2026, 12, 1)),
        (date(2026, 8, 1), (), date(2026, 8, 3)),  # the first is a Saturday
        (date(2026, 11, 30), (), date(2026, 11, 2)),  # a Sunday
        (date(2027, 1, 1), (Shutdown(date(2026, 12, 24), date(2027, 1, 1)),), date(2027, 1, 4)),
        (date(2026, 12, 1), (Shutdown(date(2026, 12, 1), date(2026, 12, 4)),), date(2026, 12, 7)),
        (date(2026, 12, 1), (Shutdown(date(2026, 12, 1), date(2026, 12, 31)),), None),
    ],
)
def test_the_first_working_day_is_no_weekend_and_in_no_shutdown(
    month: date, shutdowns: tuple[Shutdown, ...], day: date | None
) -> None:
    assert first_working_day(month, shutdowns) == day


def test_it_is_the_hour_of_the_read_by_the_clock_on_the_wall(cast: Cast) -> None:
    assert due_at(cast.programme, date(2026, 12, 9)) == DUE
    assert due_at(cast.programme, date(2026, 7, 1)) == datetime(2026, 7, 1, 8, 0, tzinfo=UTC)
    assert next_post_at(cast.programme, MONDAY) == DUE
    assert next_post_at(cast.programme, DUE) == datetime(2027, 1, 1, 9, 0, tzinfo=UTC)
    shut = replace(cast.programme, shutdowns=(Shutdown(date(2026, 12, 1), date(2027, 1, 3)),))
    assert next_post_at(shut, MONDAY) == datetime(2027, 1, 4, 9, 0, tzinfo=UTC)


def test_it_is_off_until_a_channel_is_named_and_begins_with_the_next_month(database: Database, cast: Cast) -> None:
    assert not due(database, cast.programme, DUE)
    assert not due(database, switched_on(database, DUE + timedelta(hours=1)), DUE + timedelta(hours=2))
    programme = switched_on(database, MONDAY, "C0OTHER")
    assert due(database, programme, DUE)
    assert not due(database, programme, DUE - timedelta(seconds=1))
    assert not due(database, switched_on(database, DUE, None), DUE)


def test_an_outage_delays_it_by_a_week_at_most(database: Database, cast: Cast) -> None:
    programme = switched_on(database)
    assert due(database, programme, DUE + timedelta(days=6, hours=23))
    assert not due(database, programme, DUE + timedelta(days=7))
    assert due(database, programme, datetime(2027, 1, 1, 9, 0, tzinfo=UTC))


def test_replicas_and_restarts_queue_one_post_a_month(database: Database, cast: Cast) -> None:
    programme = switched_on(database)
    with ThreadPoolExecutor(4) as pool:
        queued = list(pool.map(lambda _: queue_post(database.sessions, programme, DUE), range(8)))
    assert sum(one is not None for one in queued) == 1
    assert not due(database, programme, DUE + timedelta(hours=1))
    january = datetime(2027, 1, 1, 9, 0, tzinfo=UTC)
    assert due(database, programme, january)
    assert queue_post(database.sessions, programme, january) is not None
    with database.reading() as session:
        posts = session.scalars(select(OutboxPost).order_by(OutboxPost.id)).all()
        assert [(one.channel, one.kind, one.period, one.part) for one in posts] == [
            (LEADERS, KIND, "2026-12", 0),
            (LEADERS, KIND, "2027-01", 0),
        ]


def test_a_channel_that_was_changed_or_moved_gets_no_second_post(database: Database, cast: Cast) -> None:
    programme = switched_on(database)
    assert queue_post(database.sessions, programme, DUE) is not None
    later = DUE + timedelta(hours=2)
    assert not due(database, switched_on(database, later, "C0OTHER"), later)
    with database.sessions.begin() as session:  # as after `channel_id_changed`: another id, the same beginning
        row = session.get_one(Workspace, cast.workspace_id)
        row.leaders_channel_id, row.leaders_since = "C0MOVED", MONDAY
    with database.reading() as session:
        assert not post_is_due(session, programmes(session, load_settings())[0], later)


def test_it_says_what_coverage_says_and_names_nobody(database: Database, cast: Cast) -> None:
    with database.reading() as session:
        found = coverage_over_time(session, cast.programme, DUE, 13)
    payload = monthly_payload(found, ZONE)
    lint_message(payload)
    assert payload["text"].startswith("Cadence coverage, Tue 1 Dec 2026. Tier 1: ")
    assert [one["type"] for one in payload["blocks"]] == ["header", "section", "data_visualization", "context"]
    everything = f"{payload} {told(found, ZONE)}"
    assert not any(one.name in everything or one.email in everything for one in PEOPLE)
    assert not any(one.name in everything for one in PARTNERS)


@dataclass
class Bot:
    """A running bot whose clock the test turns."""

    running: Running
    clock: StandingClock
    slack: SlackServer

    def tick(self) -> None:
        self.running.tick()
        self.running.pump()

    def posts(self) -> list[Message]:
        return self.slack.workspace.messages(LEADERS)


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    with database.sessions.begin() as session:
        cast = put_cast(session, observed_until=None)  # no mailbox, so that no round has to end first
        slip(session, cast)
    with surface(database, cast=cast) as found:
        members = [*map(user, PEOPLE), found.workspace.bot.id]
        found.workspace.add_channel("leadership", id=LEADERS, members=members)
        yield found


@pytest.fixture
def bot(at: Surface) -> Iterator[Bot]:
    clock = StandingClock(DUE + timedelta(minutes=1))
    running = Running(at.settings, clock)
    running.capture()
    assert soon(running.rounds.caught_up)
    yield Bot(running, clock, at.slack)
    running.rounds.stop()
    running.engine.dispose()


def shared_with_another_company(at: Surface) -> None:
    """Slack tells it to an app that may read about channels."""
    at.workspace.channels[LEADERS].is_ext_shared = True
    at.workspace.add_token(at.workspace.bot_token, "bot", (*at.workspace.bot_scopes, "channels:read"))


def soon(done: Callable[[], Any]) -> bool:
    for _ in range(200):
        if done():
            return True
        time.sleep(0.05)
    return False


def test_the_running_bot_posts_once_a_month(database: Database, at: Surface, bot: Bot) -> None:
    bot.tick()
    assert bot.posts() == []
    switched_on(database)
    for _ in range(3):
        bot.tick()
    [post] = bot.posts()
    assert post.text.startswith("Cadence coverage, Tue 1 Dec 2026.")
    bot.clock.at = datetime(2027, 1, 1, 9, 1, tzinfo=UTC)
    bot.tick()
    assert len(bot.posts()) == 2


def test_nothing_is_posted_where_another_company_listens(database: Database, at: Surface, bot: Bot) -> None:
    switched_on(database)
    shared_with_another_company(at)
    for _ in range(3):
        bot.tick()
    assert bot.posts() == []
    [told] = notices(database, "monthly post rests")
    assert f"People of other companies are in <#{LEADERS}>" in told
    at.workspace.channels[LEADERS].is_ext_shared = False
    bot.tick()
    assert len(bot.posts()) == 1


def test_30_the_weekly_read_rests_when_its_channel_has_become_shared_and_the_leads_hear_of_it_once(
    database: Database, at: Surface, bot: Bot
) -> None:
    at.workspace.add_token(at.workspace.bot_token, "bot", (*at.workspace.bot_scopes, "channels:read"))
    at.workspace.channels[CHANNEL].is_ext_shared = True
    bot.clock.at = MONDAY + timedelta(weeks=2, minutes=1)
    for _ in range(3):
        bot.tick()
    assert not [one for one in at.workspace.messages(CHANNEL) if one.text.startswith("Weekly read")]
    [told] = notices(database, "weekly read rests")
    assert f"People of other companies are in <#{CHANNEL}>, and the read is not for them" in told
    at.workspace.channels[CHANNEL].is_ext_shared = False
    with database.sessions.begin() as session:
        note_channel(session, at.cast.workspace_id, CHANNEL, None, bot.clock.now())
    bot.tick()
    assert at.read().text.startswith("Weekly read")


def notices(database: Database, words: str) -> list[str]:
    """What leads were told privately with these words in it."""
    with database.reading() as session:
        rows = session.scalars(select(OutboxPost).where(OutboxPost.kind == "notice").order_by(OutboxPost.id)).all()
        texts = [str(one.payload["text"]) for one in rows]
    return [one for one in texts if words in one]


def test_a_post_without_an_answer_is_not_repeated_and_a_lead_is_asked(
    database: Database, at: Surface, bot: Bot
) -> None:
    switched_on(database)
    bot.running.tick()
    at.slack.faults.drop_after("chat.postMessage", times=1)
    bot.running.pump()
    bot.tick()
    assert len(bot.posts()) == 1
    with database.reading() as session:
        [asked] = session.scalars(select(OutboxPost).where(OutboxPost.kind == "notice")).all()
        assert asked.payload["text"].startswith("Did the monthly post of 2026-12 arrive?")


def test_where_slack_draws_no_chart_the_picture_stands_below_the_post(
    database: Database, at: Surface, bot: Bot
) -> None:
    at.workspace.add_token(at.workspace.bot_token, "bot", (*at.workspace.bot_scopes, "files:write"))
    switched_on(database)
    with no_charts():
        bot.tick()
    post, *_ = bot.posts()
    assert (post.text.split(".")[0], post.blocks) == ("Cadence coverage, Tue 1 Dec 2026", [])
    [below] = [one for one in at.workspace.messages(LEADERS, thread_ts=post.ts) if one.ts != post.ts]
    assert at.workspace.files.get(below.files[0]["id"]).content.startswith(b"\x89PNG")


def test_where_slack_draws_no_chart_the_weekly_read_has_the_picture_in_its_thread(
    database: Database, at: Surface, bot: Bot
) -> None:
    at.workspace.add_token(at.workspace.bot_token, "bot", (*at.workspace.bot_scopes, "files:write"))
    with no_charts():
        assert hold_and_post(database.sessions, at.cast.programme, bot.clock.now()) is not None
        for _ in range(3):
            bot.running.pump()
    read = at.read()
    in_thread = at.workspace.messages(CHANNEL, thread_ts=read.ts)
    [plain] = [one for one in in_thread if one.text.startswith("Cadence coverage, 13 weekly reads")]
    assert not plain.blocks
    [picture] = [one for one in in_thread if one.files]
    assert at.workspace.files.get(picture.files[0]["id"]).content.startswith(b"\x89PNG")


def test_without_the_right_to_upload_the_words_stand_alone(database: Database, at: Surface, bot: Bot) -> None:
    scopes = [one for one in at.workspace.bot_scopes if one != "files:write"]
    at.workspace.add_token(at.workspace.bot_token, "bot", scopes)
    switched_on(database)
    with no_charts():
        bot.tick()
    [post] = bot.posts()
    assert "Tier 1: " in post.text
    assert not post.blocks
    assert not len(at.workspace.files)


def test_the_channel_is_followed_under_a_new_id(database: Database, at: Surface) -> None:
    switched_on(database)
    event = {"type": "channel_id_changed", "old_channel_id": LEADERS, "new_channel_id": "C0NEW"}
    at.slack.delivery.event("channel_id_changed", event)

    def stored() -> tuple[str | None, str | None, datetime | None]:
        with database.reading() as session:
            row = session.get_one(Workspace, at.cast.workspace_id)
            return row.leaders_channel_id, row.channel_id, row.leaders_since

    assert soon(lambda: stored()[0] == "C0NEW")
    assert stored() == ("C0NEW", CHANNEL, MONDAY)


# The command


@pytest.fixture
def run(database: Database, at: Surface) -> CommandLine:
    env = {"SLACK_BOT_TOKEN": at.workspace.bot_token, "SLACK_API_URL": at.slack.api_url}
    return CommandLine(database.url, env=env)


def test_the_command_switches_it_on_and_off_and_says_what_happens(database: Database, run: CommandLine) -> None:
    assert "No monthly post for the leadership" in run("leaders").out
    said = run("leaders", "--channel", LEADERS)
    assert f"coverage is posted in {LEADERS}" in said.out
    assert "Next on Tue 1 Dec 2026 at 09:00 (Europe/London)." in said.out
    assert "/invite" in said.err
    assert "`channels:read`" in said.err
    assert run("leaders", "--channel", LEADERS).err == ""
    assert "No monthly post" in run("leaders", "--off").out
    with database.reading() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "set leaders channel")).all()
        assert [(one.actor, one.before, one.after) for one in entries] == [
            ("command line", {"channel": None}, {"channel": LEADERS}),
            ("command line", {"channel": LEADERS}, {"channel": None}),
        ]


def test_a_channel_with_another_company_is_refused(database: Database, at: Surface, run: CommandLine) -> None:
    shared_with_another_company(at)
    said = run("leaders", "--channel", LEADERS, status=1)
    assert "people of another company are in C0LEADERS" in said.err
    assert "No monthly post" in run("leaders").out


@pytest.mark.parametrize("words", [("--channel", "#leads"), ("--channel", "D0DANA"), ("--off", "--preview")])
def test_what_makes_no_sense_is_refused(run: CommandLine, words: tuple[str, ...]) -> None:
    run("leaders", *words, status=2)


def test_the_preview_sends_nothing_and_says_what_the_post_would(database: Database, run: CommandLine) -> None:
    said = run("leaders", "--preview")
    with database.reading() as session:
        found = coverage_over_time(session, programmes(session, load_settings())[0], MONDAY, 13)
        assert session.scalars(select(OutboxPost)).all() == []
    assert said.out.splitlines() == told(found, ZONE)
    assert said.out.startswith("Cadence coverage, Mon 23 Nov 2026.\n")
    assert "Nothing was sent" in said.err
