"""Coverage now and over weeks is counted from indexes into the facts, and must always say what the facts say."""

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from jobs.capture import Capture, Report
from jobs.mailbox.base import Page
from models.actions import mailboxes, touches
from models.actions.clocks import facts_changed, refresh_clocks
from models.actions.partners import pause_partner, put_partner
from models.actions.programme import set_tier
from models.actions.reads import hold_read
from models.actions.shutdowns import WrongShutdown, add_shutdown, end_shutdown
from models.cadence import Policy, Shutdown, Status, Tier
from models.message import Folder, Message
from models.queries.clocks import outdated_partners
from models.queries.programme import programmes, tiers
from models.queries.standings import standings
from models.queries.trend import coverage_now, trend
from models.settings import load_settings
from models.tables import PartnerClock, Touch, WeekSpan, WeekTally, WeekWindow, Workspace
from models.tables import Shutdown as ShutdownRow
from models.weekly_read import coverage_lines
from tests.cast import ACME, DANA, GLOBEX, MONDAY, PARTNERS, PRIYA, ROBIN, STARTED, TOMAS, Cast, put_cast, put_touch
from tests.databases import Database

OWNERS = (DANA, PRIYA, TOMAS)
MORNING = MONDAY - timedelta(weeks=10)


@dataclass
class Programme:
    """A programme that things happen to, at random but always the same."""

    database: Database
    cast: Cast
    dice: random.Random
    now: datetime = MORNING
    mails: int = 0
    pages_among: int = 60  # of a hundred things that happen about so many are a page of mail
    most_mails: int = 60  # on a page
    done: dict[str, int] = field(default_factory=dict)

    def happen(self) -> None:
        what = self.dice.choices(
            [self.mail, self.roster, self.pause, self.tier, self.void, self.poll, self.shut, self.read, self.policy],
            [self.pages_among, 10, 3, 1, 8, 12, 2, 2, 1],
        )[0]
        self.now += timedelta(minutes=self.dice.randrange(1, 90))
        what()
        self.done[what.__name__] = self.done.get(what.__name__, 0) + 1

    def mail(self) -> None:
        """A page of mail with a partner, new and old, from us and from them."""
        messages, partner = [], self.dice.choice(PARTNERS)
        for _ in range(self.dice.randrange(1, self.most_mails)):
            self.mails += 1
            person = self.dice.choice(OWNERS)
            ours, theirs = person.email, f"hello@{partner.domains[0]}"
            sender, to = (ours, theirs) if self.dice.random() < 0.7 else (theirs, ours)
            at = self.now - timedelta(minutes=self.dice.randrange(-3, 60 * 24 * self.dice.choice((1, 20, 100))))
            more = (("Auto-Submitted", "auto-replied"),) if self.dice.random() < 0.1 else ()
            headers = (("From", sender), ("To", to), ("Message-ID", f"<{self.mails}@mail.example>"), *more)
            messages.append(Message(f"mail-{self.mails}", headers, at, Folder.UNKNOWN))
        capture = Capture(self.database.sessions, self.database.reading, Fixed(self.now))
        judged = capture.decide(self.cast.programme, DANA.email, Page(None, tuple(messages)))
        with self.database.sessions.begin() as session:
            capture.store(session, self.cast.programme, self.cast.mailbox(DANA), judged, Report(DANA.email))

    def roster(self) -> None:
        partner = self.dice.choice(PARTNERS)
        changed = replace(
            partner,
            tier=self.dice.choice((1, 2, 3, None)),
            owner_email=self.dice.choice((*(one.email for one in OWNERS), None)),
            status=self.dice.choice((Status.ACTIVE, Status.ACTIVE, Status.PAUSED, Status.ENDED)),
            since=date(2026, 6, 1) + timedelta(days=self.dice.randrange(140)),
        )
        with self.database.sessions.begin() as session:
            put_partner(session, self.cast.workspace_id, "test", changed, self.now)

    def pause(self) -> None:
        until = self.dice.choice((None, self.now.date() + timedelta(days=self.dice.randrange(20))))
        partner_id = self.cast.partner(self.dice.choice(PARTNERS))
        with self.database.sessions.begin() as session:
            pause_partner(session, self.cast.workspace_id, "test", partner_id, "holidays", until, self.now)

    def tier(self) -> None:
        rank, window = self.dice.choice((1, 2, 3)), self.dice.randrange(3, 40)
        with self.database.sessions.begin() as session:
            set_tier(session, self.cast.workspace_id, "test", Tier(rank, f"Tier {rank}", window, rank - 1), self.now)

    def void(self) -> None:
        with self.database.sessions.begin() as session:
            found = session.scalars(select(Touch).order_by(Touch.at.desc()).limit(10)).all()
            if found:
                one = self.dice.choice(found)
                touches.void_touch(session, self.cast.workspace_id, one, "test", "by mistake", self.now)

    def poll(self) -> None:
        """A mailbox is read; sometimes after days in which nobody saw it."""
        box = self.cast.mailbox(self.dice.choice(OWNERS))
        since = self.now - timedelta(hours=self.dice.choice((0, 1, 30, 100)))
        with self.database.sessions.begin() as session:
            mailboxes.mark_clean(session, box, since, self.now)

    def shut(self) -> None:
        first = self.now.date() + timedelta(days=self.dice.randrange(-30, 10))
        with self.database.sessions() as session, session.begin():
            shut = session.scalars(select(ShutdownRow).where(ShutdownRow.ended_at.is_(None))).all()
            if shut and self.dice.random() < 0.5:
                end_shutdown(session, self.cast.workspace_id, "test", shut[0].id, self.now)
            else:
                last = first + timedelta(days=self.dice.randrange(6))
                try:
                    add_shutdown(session, self.cast.workspace_id, "test", Shutdown(first, last, "A break"), self.now)
                except WrongShutdown:
                    return
        self.again()

    def read(self) -> None:
        with self.database.sessions.begin() as session:
            hold_read(session, self.cast.programme, self.now)

    def policy(self) -> None:
        with self.database.sessions.begin() as session:
            others = [one for one in Policy if one is not self.cast.programme.policy]
            session.execute(update(Workspace).values(policy=self.dice.choice(others)))
        self.again()

    def again(self) -> None:
        with self.database.reading() as session:
            programme = programmes(session, load_settings())[0]
        self.cast = replace(self.cast, programme=replace(programme, read_at=self.cast.programme.read_at))

    def refresh(self, limit: int = 10_000) -> int:
        return refresh_clocks(self.database.sessions, self.database.reading, self.cast.programme, self.now, limit)


@dataclass(frozen=True)
class Fixed:
    at: datetime

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def programme(database: Database) -> Programme:
    with database.sessions.begin() as session:
        cast = put_cast(session, started=STARTED, observed_until=MORNING)
    return Programme(database, cast, random.Random(1))


def agree(programme: Programme, weeks: int = 6) -> None:
    """What the indexes say now and about past weeks, beside what the facts say, partner by partner."""
    at = programme.now
    with programme.database.reading() as session:
        counted = [
            (one.tier, one.coverage, one.reply_backed, one.due_soon, one.overdue, one.new, one.blind, one.paused)
            for one in coverage_now(session, programme.cast.programme, at)
        ]
        assert counted == [line[:-1] for line in by_facts(session, programme, at)]
        for line in trend(session, programme.cast.programme, at, weeks):
            if line.source == "snapshot":
                continue
            facts = next(one for one in by_facts(session, programme, line.at) if one[0] == line.tier)
            counted_then = (
                line.tier,
                line.coverage,
                line.reply_backed,
                line.overdue,
                line.new,
                line.blind,
                line.paused,
            )
            assert counted_then == (*facts[:3], *facts[4:8])


def by_facts(session: Session, programme: Programme, at: datetime) -> list[tuple[Any, ...]]:
    lines = standings(session, programme.cast.programme, at)
    in_force = tiers(session, programme.cast.workspace_id, at).values()
    return [
        (
            line.tier,
            line.coverage,
            line.reply_backed,
            line.due_soon,
            line.overdue,
            line.new,
            line.blind,
            line.paused,
            line.previous,
        )
        for line in coverage_lines(lines, in_force)
    ]


def rows_of(session: Session) -> dict[str, list[tuple[Any, ...]]]:
    """The indexes as they stand, without when and how often they were made."""
    clock = PartnerClock.__table__
    kept = [column for column in clock.c if column.name not in ("changes", "judged", "computed_at", "basis")]
    return {
        "clock": sorted(map(tuple, session.execute(select(*kept))), key=str),
        "span": sorted(map(tuple, session.execute(select(WeekSpan.__table__))), key=str),
        "window": sorted(map(tuple, session.execute(select(WeekWindow.__table__))), key=str),
        "tally": sorted(map(tuple, session.execute(select(WeekTally.__table__).where(WeekTally.number != 0))), key=str),
    }


def test_after_ten_thousand_changes_the_indexes_say_what_the_facts_say(programme: Programme) -> None:
    """In larger pages than elsewhere: a page costs what thirty mails on it cost, and what else happens is as much."""
    programme.pages_among, programme.most_mails, changes = 20, 190, 0
    while changes < 10_000:
        before = programme.mails
        programme.happen()
        changes += max(programme.mails - before, 1)
        if programme.dice.random() < 0.2:
            programme.refresh(limit=programme.dice.choice((3, 10_000)))
        if programme.dice.random() < 0.06:
            agree(programme, weeks=3)
    programme.refresh()
    agree(programme, weeks=12)
    assert set(programme.done) == {"mail", "roster", "pause", "tier", "void", "poll", "shut", "read", "policy"}
    with programme.database.reading() as session:
        assert not outdated_partners(session, programme.cast.programme, programme.now)
        incremental = rows_of(session)
    with programme.database.sessions.begin() as session:
        facts_changed(session, programme.cast.workspace_id)
    assert programme.refresh() == len(PARTNERS)
    with programme.database.reading() as session:
        assert rows_of(session) == incremental


def test_a_clock_is_not_trusted_after_a_change_until_it_is_made_anew(programme: Programme) -> None:
    assert programme.refresh() == len(PARTNERS)
    assert programme.refresh() == 0
    programme.mail()
    with programme.database.reading() as session:
        assert outdated_partners(session, programme.cast.programme, programme.now)
    agree(programme)
    assert 0 < programme.refresh() < len(PARTNERS)
    programme.now += timedelta(weeks=1)  # another read was due: spans must reach it
    assert programme.refresh() == len(PARTNERS)
    agree(programme)


@pytest.mark.parametrize("what", ["mail", "void", "roster", "pause", "tier", "poll", "shut", "policy"])
def test_whatever_changes_a_fact_puts_the_clocks_out_of_date(programme: Programme, what: str) -> None:
    programme.mail()
    programme.now += timedelta(days=3)  # so that nobody has seen the mailboxes for longer than a day
    programme.refresh()
    getattr(programme, what)()
    with programme.database.reading() as session:
        assert outdated_partners(session, programme.cast.programme, programme.now)
    agree(programme)


def test_an_import_and_a_mailbox_that_is_connected_put_the_clocks_out_of_date(programme: Programme) -> None:
    programme.refresh()
    with programme.database.sessions.begin() as session:
        row = mailboxes.import_of(session, programme.cast.mailbox(DANA), "file")
        mailboxes.advance_import(session, row.id, None, programme.now, programme.now)
        mailboxes.finish_import(session, programme.cast.workspace_id, row.id, programme.now)
    assert programme.refresh() == len(PARTNERS)
    with programme.database.sessions.begin() as session:
        mailboxes.put_mailbox(session, programme.cast.workspace_id, "test", ROBIN.email, "gmail", programme.now)
    assert programme.refresh() == len(PARTNERS)


def test_a_change_while_clocks_are_made_anew_is_not_lost(programme: Programme) -> None:
    programme.refresh()
    with programme.database.sessions.begin() as session:
        facts_changed(session, programme.cast.workspace_id, [programme.cast.partner(ACME)])
        facts_changed(session, programme.cast.workspace_id, [programme.cast.partner(ACME)])
        row = session.get_one(PartnerClock, programme.cast.partner(ACME))
        assert row.changes - row.judged == 2
    assert programme.refresh() == 1


def test_the_on_time_rate_looks_back_thirteen_weeks_and_no_further(database: Database) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session, partners=(replace(ACME, since=date(2026, 1, 5)),))
        for week in range(40):  # on time for long, then silence
            put_touch(session, cast, ACME, datetime(2026, 1, 6, 10, tzinfo=UTC) + timedelta(weeks=week))
    with database.reading() as session:
        lines = [one for one in trend(session, cast.programme, MONDAY, 30) if one.tier.rank == 1]
    assert (lines[0].on_time.covered, lines[0].on_time.eligible) == (13, 13)
    assert lines[-1].on_time.covered < lines[-1].on_time.eligible
    refresh_clocks(database.sessions, database.reading, cast.programme, MONDAY)
    with database.reading() as session:
        assert [one for one in trend(session, cast.programme, MONDAY, 30) if one.tier.rank == 1] == lines


def test_a_held_read_stands_in_the_trend_as_it_was(database: Database) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session)
        put_touch(session, cast, ACME, MONDAY - timedelta(days=30))
        hold_read(session, cast.programme, MONDAY)
        put_touch(session, cast, GLOBEX, MONDAY - timedelta(days=1), captured_at=MONDAY + timedelta(days=1))
    with database.reading() as session:
        now = MONDAY + timedelta(days=1)
        line = next(one for one in trend(session, cast.programme, now, 1) if one.tier.rank == 1)
    assert (line.source, line.coverage.covered, line.coverage.eligible) == ("snapshot", 0, 3)
    refresh_clocks(database.sessions, database.reading, cast.programme, now)
    with database.reading() as session:
        assert line in trend(session, cast.programme, now, 1)


def test_weeks_older_than_what_is_kept_are_judged_from_the_facts(database: Database) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session, partners=(replace(ACME, since=date(2022, 1, 3)),))
        put_touch(session, cast, ACME, datetime(2022, 6, 1, 10, tzinfo=UTC))
    refresh_clocks(database.sessions, database.reading, cast.programme, MONDAY)
    with database.reading() as session:
        line = next(one for one in trend(session, cast.programme, MONDAY, 250) if one.week == date(2022, 6, 6))
    assert (line.coverage.covered, line.coverage.eligible) == (1, 1)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (Shutdown(date(2026, 12, 24), date(2026, 12, 20), "Christmas"), "lies before"),
        (Shutdown(date(2026, 1, 1), date(2026, 12, 20), "A year"), "pause partners instead"),
        (Shutdown(date(2026, 12, 24), date(2026, 12, 26), " "), "needs a reason"),
        (Shutdown(date(2026, 8, 3), date(2026, 8, 9), "Summer again"), "overlaps with Summer"),
    ],
)
def test_a_shutdown_that_cannot_be_is_refused_with_a_reason(database: Database, wanted: Shutdown, told: str) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session)
        summer = Shutdown(date(2026, 8, 9), date(2026, 8, 14), "Summer")
        add_shutdown(session, cast.workspace_id, "test", summer, MONDAY)
        with pytest.raises(WrongShutdown, match=told):
            add_shutdown(session, cast.workspace_id, "test", wanted, MONDAY)
