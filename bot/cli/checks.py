"""The checks of `cadence doctor` that ask neither Slack nor a provider: settings, machine, database, programme."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bot.cli.common import Desk
from bot.cli.database import lead_addresses
from bot.views.setup import channel_words
from bot.wording import listed, plain, plural
from models.queries.checks import checks_of, journal_mode, server_condition
from models.queries.programme import Programme, people
from models.queries.setup import setup_of
from models.settings import Settings, SettingsError, zone_named
from models.vault import Vault, VaultError

Finding = tuple[bool | None, str]
"""✓, ✗ or – (nothing to judge), and the line."""

LITTLE_SPACE = 500_000_000
LONG_LOG = 200_000_000
CLOCK_OFF, CLOCK_FAR_OFF = timedelta(seconds=30), timedelta(minutes=4)
STANDS_STILL = timedelta(hours=36)
LATE = timedelta(minutes=15)
HERE = ("localhost", "127.0.0.1", "::1")
TOGETHER = (
    ("SLACK_CLIENT_ID", "slack_client_id", "SLACK_CLIENT_SECRET", "slack_client_secret"),
    ("GOOGLE_CLIENT_ID", "google_client_id", "GOOGLE_CLIENT_SECRET", "google_client_secret"),
    ("MICROSOFT_CLIENT_ID", "microsoft_client_id", "MICROSOFT_TENANT_ID", "microsoft_tenant_id"),
)
ADDRESSES = {
    "SLACK_API_URL": "slack_api_url",
    "GOOGLE_TOKEN_URL": "google_token_url",
    "GMAIL_API_URL": "gmail_api_url",
    "MICROSOFT_LOGIN_URL": "microsoft_login_url",
    "GRAPH_API_URL": "graph_api_url",
}


def settings_findings(settings: Settings) -> Iterator[Finding]:
    """Values that are right on their own and wrong together, or that belong to something else."""
    for first, its_name, second, other_name in TOGETHER:
        one, other = getattr(settings, its_name), getattr(settings, other_name)
        if (one is None) != (other is None):
            missing = second if other is None else first
            yield False, f"settings: {missing} is missing beside {first if other is None else second}: set both or none"
    if settings.microsoft_client_secret is not None and settings.microsoft_client_id is None:
        yield False, "settings: MICROSOFT_CLIENT_SECRET needs MICROSOFT_CLIENT_ID and MICROSOFT_TENANT_ID beside it"
    if settings.installable and settings.slack_app_token is not None:
        yield False, "settings: leave SLACK_APP_TOKEN out, because people install the app over HTTP (SLACK_CLIENT_ID)"
    yield from _tokens(settings)
    for name, field in ADDRESSES.items():
        address = urlsplit(getattr(settings, field))
        if address.scheme == "http" and address.hostname not in HERE:
            yield False, f"settings: {name} begins with http://, so tokens travel in the clear: use https://"
    try:
        lead_addresses(settings)
    except SettingsError as error:
        yield False, f"settings: {error}"
    try:
        Vault(settings.secret_keys)
    except VaultError as error:
        yield False, f"settings: {error}"
    if settings.google_service_account_file is not None:
        yield from _key_file(settings.google_service_account_file)
    try:
        zone_named("America/Argentina/Buenos_Aires")
    except ValueError:
        yield False, "time zones: this machine has no table of them: install the package tzdata"


def _tokens(settings: Settings) -> Iterator[Finding]:
    """Tokens are told apart by how they begin; nothing else of them is shown."""
    for name, token, begins in (
        ("SLACK_BOT_TOKEN", settings.slack_bot_token, "xoxb-"),
        ("SLACK_APP_TOKEN", settings.slack_app_token, "xapp-"),
    ):
        value = token.get_secret_value() if token else begins
        if value.startswith("xoxe"):
            yield False, f"settings: {name} expires: turn token rotation off on your app's page and install it again"
        elif not value.startswith(begins):
            yield False, f"settings: {name} does not begin with {begins}: another token was copied"
        elif value != value.strip() or not value.isascii():
            yield False, f"settings: {name} has a character that no token has: copy it anew"


def _key_file(path: Path) -> Iterator[Finding]:
    try:
        key = json.loads(path.read_text(encoding="utf-8"))
        kind = key.get("type") if isinstance(key, dict) else None
    except OSError as error:
        yield False, f"settings: GOOGLE_SERVICE_ACCOUNT_FILE {path}: {error.strerror}: give a file that can be read"
        return
    except ValueError:
        kind = None
    if kind != "service_account":
        yield False, f"settings: GOOGLE_SERVICE_ACCOUNT_FILE {path}: no service account's key: download it as JSON"
    elif os.name == "posix" and path.stat().st_mode & 0o077:
        yield None, f"settings: others on this machine can read {path}: `chmod 600` it"


def database_findings(engine: Engine) -> Iterator[Finding]:
    """What of a database that answers will be trouble soon."""
    if engine.dialect.name == "sqlite":
        path = Path(engine.url.database or "")
        if engine.url.database and path.exists():
            yield from _sqlite(engine, path)
        return
    encoding, follows = server_condition(engine)
    if follows:
        yield False, "database: the server only follows another one and takes no change: give the address of that one"
    if encoding != "UTF8":
        yield False, f"database: its encoding is {encoding}: make a new one with ENCODING 'UTF8' and move over"


def _sqlite(engine: Engine, path: Path) -> Iterator[Finding]:
    folder, log = path.resolve().parent, Path(f"{path}-wal")
    if not os.access(path, os.W_OK) or not os.access(folder, os.W_OK):
        yield False, f"database: this user may not write {path} and its folder: give them to the user of `cadence run`"
    mode = journal_mode(engine)
    if mode != "wal":
        yield False, f"database: {folder} allows no write-ahead log ({mode}): put the file on a disk of this machine"
    free, size = shutil.disk_usage(folder).free, path.stat().st_size
    if free < max(LITTLE_SPACE, size):
        yield False, f"database: {folder} has {_megabytes(free)} left for a file of {_megabytes(size)}: make room"
    if log.exists() and log.stat().st_size > LONG_LOG:
        held = "some program keeps the database open for reading: end it, or restart `cadence run`"
        yield None, f"database: its write-ahead log has grown to {_megabytes(log.stat().st_size)}: {held}"


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:,.0f} MB"


def clock_finding(headers: Mapping[str, object], now: datetime) -> Finding | None:
    """This machine's clock beside the one of whoever answered; None when the answer has no date."""
    said = next((value for name, value in headers.items() if name.lower() == "date"), None)
    try:
        theirs = parsedate_to_datetime(str(said[0] if isinstance(said, list) else said))
    except (TypeError, ValueError):
        return None
    off = now - (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC))
    words = f"{abs(off.total_seconds()):.0f} s {'ahead of' if off > timedelta() else 'behind'} Slack's"
    if abs(off) > CLOCK_FAR_OFF:
        return False, f"clock: this machine's is {words}, so requests count as forged: set it (NTP)"
    return (None, f"clock: this machine's is {words}: set it (NTP)") if abs(off) > CLOCK_OFF else (True, "clock: right")


def programme_findings(session: Session, desk: Desk, programme: Programme) -> Iterator[Finding]:
    """What is missing, or stands still, although every part works."""
    now = desk.clock.now()
    found, setup = checks_of(session, programme, now), setup_of(session, programme, desk.settings)
    persons = [one for one in people(session, programme.workspace_id) if not one.left]
    leads = [one for one in persons if one.leads]
    if leads and not any(one.slack_user_id for one in leads):
        yield None, "people: no lead is known in Slack yet, so nobody is asked: `cadence run` finds them by address"
    for one in persons:
        try:
            zone_named(one.timezone or "UTC")
        except ValueError as error:
            yield False, f"people: {one.email}: {error}: correct it in people.csv"
    for number, lacking, action in (
        (found.unowned, "nobody who owns it", "`owner_email`"),
        (found.untiered, "no tier, so no clock runs", "`tier`"),
        (found.unaddressed, "neither a domain nor a contact, so no mail is found", "`domains` or `contacts`"),
    ):
        if number:
            yield (
                None,
                f"partners: {plural(number, 'partner has', 'partners have')} {lacking}: {action} in partners.csv",
            )
    if setup.connected < setup.owners:
        blind = setup.owners - setup.connected
        yield None, f"mailboxes: {plural(blind, 'owner has', 'owners have')} none that is read: `cadence mailbox add`"
    if programme.channel_trouble is not None:
        since = f" since {found.trouble_at:%Y-%m-%d %H:%M} UTC" if found.trouble_at else ""
        words = plain(channel_words(programme.channel, programme.channel_trouble), 300)
        yield False, f"channel: the weekly read rests{since} ({plain(programme.channel_trouble, 40)}): {words}"
    if not programme.started:
        missing = f"; missing: {', '.join(setup.missing)}" if setup.missing else ""
        yield None, f"read: not started: a lead does it with `/cadence setup`{missing}"
    elif found.swept_at is None:
        yield None, "clock: `cadence run` has not done a day's work yet: start it"
    elif now - found.swept_at > STANDS_STILL:
        yield (
            False,
            f"clock: nothing was done since {found.swept_at:%Y-%m-%d %H:%M} UTC: start `cadence run`, see its log",
        )
    if found.waiting_since is not None and now - found.waiting_since > LATE:
        what = plural(found.waiting, "message waits", "messages wait")
        yield (
            False,
            f"messages: {what} since {found.waiting_since:%Y-%m-%d %H:%M} UTC: see that `cadence run` is running",
        )
    if found.as_text:
        what = listed([f"{kind} {period}" for kind, period in found.as_text], 3)
        yield (
            None,
            f"messages: Slack refused the layout of {what}, shown as text without buttons: report it with the log",
        )
