"""`cadence migrate` and `cadence secrets`: what an administrator does before anything else."""

from datetime import datetime

import click
from sqlalchemy.orm import Session

from bot.cli.common import Desk, note, pass_desk
from bot.cli.show import say
from models.actions import people as people_actions
from models.actions import programme as programme_actions
from models.actions.people import PersonRow
from models.actions.rotation import rotate_secrets
from models.actions.write import COMMAND_LINE
from models.db import make_engine, make_sessions
from models.email_address import email_address
from models.queries.programme import people
from models.schema import migrate as migrate_database
from models.schema import shown_url
from models.settings import Settings, SettingsError
from models.vault import new_key


@click.command()
@pass_desk
def migrate(desk: Desk) -> None:
    """Bring the database to head, with its programme, default tiers and leads."""
    settings, now = desk.settings, desk.clock.now()
    leads = lead_addresses(settings)
    engine = make_engine(settings.database_url)
    try:
        before, after = migrate_database(engine)
        with make_sessions(engine).begin() as session:
            named = name_leads(session, programme_actions.the_workspace(session, now), leads, now)
    finally:
        engine.dispose()
    where = shown_url(settings.database_url)
    say(f"{where} is at head ({after})" if before == after else f"{where}: {before or 'empty'} → {after}")
    for address in named:
        say(f"{address} is a lead now")


def lead_addresses(settings: Settings) -> list[str]:
    """CADENCE_LEADS in the spelling that is stored; SettingsError names the one that is no address."""
    try:
        return [email_address(one) for one in settings.leads]
    except ValueError as error:
        raise SettingsError(f"CADENCE_LEADS: {error}") from error


def name_leads(session: Session, workspace_id: int, leads: list[str], now: datetime) -> list[str]:
    """Makes sure that these addresses are leads on the roster; answers those that were not."""
    known = {one.email: one for one in people(session, workspace_id)}
    aliases = {alias: one for one in known.values() for alias in one.aliases}
    named = []
    for address in leads:
        person = known.get(address) or aliases.get(address)
        if person is None:
            words = address.partition("@")[0].replace(".", " ").replace("_", " ").replace("-", " ")
            row = PersonRow(address, words.title() or address, "lead")
        elif person.leads:
            continue
        else:
            row = PersonRow(
                person.email, person.name, "lead", person.slack_user_id, tuple(person.aliases), person.timezone
            )
        people_actions.put_person(session, workspace_id, COMMAND_LINE, row, now)
        named.append(row.email)
    return named


@click.group()
def secrets() -> None:
    """Make and rotate the keys that seal stored secrets."""


@secrets.command("new-key")
def make_key() -> None:
    """Print a new key for CADENCE_SECRET_KEYS."""
    say(new_key())


@secrets.command("rotate")
@pass_desk
def rotate(desk: Desk) -> None:
    """Seal every stored secret with the first of CADENCE_SECRET_KEYS."""
    done = rotate_secrets(desk.sessions, desk.vault)
    count = done.sealed
    say(f"secrets sealed with the first key: {count}")
    if done.renewed:
        note(f"{done.renewed} changed meanwhile and kept the newer secret: run this again before a key is taken out.")
        return
    if count:
        note("The other keys can be taken out of CADENCE_SECRET_KEYS now.")
