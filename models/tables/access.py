"""Who let Cadence in: Slack installations with their sealed tokens, and consents that are under way."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.db import Base
from models.tables.columns import At, Id, Words


class Installation(Base):
    """The newest installation in a Slack workspace, or in a whole Enterprise organisation. Removal deletes the row."""

    __tablename__ = "installation"
    id: Mapped[Id]
    key: Mapped[str] = mapped_column(unique=True)  # enterprise and team in one word: NULLs are never equal in SQL
    workspace_id: Mapped[int | None] = mapped_column(ForeignKey("workspace.id"), index=True)
    app_id: Mapped[str | None]
    enterprise_id: Mapped[str | None]
    team_id: Mapped[str | None]
    team_name: Mapped[Words | None]
    is_enterprise_install: Mapped[bool] = mapped_column(default=False)
    bot_id: Mapped[str | None]
    bot_user_id: Mapped[str | None]
    bot_token: Mapped[Words]  # sealed by models.vault
    bot_scopes: Mapped[Words]  # comma separated
    user_id: Mapped[str]  # who installed it
    installed_at: Mapped[At]


class OAuthState(Base):
    """A consent that is under way, for ten minutes and one use. The browser has the state, here is its hash."""

    __tablename__ = "oauth_state"
    digest: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str]  # install; ticket, then mailbox
    provider: Mapped[str | None]  # gmail, graph
    workspace_id: Mapped[int | None] = mapped_column(ForeignKey("workspace.id"))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    verifier: Mapped[Words | None]  # of PKCE, sealed
    made_at: Mapped[At]
    expires_at: Mapped[At] = mapped_column(index=True)
