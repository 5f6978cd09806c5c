"""Names the organisations that the mail knows and the roster does not. A name is asked for and never stored."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from jobs.capture import Capture
from jobs.mailbox.base import Mailbox, Page, Paused, ProviderError
from jobs.mailbox.mbox import MboxFile
from jobs.mailbox.providers import build_mailbox
from jobs.mailbox.renewal import keep_renewed
from models.actions import mailboxes as mailbox_actions
from models.addresses import host_of
from models.clock import local_day
from models.correspondence import LOOK_BACK, Correspondence, Suggestion, Suggestions
from models.domains import organisation
from models.queries import suggestions as queries
from models.queries.mail import MailboxFacts, mailboxes
from models.queries.programme import Programme
from models.queries.suggestions import SAMPLES, Unlisted, unlisted_organisations
from models.settings import Settings, SettingsError
from models.vault import Vault, VaultError
from models.verdict import Verdict


def suggestions_from_mailboxes(
    capture: Capture, settings: Settings, vault: Vault, programme: Programme, skip: int, limit: int
) -> Suggestions:
    """Those with the most regular mail behind `skip` others, named by their mailboxes now: one message of each."""
    with capture.reading() as session:
        boxes = {box.id: box for box in mailboxes(session, programme.workspace_id)}
        every = unlisted_organisations(session, programme, capture.clock.now())
    opened: list[tuple[MailboxFacts, Mailbox]] = []

    def open_mailbox(box: MailboxFacts) -> Mailbox:
        built = build_mailbox(box, settings, vault, capture.clock)
        opened.append((box, built))
        return built

    found, troubles = Naming(capture, programme, boxes, open_mailbox).suggestions(every[skip : skip + limit])
    for box, built in opened:
        keep_renewed(capture.sessions, vault, box, built)
    files_only = tuple(box.address for box in boxes.values() if box.provider == "mbox")
    skip = min(skip, len(every))
    more = len(every) - skip - len(found)
    return Suggestions(tuple(found), more, troubles, len(boxes) - len(files_only), files_only, skip)


@dataclass(frozen=True, slots=True)
class Naming:
    """Asks mailboxes for one message of each organisation: who it is stands in its headers."""

    capture: Capture
    programme: Programme
    boxes: Mapping[int, MailboxFacts]
    open_mailbox: Callable[[MailboxFacts], Mailbox]

    def suggestions(self, found: Sequence[Unlisted]) -> tuple[list[Suggestion], dict[str, str]]:
        """In the order of `found`; and for each mailbox that could not be asked, why not."""
        names: dict[str, str] = {}
        troubles: dict[str, str] = {}
        opened: dict[int, Mailbox] = {}
        for attempt in range(SAMPLES):
            wanted: dict[int, list[str]] = {}
            for one in found:
                if one.hashed not in names and attempt < len(one.samples):
                    mailbox_id, provider_id = one.samples[attempt]
                    wanted.setdefault(mailbox_id, []).append(provider_id)
            for mailbox_id, provider_ids in wanted.items():
                facts = self.boxes[mailbox_id]
                if facts.address in troubles:
                    continue
                try:
                    if mailbox_id not in opened:
                        opened[mailbox_id] = self._open(facts)
                    names |= self._names(facts.address, opened[mailbox_id].fetch(list(dict.fromkeys(provider_ids))))
                except (ProviderError, VaultError, SettingsError) as error:
                    troubles[facts.address] = str(error)
                    if isinstance(error, Paused):
                        with self.capture.sessions.begin() as session:
                            mailbox_actions.pause_mailbox(session, mailbox_id, error.until, str(error))
        return [Suggestion(names.get(one.hashed), one.mail) for one in found], troubles

    def _open(self, facts: MailboxFacts) -> Mailbox:
        if facts.paused_until and facts.paused_until > self.capture.clock.now():
            raise ProviderError(f"paused until {facts.paused_until:%H:%M} UTC")
        return self.open_mailbox(facts)

    def _names(self, address: str, page: Page) -> dict[str, str]:
        judged = self.capture.decide(self.programme, address, page)
        outside = {email for decision in judged.decisions for email in decision.outside}
        with self.capture.reading() as session:
            return queries.hashed_organisations(session, self.programme.workspace_id, outside)


def suggestions_from_file(capture: Capture, programme: Programme, address: str, file: MboxFile) -> list[Suggestion]:
    """The same from a file, in the 90 days before its newest mail. Nothing of it is stored."""
    with capture.reading() as session:
        listed = queries.listed_organisations(session, programme)
    listed |= {name for name in [organisation(host_of(address))] if name}
    found: dict[str, Correspondence] = {}
    start = datetime.min.replace(tzinfo=UTC)
    for page in file.pages(None, since=start, last_ok_at=None, unseen=set):
        for decision in capture.decide(programme, address, page).decisions:
            if decision.verdict is Verdict.HUMAN:
                for name in {organisation(host_of(email)) for email in decision.outside}:
                    if name and name not in listed:
                        day = local_day(decision.at, programme.zone)
                        found.setdefault(name, Correspondence()).add(day, decision.outbound, address)
    newest = max((mail.last_on for mail in found.values()), default=date.min + LOOK_BACK)
    recent = {name: mail.since(newest - LOOK_BACK) for name, mail in found.items()}
    regular = [Suggestion(name, mail) for name, mail in recent.items() if mail.regular]
    return sorted(regular, key=lambda one: one.mail.weight, reverse=True)
