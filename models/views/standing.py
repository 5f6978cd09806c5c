"""How every partner and every tier stood when it was last noted, and how old that is."""

from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, String, and_, cast, func, literal, select
from sqlalchemy.orm import aliased

from models.cadence import State
from models.tables import Claim, Episode, NextStep, Partner, PartnerClock, PartnerStanding, Person, Tier, Workspace
from models.tables.roster import MERGED
from models.views.common import COVERED, ELIGIBLE, View, number_where, true_where


def partner() -> View:
    one, owner, step, claim, holder = PartnerStanding, aliased(Person), NextStep, Claim, aliased(Person)
    return (
        select(
            Partner.workspace_id.label("programme_id"),
            Partner.id.label("partner_id"),
            Partner.name.label("partner"),
            one.tier_rank,
            Tier.name.label("tier"),
            one.window_days,
            one.grace_days,
            owner.name.label("owner"),
            owner.email.label("owner_email"),
            Partner.status,
            Partner.paused_until,
            Partner.cadence_start_on,
            Partner.external_id,
            one.state,
            true_where(one.state.in_(ELIGIBLE)).label("eligible"),
            true_where(one.state.in_(COVERED)).label("covered"),
            one.last_touch_at,
            one.last_touch_by,
            one.last_heard_at,
            one.days_since,
            one.due_on,
            one.days_overdue,
            one.reply_backed,
            one.reply_owed,
            one.unobserved,
            step.text.label("next_step"),
            step.due_on.label("next_step_due_on"),
            holder.name.label("claimed_by"),
            claim.due_on.label("claim_due_on"),
            one.as_of,
            unchanged().label("fresh"),
        )
        .join(Workspace, Workspace.id == Partner.workspace_id)
        .outerjoin(one, one.partner_id == Partner.id)
        .outerjoin(PartnerClock, PartnerClock.partner_id == Partner.id)
        .outerjoin(Tier, and_(Tier.workspace_id == Partner.workspace_id, Tier.rank == one.tier_rank))
        .outerjoin(owner, owner.id == one.owner_id)
        .outerjoin(step, and_(step.partner_id == Partner.id, step.ended_at.is_(None)))
        .outerjoin(Episode, and_(Episode.partner_id == Partner.id, Episode.closed_at.is_(None)))
        .outerjoin(claim, and_(claim.episode_id == Episode.id, claim.ended_at.is_(None)))
        .outerjoin(holder, holder.id == claim.person_id)
        .where(Partner.status != MERGED)
    )


def coverage() -> View:
    one = PartnerStanding
    standing = and_(one.workspace_id == Tier.workspace_id, one.tier_rank == Tier.rank, one.state != str(State.ENDED))

    def those(*states: str) -> ColumnElement[int]:
        return number_where(one.state.in_(states))

    return (
        select(
            Tier.workspace_id.label("programme_id"),
            Tier.rank.label("tier_rank"),
            Tier.name.label("tier"),
            Tier.window_days,
            those(*COVERED).label("covered"),
            those(*ELIGIBLE).label("eligible"),
            number_where(and_(one.state.in_(ELIGIBLE), one.reply_backed)).label("reply_backed"),
            *(those(str(state)).label(str(state)) for state in (State.DUE_SOON, State.OVERDUE, State.NEW, State.BLIND)),
            those(str(State.PAUSED)).label("paused"),
            oldest_as_of(Tier.workspace_id).label("as_of"),
        )
        .select_from(Tier)
        .outerjoin(one, standing)
        .group_by(Tier.workspace_id, Tier.rank, Tier.name, Tier.window_days)
    )


def freshness() -> View:
    judged = and_(
        PartnerClock.changes == PartnerClock.judged,
        func.substr(
            PartnerClock.basis,
            func.length(PartnerClock.basis) - func.length(cast(Workspace.cadence_version, String)),
        )
        == literal(" ") + cast(Workspace.cadence_version, String),
    )
    return (
        select(
            Workspace.id.label("programme_id"),
            func.count(Partner.id).label("partners"),
            oldest_as_of(Workspace.id).label("standings_as_of"),
            number_where(and_(Partner.id.is_not(None), ~unchanged())).label("standings_outdated"),
            func.max(PartnerClock.computed_at).label("weeks_as_of"),
            number_where(and_(Partner.id.is_not(None), ~true_where(judged))).label("weeks_outdated"),
        )
        .select_from(Workspace)
        .outerjoin(Partner, Partner.workspace_id == Workspace.id)
        .outerjoin(PartnerStanding, PartnerStanding.partner_id == Partner.id)
        .outerjoin(PartnerClock, PartnerClock.partner_id == Partner.id)
        .group_by(Workspace.id)
    )


def unchanged() -> ColumnElement[bool]:
    """Whether no fact of the partner has changed since its standing was noted."""
    return true_where(
        and_(
            PartnerStanding.changes == func.coalesce(PartnerClock.changes, 0),
            PartnerStanding.cadence_version == Workspace.cadence_version,
        )
    )


def oldest_as_of(workspace_id: Any) -> ScalarSelect[Any]:
    any_one = aliased(PartnerStanding)
    return select(func.min(any_one.as_of)).where(any_one.workspace_id == workspace_id).scalar_subquery()
