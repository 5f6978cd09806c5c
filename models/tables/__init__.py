"""The tables: what is a fact in Cadence. No behaviour: reading is `models.queries`, writing `models.actions`."""

from models.db import Base
from models.tables.access import Installation, OAuthState
from models.tables.audit import AuditEntry, JobRun, SlackDelivery
from models.tables.history import PartnerClock, PartnerStanding, Shutdown, WeekSpan, WeekTally, WeekWindow
from models.tables.mail import (
    Bounce,
    Mailbox,
    MailImport,
    Observation,
    PendingFetch,
    Seen,
    SeenHint,
    Sighting,
    Touch,
)
from models.tables.reads import Nudge, OutboxPost, Read, ReadLine
from models.tables.recovery import Claim, Episode, NextStep
from models.tables.roster import (
    Forgotten,
    MutedPartner,
    Partner,
    PartnerContact,
    PartnerDomain,
    PartnerHistory,
    Person,
    PersonAlias,
    StandIn,
    Tier,
    TierHistory,
    Workspace,
)

__all__ = [
    "AuditEntry",
    "Base",
    "Bounce",
    "Claim",
    "Episode",
    "Forgotten",
    "Installation",
    "JobRun",
    "MailImport",
    "Mailbox",
    "MutedPartner",
    "NextStep",
    "Nudge",
    "OAuthState",
    "Observation",
    "OutboxPost",
    "Partner",
    "PartnerClock",
    "PartnerContact",
    "PartnerDomain",
    "PartnerHistory",
    "PartnerStanding",
    "PendingFetch",
    "Person",
    "PersonAlias",
    "Read",
    "ReadLine",
    "Seen",
    "SeenHint",
    "Shutdown",
    "Sighting",
    "SlackDelivery",
    "StandIn",
    "Tier",
    "TierHistory",
    "Touch",
    "WeekSpan",
    "WeekTally",
    "WeekWindow",
    "Workspace",
]
