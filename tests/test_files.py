"""Files to and from Slack: what arrives, what is refused and in which words; the token goes to Slack alone."""

from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
import yaml
from flask import Flask, redirect, request
from slack_sdk import WebClient
from werkzeug.serving import make_server

from bot.files import NoFile, download, upload
from tests.cast import CHANNEL
from tests.databases import ROOT
from tests.sandbox.slack.server import SlackServer
from tests.sandbox.slack.workspace import Workspace
from tests.surface import people_in_slack

SCOPES = ("chat:write", "commands", "users:read", "im:write", "files:write", "files:read")


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    workspace = Workspace("Lantern", manifest=yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8")))
    people_in_slack(workspace)
    with SlackServer(workspace) as server:
        yield server


def client_of(slack: SlackServer, *without: str) -> WebClient:
    token = slack.workspace.bot_token
    slack.workspace.add_token(token, "bot", [one for one in SCOPES if one not in without])
    return WebClient(token=token, base_url=slack.api_url)


def test_a_file_arrives_in_a_channel_and_in_somebodys_messages(slack: SlackServer) -> None:
    client = client_of(slack)
    upload(client, channel=CHANNEL, name="coverage.csv", content=b"a,b\n1,2\n", title="Coverage")
    upload(client, channel="U0DANA", name="audit.csv", content="é\n".encode(), title="Audit")
    assert [one["name"] for one in slack.workspace.messages(CHANNEL)[-1].files] == ["coverage.csv"]
    room = client.conversations_open(users="U0DANA")["channel"]["id"]
    assert [one["name"] for one in slack.workspace.messages(room)[-1].files] == ["audit.csv"]


@pytest.mark.parametrize(("without", "needed"), [("files:write", "files:write"), ("im:write", "im:write")])
def test_without_the_scope_it_says_which(slack: SlackServer, without: str, needed: str) -> None:
    with pytest.raises(NoFile, match=needed):
        upload(client_of(slack, without), channel="U0DANA", name="a.csv", content=b"a", title="A")
    with pytest.raises(NoFile, match="files:read"):
        download(client_of(slack, "files:read"), slack.workspace.files.add("a.csv", b"a", "U0DANA").id)


def test_what_somebody_uploaded_is_fetched_byte_for_byte(slack: SlackServer) -> None:
    content = bytes(range(256)) * 40
    file = slack.workspace.files.add("roster.csv", content, "U0DANA")
    assert download(client_of(slack), file.id) == content
    assert download(client_of(slack), file.id, most=len(content)) == content


@pytest.mark.parametrize(
    ("file_id", "said"), [("F0NOBODY", "file_not_found"), ("", "paste the lines"), ("../../x", "paste the lines")]
)
def test_a_file_that_is_not_there_is_said(slack: SlackServer, file_id: str, said: str) -> None:
    with pytest.raises(NoFile, match=said):
        download(client_of(slack), file_id)


def test_a_large_file_is_refused_before_it_is_fetched(slack: SlackServer) -> None:
    file = slack.workspace.files.add("roster.csv", b"x" * 3_000_000, "U0DANA")
    with pytest.raises(NoFile, match="larger than 2 MB"):
        download(client_of(slack), file.id)


class Elsewhere:
    """A server that answers files.info as it likes, and notes who was shown a token."""

    def __init__(self) -> None:
        self.file: dict[str, Any] = {}
        self.tokens: list[str | None] = []
        app = Flask("elsewhere")

        @app.route("/api/files.info", methods=["GET", "POST"])
        def info() -> dict[str, Any]:
            return {"ok": True, "file": self.file}

        @app.get("/hop")
        def hop() -> Any:
            return redirect("http://localhost:1/steal")

        @app.get("/long")
        def long() -> bytes:
            self.tokens.append(request.headers.get("Authorization"))
            return b"x" * 5_000

        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    made = Elsewhere()
    thread = Thread(target=made.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.mark.parametrize(
    "address",
    [
        "http://example.com/roster.csv",
        "https://files.slack.com.evil.example/roster.csv",
        "https://evilslack.com/roster.csv",
        "http://files.slack.com/roster.csv",
        "https://files.slack.com:444/x",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "//127.0.0.1/x",
        "",
        "not an address",
    ],
)
def test_the_token_goes_to_slack_alone(elsewhere: Elsewhere, address: str) -> None:
    elsewhere.file = {"size": 10, "url_private_download": address}
    with pytest.raises(NoFile, match="does not lie in Slack"):
        download(WebClient(token="xoxb-secret", base_url=f"{elsewhere.url}api/"), "F1")


def test_a_redirect_is_not_followed(elsewhere: Elsewhere) -> None:
    elsewhere.file = {"size": 10, "url_private_download": f"{elsewhere.url}hop"}
    with pytest.raises(NoFile, match="302"):
        download(WebClient(token="xoxb-secret", base_url=f"{elsewhere.url}api/"), "F1")


def test_a_file_that_is_longer_than_it_said_is_refused(elsewhere: Elsewhere) -> None:
    elsewhere.file = {"size": 10, "url_private_download": f"{elsewhere.url}long"}
    with pytest.raises(NoFile, match="larger than"):
        download(WebClient(token="xoxb-secret", base_url=f"{elsewhere.url}api/"), "F1", most=4_999)
    assert elsewhere.tokens == ["Bearer xoxb-secret"]
