"""The daily sweep: episodes open and close, claims lapse, transitions are noticed. Once a day, by whoever is first."""

from datetime import datetime, time

from sqlalchemy.orm import Session, sessionmaker

from jobs.nudges import notice_transitions
from models.actions import claims, deliveries, episodes, hints, reads
from models.actions.write import first_run
from models.cadence import State
from models.clock import instant, local_day
from models.queries.programme import Programme
from models.queries.standings import standings

SWEEP = "sweep"
SWEEP_AT = time(5, 0)


def sweep(sessions: sessionmaker[Session], programme: Programme, now: datetime) -> bool:
    """Does the day's work unless it is done or not yet 05:00 local; answers whether it was done now."""
    today = local_day(now, programme.zone)
    if now < instant(today, SWEEP_AT, programme.zone):
        return False
    with sessions.begin() as session:
        if not first_run(session, programme.workspace_id, SWEEP, today.isoformat(), now):
            return False
        episodes.settle_episodes(session, programme, now)
        lines = standings(session, programme, now)
        episodes.open_episodes(session, programme, [one for one in lines if one.state is State.OVERDUE], now)
        for lapsed in claims.lapse_claims(session, programme, now):
            reads.notice(
                session,
                programme.workspace_id,
                lapsed.person_id,
                "claim_lapsed",
                f"partner:{lapsed.partner_id}",
                f"claim:{lapsed.claim_id}",
                now,
            )
        if programme.started:  # nobody hears from a programme that its lead still sets up
            notice_transitions(session, programme, now)
        deliveries.forget_deliveries(session, now)
        hints.forget_hints(session, now)
    return True
