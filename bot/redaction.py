"""Takes secrets and e-mail addresses out of whatever is about to be logged, wherever in it they stand.

Better a harmless word too many than an address too few. Must not know who logs, nor where to.
"""

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

from structlog.typing import EventDict

SECRET, ADDRESS = "[secret]", "[address]"
SHORTEST = 5  # a shorter secret is a word: taking it out everywhere would leave no line to read
DEEPEST = 8

_NAME = (
    r"[\w-]{0,40}(?:token|secret|passw(?:or)?d|passwd|passphrase|pwd|api[_-]?key|private[_-]?key|authorization|cookie"
    r"|credential|assertion|verifier|signature|ticket)[\w-]{0,40}"
)
_NAMES_A_SECRET = re.compile(_NAME, re.IGNORECASE)
_AT = r"(?:@|\uff20|%(?:25)*40|\\u0040|&#(?:64|x40);)"
_LOCAL = r"[^\s@\uff20<>()\[\]\",;:\\]"
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL), SECRET),
    (re.compile(r"(https?://hooks\.slack\.com/)[^\s\"'<>]+"), rf"\1{SECRET}"),
    # What stands before the @ of an address of a server: name and password.
    (re.compile(r"(?<![\w+.-])([a-z][\w+.-]*://)[^\s\"'<>]{0,400}@", re.IGNORECASE), rf"\1{SECRET}@"),
    # "name": "value", also within a text that is quoted itself
    (
        re.compile(
            rf"(\\*[\"']{_NAME}\\*[\"']\s*:\s*)b?(\\*[\"'])(?:(?!\2)(?:\\.|.))*(?:\2)?", re.IGNORECASE | re.DOTALL
        ),
        rf"\1\2{SECRET}\2",
    ),
    (re.compile(rf"({_NAME}\s*=\s*)b?(?:'[^']*'?|\"[^\"]*\"?|[^\s&\"']+)", re.IGNORECASE), rf"\1{SECRET}"),
    (re.compile(r"([?&](?:code|state)=)[^\s&\"'#]+", re.IGNORECASE), rf"\1{SECRET}"),
    (re.compile(r"((?:authorization|cookie)\s*:\s*)[^\r\n]+", re.IGNORECASE), rf"\1{SECRET}"),
    (re.compile(r"((?:password|passwd|passphrase|secret|token)\s*:\s*)[^\s\[]\S*", re.IGNORECASE), rf"\1{SECRET}"),
    (re.compile(r"((?:Bearer|Basic|XOAUTH2)\s+)[\w+/.~-]{16,}=*"), rf"\1{SECRET}"),
    (re.compile(r"(?:xox[a-z][.-]|xapp-|xwfp-)[\w.-]*", re.IGNORECASE), SECRET),  # Slack
    (re.compile(r"ya29\.[\w.-]*|GOCSPX-[\w-]*|1//[\w-]{8,}|4/0[\w-]{16,}"), SECRET),  # Google
    (re.compile(r"[01]\.A[\w.-]{32,}|M\.[A-Z]\d+_[\w.!*$-]+"), SECRET),  # Microsoft
    (re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]*)*"), SECRET),  # a signed token of anybody's
    (re.compile(r"gAAAA[\w-]{16,}=*|(?<![\w-])[\w-]{43,}="), SECRET),  # what a Fernet key has sealed, and such a key
    (re.compile(r"(?<![0-9a-f])[0-9a-f]{32,}", re.IGNORECASE), SECRET),  # Slack's signing and client secrets
    (
        re.compile(
            rf"(?:\"[^\"\n]*\"|(?<!{_LOCAL}){_LOCAL}+){_AT}(?:\[[^\]\s]*\]|[^\s<>()\[\]\",;:\\'/}}|?&#]*)",
            re.IGNORECASE,
        ),
        ADDRESS,
    ),
)


class Redaction:
    """A processor of structlog; `secrets` are taken out as they are, whatever they look like."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
        longest_first = sorted(known, key=lambda one: (-len(one), one))
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, _logger: object, _method: str, event: EventDict) -> EventDict:
        return {self._key(key): self._under(key, one, 0) for key, one in event.items()}

    def text(self, words: str) -> str:
        if self._known is not None:
            words = self._known.sub(SECRET, words)
        for shape, instead in _SHAPES:
            words = shape.sub(instead, words)
        return words

    def value(self, value: object, depth: int = 0) -> object:
        """The same without secrets and addresses. What is no text, number, list or mapping becomes text."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self.text(str(value))
        if depth < DEEPEST:
            if isinstance(value, Mapping):
                return {self._key(key): self._under(key, one, depth) for key, one in value.items()}
            if isinstance(value, list | tuple | set | frozenset):
                return [self.value(one, depth + 1) for one in value]
        try:
            return self.text(repr(value))
        except Exception as error:  # somebody else's __repr__
            return f"{type(value).__name__} that cannot be shown ({type(error).__name__})"

    def _key(self, key: object) -> str:
        return self.text(key if isinstance(key, str) else repr(key))

    def _under(self, key: object, value: object, depth: int) -> object:
        if isinstance(value, str | bytes) and value and isinstance(key, str) and _NAMES_A_SECRET.fullmatch(key):
            return SECRET
        return self.value(value, depth + 1)


def _forms(secret: str) -> set[str]:
    """As it is, as a part of an address, and within a text that is quoted."""
    return {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
