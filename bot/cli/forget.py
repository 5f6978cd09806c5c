"""`cadence forget`: erases a contact or a person everywhere, and says what it removed."""

import click

from bot.cli.common import Desk, Failure, note, pass_desk
from bot.cli.show import as_json, as_table, say
from bot.wording import plain
from models.actions.forget import Erased
from models.actions.forget import forget as forget_address
from models.actions.write import COMMAND_LINE
from models.addresses import normal_address
from models.email_address import email_address


@click.command()
@click.argument("address")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and change nothing.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--json", "as_record", is_flag=True, help="As JSON, with stable keys.")
@pass_desk
def forget(desk: Desk, address: str, dry_run: bool, yes: bool, as_record: bool) -> None:
    """Erase the contact or the person of the team with ADDRESS, which cannot be undone.

    Touches, reads and claims stay as numbers. The person's mailbox is disconnected; what they hold is given back.
    """
    try:
        wanted = email_address(address)
    except ValueError as error:
        raise Failure(plain(str(error), 200)) from error
    if wanted in {normal_address(lead) for lead in desk.settings.leads}:
        raise Failure(f"{plain(wanted)} stands in CADENCE_LEADS, which would bring it back: take it out there first")
    asks = not (dry_run or yes)
    if asks and not desk.on_terminal():
        raise Failure("this cannot be undone: look with --dry-run, then say --yes")
    done = _erase(desk, wanted, keep=yes and not dry_run)
    if not done.counts:
        if done.known:
            say(f"Nothing of {plain(wanted)} is left.")
            return
        raise Failure(f"nobody here has the address {plain(wanted)}, and nothing names it")
    if asks:
        _show(desk, done, as_record)
        click.confirm("Erase all of this for good?", abort=True, err=True)
        done = _erase(desk, wanted, keep=True)
    else:
        _show(desk, done, as_record)
    if dry_run:
        note("This is what would be removed; nothing was changed.")
    else:
        note("It is erased here. What Slack, mail servers and backups hold is not Cadence's to erase.")


def _erase(desk: Desk, address: str, *, keep: bool) -> Erased:
    workspace_id, session = desk.programme.workspace_id, desk.sessions()
    with session, session.begin() as transaction:
        done = forget_address(session, workspace_id, COMMAND_LINE, address, desk.clock.now())
        if not keep:
            transaction.rollback()
    return done


def _show(desk: Desk, done: Erased, as_record: bool) -> None:
    kinds = sorted(done.counts.items())
    if as_record:
        as_json(dict(kinds))
    else:
        as_table(desk, ["What", "Removed"], [[kind, str(count)] for kind, count in kinds], right=[1])
