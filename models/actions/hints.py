"""Writes of hints: whom recent mail concerned, as keyed hashes, so that a partner who is added later finds it again.

No address, no name and no subject is stored here in clear.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from models.actions.write import insert_into
from models.correspondence import LOOK_BACK
from models.keyed import address_hmac, organisation_hmac
from models.matching import Decision
from models.tables import Bounce, SeenHint, Workspace
from models.verdict import Verdict


def hold_roster(session: Session, workspace_id: int) -> int:
    """Keeps the roster as it is until the transaction ends; answers its version."""
    return session.scalars(
        select(Workspace.roster_version).where(Workspace.id == workspace_id).with_for_update(key_share=True)
    ).one()


def record_hints(
    session: Session, workspace_id: int, mailbox_id: int, decisions: Sequence[tuple[str, Decision]], now: datetime
) -> None:
    """Remembers the outside addresses of each (provider id, decision), partners' or not, for as long as it is young."""
    key = session.scalars(select(Workspace.digest_key).where(Workspace.id == workspace_id)).one()
    rows = {
        (provider_id, hashed): {
            "mailbox_id": mailbox_id,
            "provider_id": provider_id,
            "address_hmac": hashed,
            "organisation_hmac": organisation_hmac(key, email),
            "outbound": decision.outbound,
            "human": decision.verdict is Verdict.HUMAN,
            "at": decision.at,
        }
        for provider_id, decision in decisions
        if decision.at > now - LOOK_BACK
        for email in decision.outside
        for hashed in [address_hmac(key, email)]
    }
    if rows:
        session.execute(insert_into(session, SeenHint).on_conflict_do_nothing(), [rows[one] for one in sorted(rows)])


def forget_hints(session: Session, now: datetime) -> None:
    """What is hashed of any mail goes after 90 days: whom it concerned, and to whom it did not arrive."""
    for table in (SeenHint, Bounce):
        session.execute(delete(table).where(table.at <= now - LOOK_BACK))
