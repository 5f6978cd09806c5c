"""Several workspaces in one sandbox: installing by consent, tokens that open one of them, and being taken out."""

import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from tests.sandbox.slack.server import SlackServer, Team
from tests.sandbox.slack.workspace import User, Workspace

Json = dict[str, Any]
BACK = "http://127.0.0.1:9/slack/oauth_redirect"
MANIFEST: Json = {
    "display_information": {"name": "App"},
    "features": {
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True},
        "slash_commands": [{"command": "/app", "description": "Try it"}],
    },
    "oauth_config": {
        "scopes": {"bot": ["chat:write", "users:read"], "bot_optional": ["files:read"]},
        "redirect_urls": ["https://app.example/slack"],
    },
    "settings": {
        "event_subscriptions": {"bot_events": ["app_uninstalled", "tokens_revoked", "channel_id_changed"]},
        "interactivity": {"is_enabled": True},
    },
}


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackServer]:
    with SlackServer(Workspace("Acme", manifest=MANIFEST)) as slack:
        yield slack


@pytest.fixture
def globex(slack: SlackServer, request: pytest.FixtureRequest) -> Iterator[Team]:
    """A second workspace, where nobody has installed the app yet."""
    team = slack.add(Workspace("Globex", manifest=MANIFEST, series="B", installed=False))
    yield team
    slack.teams.remove(team)


def someone(team: Team, **more: Any) -> User:
    return team.workspace.add_user("hank", "Hank", "hank@globex.example", **more)


def question(slack: SlackServer, **more: str) -> str:
    asked = {"client_id": slack.oauth.client_id, "scope": "chat:write,users:read,files:read", "redirect_uri": BACK}
    return f"{slack.page_url}oauth/v2/authorize?{urllib.parse.urlencode(asked | {'state': 's1'} | more)}"


def code_of(location: str) -> str:
    answer = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))
    assert location.startswith(BACK)
    assert answer["state"] == "s1"
    return answer["code"]


def redeem(slack: SlackServer, code: str, **more: str) -> Any:
    given = {"client_id": slack.oauth.client_id, "client_secret": slack.oauth.client_secret, "redirect_uri": BACK}
    return WebClient(base_url=slack.api_url).oauth_v2_access(code=code, **(given | more))


def test_consent_on_the_page_installs_the_app_in_the_workspace_of_whoever_gave_it(
    slack: SlackServer, globex: Team
) -> None:
    hank = someone(globex)
    assert globex.workspace.bot_scopes == ()
    shown = requests.get(question(slack), timeout=10).text
    assert "Globex" in shown
    assert "Hank" in shown
    assert "files:read" in shown
    form = {"account": f"{globex.workspace.team_id}/{hank.id}", "decision": "allow"}  # files:read is not ticked
    answer = requests.post(question(slack), data=form, allow_redirects=False, timeout=10)
    installed = redeem(slack, code_of(answer.headers["Location"])).data
    assert installed["team"] == {"id": globex.workspace.team_id, "name": "Globex"}
    assert installed["scope"] == "chat:write,users:read"
    assert installed["authed_user"]["id"] == hank.id
    client = WebClient(installed["access_token"], base_url=slack.api_url)
    assert client.auth_test()["team_id"] == globex.workspace.team_id
    assert client.users_info(user=hank.id)["user"]["name"] == "hank"


def test_a_token_opens_one_workspace_and_no_other(slack: SlackServer, globex: Team) -> None:
    hank = someone(globex)
    token = globex.workspace.install(["chat:write", "users:read"]).value
    acme = WebClient(slack.workspace.bot_token, base_url=slack.api_url)
    with pytest.raises(SlackApiError, match="user_not_found"):
        acme.users_info(user=hank.id)
    slack.faults.refuse("chat.postMessage", "ratelimited", team=globex.workspace.team_id)
    theirs = WebClient(token, base_url=slack.api_url)
    assert not {*slack.workspace.users} & {*globex.workspace.users}
    room = slack.workspace.add_channel("here", members=[slack.workspace.bot.id])
    acme.chat_postMessage(channel=room.id, text="not limited")
    with pytest.raises(SlackApiError, match="ratelimited"):
        theirs.chat_postMessage(channel=hank.id, text="limited")
    page = requests.get(
        f"{slack.page_url}ui/state", params={"team": globex.workspace.team_id, "user": hank.id}, timeout=10
    ).json()
    assert page["team"]["name"] == "Globex"
    assert page["me"]["real_name"] == "Hank"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"client_secret": "wrong"}, "bad_client_secret"),
        ({"client_id": "9.9"}, "invalid_client_id"),
        ({"redirect_uri": "https://elsewhere.example"}, "bad_redirect_uri"),
        ({"code": "made-up"}, "invalid_code"),
    ],
)
def test_a_code_is_good_once_for_the_app_that_asked(slack: SlackServer, changed: dict[str, str], error: str) -> None:
    user = slack.workspace.add_user("ana", "Ana", "ana@acme.example")
    code = code_of(slack.oauth.allow(question(slack), user))
    with pytest.raises(SlackApiError, match=error):
        redeem(slack, **({"code": code} | changed))
    redeem(slack, code)
    with pytest.raises(SlackApiError, match="code_already_used"):
        redeem(slack, code)


def test_a_question_that_cannot_be_trusted_sends_nobody_back(slack: SlackServer) -> None:
    for wrong in ({"client_id": "x"}, {"redirect_uri": "https://evil.example/"}, {"scope": ""}):
        answer = requests.get(question(slack, **wrong), allow_redirects=False, timeout=10)
        assert (answer.status_code, "Location" in answer.headers) == (400, False)
    assert requests.get(question(slack, redirect_uri="https://app.example/slack/back"), timeout=10).ok


def test_a_guest_cannot_install_and_a_refusal_comes_back_as_one(slack: SlackServer) -> None:
    guest = slack.workspace.add_user("gus", "Gus", "gus@guest.example", is_restricted=True)
    assert "error=access_denied" in slack.oauth.allow(question(slack), guest)
    assert "error=access_denied" in slack.oauth.decline(question(slack))


def test_installed_for_the_whole_organisation_there_is_no_team(slack: SlackServer, globex: Team) -> None:
    globex.workspace.enterprise_id, globex.workspace.is_enterprise_install = "E0ORG", True
    code = code_of(slack.oauth.allow(question(slack), someone(globex), globex))
    installed = redeem(slack, code).data
    assert installed["team"] is None
    assert (installed["enterprise"]["id"], installed["is_enterprise_install"]) == ("E0ORG", True)


def test_taken_out_the_app_is_told_and_its_commands_are_gone(slack: SlackServer, globex: Team) -> None:
    hank = someone(globex)
    ws = globex.workspace
    token = ws.install(["chat:write"]).value
    globex.delivery.event_retry_delays = ()
    globex.uninstall()
    told = [one["event"]["type"] for one in globex.delivery.lost_events]
    assert told == ["tokens_revoked", "app_uninstalled"]
    with pytest.raises(SlackApiError, match="token_revoked"):
        WebClient(token, base_url=slack.api_url).auth_test()
    answer = globex.interactions.message(hank.id, ws.im(hank.id).id, "/app")
    assert answer["error"] == "/app is not a valid command."
    assert ws.install(["chat:write"]).value != token


def test_a_channel_keeps_its_messages_under_its_new_id(slack: SlackServer) -> None:
    ws = slack.workspace
    old = ws.add_channel("moving", members=[ws.bot.id]).id
    ws.post(old, ws.bot.id, "still here")
    channel = slack.teams[0].change_channel_id(old)
    event = slack.delivery.lost_events[-1]["event"]
    assert (event["old_channel_id"], event["new_channel_id"]) == (old, channel.id)
    assert [one.text for one in ws.messages(channel.id)] == ["still here"]
    assert old not in ws.channels


def test_replicas_are_asked_in_turn(slack: SlackServer) -> None:
    slack.address.urls[:] = ["http://127.0.0.1:1/a", "http://127.0.0.1:1/b"]
    assert [slack.address.next() for _ in range(3)] in (
        ["http://127.0.0.1:1/a", "http://127.0.0.1:1/b", "http://127.0.0.1:1/a"],
        ["http://127.0.0.1:1/b", "http://127.0.0.1:1/a", "http://127.0.0.1:1/b"],
    )
    slack.delivery.request_url = None
    assert not slack.delivery.connected
