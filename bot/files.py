"""Files to and from Slack: one is sent, one is fetched that somebody uploaded. Both need optional scopes.

The bot's token goes to Slack alone: an address elsewhere is not asked, a redirect is not followed.
"""

from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.asking import ask

LARGEST = 2_000_000
SECONDS = 10


class NoFile(Exception):
    """It could not be sent or fetched. The text is one plain sentence that says what to do."""


def upload(
    client: WebClient, *, channel: str, name: str, content: bytes, title: str, thread_ts: str | None = None
) -> None:
    """Sends a file into a channel, or to a user by the own id; raises NoFile."""
    try:
        if channel.startswith(("U", "W")):
            channel = client.conversations_open(users=channel)["channel"]["id"]
        client.files_upload_v2(channel=channel, filename=name, content=content, title=title, thread_ts=thread_ts)
    except SlackApiError as error:
        if error.response.get("error") == "missing_scope":
            wanted = error.response.get("needed") or "files:write"
            raise NoFile(
                f"Cadence may not send files here: an administrator can give the app the scope {wanted}"
            ) from error
        raise NoFile(f"Slack did not take the file ({error.response.get('error')})") from error
    except (OSError, ValueError) as error:
        raise NoFile("Slack did not answer: please try again in a moment") from error


def download(client: WebClient, file_id: str, most: int = LARGEST) -> bytes:
    """What somebody uploaded, at most so many bytes; raises NoFile."""
    try:
        about = ask(client, "files.info", file=file_id)["file"] or {}
    except SlackApiError as error:
        if error.response.get("error") == "missing_scope":
            raise NoFile("Cadence may not read files: give the app the scope files:read, or paste the lines") from error
        raise NoFile(
            f"Slack does not show the file ({error.response.get('error')}): paste the lines instead"
        ) from error
    except OSError as error:
        raise NoFile("Slack did not answer: please try again in a moment") from error
    if int(about.get("size") or 0) > most:
        raise NoFile(f"The file is larger than {most // 1_000_000} MB: split it")
    address = str(about.get("url_private_download") or about.get("url_private") or "")
    if not _slacks_own(address, client.base_url):
        raise NoFile("The file does not lie in Slack: upload it anew, or paste the lines")
    request = Request(address, headers={"Authorization": f"Bearer {client.token}"})  # noqa: S310  # Slack's own, as just seen
    try:
        with build_opener(_StayHere).open(request, timeout=SECONDS) as answer:
            content: bytes = answer.read(most + 1)
    except HTTPError as error:
        raise NoFile(f"Slack did not hand over the file ({error.code}): paste the lines instead") from error
    except (OSError, ValueError) as error:
        raise NoFile("Slack did not hand over the file: please try again in a moment") from error
    if len(content) > most:
        raise NoFile(f"The file is larger than {most // 1_000_000} MB: split it")
    return content


def _slacks_own(address: str, api: str) -> bool:
    there, slack = urlsplit(address), urlsplit(api)
    if (there.scheme, there.netloc) == (slack.scheme, slack.netloc):
        return True
    host = there.hostname or ""
    return (
        there.scheme == "https" and there.port in (None, 443) and (host == "slack.com" or host.endswith(".slack.com"))
    )


class _StayHere(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None
