"""Reads and writes the multipart bodies of Google's batch endpoint."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser, Parser
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

BATCH_MAX = 100


class Unreadable(Exception):
    """The body is not a batch."""


@dataclass(frozen=True, slots=True)
class Part:
    content_id: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    authorization: str


def read(content_type: str, body: bytes) -> list[Part]:
    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    if not message.is_multipart():
        raise Unreadable("Failed to parse batch request, error: 0 items. Received batch body: (0) bytes redacted")
    return [_part(part) for part in message.walk() if part is not message]


def _part(part: Message) -> Part:
    payload = part.get_payload()
    if part.get_content_type() != "application/http" or not isinstance(payload, str):
        raise Unreadable("Every part of a batch must be application/http.")
    line, _, rest = payload.lstrip().partition("\n")
    words = line.split()
    if len(words) < 2:
        raise Unreadable(f"Not a request line: {line!r}")
    url = urlsplit(words[1])
    headers = Parser().parsestr(rest, headersonly=True)
    return Part(
        content_id=part.get("Content-ID", ""),
        method=words[0],
        path=url.path,
        query=tuple(parse_qsl(url.query, keep_blank_values=True)),
        authorization=headers.get("Authorization", ""),
    )


def write(answers: Iterable[tuple[str, int, str, Iterable[tuple[str, str]]]]) -> tuple[str, bytes]:
    """(content id, status, body, headers) of each part → content type and body."""
    boundary = f"batch_{secrets.token_urlsafe(16)}"
    lines: list[str] = []
    for content_id, status, body, headers in answers:
        lines += [f"--{boundary}", "Content-Type: application/http"]
        if content_id:
            lines.append(f"Content-ID: <response-{content_id.strip('<>')}>")
        lines += ["", f"HTTP/1.1 {status} {_phrase(status)}", "Content-Type: application/json; charset=UTF-8"]
        lines += [f"{name}: {value}" for name, value in headers]
        lines += [f"Content-Length: {len(body.encode())}", "", body]
    lines += [f"--{boundary}--", ""]
    return f"multipart/mixed; boundary={boundary}", "\r\n".join(lines).encode()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
