"""How far the first run has come: derived from the facts each time, so that every step can be left and resumed."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.cadence import Tier
from models.queries.programme import Programme
from models.settings import Settings
from models.tables import Mailbox, Partner, Person, Workspace
from models.tables import Tier as TierRow
from models.tables.roster import MERGED

CHANNEL, SCHEDULE, TIERS, PEOPLE, PARTNERS, MAILBOXES, PREVIEW = (
    *("channel", "schedule", "tiers", "people", "partners", "mailboxes", "preview"),
)


@dataclass(frozen=True, slots=True)
class Setup:
    """The facts of the first run. `started` ends it; what is `missing` stands in its way."""

    channel: str | None
    trouble: str | None  # Slack's word for why the channel takes no message
    scheduled: bool
    read_at: str
    timezone: str
    tiers: Sequence[Tier]
    people: int  # who can own a partner
    roster: int  # partners, whatever their tier and status
    partners: int  # of those, with a tier and active
    owners: int  # people who own one of them
    connected: int  # of those, whose mailbox is read
    mailboxes: int
    previewed: bool
    started: bool

    @property
    def done(self) -> frozenset[str]:
        facts = {
            CHANNEL: self.channel is not None and self.trouble is None,
            SCHEDULE: self.scheduled,
            TIERS: bool(self.tiers),
            PEOPLE: self.people > 0,
            PARTNERS: self.partners > 0,
            MAILBOXES: self.mailboxes > 0 and self.connected >= self.owners,
            PREVIEW: self.previewed,
        }
        return frozenset(step for step, is_done in facts.items() if is_done)

    @property
    def missing(self) -> tuple[str, ...]:
        """What must be done before reads can start, in order. Mailboxes may follow: until then partners are unseen."""
        if self.started:
            return ()
        return tuple(one for one in (CHANNEL, SCHEDULE, TIERS, PEOPLE, PARTNERS, PREVIEW) if one not in self.done)


def setup_of(session: Session, programme: Programme, settings: Settings) -> Setup:
    workspace_id = programme.workspace_id
    row = session.get_one(Workspace, workspace_id)
    by_operator = {"timezone", "channel"} & settings.model_fields_set
    boxes = select(Mailbox.address).where(Mailbox.workspace_id == workspace_id, Mailbox.status != "removed")
    owners = (
        select(Partner.owner_id)
        .where(Partner.workspace_id == workspace_id, Partner.status == "active", Partner.owner_id.is_not(None))
        .distinct()
    )
    acting = select(func.count(Person.id)).where(Person.workspace_id == workspace_id, Person.left_at.is_(None))
    active = (Partner.workspace_id == workspace_id, Partner.status == "active", Partner.tier_id.is_not(None))
    return Setup(
        channel=programme.channel,
        trouble=row.channel_trouble,
        scheduled=row.timezone is not None or bool(by_operator),
        read_at=str(programme.read_at),
        timezone=programme.zone.key,
        tiers=tiers_of(session, workspace_id),
        people=session.scalar(acting.where(Person.role.in_(("manager", "lead")))) or 0,
        roster=roster_size(session, workspace_id)[0],
        partners=session.scalar(select(func.count(Partner.id)).where(*active)) or 0,
        owners=session.scalar(select(func.count()).select_from(owners.subquery())) or 0,
        connected=session.scalar(select(func.count(Person.id)).where(Person.id.in_(owners), Person.email.in_(boxes)))
        or 0,
        mailboxes=session.scalar(select(func.count()).select_from(boxes.subquery())) or 0,
        previewed=row.previewed_at is not None,
        started=programme.started,
    )


def tiers_of(session: Session, workspace_id: int) -> list[Tier]:
    """The tiers as they are now, by rank."""
    rows = session.scalars(select(TierRow).where(TierRow.workspace_id == workspace_id).order_by(TierRow.rank))
    return [Tier(row.rank, row.name, row.window_days, row.grace_days) for row in rows]


def partners_of_tiers(session: Session, workspace_id: int) -> dict[int, int]:
    """Rank → how many partners belong to it, whatever their status."""
    rows = session.execute(
        select(TierRow.rank, func.count(Partner.id).label("partners"))
        .join(Partner, Partner.tier_id == TierRow.id)
        .where(TierRow.workspace_id == workspace_id)
        .group_by(TierRow.rank)
    )
    return {row.rank: row.partners for row in rows}


def roster_size(session: Session, workspace_id: int) -> tuple[int, int]:
    """How many partners and people the roster names."""
    partners = select(func.count(Partner.id)).where(Partner.workspace_id == workspace_id, Partner.status != MERGED)
    persons = select(func.count(Person.id)).where(Person.workspace_id == workspace_id, Person.left_at.is_(None))
    return session.scalar(partners) or 0, session.scalar(persons) or 0


def installed_by(session: Session, workspace_id: int) -> str | None:
    """The Slack user whose installation this is."""
    return session.get_one(Workspace, workspace_id).installed_by
