"""The stand-ins' login page: a question checked as a provider checks it, a form, and codes that are good once.

Both stand-ins use it; what each provider grants is theirs to say. Codes live by the real clock, as tokens do.
"""

import base64
import hashlib
import re
import secrets
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape
from urllib.parse import urlencode, urlsplit

CODE_LIFETIME = timedelta(minutes=10)
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
DECLINED = "access_denied"


class BadQuestion(Exception):
    """The page shows this and sends nobody back: the address to go back to is not one that can be trusted."""


class BadCode(Exception):
    """The code is not good, or not for whoever brings it."""


@dataclass(frozen=True, slots=True)
class Question:
    client_id: str
    redirect_uri: str
    scopes: frozenset[str]
    state: str
    challenge: str
    login_hint: str
    options: Mapping[str, str]  # what the provider alone knows

    def back(self, **answer: str) -> str:
        """Where the browser goes with an answer."""
        return (
            f"{self.redirect_uri}{'&' if '?' in self.redirect_uri else '?'}{urlencode({'state': self.state} | answer)}"
        )


def read(params: Mapping[str, str], *, client_id: str, redirects: Collection[str]) -> Question:
    """`redirects` are registered ones; loopback addresses match those whatever their port."""
    if params.get("client_id") != client_id:
        raise BadQuestion("invalid_client: the OAuth client was not found.")
    redirect_uri = params.get("redirect_uri", "")
    if redirect_uri not in redirects and _portless(redirect_uri) not in redirects:
        raise BadQuestion(f"redirect_uri_mismatch: {redirect_uri} is not registered for this app.")
    if params.get("response_type") != "code":
        raise BadQuestion("unsupported_response_type: only code is known.")
    if params.get("code_challenge_method") != "S256" or not CHALLENGE.fullmatch(params.get("code_challenge", "")):
        raise BadQuestion("invalid_request: a code_challenge by S256 is required.")
    if not params.get("scope", "").split():
        raise BadQuestion("invalid_scope: nothing is asked for.")
    return Question(
        client_id,
        redirect_uri,
        frozenset(params["scope"].split()),
        params.get("state", ""),
        params["code_challenge"],
        params.get("login_hint", ""),
        {name: params[name] for name in ("access_type", "prompt", "response_mode") if name in params},
    )


@dataclass(slots=True)
class Codes:
    """Codes that were given out and not yet redeemed."""

    _given: dict[str, tuple[Question, str, datetime]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def give(self, question: Question, address: str) -> str:
        code = f"4/0A{secrets.token_urlsafe(24)}"
        with self._lock:
            self._given[code] = question, address, datetime.now(UTC) + CODE_LIFETIME
        return code

    def redeem(self, form: Mapping[str, str]) -> tuple[Question, str]:
        """The question and who consented. The code is used up, even by whoever gets it wrong."""
        with self._lock:
            question, address, until = self._given.pop(form.get("code", ""), (None, "", datetime.now(UTC)))
        if question is None or until < datetime.now(UTC):
            raise BadCode("the code was used, has expired, or was never given out")
        if (form.get("client_id"), form.get("redirect_uri")) != (question.client_id, question.redirect_uri):
            raise BadCode("the code was given out to another app, or for another address")
        verifier = form.get("code_verifier", "")
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if not VERIFIER.fullmatch(verifier) or digest != question.challenge:
            raise BadCode("the code_verifier does not match the code_challenge")
        return question, address

    def expire(self) -> None:
        """Every code given out so far comes too late."""
        with self._lock:
            self._given.clear()


def page(app: str, question: Question, addresses: Sequence[str]) -> str:
    """Who is it, and is it allowed? The form posts to where it was asked for, question and all."""
    chosen = question.login_hint.lower()
    options = "".join(
        f"<option{' selected' if one == chosen else ''}>{escape(one)}</option>" for one in sorted(addresses)
    )
    asked = "".join(f"<li>{escape(scope)}</li>" for scope in sorted(question.scopes))
    return f"""<!doctype html><meta charset="utf-8"><title>Stand-in sign-in</title>
<h1>{escape(app)} wants to</h1><ul>{asked}</ul>
<form method="post"><label>Signed in as <select name="account">{options}</select></label>
<button name="decision" value="allow">Allow</button> <button name="decision" value="decline">Decline</button></form>"""


def _portless(address: str) -> str:
    """A loopback address without its port, and without the empty path."""
    split = urlsplit(address)
    if split.scheme != "http" or split.hostname not in ("127.0.0.1", "localhost", "::1"):
        return ""
    return f"http://{split.hostname}{split.path.rstrip('/')}"
