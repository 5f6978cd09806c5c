"""Many claims in one transaction are what they are one after another, for hardly more statements."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from bot.listeners.claims import Press, claim_presses
from bot.listeners.desk import Visitor
from models.actions import claims
from models.actions.claims import Ask, ClaimResult, Released, Taken
from models.actions.partners import PartnerRow
from models.actions.people import PersonRow
from models.queries.programme import people
from models.tables import AuditEntry, Claim, Episode, Partner, Person
from tests.cast import ACME, DANA, GLOBEX, INITECH, MONDAY, PRIYA, ROBIN, TOMAS, Cast, put_cast, put_touch
from tests.databases import Database
from tests.surface import slip

MANY = tuple(
    PartnerRow(f"Quiet {number:02}", 1, DANA.email, (f"q{number}.example",), since=(MONDAY - timedelta(days=60)).date())
    for number in range(40)
)
Result = TypeVar("Result")
ELSEWHERE = 4_000_000
"""A partner that this programme does not have."""


@pytest.fixture
def cast(database: Database) -> Cast:
    with database.sessions.begin() as session:
        cast = put_cast(session)
        slip(session, cast)
    return cast


def asks_of(cast: Cast) -> list[Ask]:
    """Everything that a burst can bring: firsts, seconds, the same twice, nothing to do, a lead's wish, a stranger."""
    acme, initech, globex = (cast.partner(one) for one in (ACME, INITECH, GLOBEX))
    dana, priya, tomas, robin = (cast.person(one) for one in (DANA, PRIYA, TOMAS, ROBIN))
    return [
        Ask(acme, dana),
        Ask(acme, priya),
        Ask(globex, priya),
        Ask(initech, tomas, assigned_by_id=robin),
        Ask(initech, tomas),
        Ask(acme, dana),
        Ask(ELSEWHERE, dana),
        Ask(initech, robin, assigned_by_id=robin),
    ]


def facts(session: Session) -> list[object]:
    """All that the claims wrote, without the numbers of the rows."""
    claimed = select(Partner.name, Person.name, Claim.due_on, Claim.assigned_by_id, Claim.accepted_at, Claim.ended_at)
    episodes = select(Partner.name, Episode.opened_at, Episode.closed_at).join(Partner).order_by(Partner.name)
    joined = (
        claimed.join(Episode, Claim.episode_id == Episode.id).join(Partner).join(Person, Claim.person_id == Person.id)
    )
    written = select(AuditEntry.actor, AuditEntry.action, AuditEntry.subject, AuditEntry.before, AuditEntry.after)
    return [
        sorted(map(tuple, session.execute(joined)), key=repr),
        sorted(map(tuple, session.execute(episodes)), key=repr),
        sorted(map(tuple, session.execute(written)), key=repr),
    ]


def tried(database: Database, work: Callable[[Session], Result]) -> tuple[Result, list[object]]:
    """What came out and what was written, taken back."""
    with database.sessions() as session:
        try:
            return work(session), facts(session)
        finally:
            session.rollback()


def told(results: Sequence[ClaimResult]) -> list[tuple[object, ...]]:
    return [(one.taken, one.holder_id, one.holder, one.due_on, one.asked, one.partner) for one in results]


def statements_of(database: Database, work: Callable[[Session], object]) -> int:
    seen: list[str] = []

    def hear(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if "INTO audit_entry" not in statement:  # SQLite is brought them one by one
            seen.append(statement)

    with database.sessions() as session:
        event.listen(database.engine, "before_cursor_execute", hear)
        try:
            work(session)
        finally:
            event.remove(database.engine, "before_cursor_execute", hear)
            session.rollback()
    return len(seen)


def test_claims_in_one_transaction_are_what_they_are_one_by_one(database: Database, cast: Cast) -> None:
    def one_by_one(session: Session) -> list[tuple[object, ...]]:
        results: list[ClaimResult] = []
        for ask in asks_of(cast):
            results += claims.claim_all(session, cast.programme, [ask], MONDAY)
        return told(results)

    def together(session: Session) -> list[tuple[object, ...]]:
        return told(claims.claim_all(session, cast.programme, asks_of(cast), MONDAY))

    slowly = tried(database, one_by_one)
    assert slowly == tried(database, together)
    taken = [one[0] for one in slowly[0]]
    assert taken == [
        Taken.CLAIMED,
        Taken.TAKEN,
        Taken.NOTHING,
        Taken.CLAIMED,
        Taken.YOURS,
        Taken.YOURS,
        Taken.NOTHING,
        Taken.TAKEN,
    ]


def test_releases_in_one_transaction_are_what_they_are_one_by_one(database: Database, cast: Cast) -> None:
    asks = [ask for ask in asks_of(cast) if ask.assigned_by_id is None]
    with database.sessions.begin() as session:
        claims.claim_all(session, cast.programme, asks_of(cast)[:4], MONDAY)

    def one_by_one(session: Session) -> list[Released]:
        found = []
        for ask in asks:
            found += claims.release_all(session, cast.programme, [ask], MONDAY)
        return found

    slowly = tried(database, one_by_one)
    assert slowly == tried(database, lambda session: claims.release_all(session, cast.programme, asks, MONDAY))
    assert [one.given for one in slowly[0]] == [True, False, False, True, False, False]


def test_what_was_touched_or_slipped_since_is_settled_for_each_of_a_burst(database: Database, cast: Cast) -> None:
    acme, initech = cast.partner(ACME), cast.partner(INITECH)
    with database.sessions.begin() as session:
        claims.claim(session, cast.programme, acme, cast.person(DANA), MONDAY)
        put_touch(session, cast, ACME, MONDAY + timedelta(hours=1))
    later = MONDAY + timedelta(hours=2)
    with database.sessions.begin() as session:
        asks = [Ask(acme, cast.person(PRIYA)), Ask(initech, cast.person(PRIYA))]
        results = claims.claim_all(session, cast.programme, asks, later)
    assert [one.taken for one in results] == [Taken.NOTHING, Taken.CLAIMED]
    with database.reading() as session:
        episodes = {row.partner_id: row.outcome for row in session.execute(select(Episode.partner_id, Episode.outcome))}
    assert episodes == {acme: "recovered", initech: None}


@pytest.mark.parametrize("lead", [None, ROBIN])
def test_a_burst_asks_hardly_more_of_the_database_than_one_claim(database: Database, lead: PersonRow | None) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session, partners=MANY)
    asks = [Ask(cast.partner(one), cast.person(DANA), cast.person(lead) if lead else None) for one in MANY]
    alone = statements_of(database, lambda session: claims.claim_all(session, cast.programme, asks[:1], MONDAY))
    burst = statements_of(database, lambda session: claims.claim_all(session, cast.programme, asks, MONDAY))
    assert burst <= alone + 4


def test_a_click_that_comes_twice_into_one_transaction_is_answered_once(database: Database, cast: Cast) -> None:
    with database.reading() as session:
        dana = next(one for one in people(session, cast.workspace_id) if one.id == cast.person(DANA))
    visitor = Visitor(cast.programme, dana, False, MONDAY.date())
    first, again, typed = (Press(key, cast.partner(ACME), visitor, MONDAY) for key in ("click", "click", None))
    with database.sessions.begin() as session:
        answers = claim_presses(session, [first, again, typed])
    assert [one and one.taken for one in answers] == [Taken.CLAIMED, None, Taken.YOURS]
    with database.sessions.begin() as session:
        assert claim_presses(session, [again]) == [None]
