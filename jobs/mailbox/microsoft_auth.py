"""Access tokens for Microsoft Graph, always with the narrowest permission that shows headers. It reads no mail.

Which addresses an app may read is limited by the tenant (RBAC for Applications), and by our own list of mailboxes.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import msal
import requests

from jobs.mailbox.base import NeedsAuth, ProviderError
from jobs.mailbox.graph_errors import TryAgain
from jobs.mailbox.graph_message import instant

LOGIN_URL = "https://login.microsoftonline.com"
GRAPH_URL = "https://graph.microsoft.com"
PERMISSION = "Mail.ReadBasic"
TIMEOUT = 30.0
RENEW_EVERY = timedelta(days=7)
EARLY = 300.0  # seconds before its end that a token is replaced
NOT_NOW = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
WANTED = "give a JSON object with client_id, refresh_token and tenant_id"

Ask = Callable[[bool], dict[str, Any]]
"""Asks Microsoft for a token, as msal answers. True: the last one was refused, so none that is kept will do."""


class CredentialsRefused(ProviderError):
    """What was given cannot be used. The text says what is wanted instead."""


@dataclass(slots=True)
class AccessTokens:
    """The current access token of an app or of a person; safe to share between threads.

    `renewed` answers what to store in place of a person's token file, when it is time to.
    """

    _ask: Ask
    renewed: Callable[[datetime], str | None] = lambda now: None
    _token: str = ""
    _good_until: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def current(self, refused: str = "") -> str:
        """A token that is still good, and another one than `refused`. Raises NeedsAuth or TryAgain."""
        with self._lock:
            if not self._token or self._token == refused or time.monotonic() >= self._good_until:
                answer = self._asked(bool(refused) and self._token == refused)
                self._token = str(answer["access_token"])
                self._good_until = time.monotonic() + _lifetime(answer) - EARLY
            return self._token

    def _asked(self, refused: bool) -> dict[str, Any]:
        self._token = ""
        try:
            answer = self._ask(refused)
        except requests.RequestException as error:
            raise TryAgain(
                f"Microsoft's login could not be reached ({type(error).__name__})", mailbox_wide=True
            ) from error
        except msal.exceptions.MsalServiceError as error:
            raise TryAgain(f"Microsoft's login could not answer ({error})", mailbox_wide=True) from error
        except (ValueError, KeyError, RuntimeError) as error:
            raise CredentialsRefused(
                "Microsoft's login does not know the tenant: check MICROSOFT_TENANT_ID and MICROSOFT_LOGIN_URL"
            ) from error
        if answer.get("access_token"):
            return answer
        code = str(answer.get("error") or "no token")
        # Behind the first line stand trace numbers and times.
        told = (str(answer.get("error_description") or "").splitlines() or [""])[0]
        words = f"{code}: {told}"[:200] if told else code
        if code in NOT_NOW:
            raise TryAgain(f"Microsoft's login could not answer ({words})", mailbox_wide=True)
        raise NeedsAuth(f"Microsoft gives no access ({words}): check the app and its secret, or connect again")


@lru_cache(maxsize=16)
def app_only(tenant_id: str, client_id: str, client_secret: str, login_url: str, api_url: str) -> AccessTokens:
    """The app's own token (client credentials), one for all mailboxes of the tenant."""
    scopes = [f"{resource_at(api_url)}/.default"]
    made: list[Any] = []

    def ask(refused: bool) -> dict[str, Any]:
        if not made:
            made.append(_application(tenant_id, client_id, client_secret, login_url))
        if refused:
            made[0].remove_tokens_for_client()
        return made[0].acquire_token_for_client(scopes=scopes) or {}

    return AccessTokens(ask)


def consented(token_json: str, login_url: str, api_url: str) -> AccessTokens:
    """A person's own consent, from the text of a token file. `client_secret` is wanted of web apps only."""
    info = _read(token_json)
    scopes = [f"{resource_at(api_url)}/{PERMISSION}"]
    latest = [info["refresh_token"]]
    made: list[Any] = []

    def ask(refused: bool) -> dict[str, Any]:
        if not made:
            made.append(_application(info["tenant_id"], info["client_id"], info.get("client_secret"), login_url))
        answer: dict[str, Any] = made[0].acquire_token_by_refresh_token(latest[0], scopes=scopes)
        latest[0] = answer.get("refresh_token") or latest[0]
        return answer

    def renewed(now: datetime) -> str | None:
        # A refresh token lives for 90 days, and each use gives a new one.
        since = instant(info.get("renewed_at"))
        if latest[0] == info["refresh_token"] or (since is not None and now - since < RENEW_EVERY):
            return None
        return json.dumps(info | {"refresh_token": latest[0], "renewed_at": now.isoformat()})

    return AccessTokens(ask, renewed)


def _read(token_json: str) -> dict[str, str]:
    try:
        info = json.loads(token_json.removeprefix("\ufeff"))
    except ValueError as error:
        raise CredentialsRefused(f"the token file is not JSON: {WANTED}") from error
    if not isinstance(info, dict):
        raise CredentialsRefused(f"the token file is no JSON object: {WANTED}")
    wanted = ("client_id", "refresh_token", "tenant_id")
    missing = [name for name in wanted if not isinstance(info.get(name), str) or not info[name]]
    if missing:
        raise CredentialsRefused(f"the token file lacks {' and '.join(missing)}: {WANTED}")
    return {name: info[name] for name in (*wanted, "client_secret", "renewed_at") if isinstance(info.get(name), str)}


def _application(tenant_id: str, client_id: str, client_secret: str | None, login_url: str) -> Any:
    """msal's application; building it asks the login where its endpoints are."""
    kind = msal.ConfidentialClientApplication if client_secret else msal.PublicClientApplication
    return kind(
        client_id,
        authority=f"{LOGIN_URL}/{tenant_id.strip('/')}",
        instance_discovery=False,
        http_client=_LoginHttp(login_url),
        **({"client_credential": client_secret} if client_secret else {}),
    )


class _LoginHttp:
    """msal's connection. msal takes no http:// address, so the configured one is put in here."""

    def __init__(self, login_url: str) -> None:
        self._session = requests.Session()
        self._session.trust_env = not _is_this_machine(login_url)
        self._login_url = login_url.rstrip("/")

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> requests.Response:
        return self._session.get(self._address(url), params=params, headers=headers, timeout=TIMEOUT)

    def post(self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: Any) -> requests.Response:
        return self._session.post(self._address(url), params=params, data=data, headers=headers, timeout=TIMEOUT)

    def close(self) -> None:
        self._session.close()

    def _address(self, url: str) -> str:
        return self._login_url + url.removeprefix(LOGIN_URL) if url.startswith(LOGIN_URL) else url


def resource_at(api_url: str) -> str:
    """Whom a token is for: Graph at that address, or the worldwide one where the address is a stand-in's."""
    split = urlsplit(api_url)
    return f"https://{split.netloc}" if split.scheme == "https" else GRAPH_URL


def _is_this_machine(url: str) -> bool:
    return urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")


def _lifetime(answer: dict[str, Any]) -> float:
    try:
        return float(answer["expires_in"])
    except (KeyError, TypeError, ValueError):
        return 2 * EARLY
