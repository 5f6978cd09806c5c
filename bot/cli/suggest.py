"""`cadence suggest`: organisations that the mail knows and the roster does not."""

from collections.abc import Sequence
from pathlib import Path

import click

from bot.cli.capture import own_address
from bot.cli.common import Desk, csv_option, json_option, note, pass_desk
from bot.cli.show import as_csv, as_json, as_table, heading, tell
from bot.wording import on_day, plain, plural
from jobs.capture import Capture
from jobs.mailbox.mbox import MboxFile
from jobs.suggest import suggestions_from_file, suggestions_from_mailboxes
from models.clock import local_day
from models.correspondence import REGULAR_DAYS, Suggestion

COLUMNS = ("domain", "days_we_wrote", "days_they_wrote", "last_on", "mailboxes")


@click.command()
@click.option("--mbox", type=click.Path(path_type=Path), help="Look into this mbox file; nothing of it is stored.")
@click.option("--mailbox", "address", help="With --mbox: whose mail the file holds.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@json_option
@csv_option
@pass_desk
def suggest(desk: Desk, mbox: Path | None, address: str | None, limit: int, form: str | None) -> None:
    """Organisations with regular mail both ways in the last 90 days that the roster lacks.

    Their names are kept nowhere: one message of each is asked for now, which costs 20 units of a Gmail quota.
    """
    if (mbox is None) is not (address is None):
        raise click.UsageError("--mbox and --mailbox go together: whose mail is it?", click.get_current_context())
    capture = Capture(desk.sessions, desk.reading, desk.clock)
    if mbox is not None and address is not None:
        every = suggestions_from_file(capture, desk.programme, own_address(address), MboxFile(mbox))
        found: Sequence[Suggestion] = every[:limit]
        more = len(every) - limit
    else:
        found, more = _from_mailboxes(desk, capture, limit)
    if form == "json":
        as_json([_record(one) for one in found])
    elif form == "csv":
        as_csv(COLUMNS, [_record(one) for one in found])
    else:
        _table(desk, found)
    if more > 0:
        note(f"note: {more} more with less mail; --limit shows them")


def _from_mailboxes(desk: Desk, capture: Capture, limit: int) -> tuple[Sequence[Suggestion], int]:
    told = suggestions_from_mailboxes(capture, desk.settings, desk.vault, desk.programme, 0, limit)
    for troubled, reason in sorted(told.troubles.items()):
        note(f"note: {troubled} could not be asked: {plain(reason)}")
    unnamed = sum(one.domain is None for one in told.found)
    if unnamed:
        why = "their mailboxes could not be asked" if told.troubles else "their newest mail could not be fetched"
        note(f"note: {plural(unnamed, 'organisation')} cannot be named: names are not stored, and {why}")
    for address in told.files_only:
        note(
            f"note: nothing is kept of the mail that {address} got from files: "
            f"`cadence suggest --mbox FILE --mailbox {address}` looks into the file"
        )
    return told.found, told.more


def _table(desk: Desk, found: Sequence[Suggestion]) -> None:
    named = [one for one in found if one.domain is not None]
    heading(desk, f"{plural(len(found), 'organisation')} with regular mail both ways, not on the roster")
    if named:
        today = local_day(desk.clock.now(), desk.programme.zone)
        rows = [
            [
                one.domain or "",
                plural(len(one.mail.ours), "day"),
                plural(len(one.mail.theirs), "day"),
                on_day(one.mail.last_on, today),
                ", ".join(sorted(one.mail.mailboxes)),
            ]
            for one in named
        ]
        columns = ["Organisation", "We wrote on", "They wrote on", "Last mail", "In the mail of"]
        as_table(desk, columns, rows, right=[1, 2])
        tell(desk, "`cadence partners import` puts those that are partners on the roster.")
    elif not found:
        tell(desk, f"Regular means that both sides wrote on {REGULAR_DAYS} days or more of the last 90.")


def _record(one: Suggestion) -> dict[str, object]:
    return {
        "domain": one.domain,
        "days_we_wrote": len(one.mail.ours),
        "days_they_wrote": len(one.mail.theirs),
        "last_on": one.mail.last_on,
        "mailboxes": sorted(one.mail.mailboxes),
    }
