"""`cadence people` and `cadence partners`: the roster from and to files."""

import io
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import click
from sqlalchemy.orm import Session

from bot.cli.common import Desk, Failure, note, pass_desk
from bot.cli.show import as_json, say
from bot.wording import listed, name, plain, plural
from jobs.roster.csv import Imported, export_partners, import_partners, import_people
from models.actions.merge import merge_partners
from models.actions.partners import Taken, rename_partner
from models.actions.write import COMMAND_LINE
from models.queries.lookup import find_partner
from models.queries.programme import Programme
from models.queries.standings import PartnerName

file_argument = click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
SHOWN = 40
Import = Callable[[Session, Programme, bytes, datetime], Imported]


@click.group()
def people() -> None:
    """Our own people: leads, managers and viewers."""


@people.command("import")
@file_argument
@dry_run_option
@pass_desk
def import_people_file(desk: Desk, file: Path, dry_run: bool) -> None:
    """Import people from FILE with the columns email, name, role, slack_user_id, aliases, timezone."""
    _import(desk, file, dry_run, import_people, "person", "people")


@click.group()
def partners() -> None:
    """The partners: who they are, whose they are and what their tier is."""


@partners.command("import")
@file_argument
@dry_run_option
@pass_desk
def import_partners_file(desk: Desk, file: Path, dry_run: bool) -> None:
    """Import partners from FILE; empty cells of status, since, next_step and external_id leave what is there."""
    _import(desk, file, dry_run, import_partners, "partner", "partners")


@partners.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@pass_desk
def rename(desk: Desk, old: str, new: str) -> None:
    """Give the partner OLD the name NEW; everything else stays."""
    now, programme = desk.clock.now(), desk.programme
    with desk.sessions.begin() as session:
        partner = _named(session, programme, old, now)
        try:
            rename_partner(session, programme.workspace_id, COMMAND_LINE, partner.id, " ".join(new.split()), now)
        except Taken as error:
            raise Failure(
                f"{name(error.holder)} is another partner: `cadence partners merge` makes one of the two"
            ) from error
        except ValueError as error:
            raise Failure(str(error)) from error
    say(f"{name(partner.name)} is now {name(new)}")


@partners.command()
@click.argument("gone", metavar="FROM")
@click.argument("kept", metavar="INTO")
@dry_run_option
@pass_desk
def merge(desk: Desk, gone: str, kept: str, dry_run: bool) -> None:
    """Make one partner of two: mail, addresses, recovery and next step of FROM become those of INTO.

    INTO keeps its name, tier, owner and status. Weekly reads that were held still show both.
    """
    now, programme = desk.clock.now(), desk.programme
    session = desk.sessions()
    with session, session.begin() as transaction:
        goes, stays = _named(session, programme, gone, now), _named(session, programme, kept, now)
        if goes.id == stays.id:
            raise Failure(f"{name(goes.name)} is one partner already: give two names")
        done = merge_partners(session, programme, COMMAND_LINE, goes.id, stays.id, now)
        if dry_run:
            transaction.rollback()
    would, into = ("would be " if dry_run else ""), name(stays.name)
    say(f"{plural(done.touches, 'touch', 'touches')} {would}moved to {into}")
    if done.common:
        say(f"{plural(done.common, 'mail')} that both have {would}kept once")
    known = [plain(one) for one in (*done.domains, *done.contacts)]
    if known:
        say(f"{would}known to {into}: {', '.join(known)}")
    if done.recovery_moved:
        say(f"the open recovery {would or 'is '}that of {into}")
    if done.step_moved:
        say(f"next step {would}moved: {plain(done.step_moved)}")
    if done.step_ended:
        say(f"next step {would}ended, since {into} has one: {plain(done.step_ended)}")
    if done.mutes:
        say(f"{plural(done.mutes, 'person', 'people')} who {would or 'are '}muted for {into} as for {name(goes.name)}")
    say(f"{name(goes.name)} {'would be' if dry_run else 'is'} merged into {into}" + _not_written(dry_run))


@partners.command("export")
@click.option("--json", "as_list", is_flag=True, help="As JSON.")
@click.option("--csv", is_flag=True, help="As CSV; this is what happens anyway.")
@pass_desk
def export(desk: Desk, as_list: bool, csv: bool) -> None:
    """Write the file that `partners import` reads to standard output."""
    from dataclasses import asdict

    from models.queries.roster import partner_lines

    with desk.reading() as session:
        if as_list and not csv:
            lines = partner_lines(session, desk.programme.workspace_id)
            as_json([{**asdict(line), "status": str(line.status)} for line in lines.values()])
            return
        out = io.StringIO()
        export_partners(session, desk.programme, out)
    click.echo(out.getvalue(), nl=False)


def _import(desk: Desk, file: Path, dry_run: bool, read: Import, one: str, many: str) -> None:
    data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    programme = desk.programme
    session = desk.sessions()
    with session, session.begin() as transaction:
        done = read(session, programme, data, desk.clock.now())
        if dry_run:
            transaction.rollback()
    would = "would be " if dry_run else ""
    if not done.added and not done.changed and not done.unchanged:
        say(f"The file names no {many} below its header: nothing {'would be' if dry_run else 'was'} changed.")
        return
    for title, lines in (("added", [name(added) for added in done.added]), ("changed", done.changed)):
        for line in lines if dry_run else lines[:SHOWN]:
            say(f"{would}{title}: {plain(line)}")
        if not dry_run and len(lines) > SHOWN:
            say(f"… and {len(lines) - SHOWN} more {title}")
    for warning in done.warnings:
        note(f"note: {plain(warning)}")
    if done.rematched.again:
        again = plural(done.rematched.again, "message")
        note(f"note: {again} of the last 90 days {would}read again by the next capture, since the roster has changed")
    if done.rematched.voided:
        voided = plural(done.rematched.voided, "touch", "touches")
        note(f"note: {voided} {would}voided, since the address no longer belongs to the partner")
    for address in done.files_only:
        note(f"note: {address} is known from files only: import them again to find mail with whom you have added")
    counts = f"{len(done.added)} added, {len(done.changed)} changed, {done.unchanged} unchanged"
    total = plural(len(done.added) + len(done.changed) + done.unchanged, one, many)
    say(f"{total}: {counts}" + _not_written(dry_run))


def _named(session: Session, programme: Programme, typed: str, now: datetime) -> PartnerName:
    """The partner of exactly this name: what cannot be taken back is not done on a guess."""
    found = find_partner(session, programme.workspace_id, typed, now)
    if found.partner is not None and found.exact:
        return found.partner
    nearest = [name(one.name) for one in ([found.partner] if found.partner else []) + list(found.nearest)]
    if not nearest:
        raise Failure(f"there is no partner '{name(typed)}'")
    if found.ambiguous:
        raise Failure(f"'{name(typed)}' may be {listed(nearest, 6)}: type the whole name")
    raise Failure(f"there is no partner '{name(typed)}'; the nearest names are {listed(nearest, 3)}")


def _not_written(dry_run: bool) -> str:
    return "; nothing was written (dry run)" if dry_run else ""
