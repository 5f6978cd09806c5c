"""`cadence away`: somebody is away; nudges wait or go to a stand-in. No partner's standing changes by it."""

from datetime import date

import click

from bot import wording
from bot.cli.common import Desk, Failure, pass_desk
from bot.cli.show import say
from bot.cli.shutdown import Day
from models.actions.people import set_away
from models.actions.write import COMMAND_LINE
from models.clock import local_day
from models.queries.programme import Person, people


@click.command()
@click.argument("email")
@click.option("--until", type=Day(), help="The last day away.")
@click.option("--stand-in", "deputy", metavar="EMAIL", help="Who hears the nudges meanwhile; without, they wait.")
@click.option("--back", is_flag=True, help="Here again.")
@pass_desk
def away(desk: Desk, email: str, until: date | None, deputy: str | None, back: bool) -> None:
    """The person with the address EMAIL is away: partners stay as they stand, only nudges rest."""
    if back == (until is not None) or (back and deputy is not None):
        raise click.UsageError("give --until DAY, with --stand-in if you like, or --back.", click.get_current_context())
    now, programme = desk.clock.now(), desk.programme
    today = local_day(now, programme.zone)
    if until is not None and until < today:
        raise click.BadParameter(f"{until} is past", param_hint="--until")
    with desk.sessions.begin() as session:
        everybody = people(session, programme.workspace_id)
        person = _person(everybody, email)
        stand_in = _person(everybody, deputy) if deputy is not None else None
        if stand_in is not None and (stand_in.id == person.id or not stand_in.may_act):
            raise Failure(f"{wording.name(stand_in.name)} cannot stand in: name another manager or lead")
        set_away(
            session, programme.workspace_id, COMMAND_LINE, person.id, until, stand_in.id if stand_in else None, now
        )
    name = wording.name(person.name)
    if until is None:
        say(f"{name} is back.")
        return
    meanwhile = f"{wording.name(stand_in.name)} hears the nudges" if stand_in else "nudges wait"
    say(f"{name} is away until {wording.on_day(until, today)}; {meanwhile}.")


def _person(everybody: list[Person], typed: str) -> Person:
    wanted = typed.strip().casefold()
    for one in everybody:
        if wanted in (one.email.casefold(), *(alias.casefold() for alias in one.aliases)):
            return one
    raise Failure(
        f"nobody on the roster has the address '{wording.name(typed)}': `cadence people import` brings them in"
    )
