"""Who may lead a programme that nobody leads yet, and the message that leads them through the first run.

Whoever installed Cadence, or is named by the operator, leads. Without either it is the first who opens it, as long as
nobody at all is on the roster: a workspace that was set up is never taken over by opening a tab.
"""

from dataclasses import dataclass
from datetime import datetime

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from sqlalchemy.orm import Session, sessionmaker

from bot import ids
from bot.asking import ask
from bot.views.setup import setup_payload
from models.actions import outbox
from models.actions.people import PersonRow
from models.actions.setup import FIRST_RUN, STEPS, become_lead, may_become_lead
from models.email_address import email_address
from models.queries.outbox import is_queued
from models.queries.programme import Person, Programme, people
from models.queries.setup import installed_by, setup_of
from models.settings import Settings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A Slack user who is on no roster: what Slack says of them, and the address they typed where it says none."""

    user_id: str
    email: str | None = None
    name: str | None = None
    timezone: str | None = None
    typed: str | None = None


class AddressWanted(Exception):
    """This user may lead, but Slack tells no e-mail address. The text asks for it."""


def first_lead(
    sessions: sessionmaker[Session],
    home: Programme,
    settings: Settings,
    newcomer: Newcomer,
    now: datetime,
) -> Person | None:
    """Puts the user on the roster as its lead and greets them, if they may be; else None. One of two comes first.

    Raises AddressWanted when no address is known, and ValueError when one was typed that is none.
    """
    operators = {one.lower() for one in settings.leads}
    with sessions.begin() as session:
        if not may_become_lead(session, home.workspace_id, newcomer.user_id, newcomer.email, operators):
            return None
        wanted = _row(newcomer)
        if wanted is None:
            raise AddressWanted(
                "Nobody leads this partner programme yet. Slack does not tell me your e-mail address: "
                f"type {ids.COMMAND} setup you@company.com, with your own, and you are its lead."
            )
        become_lead(session, home.workspace_id, wanted, now)
        greet(session, home, settings, newcomer.user_id, now)
        everybody = people(session, home.workspace_id)
    return next(one for one in everybody if one.slack_user_id == newcomer.user_id)


def greet(session: Session, home: Programme, settings: Settings, user_id: str, now: datetime) -> None:
    """The steps of the first run, once, as a private message. Nothing when reads are posted already."""
    if not home.started:
        payload = setup_payload(setup_of(session, home, settings))
        outbox.enqueue(session, home.workspace_id, user_id, STEPS, FIRST_RUN, 0, payload, now)


def _row(newcomer: Newcomer) -> PersonRow | None:
    """What Slack says of the address outranks what was typed."""
    address = newcomer.email or (email_address(newcomer.typed.strip()) if newcomer.typed else None)
    if address is None:
        return None
    name = newcomer.name or address.partition("@")[0]
    return PersonRow(address, name, "lead", newcomer.user_id, (), newcomer.timezone)


def greet_installer(
    client: WebClient,
    reading: sessionmaker[Session],
    sessions: sessionmaker[Session],
    settings: Settings,
    home: Programme,
    now: datetime,
) -> bool:
    """Finds whoever installed Cadence, or the first of the operator's leads, in Slack, and writes to them; once.

    Without the scope `users:read.email` nobody is found by address: then the steps stand where a lead looks first.
    """
    if home.started:
        return False
    with reading() as session:
        if is_queued(session, home.workspace_id, STEPS, FIRST_RUN):
            return False
        installer = installed_by(session, home.workspace_id)
        everybody = people(session, home.workspace_id)
    found = _user(client, "users.info", user=installer) if installer else None
    if installer is None:
        asked = (_user(client, "users.lookupByEmail", email=one) for one in settings.leads)
        found = next((one for one in asked if one is not None), None)
    if found is None:
        return False
    if not any(one.leads and one.slack_user_id == found.user_id for one in everybody):
        try:
            return first_lead(sessions, home, settings, found, now) is not None
        except AddressWanted:
            return False  # the first press or word of theirs asks for it
    with sessions.begin() as session:
        greet(session, home, settings, found.user_id, now)
    return True


def _user(client: WebClient, method: str, **params: str) -> Newcomer | None:
    try:
        user = ask(client, method, **params)["user"] or {}
    except (SlackApiError, OSError) as error:
        log.info("setup.nobody_found", error=str(error)[:200])
        return None
    about = user.get("profile") or {}
    stranger = user.get("deleted") or user.get("is_bot") or user.get("is_restricted") or user.get("is_stranger")
    if stranger or not user.get("id"):
        return None
    confirmed = about.get("email") if user.get("is_email_confirmed", True) else None
    return Newcomer(user["id"], str(confirmed).lower() if confirmed else None, user.get("real_name"), user.get("tz"))
