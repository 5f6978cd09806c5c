"""The Slack surface on a large programme: acknowledgements beside an empty listener, lists, Home and the whole read.

SIZE=n partners with a hundred touches each (ten each above 20,000); without it 1,000 and 10,000. For clicks
the bot has a process of its own; the stand-in workspace and the clients share this one.
"""

import http.client
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import structlog
import yaml
from flask import Flask
from slack_bolt import App
from slack_bolt.authorization import AuthorizeResult
from sqlalchemy import event, select, update
from waitress.server import create_server

from bot.app import EVENTS_PATH, build_app, flask_app
from bot.cli.run import HTTP_THREADS
from models.actions.clocks import refresh_clocks
from models.cadence import State
from models.queries import reads
from models.queries.programme import Programme
from models.queries.standings import standings
from models.settings import Settings, load_settings
from models.tables import Person, Workspace
from tests.benchmarks._area import Area, held
from tests.benchmarks._programme import NOW, databases, fill
from tests.databases import ROOT, Database
from tests.sandbox.slack.server import SlackServer
from tests.sandbox.slack.workspace import Workspace as SlackWorkspace

TEAM, CHANNEL = "T0BENCH", "C0BENCH"
AT_ONCE, CLICKS, ALONE = 16, 320, 60
BURST = 64
ROUNDS = 20
SLOW_SECONDS = 1.0


@dataclass
class StandingClock:
    def now(self) -> Any:
        return NOW


def run(options: Mapping[str, str], area: Area) -> None:
    sizes = [int(options["SIZE"])] if "SIZE" in options else [1_000, 10_000]
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    for size in sizes:
        with databases("sqlite", "postgresql") as found:
            for database in found:
                measured(area, database, size)
    print(
        "Floors: a listener that acknowledges and does nothing. While 64 clicks come at once, each call takes Slack a"
    )
    print("second. SQL statements have to be as many at every size.")


def measured(area: Area, database: Database, size: int) -> None:
    programme = fill(database, size, 100 if size <= 20_000 else 10)
    refresh_clocks(database.sessions, database.reading, programme, NOW, limit=size)
    if database.backend == "postgresql":
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    with database.reading() as session:
        lines = standings(session, programme, NOW)
    late = [one.facts.partner_id for one in lines if one.state is State.OVERDUE]
    with surface(database, programme) as bench:
        with bench.process("empty"):
            bench.clicks(late, AT_ONCE, AT_ONCE)  # whoever comes first has libraries looked up
            empty_alone = bench.clicks(late, ALONE, 1)
            empty = bench.clicks(late, CLICKS, AT_ONCE)
        with bench.process("cadence"):
            bench.clicks(late[-AT_ONCE:], AT_ONCE, AT_ONCE)  # and people and statements made
            alone = bench.clicks(late, ALONE, 1)
            claims = bench.clicks(late[ALONE:], min(CLICKS, len(late) - ALONE), AT_ONCE)
            bench.clicks(late[:BURST], BURST, AT_ONCE, kind="release")
            bench.wait_seconds = SLOW_SECONDS
            burst = bench.clicks(late[:BURST], BURST, BURST)
            bench.settle()
            bench.wait_seconds = 0.0
        with bench.serving(build_app(bench.settings, database.sessions, database.reading, StandingClock())):
            overdue, overdue_sql = bench.timed(lambda: bench.command("overdue"))
            home, home_sql = bench.timed(lambda: bench.home())
        with database.reading() as session, held() as reading:
            reads.weekly_read(session, programme, NOW)
        started = time.perf_counter()  # after the memory, whose measuring takes its time, too
        with database.reading() as session:
            reads.weekly_read(session, programme, NOW)
        took = time.perf_counter() - started
    about = f"{size:,} partners, {database.backend}"
    floor = share(empty_alone, 0.5)
    area.row(f"a claim alone, p50: {about}", share(alone, 0.5), "ms", floor=floor, target="≤ 2 ×")
    area.row(f"  {AT_ONCE} at once, p50", share(claims, 0.5), "ms", floor=share(empty, 0.5))
    area.row(f"  {AT_ONCE} at once, p99", share(claims, 0.99), "ms", floor=share(empty, 0.99), target="≤ 250")
    area.row(f"  {BURST} at once, the last", max(burst), "ms", target="≤ 300")
    area.row(f"overdue, p95: {about}", share(overdue, 0.95), "ms", target="≤ 300")
    area.row("  SQL", overdue_sql, "statements")
    area.row(f"Home, p95: {about}", share(home, 0.95), "ms", target="≤ 300")
    area.row("  SQL", home_sql, "statements")
    limit = 1 if size <= 10_000 else 10
    area.row(f"the read: {about}", took, "s", memory=reading.megabytes, target=f"≤ {limit}")


@contextmanager
def surface(database: Database, programme: Programme) -> Iterator["Bench"]:
    """The programme's people in a stand-in workspace, and somebody who clicks for them."""
    in_slack(database, programme)
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    workspace = SlackWorkspace("Bench", manifest=manifest, clock=lambda: NOW)
    workspace.team_id = workspace.bot.team_id = TEAM
    members = [workspace.add_user(f"m{one}", f"Manager {one}", f"manager{one}@lantern.example", id=f"U0M{one}").id
               for one in range(20)]  # fmt: skip
    workspace.add_channel("bench", id=CHANNEL, members=[*members, workspace.bot.id])
    with SlackServer(workspace) as slack:
        settings = load_settings(
            CADENCE_DATABASE_URL=database.url,
            SLACK_BOT_TOKEN=workspace.bot_token,
            SLACK_SIGNING_SECRET=workspace.signing_secret,
            SLACK_API_URL=slack.api_url,
        )
        yield Bench(slack, settings, database)


def in_slack(database: Database, programme: Programme) -> None:
    with database.sessions.begin() as session:
        row = session.get_one(Workspace, programme.workspace_id)
        row.slack_team_id, row.channel_id, row.started_at = TEAM, CHANNEL, row.created_at
        for number, person_id in enumerate(session.scalars(select(Person.id).order_by(Person.id)).all()):
            role = "lead" if number == 0 else "manager"
            session.execute(
                update(Person).where(Person.id == person_id).values(slack_user_id=f"U0M{number}", role=role)
            )


def empty_app(settings: Settings) -> App:
    """What Bolt itself costs: one listener that acknowledges and does nothing."""
    app = App(
        signing_secret=settings.slack_signing_secret.get_secret_value() if settings.slack_signing_secret else "",
        authorize=lambda enterprise_id, team_id, user_id: AuthorizeResult(
            enterprise_id=enterprise_id, team_id=team_id, bot_token="xoxb-0"
        ),
    )
    app.action(re.compile(""))(lambda ack: ack())
    return app


class Bench:
    """Clicks, commands and Home, and when each was acknowledged or answered."""

    def __init__(self, slack: SlackServer, settings: Settings, database: Database) -> None:
        self.slack, self.settings, self.database = slack, settings, database
        self.wait_seconds = 0.0
        self.port, self._answered, self._number = 0, threading.Semaphore(0), 0
        take, record = slack.responses.take, slack.faults.record

        def taken(key: str, reply: Any) -> None:
            time.sleep(self.wait_seconds)
            if key != "nobody":
                take(key, reply)
            self._answered.release()

        def recorded(call: Any) -> Any:
            time.sleep(self.wait_seconds)
            if call.method == "views.publish":
                self._answered.release()
            return record(call)

        slack.responses.take = taken  # type: ignore[method-assign]  # the slow Slack, and a bell
        slack.faults.record = recorded  # type: ignore[method-assign]

    @contextmanager
    def serving(self, app: App) -> Iterator[None]:
        web: Flask = flask_app(app, self.settings)
        server = create_server(web, host="127.0.0.1", port=0, threads=HTTP_THREADS)
        self.port = server.effective_port
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            app.listener_runner.listener_executor.shutdown(wait=True)
            server.task_dispatcher.shutdown()
            server.close()

    @contextmanager
    def process(self, kind: str) -> Iterator[None]:
        values = {
            "CADENCE_DATABASE_URL": self.database.url,
            "SLACK_BOT_TOKEN": self.slack.workspace.bot_token,
            "SLACK_SIGNING_SECRET": self.slack.workspace.signing_secret,
            "SLACK_API_URL": self.slack.api_url,
        }
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks._slack_server", kind],
            cwd=ROOT,
            env=os.environ | values,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        self.port = int(child.stdout.readline())
        try:
            yield
        finally:
            child.communicate(timeout=30)

    def clicks(self, partners: Sequence[int], count: int, at_once: int, kind: str = "claim") -> list[float]:
        """Milliseconds until each acknowledgement, `at_once` of them under way at any time."""
        waiting = [self._click(partners[number % len(partners)], kind) for number in range(count)]
        taken: list[float] = []
        start = threading.Barrier(at_once)

        def work() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            connection.connect()
            start.wait()
            while True:
                try:
                    body = waiting.pop()
                except IndexError:
                    connection.close()
                    return
                taken.append(self._post(connection, body))

        threads = [threading.Thread(target=work) for _ in range(at_once)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        return taken

    def command(self, text: str) -> None:
        self._number += 1  # an equal request in the same second is a replay
        body = {"command": "/cadence", "text": text, "team_id": TEAM, "user_id": "U0M1", "channel_id": CHANNEL}
        body |= {"response_url": f"{self.slack.page_url}responses/nobody", "trigger_id": f"1.{self._number}"}
        self._ask(urlencode(body).encode())

    def home(self) -> None:
        self._number += 1
        opened = {"type": "app_home_opened", "user": "U0M0", "tab": "home", "channel": "D1"}
        about = {"type": "event_callback", "team_id": TEAM, "event_id": f"Ev{self._number}", "event": opened}
        self._ask(json.dumps(about).encode(), "application/json")

    def timed(self, work: Callable[[], None]) -> tuple[list[float], float]:
        """Milliseconds of each round, and SQL statements of the last."""
        counted = [0]

        def count(*_: Any) -> None:
            counted[0] += 1

        event.listen(self.database.engine, "before_cursor_execute", count)
        work()
        taken = []
        for _ in range(ROUNDS):
            counted[0], started = 0, time.perf_counter()
            work()
            taken.append((time.perf_counter() - started) * 1000)
        event.remove(self.database.engine, "before_cursor_execute", count)
        return taken, float(counted[0])

    def settle(self) -> None:
        time.sleep(2 * SLOW_SECONDS)
        while self._answered.acquire(blocking=False):
            pass

    def _ask(self, body: bytes, content_type: str = "application/x-www-form-urlencoded") -> None:
        """Until the answer is there, not only the acknowledgement."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self._post(connection, body, content_type)
        if not self._answered.acquire(timeout=60):
            raise SystemExit("there was no answer")
        connection.close()

    def _post(
        self,
        connection: http.client.HTTPConnection,
        body: bytes,
        content_type: str = "application/x-www-form-urlencoded",
    ) -> float:
        headers = {"Content-Type": content_type} | self.slack.delivery.sign(body)
        started = time.perf_counter()
        connection.request("POST", EVENTS_PATH, body, headers)
        answer = connection.getresponse()
        answer.read()
        taken = (time.perf_counter() - started) * 1000
        if answer.status != 200:
            raise SystemExit(f"not acknowledged: {answer.status}")
        return taken

    def _click(self, partner: int, kind: str) -> bytes:
        self._number += 1
        who = f"U0M{partner % 20}"  # whoever claimed it can release it
        action = {"type": "button", "action_id": f"{kind}:{partner}", "block_id": "b", "action_ts": f"1.{self._number}"}
        payload = {
            "type": "block_actions",
            "team": {"id": TEAM, "domain": "bench"},
            "user": {"id": who, "username": who, "team_id": TEAM},
            "channel": {"id": CHANNEL, "name": "bench"},
            "container": {"type": "message", "message_ts": "1.1", "channel_id": CHANNEL},
            "trigger_id": "1.2.3",
            "response_url": f"{self.slack.page_url}responses/nobody",
            "actions": [action | {"value": json.dumps({"v": 1, "p": partner})}],
        }
        return urlencode({"payload": json.dumps(payload)}).encode()


def share(taken: Sequence[float], part: float) -> float:
    return sorted(taken)[min(len(taken) - 1, int(len(taken) * part))]
