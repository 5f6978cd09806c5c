"""What stands in the place of somebody who was forgotten, and how a text loses every trace of them. Pure.

The pseudonym is a keyed hash: equal for one address, so that mails which say something together still do.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.addresses import gmail_form, host_of, without_tag
from models.keyed import digest

NOBODY_NAMED = "somebody who was forgotten"
NO_HOST = "forgotten.invalid"


def forgotten_hmac(key: bytes, email: str) -> str:
    """By which a forgotten mailbox is known again, tags and Google's dots aside."""
    return digest(key, "forgotten", gmail_form(email) or without_tag(email))


def pseudonym(key: bytes, email: str, *, hosted: bool = False) -> str:
    """An address of nobody. `hosted` keeps the host, where that is a partner's domain and so names no person."""
    return f"forgotten-{forgotten_hmac(key, email)[:12]}@{host_of(email) if hosted else NO_HOST}"


@dataclass(frozen=True, slots=True)
class Trace:
    """Something that names the person, and what it becomes. `fragment` occurs in lower case wherever it does."""

    found: re.Pattern[str]
    becomes: str
    fragment: str

    @classmethod
    def of_address(cls, key: bytes, email: str, *, inside: bool = False) -> "Trace":
        """`inside`: also as the end of something longer, as in the ids that mail programs make."""
        local, _, host = without_tag(email).rpartition("@")
        before = "" if inside else r"(?<![\w.+-])"
        pattern = rf"{before}{re.escape(local)}(\+[^\s@\"<>]*)?@{re.escape(host)}(?![\w-])"
        return cls(re.compile(pattern, re.IGNORECASE), pseudonym(key, email), _fragment(local))

    @classmethod
    def of_name(cls, name: str, becomes: str = NOBODY_NAMED) -> "Trace":
        """One word may be an ordinary one: then its case has to match, too."""
        flags = re.IGNORECASE if len(name.split()) > 1 else 0
        pattern = r"\s+".join(map(re.escape, name.split()))
        return cls(re.compile(rf"(?<!\w){pattern}(?!\w)", flags), becomes, _fragment(name))


def without(value: Any, traces: Sequence[Trace]) -> Any:
    """A text, or what JSON holds, without any of these."""
    if isinstance(value, str):
        for trace in traces:
            value = trace.found.sub(trace.becomes, value)
        return value
    if isinstance(value, Mapping):
        return {without(name, traces): without(one, traces) for name, one in value.items()}
    if isinstance(value, list):
        return [without(one, traces) for one in value]
    return value


def _fragment(text: str) -> str:
    """The longest run of plain letters: it reads the same in every case rule and in JSON. Empty where there is none."""
    return max(re.findall(r"[a-z0-9]+", text.lower()), key=len, default="")
