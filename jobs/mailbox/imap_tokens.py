"""Access tokens for IMAP's XOAUTH2 from a refresh token, at whatever provider the token file names."""

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import httplib2

from jobs.mailbox.base import NeedsAuth, ProviderError
from jobs.mailbox.gmail_errors import BROKEN_LINE

TIMEOUT = 30.0
EARLY = 60.0  # seconds before its end that a token is replaced


class ImapTokens:
    """One person's consent. Safe for one thread: a mailbox is never read by two."""

    def __init__(self, stored: Mapping[str, Any]) -> None:
        self._stored = dict(stored)
        self._token, self._good_until = "", 0.0
        self._replaced = False

    def current(self) -> str:
        if not self._token or time.monotonic() >= self._good_until:
            answer = self._asked()
            self._token = str(answer["access_token"])
            try:
                self._good_until = time.monotonic() + float(answer.get("expires_in") or 0) - EARLY
            except (TypeError, ValueError):
                self._good_until = 0.0
            newer = answer.get("refresh_token")
            if isinstance(newer, str) and newer and newer != self._stored["refresh_token"]:
                self._stored["refresh_token"], self._replaced = newer, True
        return self._token

    def forget(self) -> None:
        """The server did not take the token: the next one is asked for anew."""
        self._token = ""

    def renewed(self) -> str | None:
        """What to store in place of the token file, once the provider has replaced the refresh token."""
        replaced, self._replaced = self._replaced, False
        return json.dumps(self._stored) if replaced else None

    def _asked(self) -> dict[str, Any]:
        uri = self._stored["token_uri"]
        names = ("client_id", "client_secret", "refresh_token", "scope")
        form = {name: self._stored[name] for name in names if isinstance(self._stored.get(name), str)}
        try:
            response, content = httplib2.Http(timeout=TIMEOUT).request(
                uri,
                "POST",
                body=urlencode(form | {"grant_type": "refresh_token"}),
                headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
            )
            answer = json.loads(content)
        except BROKEN_LINE as error:
            raise ProviderError(f"{uri} cannot be reached ({type(error).__name__}): check the token file") from error
        except ValueError as error:
            raise ProviderError(f"{uri} answers no JSON: check the token file's token_uri") from error
        if isinstance(answer, dict) and isinstance(answer.get("access_token"), str):
            return answer
        code = str(answer.get("error") if isinstance(answer, dict) else "")[:60]
        if response.status >= 500 or response.status == 429:
            raise ProviderError(f"{uri} gives no token now ({response.status} {code}): it is asked again")
        raise NeedsAuth(f"{uri} gives no token ({code or response.status}): connect the mailbox again")
