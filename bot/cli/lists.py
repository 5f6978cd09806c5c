"""`cadence owed`, `cadence stale` and `cadence quiet`: the early signals as lists, before a window has passed.

They change no state, and they list partners: whose they are stands beside them, nobody is counted.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

import click
from rich.cells import cell_len

from bot import signal_words, wording
from bot.cli.common import Desk, pass_desk, report_options
from bot.cli.reports import OVERDUE, standing_record, tell_unseen, when
from bot.cli.show import as_csv, as_json, as_table, heading, tell
from models.cadence import State
from models.clock import local_day
from models.queries.quiet import can_be_judged, gone_quiet
from models.queries.reads import troubles
from models.queries.standings import standings
from models.rhythm import UNUSUAL, Silence, one_in
from models.standing import Standing, sort_key

OWED = (*OVERDUE, "state", "waiting_days")
STALE = (*OVERDUE, "state", "next_step_owner", "next_step_set_at")
QUIET = (*OVERDUE, "state", "usual_days", "silent_days", "chance", "stays_silent", "words")
NAME, PERSON, STEP, TIER = 21, 13, 17, 8  # columns of a terminal
SHOWN = 20


@click.command()
@report_options
@pass_desk
def owed(desk: Desk, form: str | None, as_of: date | None) -> None:
    """Partners that wrote last and have waited two business days for our reply."""
    now, programme = desk.at(as_of), desk.programme
    with desk.reading() as session:
        lines = standings(session, programme, now)
        troubled = troubles(session, programme, now)
    today = local_day(now, programme.zone)
    those = sorted((one for one in lines if one.reply_owed), key=sort_key)
    waited = {
        one.facts.partner_id: (today - local_day(one.facts.last_heard_at, programme.zone)).days
        for one in those
        if one.facts.last_heard_at
    }
    if form is not None:
        _records(form, OWED, [_record(one) | {"waiting_days": waited.get(one.facts.partner_id)} for one in those])
        return
    heading(desk, f"{wording.plural(len(those), 'partner waits', 'partners wait')} for our reply {when(desk, now)}")
    if those:
        rows = [
            [
                _fitting(one.facts.name, NAME),
                _fitting(one.facts.tier.name if one.facts.tier else "", TIER),
                _fitting(wording.owner(one), PERSON),
                wording.days_ago(waited.get(one.facts.partner_id, 0)),
                wording.STATE_WORDS[one.state],
            ]
            for one in those
        ]
        as_table(desk, ["Partner", "Tier", "Owner", "They wrote", "Standing"], rows)
    tell_unseen(desk, sorted((one for one in lines if one.state is State.BLIND), key=sort_key), troubled)


@click.command()
@report_options
@pass_desk
def stale(desk: Desk, form: str | None, as_of: date | None) -> None:
    """Partners whose next step has passed its day, or names none and is older than a window."""
    now, programme = desk.at(as_of), desk.programme
    with desk.reading() as session:
        lines = standings(session, programme, now)
    today = local_day(now, programme.zone)
    those = sorted((one for one in lines if one.step_stale), key=sort_key)
    if form is not None:
        _records(form, STALE, [_record(one) | _step(one) for one in those])
        return
    heading(desk, f"{wording.plural(len(those), 'next step has', 'next steps have')} gone stale {when(desk, now)}")
    if those:
        rows = [
            [
                _fitting(one.facts.name, NAME),
                _fitting(_step(one)["next_step_owner"] or wording.owner(one), PERSON),
                _fitting(one.facts.next_step.text if one.facts.next_step else "", STEP),
                signal_words.stale_step(one, today, programme.zone),
            ]
            for one in those
        ]
        as_table(desk, ["Partner", "With", "Next step", "Why"], rows)
    without = sum(one.facts.next_step is None and one.state not in (State.ENDED, State.PAUSED) for one in lines)
    if without:
        tell(desk, f"{wording.plural(without, 'partner has', 'partners have')} no next step at all.")


@click.command()
@click.option("--limit", type=click.IntRange(min=1), help=f"Only so many; without --json and --csv {SHOWN}.")
@report_options
@pass_desk
def quiet(desk: Desk, limit: int | None, form: str | None, as_of: date | None) -> None:
    """Partners whose silence is out of character, by their own rhythm; the most unusual first."""
    now, programme = desk.at(as_of), desk.programme
    with desk.reading() as session:
        lines = standings(session, programme, now)
        those = gone_quiet(session, programme, now, lines)
        troubled = troubles(session, programme, now)
    if form is not None:
        _records(form, QUIET, [_record(one) | _silence(silence) for one, silence in those[:limit]])
        return
    shown, rare = those[: limit or SHOWN], one_in(UNUSUAL).removeprefix("about ")
    heading(desk, f"{wording.plural(len(those), 'partner has', 'partners have')} gone quiet for them {when(desk, now)}")
    if shown:
        rows = [
            [_fitting(one.facts.name, NAME), _fitting(wording.owner(one), PERSON), silence.words]
            for one, silence in shown
        ]
        as_table(desk, ["Partner", "Owner", "Why"], rows)
    if len(those) > len(shown):
        tell(desk, f"And {len(those) - len(shown)} more: --limit {len(those)} lists them all.")
    tell(desk, f"Listed is who was heard from on 3 days or more and whose silence is {rare} of their own, or rarer.")
    unseen = [one for one in lines if one.state not in (State.ENDED, State.PAUSED) and not can_be_judged(one, now)]
    if unseen:
        tell(
            desk,
            f"{wording.plural(len(unseen), 'partner')} cannot be judged: no mailbox of the owner has synced lately.",
        )
    tell_unseen(desk, (), troubled)


def _fitting(text: str, cells: int) -> str:
    """What fits a column of a table; of wide letters there are fewer."""
    limit, shown = cells, wording.plain(text, cells)
    while cell_len(shown) > cells:
        limit -= 1
        shown = wording.plain(text, limit)
    return shown


def _records(form: str, columns: Sequence[str], records: list[dict[str, Any]]) -> None:
    if form == "json":
        as_json(records)
    else:
        as_csv(columns, records)


def _record(one: Standing) -> dict[str, Any]:
    return standing_record(one) | {"state": str(one.state)}


def _step(one: Standing) -> dict[str, Any]:
    step = one.facts.next_step
    return {
        "next_step_owner": step.owner.name if step and step.owner else None,
        "next_step_set_at": step.set_at if step else None,
    }


def _silence(silence: Silence) -> dict[str, Any]:
    return {
        "usual_days": silence.usual_days,
        "silent_days": silence.silent_days,
        "chance": silence.chance,
        "stays_silent": silence.stays_silent,
        "words": silence.words,
    }
