"""Where logging is set up, for `cadence run` and for commands: one line per event, redacted, whoever logs.

What libraries log through `logging`, and what threads die of, takes the same way as our own.
"""

import logging
import secrets
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.typing import Processor

from bot.redaction import Redaction


def log_to_stderr(known: Iterable[str] = ()) -> None:
    """For a process that runs on: our events and the libraries' warnings; readable on a terminal, JSON elsewhere.

    `known`: secrets that are taken out whatever they look like.
    """
    redact = Redaction(known)
    shown: Processor = _for_people() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*_before(redact), shown],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    _take_in(redact, shown)


def log_for_a_command() -> None:
    """Warnings of a command, beside its result: readable, to whatever stderr is at that moment."""
    structlog.configure(
        processors=[*_before(Redaction()), _for_people()],
        wrapper_class=structlog.make_filtering_bound_logger("warning"),
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
    )


def take_in_libraries() -> None:
    """What libraries warn of while a command runs is redacted as well. For a process of its own."""
    _take_in(Redaction(), _for_people())


@contextmanager
def working_on(job: str, **facts: int | str) -> Iterator[None]:
    """Every line that is logged within names the job, and which run of it this is."""
    with bound_contextvars(job=job, run=new_id(), **facts):
        yield


def new_id() -> str:
    """A word by which lines that belong together are found."""
    return secrets.token_hex(6)


def _for_people() -> Processor:
    """The stock one draws an exception with the values of its variables."""
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


def _before(redact: Redaction) -> list[Processor]:
    """Up to the line itself. Redaction is last: whatever was added has passed it."""
    return [
        merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact,
    ]


def _take_in(redact: Redaction, shown: Processor) -> None:
    handler = _Handler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_before(redact), shown],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    log = structlog.get_logger(__name__)

    def died(about: threading.ExceptHookArgs) -> None:
        if about.exc_type is not SystemExit:
            name = about.thread.name if about.thread else None
            log.error("thread.died", thread=name, exc_info=about.exc_value)

    threading.excepthook = died


class _Handler(logging.StreamHandler[Any]):
    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def handleError(self, record: logging.LogRecord) -> None:
        """The stock one prints the arguments as they are."""
        sys.stderr.write(f"a line of {record.name} could not be logged\n")
