"""Header values that are no addresses: encoded words, message ids, dates, subjects. No input raises."""

import binascii
import codecs
import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz


def decode_words(text: str) -> str:
    """RFC 2047 decoded, unfolded, inner whitespace single. A word in a charset nobody knows stays as it is written."""
    if "=?" in text:
        text = _WORDS.sub(_decode_run, text)
    return " ".join(text.split())


def message_id(value: str) -> str:
    """The id without its brackets, case kept, or the empty string. Folding inside the brackets is undone."""
    match = _BRACKETED.search(value)
    if match and (inside := _one_id(match[1])):
        return inside
    word = value.strip("<> \t\r\n").split(maxsplit=1)
    return _one_id(word[0]) if word else ""


def message_ids(values: Iterable[str]) -> tuple[str, ...]:
    """The ids of In-Reply-To and References, each once; the prose that old programs put around them is skipped."""
    found: dict[str, None] = {}
    for value in values:
        for text in _BRACKETED.findall(value) or [word for word in value.split() if "@" in word]:
            if one := _one_id(text):
                found.setdefault(one)
    return tuple(found)[-_MOST_IDS:]


def _one_id(text: str) -> str:
    """Without what no id holds: white space, brackets, and characters that a database would refuse."""
    if not text.isprintable() or " " in text:
        text = "".join(char for char in text if char.isprintable() and char != " ")
    return text.strip("<>")[:_LONGEST_ID]


def date_of(value: str) -> datetime | None:
    """The instant that a Date header names, in UTC; None where it names none that mail could have."""
    plain = _PLAIN_DATE.fullmatch(value.strip())
    try:
        if plain:
            day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = plain.groups()
            offset = (int(zone_hours) * 60 + int(zone_minutes)) * 60
            fields = (
                int(year),
                _MONTHS[month.lower()],
                int(day),
                int(hour),
                int(minute),
                min(int(second or 0), 59),
            )
            offset = -offset if sign == "-" else offset
        else:
            parsed = parsedate_tz(value[:200])
            if parsed is None or _YEAR_ZERO.search(value):  # which the library takes for 2000
                return None
            fields = (*parsed[:5], min(parsed[5], 59))
            offset = parsed[9] or 0
        if abs(offset) > 16 * 3600 or not 1980 <= fields[0] <= 2100:
            return None
        return datetime(*fields, tzinfo=UTC) - timedelta(seconds=offset)
    except (ValueError, TypeError, IndexError, OverflowError, KeyError):
        return None


def subject_key(value: str) -> str:
    """What is left of a subject when encoding, case and the marks of answering and forwarding are taken off."""
    text = decode_words(value)[:_LONGEST_SUBJECT].casefold()
    while (shorter := _ANSWER.sub("", text)) != text:
        text = shorter
    return text


def fingerprint(*parts: str) -> str:
    """One short name for several strings, whatever characters they hold."""
    joined = "\x00".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(joined).hexdigest()


def _decode_run(run: re.Match[str]) -> str:
    """Encoded words side by side: one charset's bytes are joined first, for some programs cut inside a character."""
    pieces: list[tuple[str, bytes]] = []
    for word in _WORD.finditer(run[0]):
        charset, encoding, payload = word[1].lower(), word[2].lower(), word[3]
        try:
            raw = _base64(payload) if encoding == "b" else _quoted(payload)
            known = codecs.lookup(charset).name not in _REFUSED
            raw.decode(charset, "replace") if known else raw
        except (LookupError, ValueError):
            known = False
        if not known:
            pieces.append(("", word[0].encode("utf-8", "replace")))
        elif pieces and pieces[-1][0] == charset:
            pieces[-1] = (charset, pieces[-1][1] + raw)
        else:
            pieces.append((charset, raw))
    try:
        text = "".join(raw.decode(charset or "utf-8", "replace") for charset, raw in pieces)
    except (LookupError, ValueError):
        return run[0]
    return text.encode("utf-8", "replace").decode("utf-8")  # a codec may hand out lone surrogates


def _base64(payload: str) -> bytes:
    letters = re.sub(r"[^A-Za-z0-9+/]", "", payload)
    letters = letters[:-1] if len(letters) % 4 == 1 else letters
    return binascii.a2b_base64(letters + "=" * (-len(letters) % 4))


def _quoted(payload: str) -> bytes:
    return binascii.a2b_qp(payload.encode("utf-8", "replace"), header=True)


_LONGEST_ID = 998  # a header line's own limit
_LONGEST_SUBJECT = 1_000  # characters; a header line has 998
_MOST_IDS = 100  # the newest; a thread that long is known by its last hundred
_WORD = re.compile(r"=\?([^?\s*]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=")
_WORDS = re.compile(r"=\?[^?\s]+\?[bBqQ]\?[^?]*\?=(?:\s*=\?[^?\s]+\?[bBqQ]\?[^?]*\?=)*")
_BRACKETED = re.compile(r"<([^<>]*)>")
_MONTHS = dict(
    zip(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), range(1, 13), strict=True)
)
_PLAIN_DATE = re.compile(
    r"(?:[A-Za-z]{3}, )?(\d{1,2}) ([A-Za-z]{3}) (\d{4}) (\d\d):(\d\d)(?::(\d\d))? ([+-])(\d\d)(\d\d)"
    r"(?: \([A-Za-z]+\))?",
    re.ASCII,
)
_YEAR_ZERO = re.compile(r"[A-Za-z][ -]0\d{3}(?!\d)")
_ANSWER = re.compile(
    r"^\s*(?:(?:re|r|fw|fwd|i|aw|wg|antw(?:ort)?|betr|doorst|sv|vs|vb|vl|rv|res|enc|rif|ref|tr|odp|pd|ynt|ilt|"
    r"ha|továbbítás|回复|回覆|答复|答覆|转发|轉寄|轉發|返信|転送|회신|전달)\s*(?:\[\d+\]|\(\d+\)|\^\d+)?\s*[:：]|"  # noqa: RUF001
    r"\[(?:ext|external|extern|externe?)\])\s*"
)
# Codecs that are not for mail: slow on purpose-made input, or warning, or not total.
_REFUSED = {
    "idna",
    "punycode",
    "undefined",
    "unicode-escape",
    "raw-unicode-escape",
    "utf-7",
    "unicode_escape",
}
