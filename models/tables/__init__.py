"""The tables: what is a fact in Cadence. No behaviour: reading is `models.queries`, writing `models.actions`."""

from models.db import Base
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
    "JobRun",
    "MailImport",
    "Mailbox",
    "NextStep",
    "Nudge",
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
