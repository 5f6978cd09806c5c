"""Somebody with a browser, for the tests of consent: opens the page, decides, and reads what it ends on."""

import re
import threading
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import requests

from tests.sandbox.gmail import GmailServer
from tests.sandbox.graph import GraphServer


@dataclass(slots=True)
class Person:
    """Call it with the address of a consent page, as a browser is. `signed_in` None is whom the page proposes."""

    signed_in: str | None = None
    decision: str = "allow"
    instead: str = ""  # goes there with the answer, in place of where the login sends it
    asked: dict[str, str] = field(default_factory=dict)
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    page: str = ""
    _thread: threading.Thread | None = None

    def __call__(self, url: str) -> bool:
        self._thread = threading.Thread(target=self._browse, args=(url,))
        self._thread.start()
        return True

    def wait(self) -> None:
        """Until it has come to the last page, if it was asked at all."""
        if self._thread is not None:
            self._thread.join()

    def read_page(self) -> str:
        """The text of the page it ended on."""
        assert self.page
        return " ".join(unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", self.page, flags=re.DOTALL)).split())

    def answer(self, url: str) -> str:
        """Where the login sends the browser after the decision."""
        self.asked = dict(parse_qsl(urlsplit(url).query))
        with _session() as browser:
            shown = browser.get(url)
            assert shown.status_code == 200, shown.text
            proposed = re.findall(r"<option selected>([^<]+)", shown.text) or re.findall(r"<option>([^<]+)", shown.text)
            form = {"account": self.signed_in or unescape(proposed[0]), "decision": self.decision}
            return str(browser.post(url, data=form, allow_redirects=False).headers["Location"])

    def _browse(self, url: str) -> None:
        address = self.answer(url)
        if self.instead:
            address = f"{address.partition('?')[0]}?{self.instead}"
        with _session() as browser:
            if urlsplit(address).path in ("", "/"):
                icon = f"{address.partition('?')[0].rstrip('/')}/favicon.ico"
                assert browser.get(icon).status_code == 404  # a browser asks that, too
            ended = browser.get(address)
        self.status, self.headers, self.page = ended.status_code, dict(ended.headers), ended.text


def gmail_environment(server: GmailServer) -> dict[str, str]:
    """The settings of an installation whose people consent at this stand-in."""
    return {
        "GOOGLE_CLIENT_ID": server.tokens.client_id,
        "GOOGLE_CLIENT_SECRET": server.tokens.client_secret,
        "GOOGLE_AUTH_URL": server.auth_url,
        "GOOGLE_TOKEN_URL": server.token_url,
        "GMAIL_API_URL": server.api_url,
    }


def graph_environment(server: GraphServer, *, secret: bool = False) -> dict[str, str]:
    """The same at Microsoft's. With `secret` the app is also one on the web, or reads mailboxes by itself."""
    return {
        "MICROSOFT_TENANT_ID": server.tokens.tenant_id,
        "MICROSOFT_CLIENT_ID": server.tokens.client_id,
        "MICROSOFT_LOGIN_URL": server.url,
        "GRAPH_API_URL": server.url,
    } | ({"MICROSOFT_CLIENT_SECRET": server.tokens.client_secret} if secret else {})


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session
