"""Who wrote a mail, a person or a machine: a verdict and its rule, from headers alone. It drops nothing."""

import re
from dataclasses import dataclass
from enum import StrEnum

from models.addresses import addresses_in
from models.headers import decode_words
from models.message import Message


class Verdict(StrEnum):
    HUMAN = "human"
    AUTO = "auto"  # replies and notices that a program wrote
    BOUNCE = "bounce"  # delivery failures and other reports, feedback loops among them
    CALENDAR = "calendar"
    BULK = "bulk"  # lists and newsletters
    BROADCAST = "broadcast"  # one mail to many partners
    SUSPECT = "suspect"  # the receiving server says that the sender is not who it claims to be
    # Only in the ledger, never on a touch:
    DRAFT = "draft"
    SPAM = "spam"
    TRASH = "trash"
    CHAT = "chat"
    GONE = "gone"
    UNPARSED = "unparsed"


@dataclass(frozen=True, slots=True)
class Judgement:
    """`rule` is shown to people. `detail` is a header's own machine-made token, never a word that somebody wrote."""

    verdict: Verdict
    rule: str
    detail: str = ""


HUMAN = Judgement(Verdict.HUMAN, "no automatic sign")


def judge(message: Message, *, outbound: bool, from_is_contact: bool, replies_to_known: bool) -> Judgement:
    """The first rule that fires, in the order of capture.md, section 4.

    Two exceptions to that order, since reports about delivery also call themselves auto-replied and out-of-office
    replies also have a null return path: a report is named a bounce, an anchored absence notice an auto-reply.
    `X-Auto-Response-Suppress` asks others not to answer and is no evidence alone: Exchange puts it on people's mail.
    """
    header: dict[str, str] = {}
    for name, value in message.headers:
        header.setdefault(name.lower(), value)
    content_type = " ".join(header.get("content-type", "").lower().split())
    subject = decode_words(header.get("subject", "")[:_LONGEST_SUBJECT])
    sender = _sender(header.get("from", ""))
    report = None if outbound else _report(header, content_type, sender)
    return (
        (report if report and "auto-submitted" in header else None)
        or _automatic(header)
        or _absence(header, subject)
        or report
        or (None if outbound else _failure(header, subject))
        or _calendar(header, content_type, subject, message.is_calendar)
        or (
            _outbound(header)
            if outbound
            else _machine(sender) or _bulk(header, sender, subject, from_is_contact or replies_to_known)
        )
        or HUMAN
    )


def _automatic(header: dict[str, str]) -> Judgement | None:
    submitted = _first_token(header.get("auto-submitted", ""))
    if submitted and submitted != "no":
        return Judgement(Verdict.AUTO, "auto-submitted", submitted)
    for name in ("x-autoreply", "x-autorespond", "x-autoresponder"):
        if header.get(name, "no").strip().lower() not in ("no", "none", "false", "0"):
            return Judgement(Verdict.AUTO, name)
    if _first_token(header.get("precedence", "")) in ("auto_reply", "auto-reply"):
        return Judgement(Verdict.AUTO, "precedence: auto_reply")
    return None


def _report(header: dict[str, str], content_type: str, sender: str) -> Judgement | None:
    if content_type.startswith("multipart/report"):
        if "feedback-report" in content_type:
            return Judgement(Verdict.BOUNCE, "feedback report")
        if "disposition-notification" in content_type:
            return Judgement(Verdict.AUTO, "read receipt")
        return Judgement(Verdict.BOUNCE, "bounce: delivery report")
    if header.get("x-failed-recipients", "").strip():
        return Judgement(Verdict.BOUNCE, "bounce: failed recipients")
    if (
        _DAEMON.match(sender)
        or _SYSTEM.search(header.get("from", ""))
        or _DAEMON.match(header.get("return-path", "").strip("< \t\r\n"))
    ):
        return Judgement(Verdict.BOUNCE, "bounce: sent by a mail system")
    return None


def _failure(header: dict[str, str], subject: str) -> Judgement | None:
    if header.get("return-path", "").strip() == "<>":
        return Judgement(Verdict.BOUNCE, "bounce: null return path")
    if _COMPLAINT.match(subject):
        return Judgement(Verdict.BOUNCE, "feedback report")
    if _FAILURE.match(subject):
        return Judgement(Verdict.BOUNCE, "bounce: failure subject")
    return None


def _calendar(header: dict[str, str], content_type: str, subject: str, is_calendar: bool) -> Judgement | None:
    if is_calendar:
        return Judgement(Verdict.CALENDAR, "calendar item")
    if content_type.startswith("text/calendar"):
        return Judgement(Verdict.CALENDAR, "calendar: content type")
    if "calendarmessage" in header.get("content-class", "").lower():
        return Judgement(Verdict.CALENDAR, "calendar: content class")
    if "calendar-notification@google.com" in header.get("from", "") + header.get("sender", ""):
        return Judgement(Verdict.CALENDAR, "calendar: notification")
    if _INVITE.match(subject):
        return Judgement(Verdict.CALENDAR, "calendar: invitation subject")
    return None


def _absence(header: dict[str, str], subject: str) -> Judgement | None:
    """An anchored out-of-office subject with a second sign, for people write about absences too."""
    if _ABSENCE_ALONE.search(subject) or (
        _ABSENCE.match(subject)
        and (
            header.get("in-reply-to", "").strip()
            or header.get("return-path", "").strip() == "<>"
            or "x-auto-response-suppress" in header
            or "x-ms-exchange-inbox-rules-loop" in header
        )
    ):
        return Judgement(Verdict.AUTO, "out of office")
    return None


def _machine(sender: str) -> Judgement | None:
    local, _, host = sender.rpartition("@")
    if _NO_REPLY.search(local):
        return Judgement(Verdict.AUTO, "no-reply address")
    if _NOTICE.fullmatch(local):
        return Judgement(Verdict.AUTO, "notification address")
    if "newsletter" in local or host.startswith("newsletter."):
        return Judgement(Verdict.BULK, "newsletter address")
    return None


def _bulk(header: dict[str, str], sender: str, subject: str, known: bool) -> Judgement | None:
    """A list says nothing of the author: a known contact, or an answer to our own mail, stays human."""
    if known:
        return None
    for name in ("list-id", "list-unsubscribe"):
        if header.get(name, "").strip():
            return Judgement(Verdict.BULK, name)
    precedence = _first_token(header.get("precedence", ""))
    if precedence in ("bulk", "junk", "list"):
        return Judgement(Verdict.BULK, "precedence", precedence)
    if sender and "to" not in header and "cc" not in header and _LIST_TAG.match(subject):
        return Judgement(Verdict.BULK, "list tag without recipient")
    return None


def _outbound(header: dict[str, str]) -> Judgement | None:
    if header.get("list-unsubscribe", "").strip():
        return Judgement(Verdict.BROADCAST, "own list-unsubscribe")
    return None


def _sender(value: str) -> str:
    """The author's address, or the bare word that mail systems put there."""
    emails = addresses_in([value]).emails
    return emails[0] if emails else value.strip('<>" \t\r\n').lower()


def _first_token(value: str) -> str:
    match = _TOKEN.match(value)
    return match[1].lower() if match else ""


_LONGEST_SUBJECT = 1_000  # the patterns below are not made for more
_TOKEN = re.compile(r"\s*(?:\([^)]*\)\s*)?([\w-]+)", re.ASCII)
_DAEMON = re.compile(r"(?:mailer[-_]?daemon|post[-_]?master|mail[-_]daemon)(?:[@\s>(+]|$)", re.IGNORECASE)
_SYSTEM = re.compile(
    r"^[\"']?(?:e?mail|message) delivery (?:sub)?system\b|\(mail delivery (?:sub)?system\)", re.IGNORECASE
)
_COMPLAINT = re.compile(
    r"(?:complaint about message from|e?mail feedback report for ip) \[?[\da-f]+[.:][\da-f]", re.IGNORECASE
)


def _any(*phrases: str) -> str:
    return f"(?:{'|'.join(phrases)})"


_FAILURE = re.compile(
    _any(
        "returned mail: ",
        "undeliver(?:able|ed)(?: mail| message)?(?::|$| returned to sender)",
        "delivery status notification",
        "failure notice$",
        "(?:mail|message) delivery (?:failed|failure|delayed)",
        "delivery (?:failure|notification:|has failed)",
        r"warning: (?:could not send message|delayed mail|message \S+ delayed)",
        "notice: mail delivery status",
        r"mail failure\b|\[bounce\]",
        "(?:mail|message|e-?mail) (?:could not be|was not) delivered",
        "mail system error - returned mail",
        "non[- ]?deliver(?:y|able) (?:report|mail|notification)",
        "unzustellbar: ",
        "non remis[ \\xa0]?: ",
    ),
    re.IGNORECASE,
)
_NO_REPLY = re.compile(
    r"(?:^|[._+-])(?:no|do[._-]?not|dont)[._-]?reply(?:$|[._+=-])|^auto-?(?:reply|responder)$|^bounces?(?:$|[+-])"
)
_NOTICE = re.compile(r"notif(?:y|ications?|ier)|alerts?|nobody|cron|daemon")
_LIST_TAG = re.compile(r"(?:re: ?)?\[(?!ext(?:ern(?:al)?)?\])[\w .-]{2,40}\] ?\S", re.IGNORECASE)
_INVITE = re.compile(
    # Google's: `Invitation: TITLE @ DAY 2026 TIME (CALENDAR)`, and answers of calendar programs.
    # Bare `Accepted:` and `Declined:` are no evidence: people write them too.
    _any("(?:updated |aktualisierte |canceled )?(?:invitation|event|einladung|invitación|invito|convite|uitnodiging)")
    + r" ?: .+ @ .*\b20\d\d\b.*\(.+\)\s*$"
    + r"|(?:accepted|declined|tentative) ?: .+ @ .*\b20\d\d\b.*\(.+\)\s*$"
    + r"|(?:tentatively accepted|event invitation reply \(\w+\)) ?: ",
    re.IGNORECASE,
)
_ABSENCE = re.compile(
    _any(
        "auto(?:matic|mated)?[ -]?(?:reply|response)",
        r"(?:out of (?:the )?office)(?: auto(?:matic)?[ -]?reply| reply| notification| notice)?",
        "vacation(?: reply| notice| message| response)?",
        "(?:i am |i'm )?(?:on vacation|on holiday|on leave|away from my mail|away)",
        r"automatische antwort|abwesend\w*|abwesenheits\w+",
        "réponse automatique|absen(?:t|ce) du bureau",
        "respuesta automática|fuera de (?:la )?oficina",
        "resposta automática|ausência (?:temporária|do escritório)",
        "risposta automatica|fuori (?:sede|ufficio)",
        r"automatisch antwoord|afwezig\w*",
        r"autosvar|automatisk[at]? svar|frånvar\w*|fraværende|automaattinen vastaus|poissaolo\w*",
        r"odpowiedź automatyczna|automatická odpověď|автоответ\w*",
        "自動(?:応答|返信)|不在通知|自动[回答]复|自動回覆|자동 ?회신",
    )
    + r"\s*(?:[:(]|\uff1a|[.!]?$)",
    re.IGNORECASE,
)
# Forms that only programs write: `AUTO:`, and Notes, which signs with the whole name (`Ana Lee/Sales/ACME is …`).
_ABSENCE_ALONE = re.compile(
    r"^auto: .*\b(?:is )?out of (?:the )?office\b"
    r"|\(automatic (?:response|reply)\)$|^\[auto(?:matic)?[ -]?(?:response|reply)\]"
    r"|^(?:\[[^\]]+\] ?)?[^:/]+/[^:]+ is out of the office\.",
    re.IGNORECASE,
)
