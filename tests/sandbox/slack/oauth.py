"""Slack's install page and its codes: who installs the app, in which workspace, with which scopes."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import Blueprint, Response, redirect, request

from tests.sandbox.slack.errors import SlackError

if TYPE_CHECKING:
    from tests.sandbox.slack.server import SlackServer, Team
    from tests.sandbox.slack.workspace import User

Json = dict[str, Any]
CODE_LIFETIME = timedelta(minutes=10)
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(slots=True)
class Code:
    team: "Team"
    user: str
    scopes: tuple[str, ...]
    redirect_uri: str
    until: datetime
    used: bool = False


class OAuth:
    """The app's credentials, and what was consented to. Codes live by the real clock, as the browser does."""

    client_id, client_secret = "1111.2222", "sandbox-client-secret"

    def __init__(self, server: "SlackServer") -> None:
        self._server = server
        self._codes: dict[str, Code] = {}

    @property
    def redirect_urls(self) -> Sequence[str]:
        found: Sequence[str] = self._server.workspace.feature("oauth_config", "redirect_urls", default=())
        return found

    def check(self, asked: Mapping[str, str]) -> str:
        """What is wrong with a question; Slack shows it and sends nobody back."""
        if asked.get("client_id") != self.client_id:
            return "invalid_client_id: this app does not exist."
        uri = asked.get("redirect_uri", "")
        here = urlsplit(uri)
        loopback = here.scheme == "http" and here.hostname in LOOPBACK
        if not loopback and not any(uri.startswith(one) for one in self.redirect_urls):
            return f"bad_redirect_uri: {uri or 'none'} is not configured for this app."
        if not _scopes(asked.get("scope", "")):
            return "invalid_scope: nothing is asked for."
        return ""

    def allow(self, url: str, user: "User", team: "Team | None" = None, *, without: Sequence[str] = ()) -> str:
        """Consents as a person would on the page at `url`; answers where the browser is sent then."""
        asked = dict(parse_qsl(urlsplit(url).query))
        problem = self.check(asked)
        if problem:
            raise SlackError(problem)
        team = team or self._server.teams[0]
        if user.is_restricted or user.team_id != team.workspace.team_id:
            return self._back(asked, error="access_denied")
        code = secrets.token_hex(16)
        scopes = tuple(one for one in _scopes(asked["scope"]) if one not in without)
        until = datetime.now(UTC) + CODE_LIFETIME
        self._codes[code] = Code(team, user.id, scopes, asked.get("redirect_uri", ""), until)
        return self._back(asked, code=code)

    def decline(self, url: str) -> str:
        return self._back(dict(parse_qsl(urlsplit(url).query)), error="access_denied")

    def redeem(self, given: Mapping[str, str]) -> Json:
        """oauth.v2.access: installs, and answers the token."""
        if given.get("client_id") != self.client_id:
            raise SlackError("invalid_client_id")
        if given.get("client_secret") != self.client_secret:
            raise SlackError("bad_client_secret")
        if given.get("grant_type") not in (None, "", "authorization_code"):
            raise SlackError("invalid_grant_type")
        code = self._codes.get(given.get("code", ""))
        if code is None or code.until < datetime.now(UTC):
            raise SlackError("invalid_code")
        if code.used:
            raise SlackError("code_already_used")
        if given.get("redirect_uri", "") != code.redirect_uri:
            raise SlackError("bad_redirect_uri")
        code.used = True
        ws = code.team.workspace
        token = ws.install(code.scopes)
        team = None if ws.is_enterprise_install else {"id": ws.team_id, "name": ws.name}
        return {
            "access_token": token.value,
            "token_type": "bot",
            "scope": ",".join(token.scopes),
            "bot_user_id": ws.bot.id,
            "app_id": ws.app_id,
            "team": team,
            "enterprise": ws.enterprise,
            "is_enterprise_install": ws.is_enterprise_install,
            "authed_user": {"id": code.user},
        }

    def expire(self) -> None:
        """Every code given out so far comes too late."""
        self._codes.clear()

    @staticmethod
    def _back(asked: Mapping[str, str], **answer: str) -> str:
        uri = asked.get("redirect_uri", "")
        return f"{uri}{'&' if '?' in uri else '?'}{urlencode(answer | {'state': asked.get('state', '')})}"


def blueprint(server: "SlackServer") -> Blueprint:
    pages = Blueprint("oauth", __name__)

    @pages.get("/oauth/v2/authorize")
    def question() -> Response:
        asked = request.args.to_dict()
        problem = server.oauth.check(asked)
        if problem:
            return Response(_page("Something is wrong", f"<p>{escape(problem)}</p>"), 400)
        return Response(_form(server, asked))

    @pages.post("/oauth/v2/authorize")
    def answer() -> Response:
        team_id, _, user_id = request.form.get("account", "").partition("/")
        team = server.team(team_id)
        user = team.workspace.users.get(user_id) if team else None
        if request.form.get("decision") != "allow" or team is None or user is None:
            return _to(server.oauth.decline(request.url))
        offered = set(_optional(server, request.args.get("scope", "")))
        without = sorted(offered - set(request.form.getlist("optional")))
        return _to(server.oauth.allow(request.url, user, team, without=without))

    return pages


def _to(url: str) -> Response:
    answer = redirect(url)
    return Response(status=answer.status_code, headers={"Location": answer.headers["Location"]})


def _scopes(text: str) -> list[str]:
    return [one for one in text.replace(" ", ",").split(",") if one]


def _optional(server: "SlackServer", asked: str) -> list[str]:
    optional = server.workspace.feature("oauth_config", "scopes", "bot_optional", default=())
    return [one for one in _scopes(asked) if one in optional]


def _form(server: "SlackServer", asked: Mapping[str, str]) -> str:
    """Who installs where; scopes that the manifest calls optional can be left out."""
    groups = "".join(
        f'<optgroup label="{escape(team.workspace.name)}">'
        + "".join(
            f'<option value="{team.workspace.team_id}/{one.id}">{escape(one.real_name)}</option>'
            for one in team.workspace.users.values()
            if not one.is_bot and not one.deleted
        )
        + "</optgroup>"
        for team in sorted(server.teams, key=lambda one: one.workspace.team_id != asked.get("team"))
    )
    optional = _optional(server, asked["scope"])
    needed = "".join(f"<li>{escape(one)}</li>" for one in _scopes(asked["scope"]) if one not in optional)
    boxes = "".join(
        f'<label><input type="checkbox" name="optional" value="{escape(one)}" checked> {escape(one)}</label><br>'
        for one in optional
    )
    more = f"<p>You may leave out</p>{boxes}" if boxes else ""
    name = escape(server.workspace.bot.real_name)
    return _page(
        f"{name} asks to be installed",
        f"""<ul>{needed}</ul><form method="post">{more}
<p><label>Installed by <select name="account">{groups}</select></label></p>
<button name="decision" value="allow">Allow</button> <button name="decision" value="cancel">Cancel</button></form>""",
    )


def _page(title: str, inside: str) -> str:
    look = "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:8vh auto;padding:0 1rem}"
    look += ":root{color-scheme:light dark}"
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    return f"{head}<title>{title} · stand-in</title><style>{look}</style><h1>{title}</h1>{inside}</html>"
