"""Facts about one made-up partner, for tests that need no database: what is not said is quiet and ordinary."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from models.cadence import Status, Tier
from models.standing import ClaimFacts, EpisodeFacts, NextStepFacts, PartnerFacts, Standing, Who, stand

LONDON = ZoneInfo("Europe/London")
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=LONDON)
WEEKLY, FORTNIGHTLY, MONTHLY = Tier(1, "Tier 1", 7), Tier(2, "Tier 2", 14), Tier(3, "Tier 3", 30)
TIERS = (WEEKLY, FORTNIGHTLY, MONTHLY)
DANA = Who(1, "Dana Kim", "dana@lantern.example", "U0DANA")


@dataclass(frozen=True)
class Quiet:
    """How a partner came to stand where it stands, in days before `now`."""

    now: datetime = NOW
    zone: ZoneInfo = LONDON

    def at(self, days: float) -> datetime:
        return self.now - timedelta(days=days)

    def facts(
        self,
        touched: float | None = None,
        *,
        partner_id: int = 1,
        name: str = "Acme",
        tier: Tier | None = WEEKLY,
        owner: Who | None = DANA,
        status: Status = Status.ACTIVE,
        paused_until: date | None = None,
        started: int = 84,
        by: str | None = "Dana Kim",
        heard: float | None = None,
        replied: float | None = None,
        wrote: float | None = None,
        observed: float | None = 0,
        next_step: NextStepFacts | None = None,
        claim: ClaimFacts | None = None,
    ) -> PartnerFacts:
        def before(days: float | None) -> datetime | None:
            return None if days is None else self.at(days)

        return PartnerFacts(
            partner_id=partner_id,
            name=name,
            tier=tier,
            owner=owner,
            status=status,
            paused_until=paused_until,
            cadence_start_on=self.now.astimezone(self.zone).date() - timedelta(days=started),
            last_touch_at=before(touched),
            last_touch_by=by if touched is not None else None,
            last_heard_at=before(heard),
            last_reply_at=before(replied),
            last_outbound_at=before(wrote if wrote is not None else touched),
            observed_at=before(observed),
            next_step=next_step,
            episode=EpisodeFacts(1, self.now, claim) if claim else None,
        )

    def standing(self, facts: PartnerFacts) -> Standing:
        return stand(facts, self.now, self.zone)


QUIET = Quiet()


def claim_by(who: Who = DANA, due_on: date = date(2026, 11, 25)) -> ClaimFacts:
    return ClaimFacts(who, NOW, due_on)
