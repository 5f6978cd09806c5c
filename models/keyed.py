"""Keyed hashes of what must not be stored in clear: equal things are found again, nothing can be read back.

The key is the programme's own and lies beside the hashes. Who holds both can test a guess, but list nothing.
"""

import hmac

from models.addresses import gmail_form, host_of, without_tag
from models.domains import organisation


def digest(key: bytes, *parts: str) -> str:
    return hmac.digest(key, "\0".join(parts).encode("utf-8", "surrogatepass"), "sha256").hex()[:32]


def address_hmac(key: bytes, email: str) -> str:
    """The mailbox behind an address: a tag, and Google's dots, do not make another one."""
    return digest(key, "address", gmail_form(email) or without_tag(email))


def organisation_hmac(key: bytes, email: str) -> str:
    """Whose address it is. One at a public provider is nobody's but its own."""
    name = organisation(host_of(email))
    return digest(key, "organisation", name) if name else address_hmac(key, email)
