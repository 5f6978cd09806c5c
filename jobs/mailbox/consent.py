"""One person's consent to have the own mailbox read: the question, and what the answer is worth (OAuth 2.0, PKCE).

It opens no browser, listens nowhere and stores nothing. Whoever asks says where the answer comes back to, keeps the
pending question until then, and seals what comes of it.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

import httplib2

from jobs.mailbox.base import ProviderError

GOOD_FOR = timedelta(minutes=10)
TIMEOUT = 30.0


class ConsentRefused(ProviderError):
    """Nothing came of the question. The text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Login:
    """A provider's login, the app that asks there, and for exactly what.

    Scopes in `harmless` may be granted besides: they open no mail. `kept` is what the stored secret says besides the
    client and the refresh token. `setup` names what to look at when the login does not know the app.
    """

    name: str
    auth_url: str
    token_url: str
    client_id: str
    client_secret: str | None = field(repr=False)
    scopes: tuple[str, ...]
    extra: Mapping[str, str]
    kept: Mapping[str, str]
    setup: str
    harmless: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Pending:
    """A question that somebody was sent away with. Whoever knows the verifier can use the answer: keep it sealed."""

    address: str
    redirect_uri: str
    url: str = field(repr=False)
    state: str = field(repr=False)
    verifier: str = field(repr=False)
    expires_at: datetime

    def dump(self) -> str:
        return json.dumps(asdict(self) | {"expires_at": self.expires_at.isoformat()})

    @classmethod
    def load(cls, text: str) -> Self:
        pending = cls(**json.loads(text))
        return replace(pending, expires_at=datetime.fromisoformat(str(pending.expires_at)))


@dataclass(frozen=True, slots=True)
class Granted:
    """The secret to store, in the shape of a token file; and when the consent ends by itself, if it does."""

    secret: str = field(repr=False)
    ends_at: datetime | None = None


def begin(login: Login, address: str, redirect_uri: str, now: datetime) -> Pending:
    """The question. Send the person of this address to its `url`; the answer arrives at `redirect_uri`."""
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    question = {
        "client_id": login.client_id,
        "response_type": "code",
        "redirect_uri": redirect_uri,
        "scope": " ".join(login.scopes),
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "login_hint": address,
        **login.extra,
    }
    url = f"{login.auth_url}?{urlencode(question, quote_via=quote)}"
    return Pending(address, redirect_uri, url, state, verifier, now + GOOD_FOR)


def finish(pending: Pending, answer: Mapping[str, str], login: Login, now: datetime) -> Granted:
    """What the answer's parameters are worth, with one call to the provider. Raises ConsentRefused.

    Who consented is not known yet: let the mailbox `check` before the secret is stored.
    """
    if not hmac.compare_digest(answer.get("state", "").encode("utf-8", "replace"), pending.state.encode()):
        raise ConsentRefused("this answer belongs to another question: start again, and use the newest link")
    if now > pending.expires_at:
        raise ConsentRefused(f"the answer came later than {_minutes(GOOD_FOR)} after the question: start again")
    if "error" in answer:
        raise _declined(login, answer)
    if not answer.get("code"):
        raise ConsentRefused(f"{login.name} sent neither a consent nor a reason: start again")
    token = _exchanged(login, pending, answer["code"])
    _check_scopes(login, token)
    refresh_token = token.get("refresh_token")
    if not isinstance(refresh_token, str) or not refresh_token:
        raise ConsentRefused(
            f"{login.name} gave a consent for one hour only (no refresh token): "
            "take Cadence off the apps of the account, then start again"
        )
    client = {"client_id": login.client_id} | ({"client_secret": login.client_secret} if login.client_secret else {})
    secret = json.dumps({**login.kept, **client, "refresh_token": refresh_token})
    return Granted(secret, _end(token, now))


def _declined(login: Login, answer: Mapping[str, str]) -> ConsentRefused:
    words = _words(answer)
    if answer["error"] == "access_denied":
        return ConsentRefused(f"the consent was declined at {login.name} ({words}): start again to give it")
    return ConsentRefused(f"{login.name} asked nobody ({words}): check {login.setup}, or ask an administrator")


def _exchanged(login: Login, pending: Pending, code: str) -> dict[str, Any]:
    """The token that the code stands for."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": pending.redirect_uri,
        "client_id": login.client_id,
        "code_verifier": pending.verifier,
    }
    if login.client_secret:
        form["client_secret"] = login.client_secret
    here = urlsplit(login.token_url).hostname in ("127.0.0.1", "::1", "localhost")
    http = httplib2.Http(timeout=TIMEOUT, proxy_info=None if here else httplib2.proxy_info_from_environment)
    http.follow_redirects = False
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    try:
        response, content = http.request(login.token_url, "POST", body=urlencode(form), headers=headers)
    except (OSError, HTTPException, httplib2.HttpLib2Error) as error:
        raise ConsentRefused(
            f"{login.name}'s login could not be reached ({type(error).__name__}): start again"
        ) from error
    finally:
        http.close()
    try:
        token = json.loads(content)
    except ValueError:
        token = None
    if not isinstance(token, dict):
        raise ConsentRefused(f"{login.name}'s login answered {response.status} and nothing readable: start again")
    if isinstance(token.get("access_token"), str) and response.status == 200:
        return token
    words = _words(token)
    if token.get("error") == "invalid_grant":
        raise ConsentRefused(f"{login.name} does not take the code any more ({words}): start again")
    if response.status >= 500 or response.status == 429:
        raise ConsentRefused(f"{login.name}'s login could not answer ({response.status} {words}): start again")
    raise ConsentRefused(f"{login.name} does not accept the app ({words}): check {login.setup}")


def _check_scopes(login: Login, token: Mapping[str, Any]) -> None:
    """Exactly what was asked for. Less does not show headers; more would let Cadence see more than headers."""
    told = token.get("scope")
    if not isinstance(told, str):  # then it is what was asked for (RFC 6749, 5.1)
        return
    granted = {_short(scope) for scope in told.split()}
    asked = {_short(scope) for scope in login.scopes}
    if lacking := asked - granted - login.harmless:
        raise ConsentRefused(
            f"{login.name} did not grant {' and '.join(sorted(lacking))}: start again, and leave it ticked on the page"
        )
    if surplus := granted - asked - login.harmless:
        raise ConsentRefused(
            f"{login.name} granted more than headers ({_clean(', '.join(sorted(surplus)))}): take that permission off "
            "the app, and Cadence off the apps of the account, then start again"
        )


def _short(scope: str) -> str:
    """A permission by its last part: Microsoft answers some with the address of Graph in front and some without."""
    return scope.rstrip("/").rpartition("/")[2]


def _end(token: Mapping[str, Any], now: datetime) -> datetime | None:
    """Google says so where the app is marked as in testing: then every consent ends after seven days."""
    try:
        return now + timedelta(seconds=float(token["refresh_token_expires_in"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _words(answer: Mapping[str, Any]) -> str:
    """The login's reason as one line: code and first sentence, without the trace numbers behind it."""
    told = (str(answer.get("error_description") or "").splitlines() or [""])[0].partition(" Trace ID:")[0]
    return _clean(": ".join(part for part in (str(answer.get("error") or "no reason"), told) if part))


def _clean(text: str) -> str:
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())[:200].rstrip(".")


def _minutes(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:.0f} minutes"
