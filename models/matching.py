"""One message × the roster → touches, or a short reason for none. No clock, no database; names match nobody."""

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from models.addresses import Addresses, addresses_in, gmail_form, host_of, normal_address, without_tag
from models.headers import date_of, decode_words, fingerprint, message_id, message_ids, subject_key
from models.message import Folder, Message
from models.verdict import Verdict, judge

BROADCAST_PARTNERS = 10
AHEAD = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Roster:
    """Who is who, by normalised address and domain. Build it once per page: it indexes Google's dotless forms."""

    people: Mapping[str, int]  # address or alias → person
    contacts: Mapping[str, int]  # address → partner
    domains: Mapping[str, int]  # domain → partner
    _gmail_people: Mapping[str, int] = field(init=False, repr=False, compare=False)
    _gmail_contacts: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, known in (("_gmail_people", self.people), ("_gmail_contacts", self.contacts)):
            object.__setattr__(self, name, {form: key for email, key in known.items() if (form := gmail_form(email))})

    def person(self, email: str) -> int | None:
        return _lookup(email, self.people, self._gmail_people)

    def contact(self, email: str) -> int | None:
        return _lookup(email, self.contacts, self._gmail_contacts)

    def partner(self, email: str) -> tuple[int, Literal["contact", "domain"]] | None:
        """Exact address, then without its tag, then the longest domain. One of our own people is never a partner."""
        if self.person(email) is not None:
            return None
        partner = self.contact(email)
        if partner is not None:
            return partner, "contact"
        domain = host_of(email)
        while domain:
            if domain in self.domains:
                return self.domains[domain], "domain"
            domain = domain.partition(".")[2]
        return None


@dataclass(frozen=True, slots=True)
class TouchDraft:
    partner_id: int
    direction: Literal["outbound", "inbound"]
    by: str  # the address of who wrote it
    person_id: int | None  # outbound: who of us wrote it; inbound: who of us it reached
    matched: str  # the address that made it this partner's
    matched_by: Literal["contact", "domain"]
    field: Literal["to", "cc", "bcc", "from"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What capture stores of one message. `subject_key`, `sender` and `recipients` are for use in memory only.

    A subject is read for touches alone.
    """

    verdict: Verdict
    rule: str
    reason: str | None  # why there is no touch
    at: datetime  # capture time where the message has none
    touches: tuple[TouchDraft, ...] = ()
    outbound: bool = False
    outside: tuple[str, ...] = ()  # who makes it a touch if the roster has them, now or one day; for use in memory only
    dedupe_key: str = ""
    message_id: str = ""
    sender: str = ""
    subject_key: str = ""
    recipients: frozenset[str] = frozenset()
    replies_to: tuple[str, ...] = ()
    failed_recipients: tuple[str, ...] = ()
    clamped: bool = False
    detail: str = ""


def references_of(message: Message) -> tuple[str, ...]:
    """The ids that this message answers: ask the store which of them it knows, and hand those to `decide`."""
    return message_ids((*message.all("In-Reply-To"), *message.all("References")))


def decide(
    message: Message, roster: Roster, *, mailbox: str, captured_at: datetime, known_ids: Container[str]
) -> Decision:
    """Direction, partner and verdict of one message, as capture.md's section 4 has them.

    `mailbox` is the mailbox's own address; `known_ids` holds the message ids of stored touches.
    """
    mailbox = normal_address(mailbox) or mailbox
    headers = _Headers(message)
    author, outbound = _author(headers, roster, mailbox)
    sent_by = _our_writer(headers, author, roster, mailbox) if outbound else author
    replies_to = references_of(message)
    judgement = judge(
        message,
        outbound=outbound,
        from_is_contact=bool(author) and roster.contact(author) is not None,
        replies_to_known=any(reference in known_ids for reference in replies_to),
    )
    verdict, rule, detail, reason = judgement.verdict, judgement.rule, judgement.detail, None
    touches: tuple[TouchDraft, ...] = ()
    outside: tuple[str, ...] = ()
    if message.folder in _NEVER_READ:
        verdict, rule = Verdict(message.folder.value), f"folder: {message.folder.value}"
        reason = message.folder.value
    elif message.at is None:
        verdict, rule, reason = Verdict.UNPARSED, "no date", "unparsed: no date"
    elif not author and not outbound:
        reason = "no partner"
        if verdict is Verdict.HUMAN:
            verdict, rule, reason = Verdict.UNPARSED, "no sender", "unparsed: no sender"
    else:
        others = (*headers.recipients, *headers.bcc.emails) if outbound else (author,)
        outside = tuple(email for email in dict.fromkeys(others) if not _is_ours(email, roster, mailbox))
        found = tuple(_outbound(headers, roster, sent_by) if outbound else _inbound(author, roster, mailbox))
        leaving = outbound and bool(_UNSUBSCRIBE_SUBJECT.fullmatch(decode_words(message.first("Subject"))))
        touches = tuple(touch for touch in found if not outbound or not (leaving or _unsubscribes(touch.matched)))
        if not touches:
            reason = "unsubscribe" if found else _reason(headers, author, outbound, roster, mailbox)
        elif outbound and verdict is Verdict.HUMAN:
            if len(touches) >= BROADCAST_PARTNERS:
                verdict, rule, detail = Verdict.BROADCAST, "one mail to many partners", str(len(touches))
            elif headers.undisclosed:
                verdict, rule, detail = Verdict.BROADCAST, "undisclosed recipients", ""
        # Also for mail that says it is ours: a forged bounce or a forged touch must move nothing.
        if verdict in (Verdict.HUMAN, Verdict.BOUNCE) and _forged(message):
            verdict, rule, detail = Verdict.SUSPECT, "dmarc=fail", ""
    at = message.at or captured_at
    clamped = at > captured_at + AHEAD
    return Decision(
        verdict=verdict,
        rule=rule,
        detail=detail,
        reason=reason,
        touches=touches,
        outbound=outbound,
        outside=outside,
        at=captured_at if clamped else at,
        dedupe_key=dedupe_key_of(message),
        message_id=message_id(message.first("Message-ID")),
        sender=sent_by,
        subject_key=subject_key(message.first("Subject")) if touches else "",
        recipients=frozenset(headers.recipients),
        replies_to=replies_to,
        failed_recipients=addresses_in(message.all("X-Failed-Recipients")).emails,
        clamped=clamped,
    )


def dedupe_key_of(message: Message) -> str:
    """One key per mail, the same in every mailbox and from every provider."""
    return message_id(message.first("Message-ID")) or _content_key(message)


class _Headers:
    """The address headers of one message, each parsed once."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.author = addresses_in(message.all("From"))
        self.to = addresses_in(message.all("To"))
        self.cc = addresses_in(message.all("Cc"))
        self.bcc = addresses_in(message.all("Bcc"))

    @property
    def recipients(self) -> Iterator[str]:
        """What every copy of the mail shows: Bcc stands only in the sender's own."""
        yield from self.to.emails
        yield from self.cc.emails

    @property
    def undisclosed(self) -> bool:
        """The list of recipients was hidden on purpose: a group without members stands in their place."""
        return not self.to.found and not self.cc.found and bool(_HIDDEN.search(self.message.first("To")))


def _content_key(message: Message) -> str:
    """For mail without an id. Bcc is left out: it stands only in the sender's own copy."""
    date = message.first("Date")
    at = date_of(date) or (None if date.strip() else message.at)
    visible = sorted(addresses_in((*message.all("To"), *message.all("Cc"))).emails)
    author = ",".join(addresses_in(message.all("From")).emails)
    subject = decode_words(message.first("Subject"))
    return "sha256:" + fingerprint(author, at.isoformat() if at else date, ",".join(visible), subject)


def _author(headers: _Headers, roster: Roster, mailbox: str) -> tuple[str, bool]:
    """Who wrote it and whether that is our side. Reply-To never counts, but for a group that rewrote From."""
    message = headers.message
    author = _one_author(headers.author, message)
    if message.folder is Folder.SENT:
        return author, True
    ours = _is_ours(author, roster, mailbox)
    if (ours or _is_house_of(author, mailbox)) and message.first("List-Id").strip():
        original = addresses_in((*message.all("X-Original-From"), *message.all("X-Original-Sender"))).emails
        rewritten = any(_VIA.search(address.name) for address in headers.author.found)
        if not original and rewritten:
            original = addresses_in(message.all("Reply-To")).emails
        if original or rewritten:
            author = next((email for email in original if email != author), "" if rewritten else author)
            ours = _is_ours(author, roster, mailbox)
    return author, ours


def _one_author(addresses: Addresses, message: Message) -> str:
    """From's only address; of several, the one that Sender names or, in one organisation, the first. Never a guess."""
    emails = addresses.emails
    if len(emails) < 2:
        return emails[0] if emails else ""
    sender = addresses_in(message.all("Sender")).emails
    if sender and sender[0] in emails:
        return sender[0]
    return emails[0] if len({host_of(email) for email in emails}) == 1 else ""


def _is_ours(email: str, roster: Roster, mailbox: str) -> bool:
    return roster.person(email) is not None or (
        bool(email) and mailbox in (email, without_tag(email), gmail_form(email))
    )


def _our_writer(headers: _Headers, author: str, roster: Roster, mailbox: str) -> str:
    """Sender if it is one of us (a delegate), else From, else the mailbox."""
    for email in (*addresses_in(headers.message.all("Sender")).emails[:1], author):
        if _is_ours(email, roster, mailbox):
            return email
    return mailbox


def _outbound(headers: _Headers, roster: Roster, by: str) -> Iterator[TouchDraft]:
    """One touch per partner; To tells more than Cc, Cc more than Bcc, and a contact more than a domain."""
    drafts: dict[int, TouchDraft] = {}
    fields: tuple[tuple[Literal["to", "cc", "bcc"], Addresses], ...] = (
        ("to", headers.to),
        ("cc", headers.cc),
        ("bcc", headers.bcc),
    )
    for name, addresses in fields:
        for email in addresses.emails:
            match = roster.partner(email)
            if match is None:
                continue
            partner, matched_by = match
            before = drafts.get(partner)
            weaker = before is not None and before.matched_by == "domain" and before.field == name
            if before is None or (weaker and matched_by == "contact") or _unsubscribes(before.matched):
                drafts[partner] = TouchDraft(partner, "outbound", by, roster.person(by), email, matched_by, name)
    yield from drafts.values()


def _inbound(author: str, roster: Roster, mailbox: str) -> Iterator[TouchDraft]:
    """Only the author makes a touch: a partner in Cc of somebody else's mail has not written to us."""
    match = roster.partner(author)
    if match:
        partner, matched_by = match
        yield TouchDraft(partner, "inbound", author, roster.person(mailbox), author, matched_by, "from")


def _reason(headers: _Headers, author: str, outbound: bool, roster: Roster, mailbox: str) -> str:
    others = [email for email in (author, *headers.recipients, *headers.bcc.emails) if email]
    return "internal" if outbound and all(_is_ours(email, roster, mailbox) for email in others) else "no partner"


def _lookup(email: str, known: Mapping[str, int], gmail: Mapping[str, int]) -> int | None:
    found = known.get(email)
    if found is None and "+" in email:
        found = known.get(without_tag(email))
    if found is None and gmail and (form := gmail_form(email)):
        found = gmail.get(form)
    return found


def _is_house_of(author: str, mailbox: str) -> bool:
    """A group's own address is nobody's alias, but it lives at our host. Nobody has a house at a public provider."""
    host = host_of(author)
    return bool(host) and host == host_of(mailbox) and not _PUBLIC_HOST.match(host)


def _forged(message: Message) -> bool:
    """Only the topmost result was written by the receiving server; anybody can write the others."""
    return message.folder is not Folder.SENT and bool(_DMARC_FAIL.search(message.first("Authentication-Results")))


def _unsubscribes(email: str) -> bool:
    return bool(_UNSUBSCRIBE.search(email.rpartition("@")[0]))


_NEVER_READ = (Folder.DRAFT, Folder.SPAM, Folder.TRASH, Folder.CHAT)
_HIDDEN = re.compile(r"undisclosed|unlisted|hidden|verborgene|:\s*;", re.IGNORECASE)
_VIA = re.compile(r"\svia\s", re.IGNORECASE)
_UNSUBSCRIBE = re.compile(
    r"^(?:list-?)?(?:un-?sub(?:scribe)?|opt-?out)(?:$|[+._=-])|^leave[-+]|[-+.]unsubscribe(?:$|[+._=-])"
)
_UNSUBSCRIBE_SUBJECT = re.compile(r"(?:please )?unsubscribe(?: me| request)?[.!]?", re.IGNORECASE)
_DMARC_FAIL = re.compile(r"\bdmarc\s*=\s*fail\b", re.IGNORECASE)
_PUBLIC_HOST = re.compile(
    r"(?:gmail|googlemail|outlook|hotmail|live|msn|yahoo|ymail|icloud|me|mac|aol|gmx|web|proton|protonmail)\."
)
