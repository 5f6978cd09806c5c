"""Which token speaks for which Slack workspace: that of the settings for its own, a sealed one for whoever installed.

Asked for at each use, so that a token that is gone is not used again. Whatever call a token is refused in, the
workspace rests from then on: its token is erased, and nothing is asked of Slack any more.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient
from slack_sdk.http_retry import HttpRequest, HttpResponse, RetryHandler, RetryState
from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from models.actions import installations as actions
from models.clock import Clock
from models.db import at_a_glance
from models.queries import installations as queries
from models.queries.installations import Installed
from models.queries.programme import Programme, workspace_of_team
from models.settings import Settings
from models.vault import Vault, VaultError

REFUSED_TOKENS = ("account_inactive", "invalid_auth", "token_expired", "token_revoked", "team_access_not_granted")
log = structlog.get_logger(__name__)


class NoAccess(Exception):
    """Cadence may not speak in this workspace (any more)."""


class Access:
    """`own_workspace` is the programme of the settings' token, once Slack has said which that is."""

    def __init__(
        self,
        settings: Settings,
        sessions: sessionmaker[Session],
        reading: sessionmaker[Session],
        vault: Vault,
        clock: Clock,
    ) -> None:
        self._settings, self._sessions, self._reading = settings, sessions, at_a_glance(reading)
        self._vault, self._clock = vault, clock
        self._own = settings.slack_bot_token.get_secret_value() if settings.slack_bot_token else None
        self.own_workspace: int | None = None
        self._last: dict[str | None, str] = {}  # team → token

    def authorize(self, enterprise_id: str | None, team_id: str | None, user_id: str | None) -> AuthorizeResult | None:
        """For Bolt, on every request: a look into the database, no call to Slack. None: we may not speak there.

        While the database is away, the token of the last time serves to say so.
        """
        try:
            found, token = self._speaker(enterprise_id, team_id)
        except SQLAlchemyError as error:
            log.error("slack.database_away", error=type(error).__name__)
            found, token = None, self._last.get(team_id, None if self._settings.installable else self._own)
        if token is None:
            return None
        self._last[team_id] = token
        return AuthorizeResult(
            enterprise_id=enterprise_id,
            team_id=team_id,
            user_id=user_id,
            bot_token=token,
            bot_id=found.bot_id if found else None,
            bot_user_id=found.bot_user_id if found else None,
        )

    def _speaker(self, enterprise_id: str | None, team_id: str | None) -> tuple[Installed | None, str | None]:
        with self._reading() as session:
            if team_id is not None and queries.access_lost(session, team_id):
                return None, None
            found = queries.speaks_for(session, team_id, enterprise_id) if self._settings.installable else None
            if found is not None:
                return found, self._open(found)
            return None, self._own if self._is_own(session, team_id) else None

    def reaches(self, programmes: Sequence[Programme]) -> list[Programme]:
        """Those in whose workspace Cadence may speak."""
        with self._reading() as session:
            installed = queries.workspaces_with_installation(session)
        return [
            one
            for one in programmes
            if not one.access_lost and (one.workspace_id in installed or one.workspace_id == self._owned(one))
        ]

    def posting(self, workspace_id: int) -> WebClient:
        """For posts: it never repeats a call. Raises NoAccess."""
        return WebClient(
            token=self._token(workspace_id),
            base_url=self._settings.slack_api_url,
            timeout=20,
            retry_handlers=[self.watch()],
        )

    def asking(self, workspace_id: int) -> WebClient:
        """For calls that are safe to repeat. Raises NoAccess."""
        return WebClient(
            token=self._token(workspace_id),
            base_url=self._settings.slack_api_url,
            timeout=10,
            retry_handlers=self.patience(),
        )

    def patience(self) -> list[RetryHandler]:
        return [
            ConnectionErrorRetryHandler(max_retry_count=1),
            RateLimitErrorRetryHandler(max_retry_count=1),
            self.watch(),
        ]

    def watch(self) -> RetryHandler:
        return Watch(self)

    def removed(self, team_id: str | None, enterprise_id: str | None, why: str, at: datetime) -> Sequence[int]:
        """Slack says that the app was taken away there at an instant. Who installed it again since keeps it."""
        with self._reading() as session:
            found = queries.speaks_for(session, team_id, enterprise_id)
            if found is not None and found.installed_at > at:
                return ()
            own = workspace_of_team(session, team_id) if team_id and found is None else None
        key = found.key if found else None
        with self._sessions.begin() as session:
            return actions.lose_access(session, why, self._clock.now(), key=key, workspace_id=own)

    def refused(self, token: str, why: str) -> None:
        """Slack does not take this token any more."""
        with self._reading() as session:
            sealed = next((one for one in queries.all_installed(session) if self._open(one) == token), None)
        own = self.own_workspace if token == self._own else None
        if sealed is None and own is None:
            return
        with self._sessions.begin() as session:
            rest = actions.lose_access(
                session,
                why,
                self._clock.now(),
                key=sealed.key if sealed else None,
                sealed=sealed.sealed if sealed else None,
                workspace_id=own,
            )
        for workspace_id in rest:
            log.error("slack.access_lost", workspace=workspace_id, error=why)

    def _token(self, workspace_id: int) -> str:
        with self._reading() as session:
            found = queries.speaks_for_workspace(session, workspace_id)
        token = self._open(found) if found else self._own if self.own_workspace in (None, workspace_id) else None
        if token is None:
            raise NoAccess(f"no Slack token for workspace {workspace_id}")
        return token

    def _is_own(self, session: Session, team_id: str | None) -> bool:
        """Without other installations the settings' token is for whoever Slack lets speak to us."""
        if not self._settings.installable:
            return True
        return team_id is not None and workspace_of_team(session, team_id) == self.own_workspace is not None

    def _owned(self, programme: Programme) -> int | None:
        if self._own is None:
            return None
        return programme.workspace_id if self.own_workspace is None else self.own_workspace

    def _open(self, found: Installed) -> str | None:
        try:
            return self._vault.open(found.key, found.sealed)
        except VaultError as error:
            log.error("slack.token_sealed", installation=found.key, error=str(error))
            return None


class Watch(RetryHandler):
    """Looks at every answer of Slack, repeats none."""

    def __init__(self, access: Access) -> None:
        super().__init__(max_retry_count=1)
        self._access = access

    def can_retry(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        word = _error(response)
        if word in REFUSED_TOKENS:
            given = {str(name).lower(): value for name, value in request.headers.items()}.get("authorization") or ""
            bearer = given[0] if isinstance(given, list) else given
            self._access.refused(str(bearer).removeprefix("Bearer "), word)
        return False


def _error(response: HttpResponse | None) -> str:
    body: Any = response.body if response is not None else None
    if response is not None and body is None and response.data:
        try:
            body = json.loads(response.data)
        except ValueError:
            return ""
    return str(body.get("error") or "") if isinstance(body, dict) else ""
