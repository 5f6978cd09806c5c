"""The stand-in's login: tenants, apps with a secret, and people who consented. Tokens live by the real clock."""

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.sandbox.consent import DECLINED, BadCode, Codes, Question, read

RESOURCE = "https://graph.microsoft.com"
LIFETIME = timedelta(seconds=3599)


class Refused(Exception):
    """The grant is refused, with OAuth's error code and Microsoft's words."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.description, self.status = error, description, status


@dataclass(frozen=True, slots=True)
class Access:
    """What an access token opens: one mailbox, or with None every mailbox of the app's scope."""

    address: str | None
    expires_at: datetime


@dataclass(slots=True)
class Tokens:
    tenant_id: str = "7f1c0000-0000-4000-8000-000000000001"
    client_id: str = "c11e0000-0000-4000-8000-000000000002"
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    redirects: tuple[str, ...] = ("http://localhost",)  # of the platform for mobile and desktop applications
    web_redirects: tuple[str, ...] = ()
    also_granted: tuple[str, ...] = ()  # permissions that the app was given besides
    codes: Codes = field(default_factory=Codes)
    _consents: dict[str, str] = field(default_factory=dict)  # refresh token → address
    _access: dict[str, Access] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def consent(self, address: str) -> dict[str, str]:
        """The address consents; answers the content of the token file."""
        refresh_token = f"0.AX.{secrets.token_urlsafe(24)}"
        with self._lock:
            self._consents[refresh_token] = address
        return {"client_id": self.client_id, "tenant_id": self.tenant_id, "refresh_token": refresh_token}

    def question(self, tenant_id: str, params: Mapping[str, str]) -> Question:
        """What somebody was sent to the consent page with, or BadQuestion."""
        client_id = self.client_id if tenant_id == self.tenant_id else "of another tenant"
        return read(params, client_id=client_id, redirects=(*self.redirects, *self.web_redirects))

    def decide(self, question: Question, address: str | None) -> str:
        """Where the browser goes after the address has consented; None declines."""
        if address is None:
            told = "AADSTS65004: User declined to consent to access the app.\r\nTrace ID: 1"
            return question.back(error=DECLINED, error_description=told)
        return question.back(code=self.codes.give(question, address), session_state="7")

    def revoke(self, address: str) -> None:
        """Consent is withdrawn: refresh tokens and access tokens of the address are dead."""
        with self._lock:
            self._consents = {token: one for token, one in self._consents.items() if one != address}
            self._access = {token: one for token, one in self._access.items() if one.address != address}

    def expire_refresh_token(self, refresh_token: str) -> None:
        """This one token has not been used for too long; the consent stands."""
        with self._lock:
            del self._consents[refresh_token]

    def expire_access(self) -> None:
        """Every access token given out so far is refused with 401; new ones can be had."""
        with self._lock:
            self._access.clear()

    def access(self, token: str) -> Access | None:
        with self._lock:
            found = self._access.get(token)
        return found if found and found.expires_at > datetime.now(UTC) else None

    def grant(self, tenant_id: str, form: Mapping[str, str]) -> dict[str, Any]:
        """The answer of the token endpoint, or Refused."""
        if form.get("client_id") != self.client_id or tenant_id != self.tenant_id:
            raise Refused("unauthorized_client", "AADSTS700016: Application was not found in the directory.")
        kind, scopes = form.get("grant_type"), set(form.get("scope", "").split())
        if kind == "client_credentials":
            if form.get("client_secret") != self.client_secret:
                raise Refused("invalid_client", "AADSTS7000215: Invalid client secret provided.", 401)
            if scopes != {f"{RESOURCE}/.default"}:
                raise Refused("invalid_scope", "AADSTS1002012: The provided value for scope is not valid.")
            return self._issue(None)
        if kind == "authorization_code":
            return self._by_code(form)
        if kind == "refresh_token":
            with self._lock:
                address = self._consents.get(form.get("refresh_token", ""))
            if address is None:
                raise Refused("invalid_grant", "AADSTS700082: The refresh token has expired due to inactivity.")
            if f"{RESOURCE}/Mail.ReadBasic" not in scopes or "offline_access" not in scopes:
                raise Refused("invalid_scope", "AADSTS70011: The provided value for the input parameter is not valid.")
            return self._issue(address) | {"refresh_token": self.consent(address)["refresh_token"]}
        raise Refused("unsupported_grant_type", f"AADSTS70003: The app requested an unsupported grant type '{kind}'.")

    def _by_code(self, form: Mapping[str, str]) -> dict[str, Any]:
        web = form.get("redirect_uri") in self.web_redirects
        if not web and "client_secret" in form:
            raise Refused("invalid_client", "AADSTS700025: Client is public so no 'client_secret' should be presented.")
        if web and form.get("client_secret") != self.client_secret:
            raise Refused("invalid_client", "AADSTS7000218: The request body must contain 'client_secret'.", 401)
        try:
            question, address = self.codes.redeem(form)
        except BadCode as error:
            raise Refused("invalid_grant", f"AADSTS70000: {error}.") from None
        granted = (*(question.scopes - {"offline_access"}), *self.also_granted)
        more = {"refresh_token": self.consent(address)["refresh_token"]} if "offline_access" in question.scopes else {}
        return self._issue(address) | more | {"scope": " ".join(sorted(granted))}

    def _issue(self, address: str | None) -> dict[str, Any]:
        token = f"eyJ0.{secrets.token_urlsafe(32)}"
        with self._lock:
            self._access[token] = Access(address, datetime.now(UTC) + LIFETIME)
        return {"token_type": "Bearer", "expires_in": int(LIFETIME.total_seconds()), "access_token": token}
