"""`cadence …` as a test types it: on a database and at an instant of the test's choosing, with what it printed."""

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from click.testing import CliRunner

from bot.cli.app import cadence
from bot.cli.common import Desk
from tests.cast import MONDAY
from tests.databases import at_head, engine_for


@dataclass(frozen=True, slots=True)
class At:
    """A clock that stands still."""

    instant: datetime

    def now(self) -> datetime:
        return self.instant


@dataclass(frozen=True, slots=True)
class Said:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class CommandLine:
    url: str
    now: datetime = MONDAY
    env: Mapping[str, str] | None = None
    terminal: bool = False
    browser: Callable[[str], object] | None = None

    def __call__(self, *args: str, status: int | None = 0, stdin: bytes | None = None) -> Said:
        """Runs one command; `status` is what it must exit with, None for whatever."""
        environment = {"CADENCE_DATABASE_URL": self.url, "NO_COLOR": "1", **(self.env or {})}
        desk = Desk(At(self.now), self.terminal, 80 if self.terminal else None, self.browser)
        with ExitStack() as stack:
            if (url := environment["CADENCE_DATABASE_URL"]) in at_head:
                desk.engine = stack.enter_context(engine_for(url))
            result = CliRunner().invoke(cadence, args, obj=desk, env=environment, input=stdin)
        said = Said(result.exit_code, result.stdout, result.stderr)
        assert "Traceback" not in said.out + said.err, said.out + said.err
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert status is None or said.status == status, said
        return said
