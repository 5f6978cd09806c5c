"""Writes of the programme itself: its workspace and its cadence targets."""

import secrets
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from models import tables
from models.actions.clocks import facts_changed
from models.actions.write import Change, audit, plain
from models.cadence import Tier
from models.tables import Partner, PartnerHistory, TierHistory


class OtherWorkspace(Exception):
    """A programme cannot move to another Slack workspace by itself; the text says what to do."""


DEFAULT_TIERS = (Tier(1, "Tier 1", 7), Tier(2, "Tier 2", 14), Tier(3, "Tier 3", 30))


def the_workspace(session: Session, now: datetime) -> int:
    """The oldest workspace; the first call makes it, with the default tiers."""
    found = session.scalar(select(tables.Workspace.id).order_by(tables.Workspace.id).limit(1))
    return found if found is not None else add_workspace(session, now)


def add_workspace(session: Session, now: datetime, slack_team_id: str | None = None) -> int:
    workspace = tables.Workspace(slack_team_id=slack_team_id, digest_key=secrets.token_bytes(32), created_at=now)
    session.add(workspace)
    session.flush()
    for tier in DEFAULT_TIERS:
        set_tier(session, workspace.id, "installation", tier, now)
    return workspace.id


def link_workspace(session: Session, workspace_id: int, team_id: str, bot_user_id: str | None) -> None:
    """Remembers which Slack workspace this programme lives in; raises OtherWorkspace when it lives elsewhere."""
    workspace = session.get_one(tables.Workspace, workspace_id)
    if workspace.slack_team_id not in (None, team_id):
        raise OtherWorkspace(
            f"SLACK_BOT_TOKEN belongs to the Slack workspace {team_id}, but the programme in this database lives in "
            f"{workspace.slack_team_id}: use its token, or another database"
        )
    workspace.slack_team_id, workspace.bot_user_id = team_id, bot_user_id


def set_tier(session: Session, workspace_id: int, actor: str, tier: Tier, now: datetime) -> Change:
    """Adds a tier or changes its target from now on; weeks that are past keep the target they had."""
    row = session.scalar(
        select(tables.Tier).where(tables.Tier.workspace_id == workspace_id, tables.Tier.rank == tier.rank)
    )
    before = Tier(row.rank, row.name, row.window_days, row.grace_days) if row else None
    if before == tier:
        return Change.UNCHANGED
    if row is None:
        row = tables.Tier(workspace_id=workspace_id, rank=tier.rank)
        session.add(row)
    row.name, row.window_days, row.grace_days = (
        tier.name,
        tier.window_days,
        tier.grace_days,
    )
    session.flush()
    session.add(
        TierHistory(
            tier_id=row.id,
            from_at=now,
            name=tier.name,
            window_days=tier.window_days,
            grace_days=tier.grace_days,
        )
    )
    facts_changed(session, workspace_id)
    after = plain(tier)
    audit(
        session,
        workspace_id,
        actor,
        "set tier",
        f"tier:{tier.rank}",
        now,
        before=plain(before) if before else None,
        after=after,
    )
    return Change.CHANGED if before else Change.ADDED


class TierInUse(Exception):
    """A tier to which partners belong, or belonged in weeks that are on record. The text says which of the two."""


def remove_tier(session: Session, workspace_id: int, actor: str, rank: int, now: datetime) -> bool:
    """Removes a tier that no partner ever had; answers whether it was there. Raises TierInUse."""
    row = session.scalar(select(tables.Tier).where(tables.Tier.workspace_id == workspace_id, tables.Tier.rank == rank))
    if row is None:
        return False
    if session.scalar(select(Partner.id).where(Partner.tier_id == row.id).limit(1)) is not None:
        raise TierInUse("partners belong to it: give them another tier first")
    if session.scalar(select(PartnerHistory.id).where(PartnerHistory.tier_id == row.id).limit(1)) is not None:
        raise TierInUse("partners belonged to it in past weeks, whose figures need it; it can be renamed")
    before = Tier(row.rank, row.name, row.window_days, row.grace_days)
    session.execute(delete(TierHistory).where(TierHistory.tier_id == row.id))
    session.delete(row)
    session.flush()
    facts_changed(session, workspace_id)
    audit(session, workspace_id, actor, "remove tier", f"tier:{rank}", now, before=plain(before))
    return True
