"""What every command shares: the desk it works at, its options, and errors that are one line and say what to do."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any, TypeVar

import click
from rich.console import Console
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from bot.wording import listed, name, plain
from models.actions import programme as programme_actions
from models.clock import Clock, SystemClock, instant, local_day
from models.db import make_engine, make_sessions
from models.queries.lookup import find_partner
from models.queries.programme import Programme, programmes
from models.queries.retention import touches_kept_from
from models.queries.standings import PartnerName
from models.schema import require_head
from models.settings import Settings, load_settings
from models.vault import Vault

Function = TypeVar("Function", bound=Callable[..., Any])
MARKS = {True: "✓", False: "✗", None: "–"}


class Failure(click.ClickException):
    """Could not: exit 1. The text says what to do."""


class WrongSetting(Failure):
    """A setting is missing or wrong: exit 2."""

    exit_code = 2


@dataclass
class Desk:
    """What a command works with. Tests and the sandbox hand over another clock, or say that a terminal watches."""

    clock: Clock = field(default_factory=SystemClock)
    terminal: bool | None = None  # None: look at stdout
    width: int | None = None
    browser: Callable[[str], object] | None = None  # opens an address; None: this machine's, if a terminal watches
    workspace: str | None = None  # the Slack id of the one that is meant

    @cached_property
    def settings(self) -> Settings:
        return load_settings()

    @cached_property
    def vault(self) -> Vault:
        return Vault(self.settings.secret_keys)

    @cached_property
    def engine(self) -> Engine:
        """The database at head; anything else is refused with what to do."""
        engine = make_engine(self.settings.database_url)
        try:
            require_head(engine)
        except BaseException:
            engine.dispose()
            raise
        return engine

    @cached_property
    def sessions(self) -> sessionmaker[Session]:
        return make_sessions(self.engine)

    @cached_property
    def reading(self) -> sessionmaker[Session]:
        return make_sessions(self.engine, reading=True)

    @cached_property
    def programme(self) -> Programme:
        """The programme of this database, made when there is none. Of several, one has to be named."""
        with self.reading() as session:
            found = programmes(session, self.settings)
        if not found:
            with self.sessions.begin() as session:
                programme_actions.the_workspace(session, self.clock.now())
                found = programmes(session, self.settings)
        if self.workspace is not None:
            found = [one for one in found if one.team_id == self.workspace]
            if not found:
                raise Failure(
                    f"no Slack workspace {plain(self.workspace, 40)} has a programme here: see `cadence doctor`"
                )
        if len(found) > 1:
            known = ", ".join(one.team_id or "one that is in no Slack yet" for one in found[:10])
            raise Failure(f"several workspaces have a programme here ({known}): say `cadence --workspace TEAM_ID …`")
        return found[0]

    def at(self, as_of: date | None) -> datetime:
        """The instant of a report: now, the instant given, or the end of the local day given."""
        if as_of is None:
            return self.clock.now()
        if not isinstance(as_of, datetime):
            at = instant(as_of + timedelta(days=1), time(), self.programme.zone) - timedelta(microseconds=1)
        else:
            at = as_of if as_of.tzinfo else as_of.replace(tzinfo=self.programme.zone)
        with self.reading() as session:
            kept_from = touches_kept_from(session, self.programme.workspace_id)
        if kept_from is not None and at < kept_from:
            first = local_day(kept_from, self.programme.zone) + timedelta(days=1)
            raise Failure(f"touches before {first} are not kept (CADENCE_KEEP_TOUCHES_DAYS): ask for that day or later")
        return at

    def on_terminal(self) -> bool:
        return sys.stdout.isatty() if self.terminal is None else self.terminal

    def console(self) -> Console:
        """Where results go. Colour is left to rich, which obeys NO_COLOR and dumb terminals."""
        return Console(
            file=sys.stdout, width=self.width, force_terminal=self.terminal, highlight=False, soft_wrap=False
        )

    def progress_console(self) -> Console:
        return Console(file=sys.stderr, highlight=False)

    def close(self) -> None:
        if "engine" in self.__dict__:
            self.engine.dispose()


pass_desk = click.make_pass_decorator(Desk)


class AsOf(click.ParamType[date]):
    """ISO 8601: an instant, a local time, or a day, which means its end."""

    name = "ISO8601"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        for read in (date.fromisoformat, datetime.fromisoformat):
            try:
                found: date = read(value.strip())
            except ValueError:
                continue
            if 1970 <= found.year <= 9000:
                return found
        self.fail(f"'{value}' is not a day such as 2026-11-23 or an instant such as 2026-11-23T09:05+00:00", param, ctx)


as_of_option = click.option("--as-of", type=AsOf(), help="The state at this instant, or at the end of this day.")
json_option = click.option("--json", "form", flag_value="json", default=None, help="As JSON, with stable keys.")
csv_option = click.option("--csv", "form", flag_value="csv", help="As CSV, safe to open in a spreadsheet.")


def report_options(function: Function) -> Function:
    """`--json`, `--csv` and `--as-of`."""
    return json_option(csv_option(as_of_option(function)))


def note(text: str) -> None:
    """A word beside the result: it goes to stderr."""
    click.echo(text, err=True)


def the_partner(session: Session, programme: Programme, typed: str, now: datetime) -> PartnerName:
    """The partner somebody means; a guess is said aloud, and several or none end the command with their names."""
    found = find_partner(session, programme.workspace_id, typed, now)
    if found.partner is not None:
        if not found.exact:
            note(f"There is no '{name(typed)}'. Did you mean {name(found.partner.name)}? This is about that one.")
        return found.partner
    nearest = [name(one.name) for one in found.nearest]
    if found.ambiguous:
        raise Failure(f"'{name(typed)}' may be {listed(nearest, 6)}: type more of the name")
    if not nearest:
        raise Failure(f"there is no partner '{name(typed)}': `cadence partners import` brings them in")
    raise Failure(f"there is no partner '{name(typed)}'; the nearest names are {listed(nearest, 3)}")
