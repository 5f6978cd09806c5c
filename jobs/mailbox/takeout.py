"""What Google Takeout writes beside the mail: Gmail's labels and Gmail's own time. Reads no file, judges no mail.

Takeout writes the labels in the language of the account: `Sent,Opened`, `Archivés,Envoyé`, with quotes around a
label that holds a comma. `Opened`, `Important`, `Category Updates` and the labels that people made say nothing here.
"""

import re
from collections.abc import Iterable
from datetime import datetime

from models.headers import date_of, decode_words
from models.message import Folder


def folder_of(labels: Iterable[str]) -> Folder:
    """Where Gmail says that the mail lies; UNKNOWN for a mail without labels, as other programs write it."""
    values = list(labels)
    if not values:
        return Folder.UNKNOWN
    names = {name.strip(' "').casefold() for value in values for name in _LABEL.findall(decode_words(value))}
    return next((folder for folder, known in _NAMES.items() if names & known), Folder.INBOX)


def separator_date(line: str) -> datetime | None:
    """Takeout's From_ line holds Gmail's own time; others hold when the file was joined, which would fake a touch."""
    match = _SEPARATOR.match(line)
    if not match:
        return None
    month, day, clock, zone, year = match.groups()
    return date_of(f"{day} {month} {year} {clock} {zone}")


_LABEL = re.compile(r'"[^"]*"|[^,"]+')
_SEPARATOR = re.compile(
    r"From \d+@xxx [A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d\d:\d\d:\d\d) ([+-]\d{4}) (\d{4})", re.ASCII
)


def _names(words: str) -> frozenset[str]:
    return frozenset(word.strip().casefold() for word in words.split(","))


# The first that fits wins: a draft is no sent mail, and what was thrown away is not read, here as in live capture.
# A language that is missing counts as received mail, whose direction comes from the addresses.
_NAMES = {
    Folder.DRAFT: _names(
        "draft, drafts, entwurf, entwürfe, brouillon, brouillons, borrador, borradores, esborranys, rascunho, "
        "rascunhos, bozza, bozze, concepten, utkast, kladde, kladder, udkast, luonnokset, wersje robocze, "
        "koncepty, piszkozatok, mesaje nefinalizate, taslaklar, черновики, чернетки, πρόχειρα, טיוטות, المسودات, "
        "下書き, 草稿, 임시보관함"
    ),
    Folder.SPAM: _names(
        "spam, junk, correu brossa, correo no deseado, skräppost, søppelpost, roskaposti, спам, ανεπιθύμητα, "
        "ספאם, دعاية, 迷惑メール, 垃圾邮件, 垃圾郵件, 스팸함"
    ),
    Folder.TRASH: _names(
        "trash, bin, papierkorb, corbeille, papelera, paperera, lixeira, lixo, cestino, prullenbak, "
        "papperskorgen, papirkurv, papirkurven, papperskorg, roskakori, kosz, koš, kuka, coș de gunoi, çöp "
        "kutusu, корзина, кошик, κάδος απορριμμάτων, אשפה, المهملات, ゴミ箱, 已删除邮件, 垃圾桶, 휴지통"
    ),
    Folder.CHAT: _names("chat, chats, чат, чаты, チャット, 聊天, 채팅"),
    Folder.SENT: _names(
        "sent, sent mail, gesendet, envoyé, envoyés, messages envoyés, enviado, enviados, enviadas, enviats, "
        "e-mails enviados, correo enviado, inviata, inviati, posta inviata, verzonden, verzonden berichten, "
        "skickat, skickade, sendt, sendte, sendte mails, sendt e-post, lähetetyt, wysłane, odesláno, odeslaná "
        "pošta, odoslané, elküldött, elküldött üzenetek, trimise, mesaje trimise, gönderilmiş, gönderilmiş "
        "postalar, отправленные, надіслані, απεσταλμένα, דואר יוצא, البريد المرسل, المرسلة, 送信済み, 送信済みメール, "
        "已发送, 已发邮件, 寄件備份, 보낸편지함"
    ),
}
