"""`cadence forget`: nothing in any table names them any more, what counts still counts, and it stays so."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import MetaData, func, select

from models.actions.claims import Taken, claim
from models.actions.mailboxes import put_mailbox
from models.actions.next_steps import set_next_step
from models.actions.outbox import enqueue
from models.actions.partners import pause_partner, put_partner
from models.actions.people import set_away
from models.actions.touches import void_touch
from models.actions.write import actor_of, audit
from models.db import Base
from models.queries.standings import standings
from models.tables import Claim, Forgotten, Mailbox, Person, Touch
from models.vault import Vault, new_key
from tests.capture_world import Office, letter, office
from tests.cast import ACME, DANA, GLOBEX, HOOLI, MONDAY, PRIYA, ROBIN, SOYLENT, TOMAS, UMBRELLA, Cast, put_touch
from tests.command_line import CommandLine
from tests.databases import Database

DAY = timedelta(days=1)
WILE, WENDY = "wile@acme.example", ACME.contacts[0]


@pytest.fixture
def work(database: Database) -> Iterator[Office]:
    with office(database, (DANA, PRIYA)) as made:
        yield made


def all_text(database: Database) -> str:
    """Every text of every table that the database itself says it has, lower-cased, with JSON's escapes undone."""
    tables = MetaData()
    tables.reflect(database.engine)
    assert set(Base.metadata.tables) <= set(tables.tables)
    with database.engine.connect() as connection:
        values = [
            value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for table in tables.sorted_tables
            for row in connection.execute(select(table))
            for value in row
            if isinstance(value, str | dict | list)
        ]
    found = "\n".join(values)
    for escaped, letter_ in (("\\u00e1", "á"), ("\\u00c1", "Á")):
        found = found.replace(escaped, letter_)
    return found.lower()


def live(database: Database, cast: Cast) -> None:
    """Dana and Tomás do everything that people do here, and are named wherever somebody can be."""
    with database.sessions.begin() as session:
        for who, partner in ((DANA, ACME), (TOMAS, GLOBEX)):
            programme, number, person = cast.programme, cast.partner(partner), cast.person(who)
            touch_id = put_touch(session, cast, partner, MONDAY - 40 * DAY, by=who)
            touch = session.get_one(Touch, touch_id)
            touch.message_id = touch.dedupe_key = f"<1.{who.email.upper()}>"
            put_touch(session, cast, partner, MONDAY - 41 * DAY, by=WILE)
            void_touch(session, cast.workspace_id, touch, actor_of(person), f"{who.name} did not write it", MONDAY)
            put_touch(session, cast, SOYLENT, MONDAY - DAY, by=who)
            assert claim(session, programme, number, person, MONDAY).taken is Taken.CLAIMED
            text = f"{who.name.upper()} asks {WENDY} and <@{who.slack_user_id}>"
            set_next_step(session, programme, number, text, person, None, person, actor_of(person), MONDAY)
            set_away(session, cast.workspace_id, actor_of(person), person, MONDAY.date(), cast.person(PRIYA), MONDAY)
            payload = {"text": text, "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": who.email}}]}
            for channel in ("C0PARTNERS", who.slack_user_id or ""):
                enqueue(session, cast.workspace_id, channel, "notice", who.email, 0, payload, MONDAY)
            reason = f"{who.name} is on it, with {WENDY}"
            pause_partner(session, cast.workspace_id, "cast", cast.partner(HOOLI), reason, None, MONDAY)
            audit(
                session, cast.workspace_id, "cast", "x", who.email, MONDAY, before={"by": [who.name]}, after={"a": text}
            )
            sealed = Vault((new_key(),)).seal(who.email, "secret")
            put_mailbox(
                session, cast.workspace_id, "cast", who.email, "imap", MONDAY,
                sealed=sealed, options={"user": who.email}, again=True,
            )  # fmt: skip


@pytest.mark.parametrize("who", [DANA, TOMAS], ids=["Dana", "Tomás"])
def test_nothing_names_a_person_who_was_forgotten(work: Office, who: object) -> None:
    assert who in (DANA, TOMAS)
    one = DANA if who is DANA else TOMAS
    database, cast = work.database, work.cast
    live(database, cast)
    words = [one.email, *one.aliases, one.name.lower(), (one.slack_user_id or "").lower()]
    assert all(word in all_text(database) for word in words)
    with database.reading() as session:
        before = [
            (line.facts.partner_id, line.state, line.facts.last_touch_at)
            for line in standings(session, cast.programme, MONDAY)
        ]
        touches = session.scalar(select(func.count()).select_from(Touch))
    run = CommandLine(database.url)
    assert "audit entries" in run("forget", one.email, "--dry-run").out
    assert one.email in all_text(database)
    said = run("forget", (one.aliases or (one.email,))[0].upper(), "--yes").out
    for kind in ("people of the team", "claims given back", "mailboxes", "sealed secrets", "next steps", "touches"):
        assert kind in said
    found = all_text(database)
    for word in words:
        assert word not in found, found[max(0, found.find(word) - 200) : found.find(word) + 80]
    other = TOMAS if one is DANA else DANA
    assert other.email in found
    assert other.name.lower() in found
    with database.reading() as session:
        after = [
            (line.facts.partner_id, line.state, line.facts.last_touch_at)
            for line in standings(session, cast.programme, MONDAY)
        ]
        assert after == before
        assert session.scalar(select(func.count()).select_from(Touch)) == touches
        [ended] = session.scalars(select(Claim.end_reason).where(Claim.person_id == cast.person(one)))
        assert ended == "left"
        box = session.scalars(select(Mailbox).where(Mailbox.owner_id == cast.person(one))).one()
        assert (box.status, box.credential, box.options) == ("removed", None, {})
        assert session.get_one(Person, cast.person(one)).left_at is not None
    assert "Nothing of" in run("forget", one.email, "--yes").out


def test_a_contact_is_forgotten_and_what_they_wrote_still_counts(work: Office) -> None:
    live(work.database, work.cast)
    run = CommandLine(work.database.url)
    for address in (WILE, WENDY):
        assert address in all_text(work.database)
        run("forget", address, "--yes")
        assert address not in all_text(work.database)
    with work.database.reading() as session:
        assert set(session.scalars(select(Touch.voided_at).where(Touch.direction == "inbound"))) == {None}
        assert session.scalar(select(func.count()).select_from(Forgotten)) == 2


def test_mail_that_is_read_later_does_not_bring_the_address_back(work: Office) -> None:
    work.send(letter(DANA.email, WILE, message_id=f"first.{WILE}"))
    work.poll()
    assert len(work.touches()) == 1
    CommandLine(work.database.url)("forget", WILE, "--yes")
    work.send(letter(DANA.email, WILE, message_id=f"first.{WILE}"))  # the same mail, found once more
    work.send(letter(DANA.email, f"Wile <{WILE.replace('@', '+x@')}>", message_id=f"second.{WILE}"))
    work.receive(letter(WILE, DANA.email, message_id=f"third.{WILE}"))
    work.poll()
    assert [(partner, direction) for partner, direction, _, _ in work.touches()] == [
        ("Acme", "outbound"), ("Acme", "outbound"), ("Acme", "inbound")
    ]  # fmt: skip
    found = all_text(work.database)
    assert WILE not in found
    assert "wile" not in found
    with work.database.sessions.begin() as session:  # a change of the roster judges what is stored anew
        put_partner(session, work.cast.workspace_id, "cast", UMBRELLA, MONDAY)
    assert len(work.touches()) == 3


def test_what_nobody_has_is_one_line_and_leads_of_the_settings_are_kept(work: Office) -> None:
    run = CommandLine(work.database.url)
    assert run("forget", "nobody@nowhere.example", "--yes", status=1).err.count("\n") == 1
    assert "not an e-mail address" in run("forget", "nobody", "--yes", status=1).err
    assert "--yes" in run("forget", DANA.email, status=1).err
    lead = CommandLine(work.database.url, env={"CADENCE_LEADS": ROBIN.email})
    assert "CADENCE_LEADS" in lead("forget", ROBIN.email, "--yes", status=1).err
    with work.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Forgotten)) == 0
