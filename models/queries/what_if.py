"""The facts behind a what-if. What they would come to is `models.what_if`."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from models import what_if as pure
from models.queries.programme import Programme, tiers
from models.queries.standings import standings
from models.what_if import OtherTarget, Outlook


def what_if(session: Session, programme: Programme, now: datetime, targets: Iterable[OtherTarget]) -> Outlook:
    """Raises ValueError for a tier that there is not."""
    in_force = tiers(session, programme.workspace_id, now).values()
    stood = standings(session, programme, now)
    return pure.what_if(stood, in_force, targets, now, programme.zone, programme.shutdowns)
