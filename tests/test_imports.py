"""Imports of mail files: what they add, that nothing comes twice, and what they let us know about the past."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from jobs.capture import Capture, Report
from jobs.imports import import_mbox
from jobs.mailbox.base import ProviderError
from jobs.mailbox.mbox import MboxFile
from models.actions import episodes, mailboxes
from models.actions.partners import PartnerRow, put_partner
from models.cadence import State
from models.queries.mail import seen_counts
from models.queries.standings import standings
from models.standing import Standing
from tests.capture_world import Headers, Office, everything, letter, office
from tests.cast import ACME, DANA, MONDAY, PRIYA
from tests.databases import Database

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ACME_MAIL = "wile@acme.example"
Letters = Iterable[tuple[datetime, Headers]]


@pytest.fixture
def work(database: Database) -> Iterator[Office]:
    """Nobody's mailbox is connected."""
    with office(database, ()) as made:
        yield made


def mbox(path: Path, letters: Letters) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for at, headers in letters:
            lines = "".join(f"{name}: {value}\n" for name, value in headers.items())
            file.write(f"From x@y.example {at:%a %b %d %H:%M:%S %Y}\n{lines}Date: {at:%a, %d %b %Y %H:%M:%S +0000}\n")
            file.write("\nA body that nobody reads: kolibri@body.example\n\n")
    return path


def take_in(work: Office, path: Path, address: str = DANA.email, *, page: int = 200, **options: object) -> Report:
    """What `cadence capture --mbox` does."""
    with work.database.sessions.begin() as session:
        try:
            box = mailboxes.put_mailbox(session, work.cast.workspace_id, "test", address, "mbox", work.clock.now())
        except mailboxes.MailboxExists:
            box = next(work.facts(person).id for person in (DANA, PRIYA) if person.email == address)
    capture = Capture(work.database.sessions, work.database.reading, work.clock, **options)  # type: ignore[arg-type]  # watch
    return import_mbox(capture, work.cast.programme, box, address, MboxFile(path, page=page))


def correspondence(days: int = 10) -> list[tuple[datetime, Headers]]:
    """Each day one mail to Acme, one from it and one from a friend; the oldest first."""
    letters: list[tuple[datetime, Headers]] = []
    for day in range(days, 0, -1):
        at = MONDAY - day * DAY
        letters.append((at, letter(DANA.email, ACME_MAIL, f"Plan {day}", message_id=f"to-{day}")))
        letters.append((at + HOUR, letter(ACME_MAIL, DANA.email, f"Re: Plan {day}", message_id=f"from-{day}")))
        letters.append((at + 2 * HOUR, letter("friend@home.example", DANA.email, message_id=f"friend-{day}")))
    return letters


def standing(work: Office, at: datetime) -> Standing:
    with work.database.reading() as session:
        [one] = standings(session, work.cast.programme, at, partner_ids={work.cast.partner(ACME)})
        return one


def test_every_message_is_counted_and_reading_the_file_again_adds_nothing(work: Office, tmp_path: Path) -> None:
    path = mbox(tmp_path / "a.mbox", correspondence())
    report = take_in(work, path)
    assert (report.messages, report.touches, report.reasons) == (30, 20, {"touch": 20, "no partner": 10})
    before = work.touches()
    again = take_in(work, path)
    assert (again.messages, again.touches) == (30, 0)
    assert work.touches() == before
    assert work.sightings() == 20
    assert len(work.ledger()) == 30


def test_a_file_that_has_grown_adds_what_is_new(work: Office, tmp_path: Path) -> None:
    letters = correspondence()
    take_in(work, mbox(tmp_path / "a.mbox", letters[:15]))
    assert take_in(work, mbox(tmp_path / "a.mbox", letters)).touches == 10
    assert len(work.touches()) == 20


def test_the_parts_of_an_export_are_read_as_one_and_their_copies_add_nothing(work: Office, tmp_path: Path) -> None:
    letters = correspondence()
    folder = tmp_path / "Takeout" / "Mail"
    folder.mkdir(parents=True)
    mbox(folder / "All mail-001.mbox", letters[:16])
    mbox(folder / "All mail-002.mbox", letters[14:])
    report = take_in(work, tmp_path / "Takeout", page=5)
    assert (report.messages, report.touches) == (32, 20)
    assert len(work.ledger()) == 30
    assert work.observed() == [(MONDAY - 10 * DAY, MONDAY - DAY + 2 * HOUR)]
    assert take_in(work, mbox(tmp_path / "whole.mbox", letters)).touches == 0


def test_a_file_that_is_cut_short_while_it_is_read_vouches_for_nothing(work: Office, tmp_path: Path) -> None:
    path = mbox(tmp_path / "a.mbox", correspondence())
    mails = path.read_bytes()
    path.write_bytes(mails + b"A long body\n" * 300_000 + b"\n" + mails)
    stored: list[int] = []

    def cut(report: Report) -> None:
        if not stored:
            with path.open("r+b") as file:
                file.truncate(path.stat().st_size // 2)
        stored.append(report.messages)

    with pytest.raises(ProviderError, match="became shorter while it was read; import it again"):
        take_in(work, path, page=5, watch=cut)
    assert stored
    assert not work.observed()


def test_reading_again_after_partners_were_added_finds_their_mail(work: Office, tmp_path: Path) -> None:
    path = mbox(tmp_path / "a.mbox", correspondence())
    take_in(work, path)
    with work.database.sessions.begin() as session:
        friend = PartnerRow("Friend", 1, DANA.email, ("home.example",), since=MONDAY.date() - 30 * DAY)
        put_partner(session, work.cast.workspace_id, "test", friend, MONDAY)
    assert take_in(work, path).touches == 10
    assert len(work.touches()) == 30
    with work.database.reading() as session:
        assert seen_counts(session, work.facts().id) == {("human", None): 30}


def test_a_mailbox_that_is_polled_too_gains_no_touch(database: Database, tmp_path: Path) -> None:
    letters = correspondence()
    with office(database) as work:
        for at, headers in letters:
            work.receive(headers, at=at, label="SENT" if headers["From"] == DANA.email else "INBOX")
        work.poll()
        before = work.touches()
        assert take_in(work, mbox(tmp_path / "dana.mbox", letters)).touches == 0
        assert work.touches() == before
        assert work.sightings() == 20
        facts = work.facts()
        assert (facts.provider, facts.status) == ("gmail", "active")
        assert work.poll().messages == 0, "the import has not moved the cursor"


def test_the_copies_in_a_colleagues_file_are_sightings(work: Office, tmp_path: Path) -> None:
    letters = correspondence()
    take_in(work, mbox(tmp_path / "dana.mbox", letters))
    assert take_in(work, mbox(tmp_path / "priya.mbox", letters), PRIYA.email).touches == 0
    assert (len(work.touches()), work.sightings()) == (20, 40)


class Unplugged(Exception):
    """Ends an import from outside, between two pages."""


def test_a_stopped_import_goes_on_at_its_checkpoint(work: Office, tmp_path: Path) -> None:
    path = mbox(tmp_path / "a.mbox", correspondence())

    def pull_the_plug(report: Report) -> None:
        if report.messages >= 12:
            raise Unplugged

    with pytest.raises(Unplugged):
        take_in(work, path, page=4, watch=pull_the_plug)
    assert len(work.touches()) == 8
    assert not work.observed(), "a file that was not read to its end vouches for nothing"
    report = take_in(work, path, page=4)
    assert (report.messages, report.touches) == (18, 12)
    assert work.observed() == [(MONDAY - 10 * DAY, MONDAY - DAY + 2 * HOUR)]


def test_an_import_is_a_clean_sync_at_its_moment_and_vouches_for_the_time_of_its_mail(
    work: Office, tmp_path: Path
) -> None:
    path = mbox(
        tmp_path / "a.mbox", [(MONDAY - number * DAY, letter("f@home.example", DANA.email)) for number in (80, 9)]
    )
    assert standing(work, MONDAY).state is State.OVERDUE
    assert standing(work, MONDAY).unobserved
    take_in(work, path)
    assert standing(work, MONDAY).facts.observed_at == MONDAY
    assert not standing(work, MONDAY + 23 * HOUR).unobserved
    assert standing(work, MONDAY + 2 * DAY).state is State.BLIND
    assert standing(work, MONDAY - 20 * DAY).facts.observed_at == MONDAY - 20 * DAY
    assert standing(work, MONDAY - 85 * DAY).facts.observed_at is None


def test_mail_that_says_it_is_from_the_future_vouches_for_no_future(work: Office, tmp_path: Path) -> None:
    letters = [
        (MONDAY - DAY, letter(DANA.email, ACME_MAIL, message_id="now")),
        (MONDAY + 400 * DAY, letter(DANA.email, ACME_MAIL, message_id="later")),
    ]
    take_in(work, mbox(tmp_path / "a.mbox", letters))
    assert work.observed() == [(MONDAY - DAY, MONDAY - DAY)]
    assert standing(work, MONDAY).facts.last_touch_at == MONDAY, "its time is when we saw it"


def test_an_import_closes_what_its_mail_recovers(work: Office, tmp_path: Path) -> None:
    take_in(work, mbox(tmp_path / "a.mbox", [(MONDAY - 60 * DAY, letter("f@home.example", DANA.email))]))
    opened = MONDAY - 3 * DAY
    with work.database.sessions.begin() as session:
        lines = standings(session, work.cast.programme, MONDAY, partner_ids={work.cast.partner(ACME)})
        assert len(episodes.open_episodes(session, work.cast.programme, lines, opened)) == 1
    take_in(work, mbox(tmp_path / "b.mbox", [(opened + HOUR, letter(DANA.email, ACME_MAIL))]))
    assert work.episodes() == [("Acme", "recovered")]


def test_an_answer_to_a_mail_of_an_earlier_page_is_human_whatever_list_it_came_through(
    work: Office, tmp_path: Path
) -> None:
    letters = correspondence(3)
    through_a_list: Headers = {"List-Id": "<l.acme.example>", "In-Reply-To": "<to-2>"}
    letters.append((MONDAY, letter(ACME_MAIL, DANA.email, message_id="answer") | through_a_list))
    letters = [
        (at, {k: v and v.replace("<to-2>", "<to-2@mail.example>") for k, v in one.items()}) for at, one in letters
    ]
    take_in(work, mbox(tmp_path / "a.mbox", letters), page=2)
    assert ("Acme", "inbound", "human", "answer") in work.touches()


def test_takeouts_labels_keep_drafts_and_spam_out(work: Office, tmp_path: Path) -> None:
    letters: list[tuple[datetime, Headers]] = [
        (MONDAY, letter(DANA.email, ACME_MAIL, message_id=label) | {"X-Gmail-Labels": label})
        for label in ("Sent", "Draft", "Spam", "Trash", "Chat")
    ]
    report = take_in(work, mbox(tmp_path / "a.mbox", letters))
    assert [one[3] for one in work.touches()] == ["Sent"]
    assert report.reasons == {"touch": 1, "draft": 1, "spam": 1, "trash": 1, "chat": 1}


def test_nothing_of_mail_without_a_partner_and_no_word_of_any_body_is_kept(work: Office, tmp_path: Path) -> None:
    secret: Headers = {"Subject": "Kolibri", "In-Reply-To": "<kolibri@kolibri.example>"}
    letters = [
        (MONDAY, letter("Kolibri <kolibri@home.example>", DANA.email, message_id="kolibri") | secret),
        (MONDAY, letter(DANA.email, ACME_MAIL, "Kolibri")),
    ]
    take_in(work, mbox(tmp_path / "a.mbox", letters))
    with work.database.reading() as session:
        assert "kolibri" not in everything(session).lower()
    assert len(work.touches()) == 1
