"""The stand-in refuses what Gmail refuses: otherwise a test against it would prove nothing."""

import base64
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.sandbox.gmail import METADATA_SCOPE, GmailServer, dropped, page_without_history, too_many_requests

ANA = "ana@acme.example"
READONLY = "https://www.googleapis.com/auth/gmail.readonly"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def said(self) -> str:
        return str(self.body["error"]["message"])


@dataclass
class Client:
    """Plain HTTP, so that requests can be wrong in ways that Google's client would prevent."""

    server: GmailServer
    token: str = ""

    def send(self, method: str, path: str, body: str | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=5)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            text = response.read().decode()
            found = {name.lower(): value for name, value in response.getheaders()}
            is_json = "json" in found.get("content-type", "")
            return Answer(response.status, json.loads(text) if is_json else text, found)
        finally:
            connection.close()

    def get(self, path: str, **query: Any) -> Answer:
        tail = f"?{urlencode(query, doseq=True)}" if query else ""
        return self.send("GET", f"/gmail/v1/users/me/{path}{tail}")

    def grant(self, **form: str) -> Answer:
        body = urlencode(form)
        return self.send("POST", "/token", body, Content_Type="application/x-www-form-urlencoded")

    def consent(self, address: str = ANA, scopes: tuple[str, ...] = (METADATA_SCOPE,)) -> "Client":
        file = self.server.authorized_user(address, scopes)
        form = {name: file[name] for name in ("client_id", "client_secret", "refresh_token")}
        self.token = self.grant(grant_type="refresh_token", **form).body["access_token"]
        return self

    def batch(self, paths: list[str]) -> Answer:
        head = "--b\r\nContent-Type: application/http\r\n"
        parts = [
            f"{head}Content-ID: <x + {number}>\r\n\r\nGET {path} HTTP/1.1\r\n\r\n\r\n"
            for number, path in enumerate(paths)
        ]
        body = "".join(parts) + "--b--\r\n"
        return self.send("POST", "/batch/gmail/v1", body, Content_Type='multipart/mixed; boundary="b"')


@pytest.fixture
def server() -> Iterator[GmailServer]:
    with GmailServer() as running:
        yield running


@pytest.fixture
def client(server: GmailServer) -> Client:
    return Client(server).consent()


def deliver(server: GmailServer, count: int = 1) -> list[str]:
    mailbox = server.mailbox(ANA)
    start = datetime(2026, 11, 1, tzinfo=UTC)
    headers = {"From": "kim@globex.example", "Subject": "hello", "X-Other": "x"}
    return [mailbox.deliver(headers, start + timedelta(hours=number)) for number in range(count)]


def test_a_query_is_refused_under_the_metadata_scope_even_when_empty(client: Client) -> None:
    for query in ("after:2026/01/01", ""):
        answer = client.get("messages", q=query)
        assert answer.status == 403
        assert answer.said == "Metadata scope does not support 'q' parameter"


@pytest.mark.parametrize("wanted", ["full", "raw", None])
def test_bodies_are_refused_under_the_metadata_scope(server: GmailServer, client: Client, wanted: str | None) -> None:
    [key] = deliver(server)
    answer = client.get(f"messages/{key}", **({"format": wanted} if wanted else {}))
    assert answer.status == 403
    assert answer.said == f"Metadata scope doesn't allow format {(wanted or 'full').upper()}"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("messages", {"nonsense": "1"}),
        ("messages", {"maxResults": "many"}),
        ("messages", {"maxResults": "501"}),
        ("messages", {"includeSpamTrash": "maybe"}),
        ("messages", {"pageToken": "made-up"}),
        ("messages", {"fields": "messages/body"}),
        ("messages", {"fields": "messages(id"}),
        ("messages/1", {"format": "headers"}),
        ("history", {}),
        ("history", {"startHistoryId": "newest"}),
        ("history", {"startHistoryId": "1000", "historyTypes": "messageRead"}),
        ("profile", {"maxResults": "1"}),
    ],
)
def test_what_the_discovery_document_does_not_know_is_refused(client: Client, path: str, query: dict[str, str]) -> None:
    assert client.get(path, **query).status == 400


def test_a_call_without_a_good_token_is_refused(server: GmailServer, client: Client) -> None:
    assert Client(server).get("profile").status == 401
    assert Client(server, "made-up").get("profile").status == 401
    server.tokens.expire_access()
    assert client.get("profile").status == 401


def test_a_token_opens_its_own_mailbox_and_no_other(server: GmailServer, client: Client) -> None:
    server.mailbox("ben@acme.example")
    assert client.send("GET", f"/gmail/v1/users/{quote(ANA)}/profile").status == 200
    answer = client.send("GET", "/gmail/v1/users/ben@acme.example/profile")
    assert answer.status == 403
    assert answer.said == f"Delegation denied for {ANA}"


def test_a_token_without_a_gmail_scope_is_refused(server: GmailServer) -> None:
    client = Client(server).consent(scopes=("https://www.googleapis.com/auth/calendar",))
    assert client.get("profile").body["error"]["errors"][0]["reason"] == "insufficientPermissions"


def test_methods_that_write_are_not_there(client: Client) -> None:
    assert client.send("POST", "/gmail/v1/users/me/messages/send", "{}").status in (403, 501)
    assert client.send("GET", "/gmail/v2/users/me/profile").status == 404


def test_messages_come_newest_first_and_arrivals_do_not_shift_the_pages(server: GmailServer, client: Client) -> None:
    keys = deliver(server, 5)
    first = client.get("messages", maxResults=2).body
    server.mailbox(ANA).deliver({"Subject": "just now"})
    second = client.get("messages", maxResults=2, pageToken=first["nextPageToken"]).body
    third = client.get("messages", maxResults=2, pageToken=second["nextPageToken"]).body
    listed = [entry["id"] for page in (first, second, third) for entry in page["messages"]]
    assert listed == keys[::-1]
    assert "nextPageToken" not in third


def test_spam_and_trash_are_listed_only_on_demand(server: GmailServer, client: Client) -> None:
    mailbox = server.mailbox(ANA)
    mailbox.deliver({}, labels=["SPAM"])
    draft = mailbox.deliver({}, labels=["DRAFT"])
    assert [entry["id"] for entry in client.get("messages").body["messages"]] == [draft]
    assert len(client.get("messages", includeSpamTrash="true").body["messages"]) == 2
    assert [entry["id"] for entry in client.get("messages", labelIds="DRAFT").body["messages"]] == [draft]


def test_only_the_wanted_headers_and_fields_are_given(server: GmailServer, client: Client) -> None:
    [key] = deliver(server)
    query = {"format": "metadata", "metadataHeaders": ["subject", "To"], "fields": "id,payload/headers"}
    answer = client.get(f"messages/{key}", **query)
    assert answer.body == {"id": key, "payload": {"headers": [{"name": "Subject", "value": "hello"}]}}
    assert "payload" not in client.get(f"messages/{key}", format="minimal").body


def test_the_history_tells_what_happened_since(server: GmailServer, client: Client) -> None:
    start = client.get("profile").body["historyId"]
    [key] = deliver(server)
    mailbox = server.mailbox(ANA)
    mailbox.relabel(key, add=["STARRED"], remove=["INBOX"])
    mailbox.delete(key)
    whole = client.get("history", startHistoryId=start).body
    assert [next(kind for kind in record if kind not in ("id", "messages")) for record in whole["history"]] == [
        "messagesAdded",
        "labelsAdded",
        "labelsRemoved",
        "messagesDeleted",
    ]
    some = client.get("history", startHistoryId=start, historyTypes=["labelAdded"]).body["history"]
    assert some[0]["labelsAdded"][0]["labelIds"] == ["STARRED"]
    end = client.get("history", startHistoryId=whole["historyId"]).body
    assert end == {"historyId": whole["historyId"]}


def test_an_expired_history_is_404_and_the_profile_gives_one_that_is_not(server: GmailServer, client: Client) -> None:
    [key] = deliver(server)
    server.mailbox(ANA).expire_history()
    newest = client.get(f"messages/{key}", format="minimal").body["historyId"]
    assert client.get("history", startHistoryId=newest).status == 404
    assert client.get("history", startHistoryId=client.get("profile").body["historyId"]).status == 200
    assert client.get("history", startHistoryId="99999999").status == 404


def test_an_empty_history_page_is_followed_by_the_page_that_was_asked_for(server: GmailServer, client: Client) -> None:
    deliver(server, 3)
    server.fail("history.list", page_without_history())
    empty = client.get("history", startHistoryId="1000").body
    assert "history" not in empty
    rest = client.get("history", startHistoryId="1000", pageToken=empty["nextPageToken"]).body
    assert len(rest["history"]) == 3


def test_labels_are_listed(server: GmailServer, client: Client) -> None:
    server.mailbox(ANA).deliver({}, labels=["Label_7"])
    assert {"INBOX", "SENT", "Label_7"} <= {label["id"] for label in client.get("labels").body["labels"]}
    assert client.get("labels/Label_7").body["type"] == "user"
    assert client.get("labels/Label_8").status == 404


def test_a_batch_answers_each_part_by_itself(server: GmailServer, client: Client) -> None:
    [key] = deliver(server)
    path = f"/gmail/v1/users/me/messages/{key}?format=minimal"
    server.fail("messages.get", too_many_requests(retry_after="3"), skip=1)
    answer = client.batch([path, path, "/gmail/v1/users/me/messages/none?format=minimal"])
    assert answer.status == 200
    assert answer.body.count("HTTP/1.1 200 OK") == 1
    assert answer.body.count("HTTP/1.1 429 Too Many Requests") == 1
    assert answer.body.count("HTTP/1.1 404 Not Found") == 1
    assert "Retry-After: 3" in answer.body
    assert "Content-ID: <response-x + 2>" in answer.body


def test_a_batch_of_more_than_a_hundred_is_refused_and_a_large_one_is_throttled(
    server: GmailServer, client: Client
) -> None:
    path = "/gmail/v1/users/me/profile"
    assert client.batch([path] * 101).status == 400
    answer = client.batch([path] * 100)
    assert answer.body.count("HTTP/1.1 200") == 50
    assert answer.body.count("HTTP/1.1 429") == 50
    assert client.send("POST", "/batch/gmail/v1", "nothing", Content_Type="text/plain").status == 400


def test_the_log_counts_quota_units_also_inside_batches(server: GmailServer, client: Client) -> None:
    [key] = deliver(server)
    client.get("profile")
    client.get("messages")
    client.batch([f"/gmail/v1/users/me/messages/{key}?format=minimal"] * 2)
    assert server.units(ANA) == 1 + 5 + 2 * 20
    assert [call.batch is not None for call in server.calls_of("messages.get", ANA)] == [True, True]


def test_a_dropped_connection_has_no_answer(server: GmailServer, client: Client) -> None:
    server.fail("getProfile", dropped())
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        client.get("profile")
    assert client.get("profile").status == 200


def test_faults_can_be_aimed_and_healed(server: GmailServer, client: Client) -> None:
    server.fail("getProfile", too_many_requests(), mailbox="ben@acme.example", times=None)
    assert client.get("profile").status == 200
    server.fail("getProfile", too_many_requests(), mailbox=ANA, times=None)
    assert client.get("profile").status == 429
    server.heal()
    assert client.get("profile").status == 200


def test_refresh_tokens_are_for_their_own_client_and_scopes(server: GmailServer) -> None:
    client, file = Client(server), server.authorized_user(ANA)
    form = {name: file[name] for name in ("client_id", "client_secret", "refresh_token")} | {
        "grant_type": "refresh_token"
    }
    assert client.grant(**form).status == 200
    assert client.grant(**form, scope=READONLY).body["error"] == "invalid_scope"
    assert client.grant(**(form | {"client_secret": "guessed"})).body["error"] == "invalid_client"
    server.tokens.revoke(ANA)
    assert client.grant(**form).body["error"] == "invalid_grant"


def _part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _assertion(info: dict[str, str], key: rsa.RSAPrivateKey | None = None, **changes: Any) -> str:
    now = int(datetime.now(UTC).timestamp())
    claims = {
        "iss": info["client_email"],
        "sub": ANA,
        "scope": METADATA_SCOPE,
        "aud": info["token_uri"],
        "iat": now,
        "exp": now + 3600,
    }
    signed = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims | changes)}"
    loaded = key or serialization.load_pem_private_key(info["private_key"].encode(), None)
    assert isinstance(loaded, rsa.RSAPrivateKey)
    return f"{signed}.{_part(loaded.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({}, None),
        ({"aud": "https://elsewhere.example/token"}, "invalid_grant"),
        ({"exp": 1}, "invalid_grant"),
        ({"iat": 0}, "invalid_grant"),
        ({"exp": None}, "invalid_grant"),
        ({"iss": "stranger@sandbox.iam.example"}, "invalid_grant"),
        ({"sub": "nobody@acme.example"}, "invalid_grant"),
        ({"sub": ""}, "unauthorized_client"),
        ({"scope": READONLY}, "unauthorized_client"),
        ({"scope": ""}, "invalid_scope"),
    ],
)
def test_an_assertion_is_judged_by_every_claim(server: GmailServer, changes: dict[str, Any], error: str | None) -> None:
    server.mailbox(ANA)
    answer = Client(server).grant(grant_type=JWT_GRANT, assertion=_assertion(server.service_account(), **changes))
    assert answer.body.get("error") == error


def test_an_assertion_signed_by_another_key_is_refused(server: GmailServer) -> None:
    server.mailbox(ANA)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for assertion in (_assertion(server.service_account(), other), "a.b", "", "a.b.c"):
        assert Client(server).grant(grant_type=JWT_GRANT, assertion=assertion).body["error"] == "invalid_grant"
    assert Client(server).grant(grant_type="password").body["error"] == "unsupported_grant_type"
