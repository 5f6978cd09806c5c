"""The stand-in's token endpoint: consents with their codes and refresh tokens, and a service account's assertions."""

import base64
import binascii
import json
import secrets
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.sandbox.consent import DECLINED, BadCode, Codes, Question, read

METADATA_SCOPE = "https://www.googleapis.com/auth/gmail.metadata"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GOOGLE_TOKEN_URL = (
    "https://oauth2.googleapis.com/token"  # google-auth signs this audience whatever the file's token_uri
)
LIFETIME = timedelta(seconds=3599)
CLOCK_SKEW = timedelta(minutes=5)


class Refused(Exception):
    """The grant is refused, with OAuth's error code and Google's words."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.description, self.status = error, description, status


@dataclass(frozen=True, slots=True)
class Access:
    """What an access token stands for."""

    address: str
    scopes: frozenset[str]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Consent:
    address: str
    client_id: str
    client_secret: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class _ServiceAccount:
    email: str
    key_id: str
    public_key: rsa.RSAPublicKey
    delegated: frozenset[str]
    info: Mapping[str, str]


@dataclass(slots=True)
class Tokens:
    """Who may have a token for whom. Tokens live by the real clock, since google-auth counts their age by it."""

    token_url: str = ""
    client_id: str = "sandbox.apps.example"
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    redirects: tuple[str, ...] = ("http://127.0.0.1", "http://localhost")  # a desktop app's
    grants: frozenset[str] | None = None  # given whatever was asked for
    gives_refresh_tokens: bool = True
    in_testing: bool = False  # then a consent ends after seven days
    codes: Codes = field(default_factory=Codes)
    _consents: dict[str, _Consent] = field(default_factory=dict)
    _accounts: dict[str, _ServiceAccount] = field(default_factory=dict)
    _access: dict[str, Access] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def authorized_user(self, address: str, scopes: Collection[str] = (METADATA_SCOPE,)) -> dict[str, str]:
        """The address consents; answers the content of the token file."""
        refresh_token = f"1//{secrets.token_urlsafe(24)}"
        consent = _Consent(address, self.client_id, secrets.token_urlsafe(12), frozenset(scopes))
        with self._lock:
            self._consents[refresh_token] = consent
        return {
            "type": "authorized_user",
            "client_id": consent.client_id,
            "client_secret": consent.client_secret,
            "refresh_token": refresh_token,
            "token_uri": self.token_url,
        }

    def question(self, params: Mapping[str, str]) -> Question:
        """What somebody was sent to the consent page with, or BadQuestion."""
        return read(params, client_id=self.client_id, redirects=self.redirects)

    def decide(self, question: Question, address: str | None) -> str:
        """Where the browser goes after the address has consented; None declines."""
        if address is None:
            return question.back(error=DECLINED)
        return question.back(code=self.codes.give(question, address), scope=" ".join(sorted(question.scopes)))

    def service_account(
        self, email: str = "cadence@sandbox.iam.example", *, delegated: Collection[str] = (METADATA_SCOPE,)
    ) -> dict[str, str]:
        """A service account whose client is delegated these scopes; answers the content of its key file."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        key_id = secrets.token_hex(20)
        info = {
            "type": "service_account",
            "project_id": "sandbox",
            "private_key_id": key_id,
            "private_key": pem.decode(),
            "client_email": email,
            "client_id": "100000000000000000001",
            "token_uri": self.token_url,
        }
        with self._lock:
            self._accounts[email] = _ServiceAccount(email, key_id, key.public_key(), frozenset(delegated), info)
        return dict(info)

    def revoke(self, address: str) -> None:
        """Consent is withdrawn: the refresh tokens and all access tokens of the address are dead."""
        with self._lock:
            self._consents = {key: one for key, one in self._consents.items() if one.address != address}
            self._access = {key: one for key, one in self._access.items() if one.address != address}

    def expire_access(self) -> None:
        """Every access token given out so far is refused with 401; new ones can be had."""
        with self._lock:
            self._access.clear()

    def access(self, token: str) -> Access | None:
        with self._lock:
            found = self._access.get(token)
        return found if found and found.expires_at > datetime.now(UTC) else None

    def grant(self, form: Mapping[str, str], addresses: Collection[str]) -> dict[str, Any]:
        """The answer of the token endpoint, or Refused."""
        kind, more = form.get("grant_type"), dict[str, Any]()
        if kind == "authorization_code":
            address, scopes, more = self._by_code(form)
        elif kind == "refresh_token":
            address, scopes = self._by_refresh_token(form)
        elif kind == JWT_GRANT:
            address, scopes = self._by_assertion(form.get("assertion", ""), addresses)
        else:
            raise Refused("unsupported_grant_type", f"Invalid grant_type: {kind}")
        token = f"ya29.{secrets.token_urlsafe(32)}"
        with self._lock:
            self._access[token] = Access(address, scopes, datetime.now(UTC) + LIFETIME)
        return {
            "access_token": token,
            "expires_in": int(LIFETIME.total_seconds()),
            "scope": " ".join(sorted(scopes)),
            "token_type": "Bearer",
            **more,
        }

    def _by_code(self, form: Mapping[str, str]) -> tuple[str, frozenset[str], dict[str, Any]]:
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            raise Refused("invalid_client", "The OAuth client was not found.", 401)
        try:
            question, address = self.codes.redeem(form)
        except BadCode:
            raise Refused("invalid_grant", "Malformed auth code.") from None
        scopes = question.scopes if self.grants is None else self.grants
        with self._lock:
            first = not any(one.address == address for one in self._consents.values())
        offline = question.options.get("access_type") == "offline" and (
            first or question.options.get("prompt") == "consent"
        )
        if not offline or not self.gives_refresh_tokens:
            return address, scopes, {}
        refresh_token = f"1//{secrets.token_urlsafe(24)}"
        with self._lock:
            self._consents[refresh_token] = _Consent(address, self.client_id, self.client_secret, scopes)
        ends = {"refresh_token_expires_in": 7 * 24 * 3600 - 1} if self.in_testing else {}
        return address, scopes, {"refresh_token": refresh_token, **ends}

    def _by_refresh_token(self, form: Mapping[str, str]) -> tuple[str, frozenset[str]]:
        with self._lock:
            consent = self._consents.get(form.get("refresh_token", ""))
        if consent is None:
            raise Refused("invalid_grant", "Token has been expired or revoked.")
        if (form.get("client_id"), form.get("client_secret")) != (consent.client_id, consent.client_secret):
            raise Refused("invalid_client", "The OAuth client was not found.", 401)
        asked = frozenset(form.get("scope", "").split()) or consent.scopes
        if not asked <= consent.scopes:
            raise Refused("invalid_scope", "Bad Request")
        return consent.address, asked

    def _by_assertion(self, assertion: str, addresses: Collection[str]) -> tuple[str, frozenset[str]]:
        header, claims, signed, signature = _split(assertion)
        with self._lock:
            account = self._accounts.get(str(claims.get("iss")))
        if account is None:
            raise Refused("invalid_grant", "Invalid grant: account not found")
        if header.get("alg") != "RS256" or header.get("kid", account.key_id) != account.key_id:
            raise Refused("invalid_grant", "Invalid JWT Signature.")
        try:
            account.public_key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            raise Refused("invalid_grant", "Invalid JWT Signature.") from None
        if claims.get("aud") not in (self.token_url, GOOGLE_TOKEN_URL):
            raise Refused("invalid_grant", "Invalid JWT: Failed audience check.")
        _check_times(claims)
        scopes = frozenset(str(claims.get("scope", "")).split())
        if not scopes:
            raise Refused("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        subject = str(claims.get("sub") or "")
        if not subject or not scopes <= account.delegated:
            raise Refused(
                "unauthorized_client",
                "Client is unauthorized to retrieve access tokens using this method, "
                "or client not authorized for any of the scopes requested.",
                401,
            )
        if subject not in addresses:
            raise Refused("invalid_grant", "Invalid email or User ID")
        return subject, scopes


def _split(assertion: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    try:
        head, body, tail = assertion.split(".")
        header, claims = json.loads(_decode(head)), json.loads(_decode(body))
        if not isinstance(header, dict) or not isinstance(claims, dict):
            raise TypeError
        return header, claims, f"{head}.{body}".encode(), _decode(tail)
    except (ValueError, TypeError, binascii.Error):
        raise Refused("invalid_grant", "Invalid JWT: the assertion is malformed.") from None


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _check_times(claims: Mapping[str, Any]) -> None:
    try:
        issued, expires = (datetime.fromtimestamp(int(claims[name]), UTC) for name in ("iat", "exp"))
    except (KeyError, TypeError, ValueError):
        raise Refused("invalid_grant", "Invalid JWT: iat and exp are required.") from None
    now = datetime.now(UTC)
    if expires <= now or issued > now + CLOCK_SKEW or expires - issued > timedelta(hours=1):
        raise Refused(
            "invalid_grant",
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
        )
