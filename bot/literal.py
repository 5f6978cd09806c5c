"""Other people's text made safe to show: one line, bounded, read as it was written. It knows no sentence of ours.

`plain` is for every surface and for plain_text objects. `escape` is on top of that for mrkdwn, where Slack would
otherwise find mentions, links, formatting and emoji in a name.
"""

import re
import unicodedata
from collections.abc import Iterator

ELLIPSIS = "…"
_ISOLATE, _POP = "\u2068", "\u2069"  # first strong isolate … pop directional isolate
_ZWJ = "\u200d"
_BREAK = "\u200b"
_INVISIBLE_BUT_NEEDED = {_ZWJ, "\u200c"}  # emoji families; Persian and Indic spelling
_BLACK_FLAG = "\U0001f3f4"
_EXTENDING = {"\u200c", _ZWJ, "\u0e33", "\u0eb3"}
_TURNS = dict.fromkeys(map(ord, "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067"))  # of the direction
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_SPECIAL = re.compile(
    r"""(?<![^\W_])[*_~]      # formatting opens and closes only at the edge of a word: snake_case stays untouched
      | [*_~](?![^\W_])
      | `
      | :(?=[\w+'-]+:)        # :emoji:
      | (?<![\w.+<-])[@#](?=[^\W\d])  # @here and #general are found even without angle brackets
      | ^[ ]*>                # a quotation
    """,
    re.VERBOSE | re.MULTILINE,
)


FAR = 40
"""So many characters may hide one that is seen: an emoji with its joiners and colours takes a dozen."""


def plain(text: str, limit: int | None = None) -> str:
    """Text from outside as one line of at most `limit` UTF-16 units: no controls, no half characters.

    Overrides of the writing direction are dropped, and text that runs from right to left is isolated, so that the
    numbers beside a name stay where they belong. What is left reads and searches like the original.
    """
    if limit is not None:
        text = text[: FAR * limit]  # what lies far behind cannot be seen, and letter by letter it takes long
    line = " ".join("".join(_visible(text)).split())
    shown = line if limit is None else cut(line, limit)
    if not _runs_left(shown):
        return shown
    shown = line if limit is None else cut(line, limit - 2)
    return _ISOLATE + shown + _POP if _runs_left(shown) else shown


def escape(text: str, limit: int | None = None) -> str:
    """Text for a mrkdwn field in which nothing is markup; the escaped form has at most `limit` UTF-16 units.

    Slack knows entities for three characters and nothing that quotes the others, so those that would format, and only
    where they would, get zero-width spaces around them. Look-alike letters would change the name for whoever copies
    or searches it; an ordinary name comes through as it is.
    """
    lines = (line.replace("\t", " ").translate(_TURNS) for line in text.splitlines())
    text = "\n".join("".join(one for one in line if unicodedata.category(one) not in ("Cc", "Cs")) for line in lines)
    text = _SPECIAL.sub(_broken, text)
    pieces = ["".join(_ENTITIES.get(one, one) for one in cluster) for cluster in graphemes(text)]
    return "".join(pieces) if limit is None else _fitted(pieces, limit)


def cut(text: str, limit: int) -> str:
    """At most `limit` UTF-16 units of a text, ending in "…" when something is missing. No character is split."""
    return _fitted(list(graphemes(text)), limit)


def graphemes(text: str) -> Iterator[str]:
    """What a reader sees as single characters: accents, emoji with skin, families, flags and Hangul stay whole."""
    cluster = ""
    for one in text:
        if cluster and not _joins(cluster, one):
            yield cluster
            cluster = ""
        cluster += one
    if cluster:
        yield cluster


def _visible(text: str) -> Iterator[str]:
    before = ""
    for one in text:
        category = unicodedata.category(one)
        if category in ("Zl", "Zp") or one in "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85":
            one = " "
        elif category == "Cf":
            in_flag = _is_tag(one) and (before == _BLACK_FLAG or _is_tag(before))
            if one not in _INVISIBLE_BUT_NEEDED and not in_flag:
                continue
        elif category in ("Cc", "Cs"):
            continue
        before = one
        yield one


def _joins(cluster: str, one: str) -> bool:
    """Whether a character continues the cluster before it: the rules of Unicode annex 29 that matter to names."""
    last = cluster[-1]
    if one in _EXTENDING or _is_tag(one) or unicodedata.category(one) in ("Mn", "Me", "Mc"):
        return True
    if "\U0001f3fb" <= one <= "\U0001f3ff":  # skin
        return True
    if last == _ZWJ:
        return ord(one) > 0x2000
    if _is_regional(one):
        return _is_regional(last) and len(cluster) % 2 == 1
    if "\u1100" <= last <= "\u11ff" or "\uac00" <= last <= "\ud7a3":
        return "\u1160" <= one <= "\u11ff" or ("\u1100" <= last <= "\u115f" and "\u1100" <= one <= "\ud7a3")
    return False


def _fitted(pieces: list[str], limit: int) -> str:
    """As many whole pieces as fit. An isolate that is cut open is closed again."""
    if sum(map(_units, pieces)) <= limit:
        return "".join(pieces)
    kept: list[str] = []
    room, open_isolates = limit - 1, 0
    for piece in pieces:
        closing = open_isolates + piece.count(_ISOLATE) - piece.count(_POP)
        if _units(piece) + max(closing, 0) > room:
            break
        kept.append(piece)
        room -= _units(piece)
        open_isolates = max(closing, 0)
    return ("".join(kept).rstrip() + ELLIPSIS + _POP * open_isolates)[: max(limit, 0)]


def _broken(found: re.Match[str]) -> str:
    special = found[0]
    if special in ":@#":
        return special + _BREAK
    return _BREAK + special + (_BREAK if special in "*_~`" else "")


def _units(text: str) -> int:
    """Length as Slack's clients count it."""
    return len(text) + sum(one > "\uffff" for one in text)


def _runs_left(text: str) -> bool:
    return any(unicodedata.bidirectional(one) in ("R", "AL", "AN") for one in text)


def _is_tag(one: str) -> bool:
    return "\U000e0020" <= one <= "\U000e007f"


def _is_regional(one: str) -> bool:
    return "\U0001f1e6" <= one <= "\U0001f1ff"
