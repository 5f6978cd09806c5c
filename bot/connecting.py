"""`/mailbox/connect` and where Google and Microsoft send the browser back: a mailbox is connected, its token sealed.

It begins with a ticket that somebody of the roster was shown in Slack. Looking at its page uses nothing up, its form
does. Then the state is good for one use, for ten minutes and for the browser that pressed the button; and whoever
consents must be the person whose ticket it was. No transaction is open while the provider is asked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hmac import compare_digest
from typing import Protocol
from urllib.parse import urlencode

import structlog
from flask import Flask, Response, request
from sqlalchemy.orm import Session, sessionmaker

from bot.views.consent import LOGIN, ask_page, done_page, not_connected_page
from bot.views.mailboxes import connected_note
from bot.views.web import HEADERS, form_headers
from bot.wording import on_day
from models.actions.consents import Asked, put_question, take_question, whose_ticket
from models.actions.installations import STATE_LIVES, state_digest
from models.actions.mailboxes import put_mailbox
from models.actions.outbox import enqueue
from models.actions.write import actor_of
from models.clock import Clock, local_day
from models.queries.mail import mailboxes
from models.queries.programme import Person, Programme, people, programme
from models.settings import Settings
from models.vault import Vault, VaultError

CONNECT_PATH, BACK_PATH = "/mailbox/connect", "/mailbox/back"
COOKIE = "cadence_mailbox"
TICKET = "ticket"
USED = "this link was used before, or is older than ten minutes"
log = structlog.get_logger(__name__)

Connected = Callable[[], object]
"""Called after a mailbox was stored."""


class NotConsented(Exception):
    """Nothing came of it. The text says why and what to do, for the person at the browser."""


@dataclass(frozen=True, slots=True)
class Question:
    """Where to send the browser; the state that comes back; and what has to be kept until then, sealed."""

    url: str = field(repr=False)
    state: str = field(repr=False)
    kept: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Consent:
    """Whose mailbox it opens, the secret to seal, how far back is read, and when it ends by itself, if it does."""

    address: str
    secret: str = field(repr=False)
    reads_from: datetime
    ends_at: datetime | None = None


class Consents(Protocol):
    """Asks the providers, so it is handed over by whoever puts the parts together. Stores nothing."""

    def begin(self, provider: str, address: str, back: str) -> Question:
        """The question for this person; the answer comes to `back`. Calls nobody; raises NotConsented."""
        ...

    def finish(self, provider: str, kept: str, answer: Mapping[str, str], addresses: Sequence[str]) -> Consent:
        """What the answer is worth, if it opens one of these addresses. Raises NotConsented."""
        ...


def obstacle(settings: Settings, connects: Sequence[str]) -> str | None:
    """Why nobody can consent on a page of ours, behind a "because"; None: they can, at those in `connects`."""
    if settings.slack_app_token is not None or settings.slack_signing_secret is None:
        return "Cadence runs in Socket Mode, where no browser reaches it"
    if settings.public_url is None:
        return "CADENCE_PUBLIC_URL is not set"
    if not settings.secret_keys:
        return "CADENCE_SECRET_KEYS is not set"
    if not connects:
        return "neither GOOGLE_CLIENT_ID nor MICROSOFT_CLIENT_ID is set with its secret"
    return None


def back_address(settings: Settings) -> str:
    """Where the providers send the browser back: their apps have to know it."""
    return f"{settings.public_url}{BACK_PATH}"


def connect_link(settings: Settings, ticket: str) -> str:
    return f"{settings.public_url}{CONNECT_PATH}?{urlencode({TICKET: ticket})}"


class _Refusal(Exception):
    """Why nothing was stored, for the person at the browser."""


@dataclass(frozen=True, slots=True)
class _Guest:
    """Whose mailbox is being connected, as the roster has them now."""

    home: Programme
    person: Person

    @property
    def addresses(self) -> tuple[str, ...]:
        return (self.person.email, *self.person.aliases)


def add_connecting(
    web: Flask,
    settings: Settings,
    sessions: sessionmaker[Session],
    reading: sessionmaker[Session],
    vault: Vault,
    clock: Clock,
    consents: Consents,
    connected: Connected,
) -> None:
    """Adds both pages. `settings` has what `obstacle` asks for."""
    back = back_address(settings)

    @web.get(CONNECT_PATH)
    def look() -> Response:
        ticket = request.args.get(TICKET, "")

        def page() -> Response:
            with reading() as session:
                asked, guest = _of_ticket(session, settings, ticket, clock.now())
            shown = ask_page(guest.person.name, guest.person.email, asked.provider, CONNECT_PATH, ticket)
            to = settings.google_auth_url if asked.provider == "gmail" else settings.microsoft_login_url
            return Response(shown, headers=form_headers(to))

        return _told(page)

    @web.post(CONNECT_PATH)
    def begin() -> Response:
        ticket = request.form.get(TICKET, "")

        def page() -> Response:
            with reading() as session:
                asked, guest = _of_ticket(session, settings, ticket, clock.now())
            question = consents.begin(asked.provider, guest.person.email, back)
            sealed = vault.seal(state_digest(question.state), question.kept)
            with sessions.begin() as session:
                if not put_question(session, ticket, question.state, sealed, clock.now()):
                    raise _Refusal(USED)
            answer = Response("", 303, headers=HEADERS | {"Location": question.url})
            answer.set_cookie(
                COOKIE,
                question.state,
                max_age=int(STATE_LIVES.total_seconds()),
                path=BACK_PATH,
                secure=back.startswith("https://"),
                httponly=True,
                samesite="Lax",  # the provider's page sends the browser here by a link
            )
            return answer

        return _told(page)

    @web.get(BACK_PATH)
    def consented() -> Response:
        def page() -> Response:
            state, now = request.args.get("state", ""), clock.now()
            asked = _question(sessions, state, request.cookies.get(COOKIE, ""), now)
            with reading() as session:
                guest = _guest(session, settings, asked)
            kept = vault.open(state_digest(state), asked.sealed or "")
            consent = consents.finish(asked.provider, kept, request.args.to_dict(), guest.addresses)
            sealed = vault.seal(consent.address, consent.secret)
            with sessions.begin() as session:
                begins = _store(session, settings, asked, consent, sealed, clock.now())
            log.info("mailbox.connected", workspace=asked.workspace_id, person=asked.person_id, provider=asked.provider)
            try:
                connected()
            except Exception:  # it is stored, and the next round reads it
                log.exception("mailbox.not_read_at_once")
            shown = done_page(asked.provider, consent.address, begins, _ends(asked.provider, consent, guest.home))
            return Response(shown, headers=HEADERS)

        answer = _told(page)
        answer.delete_cookie(COOKIE, path=BACK_PATH)
        return answer


def _told(page: Callable[[], Response]) -> Response:
    """The page, or one that says in a sentence why not."""
    try:
        return page()
    except (_Refusal, NotConsented) as refusal:
        reason, status = str(refusal), 400
    except VaultError as error:
        log.error("mailbox.not_sealed", error=str(error))
        reason, status = "Cadence cannot store or open secrets: its operator finds why in its log", 400
    except Exception:
        log.exception("mailbox.not_connected")
        reason, status = "something went wrong on Cadence's side: please try again in a moment", 500
    return Response(not_connected_page(reason), status, headers=HEADERS)


def _of_ticket(session: Session, settings: Settings, ticket: str, now: datetime) -> tuple[Asked, _Guest]:
    asked = whose_ticket(session, ticket, now)
    if asked is None:
        raise _Refusal(USED)
    return asked, _guest(session, settings, asked)


def _question(sessions: sessionmaker[Session], state: str, mine: str, now: datetime) -> Asked:
    """It is used up only by the browser that has it, so that nobody else can spoil it."""
    if not state or not mine or not compare_digest(state.encode(), mine.encode()):
        raise _Refusal("this did not begin in this browser, or it began more than ten minutes ago")
    with sessions.begin() as session:
        asked = take_question(session, state, now)
    if asked is None:
        raise _Refusal(USED)
    return asked


def _guest(session: Session, settings: Settings, asked: Asked) -> _Guest:
    """Judged at every step: the roster may have changed since."""
    home = programme(session, settings, asked.workspace_id)
    if home.access_lost:
        raise _Refusal("Cadence was taken off this Slack workspace: whoever installed it can install it again")
    person = next((one for one in people(session, home.workspace_id) if one.id == asked.person_id), None)
    leads = {one.lower() for one in settings.leads}
    if person is None or person.left or not (person.may_act or person.email in leads):
        raise _Refusal("you are not on the roster of this partner programme any more, or can only read there")
    return _Guest(home, person)


def _store(session: Session, settings: Settings, asked: Asked, consent: Consent, sealed: str, now: datetime) -> str:
    """Connects it, or connects it again; answers from when on it is read."""
    guest, home = _guest(session, settings, asked), asked.workspace_id
    if consent.address not in guest.addresses:  # any more
        raise _Refusal(f"the roster does not have {consent.address} as an address of {guest.person.name}")
    known = next((one for one in mailboxes(session, home, with_removed=True) if one.address == consent.address), None)
    goes_on = known is not None and known.cursor is not None and known.provider == asked.provider
    actor = actor_of(guest.person.id)
    box = put_mailbox(session, home, actor, consent.address, asked.provider, now, sealed=sealed, again=True)
    if guest.person.slack_user_id is not None:
        period, note = f"mailbox {box} connected {now.isoformat()}", connected_note(consent.address)
        enqueue(session, home, guest.person.slack_user_id, "notice", period, 0, note, now)
    if goes_on:
        return "Cadence goes on reading where it stopped, so that nothing of the time between is lost."
    zone = guest.home.zone
    day = on_day(local_day(consent.reads_from, zone), local_day(now, zone))
    return f"Cadence now reads this mailbox by itself: the mail since {day}, and what comes."


def _ends(provider: str, consent: Consent, home: Programme) -> str | None:
    if consent.ends_at is None:
        return None
    day = f"{local_day(consent.ends_at, home.zone):%Y-%m-%d}"
    return f"{LOGIN[provider]} ends this consent on {day}, because the app is marked as in testing: connect again then."
