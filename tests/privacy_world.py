"""What the privacy tests share: marked mail, an ear for every log, and the search for traces. It knows no provider.

Markers stand in addresses, display names, subjects, Message-IDs and bodies.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import structlog
from sqlalchemy import MetaData, select

from tests.capture_world import Headers, letter
from tests.cast import DANA, PRIYA
from tests.databases import Database

STRANGER = "kolibri"  # in everything that concerns no partner
TOPIC = "zwetschge"  # in every subject, also of partners' mail
BODY = "quittenmus"
DAY = timedelta(days=1)


def stranger(sender: str, to: str, **more: str) -> Headers:
    named = letter(sender, to, f"{TOPIC} {STRANGER}", message_id=f"{STRANGER}-{len(more)}@{STRANGER}.example", **more)
    return named | {"In-Reply-To": f"<{STRANGER}-0@x.example>", "References": f"<{STRANGER}-9@{STRANGER}.example>"}


def mails() -> list[tuple[Headers, str]]:
    """Personal, internal, list and partner mail, with the label it has at Gmail."""
    home, shop = f'"{STRANGER} Home" <me@{STRANGER}.example>', f"news@{STRANGER}-shop.example"
    partner = "wile@acme.example"
    return [
        (stranger(home, DANA.email), "INBOX"),
        (stranger(DANA.email, home, Cc=f"{STRANGER} <x@{STRANGER}2.example>"), "SENT"),
        (stranger(DANA.email, f'"{partner}" <{STRANGER}@evil.example>'), "SENT"),
        (stranger(f'"{partner} {STRANGER}" <{STRANGER}@evil.example>', DANA.email), "INBOX"),
        (stranger(f"{STRANGER} <{PRIYA.email}>", DANA.email), "INBOX"),
        (stranger(shop, DANA.email, List_Id=f"<{STRANGER}.example>", Precedence="bulk"), "INBOX"),
        (stranger("mailer-daemon@elsewhere.example", DANA.email, X_Failed_Recipients=f"{STRANGER}@x.example"), "INBOX"),
        (stranger(DANA.email, home, Auto_Submitted="auto-replied"), "DRAFT"),
        (stranger(home, DANA.email), "SPAM"),
        ({"From": DANA.email, "To": f'"{STRANGER} <<k@', "Subject": f"{TOPIC}"}, "SENT"),
        ({"From": f"=?utf-8?q?{STRANGER}=ZZ?= <{STRANGER}", "To": DANA.email, "Date": STRANGER}, "INBOX"),
        (letter(DANA.email, f'"Wile {TOPIC}" <{partner}>', TOPIC, message_id="to-acme@lantern.example"), "SENT"),
        (letter(f'"Wile {TOPIC}" <{partner}>', DANA.email, f"Re: {TOPIC}", message_id="from-acme@a.example"), "INBOX"),
    ]


@contextmanager
def listening() -> Iterator[list[str]]:
    """Everything that anybody logs, at debug level, with arguments and tracebacks."""
    lines: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.name} {logging.Formatter('%(message)s').format(record)} {record.__dict__}")

    def listen(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        lines.append(str(event))
        return event

    ear, root, before = Ear(), logging.getLogger(), logging.getLogger().level
    known = [logging.getLogger(name) for name in list(root.manager.loggerDict)]
    levels = {logger: logger.level for logger in known}
    configured = structlog.get_config()
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    for logger in known:
        logger.setLevel(logging.DEBUG)
    structlog.configure(
        processors=[structlog.processors.format_exc_info, listen, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger("debug"),
        cache_logger_on_first_use=False,
    )
    try:
        yield lines
    finally:
        structlog.configure(**configured)
        root.removeHandler(ear)
        root.setLevel(before)
        for logger, level in levels.items():
            logger.setLevel(level)


def every_value(database: Database) -> str:
    """Every column of every table that the database itself says it has."""
    tables = MetaData()
    tables.reflect(database.engine)
    with database.engine.connect() as connection:
        return "\n".join(
            " ".join(str(value) for value in row)
            for table in tables.sorted_tables
            for row in connection.execute(select(table))
        )


def assert_nothing_left(places: Mapping[str, str], *markers: str) -> None:
    for place, text in places.items():
        for marker in markers:
            found = text.find(marker.lower())
            assert found < 0, f"{marker} in the {place}: …{text[max(0, found - 200) : found + 100]}…"
