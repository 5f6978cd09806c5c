"""Writes of Slack installations: a new one, one that is gone, and consents that are under way.

Whose token fails is asked for by the token's key and seal: a workspace that was installed anew meanwhile keeps its own.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, update
from sqlalchemy.orm import Session

from models.actions.programme import add_workspace
from models.actions.slack import SLACK
from models.actions.write import audit, insert_into
from models.queries.installations import installation_key
from models.queries.programme import workspace_of_team
from models.tables import Installation, OAuthState, Workspace

STATE_LIVES = timedelta(minutes=10)
INSTALL = "install"


@dataclass(frozen=True, slots=True)
class Grant:
    """What Slack has granted. Without a team it is a whole organisation's."""

    team_id: str | None
    team_name: str | None
    enterprise_id: str | None
    app_id: str | None
    bot_id: str | None
    bot_user_id: str | None
    scopes: tuple[str, ...]
    user_id: str

    @property
    def key(self) -> str:
        return installation_key(self.team_id, self.enterprise_id)


def new_state(session: Session, purpose: str, now: datetime) -> str:
    """A state for one use within ten minutes. The browser has it; here is its digest. Old ones are swept away."""
    state = secrets.token_urlsafe(32)
    session.execute(delete(OAuthState).where(OAuthState.expires_at <= now))
    session.add(OAuthState(digest=state_digest(state), purpose=purpose, made_at=now, expires_at=now + STATE_LIVES))
    return state


def redeem_state(session: Session, purpose: str, state: str, now: datetime) -> bool:
    """Whether the state is ours, in time and used for the first time; it is used up by asking."""
    used = session.execute(
        delete(OAuthState)
        .where(OAuthState.digest == state_digest(state), OAuthState.purpose == purpose, OAuthState.expires_at > now)
        .returning(OAuthState.digest)
    )
    return used.first() is not None


def state_digest(state: str) -> str:
    """What is stored of a secret that a browser has."""
    return hashlib.sha256(state.encode()).hexdigest()


def install(session: Session, grant: Grant, sealed: str, now: datetime, *, prepared: int | None = None) -> int | None:
    """Keeps the newest token of this workspace and answers its programme, which is made or comes back to life.

    `prepared` is a programme that lives in no Slack yet and may be the installer's. None: an organisation's
    installation, whose workspaces get their programmes when they first speak.
    """
    workspace_id = None
    if grant.team_id is not None:
        workspace_id = _programme_of(session, grant.team_id, grant, now, prepared)
    values = {
        "key": grant.key,
        "workspace_id": workspace_id,
        "app_id": grant.app_id,
        "enterprise_id": grant.enterprise_id,
        "team_id": grant.team_id,
        "team_name": grant.team_name,
        "is_enterprise_install": grant.team_id is None,
        "bot_id": grant.bot_id,
        "bot_user_id": grant.bot_user_id,
        "bot_token": sealed,
        "bot_scopes": ",".join(grant.scopes),
        "user_id": grant.user_id,
        "installed_at": now,
    }
    put = insert_into(session, Installation)
    fresh = {name: put.excluded[name] for name in values if name != "key"}
    session.execute(put.on_conflict_do_update(index_elements=["key"], set_=fresh), [values])
    if grant.team_id is None:  # the workspaces of the organisation that were there before
        ours = Workspace.slack_enterprise_id == grant.enterprise_id
        session.execute(update(Workspace).where(ours).values(access_lost_at=None, access_lost_why=None))
    return workspace_id


def join_organisation(session: Session, team_id: str, enterprise_id: str, installed_by: str, now: datetime) -> int:
    """A workspace of an organisation that has installed the app speaks for the first time."""
    known = workspace_of_team(session, team_id)
    if known is not None:
        return known
    workspace_id = add_workspace(session, now, team_id)
    row = session.get_one(Workspace, workspace_id)
    row.slack_enterprise_id, row.installed_by = enterprise_id, installed_by
    audit(session, workspace_id, SLACK, "install app", f"workspace:{workspace_id}", now, after={"by": installed_by})
    return workspace_id


def lose_access(
    session: Session,
    why: str,
    now: datetime,
    *,
    key: str | None = None,
    sealed: str | None = None,
    workspace_id: int | None = None,
) -> Sequence[int]:
    """Erases a token and lets the programmes rest that it spoke for; answers which did not rest yet.

    `key` names the installation, `sealed` its token when only that one is meant; `workspace_id` is the programme of the
    token in the settings.
    """
    losing = Workspace.id == workspace_id
    if key is not None:
        gone = delete(Installation).where(Installation.key == key)
        if sealed is not None:
            gone = gone.where(Installation.bot_token == sealed)
        if session.execute(gone.returning(Installation.key)).first() is None and sealed is not None:
            return []
        kind, _, name = key.partition(":")
        whose = Workspace.slack_team_id if kind == "team" else Workspace.slack_enterprise_id
        losing = or_(losing, whose == name)
    lost = update(Workspace).where(losing, Workspace.access_lost_at.is_(None)).returning(Workspace.id)
    resting = session.scalars(lost.values(access_lost_at=now, access_lost_why=why)).all()
    for one in resting:
        audit(session, one, SLACK, "lose access", f"workspace:{one}", now, after={"reason": why})
    return resting


def regain_access(session: Session, workspace_id: int, now: datetime) -> None:
    """Slack takes the token of the settings again."""
    row = session.get_one(Workspace, workspace_id)
    if row.access_lost_at is None:
        return
    before = {"reason": row.access_lost_why}
    row.access_lost_at = row.access_lost_why = None
    audit(session, workspace_id, SLACK, "regain access", f"workspace:{workspace_id}", now, before=before)


def _programme_of(session: Session, team_id: str, grant: Grant, now: datetime, prepared: int | None) -> int:
    workspace_id = workspace_of_team(session, team_id) or prepared or add_workspace(session, now, team_id)
    row = session.get_one(Workspace, workspace_id)
    row.slack_team_id, row.bot_user_id, row.installed_by = team_id, grant.bot_user_id, grant.user_id
    row.access_lost_at = row.access_lost_why = None
    after = {"by": grant.user_id, "scopes": list(grant.scopes)}
    audit(session, workspace_id, SLACK, "install app", f"workspace:{workspace_id}", now, after=after)
    return workspace_id
