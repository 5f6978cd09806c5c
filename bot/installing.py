"""`/slack/install` and where Slack sends the browser back: a workspace installs the app, and its token is sealed.

The state is good for one use, for ten minutes and for the browser that began. No transaction is open while Slack is
asked; a crash between its answer and our storing leaves nothing, and the next try gets a new token.
"""

from collections.abc import Callable
from hmac import compare_digest
from typing import Any
from urllib.parse import urlencode

import structlog
from flask import Flask, Response, request
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from sqlalchemy.orm import Session, sessionmaker

from bot.asking import ask
from bot.views.installing import NEEDED, OPTIONAL, installed_page, missing_scopes, refused_page, start_page
from bot.views.web import HEADERS
from models.actions.installations import INSTALL, STATE_LIVES, Grant, install, new_state, redeem_state
from models.clock import Clock
from models.queries.installations import unlinked_workspace
from models.queries.programme import people
from models.settings import Settings, SettingsError
from models.vault import Vault, VaultError

START_PATH, BACK_PATH = "/slack/install", "/slack/oauth_redirect"
COOKIE = "cadence_install"
log = structlog.get_logger(__name__)

Installed = Callable[[int], None]
"""Told of each programme that was installed, after it is stored."""


class _Refusal(Exception):
    """Why nothing was installed, for the person at the browser."""


def check_settings(settings: Settings) -> None:
    """What people need to install the app; raises SettingsError with one line."""
    if settings.slack_signing_secret is None:
        raise SettingsError(
            "SLACK_SIGNING_SECRET: set it too, because SLACK_CLIENT_ID and SLACK_CLIENT_SECRET need HTTP"
        )
    if settings.public_url is None:
        raise SettingsError(
            "CADENCE_PUBLIC_URL: set it to the https address of this server, to which Slack sends whoever installs"
        )
    if not settings.secret_keys:
        raise SettingsError("CADENCE_SECRET_KEYS: set it, because tokens are stored sealed: `cadence secrets new-key`")


def add_installing(
    web: Flask,
    settings: Settings,
    sessions: sessionmaker[Session],
    reading: sessionmaker[Session],
    vault: Vault,
    clock: Clock,
    installed: Installed,
) -> None:
    check_settings(settings)
    back = f"{settings.public_url}{BACK_PATH}"

    @web.get(START_PATH)
    def start() -> Response:
        with sessions.begin() as session:
            state = new_state(session, INSTALL, clock.now())
        asked = {
            "client_id": settings.slack_client_id,
            "scope": ",".join((*NEEDED, *OPTIONAL)),
            "state": state,
            "redirect_uri": back,
        }
        answer = Response(start_page(f"{settings.slack_authorize_url}?{urlencode(asked)}"), headers=HEADERS)
        answer.set_cookie(
            COOKIE,
            state,
            max_age=int(STATE_LIVES.total_seconds()),
            path=BACK_PATH,
            secure=back.startswith("https://"),
            httponly=True,
            samesite="Lax",  # Slack's page sends the browser here by a link
        )
        return answer

    @web.get(BACK_PATH)
    def granted() -> Response:
        try:
            _check_state(sessions, clock, request.args.get("state", ""), request.cookies.get(COOKIE, ""))
            grant, token = _grant(settings, back)
            if missing := sorted(NEEDED.keys() - set(grant.scopes)):
                raise _Refusal(missing_scopes(missing))
            address = _address(settings, token, grant.user_id)
            sealed = vault.seal(grant.key, token)
            with sessions.begin() as session:
                prepared = unlinked_workspace(session)
                if prepared is not None and not _leads(session, settings, prepared, address):
                    prepared = None  # whoever is first to install must not get what somebody else has prepared
                workspace_id = install(session, grant, sealed, clock.now(), prepared=prepared)
        except _Refusal as refusal:
            answer = Response(refused_page(str(refusal)), 400, headers=HEADERS)
        except VaultError as error:
            log.error("install.not_sealed", error=str(error))
            answer = Response(
                refused_page("Cadence cannot store secrets: its operator finds why in its log"), 500, HEADERS
            )
        else:
            log.info("install.done", workspace=workspace_id, installation=grant.key)
            if workspace_id is not None:
                installed(workspace_id)
            answer = Response(installed_page(grant.team_name, _door(grant)), headers=HEADERS)
        answer.delete_cookie(COOKIE, path=BACK_PATH)
        return answer


def _check_state(sessions: sessionmaker[Session], clock: Clock, state: str, mine: str) -> None:
    """It is used up only by the browser that has it, so that nobody else can spoil it."""
    if not state or not mine or not compare_digest(state.encode(), mine.encode()):
        raise _Refusal("this did not begin in this browser, or it began more than ten minutes ago")
    with sessions.begin() as session:
        if not redeem_state(session, INSTALL, state, clock.now()):
            raise _Refusal("this link was used before, or is older than ten minutes")


def _grant(settings: Settings, back: str) -> tuple[Grant, str]:
    """What Slack gives for the code."""
    if request.args.get("error"):
        declined = request.args["error"] == "access_denied"
        said = "you did not allow it" if declined else f"Slack said {request.args['error'][:60]}"
        raise _Refusal(said)
    code = request.args.get("code", "")
    if not code:
        raise _Refusal("Slack sent no code")
    secret = settings.slack_client_secret.get_secret_value() if settings.slack_client_secret else ""
    try:
        answer: Any = WebClient(base_url=settings.slack_api_url, timeout=10, retry_handlers=[]).oauth_v2_access(
            client_id=settings.slack_client_id or "", client_secret=secret, code=code, redirect_uri=back
        )
    except SlackApiError as error:
        reason = str(error.response.get("error") or "no reason")[:60]
        log.warning("install.refused", error=reason)
        if reason in ("bad_client_secret", "invalid_client_id"):
            raise _Refusal("Slack does not know this Cadence: its operator has to check SLACK_CLIENT_SECRET") from error
        raise _Refusal(f"Slack did not accept it ({reason})") from error
    except OSError as error:
        raise _Refusal("Slack did not answer: please try again in a moment") from error
    token = str(answer.get("access_token") or "")
    team, enterprise = answer.get("team") or {}, answer.get("enterprise") or {}
    whole = bool(answer.get("is_enterprise_install"))
    if not token.startswith("xoxb-") or not (enterprise.get("id") if whole else team.get("id")):
        raise _Refusal("Slack gave no token for a bot")
    grant = Grant(
        team_id=None if whole else team["id"],
        team_name=enterprise.get("name") if whole else team.get("name"),
        enterprise_id=enterprise.get("id"),
        app_id=answer.get("app_id"),
        bot_id=answer.get("bot_id"),
        bot_user_id=answer.get("bot_user_id"),
        scopes=tuple(one for one in str(answer.get("scope") or "").split(",") if one),
        user_id=str((answer.get("authed_user") or {}).get("id") or ""),
    )
    return grant, token


def _address(settings: Settings, token: str, user_id: str) -> str | None:
    """The installer's confirmed address, where Slack tells it."""
    client = WebClient(token=token, base_url=settings.slack_api_url, timeout=5, retry_handlers=[])
    try:
        user = ask(client, "users.info", user=user_id)["user"] or {}
    except (SlackApiError, OSError) as error:
        log.info("install.no_address", error=str(error)[:100])
        return None
    found = (user.get("profile") or {}).get("email") if user.get("is_email_confirmed", True) else None
    return str(found).lower() if found else None


def _leads(session: Session, settings: Settings, workspace_id: int, address: str | None) -> bool:
    if address is None:
        return False
    named = {one.lower() for one in settings.leads}
    return address in named or any(one.leads and address == one.email for one in people(session, workspace_id))


def _door(grant: Grant) -> str:
    """Opens the conversation with the app, in the browser or in Slack's own program."""
    query = {key: value for key, value in (("app", grant.app_id), ("team", grant.team_id)) if value}
    return f"https://slack.com/app_redirect?{urlencode(query)}"
