"""`cadence leaders`: whether the leadership gets a post once a month, where, and what it would say now."""

import re
from datetime import date, datetime

import click

from bot import wording
from bot.cli.common import Desk, Failure, as_of_option, note, pass_desk
from bot.cli.show import tell
from models.actions.leaders import set_leaders_channel
from models.actions.write import COMMAND_LINE
from models.clock import local_day
from models.queries.coverage import coverage_over_time

_CHANNEL = re.compile(r"[CG][A-Z0-9]{2,}")


@click.command()
@click.option("--channel", metavar="C…", help="Post there once a month, from the next first working day on.")
@click.option("--off", is_flag=True, help="Post no more.")
@click.option("--preview", is_flag=True, help="Print what the post would say now; nothing is sent.")
@as_of_option
@pass_desk
def leaders(desk: Desk, channel: str | None, off: bool, preview: bool, as_of: date | None) -> None:
    """The monthly post for the leadership: four sentences and a chart, without names of people."""
    if sum((channel is not None, off, preview)) > 1:
        raise click.UsageError("choose one of --channel, --off and --preview.", click.get_current_context())
    if as_of is not None and not preview:
        raise click.UsageError("--as-of goes with --preview.", click.get_current_context())
    if preview:
        _preview(desk, desk.at(as_of))
    elif channel is not None:
        _switch_on(desk, channel)
    elif off:
        _switch_off(desk)
    else:
        _say_how_it_stands(desk)


def _preview(desk: Desk, now: datetime) -> None:
    from bot.views.monthly import told
    from jobs.monthly import WEEKS

    with desk.reading() as session:
        found = coverage_over_time(session, desk.programme, now, WEEKS)
    for sentence in told(found, desk.programme.zone):
        tell(desk, sentence)
    note("Nothing was sent. In Slack a chart of the weeks stands below.")


def _switch_on(desk: Desk, channel: str) -> None:
    from bot.asking import is_shared
    from bot.outbox import posting_client

    if not _CHANNEL.fullmatch(channel):
        raise click.BadParameter(
            f"'{wording.plain(channel, 40)}' is not the id of a channel such as C0123ABCD: "
            "Slack shows it at the end of the channel's details",
            param_hint="--channel",
        )
    token = desk.settings.slack_bot_token
    if token is None:
        note("Slack was not asked about the channel (SLACK_BOT_TOKEN is not set): it is asked before each post.")
    elif is_shared(posting_client(token.get_secret_value(), desk.settings.slack_api_url), channel):
        raise Failure(f"people of another company are in {channel}, so nothing is posted there: choose another channel")
    now = desk.clock.now()
    with desk.sessions.begin() as session:
        changed = set_leaders_channel(session, desk.programme.workspace_id, COMMAND_LINE, channel, now)
    del desk.programme  # read anew
    _say_how_it_stands(desk)
    if changed:
        note("Invite the bot to the channel (/invite), and look at the words: `cadence leaders --preview`.")
        note(
            "Choose one without people of other companies: only with the scopes `channels:read` and `groups:read` does "
            "Slack tell of them."
        )


def _switch_off(desk: Desk) -> None:
    with desk.sessions.begin() as session:
        set_leaders_channel(session, desk.programme.workspace_id, COMMAND_LINE, None, desk.clock.now())
    del desk.programme  # read anew
    _say_how_it_stands(desk)


def _say_how_it_stands(desk: Desk) -> None:
    from jobs.monthly import next_post_at

    programme = desk.programme
    if programme.leaders_channel is None:
        tell(desk, "No monthly post for the leadership: `cadence leaders --channel C…` switches it on.")
        return
    at = next_post_at(programme, desk.clock.now())
    day = local_day(at, programme.zone)
    when = f"{wording.on_day(day, day)} {day.year} at {at.astimezone(programme.zone):%H:%M} ({programme.zone.key})"
    tell(
        desk,
        f"Once a month, on its first working day, coverage is posted in {programme.leaders_channel}: "
        f"four sentences and a chart, without names of people. Next on {when}. `cadence leaders --off` ends it.",
    )
