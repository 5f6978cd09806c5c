"""Once a day: what is older than the settings keep is erased, in small transactions. What is cut off goes on later."""

from collections.abc import Callable
from datetime import datetime, time, timedelta

import structlog
from sqlalchemy.orm import Session, sessionmaker

from models.actions import retention
from models.actions.write import first_run
from models.clock import instant, local_day
from models.queries.programme import Programme
from models.queries.retention import Kept, Old, has_run, old_partners

JOB = "retention"
AT = time(3, 0)
PARTNERS = 50  # of one transaction
ROWS = 1_000
log = structlog.get_logger(__name__)


def erase_old(
    sessions: sessionmaker[Session],
    reading: sessionmaker[Session],
    programme: Programme,
    keep: Kept,
    now: datetime,
    *,
    partners: int = PARTNERS,
    rows: int = ROWS,
    watch: Callable[[], None] = lambda: None,
) -> Old | None:
    """After 03:00 local; None: there is nothing to do today any more. `watch` hears of each page that is stored.

    The day is done when its last page is: a run that was cut off begins anew and finds what is left.
    """
    today, workspace_id = local_day(now, programme.zone), programme.workspace_id
    if keep == Kept() or now < instant(today, AT, programme.zone):
        return None
    with reading() as session:
        if has_run(session, workspace_id, JOB, today.isoformat()):
            return None
    touches = after = ledger = audit = 0
    before = now - timedelta(days=keep.touches)
    while keep.touches:
        with reading() as session:
            some = old_partners(session, workspace_id, before, after, partners)
        if not some:
            break
        with sessions.begin() as session:
            touches += retention.erase_touches(session, workspace_id, some, before, now)
        after = some[-1]
        watch()
    for days, erase in ((keep.ledger, retention.erase_seen), (keep.audit, retention.erase_audit)):
        while days:
            with sessions.begin() as session:
                count = erase(session, workspace_id, now - timedelta(days=days), rows, now)
            if erase is retention.erase_seen:
                ledger += count
            else:
                audit += count
            watch()
            if count < rows:
                break
    with sessions.begin() as session:
        first_run(session, workspace_id, JOB, today.isoformat(), now)
    log.info("retention.done", workspace=workspace_id, touches=touches, ledger=ledger, audit=audit)
    return Old(touches, ledger, audit)
