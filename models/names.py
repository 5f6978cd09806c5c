"""What may be a name, and how names are compared: folded, so that accents and case never make two of one. Pure."""

import unicodedata

LONGEST_NAME = 300

_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "o", "æ": "ae", "å": "a", "ł": "l"})


def name_key(name: str) -> str:
    """The form under which a name is unique: case, width, accents and spacing folded away."""
    lower = unicodedata.normalize("NFKC", name).casefold()
    bare = "".join(one for one in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(one))
    return " ".join(bare.split())


def spelled_out(name: str) -> str:
    """The second way people type such a name: ü as ue. Used beside `name_key` when looking somebody up."""
    return name_key(unicodedata.normalize("NFKC", name).casefold().translate(_SPELLED_OUT))


def clear_name(text: str) -> str:
    """The name of a partner or a person; ValueError says why it cannot be one."""
    if not text or not name_key(text):
        raise ValueError("the name is empty")
    if len(text) > LONGEST_NAME:
        raise ValueError(f"the name has {len(text)} characters; {LONGEST_NAME} are the most")
    if any(unicodedata.category(one) in ("Cc", "Zl", "Zp") for one in text):
        raise ValueError("the name holds a control character or a line break")
    return text
