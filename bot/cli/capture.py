"""`cadence capture`: one pass now, over the connected mailboxes or over a file. Needs no Slack."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import click
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from bot.cli.common import Desk, Failure, json_option, note, pass_desk
from bot.cli.mailboxes import known_mailbox
from bot.cli.show import as_json, as_table, heading, tell
from bot.wording import plain, plural
from jobs.capture import Capture, Outcome, Report
from jobs.imports import import_mbox
from jobs.mailbox.base import ProviderError
from jobs.mailbox.mbox import MboxFile
from jobs.mailbox.providers import build_mailbox
from jobs.mailbox.renewal import keep_renewed
from jobs.reconcile import read_mailbox
from models.actions import mailboxes as actions
from models.actions.clocks import refresh_clocks
from models.actions.write import COMMAND_LINE
from models.email_address import email_address
from models.queries.mail import MailboxFacts, mailboxes
from models.settings import SettingsError
from models.vault import VaultError

AT_ONCE = 8
WORDS = {
    "touch": "mail with a partner, written by a person",
    "no partner": "no partner in it",
    "internal": "only our own people",
    "auto": "automatic reply",
    "bounce": "bounce",
    "bulk": "newsletter or list mail",
    "calendar": "invitation or reply to one",
    "broadcast": "one mail to many",
    "suspect": "sender looks forged",
    "draft": "draft",
    "spam": "in the spam folder",
    "trash": "in the bin",
    "chat": "chat",
    "skipped": "in a category that GMAIL_SKIP_CATEGORIES leaves out",
    "gone": "deleted before it could be read",
}


Watch = Callable[[Report], None]


class Interrupted(Exception):
    """Somebody pressed Ctrl-C. What was stored stands."""


@click.command()
@click.option("--mailbox", "address", help="Only this mailbox; with --mbox, whose mail the file holds.")
@click.option("--mbox", type=click.Path(path_type=Path), help="Read this mbox file (or folder of .eml files) instead.")
@json_option
@pass_desk
def capture(desk: Desk, address: str | None, mbox: Path | None, form: str | None) -> None:
    """Read new mail once: every connected mailbox, one of them, or a file."""
    if mbox is not None and address is None:
        raise click.UsageError("--mbox needs --mailbox: whose mail is it?", click.get_current_context())
    reports = [_import(desk, mbox, address)] if mbox is not None and address is not None else _poll(desk, address)
    refresh_clocks(desk.sessions, desk.reading, desk.programme, desk.clock.now())
    if form == "json":
        as_json([{name: getattr(one, name) for name in Report.__dataclass_fields__} for one in reports])
    else:
        for report in reports:
            _summary(desk, report)
    failed = [one.address for one in reports if one.outcome is not Outcome.DONE]
    if failed:
        raise Failure(
            f"{len(failed)} of {plural(len(reports), 'mailbox', 'mailboxes')} not read: `cadence doctor` says why"
        )


def _poll(desk: Desk, address: str | None) -> list[Report]:
    programme = desk.programme
    with desk.reading() as session:
        boxes: Sequence[MailboxFacts] = mailboxes(session, programme.workspace_id)
    boxes = [known_mailbox(boxes, address)] if address else [box for box in boxes if box.provider != "mbox"]
    if not boxes:
        raise Failure("no mailbox is connected: `cadence mailbox add` connects one")
    with _progress(desk, None) as started:
        if len(boxes) == 1:  # here, where Ctrl-C ends it at once
            return [_read(desk, boxes[0], started(boxes[0].address))]
        stopping = threading.Event()

        def read(box: MailboxFacts) -> Report:
            shown = started(box.address)

            def watch(report: Report) -> None:
                shown(report)
                if stopping.is_set():
                    raise Interrupted

            return _read(desk, box, watch)

        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="capture") as pool:
            try:
                return list(pool.map(read, boxes))
            except BaseException:  # Ctrl-C: each ends with the page that it is reading
                stopping.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _read(desk: Desk, box: MailboxFacts, watch: Watch) -> Report:
    try:
        built = build_mailbox(box, desk.settings, desk.vault, desk.clock)
        engine = Capture(desk.sessions, desk.reading, desk.clock, watch)
        report = read_mailbox(engine, desk.programme, box, built)
        keep_renewed(desk.sessions, desk.vault, box, built)
    except (ProviderError, VaultError, SettingsError) as error:
        report = Report(box.address, Outcome.ERROR, str(error))
    return report


def _import(desk: Desk, path: Path, typed: str) -> Report:
    address = own_address(typed)
    file = MboxFile(path)
    programme = desk.programme
    with desk.sessions.begin() as session:
        ids = {box.address: box.id for box in mailboxes(session, programme.workspace_id)}
        mailbox_id = ids.get(address) or actions.put_mailbox(
            session, programme.workspace_id, COMMAND_LINE, address, "mbox", desk.clock.now()
        )
    with _progress(desk, file) as started:
        engine = Capture(desk.sessions, desk.reading, desk.clock, started(path.name))
        report = import_mbox(engine, programme, mailbox_id, address, file)
    with desk.reading() as session:
        facts = next(box for box in mailboxes(session, programme.workspace_id) if box.id == mailbox_id)
    if facts.owner_email is None:
        note(f"note: nobody on the roster has the address {address}, so its mail vouches for no owner")
    return report


def own_address(typed: str) -> str:
    """Whose mail a file holds."""
    try:
        return email_address(typed.strip())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--mailbox") from error


@contextmanager
def _progress(desk: Desk, file: MboxFile | None) -> Iterator[Callable[[str], Watch]]:
    """A bar for each mailbox that is started, on a terminal; in a pipe nothing but the summary."""
    if not desk.on_terminal():
        yield lambda what: lambda report: None
        return
    if file is None:
        columns = [
            SpinnerColumn(),
            TextColumn("{task.description}"),
            MofNCompleteColumn(),
            TextColumn("{task.fields[found]}"),
        ]
    else:
        columns = [
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[found]}"),
        ]
    with Progress(*columns, console=desk.progress_console(), transient=True) as progress:

        def started(what: str) -> Watch:
            task = progress.add_task(plain(what), total=file.total_bytes if file else None, found="")

            def watch(report: Report) -> None:
                done = file.offset if file else report.messages
                progress.update(task, completed=done, found=plural(report.touches, "touch", "touches"))

            return watch

        yield started


def _summary(desk: Desk, report: Report) -> None:
    """Numbers that add up: every message stands under one reason."""
    heading(
        desk,
        f"{report.address}: {plural(report.messages, 'message')}, {plural(report.touches, 'new touch', 'new touches')}",
    )
    if report.outcome is not Outcome.DONE:
        tell(desk, f"{report.outcome}: {plain(report.detail)}")
    rows = [
        [str(count), reason, WORDS.get(reason, "")]
        for reason, count in sorted(report.reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    if rows:
        as_table(desk, ["Messages", "Outcome", ""], [*rows, [str(report.messages), "together", ""]], right=[0])
    if report.failed:
        tell(desk, f"{plural(report.failed, 'message')} could not be fetched and will be tried again")
