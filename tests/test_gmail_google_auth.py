"""Credentials for Gmail: which files are taken, which are refused, and whose token address is used."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.mailbox.base import NeedsAuth
from jobs.mailbox.google_auth import SCOPE, CredentialsRefused, consented, delegated
from tests.gmail_world import ANA, MovingClock, delegated_provider, provider
from tests.sandbox.gmail import GmailServer

TOKEN_FILE = {
    "type": "authorized_user",
    "client_id": "id",
    "client_secret": "secret",
    "refresh_token": "refresh",
    "token_uri": "https://tokens.example/token",
}


@pytest.fixture
def server() -> Iterator[GmailServer]:
    with GmailServer() as running:
        running.mailbox(ANA)
        yield running


def test_a_service_account_reads_the_mailbox_it_impersonates(server: GmailServer, tmp_path: Path) -> None:
    mailbox = delegated_provider(server, MovingClock(), tmp_path, ANA)
    assert mailbox.check() == ANA
    [call] = server.calls_of("token")
    assert call.params["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]


def test_an_address_outside_the_domain_needs_a_person(server: GmailServer, tmp_path: Path) -> None:
    with pytest.raises(NeedsAuth, match="Invalid email or User ID"):
        delegated_provider(server, MovingClock(), tmp_path, "nobody@elsewhere.example").check()


def test_a_client_without_delegation_needs_a_person(server: GmailServer, tmp_path: Path) -> None:
    key_file = tmp_path / "key.json"
    key_file.write_text(json.dumps(server.service_account(delegated=())))
    with pytest.raises(NeedsAuth, match="unauthorized_client"):
        provider(server, MovingClock(), delegated(key_file, ANA)).check()


def test_a_token_file_is_used_at_its_own_token_address(server: GmailServer) -> None:
    assert provider(server, MovingClock(), consented(json.dumps(server.authorized_user(ANA)))).check() == ANA
    credentials: Any = consented(json.dumps(TOKEN_FILE))
    assert credentials.token_uri == "https://tokens.example/token"
    assert credentials.scopes == [SCOPE]


def test_a_token_file_without_a_token_address_uses_googles() -> None:
    credentials: Any = consented(json.dumps({key: value for key, value in TOKEN_FILE.items() if key != "token_uri"}))
    assert credentials.token_uri == "https://oauth2.googleapis.com/token"


def test_consent_for_another_scope_needs_a_person(server: GmailServer) -> None:
    file = server.authorized_user(ANA, ["https://www.googleapis.com/auth/gmail.readonly"])
    with pytest.raises(NeedsAuth, match="invalid_scope"):
        provider(server, MovingClock(), consented(json.dumps(file))).check()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[]", "not JSON"),
        ('{"installed": {"client_id": "x"}}', "before anybody consented"),
        (json.dumps(TOKEN_FILE | {"type": "service_account"}), "of type 'service_account'"),
        (json.dumps(TOKEN_FILE | {"refresh_token": ""}), "lacks refresh_token"),
        (json.dumps(TOKEN_FILE | {"client_id": 7, "client_secret": None}), "lacks client_id and client_secret"),
        (json.dumps(TOKEN_FILE | {"token_uri": "file:///etc/passwd"}), "token_uri"),
    ],
)
def test_a_bad_token_file_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(CredentialsRefused, match=said) as refused:
        consented(text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"type": "authorized_user"}, "not a service account's key file"),
        ({"client_email": None}, "lacks client_email"),
        ({"private_key": "-----BEGIN PRIVATE KEY-----\nnope\n-----END PRIVATE KEY-----\n"}, "private key"),
        ({"token_uri": "ftp://x"}, "token_uri"),
    ],
)
def test_a_bad_key_file_is_refused_in_one_line(
    server: GmailServer, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    key_file = tmp_path / "key.json"
    key_file.write_text(json.dumps({**server.service_account(), **change}))
    with pytest.raises(CredentialsRefused, match=said) as refused:
        delegated(key_file, ANA)
    assert "\n" not in str(refused.value)
    assert "nope" not in str(refused.value)


def test_a_missing_or_binary_key_file_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(CredentialsRefused, match="GOOGLE_SERVICE_ACCOUNT_FILE"):
        delegated(tmp_path / "absent.json", ANA)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(CredentialsRefused, match="cannot be read"):
        delegated(tmp_path / "binary", ANA)
    with pytest.raises(CredentialsRefused, match="cannot be read"):
        delegated(tmp_path, ANA)


def test_the_key_of_many_mailboxes_is_loaded_once_and_anew_when_its_file_changes(tmp_path: Path) -> None:
    key_file = tmp_path / "key.json"
    keys: list[Any] = []
    for _ in range(2):
        with GmailServer() as other:
            key_file.write_text(json.dumps(other.service_account()))
        ana: Any = delegated(key_file, ANA)
        ben: Any = delegated(key_file, "ben@acme.example")
        assert (ana._subject, ben._subject) == (ANA, "ben@acme.example")
        assert ana.scopes == ben.scopes == [SCOPE]
        assert ana.signer is ben.signer
        keys.append(ana.signer)
    assert keys[0] is not keys[1]


def test_a_byte_order_mark_is_no_obstacle(server: GmailServer, tmp_path: Path) -> None:
    consented("\ufeff" + json.dumps(TOKEN_FILE))
    (tmp_path / "key.json").write_text("\ufeff" + json.dumps(server.service_account()), encoding="utf-8")
    delegated(tmp_path / "key.json", ANA)
