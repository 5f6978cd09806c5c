"""How the IMAP provider comes in: encryption that is verified, and OAuth tokens in place of a password."""

import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from jobs.mailbox.base import NeedsAuth, ProviderError
from jobs.mailbox.imap import ImapMailbox
from jobs.mailbox.imap_access import Access, Encryption
from tests.gmail_world import ANA, MovingClock
from tests.imap_servers import PASSWORD, Dovecot, certificate
from tests.imap_world import imap_mailbox
from tests.sandbox.imap import ImapStandIn
from tests.test_imap_servers import NO_DOVECOT


def trusting(path: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=path)


def mailbox(port: int, encryption: Encryption, host: str = "localhost", trusts: Path | None = None) -> ImapMailbox:
    access = Access(ANA, host, port, ANA, encryption, PASSWORD)
    return ImapMailbox(access, clock=MovingClock(), context=trusting(trusts) if trusts else None)


@pytest.fixture(scope="module")
def dovecot_server() -> Iterator[Dovecot]:
    with Dovecot() as server:
        yield server


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[tuple[ImapStandIn, Path]]:
    path = certificate(tmp_path / "certificate.pem", "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with ImapStandIn(context=context) as server:
        yield server, path


@NO_DOVECOT
@pytest.mark.parametrize("encryption", ["tls", "starttls"])
def test_a_real_server_is_read_encrypted_and_refused_when_its_certificate_is_not_trusted(
    dovecot_server: Dovecot, encryption: Encryption
) -> None:
    port = dovecot_server.tls_port if encryption == "tls" else dovecot_server.port
    assert mailbox(port, encryption, trusts=dovecot_server.certificate).check() == ANA
    with pytest.raises(ProviderError, match="cannot be trusted"):
        mailbox(port, encryption).check()


def test_a_certificate_that_nobody_vouches_for_or_for_another_host_gets_no_password(
    encrypted: tuple[ImapStandIn, Path],
) -> None:
    server, path = encrypted
    assert mailbox(server.port, "tls", trusts=path).check() == ANA
    server.log.clear()
    with pytest.raises(ProviderError, match=r"self.signed certificate.*have this machine trust"):
        mailbox(server.port, "tls").check()
    with pytest.raises(ProviderError, match=r"cannot be trusted .*127"):
        mailbox(server.port, "tls", "127.0.0.1", path).check()
    assert not server.log


def test_a_port_without_encryption_gets_no_password(tmp_path: Path) -> None:
    with ImapStandIn() as server:
        with pytest.raises(ProviderError, match="speaks no TLS"):
            mailbox(server.port, "tls").check()
        with pytest.raises(ProviderError, match="offers no encryption at port 143"):
            mailbox(server.port, "starttls").check()
        assert not server.commands("LOGIN", "AUTHENTICATE")


# --- OAuth ------------------------------------------------------------------------------------------------------------


@dataclass
class TokenEndpoint:
    """Gives `token-1`, `token-2` … for the refresh tokens it knows, and a new refresh token with `rotates`."""

    known: set[str] = field(default_factory=lambda: {"consent"})
    rotates: bool = False
    status: int = 200
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    url: str = ""

    def answer(self, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        self.asked.append(form)
        if self.status != 200:
            return self.status, {"error": "not now"}
        if form["refresh_token"][0] not in self.known:
            return 400, {"error": "invalid_grant"}
        answer = {"access_token": f"token-{len(self.asked)}", "expires_in": 3600}
        if self.rotates:
            self.known.add(f"consent-{len(self.asked)}")
            answer["refresh_token"] = f"consent-{len(self.asked)}"
        return 200, answer


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    made = TokenEndpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            status, answer = made.answer(form)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}/token"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def server() -> Iterator[ImapStandIn]:
    with ImapStandIn() as running:
        running.passwords = {"token-1", "token-2", "token-3"}
        yield running


def consented(server: ImapStandIn, endpoint: TokenEndpoint, **more: str) -> ImapMailbox:
    stored = {"client_id": "cadence", "refresh_token": "consent", "token_uri": endpoint.url} | more
    return imap_mailbox(server.port, MovingClock(), secret=json.dumps(stored))


def test_a_token_file_opens_the_mailbox_with_an_access_token_that_is_kept(
    server: ImapStandIn, endpoint: TokenEndpoint
) -> None:
    box = consented(server, endpoint, client_secret="hush", scope="imap")
    box.check()
    box.check()
    [form] = endpoint.asked
    assert {name: values[0] for name, values in form.items()} == {
        "client_id": "cadence",
        "client_secret": "hush",
        "refresh_token": "consent",
        "scope": "imap",
        "grant_type": "refresh_token",
    }
    assert server.commands("AUTHENTICATE")
    assert box.renewed_secret() is None


def test_a_token_that_the_server_does_not_take_is_asked_for_anew(server: ImapStandIn, endpoint: TokenEndpoint) -> None:
    server.passwords = {"token-2"}
    box = consented(server, endpoint)
    with pytest.raises(NeedsAuth):
        box.check()
    assert box.check() == ANA


def test_a_refresh_token_that_was_replaced_is_handed_out_to_be_stored(
    server: ImapStandIn, endpoint: TokenEndpoint
) -> None:
    endpoint.rotates = True
    box = consented(server, endpoint)
    box.check()
    assert json.loads(box.renewed_secret() or "")["refresh_token"] == "consent-1"
    assert box.renewed_secret() is None


def test_withdrawn_consent_needs_the_owner_and_an_endpoint_in_trouble_does_not(
    server: ImapStandIn, endpoint: TokenEndpoint
) -> None:
    endpoint.known.clear()
    with pytest.raises(NeedsAuth, match="invalid_grant"):
        consented(server, endpoint).check()
    endpoint.status = 503
    with pytest.raises(ProviderError, match="503") as caught:
        consented(server, endpoint).check()
    assert not isinstance(caught.value, NeedsAuth)
    with pytest.raises(ProviderError, match="cannot be reached"):
        consented(server, endpoint, token_uri="http://127.0.0.1:9/token").check()
    with pytest.raises(ProviderError, match="use --provider gmail"):
        consented(server, endpoint, token_uri="https://oauth2.googleapis.com/token")
