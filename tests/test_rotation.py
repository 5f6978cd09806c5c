"""Secrets come under a new key while the programme runs; what no key opens is named, and nothing is overwritten."""

from dataclasses import dataclass, field

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from jobs.mailbox.renewal import keep_renewed
from models.actions.mailboxes import put_mailbox
from models.actions.rotation import rotate_secrets
from models.queries.mail import MailboxFacts, mailboxes
from models.tables import Mailbox
from models.vault import Vault, VaultError, key_name, new_key
from tests.cast import DANA, MONDAY, PRIYA, TOMAS, Cast, put_cast
from tests.command_line import CommandLine
from tests.databases import Database

OLD, NEW = new_key(), new_key()
BOTH = Vault((NEW, OLD))
PEOPLE = (DANA, PRIYA, TOMAS)


def connected(database: Database) -> Cast:
    with database.sessions.begin() as session:
        cast = put_cast(session, observed_until=None)
        for one in PEOPLE:
            sealed = Vault((OLD,)).seal(one.email, f"secret of {one.name}")
            put_mailbox(session, cast.workspace_id, "cast", one.email, "imap", MONDAY, sealed=sealed)
    return cast


def stored(database: Database) -> dict[str, str]:
    with database.reading() as session:
        return {row.address: row.credential or "" for row in session.scalars(select(Mailbox).order_by(Mailbox.id))}


def facts_of(session: Session, cast: Cast, address: str) -> MailboxFacts:
    return next(one for one in mailboxes(session, cast.workspace_id) if one.address == address)


@dataclass
class Renewed:
    """A mailbox whose provider has just replaced its secret."""

    secret: str

    def renewed_secret(self) -> str | None:
        return self.secret


@dataclass
class Interrupted(Vault):
    """Keys in a process in which something happens before the second secret is sealed anew."""

    happens: object
    sealed: int = field(default=0)

    def __post_init__(self) -> None:
        Vault.__init__(self, (NEW, OLD))

    def reseal(self, owner: str, sealed: str) -> str:
        self.sealed += 1
        if self.sealed == 2:
            assert callable(self.happens)
            self.happens()
        return super().reseal(owner, sealed)


def test_a_secret_that_is_renewed_meanwhile_is_not_overwritten_by_the_older_one(database: Database) -> None:
    connected(database)
    fresh = BOTH.seal(PRIYA.email, "renewed")

    def renew() -> None:
        with database.sessions.begin() as session:
            session.execute(update(Mailbox).where(Mailbox.address == PRIYA.email).values(credential=fresh))

    done = rotate_secrets(database.sessions, Interrupted(renew))
    assert (done.fresh, done.renewed) == (2, 1)
    assert stored(database)[PRIYA.email] == fresh


def test_a_renewal_that_was_under_way_while_the_old_secret_was_sealed_anew_is_kept(database: Database) -> None:
    cast = connected(database)
    with database.reading() as session:
        facts = facts_of(session, cast, DANA.email)
    rotate_secrets(database.sessions, BOTH)
    keep_renewed(database.sessions, BOTH, facts, Renewed("renewed"))  # type: ignore[arg-type]
    assert Vault((NEW,)).open(DANA.email, stored(database)[DANA.email]) == "renewed"


def test_a_mailbox_that_was_connected_anew_keeps_its_own_secret(database: Database) -> None:
    cast = connected(database)
    with database.reading() as session:
        facts = facts_of(session, cast, DANA.email)
    anew = BOTH.seal(DANA.email, "another consent")
    with database.sessions.begin() as session:
        session.execute(update(Mailbox).where(Mailbox.address == DANA.email).values(credential=anew))
    keep_renewed(database.sessions, BOTH, facts, Renewed("renewed"))  # type: ignore[arg-type]
    assert stored(database)[DANA.email] == anew


def test_a_rotation_that_is_cut_off_goes_on_where_it_stopped(database: Database) -> None:
    connected(database)

    def die() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotate_secrets(database.sessions, Interrupted(die), at_once=1)
    for address, sealed in stored(database).items():
        assert BOTH.open(address, sealed).startswith("secret of")
    done = rotate_secrets(database.sessions, BOTH, at_once=1)
    assert (done.sealed, done.fresh) == (3, 2)
    for address, sealed in stored(database).items():
        assert Vault((NEW,)).open(address, sealed).startswith("secret of")
    assert rotate_secrets(database.sessions, BOTH).fresh == 0


def test_a_secret_that_no_key_opens_is_named_with_the_keys_that_were_tried_and_nothing_is_written(
    database: Database,
) -> None:
    connected(database)
    lost = Vault((new_key(),)).seal(TOMAS.email, "secret")
    with database.sessions.begin() as session:
        session.execute(update(Mailbox).where(Mailbox.address == TOMAS.email).values(credential=lost))
    before = stored(database)
    with pytest.raises(VaultError, match=TOMAS.email):
        rotate_secrets(database.sessions, BOTH)
    said = CommandLine(database.url, env={"CADENCE_SECRET_KEYS": f"{NEW},{OLD}"})("secrets", "rotate", status=2)
    assert said.err.count("\n") == 1
    assert all(one in said.err for one in (TOMAS.email, key_name(NEW), key_name(OLD), "no secret was sealed anew"))
    assert DANA.email not in said.err
    assert NEW not in said.err
    assert stored(database) == before
