"""Puts every stored secret under the first key while others read, renew and revoke them. Network: none.

Nothing is written unless each secret opens; then each is replaced only where it still stands as it was read.
"""

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import InstrumentedAttribute, Session, sessionmaker

from models.tables import Installation, Mailbox
from models.vault import Vault, VaultError

AT_ONCE = 100  # secrets of one transaction


@dataclass(frozen=True, slots=True)
class Rotated:
    """`sealed` secrets are under the first key, `fresh` of them since now; `renewed` ones changed meanwhile."""

    sealed: int = 0
    fresh: int = 0
    renewed: int = 0


@dataclass(frozen=True, slots=True)
class _Kept:
    """Where secrets stand: the column, and the name that each was sealed for."""

    table: type[Mailbox] | type[Installation]
    secret: InstrumentedAttribute[str] | InstrumentedAttribute[str | None]
    owner: InstrumentedAttribute[str]


_PLACES = (
    _Kept(Mailbox, Mailbox.credential, Mailbox.address),
    _Kept(Installation, Installation.bot_token, Installation.key),
)


def rotate_secrets(sessions: sessionmaker[Session], vault: Vault, at_once: int = AT_ONCE) -> Rotated:
    """Page by page, so that one that is cut off is simply repeated. VaultError names what no key opens."""
    strange = []
    for place in _PLACES:
        after = 0
        while rows := _page(sessions, place, after, at_once):
            for _, owner, sealed in rows:
                try:
                    vault.open(owner, sealed)
                except VaultError as error:
                    strange.append(str(error))
            after = rows[-1][0]
    if strange:
        raise VaultError("; ".join([*strange, "no secret was sealed anew"]))
    total = Rotated()
    for place in _PLACES:
        after = 0
        while rows := _page(sessions, place, after, at_once):
            total = _turn(sessions, vault, place, rows, total)
            after = rows[-1][0]
    return total


def _page(sessions: sessionmaker[Session], place: _Kept, after: int, limit: int) -> list[tuple[int, str, str]]:
    with sessions() as session:
        rows = session.execute(
            select(place.table.id, place.owner, place.secret)
            .where(place.table.id > after, place.secret.is_not(None))
            .order_by(place.table.id)
            .limit(limit)
        )
        return [(key, owner, sealed or "") for key, owner, sealed in rows]


def _turn(
    sessions: sessionmaker[Session], vault: Vault, place: _Kept, rows: list[tuple[int, str, str]], total: Rotated
) -> Rotated:
    sealed, fresh, renewed = total.sealed, total.fresh, total.renewed
    anew = [(key, before, vault.reseal(owner, before)) for key, owner, before in rows]
    with sessions.begin() as session:
        for key, before, after in anew:
            if before == after:
                sealed += 1
                continue
            done = session.execute(
                update(place.table)
                .where(place.table.id == key, place.secret == before)
                .values({place.secret.key: after})
                .returning(place.table.id),
                execution_options={"synchronize_session": False},
            ).first()
            sealed, fresh = sealed + (done is not None), fresh + (done is not None)
            renewed += done is None
    return Rotated(sealed, fresh, renewed)
