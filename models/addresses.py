"""Header values → addresses, ids, dates and subjects: the one place that is suspicious of RFC 5322.

No input raises. A display name is kept for people to read and is never compared with anything.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from models.headers import decode_words


@dataclass(frozen=True, slots=True)
class Address:
    email: str  # as `normal_address` spells it
    written: str = field(default="", compare=False)  # the display name, encoded as it may be

    @property
    def name(self) -> str:
        return decode_words(self.written)


@dataclass(frozen=True, slots=True)
class Addresses:
    """What address headers said. `defects` say what was wrong without quoting it; the addresses stand all the same."""

    found: tuple[Address, ...] = ()
    defects: tuple[str, ...] = ()
    emails: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "emails", tuple([address.email for address in self.found]))


NOBODY = Addresses()


def addresses_in(values: Iterable[str]) -> Addresses:
    """Every address of one or several header values, each once, in their order."""
    read = [_read_again(value) if len(value) <= _REMEMBERED else _read(value) for value in values]
    if len(read) < 2:
        return read[0] if read else NOBODY
    found = _each_once(address for one in read for address in one.found)
    return Addresses(found, tuple(defect for one in read for defect in one.defects))


def plain_addresses(value: str) -> list[Address] | None:
    """The fast path, or None where the list needs the careful reader. Where both answer they agree."""
    if len(value) > _LONGEST:
        return None
    found: list[Address] = []
    at = 0
    while at < len(value):
        plain = _PLAIN.match(value, at)
        email = normal_address(plain[3] or plain[4]) if plain else None
        if plain is None or email is None:
            return None
        name = plain[1] or plain[2] or ""
        if len(name) > _LONGEST_PLAIN_NAME:
            return None
        found.append(Address(email, name))
        at = plain.end()
    return found


def careful_addresses(value: str) -> Addresses:
    """What is in any one value, however it is written."""
    found: dict[str, Address] = {}
    defects: list[str] = []
    for item in _items(value[:_LONGEST]):
        item.settle(found, defects)
    return Addresses(tuple(found.values()), tuple(defects))


def _read(value: str) -> Addresses:
    plain = plain_addresses(value)
    if plain is None:
        return careful_addresses(value)
    return Addresses(_each_once(plain))


def _each_once(addresses: Iterable[Address]) -> tuple[Address, ...]:
    found: dict[str, Address] = {}
    for address in addresses:
        found.setdefault(address.email, address)
    return tuple(found.values())


_read_again = lru_cache(maxsize=2048)(_read)  # a mailbox shows the same few people on most of its mails


@lru_cache(maxsize=4096)
def normal_address(text: str) -> str | None:
    """The one spelling in which an address is stored and compared, or None if it is no address."""
    text = text.strip()
    if len(text) > 320:
        return None
    if _SIMPLE.fullmatch(text):
        return text.lower()
    local, _, host = text.rpartition("@")
    domain = normal_domain(host)
    local = unicodedata.normalize("NFC", local.strip()).lower()
    if domain is None or not local.isprintable():
        return None
    if _QUOTED.fullmatch(local):
        bare = re.sub(r"\\(.)", r"\1", local[1:-1])
        return f"{bare if _ATOM.fullmatch(bare) else local}@{domain}"
    return f"{local}@{domain}" if _ATOM.fullmatch(local) else None


def normal_domain(text: str) -> str | None:
    """Lower case, ASCII (IDNA) where it can be, no final dot; None if it is no host name."""
    domain = text.strip().lower().removesuffix(".")
    if not domain.isascii():
        if len(domain) > 255 or not domain.isprintable():
            return None
        try:
            domain = domain.encode("idna").decode("ascii").lower()
        except UnicodeError:
            return domain if _FOREIGN_HOST.fullmatch(domain) else None
    return domain if _HOST.fullmatch(domain) else None


def host_of(email: str) -> str:
    return email.rpartition("@")[2]


def without_tag(email: str) -> str:
    """`ana+deals@x` → `ana@x`: the mailbox behind a plus address."""
    local, _, host = email.rpartition("@")
    head = local.partition("+")[0]
    return f"{head}@{host}" if head else email


def gmail_form(email: str) -> str | None:
    """Google ignores dots and tags in its own two domains, and nobody else does; None for every other host."""
    local, _, host = email.rpartition("@")
    if host not in ("gmail.com", "googlemail.com"):
        return None
    bare = local.partition("+")[0].replace(".", "")
    return f"{bare}@gmail.com" if bare else None


@dataclass(slots=True)
class _Item:
    """One entry of an address list while it is read: everything between two separators."""

    words: list[str] = field(default_factory=list)  # as written, quoted strings and encoded words included
    loose: list[str] = field(default_factory=list)  # the words outside quotes and encoded words
    brackets: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    opened: int | None = None  # where in `loose` a bracket opened that never closed

    def settle(self, found: dict[str, Address], defects: list[str]) -> None:
        """The bracket decides, whatever stands before it; without one the bare word must be an address by itself."""
        written = "".join(self.words).strip()
        if self.opened is not None:
            defects.append("a bracket that never closes")
            if not self.brackets:
                self.brackets, written = ["".join(self.loose[self.opened :])], ""
        if self.brackets:
            emails = [normal_address(_ROUTE.sub("", bracket)) for bracket in self.brackets]
            if "@" in written:
                defects.append("an address in a display name")
            if len(emails) > 1:
                defects.append("two addresses in one entry")
        elif written:
            emails = [normal_address(_AROUND_AT.sub("@", written[:_LONGEST_NAME]))]
            if emails == [None]:
                # `Ana ana@x.example`, as some old programs write; never out of quotes, which hold a name.
                loose = "".join(self.loose)
                words = [] if '"' in loose else [email for word in loose.split() if (email := normal_address(word))]
                emails = [words[0] if len(words) == 1 else None]
                defects.append("no brackets around the address")
        else:
            return
        for email, bracket in zip(emails, self.brackets or [written], strict=True):
            if email:
                name = _NAMED.sub(_unquote, written[:_LONGEST_NAME]) if self.brackets else ""
                found.setdefault(
                    email,
                    Address(email, name or " ".join(self.comments)),
                )
            elif bracket.strip():
                defects.append("not an address")


def _unquote(match: re.Match[str]) -> str:
    return re.sub(r"\\(.)", r"\1", match[1])


def _items(value: str) -> Iterator[_Item]:
    """Cut a list at commas and semicolons outside quotes, comments and brackets; a group's name is dropped.

    A quote or a comment that never closes is taken as an ordinary character, and so are all after it: without that
    a hostile header of n openings would be searched n times.
    """
    item = _Item()
    at = 0
    tokens, comments = _TOKEN, True
    while at < len(value):
        match = tokens.match(value, at)
        kind, text = (match.lastgroup, match[0]) if match else ("mark", value[at])
        if text == '"' and tokens is _TOKEN:
            tokens = _TOKEN_UNQUOTED
        if text == "(" and comments:
            end = _comment_end(value, at)
            if end:
                item.comments.append(value[at + 1 : end - 1].strip())
                item.words.append(" ")
                item.loose.append(" ")
                at = end
                continue
            comments = False
        at += len(text)
        if text in (",", ";"):
            yield item
            item = _Item()
        elif text == ":" and not item.brackets:
            item = _Item()
        elif kind == "bracket":
            item.brackets.append(text[1:-1])
        elif text == "<":
            item.opened = len(item.loose)
        else:
            item.words.append(text)
            if kind not in ("quoted", "encoded"):
                item.loose.append(text)
    yield item


def _comment_end(value: str, start: int) -> int:
    """Just behind the parenthesis that closes the one at `start`, or 0."""
    depth = 0
    for match in _PARENTHESIS.finditer(value, start):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return 0


_LONGEST = 200_000  # characters of one header value; a list of some five thousand addresses
_REMEMBERED = 500  # characters of one value, so that what is remembered has a bound too
_LONGEST_PLAIN_NAME = 900
_LONGEST_NAME = 1_000  # characters of one entry that are looked at for a name: the search for quotes is quadratic
_NAMED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_{|}~`.-]+"
_SIMPLE = re.compile(_LOCAL + r"@[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_ENCODED = r"=\?[\w*-]+\?[bBqQ]\?[^?,;:()<>\"\\\[\]@]*\?="
_NAME = rf"(?:[^,;:()<>\"\\\[\]@=]++|{_ENCODED})*+"
_PLAIN = re.compile(
    rf'\s*(?:(?:"([^"<>\\@]*)"\s*|({_NAME}))<({_LOCAL}@[A-Za-z0-9.-]+)>|({_LOCAL}@[A-Za-z0-9.-]+))\s*(?:,|\Z)'
)
_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[a-z0-9.:]+\]")
_FOREIGN_HOST = re.compile(r"[^\s@<>(),;:\\\"\[\].]+(?:\.[^\s@<>(),;:\\\"\[\].]+)*")
_ATOM = re.compile(r"[^\s@<>(),;:\\\"\[\]]+")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)+"')
_ROUTE = re.compile(r"^\s*(?:@[^:]*:|mailto:)\s*", re.IGNORECASE)
_AROUND_AT = re.compile(r"\s*@\s*")
_PARENTHESIS = re.compile(r"\\.|[()]", re.DOTALL)
_UNQUOTED = r"""(?P<encoded>=\?[^?\s]*\?[bBqQ]\?[^?]*\?=)
  | (?P<bracket><[^<>]*>)
  | (?P<literal>\[[^\[\]]*\])
  | (?P<text>[^,;:()<>"\\\[=]+)
  | (?P<mark>.)"""
_TOKEN_UNQUOTED = re.compile(_UNQUOTED, re.DOTALL | re.VERBOSE)
_TOKEN = re.compile(r'(?P<quoted>"(?:[^"\\]|\\.)*")|' + _UNQUOTED, re.DOTALL | re.VERBOSE)
