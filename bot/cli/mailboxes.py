"""`cadence mailbox`: connect, list, check and remove mailboxes. A secret is checked, stored, never shown."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bot.cli.accounts import UNTRIED, asking, imap_account, imap_options, password_secret
from bot.cli.common import MARKS, Desk, Failure, csv_option, json_option, note, pass_desk
from bot.cli.show import as_csv, as_json, as_table, say, tell
from bot.wording import on_day, plain
from jobs.mailbox.base import Mailbox, NeedsAuth, ProviderError
from jobs.mailbox.providers import PROVIDERS, Account, build_mailbox
from models.actions import mailboxes as actions
from models.actions.write import COMMAND_LINE
from models.addresses import normal_address
from models.clock import local_day
from models.email_address import email_address
from models.mailbox_health import Health, State, health_of, how_to_connect_again
from models.queries.mail import MailboxFacts, mailboxes
from models.settings import SettingsError
from models.vault import VaultError

COLUMNS = ("address", "provider", "owner_email", "status", "last_ok_at", "seen", "pending", "dead", "error")
EXTRA = ("gap", "reconciled_at")  # further keys of the JSON, beside `state`, `says` and `action`
JUST_TRIED = (State.NEEDS_CONSENT, State.UNREACHABLE)  # what is stored of these is older than the answer to a call


@click.group()
def mailbox() -> None:
    """The mailboxes that are read: headers only."""


@mailbox.command()
@click.option("--provider", type=click.Choice(sorted(PROVIDERS)), required=True)
@click.option("--address", required=True, help="The mailbox's own e-mail address.")
@click.option("--consent", is_flag=True, help="Its owner consents now, in a browser: gmail and graph.")
@click.option("--no-browser", is_flag=True, help="With --consent: the browser is on another machine.")
@click.option("--token-file", type=click.Path(path_type=Path), help="Its owner's consent from elsewhere, as JSON.")
@click.option("--check", "call", is_flag=True, help="Also call the provider once, before anything is stored.")
@imap_options
@pass_desk
def add(
    desk: Desk,
    /,
    provider: str,
    address: str,
    consent: bool,
    no_browser: bool,
    token_file: Path | None,
    call: bool,
    **imap: Any,
) -> None:
    """Connect a mailbox, or connect it again.

    Without --consent and --token-file the service account (gmail) or the app (graph) acts for it. IMAP: the password is
    read from standard input, or asked for on a terminal. What is secret is stored encrypted.
    """
    address = _address(address)
    ask = asking(provider, consent, no_browser, token_file, imap["port"])
    if ask is not None:
        imap["port"] = None
    with desk.reading() as session:
        known = mailboxes(session, desk.programme.workspace_id, with_removed=True)
    before = next((box for box in known if box.address == address), None)
    stored = before.options if before and before.provider == provider else {}
    options = imap_account(provider, imap, stored)
    again = before is not None and _must_be_connected_again(desk, provider, before)
    if ask is not None:
        from bot.cli.consent import consent_given, refuse_other_account  # other commands need not wait for its library

        with consent_given(desk, provider, address, port=ask.port, here=ask.here) as given:
            refuse_other_account(PROVIDERS[provider](Account(address, given), desk.settings, desk.clock), address)
            _put(desk, provider, address, desk.vault.seal(address, given), options, again=again)
        return
    secret = _read(token_file) if token_file else None
    if provider == "imap":
        PROVIDERS[provider](Account(address, UNTRIED, options), desk.settings, desk.clock)  # before a password is typed
        secret = secret or password_secret()
    sealed = desk.vault.seal(address, secret) if secret is not None else None
    built = PROVIDERS[provider](Account(address, secret, options), desk.settings, desk.clock)
    if call:
        refuse_other(built, address)
    _put(desk, provider, address, sealed, options, again=again)
    if lacking := getattr(built, "lacking", None):
        note(f"{address}: {plain(lacking)}")


@mailbox.command("list")
@json_option
@csv_option
@pass_desk
def show(desk: Desk, form: str | None) -> None:
    """Every mailbox with its health and its counts."""
    with desk.reading() as session:
        boxes = mailboxes(session, desk.programme.workspace_id)
    records = [{column: getattr(box, column) for column in (*COLUMNS, *EXTRA)} for box in boxes]
    healths = [condition(desk, box) for box in boxes]
    for record, health in zip(records, healths, strict=True):
        record |= {"state": str(health.state), "says": health.says, "action": health.action}
    if form == "json":
        as_json(records)
    elif form == "csv":
        as_csv((*COLUMNS, *EXTRA, "state", "says", "action"), records)
    elif not boxes:
        say("No mailbox is connected: `cadence mailbox add` connects one.")
    else:
        as_table(
            desk,
            ["Mailbox", "Provider", "State", "Last read", "Seen", "Queued", "Lost", "Gap"],
            _rows(desk, boxes, healths),
            right=[4, 5, 6, 7],
        )
        for box, health in zip(boxes, healths, strict=True):
            if health.state is not State.OK:
                tell(desk, f"{box.address}: {plain(health.detail)}")


@mailbox.command()
@click.argument("address", required=False)
@pass_desk
def check(desk: Desk, address: str | None) -> None:
    """Call each mailbox's provider once and say whether it answers."""
    with desk.reading() as session:
        boxes = mailboxes(session, desk.programme.workspace_id)
    chosen = [known_mailbox(boxes, address)] if address else boxes
    if not chosen:
        raise Failure("no mailbox is connected: `cadence mailbox add` connects one")
    failed = 0
    for box in chosen:
        good, said = answer_of(desk, box)
        failed += good is False
        health = condition(desk, box)
        if good and health.attention and health.state not in JUST_TRIED:
            said = f"{said}; {health.state}: {health.detail}"
        say(f"{MARKS[good]} {box.address}: {plain(said)}")
    if failed:
        raise Failure(f"{failed} of {len(chosen)} mailboxes cannot be read")


@mailbox.command()
@click.argument("address")
@click.option("--purge", is_flag=True, help="Also forget which messages were seen there.")
@pass_desk
def remove(desk: Desk, address: str, purge: bool) -> None:
    """Disconnect a mailbox and erase its secret; touches stay, they are the partner's history."""
    programme = desk.programme
    with desk.sessions.begin() as session:
        box = known_mailbox(mailboxes(session, programme.workspace_id), address)
        actions.remove_mailbox(session, programme.workspace_id, COMMAND_LINE, box.id, desk.clock.now(), purge)
    say(f"{box.address} is disconnected" + (" and what was seen there is forgotten" if purge else ""))


def _must_be_connected_again(desk: Desk, provider: str, box: MailboxFacts) -> bool:
    """Whether one that counts as connected is refused by its provider, or lacks something. Otherwise it stays as it is.

    A consent that was withdrawn, or a password that has changed, may be known here before any pass has met with it.
    """
    if box.status != "active" or box.provider == "mbox":
        return False
    if box.provider == provider:
        try:
            built = build_mailbox(box, desk.settings, desk.vault, desk.clock)
            built.check()
        except NeedsAuth:
            return True
        except (ProviderError, SettingsError, VaultError):
            built = None
        if getattr(built, "lacking", None):
            return True
    raise Failure(f"{box.address} is connected already: `cadence mailbox remove {box.address}` first")


def _put(desk: Desk, provider: str, address: str, sealed: str | None, options: dict[str, Any], *, again: bool) -> None:
    now, programme = desk.clock.now(), desk.programme
    with desk.sessions.begin() as session:
        try:
            actions.put_mailbox(
                session,
                programme.workspace_id,
                COMMAND_LINE,
                address,
                provider,
                now,
                sealed=sealed,
                options=options,
                again=again,
            )
        except actions.MailboxExists as error:
            raise Failure(str(error)) from error
        facts = next(box for box in mailboxes(session, programme.workspace_id) if box.address == address)
    owner = (
        f"it belongs to {facts.owner_email}" if facts.owner_email else "no person on the roster has this address yet"
    )
    say(f"{address} is connected ({provider}); {owner}")


def condition(desk: Desk, box: MailboxFacts) -> Health:
    return health_of(box, desk.clock.now(), desk.programme.zone)


def known_mailbox(boxes: Sequence[MailboxFacts], address: str) -> MailboxFacts:
    wanted = normal_address(address) or address
    found = next((box for box in boxes if box.address == wanted), None)
    if found is None:
        known = ", ".join(box.address for box in boxes) or "none"
        raise Failure(f"{plain(wanted)} is not a connected mailbox; connected: {known}")
    return found


def answer_of(desk: Desk, box: MailboxFacts) -> tuple[bool | None, str]:
    """Whether the mailbox can be read, and in words why not; None for one that was only imported."""
    if box.provider not in PROVIDERS:
        return None, "filled from a file, nothing to call"
    try:
        built = build_mailbox(box, desk.settings, desk.vault, desk.clock)
        refuse_other(built, box.address)
    except NeedsAuth as error:
        return False, f"{error}; {how_to_connect_again(box)}"
    except (ProviderError, VaultError, SettingsError, Failure) as error:
        return False, str(error)
    lacking = getattr(built, "lacking", None)
    return True, f"answers, but {lacking}" if lacking else "answers"


def refuse_other(built: Mailbox, address: str) -> None:
    """One call: the provider must know the mailbox by this address, or mail of somebody else would be read."""
    answered = built.check()
    if (normal_address(answered) or answered) != address:
        raise Failure(f"the token opens {answered} and not {address}: give the token of this mailbox")


def _address(text: str) -> str:
    try:
        return email_address(text.strip())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--address") from error


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Failure(f"{path} is not a JSON file in UTF-8: give the token file of this person") from error


def _rows(desk: Desk, boxes: Sequence[MailboxFacts], healths: Sequence[Health]) -> list[list[str]]:
    zone, today = desk.programme.zone, local_day(desk.clock.now(), desk.programme.zone)
    return [
        [
            box.address,
            box.provider,
            str(health.state),
            f"{on_day(local_day(box.last_ok_at, zone), today)} {box.last_ok_at.astimezone(zone):%H:%M}"
            if box.last_ok_at
            else f"file, until {on_day(local_day(box.files_until, zone), today)}"
            if box.files_until
            else "never",
            *(str(box.seen), str(box.pending), str(box.dead), "–" if box.gap is None else str(box.gap)),
        ]
        for box, health in zip(boxes, healths, strict=True)
    ]
