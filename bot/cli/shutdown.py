"""`cadence shutdown`: days on which the whole programme is shut, so that no window runs on and nobody is nudged."""

from datetime import date
from typing import Any

import click

from bot import signal_words, wording
from bot.cli.common import Desk, Failure, csv_option, json_option, pass_desk
from bot.cli.show import as_csv, as_json, as_table, say, tell
from models.actions import episodes
from models.actions.shutdowns import WrongShutdown, add_shutdown, end_shutdown
from models.actions.write import COMMAND_LINE
from models.cadence import Shutdown
from models.clock import local_day
from models.queries.programme import programme as programme_of
from models.queries.shutdowns import KeptShutdown, kept_shutdowns

COLUMNS = ("id", "from", "until", "days", "reason")


class Day(click.ParamType[date]):
    name = "DAY"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            self.fail(f"'{value}' is not a day such as 2026-12-24", param, ctx)


@click.group()
def shutdown() -> None:
    """Days on which everybody is off: they count in no window, and nobody is nudged."""


@shutdown.command("add")
@click.argument("from_on", metavar="FIRST", type=Day())
@click.argument("until_on", metavar="LAST", type=Day())
@click.option("--reason", required=True, help="What people read beside a due day that moves, such as Christmas.")
@pass_desk
def add(desk: Desk, from_on: date, until_on: date, reason: str) -> None:
    """Shut the programme from the day FIRST to the day LAST, both included."""
    now, programme = desk.clock.now(), desk.programme
    wanted = Shutdown(from_on, until_on, wording.plain(reason, wording.NAME_LIMIT))
    with desk.sessions.begin() as session:
        try:
            number = add_shutdown(session, programme.workspace_id, COMMAND_LINE, wanted, now)
        except WrongShutdown as error:
            raise Failure(str(error)) from error
        episodes.settle_episodes(session, programme_of(session, desk.settings, programme.workspace_id), now)
    shut = signal_words.shutdown(wanted, local_day(now, programme.zone))
    say(f"Shutdown {number}: {shut}. No window runs on these days; the weekly read is held all the same.")


@shutdown.command("list")
@json_option
@csv_option
@pass_desk
def list_(desk: Desk, form: str | None) -> None:
    """The shutdowns, past and to come."""
    programme = desk.programme
    with desk.reading() as session:
        kept = kept_shutdowns(session, programme.workspace_id)
    if form == "json":
        as_json([_record(one) for one in kept])
    elif form == "csv":
        as_csv(COLUMNS, [_record(one) for one in kept])
    elif not kept:
        tell(desk, "No shutdown is kept: every day counts. `cadence shutdown add FIRST LAST --reason WHY` adds one.")
    else:
        rows = [[wording.plain(str(cell), 40) for cell in _record(one).values()] for one in kept]
        as_table(desk, ["Id", "First day", "Last day", "Days", "Reason"], rows, right=[0, 3])


@shutdown.command("remove")
@click.argument("number", metavar="ID", type=int)
@pass_desk
def remove(desk: Desk, number: int) -> None:
    """Take the shutdown with this ID back, as if it had never been."""
    now, programme = desk.clock.now(), desk.programme
    with desk.sessions.begin() as session:
        if not end_shutdown(session, programme.workspace_id, COMMAND_LINE, number, now):
            raise Failure(f"there is no shutdown {number}: `cadence shutdown list` shows their ids")
        episodes.settle_episodes(session, programme_of(session, desk.settings, programme.workspace_id), now)
    say(f"Shutdown {number} is taken back: its days count again.")


def _record(one: KeptShutdown) -> dict[str, Any]:
    shut = one.shutdown
    days = (shut.until_on - shut.from_on).days + 1
    return {"id": one.id, "from": shut.from_on, "until": shut.until_on, "days": days, "reason": shut.reason}
