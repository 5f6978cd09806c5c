"""`cadence tiers`: the cadence targets."""

from datetime import date

import click

from bot.cli.common import Desk, pass_desk, report_options
from bot.cli.show import as_csv, as_json, as_table, say
from bot.wording import plural
from models.actions import episodes
from models.actions import programme as programme_actions
from models.actions.write import COMMAND_LINE, Change
from models.cadence import Tier
from models.queries import programme as queries

COLUMNS = ("rank", "name", "window_days", "grace_days")


@click.group(invoke_without_command=True)
@report_options
@click.pass_context
def tiers(ctx: click.Context, form: str | None, as_of: date | None) -> None:
    """List the tiers with their windows, or change one."""
    if ctx.invoked_subcommand:
        return
    desk = ctx.ensure_object(Desk)
    with desk.reading() as session:
        in_force = list(queries.tiers(session, desk.programme.workspace_id, desk.at(as_of)).values())
    records = [{column: getattr(tier, column) for column in COLUMNS} for tier in in_force]
    if form == "json":
        as_json(records)
    elif form == "csv":
        as_csv(COLUMNS, records)
    else:
        rows = [
            [str(one.rank), one.name, plural(one.window_days, "day"), plural(one.grace_days, "day")] for one in in_force
        ]
        as_table(desk, ["Rank", "Name", "Window", "Grace"], rows, right=[0])


@tiers.command("set")
@click.argument("rank", type=click.IntRange(1, 99))
@click.option("--name", help="What people call the tier.")
@click.option("--window", type=click.IntRange(1, 3650), help="Days from one touch to the next at most.")
@click.option("--grace", type=click.IntRange(0, 365), help="Days after the due day that are still in time.")
@pass_desk
def set_tier(desk: Desk, rank: int, name: str | None, window: int | None, grace: int | None) -> None:
    """Add the tier of this RANK or change its target from now on; past weeks keep theirs."""
    now, programme = desk.clock.now(), desk.programme
    with desk.sessions.begin() as session:
        known = {one.rank: one for one in queries.tiers(session, programme.workspace_id, now).values()}
        before = known.get(rank)
        if before is None and window is None:
            raise click.UsageError(f"Tier {rank} is new: give its --window in days.", click.get_current_context())
        called = " ".join((name if name is not None else before.name if before else f"Tier {rank}").split())
        if not called or not called.isprintable() or len(called) > 80:
            raise click.BadParameter("a tier needs a name of 1 to 80 characters", param_hint="--name")
        if any(one.name.casefold() == called.casefold() and one.rank != rank for one in known.values()):
            raise click.BadParameter(f"another tier is called {called}", param_hint="--name")
        tier = Tier(
            rank=rank,
            name=called,
            window_days=window or (before.window_days if before else 0),
            grace_days=grace if grace is not None else before.grace_days if before else 0,
        )
        change = programme_actions.set_tier(session, programme.workspace_id, COMMAND_LINE, tier, now)
        if change is Change.CHANGED:
            episodes.settle_episodes(session, programme, now)
    say(f"{tier.name} (rank {tier.rank}) {change}: window {plural(tier.window_days, 'day')}")
