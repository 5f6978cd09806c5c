"""How names are compared: folded, so that accents, case and spacing never make two of one. Pure."""

import unicodedata

_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "o", "æ": "ae", "å": "a", "ł": "l"})


def name_key(name: str) -> str:
    """The form under which a name is unique: case, width, accents and spacing folded away."""
    lower = unicodedata.normalize("NFKC", name).casefold()
    bare = "".join(one for one in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(one))
    return " ".join(bare.split())


def spelled_out(name: str) -> str:
    """The second way people type such a name: ü as ue. Used beside `name_key` when looking somebody up."""
    return name_key(unicodedata.normalize("NFKC", name).casefold().translate(_SPELLED_OUT))
