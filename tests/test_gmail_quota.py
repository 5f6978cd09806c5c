"""Google's prices and limits: what one mailbox, a walk back, a project and a day may spend, counted at the wire."""

import json
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.mailbox.base import Paused
from jobs.mailbox.gmail import GmailMailbox
from jobs.mailbox.gmail_quota import DAY, GENERATIONS, MINUTE, Bucket, Pace, Project, Quota, quota_for
from jobs.mailbox.google_auth import consented, delegated, project_of
from jobs.mailbox.providers import PROVIDERS, Account
from models.settings import SettingsError, load_settings
from tests.gmail_world import ANA, NOW, Ledger, MovingClock, World, provider, world_of
from tests.sandbox.gmail import Fault, GmailServer, rate_limited, too_many_requests
from tests.sandbox.gmail.server import Call

BEN = "ben@acme.example"
GOOGLE = "https://gmail.googleapis.com"
OF_ONE_USER = Fault(
    403,
    "rateLimitExceeded",
    "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute per user' of service 'gmail…'",
)
EXHAUSTED = Fault(429, "rateLimitExceeded", "Resource has been exhausted (e.g. check quota).", "600")


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def server(clock: MovingClock) -> Iterator[GmailServer]:
    with GmailServer(now=clock.now) as running:
        yield running


@pytest.fixture
def world(server: GmailServer, clock: MovingClock) -> World:
    return world_of(server, clock)


def of(world: World, address: str, **options: Any) -> GmailMailbox:
    credentials = consented(json.dumps(world.server.authorized_user(address)))
    return provider(world.server, world.clock, credentials, **options)


def most_in_a_minute(calls: Sequence[Call]) -> int:
    spent = [call for call in calls if call.units]
    minute = timedelta(minutes=1)
    return max(sum(one.units for one in spent if first.at <= one.at < first.at + minute) for first in spent)


def test_prices_and_limits_are_googles_of_may_2026_unless_the_project_is_older() -> None:
    now, older = quota_for(GOOGLE), quota_for(GOOGLE, None, "2025")
    assert (now.profile, now.history, now.listing, now.message) == (1, 2, 5, 20)
    assert (now.user, now.project, now.day) == (6_000, 1_200_000, 80_000_000)
    assert now.units_per_second == 80
    assert (older.profile, older.history, older.listing, older.message, older.user) == (1, 2, 5, 5, 15_000)
    assert older.units_per_second == 200
    assert now.batch_size == older.batch_size == 20


def test_what_differs_is_said_behind_the_year_and_a_pace_of_the_own_stands() -> None:
    changed = quota_for(GOOGLE, None, "2025 user=3000 project=600000 message=7")
    assert (changed.user, changed.project, changed.message, changed.listing) == (3_000, 600_000, 7, 5)
    assert changed.units_per_second == 40
    assert quota_for(GOOGLE, 12.5, "2025").units_per_second == 12.5


@pytest.mark.parametrize("words", ["2024", "2026 user", "2026 user=0", "2026 colour=3", "2026 user=-5", "user=5"])
def test_a_table_that_there_is_not_is_a_wrong_setting(words: str) -> None:
    with pytest.raises(SettingsError, match="GMAIL_QUOTA"):
        load_settings(GMAIL_QUOTA=words)


@pytest.mark.parametrize("words", ["2024", "2026 user", "2026 colour=3", "user=5"])
def test_a_table_that_there_is_not_is_refused_where_it_is_looked_up_too(words: str) -> None:
    with pytest.raises(SettingsError, match="GMAIL_QUOTA"):
        quota_for(GOOGLE, None, words)


@pytest.mark.parametrize("name", ["profile", "history", "listing", "message", "user", "project", "day"])
def test_every_number_of_the_table_can_be_set(name: str) -> None:
    words = load_settings(GMAIL_QUOTA=f" 2026   {name}=9 ").gmail_quota
    assert getattr(quota_for(GOOGLE, None, words), name) == 9


@given(st.lists(st.tuples(st.floats(0, 40), st.integers(1, 900)), min_size=1, max_size=60))
def test_whoever_waits_as_told_exceeds_the_limit_in_no_window(steps: list[tuple[float, int]]) -> None:
    now = [0.0]
    bucket = Bucket(6_000, MINUTE, lambda: now[0])
    used: list[tuple[float, int]] = []
    for pause, units in steps:
        now[0] += pause
        now[0] += bucket.spend(units)
        used.append((now[0], units))
    for start, _ in used:
        assert sum(units for at, units in used if start <= at < start + MINUTE) <= 6_000 + 1e-6


def test_threads_that_share_a_bucket_lose_no_unit_of_it() -> None:
    bucket = Bucket(6_000, MINUTE, lambda: 0.0)
    spending = [threading.Thread(target=lambda: [bucket.spend(1) for _ in range(2_000)]) for _ in range(4)]
    for thread in spending:
        thread.start()
    for thread in spending:
        thread.join()
    assert bucket.spend(0) == pytest.approx((8_000 - 1_200) / 80)


def test_a_first_walk_uses_half_of_what_its_mailbox_may(world: World) -> None:
    for number in range(400):
        world.deliver(f"mail {number}", at=NOW - number * timedelta(hours=1))
    world.ledger.poll(of(world, ANA, quota=Quota()))
    assert len(world.ledger.messages) == 400
    assert most_in_a_minute(world.server.calls) <= 3_000
    minutes = (world.clock.now() - NOW) / timedelta(minutes=1)
    assert minutes == pytest.approx((world.server.units() - 600) / 2_400, rel=0.05), "120 messages a minute"


def test_what_is_new_does_not_wait_for_the_units_of_a_walk(world: World) -> None:
    for number in range(100):
        world.deliver(f"old {number}", at=NOW - number * timedelta(hours=1))
    mailbox = of(world, ANA, quota=Quota())
    assert mailbox.rests_for() == 0
    world.ledger.poll(mailbox, stop_after=1)
    assert mailbox.rests_for() > 10
    assert not world.clock.waits, "a page that the bucket pays for does not sleep"
    new = [world.deliver(f"new {number}") for number in range(10)]
    world.ledger.poll(mailbox, stop_after=1)
    assert world.fetched()[-10:] == new
    assert not world.clock.waits
    for _ in range(20):
        world.clock.wait(mailbox.rests_for())
        if world.ledger.poll(mailbox, stop_after=1)[-1].last:
            break
    assert len(world.ledger.messages) == 110
    assert mailbox.rests_for() == 0
    assert most_in_a_minute(world.server.calls) <= 6_000


def test_a_mailbox_that_rests_as_it_says_never_sleeps_in_the_middle_of_a_page(world: World) -> None:
    for number in range(300):
        world.deliver(f"mail {number}", at=NOW - number * timedelta(hours=1))
    mailbox, rested = of(world, ANA, quota=Quota()), list[float]()
    while True:
        rested.append(mailbox.rests_for())
        world.clock.at += timedelta(seconds=rested[-1])
        if world.ledger.poll(mailbox, stop_after=1)[-1].last:
            break
    assert len(world.ledger.messages) == 300
    assert sum(world.clock.waits) <= 0.05 * sum(rested)


def test_mailboxes_of_one_project_share_its_limit(world: World) -> None:
    quota = Quota(project=3_000)
    project = Project(quota, world.clock.tick)
    for address in (ANA, BEN):
        mailbox = of(world, address, quota=quota, project=project)
        ledger = Ledger(world.clock)
        ledger.poll(mailbox)
        for number in range(150):
            world.server.mailbox(address).deliver({"Subject": f"{number}"})
        ledger.poll(mailbox)
        assert len(ledger.messages) == 150
    assert most_in_a_minute(world.server.calls) <= 3_000


def test_a_walk_waits_for_the_days_free_units_and_what_is_new_does_not() -> None:
    clock = MovingClock()
    quota = Quota(day=1_000)
    pace = Pace(quota, Project(quota, clock.tick), clock.tick)
    assert pace.spend(190, walking=True) == 0
    assert pace.spend(90, walking=False) == 0
    assert pace.spend(20, walking=True) == pytest.approx(100 / (800 / DAY))
    assert pace.spend(20, walking=False) == 0


@pytest.mark.parametrize("reason", ["rateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"])
def test_10_a_limit_of_the_project_pauses_every_mailbox_of_it_and_no_other(world: World, reason: str) -> None:
    project = Project(Quota(units_per_second=None), world.clock.tick)
    ana, ben, stranger = (of(world, address, project=project) for address in (ANA, BEN, "x@acme.example"))
    stranger = of(world, "x@acme.example")
    until = NOW + timedelta(minutes=10)
    world.server.fail("getProfile", rate_limited(reason, until=until), mailbox=ANA)
    with pytest.raises(Paused):
        ana.check()
    calls = len(world.server.calls_of("getProfile"))
    with pytest.raises(Paused, match="all mailboxes of the Google Cloud project") as paused:
        ben.check()
    assert paused.value.until == until
    assert len(world.server.calls_of("getProfile")) == calls
    assert stranger.check() == "x@acme.example"
    world.clock.at = until
    assert (ana.check(), ben.check()) == (ANA, BEN)


@pytest.mark.parametrize(
    "fault", [rate_limited("userRateLimitExceeded"), OF_ONE_USER, EXHAUSTED, too_many_requests(retry_after="600")]
)
def test_10_a_limit_of_one_user_concerns_nobody_else(world: World, fault: Fault) -> None:
    project = Project(Quota(units_per_second=None), world.clock.tick)
    ana, ben = (of(world, address, project=project) for address in (ANA, BEN))
    world.server.fail("getProfile", fault, mailbox=ANA, times=None)
    with pytest.raises(Paused):
        ana.check()
    waited = len(world.clock.waits)
    assert ben.check() == BEN
    assert len(world.clock.waits) == waited


def test_10_a_short_wait_of_the_project_is_waited_for_by_all(world: World) -> None:
    project = Project(Quota(units_per_second=None), world.clock.tick)
    project.minute.hold(7)
    assert of(world, ANA, project=project).rests_for() == 7
    assert of(world, ANA, project=project).check() == ANA
    assert world.clock.waits == [7]


def test_mailboxes_that_the_settings_build_share_their_project_and_its_table(world: World, tmp_path: Path) -> None:
    key_file = tmp_path / "key.json"
    key_file.write_text(json.dumps(world.server.service_account()))
    settings = load_settings(
        GMAIL_API_URL=world.server.api_url, GOOGLE_SERVICE_ACCOUNT_FILE=str(key_file), GMAIL_QUOTA="2025"
    )
    for address in (ANA, BEN):
        world.server.mailbox(address)
    ana, ben = (PROVIDERS["gmail"](Account(address), settings, world.clock) for address in (ANA, BEN))
    world.server.fail("getProfile", rate_limited("rateLimitExceeded", retry_after="3600"), mailbox=ANA)
    with pytest.raises(Paused):
        ana.check()
    with pytest.raises(Paused, match="project"):
        ben.check()


def test_a_project_is_known_by_its_key_file_or_by_its_clients_id(world: World, tmp_path: Path) -> None:
    key_file = tmp_path / "key.json"
    key_file.write_text(json.dumps({**world.server.service_account(), "project_id": "lantern-mail"}))
    assert project_of(delegated(key_file, ANA)) == project_of(delegated(key_file, BEN)) == "lantern-mail"
    file = world.server.authorized_user(ANA)
    clients = [consented(json.dumps({**file, "client_id": f"528-{name}.apps"})) for name in ("a", "b")]
    assert {project_of(one) for one in clients} == {"528"}


def test_categories_are_read_unless_somebody_leaves_them_out(world: World) -> None:
    world.poll()
    shop = world.deliver("offer", labels=["INBOX", "CATEGORY_PROMOTIONS"])
    world.poll()
    assert world.fetched() == [shop]
    world.server.forget_calls()
    skipping = world.provider(skip=load_settings(GMAIL_SKIP_CATEGORIES="Promotions, social").gmail_skip_categories)
    skipped = [world.deliver("offer", labels=["INBOX", f"CATEGORY_{name}"]) for name in ("PROMOTIONS", "SOCIAL")]
    wanted = [
        world.deliver("from us", labels=["SENT", "CATEGORY_PROMOTIONS"]),
        world.deliver("forum", labels=["INBOX", "CATEGORY_FORUMS"]),
    ]
    [page] = world.ledger.poll(skipping)
    assert page.set_aside == tuple((key, "skipped") for key in skipped)
    assert world.fetched() == wanted
    world.ledger.poll(skipping)
    assert world.fetched() == wanted, "and they are not asked for again"


def test_in_a_walk_categories_are_known_only_once_a_message_has_come(world: World) -> None:
    shop = world.deliver("offer", labels=["INBOX", "CATEGORY_PROMOTIONS"])
    pages = world.ledger.poll(world.provider(skip=("promotions",)))
    assert [one for page in pages for one in page.set_aside] == [(shop, "skipped")]
    assert not world.ledger.messages


def test_a_category_that_gmail_has_not_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match="'spam' is none of promotions, social"):
        load_settings(GMAIL_SKIP_CATEGORIES="spam")


def test_the_table_of_the_older_prices_is_what_a_mailbox_pays(server: GmailServer, clock: MovingClock) -> None:
    server.quota_units = dict(server.quota_units) | {"messages.get": 5}
    world = world_of(server, clock)
    world.poll()
    for number in range(1_000):
        world.deliver(f"mail {number}")
    world.ledger.poll(of(world, ANA, quota=GENERATIONS["2025"]))
    assert len(world.ledger.messages) == 1_000
    assert most_in_a_minute(server.calls) <= 15_000
