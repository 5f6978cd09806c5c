"""Many people, two replicas, one database: one holder, and posted messages that end with the truth."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from models.actions import claims
from models.actions.claims import Taken
from models.actions.partners import PartnerRow
from models.tables import AuditEntry, Claim, Episode, Partner, Person
from tests.cast import ACME, CHANNEL, DANA, MONDAY, PEOPLE, PRIYA, ROBIN, TOMAS, put_cast, put_touch
from tests.databases import Database
from tests.slack_lint import said
from tests.surface import Surface, slip, surface, user

MANAGERS = (DANA, PRIYA, TOMAS, ROBIN)


@pytest.fixture
def two(database: Database) -> Iterator[tuple[Surface, Surface]]:
    """Two replicas of the app, each behind its own server, on one database."""
    with database.sessions.begin() as session:
        cast = put_cast(session)
        slip(session, cast)
    with ExitStack() as stack:
        yield stack.enter_context(surface(database, cast=cast)), stack.enter_context(surface(database, cast=cast))


def at_once(*jobs: Callable[[], object]) -> None:
    start, errors = threading.Barrier(len(jobs)), list[BaseException]()

    def run(job: Callable[[], object]) -> None:
        start.wait()
        try:
            job()
        except BaseException as error:  # told below, in the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors


def current(at: Surface) -> list[str]:
    with at.database.reading() as session:
        query = select(Person.name).join(Claim, Claim.person_id == Person.id).where(Claim.ended_at.is_(None))
        return list(session.scalars(query.order_by(Claim.id)))


def audited(at: Surface, action: str) -> int:
    with at.database.reading() as session:
        return session.scalar(select(func.count()).select_from(AuditEntry).where(AuditEntry.action == action)) or 0


def test_3_many_people_on_two_replicas_and_one_holder(two: tuple[Surface, Surface]) -> None:
    one, other = two
    at_once(*(lambda at=at, who=who: at.ask(who, "claim Acme") for at in two for who in MANAGERS))
    [holder] = current(one)
    answers = {(at is one, who.name): at.whispers(user(who), CHANNEL)[-1].text for at in two for who in MANAGERS}
    for (_, name), text in answers.items():
        expected = ("is yours", "is already yours") if name == holder else (f"{holder} picked up *Acme*",)
        assert any(part in text for part in expected)
    assert audited(other, "claim") == 1


def test_a_release_and_a_claim_at_once_leave_one_truth(two: tuple[Surface, Surface]) -> None:
    one, other = two
    one.ask(DANA, "claim Acme")
    for _ in range(4):
        at_once(lambda: one.ask(DANA, "release Acme"), lambda: other.ask(PRIYA, "claim Acme"))
        [*now] = current(one)
        assert now in (["Priya Nair"], [])
        other.ask(PRIYA, "release Acme")
        one.ask(DANA, "claim Acme")
        assert current(one) == ["Dana Kim"]


def test_two_leads_who_assign_at_once_leave_one_holder(two: tuple[Surface, Surface]) -> None:
    one, other = two
    with one.database.sessions.begin() as session:
        session.get_one(Person, one.cast.person(TOMAS)).role = "lead"
    one.ask(DANA, "claim Acme")
    at_once(
        lambda: one.ask(ROBIN, "claim Acme for Priya"),
        lambda: other.ask(TOMAS, "claim Acme for Robin"),
        lambda: other.ask(DANA, "release Acme"),
    )
    assert len(current(one)) == 1
    assert current(one)[0] in ("Priya Nair", "Robin Okafor")


def test_a_yes_and_a_reassignment_at_once_leave_one_claim(two: tuple[Surface, Surface]) -> None:
    one, other = two
    one.ask(ROBIN, "claim Acme for Priya")
    at_once(lambda: one.ask(PRIYA, "claim Acme"), lambda: other.ask(ROBIN, "claim Acme for Dana"))
    assert current(one) == ["Dana Kim"]


def test_a_mail_and_a_claim_at_once_leave_no_claim_on_a_closed_episode(two: tuple[Surface, Surface]) -> None:
    one, _ = two

    def touched() -> None:
        with one.database.sessions.begin() as session:
            put_touch(session, one.cast, ACME, one.clock.at - timedelta(minutes=1))

    at_once(touched, lambda: one.ask(DANA, "claim Acme"))
    one.ask(PRIYA, "claim Acme")  # whatever came first: now it is known
    with one.database.reading() as session:
        rows = session.execute(
            select(Episode.closed_at, Claim.ended_at)
            .join(Claim, Claim.episode_id == Episode.id)
            .where(Episode.partner_id == one.cast.partner(ACME))
        ).all()
    assert all((closed is None) == (ended is None) for closed, ended in rows)


def test_4_thirty_claims_in_ten_seconds_are_at_most_eight_updates_and_the_last_shows_the_truth(
    database: Database,
) -> None:
    since = (MONDAY - timedelta(days=60)).date()
    rows = tuple(
        PartnerRow(f"Partner {number:02}", 1, DANA.email, (f"p{number}.example",), since=since) for number in range(15)
    )
    with database.sessions.begin() as session:
        cast = put_cast(session, partners=rows)
        for row in rows:
            put_touch(session, cast, row, MONDAY - timedelta(days=30))
    with surface(database, cast=cast) as at:
        at.hold_read()
        parent = at.read().ts
        ids = list(cast.partner_ids.values())
        for number in range(30):  # claimed, and the second half given back by others' claims
            partner_id = ids[number % len(ids)]
            with database.sessions.begin() as session:
                if number < 15:
                    taken = claims.claim(session, cast.programme, partner_id, cast.person(DANA), at.clock.at)
                    assert taken.taken is Taken.CLAIMED
                else:
                    lead, to = cast.person(ROBIN), cast.person(PRIYA)
                    claims.assign(session, cast.programme, partner_id, to, lead, at.clock.at)
            at.clock.at += timedelta(seconds=10 / 30)
            at.outbox.pump(cast.workspace_id)
        at.clock.at += timedelta(seconds=3)
        at.outbox.pump(cast.workspace_id)
        updates = [one for one in at.slack.faults.called("chat.update") if parent in str(one)]
        assert 1 <= len(updates) <= 8
        words = said(at.read().blocks)
        assert "Dana Kim is on it" not in words
        assert words.count("Priya Nair was asked") == words.count("*Partner ")
        assert len(PEOPLE) == 5
        with database.reading() as session:
            assert session.scalar(select(func.count()).select_from(Partner)) == 15
