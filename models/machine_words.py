"""What programs write and people do not, in subjects and as senders. Patterns only: verdict.py weighs them."""

import re

AUTORESPONDER = (
    "x-autoreply",
    "x-autorespond",
    "x-autoresponder",
    "x-autoreply-from",
    "x-mail-autoreply",
    "x-fc-machinegenerated",
)
# What gateways put before a subject: `[EXTERNAL]`, `***SPAM***`.
GATEWAY = re.compile(
    r"^(?:(?:\[(?:ext|extern|external|externe?r?|spam)\]|\*{2,5} ?(?:ext|external|spam) ?\*{2,5}) ?)+", re.I
)
MAIL_SYSTEM = re.compile(
    r"(?:mailer[-_]?daemon|post[-_]?master|mail[-_]daemon|mdaemon|microsoftexchange[\da-f]{32})(?:[@\s>(+]|$)",
    re.IGNORECASE,
)
MAIL_SYSTEM_NAME = re.compile(
    r"^[\"']?(?:e?mail|message) delivery (?:sub)?system\b|\(mail delivery (?:sub)?system\)", re.IGNORECASE
)
COMPLAINT = re.compile(
    r"(?:complaint about message from|e?mail feedback report for ip) \[?[\da-f]+[.:][\da-f]", re.IGNORECASE
)


def _any(*phrases: str) -> str:
    return f"(?:{'|'.join(phrases)})"


FAILURE = re.compile(
    _any(
        "returned mail: ",
        "undeliver(?:able|ed)(?: mail| message)?(?::|$| returned to sender)",
        "delivery status notification",
        "failure notice$",
        "(?:mail|message) delivery (?:failed|failure|delayed|error$|problem$)",
        # Partners also deliver goods: `Delivery failure: order 7` is theirs. Domino shouts.
        "(?:permanent )?delivery failure(?:$| notification$| notice$)|(?-i:DELIVERY FAILURE: )",
        "delivery notification: delivery |delivery has failed(?:$| to )",
        r"warning: (?:could not send message|delayed mail|message \S+ delayed|\S+@\S+ - user unknown)",
        "notice: mail delivery status",
        r"mail failure(?:$| - )|\[bounce\]",
        "(?:your |the )?(?:mail|message|e-?mail) (?:could not be|was not) delivered",
        "unable to deliver your (?:message|e-?mail)",
        "mail system error - returned mail",
        "non[- ]?deliver(?:y|able) (?:report|mail|notification)",
        "automatically rejected mail|message status - undeliverable",
        # What Exchange says in the recipient's language, before the subject of the mail that came back.
        _any(
            "unzustellbar|non remis|non recapitabile|no se puede entregar|no entregado|não é possível entregar",
            "não entregue|onbestelbaar|kan inte levereras|kan ikke leveres|niedostarczalne|nedoručitelné",
            "nedoručiteľné|kézbesíthetetlen|недоставлено|не доставлено|teslim edilemiyor|配信不能|无法投递|无法送达",
            "無法傳遞|배달되지 않음",
        )
        + "[ \xa0]?[:\uff1a] ?",
        "unzustellbare nachricht|nachricht (?:ist )?nicht zustellbar",
    ),
    re.IGNORECASE,
)
CHALLENGE = re.compile(
    r"please confirm your message\b|your (?:e-?mail|message) requires (?:sender )?"
    r"(?:verification|confirmation|authentication|approval)\b|.*\b(?:verify|confirm)#[\da-z]{6}",
    re.IGNORECASE,
)
NO_REPLY = re.compile(
    r"(?:^|[._+-])(?:no|do[._-]?not|dont)[._-]?reply(?:$|[._+=-])|^auto-?(?:reply|responder)$|^bounces?(?:$|[+-])"
)
NO_REPLY_PATH = re.compile(r"(?:no|do[._-]?not|dont)[._-]?reply[@+]", re.IGNORECASE)
NOTICE = re.compile(
    r"(?:[\w-]+[._-])?notif(?:y|ications?|ier)|alerts?|nobody|cron|daemon|autoresponder|dev-?null"
    r"|rss(?:-?feeds?|2email)?|fax-?service|voice-?mail"
)
CRON = re.compile(r"\((?:ana)?cron(?: daemon)?\)|^\"?(?:ana)?cron daemon\b", re.IGNORECASE)
CRON_SUBJECT = re.compile(r"cron <[\w.-]+@[\w.-]+> |anacron job '", re.IGNORECASE)
# LISTSERV's, Mailman's, Majordomo's and ezmlm's envelopes; a newsletter service's say nothing of the author.
LIST_PATH = re.compile(
    r"owner-[^@\s]+@|[^@\s]+-(?:owner|bounces|errors|request|admin)(?:\+[^@\s]*)?@|[^@\s]+-return-\d+-", re.IGNORECASE
)
LIST_HOST = re.compile(r"@(?:[\w-]+\.)*(?:lists|listserv|newsletters?)\.[\w-]+\.[\w.-]+$")
LIST_TAG = re.compile(r"(?:re: ?)?\[(?!ext(?:ern(?:al)?)?\])[\w .-]{2,40}\] ?\S", re.IGNORECASE)
METHOD = re.compile(r"\bmethod=\"?(?:request|reply|cancel|counter|publish)\b|\bcomponent=\"?vevent\b")
INVITATION = re.compile(
    # Google's: `Invitation: TITLE @ DAY 2026 TIME (CALENDAR)`, and answers of calendar programs.
    # Bare `Accepted:` and `Declined:` are no evidence: people write them too.
    _any("(?:updated |aktualisierte |canceled )?(?:invitation|event|einladung|invitación|invito|convite|uitnodiging)")
    + r" ?: .+ @ .*\b20\d\d\b.*\(.+\)\s*$"
    + r"|(?:accepted|declined|tentative) ?: .+ @ .*\b20\d\d\b.*\(.+\)\s*$"
    + r"|(?:tentatively accepted|event invitation reply \(\w+\)) ?: ",
    re.IGNORECASE,
)
# The same in any language, known by its shape: a year, a time, and the invited address in parentheses at the end.
INVITATION_SHAPE = re.compile(
    r"[^:\uff1a]{2,40}[:\uff1a] ?.+ [@-] .*20\d\d(?!\d).*\d(?:[:.h]\d\d|\u6642| ?[ap]m).*\([^()\s]+@[^()\s]+\)\s*",
    re.IGNORECASE,
)
ANSWERED = re.compile(
    r"(?:[a-z]{1,3}|antw|antwort|betr|doorst|továbbítás|回复|转发|返信|転送)(?:\[\d+\])? ?[:\uff1a]", re.IGNORECASE
)
_REPLY_BY_PROGRAM = _any(
    "auto(?:matic|mated)?[ -]?(?:e-?mail )?(?:reply|response|answer)",
    "automatische (?:antwort|reaktion|e-?mail-?antwort)|auto-?antwort",
    "(?:réponse|message) automatique|respuesta automática|mensaje automático|auto-?respuesta",
    "resposta automática|risposta automatica|risponditore automatico",
    "automatische? (?:antwoord|beantwoording|bericht)",
    r"auto(?:matiskt?)?[ -]?svar|automaattinen (?:vastaus|viesti)",
    "odpowiedź automatyczna|automatyczna odpowiedź|autoodpowiedź|automatická odpov[ěe]ď|automatický odgovor",
    "automatski odgovor|samodejni odgovor|automatikus válasz|răspuns automat|automatinis atsakymas",
    r"automātiskā atbilde|automaatvastus|otomatik (?:yan\u0131t|cevap)|автоответ\w*|автоматический ответ",
    "автоматична відповідь|автоматичен отговор|αυτόματη απάντηση|תשובה אוטומטית|رد تلقائي|ตอบกลับอัตโนมัติ",
    "trả lời tự động|balasan otomatis|自動(?:応答|返信)|自动[回答][复覆]|自動回[覆復]|자동 ?(?:회신|응답)",
)
_AWAY = _any(
    "out of (?:the )?(?:office|town)"
    + _any(" auto(?:matic)?[ -]?(?:reply|response)", " (?:reply|response|notification|notice|message|alert)")
    + "?",
    "vacation(?: auto[ -]?reply| reply| notice| message| response)?|holiday(?: auto[ -]?reply| reply| notice)",
    "(?:i am |i'm |i will be )?(?:currently )?"
    + _any(
        "on vacation", "on holiday", "on (?:annual )?leave", "away(?: from my (?:mail|desk))?", "out of (?:the )?office"
    ),
    r"abwesend\w*|abwesenheits\w+|(?:bin )?(?:im urlaub|nicht im (?:büro|haus)|außer haus)|urlaubs(?:notiz|meldung)",
    "absen(?:t|ce) du bureau|message d['\u2019]absence|fuera de (?:la )?oficina|fora do escritório",
    "ausência (?:temporária|do escritório)|fuori (?:sede|ufficio)",
    r"afwezig\w*|frånvar\w*|fråvær\w*|fravær\w*|poissaolo\w*|poza biurem|mimo kancelář|házon kívül",
    "不在通知|부재 ?중",
)
ABSENCE = re.compile(
    _REPLY_BY_PROGRAM + r"\s*(?:[:(]|\uff1a|[.!]?$|- )|" + _AWAY + r"\s*(?:[:(]|\uff1a|[.!]?$)", re.IGNORECASE
)
# Forms that only programs write: Exchange's `AutoReply:`, `AUTO:` with a day of return, Yahoo's, and Notes, which signs
# with the whole name (`Ana Lee/Sales/ACME is …`).
ABSENCE_BEYOND_DOUBT = re.compile(
    r"^auto: .*\b(?:is )?out of (?:the )?office\b"
    r"|^auto: .*\((?:returning|retour|rückkehr|regres[oa]|rientro|terug)\b.*\)"
    r"|^(?-i:Out of Office AutoReply: )"
    r"|^yahoo! auto response$"
    r"|\(auto(?:matic)?[ -]?(?:response|reply)\)$|^\[auto(?:matic)?[ -]?(?:response|reply)\]"
    r"|^(?:\[[^\]]+\] ?)?[^:/]+/[^:]+ is out of the office\.",
    re.IGNORECASE,
)
