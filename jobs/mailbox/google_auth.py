"""Google credentials for one mailbox, always with the narrowest scope that shows headers. It reads no mail.

Delegation limits scopes and not users: which addresses may be impersonated is decided by our own list of mailboxes.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from google.auth.exceptions import GoogleAuthError
from google.oauth2.credentials import Credentials as UserCredentials
from google.oauth2.service_account import Credentials as ServiceAccountCredentials

from jobs.mailbox.base import ProviderError

SCOPE = "https://www.googleapis.com/auth/gmail.metadata"
GOOGLE_TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105  # an address, no secret
TOKEN_FILE_KEYS = ("client_id", "client_secret", "refresh_token")
KEY_FILE_KEYS = ("client_email", "private_key", "token_uri")

Credentials = UserCredentials | ServiceAccountCredentials


class CredentialsRefused(ProviderError):
    """The file is not one that can be used. The text says which file is wanted instead."""


def delegated(key_file: Path, address: str) -> Credentials:
    """The service account of a key file, acting for one mailbox (domain-wide delegation)."""
    try:
        text = key_file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsRefused(
            f"{key_file} cannot be read ({_short(error)}): "
            "set GOOGLE_SERVICE_ACCOUNT_FILE to the service account's key file"
        ) from error
    return _account(text, str(key_file)).with_subject(address)  # type: ignore[no-any-return,no-untyped-call]


@lru_cache(maxsize=4)
def _account(text: str, key_file: str) -> ServiceAccountCredentials:
    """Kept: loading a private key proves its primes, which takes many times as long as all else before a first poll."""
    info = _object(text, f"{key_file} is not JSON: download the service account's key again")
    if info.get("type") != "service_account":
        raise CredentialsRefused(
            f"{key_file} is not a service account's key file (its type is {info.get('type')!r}): "
            "create a key for the service account in the Google Cloud console"
        )
    if missing := _missing(info, KEY_FILE_KEYS):
        raise CredentialsRefused(f"{key_file} lacks {missing}: download the service account's key again")
    _check_token_uri(info, key_file)
    try:
        return ServiceAccountCredentials.from_service_account_info(  # type: ignore[no-any-return,no-untyped-call]  # as below
            info, scopes=[SCOPE]
        )
    except (ValueError, GoogleAuthError) as error:
        raise CredentialsRefused(
            f"{key_file} holds a private key that cannot be used: download the service account's key again"
        ) from error


def consented(token_json: str) -> Credentials:
    """A person's own consent, from the text of an `authorized_user` token file.

    Built by hand, because google-auth's loader would replace the file's `token_uri` by Google's.
    """
    wanted = "give Google's authorized_user file with client_id, client_secret, refresh_token and token_uri"
    info = _object(token_json, f"the token file is not JSON: {wanted}")
    if info.get("type", "authorized_user") != "authorized_user":
        raise CredentialsRefused(f"the token file is of type {info['type']!r}: {wanted}")
    if {"installed", "web"} & info.keys():
        raise CredentialsRefused(f"this is the file of an OAuth client, before anybody consented: {wanted}")
    if missing := _missing(info, TOKEN_FILE_KEYS):
        raise CredentialsRefused(f"the token file lacks {missing}: {wanted}")
    _check_token_uri(info, "the token file")
    return UserCredentials(  # type: ignore[no-untyped-call]  # google-auth is typed in part
        token=None,
        refresh_token=info["refresh_token"],
        token_uri=info.get("token_uri") or GOOGLE_TOKEN_URL,
        client_id=info["client_id"],
        client_secret=info["client_secret"],
        scopes=[SCOPE],
    )


def project_of(credentials: Credentials) -> str:
    """What tells one Google Cloud project from another: its mailboxes share its quota."""
    if isinstance(credentials, ServiceAccountCredentials):
        return str(credentials.project_id or credentials.service_account_email)
    return str(credentials.client_id).partition("-")[0]  # the project's number, in ids that Google made


def _object(text: str, otherwise: str) -> dict[str, Any]:
    try:
        info = json.loads(text.removeprefix("\ufeff"))
    except ValueError as error:
        raise CredentialsRefused(otherwise) from error
    if not isinstance(info, dict):
        raise CredentialsRefused(otherwise)
    return info


def _missing(info: dict[str, Any], keys: tuple[str, ...]) -> str:
    return " and ".join(key for key in keys if not isinstance(info.get(key), str) or not info[key])


def _check_token_uri(info: dict[str, Any], name: str) -> None:
    address = info.get("token_uri") or GOOGLE_TOKEN_URL
    if not isinstance(address, str) or not address.startswith(("https://", "http://")):
        raise CredentialsRefused(f"{name} has a token_uri that is no address: Google's is {GOOGLE_TOKEN_URL}")


def _short(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
