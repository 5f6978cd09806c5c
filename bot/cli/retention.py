"""`cadence retention`: how long what is kept, and what the next run would erase."""

from datetime import timedelta

import click

from bot.cli.common import Desk, json_option, pass_desk
from bot.cli.show import as_json, as_table, tell
from models.clock import local_day
from models.queries.retention import kept, touches_kept_from, what_is_old


@click.command()
@json_option
@pass_desk
def retention(desk: Desk, form: str | None) -> None:
    """How long touches, the ledger and the audit log are kept, and what the next daily run would erase."""
    keep, programme = kept(desk.settings), desk.programme
    with desk.reading() as session:
        old = what_is_old(session, programme.workspace_id, keep, desk.clock.now())
        kept_from = touches_kept_from(session, programme.workspace_id)
    kinds = ("touches", "ledger", "audit")
    if form == "json":
        told = {kind: {"keep_days": getattr(keep, kind) or None, "to_erase": getattr(old, kind)} for kind in kinds}
        as_json({**told, "touches_kept_from": kept_from})
        return
    rows = [
        [kind, f"{days} days" if (days := getattr(keep, kind)) else "for ever", str(getattr(old, kind))]
        for kind in kinds
    ]
    as_table(desk, ["What", "Kept", "To erase"], rows, right=[2])
    if kept_from is not None:
        first = local_day(kept_from, programme.zone) + timedelta(days=1)
        tell(desk, f"Touches before {first} are erased, but for those that later figures rest on.")
