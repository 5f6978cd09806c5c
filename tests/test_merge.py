"""Two partners that turn out to be one: everything of the one becomes the other's, and what was said stays said."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from jobs.capture import Capture, Report
from jobs.recovery import sweep
from jobs.roster.csv import import_partners
from jobs.weekly_read import hold_and_post
from models.actions.merge import Merged, merge_partners
from models.actions.next_steps import set_next_step
from models.actions.partners import PartnerRow
from models.actions.wishes import mute
from models.queries.mail import roster
from models.queries.reads import held_read
from models.queries.roster import PartnerLine, partner_lines
from models.queries.standings import standings
from models.standing import Standing
from models.tables import AuditEntry, Claim, Episode, MutedPartner, NextStep, Partner, ReadLine, Sighting, Touch
from tests.capture_world import Office, letter, office
from tests.cast import ACME, DANA, GLOBEX, HOOLI, INITECH, MONDAY, PRIYA, ROBIN, Cast, put_cast, put_touch
from tests.command_line import CommandLine
from tests.databases import Database
from tests.surface import slip, surface

DAY = timedelta(days=1)


@pytest.fixture
def cast(database: Database) -> Cast:
    with database.sessions.begin() as session:
        return put_cast(session)


@pytest.fixture
def work(database: Database) -> Iterator[Office]:
    with office(database) as made:
        made.poll()
        yield made


LATER = MONDAY + timedelta(hours=2)


def merge(database: Database, cast: Cast, gone: PartnerRow, kept: PartnerRow) -> Merged:
    with database.sessions.begin() as session:
        return merge_partners(session, cast.programme, "person:1", cast.partner(gone), cast.partner(kept), LATER)


def standing(database: Database, cast: Cast, partner: PartnerRow) -> Standing:
    with database.reading() as session:
        [one] = standings(session, cast.programme, LATER, partner_ids=[cast.partner(partner)])
        return one


def lines(database: Database, cast: Cast) -> dict[str, PartnerLine]:
    with database.reading() as session:
        return {one.name: one for one in partner_lines(session, cast.workspace_id).values()}


def touches(database: Database) -> list[tuple[str, str, str]]:
    """(partner, field, how it matched) of each touch that stands."""
    with database.reading() as session:
        rows = session.execute(
            select(Partner.name, Touch.field, Touch.matched_by)
            .join(Partner)
            .where(Touch.voided_at.is_(None))
            .order_by(Touch.at, Touch.id)
        )
        return [(row.name, row.field, row.matched_by) for row in rows]


def test_touches_addresses_and_clock_become_the_others(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        put_touch(session, cast, INITECH, MONDAY - 2 * DAY)
        put_touch(session, cast, ACME, MONDAY - 30 * DAY)
    done = merge(database, cast, INITECH, ACME)
    assert (done.touches, done.common) == (1, 0)
    assert (done.domains, done.contacts) == (INITECH.domains, INITECH.contacts)
    assert standing(database, cast, ACME).days_since == 2
    there = lines(database, cast)
    assert "Initech" not in there
    assert there["Acme"].domains == ("acme.example", "initech.example")
    assert there["Acme"].contacts == ("bill@lumbergh.example", "wendy@acme-mail.example")
    assert (there["Acme"].tier, there["Acme"].owner_email) == (1, DANA.email)


def test_a_mail_that_both_have_is_kept_once_with_its_best_match(work: Office) -> None:
    work.send(letter(DANA.email, "hank@globex.example", cc="wendy@acme-mail.example", message_id="both"))
    work.poll()
    assert len(work.touches()) == 2
    cast = work.cast
    done = merge(work.database, cast, GLOBEX, ACME)
    assert (done.touches, done.common) == (0, 1)
    assert touches(work.database) == [("Acme", "to", "domain")]
    assert work.sightings() == 1
    again = work.poll()
    assert again.touches == 0


def test_a_copy_under_another_message_id_is_the_same_mail(work: Office) -> None:
    mail = letter(DANA.email, "hank@globex.example, wile@acme.example", "Hello", message_id="one")
    work.send(mail)
    work.poll()
    with work.database.sessions.begin() as session:
        touch = session.scalars(select(Touch).where(Touch.partner_id == work.cast.partner(GLOBEX))).one()
        touch.dedupe_key = "two@mail.example"
    assert merge(work.database, work.cast, GLOBEX, ACME).common == 1
    assert len(work.touches()) == 1


def test_what_an_earlier_move_has_voided_is_taken_back_by_the_merge(work: Office) -> None:
    work.send(letter(DANA.email, "wile@acme.example", message_id="m1"), at=MONDAY - DAY)
    work.poll()
    rows = (
        "name,tier,owner_email,domains,contacts\n"
        f"Acme,1,{DANA.email},,wendy@acme-mail.example\nGlobex,1,{PRIYA.email},globex.example;acme.example,"
    )
    with work.database.sessions.begin() as session:
        import_partners(session, work.cast.programme, rows.encode(), MONDAY)
    assert [one[0] for one in work.touches()] == ["Globex"]
    merge(work.database, work.cast, GLOBEX, ACME)
    assert [one[0] for one in work.touches()] == ["Acme"]
    with work.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Touch)) == 1


def test_no_mailbox_is_asked_and_later_mail_finds_its_partner(work: Office) -> None:
    work.receive(letter("hank@globex.example", DANA.email, message_id="early"))
    work.poll()
    merge(work.database, work.cast, GLOBEX, ACME)
    assert not work.queue()
    work.receive(letter("hank@globex.example", DANA.email, message_id="late"))
    work.poll()
    assert [(one[0], one[3]) for one in work.touches()] == [("Acme", "early"), ("Acme", "late")]


def test_a_page_judged_before_the_merge_is_judged_again(work: Office) -> None:
    provider_id = work.receive(letter("hank@globex.example", DANA.email, message_id="meanwhile"))
    capture = Capture(work.database.sessions, work.database.reading, work.clock)
    judged = capture.decide(work.cast.programme, DANA.email, work.providers[DANA.email].fetch([provider_id]))
    merge(work.database, work.cast, GLOBEX, ACME)
    with work.database.sessions.begin() as session:
        capture.store(session, work.cast.programme, work.facts().id, judged, Report(DANA.email))
    assert [(one[0], one[3]) for one in work.touches()] == [("Acme", "meanwhile")]


def test_the_claim_goes_on_with_the_recovery_that_is_left(database: Database) -> None:
    with surface(database) as at:
        at.press_and_hear(PRIYA, at.hold_read(), f"claim:{at.cast.partner(INITECH)}")
        done = merge(database, at.cast, INITECH, ACME)
        assert done.recovery_moved
        claim = standing(database, at.cast, ACME).claim
        assert claim is not None
        assert claim.by.name == "Priya Nair"
        at.clock.at = LATER + timedelta(minutes=5)
        at.pump()
        words = str(at.read().blocks)
        assert "Merged into another partner" in words
        assert "Priya Nair is on it" in words
    with database.reading() as session:
        outcomes = {row.partner_id: row.outcome for row in session.scalars(select(Episode))}
        assert outcomes[at.cast.partner(INITECH)] == "merged"
        assert outcomes[at.cast.partner(ACME)] is None
        assert session.scalar(select(func.count()).select_from(Claim).where(Claim.ended_at.is_(None))) == 1


@pytest.mark.parametrize("days", [3, 20])
def test_a_recovery_moves_only_where_there_is_one_to_make(database: Database, cast: Cast, days: int) -> None:
    with database.sessions.begin() as session:
        put_touch(session, cast, ACME, MONDAY - 20 * DAY)
    sweep(database.sessions, cast.programme, MONDAY)
    with database.sessions.begin() as session:
        put_touch(session, cast, HOOLI, MONDAY - timedelta(days=days))
        for episode in session.scalars(select(Episode).where(Episode.partner_id == cast.partner(HOOLI))):
            session.delete(episode)
    assert merge(database, cast, ACME, HOOLI).recovery_moved is (days == 20)
    with database.reading() as session:
        open_now = session.scalars(select(Episode.partner_id).where(Episode.closed_at.is_(None))).all()
    assert (cast.partner(HOOLI) in open_now) is (days == 20)
    assert cast.partner(ACME) not in open_now


def test_the_next_step_moves_unless_there_is_one(database: Database, cast: Cast) -> None:
    def agree(partner: PartnerRow, text: str) -> None:
        with database.sessions.begin() as session:
            set_next_step(
                session, cast.programme, cast.partner(partner), text, cast.person(DANA), None, None, "test", MONDAY
            )

    agree(INITECH, "Send the offer")
    assert merge(database, cast, INITECH, ACME).step_moved == "Send the offer"
    agree(GLOBEX, "Call")
    done = merge(database, cast, GLOBEX, ACME)
    assert (done.step_moved, done.step_ended) == (None, "Call")
    step = standing(database, cast, ACME).facts.next_step
    assert step is not None
    assert step.text == "Send the offer"
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(NextStep)) == 2


def test_who_wanted_no_nudges_about_the_one_gets_none_about_the_other(database: Database, cast: Cast) -> None:
    dana, priya = cast.person(DANA), cast.person(PRIYA)
    with database.sessions.begin() as session:
        for person_id, partner in ((dana, ACME), (dana, GLOBEX), (priya, ACME)):
            mute(session, cast.workspace_id, person_id, cast.partner(partner), MONDAY)
    assert merge(database, cast, ACME, GLOBEX).mutes == 1
    with database.reading() as session:
        rows = session.execute(select(MutedPartner.person_id, MutedPartner.partner_id)).all()
        assert sorted(rows) == sorted((one, cast.partner(GLOBEX)) for one in (dana, priya))


def test_a_read_that_was_held_keeps_both_lines(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        slip(session, cast)
    read_id = hold_and_post(database.sessions, cast.programme, MONDAY)
    assert read_id is not None

    def picture() -> list[tuple[str, str, int]]:
        with database.reading() as session:
            lines = held_read(session, cast.programme, read_id or 0, MONDAY).read.overdue
        return [(one.facts.name, str(one.state), one.days_overdue) for one in lines]

    before = picture()
    with database.reading() as session:
        snapshot = session.execute(select(ReadLine.partner_id, ReadLine.state).order_by(ReadLine.partner_id)).all()
    merge(database, cast, INITECH, ACME)
    assert picture() == before
    with database.reading() as session:
        assert (
            snapshot == session.execute(select(ReadLine.partner_id, ReadLine.state).order_by(ReadLine.partner_id)).all()
        )


def test_a_week_that_is_reconstructed_knows_the_merged_partner_only(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        put_touch(session, cast, INITECH, MONDAY - 30 * DAY)
    merge(database, cast, INITECH, ACME)
    with database.reading() as session:
        then = {one.facts.name: one for one in standings(session, cast.programme, MONDAY - 28 * DAY)}
    assert str(then["Initech"].state) == "ended"
    assert str(then["Acme"].state) == "on_pace"


def test_both_have_an_audit_entry_with_what_was_before(database: Database, cast: Cast) -> None:
    merge(database, cast, INITECH, ACME)
    with database.reading() as session:
        found = {
            row.subject: row
            for row in session.scalars(
                select(AuditEntry).where(AuditEntry.action.in_(["merge partner", "take in partner"]))
            )
        }
    gone, kept = found[f"partner:{cast.partner(INITECH)}"], found[f"partner:{cast.partner(ACME)}"]
    assert (gone.before or {})["domains"] == ["initech.example"]
    assert (gone.after or {})["merged into"] == cast.partner(ACME)
    assert (kept.before or {})["domains"] == ["acme.example"]
    assert (kept.after or {})["domains"] == ["acme.example", "initech.example"]
    assert gone.actor == kept.actor == "person:1"


def test_a_merge_that_is_not_finished_changes_nothing(database: Database, cast: Cast) -> None:
    before = lines(database, cast)
    with database.sessions() as session, session.begin() as transaction:
        merge_partners(session, cast.programme, "test", cast.partner(INITECH), cast.partner(ACME), MONDAY)
        transaction.rollback()
    assert lines(database, cast) == before
    with database.reading() as session:
        assert roster(session, cast.workspace_id).domains["initech.example"] == cast.partner(INITECH)


# On the command line


@pytest.fixture
def run(database: Database, cast: Cast) -> CommandLine:
    return CommandLine(database.url)


def test_the_command_says_what_it_would_do_and_then_does_it(database: Database, cast: Cast, run: CommandLine) -> None:
    with database.sessions.begin() as session:
        put_touch(session, cast, INITECH, MONDAY - DAY)
    said = run("partners", "merge", "initech", "Acme", "--dry-run")
    assert "1 touch would be moved to Acme" in said.out
    assert "Initech would be merged into Acme; nothing was written (dry run)" in said.out
    assert "Initech" in lines(database, cast)
    said = run("partners", "merge", "initech", "Acme")
    assert "known to Acme: initech.example, bill@lumbergh.example" in said.out
    assert "Initech is merged into Acme" in said.out
    assert "Initech" not in lines(database, cast)
    assert "there is no partner 'Initech'" in run("partners", "merge", "Initech", "Acme", status=1).err


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("Acme", "acme"), "Acme is one partner already"),
        (("Initec", "Acme"), "there is no partner 'Initec'; the nearest names are Initech"),
        (("Acme", "Zzyzx"), "there is no partner 'Zzyzx'; the nearest names are"),
    ],
)
def test_a_merge_is_never_made_on_a_guess(
    database: Database, run: CommandLine, names: tuple[str, str], words: str
) -> None:
    with database.reading() as session:
        entries = session.scalar(select(func.count()).select_from(AuditEntry))
    assert words in run("partners", "merge", *names, status=1).err
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == entries


def test_the_name_that_is_free_again_can_be_given_to_a_new_partner(
    database: Database, cast: Cast, run: CommandLine
) -> None:
    run("partners", "merge", "Initech", "Acme")
    row = f"name,tier,owner_email,domains\nInitech,2,{ROBIN.email},initech.test"
    assert "1 added" in run("partners", "import", "-", stdin=row.encode()).out
    assert lines(database, cast)["Initech"].status == "active"
    said = run("partners", "merge", "Initech", "Globex")
    assert "Initech is merged into Globex" in said.out


def test_a_partner_gets_another_name(database: Database, cast: Cast, run: CommandLine) -> None:
    assert "Acme is now Acme Holding" in run("partners", "rename", "acme", "Acme  Holding").out
    assert lines(database, cast)["Acme Holding"].domains == ACME.domains
    assert "Globex is another partner" in run("partners", "rename", "Acme Holding", "globex", status=1).err
    assert "the name is empty" in run("partners", "rename", "Globex", " ", status=1).err
    run("partners", "rename", "Acme Holding", "ACME HOLDING")
    assert "ACME HOLDING" in lines(database, cast)


def test_an_import_knows_a_renamed_partner_by_the_other_systems_id(
    database: Database, cast: Cast, run: CommandLine
) -> None:
    head = "name,tier,owner_email,domains,external_id"
    run("partners", "import", "-", stdin=f"{head}\nAcme,1,{DANA.email},acme.example,crm-1".encode())
    said = run("partners", "import", "-", stdin=f"{head}\nAcme Group,1,{DANA.email},acme.example,crm-1".encode())
    assert "changed: Acme Group: name Acme → Acme Group" in said.out
    assert cast.partner(ACME) in partner_ids(database, "Acme Group")
    clash = f"{head}\nGlobex,1,{PRIYA.email},globex.example,crm-1".encode()
    assert "this is the id of Acme Group" in run("partners", "import", "-", stdin=clash, status=1).err
    twice = f"{head}\nOne,1,{PRIYA.email},one.test,crm-2\nTwo,1,{PRIYA.email},two.test,crm-2".encode()
    assert "crm-2 belongs already to One in line 2" in run("partners", "import", "-", stdin=twice, status=1).err


def partner_ids(database: Database, name: str) -> set[int]:
    with database.reading() as session:
        return set(session.scalars(select(Partner.id).where(Partner.name == name)))


def test_no_row_is_left_behind_with_the_partner_that_went(work: Office) -> None:
    work.send(letter(DANA.email, "hank@globex.example, wendy@acme-mail.example", message_id="both"))
    work.receive(letter("hank@globex.example", DANA.email, message_id="theirs"))
    work.poll()
    merge(work.database, work.cast, GLOBEX, ACME)
    with work.database.reading() as session:
        gone = work.cast.partner(GLOBEX)
        assert not session.scalars(select(Touch.id).where(Touch.partner_id == gone)).all()
        orphans = select(Sighting.touch_id).where(Sighting.touch_id.not_in(select(Touch.id)))
        assert not session.scalars(orphans).all()
