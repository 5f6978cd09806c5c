"""The outbox against a workspace that behaves like Slack: one post per row, whatever happens on the wire."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from slack_sdk import WebClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.cli.running import Running
from bot.outbox import Outbox, fingerprint, posting_client
from bot.views.kit import Payload, notice
from models.actions import outbox as actions
from models.actions.slack import it_arrived
from models.queries import outbox as queries
from models.queries.outbox import Post
from models.tables import OutboxPost
from tests.cast import MONDAY, Cast, put_cast
from tests.databases import Database
from tests.sandbox.slack.server import SlackServer
from tests.sandbox.slack.workspace import Workspace
from tests.surface import surface


@dataclass
class HandClock:
    at: datetime = MONDAY

    def now(self) -> datetime:
        return self.at

    def on(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Desk:
    """An outbox at a workspace; the last of `drawn` is what a redraw draws."""

    database: Database
    cast: Cast
    slack: SlackServer
    channel: str
    clock: HandClock
    drawn: list[Payload]
    outbox: Outbox

    def enqueue(self, text: str = "The read", part: int = 0, kind: str = "read") -> int:
        with self.database.sessions.begin() as session:
            post_id = actions.enqueue(
                session, self.cast.workspace_id, self.channel, kind, "2026-11-23", part, notice(text), self.clock.at
            )
        assert post_id is not None
        return post_id

    def want_redraw(self) -> None:
        with self.database.sessions.begin() as session:
            for row in session.scalars(select(OutboxPost)):
                row.redraw_wanted += 1

    def pump(self) -> int:
        return self.outbox.pump(self.cast.workspace_id)

    def post(self, post_id: int) -> Post:
        with self.database.reading() as session:
            found = queries.post(session, post_id)
        assert found is not None
        return found

    def texts(self) -> list[str]:
        return [one.text for one in self.slack.workspace.channels[self.channel].messages]

    def updates(self) -> int:
        return len(self.slack.faults.called("chat.update"))


@pytest.fixture
def desk(database: Database) -> Iterator[Desk]:
    workspace = Workspace("Lantern")
    channel = workspace.add_channel("partners", members=[workspace.bot.id])
    with SlackServer(workspace) as slack:
        with database.sessions.begin() as session:
            cast = put_cast(session)
        clock = HandClock()

        drawn = [notice("The read, redrawn")]

        def render(_session: Session, _post: Post, _now: datetime) -> Payload | None:
            return drawn[-1]

        client = posting_client(workspace.bot_token, slack.api_url)
        outbox = Outbox(database.sessions, database.reading, client, clock, render)
        yield Desk(database, cast, slack, channel.id, clock, drawn, outbox)


def test_a_post_is_sent_once_however_often_the_pump_runs(desk: Desk) -> None:
    post_id = desk.enqueue()
    assert [desk.pump() for _ in range(3)] == [1, 0, 0]
    assert desk.texts() == ["The read"]
    assert desk.post(post_id).status == "sent"
    assert desk.post(post_id).ts == desk.slack.workspace.channels[desk.channel].messages[0].ts


def test_15_two_processes_send_a_post_once(desk: Desk) -> None:
    desk.enqueue()
    start = threading.Barrier(4)

    def run() -> None:
        start.wait()
        desk.pump()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert desk.texts() == ["The read"]


def test_13_a_post_whose_connection_drops_is_never_repeated_by_itself(desk: Desk) -> None:
    post_id = desk.enqueue()
    desk.slack.faults.drop_after("chat.postMessage")
    for _ in range(3):
        desk.pump()
        desk.clock.on(600)
    assert desk.texts() == ["The read"]
    assert desk.post(post_id).status == "unknown"


def test_only_a_person_can_have_an_uncertain_post_sent_again(desk: Desk) -> None:
    post_id = desk.enqueue()
    desk.slack.faults.drop_before("chat.postMessage")
    desk.pump()
    assert desk.texts() == []
    with desk.database.sessions.begin() as session:
        assert actions.send_again(session, post_id)
    desk.pump()
    assert desk.texts() == ["The read"]


def test_a_lead_whose_notice_was_lost_is_told_again_until_slack_confirms_it(desk: Desk) -> None:
    read_id, notice_id = desk.enqueue("The read"), desk.enqueue("Did the read arrive?", kind="notice")
    desk.slack.faults.server_error("chat.postMessage", times=3)

    def tell_again() -> int:
        with desk.database.sessions.begin() as session:
            told = actions.tell_again(session, desk.cast.workspace_id, desk.clock.at)
        desk.pump()
        return told

    desk.pump()
    assert tell_again() == 0, "not at once"
    for told, stands in ((1, 0), (1, 1), (0, 1)):
        desk.clock.on(121)
        assert (tell_again(), len(desk.texts())) == (told, stands)
    assert desk.texts() == ["Did the read arrive?"]
    assert (desk.post(read_id).status, desk.post(notice_id).status) == ("unknown", "sent")
    desk.slack.faults.server_error("chat.postMessage", times=100)
    never = desk.enqueue("Something else", part=1, kind="notice")
    desk.pump()
    for _ in range(20):
        desk.clock.on(121)
        tell_again()
    assert desk.post(never).attempts == actions.TELLS


def test_the_running_bot_repeats_to_its_leads_what_was_lost_on_the_way(database: Database) -> None:
    with surface(database) as at:
        running = Running(at.settings, at.clock)
        with database.sessions.begin() as session:
            actions.tell_leads(session, at.cast.workspace_id, "x", notice("There was no weekly read."), at.clock.at)
        at.slack.faults.drop_before("chat.postMessage")
        for _ in range(2):
            running.pump()
            at.clock.at += timedelta(minutes=3)
            running._tell_leads(at.cast.programme)
        running.engine.dispose()
        assert [one.text for one in at.workspace.im("U0ROBIN").messages] == ["There was no weekly read."]


def test_a_server_error_leaves_the_post_uncertain(desk: Desk) -> None:
    post_id = desk.enqueue()
    desk.slack.faults.server_error("chat.postMessage")
    desk.pump()
    desk.pump()
    assert desk.post(post_id).status == "unknown"
    assert len(desk.slack.faults.called("chat.postMessage")) == 1


def test_12_a_rate_limit_is_waited_out_and_nothing_is_lost_or_doubled(desk: Desk) -> None:
    first, second = desk.enqueue("one"), desk.enqueue("two", part=1)
    desk.slack.faults.rate_limit("chat.postMessage", retry_after=30)
    desk.pump()
    desk.clock.on(29)
    desk.pump()
    assert desk.texts() == []
    assert desk.post(first).status == "pending"
    desk.clock.on(2)
    desk.pump()
    desk.pump()
    assert desk.texts() == ["one", "two"]
    assert desk.post(second).status == "sent"


def test_later_parts_of_a_read_go_into_the_thread_of_the_first(desk: Desk) -> None:
    desk.enqueue("parent")
    desk.enqueue("page two", part=1)
    desk.pump()
    desk.pump()
    parent, page = desk.slack.workspace.channels[desk.channel].messages
    assert (parent.thread_ts, page.thread_ts) == (None, parent.ts)


def test_a_channel_that_says_no_is_a_failure_with_its_reason(desk: Desk) -> None:
    post_id = desk.enqueue()
    desk.slack.workspace.archive(desk.channel)
    desk.pump()
    desk.pump()
    found = desk.post(post_id)
    assert (found.status, found.error) == ("failed", "is_archived")
    assert len(desk.slack.faults.called("chat.postMessage")) == 1


def test_17_blocks_that_slack_refuses_fall_back_to_plain_text_once(desk: Desk) -> None:
    post_id = desk.enqueue()
    desk.slack.faults.refuse("chat.postMessage", "invalid_blocks")
    desk.pump()
    assert desk.texts() == ["The read"]
    assert desk.slack.workspace.channels[desk.channel].messages[0].blocks == []
    assert desk.post(post_id).status == "sent"


def test_14_a_post_that_a_stopped_process_left_half_sent_is_uncertain(desk: Desk) -> None:
    post_id = desk.enqueue()
    with desk.database.sessions.begin() as session:
        assert actions.take(session, post_id, desk.clock.at)
    desk.pump()
    desk.clock.on(301)
    with desk.database.sessions.begin() as session:
        assert actions.abandon(session, desk.clock.at) == 1
    desk.pump()
    assert desk.texts() == []
    assert desk.post(post_id).status == "unknown"


def test_an_uncertain_read_is_not_hidden_behind_refused_private_messages(desk: Desk) -> None:
    with desk.database.sessions.begin() as session:
        for day in range(60):
            at = desk.clock.at + timedelta(days=day)
            refused = actions.enqueue(session, desk.cast.workspace_id, "U0", "nudge", f"{day}", 0, notice("Hi"), at)
            assert refused is not None
            actions.take(session, refused, at)
            actions.failed(session, refused, "user_disabled")
    read_id = desk.enqueue()
    desk.slack.faults.drop_after("chat.postMessage")
    desk.pump()
    with desk.database.reading() as session:
        uncertain = queries.uncertain_posts(session, desk.cast.workspace_id)
    assert uncertain[0].id == read_id
    assert uncertain[1].period == "59"


def test_4_thirty_changes_in_ten_seconds_are_a_handful_of_updates_and_the_last_shows_the_truth(desk: Desk) -> None:
    desk.enqueue()
    desk.pump()
    for number in range(30):
        desk.drawn.append(notice(f"The read after {number} claims"))
        desk.want_redraw()
        desk.pump()
        desk.clock.on(1 / 3)
    desk.clock.on(2)
    desk.pump()
    assert desk.updates() <= 8
    assert desk.texts() == ["The read after 29 claims"]


def test_a_redraw_that_would_change_nothing_calls_nobody(desk: Desk) -> None:
    desk.enqueue()
    desk.pump()
    for _ in range(3):
        desk.want_redraw()
        desk.clock.on(3)
        desk.pump()
    assert desk.updates() == 1
    assert desk.texts() == ["The read, redrawn"]


def test_an_update_that_got_no_answer_is_made_again(desk: Desk) -> None:
    desk.enqueue()
    desk.pump()
    desk.want_redraw()
    desk.slack.faults.drop_before("chat.update")
    desk.pump()
    desk.clock.on(3)
    desk.pump()
    assert desk.texts() == ["The read, redrawn"]


def test_an_update_whose_answer_was_lost_is_drawn_over_when_the_facts_have_gone_back(desk: Desk) -> None:
    desk.enqueue("nobody has it")
    desk.pump()
    for text in ("Dana has it", "nobody has it"):
        desk.drawn.append(notice(text))
        desk.want_redraw()
        if text == "Dana has it":
            desk.slack.faults.drop_after("chat.update")
        desk.pump()
        desk.clock.on(3)
    desk.pump()
    assert desk.texts() == ["nobody has it"]


def test_14_a_process_that_ends_amid_an_update_leaves_no_old_drawing_behind(desk: Desk) -> None:
    desk.enqueue("nobody has it")
    desk.pump()
    client = desk.outbox.client
    assert isinstance(client, WebClient)

    class Ends(WebClient):
        def chat_update(self, **options: Any) -> Any:
            super().chat_update(**options)
            raise SystemExit

    desk.outbox.client = Ends(token=client.token, base_url=client.base_url)
    desk.drawn.append(notice("Dana has it"))
    desk.want_redraw()
    with pytest.raises(SystemExit):
        desk.pump()
    desk.outbox.client = client
    desk.drawn.append(notice("nobody has it"))
    desk.want_redraw()
    desk.clock.on(3)
    desk.pump()
    assert desk.texts() == ["nobody has it"]


def test_15_a_replica_that_knew_the_message_as_it_was_draws_it_as_it_is(desk: Desk) -> None:
    post_id = desk.enqueue("nobody has it")
    desk.pump()
    known = desk.post(post_id)  # by another replica, a moment ago
    desk.drawn.append(notice("Dana has it"))
    desk.want_redraw()
    desk.pump()
    desk.clock.on(3)
    desk.drawn.append(notice("nobody has it"))
    desk.want_redraw()
    desk.outbox.redraw(known)
    assert desk.texts() == ["nobody has it"]


def test_an_update_waits_as_long_as_slack_says(desk: Desk) -> None:
    desk.enqueue()
    desk.pump()
    desk.want_redraw()
    desk.slack.faults.rate_limit("chat.update", retry_after=30)
    for _ in range(10):
        desk.pump()
        desk.clock.on(2.9)
    assert desk.updates() == 1
    desk.clock.on(5)
    desk.pump()
    assert desk.texts() == ["The read, redrawn"]


def test_an_update_that_slack_refuses_is_not_asked_for_again_and_again(desk: Desk) -> None:
    desk.enqueue()
    desk.pump()
    desk.want_redraw()
    client = desk.outbox.client
    assert isinstance(client, WebClient)
    token, client.token = client.token, "xoxb-revoked"
    for _ in range(19):
        desk.pump()
        desk.clock.on(3)
    assert desk.updates() == 1
    client.token = token
    desk.clock.on(10)
    desk.pump()
    assert desk.texts() == ["The read, redrawn"]


def test_5_a_deleted_message_is_neither_redrawn_nor_posted_again(desk: Desk) -> None:
    post_id = desk.enqueue()
    desk.pump()
    workspace = desk.slack.workspace
    assert workspace.delete_message(desk.channel, desk.post(post_id).ts or "")
    for _ in range(3):
        desk.want_redraw()
        desk.clock.on(3)
        desk.pump()
    assert desk.texts() == []
    assert desk.updates() == 1
    assert desk.post(post_id).status == "gone"


def test_the_pages_below_a_read_that_a_lead_found_arrived_are_posted_all_the_same(desk: Desk) -> None:
    parent_id = desk.enqueue("parent")
    desk.enqueue("page two", part=1)
    desk.slack.faults.drop_after("chat.postMessage")
    desk.pump()
    desk.pump()
    assert desk.texts() == ["parent"]
    with desk.database.sessions.begin() as session:
        assert it_arrived(session, desk.cast.workspace_id, parent_id, "test", desk.clock.at)
    desk.pump()
    assert desk.texts() == ["parent", "page two"]


def test_an_older_drawing_that_lands_last_is_drawn_over(desk: Desk) -> None:
    post_id = desk.enqueue()
    desk.pump()
    desk.want_redraw()
    desk.want_redraw()
    older = fingerprint(desk.drawn[-1])
    with desk.database.sessions.begin() as session:
        actions.redrawn(session, post_id, 2, "newer")
        actions.redrawn(session, post_id, 1, older)
    desk.clock.on(3)
    desk.pump()
    assert desk.updates() == 1, "although it would be what the older one drew: that may lie below"
    assert desk.texts() == ["The read, redrawn"]
