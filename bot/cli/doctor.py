"""`cadence doctor`: whatever could be wrong with an installation, one line each, with what to do.

Must not show a secret.
"""

from collections.abc import Iterator
from copy import copy
from datetime import datetime

import click
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bot.asking import ask, refusal
from bot.cli.app import database_said
from bot.cli.checks import Finding, clock_finding, database_findings, programme_findings, settings_findings
from bot.cli.common import MARKS, Desk, pass_desk
from bot.cli.mailboxes import JUST_TRIED, answer_of, condition
from bot.cli.show import say
from bot.connecting import back_address, obstacle
from bot.installing import check_settings
from bot.views.consent import LOGIN
from bot.wording import plain, plural
from jobs.mailbox.web_consent import WebConsents
from models.clock import SystemClock
from models.mailbox_health import State
from models.queries.installations import Installed, access_lost_in, all_installed, speaks_for_workspace
from models.queries.mail import MailboxFacts, mailboxes
from models.queries.outbox import uncertain_posts
from models.queries.programme import Programme, people, programmes, tiers
from models.queries.standings import partner_names
from models.schema import SchemaError, shown_url
from models.settings import Settings, SettingsError
from models.vault import VaultError

NEEDED = ("chat:write", "commands", "users:read")
USEFUL = {
    "im:write": "nudges cannot open a direct message",
    "users:read.email": "people are not found by their address",
    "channels:read": "Slack does not tell whether a channel is shared with another company",
    "groups:read": "Slack does not tell whether a private channel is shared with another company",
    "files:write": "no picture is shared where Slack draws no chart",
    "files:read": "a roster cannot be uploaded as a file",
}
SLACK_SECONDS = 10


@click.command()
@pass_desk
@click.pass_context
def doctor(ctx: click.Context, desk: Desk) -> None:
    """Check settings, database, Slack and every mailbox; say what to do."""
    wrong = 0
    for good, text in findings(desk):
        wrong += good is False
        say(f"{MARKS[good]} {plain(text)}")
    if wrong:
        click.echo(f"cadence: {plural(wrong, 'thing needs', 'things need')} attention", err=True)
        ctx.exit(1)


def findings(desk: Desk) -> Iterator[Finding]:
    """Each part is looked at, whatever the others said."""
    try:
        settings = desk.settings
    except SettingsError as error:
        for one in str(error).split("; "):
            yield False, f"settings: {one}"
        return
    wrong = list(settings_findings(settings))
    yield from wrong
    if all(good is not False for good, _ in wrong):
        yield True, f"settings: time zone {settings.timezone}, weekly read {settings.read_at}"
    at_head = _database(desk)
    yield at_head
    if not at_head[0]:
        yield from _slack(desk, None)
        return
    yield from database_findings(desk.engine)
    desks = list(_desks(desk))
    if len(desks) > 1:
        yield None, f"programmes: {len(desks)}, one after the other; `cadence --workspace TEAM_ID doctor` looks at one"
    yield from _slack(desk, desks[0].programme if len(desks) == 1 else None)
    yield from _connecting(desk)
    for each in desks:
        if len(desks) > 1:
            yield None, f"programme of {each.programme.team_id or 'no Slack workspace yet'}:"
        yield from _programme(each)


def _desks(desk: Desk) -> Iterator[Desk]:
    """One for each programme that is meant; the database is shared."""
    if desk.workspace is None:
        with desk.reading() as session:
            everyone = programmes(session, desk.settings)
        if len(everyone) > 1:
            for programme in everyone:
                one = copy(desk)
                one.__dict__["programme"] = programme
                yield one
            return
    yield desk


def _programme(desk: Desk) -> Iterator[Finding]:
    programme = desk.programme
    with desk.reading() as session:
        boxes = mailboxes(session, programme.workspace_id)
        yield from _roster(session, programme, desk.clock.now())
        yield from programme_findings(session, desk, programme)
        installed = speaks_for_workspace(session, programme.workspace_id) if desk.settings.installable else None
    if installed is not None:
        yield from _installed_channels(desk, programme, installed)
    yield from _secrets(desk, boxes)
    if not boxes:
        yield False, "mailboxes: none is connected, so nothing is seen: `cadence mailbox add`"
    for box in boxes:
        good, said = answer_of(desk, box)
        yield good, f"mailbox {box.address}: {said}"
        health = condition(desk, box)
        if good and health.state is not State.OK and health.state not in JUST_TRIED:
            yield (False if health.attention else None), f"mailbox {box.address}: {health.state}: {health.detail}"


def _database(desk: Desk) -> Finding:
    where = shown_url(desk.settings.database_url)
    try:
        return True, f"database: {shown_url(str(desk.engine.url))} is at head"
    except SchemaError as error:
        return False, f"database: {error}"
    except ModuleNotFoundError as error:
        return False, f"database: {error.name} is missing: install Cadence with its `postgres` extra"
    except SQLAlchemyError as error:
        return False, f"database: {database_said(error)}"
    except OSError as error:
        return False, f"database: {error.filename or where}: {error.strerror or error}"


def _roster(session: Session, programme: Programme, now: datetime) -> Iterator[Finding]:
    persons = people(session, programme.workspace_id)
    leads = sum(one.leads for one in persons)
    if not persons:
        yield False, "people: the roster is empty: `cadence people import people.csv`"
    elif not leads:
        yield False, "people: nobody is a lead: give somebody the role in people.csv, or set CADENCE_LEADS"
    else:
        yield True, f"people: {len(persons)} on the roster, {plural(leads, 'lead')}"
    in_force = tiers(session, programme.workspace_id, now)
    said = ", ".join(f"{one.name} {plural(one.window_days, 'day')}" for one in in_force.values())
    yield bool(in_force), f"tiers: {said}" if said else "tiers: there are none: `cadence tiers set 1 --window 7`"
    names = partner_names(session, programme.workspace_id, now)
    yield bool(names), f"partners: {len(names)}" if names else "partners: none: `cadence partners import partners.csv`"
    posts = uncertain_posts(session, programme.workspace_id)
    for post in posts:
        yield False, f"message {post.kind} {post.period}: {post.error or post.status}; a lead decides in Slack"


def _secrets(desk: Desk, boxes: list[MailboxFacts]) -> Iterator[Finding]:
    sealed = [box for box in boxes if box.credential]
    try:
        for box in sealed:
            desk.vault.open(box.address, box.credential or "")
    except VaultError as error:
        yield False, f"secrets: {error}"
    else:
        yield (
            True if sealed else None,
            f"secrets: {len(sealed)} stored, all can be opened" if sealed else "secrets: none",
        )


def _connecting(desk: Desk) -> Iterator[Finding]:
    """Whether people connect their own mailboxes from Slack, for whoever has given Cadence an address for browsers."""
    settings = desk.settings
    if settings.public_url is None:
        return
    found = WebConsents(settings, desk.clock).providers()
    why = obstacle(settings, found)
    if why is not None:
        yield None, f"own mailboxes: nobody connects one from Slack, because {why}"
        return
    names, back = " and ".join(LOGIN[one] for one in found), back_address(settings)
    yield True, f"own mailboxes: connected from Slack at {names}; register there the redirect URI {back}"


def _slack(desk: Desk, programme: Programme | None) -> Iterator[Finding]:
    settings = desk.settings
    if settings.installable:
        yield from _installations(desk)
        if settings.slack_bot_token is None:
            return
    if settings.slack_bot_token is None:
        yield False, "Slack: SLACK_BOT_TOKEN is not set: copy the bot token (xoxb-…) from your app's page"
        return
    client = WebClient(settings.slack_bot_token.get_secret_value(), settings.slack_api_url, timeout=SLACK_SECONDS)
    try:
        answer = client.auth_test()
    except SlackApiError as error:
        yield (
            False,
            f"Slack: refuses SLACK_BOT_TOKEN ({refusal(error)}): copy it anew from your app's page",
        )
        return
    except Exception as error:  # the stock client raises what its transport raises
        yield False, f"Slack: {settings.slack_api_url} cannot be reached ({type(error).__name__}): check SLACK_API_URL"
        return
    yield True, f"Slack: {answer.get('user') or 'the bot'} in {answer.get('team') or 'its workspace'}"
    clock = clock_finding(answer.headers or {}, SystemClock().now())
    if clock is not None:
        yield clock
    yield from _app_token(settings)
    if settings.slack_app_token is None and settings.slack_signing_secret is None:
        yield False, "Slack: set SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP): nothing can be received"
    yield from _scopes(answer)
    if programme is not None and programme.channel is None:
        yield False, "channel: set CADENCE_CHANNEL to the id (C…) of the channel for the weekly read"
    elif programme is not None and programme.channel is not None:
        yield _channel(client, programme.channel, "channel", "choose another in CADENCE_CHANNEL")
    if programme is not None and programme.leaders_channel is not None:
        another = "choose another with `cadence leaders --channel`, or `cadence leaders --off`"
        yield _channel(client, programme.leaders_channel, "leaders' channel", another)


def _app_token(settings: Settings) -> Iterator[Finding]:
    """Asks for the address of a socket, and does not open it."""
    if settings.slack_app_token is None:
        return
    token = settings.slack_app_token.get_secret_value()
    try:
        WebClient(base_url=settings.slack_api_url, timeout=SLACK_SECONDS).apps_connections_open(app_token=token)
    except SlackApiError as error:
        yield (
            False,
            f"Slack: refuses SLACK_APP_TOKEN ({refusal(error)}): make one with connections:write on your app's page",
        )
    except Exception as error:  # the stock client raises what its transport raises
        yield False, f"Slack: SLACK_APP_TOKEN could not be tried ({type(error).__name__}): run `cadence doctor` again"


def _installed_channels(desk: Desk, programme: Programme, installed: Installed) -> Iterator[Finding]:
    """The channels of a programme whose people installed the app; what is wrong with its token was told before."""
    try:
        token = desk.vault.open(installed.key, installed.sealed)
    except VaultError:
        return
    client = WebClient(token, desk.settings.slack_api_url, timeout=SLACK_SECONDS)
    if programme.channel is None:
        yield None, "channel: none yet: a lead chooses it with `/cadence setup`"
    else:
        yield _channel(client, programme.channel, "channel", "a lead chooses another with `/cadence settings`")
    if programme.leaders_channel is not None:
        another = "choose another with `cadence leaders --channel`, or `cadence leaders --off`"
        yield _channel(client, programme.leaders_channel, "leaders' channel", another)


def _installations(desk: Desk) -> Iterator[Finding]:
    """Whoever has installed the app: whether the token opens, and whether Slack takes it."""
    try:
        check_settings(desk.settings)
    except SettingsError as error:
        yield False, f"Slack: {error}"
    with desk.reading() as session:
        installed = all_installed(session)
        resting = access_lost_in(session)
    yield (True if installed else None), f"Slack: {plural(len(installed), 'workspace')} installed the app"
    for one in installed:
        try:
            token = desk.vault.open(one.key, one.sealed)
            answer = WebClient(token, desk.settings.slack_api_url, timeout=SLACK_SECONDS).auth_test()
            for good, text in _scopes(answer):
                yield good, f"Slack {one.key}: {text}"
        except VaultError as error:
            yield False, f"Slack {one.key}: {error}"
        except SlackApiError as error:
            yield False, f"Slack {one.key}: refuses its token ({refusal(error)}): install the app there again"
        except Exception as error:  # the stock client raises what its transport raises
            yield False, f"Slack {one.key}: cannot be reached ({type(error).__name__})"
    for team_id, why in resting:
        yield None, f"Slack team:{team_id}: rests since Slack took the access away ({why}): install the app there again"


def _scopes(answer: SlackResponse) -> Iterator[Finding]:
    headers = {key.lower(): value for key, value in (answer.headers or {}).items()}
    granted = {one.strip() for one in str(headers.get("x-oauth-scopes", "")).split(",")} - {""}
    if not granted:
        yield None, "scopes: Slack did not say which were granted"
        return
    missing = [one for one in NEEDED if one not in granted]
    if missing:
        yield False, f"scopes: {', '.join(missing)} missing: install the app again from manifest.yml"
    else:
        yield True, f"scopes: {', '.join(NEEDED)}"
    for scope, without in USEFUL.items():
        if scope not in granted:
            yield None, f"scopes: without {scope} {without}"


def _channel(client: WebClient, channel: str, name: str, another: str) -> Finding:
    """Looking at a channel needs a scope that the bot does without; then only the first post can tell.

    `another` is how a different channel is chosen.
    """
    try:
        about = ask(client, "conversations.info", channel=channel)["channel"] or {}
    except SlackApiError as error:
        reason = refusal(error)
        if reason == "channel_not_found":
            return False, f"{name}: Slack knows no {channel} that the bot may see: check the id and `/invite @Cadence`"
        return None, f"{name}: {channel} is set; the bot may not look at it ({reason}), so `/invite @Cadence` there"
    except Exception as error:
        return False, f"{name}: {channel} could not be looked at ({type(error).__name__})"
    if about.get("is_archived"):
        return False, f"{name}: {channel} is archived: {another}"
    if about.get("is_ext_shared") or about.get("is_pending_ext_shared"):
        return False, f"{name}: {channel} is shared with another company, so nothing is posted there: {another}"
    if about.get("is_member") is False:
        return False, f"{name}: the bot is not in {channel}: `/invite @Cadence` there"
    return True, f"{name}: the bot is in {channel}"
