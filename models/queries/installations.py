"""Which installation of the Slack app speaks for a workspace. Its token stays sealed here."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from models.tables import Installation, Workspace


@dataclass(frozen=True, slots=True)
class Installed:
    """`key` is the owner of the sealed token, as the vault knows it."""

    key: str
    sealed: str
    bot_id: str | None
    bot_user_id: str | None
    user_id: str
    installed_at: datetime


def installation_key(team_id: str | None, enterprise_id: str | None) -> str:
    """An organisation's installation has no team of its own."""
    return f"team:{team_id}" if team_id else f"enterprise:{enterprise_id}"


def speaks_for(session: Session, team_id: str | None, enterprise_id: str | None) -> Installed | None:
    """The workspace's own installation, else that of its whole organisation."""
    for key in (
        installation_key(team_id, None) if team_id else None,
        installation_key(None, enterprise_id) if enterprise_id else None,
    ):
        row = session.scalars(select(Installation).where(Installation.key == key)).first() if key else None
        if row is not None:
            return _installed(row)
    return None


def all_installed(session: Session) -> list[Installed]:
    return [_installed(row) for row in session.scalars(select(Installation).order_by(Installation.id))]


def speaks_for_workspace(session: Session, workspace_id: int) -> Installed | None:
    row = session.get_one(Workspace, workspace_id)
    return speaks_for(session, row.slack_team_id, row.slack_enterprise_id)


def access_lost(session: Session, team_id: str) -> bool:
    """Whether Slack took the access to this workspace away, and nobody has installed the app again."""
    return session.scalar(_LOST_AT, {"team_id": team_id}) is not None


_LOST_AT = select(Workspace.access_lost_at).where(Workspace.slack_team_id == bindparam("team_id"))


def access_lost_in(session: Session) -> list[tuple[str, str]]:
    """Workspaces that rest, with Slack's word for why."""
    rows = session.execute(
        select(Workspace.slack_team_id, Workspace.access_lost_why)
        .where(Workspace.access_lost_at.is_not(None))
        .order_by(Workspace.id)
    )
    return [(team_id or "", why or "") for team_id, why in rows]


def workspaces_with_installation(session: Session) -> frozenset[int]:
    return frozenset(
        session.scalars(
            select(Workspace.id).where(
                or_(
                    Workspace.slack_team_id.in_(select(Installation.team_id)),
                    Workspace.slack_enterprise_id.in_(
                        select(Installation.enterprise_id).where(Installation.is_enterprise_install)
                    ),
                )
            )
        )
    )


def unlinked_workspace(session: Session) -> int | None:
    """The programme that was prepared on the command line, while it is the only one and lives in no Slack yet."""
    rows = session.execute(select(Workspace.id, Workspace.slack_team_id).limit(2)).all()
    return rows[0].id if len(rows) == 1 and rows[0].slack_team_id is None else None


def _installed(row: Installation) -> Installed:
    return Installed(row.key, row.bot_token, row.bot_id, row.bot_user_id, row.user_id, row.installed_at)
