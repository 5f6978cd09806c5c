"""Which folders of an account are read, and what they hold. Pure: it looks at a listing and asks nobody."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from models.message import Folder

INBOX = "INBOX"


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the server's answer to LIST; `flags` in lower case."""

    name: str
    delimiter: str
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A folder that is read, and as what: direction and verdict depend on it."""

    name: str
    kind: Folder


def choose(listed: Iterable[Listed], sent: str | None, wanted: Sequence[str]) -> tuple[list[Chosen], list[str]]:
    """INBOX, Sent and the folders that were asked for; and in words what of these is not there.

    Sent is the folder that was named, else those that the server marks, else those that are called so in some
    language at the top or below INBOX: deeper ones may be somebody else's, or an archive.
    """
    usable = {one.name: one for one in listed if not one.flags & {"\\noselect", "\\nonexistent"}}
    found = [one.name for one in usable.values() if "\\sent" in one.flags]
    found = found or [one.name for one in usable.values() if _is_sent(one)]
    if sent is not None:
        found = [sent] if sent in usable else []
    lacking = []
    if sent is not None and not found:
        lacking.append(f"there is no folder {sent}, so no sent mail is seen: connect again with another --sent-folder")
    elif not found:
        lacking.append("no Sent folder was found, so no sent mail is seen: connect again with --sent-folder NAME")
    chosen = {INBOX: Chosen(INBOX, Folder.INBOX)} | {name: Chosen(name, Folder.SENT) for name in found}
    for name in wanted:
        if name in usable:
            chosen.setdefault(name, Chosen(name, _kind(usable[name])))
        elif name.upper() != INBOX:
            lacking.append(f"there is no folder {name}, so nothing of it is seen: connect again with another --folder")
    return list(chosen.values()), lacking


def _kind(one: Listed) -> Folder:
    return next((kind for flag, kind in _KINDS.items() if flag in one.flags), Folder.INBOX)


def _is_sent(one: Listed) -> bool:
    parent, _, name = one.name.rpartition(one.delimiter) if one.delimiter else ("", "", one.name)
    return parent.upper() in ("", INBOX) and unicodedata.normalize("NFC", name).casefold() in SENT_NAMES


_KINDS = {"\\drafts": Folder.DRAFT, "\\junk": Folder.SPAM, "\\trash": Folder.TRASH, "\\sent": Folder.SENT}
SENT_NAMES = frozenset(
    name.casefold()
    for name in (
        *("Sent", "Sent Items", "Sent Mail", "Sent Messages", "Sent Objects", "Outgoing"),
        *("Gesendet", "Gesendete Objekte", "Gesendete Elemente", "Gesendete Nachrichten", "Gesendete Mails"),
        *("Envoyés", "Éléments envoyés", "Messages envoyés", "Objets envoyés", "Courrier envoyé", "Envoyé"),
        *("Enviados", "Elementos enviados", "Mensajes enviados", "Correo enviado", "Correos enviados"),
        *("Enviadas", "Itens enviados", "Mensagens enviadas", "E-mails enviados", "Correio enviado"),
        *("Inviati", "Inviata", "Posta inviata", "Elementi inviati", "Messaggi inviati"),
        *("Verzonden", "Verzonden items", "Verzonden berichten", "Verzonden objecten"),
        *("보낸 편지함", "보낸편지함", "보낸 메일함", "보낸메일함"),
        *("送信済み", "送信済みアイテム", "送信済みメール", "送信済みトレイ", "送信済みメッセージ", "送信箱"),
        *("Wysłane", "Elementy wysłane", "Wiadomości wysłane", "Poczta wysłana"),
        *("Отправленные", "Отправленные элементы", "Отправленные письма"),
        *("Надіслані", "Відправлені", "Изпратени"),
        *("Skickat", "Skickade", "Skickade objekt", "Sendt", "Sendte", "Sendte elementer", "Sendt post"),
        *("Lähetetyt", "Lähetetyt viestit", "Saadetud", "Saadetud kirjad"),
        *("Odeslané", "Odeslaná pošta", "Odeslané položky", "Odoslané", "Odoslaná pošta"),
        *("Elküldött", "Elküldött elemek", "Elküldött üzenetek", "Trimise", "Elemente trimise", "Poslano"),
        *("Gönderilmiş", "Gönderilmiş Öğeler", "Gönderilenler", "Απεσταλμένα"),
        *("已发送", "已发送邮件", "已发邮件", "寄件備份", "寄件备份", "已傳送", "已傳送郵件"),
    )
)
