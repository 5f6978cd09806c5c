"""Who has slipped by the stored clocks has slipped by the facts, whether clocks are made, stale or missing."""

import random
from datetime import date, timedelta

import pytest
from sqlalchemy import event

from models.actions.clocks import facts_changed, refresh_clocks
from models.actions.partners import PartnerRow
from models.actions.pauses import pause
from models.cadence import State
from models.queries.slipped import Slipped, slipped
from models.queries.standings import standings
from models.standing import Standing, sort_key
from tests.cast import DANA, MONDAY, PARTNERS, PRIYA, ROBIN, TOMAS, Cast, put_cast, put_touch
from tests.databases import Database

DAY = timedelta(days=1)


def by_facts(found: list[Standing]) -> list[Slipped]:
    late = sorted((one for one in found if one.state in (State.OVERDUE, State.BLIND)), key=sort_key)
    return [
        Slipped(
            one.facts.partner_id,
            one.facts.name,
            one.facts.tier,
            one.facts.owner.id if one.facts.owner else None,
            one.state is State.BLIND,
        )
        for one in late
        if one.facts.tier
    ]


def crowd(database: Database, observed_days: int | None) -> Cast:
    dice = random.Random(7)
    owners = (DANA.email, PRIYA.email, TOMAS.email, None)
    more = tuple(
        PartnerRow(
            f"Quiet {number:02}",
            dice.choice((1, 2, 3, None)),
            dice.choice(owners),
            (f"q{number}.example",),
            since=date(2026, 8, 31) + number * DAY,
        )
        for number in range(80)
    )
    until = None if observed_days is None else MONDAY - observed_days * DAY
    with database.sessions.begin() as session:
        cast = put_cast(session, partners=(*PARTNERS, *more), observed_until=until)
        for partner in more:
            if dice.random() < 0.8:
                put_touch(session, cast, partner, MONDAY - dice.randrange(60) * DAY)
        for partner in more[:6]:
            pause(
                session,
                cast.programme,
                cast.partner(partner),
                "x",
                (MONDAY + 3 * DAY).date(),
                cast.person(ROBIN),
                MONDAY,
            )
    return cast


@pytest.mark.parametrize("observed_days", [0, 3, 10, 25, None])
def test_clocks_and_facts_agree_on_who_slipped(database: Database, observed_days: int | None) -> None:
    cast = crowd(database, observed_days)
    for days in (0, 1, 4, 12):
        now = MONDAY + days * DAY
        for step in ("missing", "made", "some stale"):
            if step == "made":
                refresh_clocks(database.sessions, database.reading, cast.programme, now)
            if step == "some stale":
                with database.sessions.begin() as session:
                    facts_changed(session, cast.workspace_id, list(cast.partner_ids.values())[::3])
            with database.reading() as session:
                assert slipped(session, cast.programme, now) == by_facts(standings(session, cast.programme, now))


def test_the_number_of_statements_does_not_grow_with_the_roster(database: Database) -> None:
    cast = crowd(database, 0)
    refresh_clocks(database.sessions, database.reading, cast.programme, MONDAY)
    said: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: said.append(given[2]))
    with database.reading() as session:
        assert slipped(session, cast.programme, MONDAY)
    assert len(said) <= 5
