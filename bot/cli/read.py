"""`cadence read` and `cadence nudge`: the weekly read in a terminal, and what the clock would do, done now."""

from dataclasses import asdict
from datetime import date
from typing import Any

import click

from bot import signal_words, wording
from bot.cli.common import AsOf, Desk, Failure, as_of_option, json_option, note, pass_desk
from bot.cli.compare import compare as compare_read
from bot.cli.coverage import tier_record, tier_table
from bot.cli.reports import overdue_table, standing_record, when
from bot.cli.show import as_json, heading, say, tell
from models.actions.write import COMMAND_LINE
from models.clock import local_day, week_of
from models.queries.reads import read_of_week, weekly_read
from models.settings import SettingsError
from models.weekly_read import WeeklyRead


@click.command()
@click.option("--post", is_flag=True, help="Hold it and post it in its channel, once per week.")
@click.option("--compare", "week", metavar="DAY", type=AsOf(), help="The read held in the week of DAY, computed anew.")
@json_option
@as_of_option
@pass_desk
def read(desk: Desk, post: bool, week: date | None, form: str | None, as_of: date | None) -> None:
    """The weekly read at this instant, or with --compare one that was held, beside what was and is known about it."""
    if week is not None:
        if post or as_of is not None:
            raise click.UsageError("--compare stands alone, or with --json.", click.get_current_context())
        compare_read(desk, week, form)
        return
    if post and as_of is not None:
        raise click.UsageError("--post holds the read of now: leave --as-of out.", click.get_current_context())
    now = desk.at(as_of)
    if post:
        _post(desk)
    with desk.reading() as session:
        found = weekly_read(session, desk.programme, now)
    if form == "json":
        as_json(_record(found))
    else:
        print_read(desk, found)


@click.command()
@pass_desk
def nudge(desk: Desk) -> None:
    """Send what private reminders are due, one message per person and day."""
    from jobs.nudges import notice_transitions, send_nudges

    now, programme = desk.clock.now(), desk.programme
    _require_slack(desk)
    with desk.sessions.begin() as session:
        notice_transitions(session, programme, now)
    queued = send_nudges(desk.sessions, programme, now)
    sent = _pump(desk)
    tell(
        desk,
        f"{wording.plural(queued, 'person', 'people')} to be told, {wording.plural(sent, 'message')} sent or updated.",
    )


def print_read(desk: Desk, found: WeeklyRead) -> None:
    """The read as a person wants to see it: the sentence, who needs a touch, what comes next, what was not seen."""
    heading(desk, wording.title(found))
    tell(desk, wording.summary(found))
    say()
    tier_table(desk, found.tiers)
    for one in found.recoveries:
        tell(desk, f"· {wording.recovery(one)}")
    say()
    heading(desk, wording.headline(found, shown=6))
    if found.overdue:
        overdue_table(desk, list(found.overdue), found.today)
        tell(desk, f"{wording.progress(found)}.")
        say()
    outside = wording.outside(found.paused, found.new, found.untiered, len(found.blind))
    lines = [
        wording.due_soon_line(found),
        _pointed(wording.reply_owed_line(found), "owed"),
        _pointed(signal_words.step_stale_line(found), "stale"),
        _pointed(signal_words.quiet_line(found), "quiet"),
        signal_words.shutdown_line(found),
        wording.blind_line(found),
        outside,
    ]
    for line in [*filter(None, lines), *map(wording.trouble, found.troubles)]:
        tell(desk, f"{line.rstrip('.')}.")


def _pointed(line: str | None, command: str) -> str | None:
    """The line, and where those are that it only counts."""
    return f"{line} (`cadence {command}` lists them)" if line and line.endswith(" more") else line


def _post(desk: Desk) -> None:
    from jobs.weekly_read import hold_and_post

    now, programme = desk.clock.now(), desk.programme
    _require_slack(desk)
    if programme.channel is None:
        raise SettingsError("CADENCE_CHANNEL is not set: give the id of the channel for the weekly read (C…)")
    with desk.reading() as session:
        held = read_of_week(session, programme.workspace_id, week_of(local_day(now, programme.zone)))
    if held is not None or hold_and_post(desk.sessions, programme, now, actor=COMMAND_LINE) is None:
        note("This week's read was held before: it is not posted again.")
        return
    if not _pump(desk):
        raise Failure("the read is held but Slack has not confirmed its message: `cadence doctor` says what is wrong")
    note(f"Posted in {programme.channel} {when(desk, now)}.")


def _require_slack(desk: Desk) -> None:
    if desk.settings.slack_bot_token is None:
        raise SettingsError("SLACK_BOT_TOKEN is not set: copy the bot token (xoxb-…) from your Slack app's page")


def _pump(desk: Desk) -> int:
    """Sends what waits, as the running bot would; both may do it, each message is taken by one."""
    from bot.outbox import Outbox, posting_client
    from bot.redraw import redraw_of

    token = desk.settings.slack_bot_token
    client = posting_client(token.get_secret_value() if token else "", desk.settings.slack_api_url)
    outbox = Outbox(desk.sessions, desk.reading, client, desk.clock, redraw_of(desk.settings))
    total = 0
    while done := outbox.pump(desk.programme.workspace_id):  # a read's later pages wait for its first message
        total += done
    return total


def _record(found: WeeklyRead) -> dict[str, Any]:
    return {
        "as_of": found.at,
        "week": found.week,
        "summary": wording.summary(found),
        "tiers": [tier_record(one) for one in found.tiers],
        "covered": found.overall.covered,
        "eligible": found.overall.eligible,
        "overdue": [standing_record(one) for one in found.overdue],
        "due_soon": [standing_record(one) for one in found.due_soon],
        "reply_owed": [one.facts.name for one in found.reply_owed],
        "step_stale": [one.facts.name for one in found.step_stale],
        "quiet": [
            {"partner": one.standing.facts.name, "chance": one.chance, "words": one.words} for one in found.quiet
        ],
        "shutdowns": [asdict(one) for one in found.shutdowns],
        "blind": [one.facts.name for one in found.blind],
        "recoveries": [asdict(one) for one in found.recoveries],
        "assigned": found.assigned,
        "paused": found.paused,
        "new": found.new,
        "untiered": found.untiered,
        "troubles": [asdict(one) for one in found.troubles],
    }
