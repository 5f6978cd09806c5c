"""The `cadence` command: names every command, loads only the one that is called, and turns errors into one line."""

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from importlib.util import find_spec
from typing import Any

import click
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError

from bot.cli.common import Desk, Failure, WrongSetting
from bot.logs import log_for_a_command
from models.schema import SchemaError, shown_url
from models.settings import SettingsError
from models.vault import VaultError

COMMANDS = {
    "run": "run",
    "worker": "worker",
    "migrate": "database",
    "secrets": "database",
    "people": "roster",
    "partners": "roster",
    "tiers": "tiers",
    "mailbox": "mailboxes",
    "capture": "capture",
    "overdue": "reports",
    "coverage": "coverage",
    "report": "report",
    "partner": "partner",
    "touches": "reports",
    "owed": "lists",
    "stale": "lists",
    "quiet": "lists",
    "shutdown": "shutdown",
    "away": "away",
    "suggest": "suggest",
    "why": "partner",
    "export": "export",
    "views": "export",
    "read": "read",
    "nudge": "read",
    "leaders": "leaders",
    "backup": "backup",
    "forget": "forget",
    "retention": "retention",
    "doctor": "doctor",
}
"""Command → the module of bot.cli that holds it."""


class Cadence(click.Group):
    """Loads commands when they are called, and prints every expected error as one line without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, module in COMMANDS.items() if find_spec(f"bot.cli.{module}")]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(ctx):
            return None
        command: click.Command = getattr(importlib.import_module(f"bot.cli.{COMMANDS[name]}"), name)
        return command

    def main(  # type: ignore[override]  # click overloads it by `standalone_mode`
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Any:
        if not extra.pop("standalone_mode", True):
            return super().main(args, prog_name, standalone_mode=False, **extra)
        try:
            status = super().main(args, prog_name, standalone_mode=False, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            sys.exit(2)
        except click.ClickException as error:
            click.echo(f"{_called(error)}: {_said(error)}", err=True)
            sys.exit(error.exit_code)
        except click.Abort:
            click.echo("cadence: stopped; what was finished is kept", err=True)
            sys.exit(1)
        sys.exit(status if isinstance(status, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        with _one_line(ctx.params["debug"]):
            return super().invoke(ctx)


@contextmanager
def _one_line(debug: bool) -> Iterator[None]:
    """Errors become exit 1, or exit 2 where a setting is to blame. With `debug` a bug keeps its traceback."""
    from jobs.mailbox.base import ProviderError
    from jobs.roster.table import RosterError

    try:
        yield
    except (SettingsError, VaultError) as error:
        raise WrongSetting(str(error)) from error
    except RosterError as error:
        count = len(error.problems)
        last = (
            f"nothing was imported: correct {'this line' if count == 1 else f'these {count} places'} and import again"
        )
        raise Failure("\n".join([*map(str, error.problems), last])) from error
    except (SchemaError, ProviderError) as error:
        raise Failure(str(error)) from error
    except ModuleNotFoundError as error:
        if error.name not in ("procrastinate", "psycopg", "psycopg_pool"):
            raise
        raise Failure("PostgreSQL needs its driver and its queue: install Cadence with its `postgres` extra") from error
    except SQLAlchemyError as error:
        raise Failure(database_said(error)) from error
    except BrokenPipeError:
        raise  # the reader of the pipe has gone: click ends the command quietly
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise Failure(f"{where}{error.strerror or error}") from error
    except (click.ClickException, click.Abort, click.exceptions.Exit):
        raise
    except Exception as error:
        if debug:
            raise
        what = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise Failure(f"unexpected {what}; this is a bug: report what `cadence --debug …` prints") from error


def database_said(error: SQLAlchemyError) -> str:
    from models.settings import load_settings

    where = shown_url(load_settings().database_url)
    if isinstance(error, ArgumentError):
        return f"CADENCE_DATABASE_URL is not an address of a database: {where}"
    cause = str(error.orig if isinstance(error, DBAPIError) else error).strip().splitlines()[0]
    if "locked" in cause:
        return f"the database {where} is in use by another process: try again when it is done"
    if isinstance(error, OperationalError):
        return f"cannot work with the database {where} ({cause}): check CADENCE_DATABASE_URL, its server and its disk"
    return f"the database {where} refused ({cause}): run `cadence doctor`"


def _called(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return context.command_path if context else "cadence"


def _said(error: click.ClickException) -> str:
    text = error.format_message()
    if isinstance(error, click.UsageError) and error.ctx:
        return (
            f"{' '.join(text.split())}{'' if text.endswith(('.', '?')) else '.'} See `{error.ctx.command_path} --help`."
        )
    return text


def _version() -> str:
    try:
        return metadata.version("cadence")
    except metadata.PackageNotFoundError:
        return "from a checkout that is not installed"


@click.group(cls=Cadence, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(_version(), message="cadence %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an unexpected error.")
@click.option("--workspace", metavar="TEAM_ID", help="Which Slack workspace, where several have installed the app.")
@click.pass_context
def cadence(ctx: click.Context, debug: bool, workspace: str | None) -> None:
    """Reads partner mail, and says every week which partners nobody has written to."""
    log_for_a_command()
    desk = ctx.ensure_object(Desk)
    desk.workspace = workspace
    ctx.call_on_close(desk.close)
