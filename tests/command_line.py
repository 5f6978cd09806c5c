"""`cadence …` as a test types it: on a database and at an instant of the test's choosing, with what it printed."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from click.testing import CliRunner

from bot.cli.app import cadence
from bot.cli.common import Desk
from tests.cast import MONDAY
from tests.databases import engines


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
    apart: bool = False  # beside somebody who is at the database at this moment

    def __call__(self, *args: str, status: int | None = 0, stdin: bytes | None = None) -> Said:
        """Runs one command; `status` is what it must exit with, None for whatever."""
        environment = {"CADENCE_DATABASE_URL": self.url, "NO_COLOR": "1", **(self.env or {})}
        desk = Desk(At(self.now), self.terminal, 80 if self.terminal else None, self.browser)
        if environment["CADENCE_DATABASE_URL"] in engines and not self.apart:  # is at head, and what was compiled for it is kept
            desk.engine = engines[environment["CADENCE_DATABASE_URL"]]
        result = CliRunner().invoke(cadence, args, obj=desk, env=environment, input=stdin)
        said = Said(result.exit_code, result.stdout, result.stderr)
        assert "Traceback" not in said.out + said.err, said.out + said.err
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert status is None or said.status == status, said
        return said
