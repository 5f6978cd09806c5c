"""What was captured, said and agreed: a view for each kind of record, with names in place of ids."""

from typing import Any

from sqlalchemy import ColumnElement, Integer, String, and_, case, cast, false, func, select
from sqlalchemy.orm import aliased

from models.cadence import Policy
from models.queries.standings import counting
from models.tables import (
    AuditEntry,
    Claim,
    Episode,
    Mailbox,
    NextStep,
    Partner,
    PartnerHistory,
    Person,
    Read,
    ReadLine,
    Tier,
    Touch,
    Workspace,
)
from models.views.common import COVERED, ELIGIBLE, View, true_where


def touch() -> View:
    writer = aliased(Person)
    outbound = Touch.direction == "outbound"
    return (
        select(
            Touch.workspace_id.label("programme_id"),
            Touch.id.label("touch_id"),
            Touch.partner_id,
            Partner.name.label("partner"),
            Touch.at.label("touched_at"),
            Touch.captured_at,
            Touch.direction,
            true_where(
                case(*((Workspace.policy == str(one), true_where(counting(one))) for one in Policy), else_=false())
            ).label("counts"),
            Touch.verdict,
            Touch.rule,
            case((and_(outbound, writer.name.is_not(None)), writer.name), else_=Touch.by_address).label("written_by"),
            Touch.by_address.label("written_by_address"),
            Touch.matched,
            Touch.matched_by,
            Touch.field.label("matched_in"),
            Touch.message_id,
            Touch.clamped,
            Touch.voided_at,
            Touch.void_reason,
        )
        .join(Workspace, Workspace.id == Touch.workspace_id)
        .join(Partner, Partner.id == Touch.partner_id)
        .outerjoin(writer, writer.id == Touch.person_id)
    )


def read_line() -> View:
    owner = aliased(Person)
    return (
        select(
            Read.workspace_id.label("programme_id"),
            Read.id.label("read_id"),
            Read.week,
            Read.at.label("held_at"),
            Read.policy,
            ReadLine.partner_id,
            Partner.name.label("partner"),
            ReadLine.state,
            true_where(ReadLine.state.in_(ELIGIBLE)).label("eligible"),
            true_where(ReadLine.state.in_(COVERED)).label("covered"),
            ReadLine.tier_rank,
            ReadLine.window_days,
            ReadLine.grace_days,
            owner.name.label("owner"),
            owner.email.label("owner_email"),
            ReadLine.last_touch_at,
            ReadLine.due_on,
            ReadLine.days_overdue,
            ReadLine.reply_backed,
            ReadLine.reply_owed,
            ReadLine.unobserved,
            ReadLine.quiet_chance,
            ReadLine.quiet_words,
        )
        .select_from(Read)
        .join(ReadLine, ReadLine.read_id == Read.id)
        .join(Partner, Partner.id == ReadLine.partner_id)
        .outerjoin(owner, owner.id == ReadLine.owner_id)
    )


def episode() -> View:
    return (
        select(
            Episode.workspace_id.label("programme_id"),
            Episode.id.label("episode_id"),
            Episode.partner_id,
            Partner.name.label("partner"),
            _tier_then().label("tier_rank"),
            Episode.opened_at,
            Episode.closed_at,
            Episode.outcome,
            Touch.at.label("touched_at"),
        )
        .join(Partner, Partner.id == Episode.partner_id)
        .outerjoin(Touch, Touch.id == Episode.touch_id)
    )


def _tier_then() -> ColumnElement[int | None]:
    """Rank of the tier in which the partner was when the episode opened: `models.queries.recoveries` counts by it."""
    history = PartnerHistory
    mine = select(Tier.rank).join(history, history.tier_id == Tier.id).where(history.partner_id == Episode.partner_id)
    last = mine.where(history.from_at <= Episode.opened_at).order_by(history.from_at.desc(), history.id.desc())
    first = mine.order_by(history.from_at, history.id)
    return func.coalesce(*(one.limit(1).correlate(Episode).scalar_subquery() for one in (last, first)))


def claim() -> View:
    holder, assigner = aliased(Person), aliased(Person)
    return (
        select(
            Claim.workspace_id.label("programme_id"),
            Claim.id.label("claim_id"),
            Claim.episode_id,
            Episode.partner_id,
            Partner.name.label("partner"),
            holder.name.label("holder"),
            holder.email.label("holder_email"),
            Claim.at.label("claimed_at"),
            case((Claim.assigned_by_id.is_(None), Claim.at), else_=Claim.accepted_at).label("taken_at"),
            Claim.due_on,
            assigner.name.label("assigned_by"),
            Claim.ended_at,
            Claim.end_reason,
        )
        .join(Episode, Episode.id == Claim.episode_id)
        .join(Partner, Partner.id == Episode.partner_id)
        .join(holder, holder.id == Claim.person_id)
        .outerjoin(assigner, assigner.id == Claim.assigned_by_id)
    )


def next_step() -> View:
    owner, setter = aliased(Person), aliased(Person)
    return (
        select(
            NextStep.workspace_id.label("programme_id"),
            NextStep.id.label("next_step_id"),
            NextStep.partner_id,
            Partner.name.label("partner"),
            NextStep.text.label("next_step"),
            owner.name.label("owner"),
            owner.email.label("owner_email"),
            NextStep.due_on,
            setter.name.label("set_by"),
            NextStep.set_at,
            NextStep.ended_at,
            NextStep.end_reason,
        )
        .join(Partner, Partner.id == NextStep.partner_id)
        .outerjoin(owner, owner.id == NextStep.owner_id)
        .outerjoin(setter, setter.id == NextStep.set_by_id)
    )


def audit() -> View:
    actor, person, entry = aliased(Person), aliased(Person), AuditEntry

    def numbered(text: Any, kind: str) -> ColumnElement[int | None]:
        """The number in `partner:7`, so that the row is found by its key."""
        start = f"{kind}:"
        return case((func.substr(text, 1, len(start)) == start, cast(func.substr(text, len(start) + 1), Integer)))

    def words(value: Any) -> ColumnElement[str | None]:
        return func.nullif(cast(value, String), "null")

    return (
        select(
            entry.workspace_id.label("programme_id"),
            entry.id.label("audit_id"),
            entry.at.label("changed_at"),
            entry.actor,
            func.coalesce(actor.name, entry.actor).label("actor_name"),
            entry.action,
            entry.subject,
            func.coalesce(Partner.name, person.name, Mailbox.address).label("subject_name"),
            words(entry.before).label("before"),
            words(entry.after).label("after"),
        )
        .outerjoin(actor, actor.id == numbered(entry.actor, "person"))
        .outerjoin(Partner, Partner.id == numbered(entry.subject, "partner"))
        .outerjoin(person, person.id == numbered(entry.subject, "person"))
        .outerjoin(Mailbox, Mailbox.id == numbered(entry.subject, "mailbox"))
    )
