"""Episodes, claims and next steps: what opens, who wins, and what alone can close."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.actions import claims, episodes, next_steps, touches
from models.actions.claims import Taken
from models.actions.partners import pause_partner, put_partner
from models.actions.programme import set_tier
from models.actions.shutdowns import add_shutdown
from models.cadence import Shutdown, State, Status, Tier
from models.queries.programme import programmes
from models.queries.standings import standings
from models.settings import load_settings
from models.standing import Standing
from models.tables import AuditEntry, Claim, Episode, NextStep, Touch
from tests.cast import ACME, DANA, GLOBEX, MONDAY, PRIYA, TOMAS, Cast, put_cast, put_touch
from tests.databases import Database

QUIET_SINCE = MONDAY - timedelta(days=23)


@pytest.fixture
def cast(database: Database) -> Cast:
    """The cast, with Acme silent for 23 days and an episode open since Monday's read."""
    with database.sessions.begin() as session:
        cast = put_cast(session)
        put_touch(session, cast, ACME, QUIET_SINCE)
        assert len(episodes.open_episodes(session, cast.programme, [standing(session, cast)], MONDAY)) == 1
    return cast


def standing(session: Session, cast: Cast, at: datetime = MONDAY) -> Standing:
    return standings(session, cast.programme, at, partner_ids={cast.partner(ACME)})[0]


def seen_episodes(database: Database) -> list[tuple[str | None, bool]]:
    with database.reading() as session:
        return [(row.outcome, row.closed_at is None) for row in session.scalars(select(Episode).order_by(Episode.id))]


def audited(database: Database, action: str) -> int:
    with database.reading() as session:
        query = select(func.count()).select_from(AuditEntry).where(AuditEntry.action == action)
        return session.scalar(query) or 0


def press(session: Session, cast: Cast, who: int, at: datetime = MONDAY) -> claims.ClaimResult:
    return claims.claim(session, cast.programme, cast.partner(ACME), who, at)


def test_a_partner_has_one_open_episode_however_often_the_sweep_runs(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        for hours in range(3):
            now = MONDAY + timedelta(hours=hours)
            assert len(episodes.open_episodes(session, cast.programme, [standing(session, cast)], now)) == 0
    assert seen_episodes(database) == [(None, True)]
    assert audited(database, "open episode") == 1


def test_the_first_press_claims_and_names_the_day_it_is_due(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        result = press(session, cast, cast.person(DANA))
    claimed = claims.ClaimResult(
        Taken.CLAIMED, cast.person(DANA), "Dana Kim", date(2026, 11, 25), claim_id=result.claim_id, partner="Acme"
    )
    assert result == claimed
    assert result.claim_id is not None


def test_pressing_again_is_no_error_and_changes_nothing(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        press(session, cast, cast.person(DANA))
    with database.sessions.begin() as session:
        assert press(session, cast, cast.person(DANA)).taken is Taken.YOURS
    assert audited(database, "claim") == 1


def test_who_comes_second_is_told_who_was_first(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        press(session, cast, cast.person(DANA))
    with database.sessions.begin() as session:
        result = press(session, cast, cast.person(PRIYA))
    assert (result.taken, result.holder) == (Taken.TAKEN, "Dana Kim")


def test_of_many_who_press_in_the_same_instant_exactly_one_wins(database: Database, cast: Cast) -> None:
    people = [cast.person(one) for one in (DANA, PRIYA, TOMAS)] * 3
    start, results = threading.Barrier(len(people)), []

    def one(who: int) -> Callable[[], None]:
        def run() -> None:
            start.wait()
            with database.sessions.begin() as session:
                results.append((who, press(session, cast, who)))

        return run

    threads = [threading.Thread(target=one(who)) for who in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        holders = list(session.scalars(select(Claim.person_id)))
    assert len(results) == len(people)
    assert len(holders) == 1
    assert [who for who, result in results if result.taken is Taken.CLAIMED] == holders
    assert all(
        result.taken is (Taken.YOURS if who == holders[0] else Taken.TAKEN)
        for who, result in results
        if result.taken is not Taken.CLAIMED
    )
    assert audited(database, "claim") == 1


def test_a_claim_that_meets_the_closing_of_its_episode_finds_nothing_to_take(database: Database, cast: Cast) -> None:
    """Capture has found the recovering touch, and has not committed yet when somebody presses."""
    later, results = MONDAY + timedelta(hours=5), []

    def run() -> None:
        with database.sessions.begin() as session:
            results.append(press(session, cast, cast.person(PRIYA), later).taken)

    presser = threading.Thread(target=run)
    with database.sessions.begin() as session:
        put_touch(session, cast, ACME, later - timedelta(minutes=1))
        assert episodes.settle_episodes(session, cast.programme, later) == 1
        presser.start()
        presser.join(1)
    presser.join()
    with database.reading() as session:
        assert list(session.scalars(select(Claim.id))) == []
    assert results == [Taken.NOTHING]


def test_a_claim_changes_neither_state_nor_coverage(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        before = standing(session, cast)
        press(session, cast, cast.person(DANA))
        after = standing(session, cast)
    assert (after.state, after.covered, after.days_overdue) == (before.state, before.covered, before.days_overdue)
    assert after.claim is not None
    assert after.claim.by.name == "Dana Kim"


def test_a_captured_touch_closes_the_episode_whoever_wrote_it(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        press(session, cast, cast.person(DANA))
    later = MONDAY + timedelta(hours=5)
    with database.sessions.begin() as session:
        put_touch(session, cast, ACME, later - timedelta(minutes=2), by=PRIYA)
        assert episodes.settle_episodes(session, cast.programme, later) == 1
    assert seen_episodes(database) == [("recovered", False)]
    with database.reading() as session:
        assert list(session.scalars(select(Claim.end_reason))) == ["closed"]
        assert standing(session, cast, later).state is State.ON_PACE


def test_what_does_not_count_closes_nothing(database: Database, cast: Cast) -> None:
    later = MONDAY + timedelta(hours=5)
    with database.sessions.begin() as session:
        put_touch(session, cast, ACME, later, verdict="auto")
        put_touch(session, cast, ACME, later, field="bcc")
        put_touch(session, cast, ACME, later, by="hello@acme.example")
        assert episodes.settle_episodes(session, cast.programme, later) == 0
    assert seen_episodes(database) == [(None, True)]


def test_evidence_that_arrives_late_says_that_the_partner_was_never_overdue(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        put_touch(session, cast, ACME, MONDAY - timedelta(days=2), captured_at=MONDAY + timedelta(hours=3))
        assert episodes.settle_episodes(session, cast.programme, MONDAY + timedelta(hours=3)) == 1
    assert seen_episodes(database) == [("late_evidence", False)]


def test_a_shutdown_that_is_entered_late_resolves_it_as_such_and_not_as_a_touch(database: Database, cast: Cast) -> None:
    later = MONDAY + timedelta(hours=3)
    with database.sessions.begin() as session:
        days = Shutdown(date(2026, 11, 2), date(2026, 11, 20), "Moving house")
        add_shutdown(session, cast.workspace_id, "test", days, later)
        [programme] = programmes(session, load_settings())
        assert episodes.settle_episodes(session, programme, later) == 1
    assert seen_episodes(database) == [("shutdown", False)]


def test_an_older_touch_that_was_too_old_anyway_leaves_the_episode_open(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        put_touch(session, cast, ACME, MONDAY - timedelta(days=9), captured_at=MONDAY)
        assert episodes.settle_episodes(session, cast.programme, MONDAY + timedelta(hours=3)) == 0
    assert seen_episodes(database) == [(None, True)]


def test_a_recovery_that_was_captured_weeks_later_still_is_one(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        put_touch(session, cast, ACME, MONDAY + timedelta(days=1), captured_at=MONDAY + timedelta(days=20))
        episodes.settle_episodes(session, cast.programme, MONDAY + timedelta(days=20))
    assert seen_episodes(database) == [("recovered", False)]


@pytest.mark.parametrize("outcome", ["paused", "ended", "re_tiered"])
def test_a_decision_about_the_partner_resolves_the_episode_as_such(
    database: Database, cast: Cast, outcome: str
) -> None:
    later = MONDAY + timedelta(hours=1)
    with database.sessions.begin() as session:
        if outcome == "paused":
            pause_partner(session, cast.workspace_id, "test", cast.partner(ACME), "merger", date(2027, 1, 1), later)
        elif outcome == "ended":
            put_partner(session, cast.workspace_id, "test", replace(ACME, status=Status.ENDED), later)
        else:
            set_tier(session, cast.workspace_id, "test", Tier(1, "Tier 1", 40), later)
        episodes.settle_episodes(session, cast.programme, later)
    assert seen_episodes(database) == [(outcome, False)]


def test_voiding_the_recovering_touch_reopens_the_episode(database: Database, cast: Cast) -> None:
    later = MONDAY + timedelta(hours=5)
    with database.sessions.begin() as session:
        touch_id = put_touch(session, cast, ACME, later)
        episodes.settle_episodes(session, cast.programme, later)
    with database.sessions.begin() as session:
        touches.void_touch(session, cast.workspace_id, session.get_one(Touch, touch_id), "test", "bounced", later)
        assert episodes.reopen_if_voided(session, cast.programme, later) == 1
        assert standing(session, cast, later).state is State.OVERDUE
    assert seen_episodes(database) == [(None, True)]


def test_only_the_holder_can_release_and_then_the_partner_is_free_again(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        press(session, cast, cast.person(DANA))
        assert not claims.release(session, cast.programme, cast.partner(ACME), cast.person(PRIYA), MONDAY)
        assert claims.release(session, cast.programme, cast.partner(ACME), cast.person(DANA), MONDAY)
        assert not claims.release(session, cast.programme, cast.partner(ACME), cast.person(DANA), MONDAY)
        assert press(session, cast, cast.person(PRIYA)).taken is Taken.CLAIMED
    assert audited(database, "release") == 1


def test_a_claim_lapses_the_day_after_it_was_due_and_only_once(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        press(session, cast, cast.person(DANA))
    on_the_day = MONDAY + timedelta(days=2)
    with database.sessions.begin() as session:
        assert claims.lapse_claims(session, cast.programme, on_the_day) == []
        lapsed = claims.lapse_claims(session, cast.programme, on_the_day + timedelta(days=1))
        assert [(one.person_id, one.partner_id) for one in lapsed] == [(cast.person(DANA), cast.partner(ACME))]
        assert claims.lapse_claims(session, cast.programme, on_the_day + timedelta(days=1)) == []
    assert seen_episodes(database) == [(None, True)]


def test_there_is_nothing_to_claim_on_a_partner_that_is_in_time(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        put_touch(session, cast, GLOBEX, MONDAY - timedelta(days=1))
        result = claims.claim(session, cast.programme, cast.partner(GLOBEX), cast.person(DANA), MONDAY)
    assert result.taken is Taken.NOTHING


def test_a_press_on_a_partner_that_recovered_meanwhile_finds_nothing_to_do(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        put_touch(session, cast, ACME, MONDAY + timedelta(minutes=1))
        assert press(session, cast, cast.person(DANA), MONDAY + timedelta(minutes=2)).taken is Taken.NOTHING
    assert seen_episodes(database) == [("recovered", False)]


def test_a_new_next_step_keeps_the_one_before_it_in_the_history(database: Database, cast: Cast) -> None:
    acme, dana = cast.partner(ACME), cast.person(DANA)
    with database.sessions.begin() as session:
        for text in ("Send the deck", "Book the review"):
            next_steps.set_next_step(
                session, cast.programme, acme, text, dana, date(2026, 11, 27), dana, "test", MONDAY
            )
    with database.reading() as session:
        rows = session.execute(select(NextStep.text, NextStep.end_reason).order_by(NextStep.id)).all()
        step = standing(session, cast).facts.next_step
    assert [tuple(row) for row in rows] == [("Send the deck", "superseded"), ("Book the review", None)]
    assert step is not None
    assert (step.text, step.due_on) == ("Book the review", date(2026, 11, 27))
