"""Who may do what: from a Slack user to a person of the roster, or to a kind refusal.

Every click is judged here again, whatever the message showed. Nothing in a request is believed but Slack's own ids.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from threading import Lock

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from bot import wording
from bot.access import Access, NoAccess, Watch
from bot.asking import ask
from bot.first_lead import AddressWanted, Newcomer, first_lead
from bot.together import Together
from models.actions import people as people_actions
from models.actions import programme as programme_actions
from models.actions.installations import join_organisation
from models.clock import Clock, local_day
from models.correspondence import Suggestions
from models.db import at_a_glance
from models.queries.installations import speaks_for
from models.queries.programme import (
    Person,
    Programme,
    people,
    person_in_slack,
    programme,
    programme_of_team,
    programmes,
)
from models.queries.standings import partner_names_of, standings
from models.roster_report import RosterReport
from models.settings import Settings
from models.standing import Standing

log = structlog.get_logger(__name__)
REMEMBERED_SECONDS, SILENCE_SECONDS = 600, 30
MOST_REMEMBERED = 5_000
MOST_NAMED = 3
NO_PARTNER = "I do not know this partner: it may have left the roster."
PATIENCE_SECONDS = 2
"""Slack waits three seconds for our answer, and this look-up is only one part of it."""


Suggest = Callable[[Programme, int, int], Suggestions]
"""At most so many organisations that the mail knows and the roster does not. It takes seconds."""

ImportRoster = Callable[[Session, Programme, str, bytes, str, datetime], RosterReport]
"""Brings "people" or "partners" to what the lines say, as somebody; the caller commits, or takes it back."""


class Refused(Exception):
    """Not allowed or not possible. The text is one plain sentence for whoever asked; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What Slack says about one of its users."""

    email: str | None
    team_id: str | None
    guest: bool
    gone: bool
    name: str | None = None
    timezone: str | None = None


class Directory:
    """users.info, asked once in ten minutes per user. Slack's silence is no verdict: then the roster alone decides."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Profile | None]] = {}  # user → until when, what
        self._asking: set[str] = set()
        self._lock = Lock()

    def profile(self, client: Callable[[], WebClient], user_id: str, *, waits: bool = True) -> Profile | None:
        """What Slack says of somebody. Who does not wait gets what was known last, and has Slack asked behind."""
        now = time.monotonic()
        with self._lock:
            until, known = self._known.get(user_id, (0.0, None))
            if now < until:
                return known
            if not waits:
                if user_id not in self._asking:
                    self._asking.add(user_id)
                    threading.Thread(
                        target=self._ask_behind, args=(client, user_id), name="profile", daemon=True
                    ).start()
                return known
        return self._learn(client(), user_id)

    def _ask_behind(self, client: Callable[[], WebClient], user_id: str) -> None:
        try:
            self._learn(client(), user_id)
        except (Refused, SQLAlchemyError) as error:  # no access any more, or no database at the moment
            log.info("slack.no_profile", user=user_id, error=str(error)[:200])
        finally:
            with self._lock:
                self._asking.discard(user_id)

    def _learn(self, client: WebClient, user_id: str) -> Profile | None:
        now, found = time.monotonic(), self._ask(client, user_id)
        with self._lock:
            if len(self._known) > MOST_REMEMBERED:
                self._known.clear()
            self._known[user_id] = (now + (REMEMBERED_SECONDS if found else SILENCE_SECONDS), found)
        return found

    def _ask(self, client: WebClient, user_id: str) -> Profile | None:
        patient = WebClient(
            token=client.token,
            base_url=client.base_url,
            timeout=PATIENCE_SECONDS,
            retry_handlers=[one for one in client.retry_handlers if isinstance(one, Watch)],
        )
        try:
            user = ask(patient, "users.info", user=user_id)["user"] or {}
        except (SlackApiError, OSError) as error:
            log.warning("slack.no_profile", user=user_id, error=str(error)[:200])
            return None
        about = user.get("profile") or {}
        confirmed = user.get("is_email_confirmed", True)
        return Profile(
            email=str(about["email"]).lower() if about.get("email") and confirmed else None,
            team_id=user.get("team_id"),
            guest=bool(user.get("is_restricted") or user.get("is_ultra_restricted") or user.get("is_stranger")),
            gone=bool(user.get("deleted") or user.get("is_bot")),
            name=user.get("real_name") or about.get("real_name") or user.get("name"),
            timezone=user.get("tz"),
        )


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody of the roster, in their programme."""

    programme: Programme
    person: Person
    leads: bool
    today: date

    @property
    def may_act(self) -> bool:
        return self.leads or self.person.may_act


@dataclass(slots=True)
class Desk:
    """What every listener works with."""

    settings: Settings
    sessions: sessionmaker[Session]
    reading: sessionmaker[Session]
    clock: Clock
    access: Access
    import_roster: ImportRoster | None = None
    suggest: Suggest | None = None  # asks mailboxes, so it is handed over by whoever puts the parts together
    connects: Sequence[str] = ()  # where people consent on a page of ours: gmail, graph
    directory: Directory = field(init=False)
    together: Together = field(init=False)
    _glance: sessionmaker[Session] = field(init=False)

    def __post_init__(self) -> None:
        self.directory, self._glance = Directory(), at_a_glance(self.reading)
        self.together = Together(self.sessions)

    def client(self, home: Programme) -> WebClient:
        """To ask Slack something in the workspace of a programme."""
        try:
            return self.access.asking(home.workspace_id)
        except NoAccess as error:
            raise Refused(
                "Cadence was taken off this Slack workspace. Whoever installed it can install it again."
            ) from error

    def programme(self, team_id: str | None, enterprise_id: str | None = None) -> Programme:
        """The programme of a Slack workspace. One that was never linked is linked when Slack says it is ours."""
        with self.reading() as session:
            known = programme_of_team(session, self.settings, team_id) if team_id else None
            if known is not None:
                return known
            unlinked = [one for one in programmes(session, self.settings) if one.team_id is None]
        if team_id is None or (not unlinked and not self.settings.installable):
            raise Refused("This Slack workspace has no partner programme in Cadence.")
        if self.settings.installable:
            return self._of_organisation(team_id, enterprise_id)
        about = self.access.asking(unlinked[0].workspace_id).auth_test()
        if about["team_id"] not in (team_id, None):  # Slack always says it, other servers may not
            raise Refused("This Slack workspace has no partner programme in Cadence.")
        with self.sessions.begin() as session:
            programme_actions.link_workspace(session, unlinked[0].workspace_id, team_id, about.get("user_id"))
            return programme(session, self.settings, unlinked[0].workspace_id)

    def _of_organisation(self, team_id: str, enterprise_id: str | None) -> Programme:
        """A workspace speaks for the first time whose whole organisation has installed the app."""
        with self.reading() as session:
            found = speaks_for(session, None, enterprise_id)
        if found is None or enterprise_id is None:
            raise Refused("This Slack workspace has no partner programme in Cadence.")
        with self.sessions.begin() as session:
            workspace_id = join_organisation(session, team_id, enterprise_id, found.user_id, self.clock.now())
            return programme(session, self.settings, workspace_id)

    def visitor(
        self,
        team_id: str | None,
        user_id: str | None,
        users_team_id: str | None,
        address: str | None = None,
        enterprise_id: str | None = None,
    ) -> Visitor:
        """The person behind a Slack user; raises Refused for guests, other workspaces' members and strangers.

        `address` is the own one that somebody typed who may lead a programme that nobody leads yet.
        """
        home, known = self._home_and_person(team_id, user_id)
        if home is None:  # linked by this very request, or refused
            home = self.programme(team_id, enterprise_id)
            known = self._home_and_person(home.team_id, user_id)[1]
        if user_id is None or (users_team_id is not None and users_team_id != home.team_id):
            raise Refused(self._not_ours(home))
        # Whom the roster knows is not kept waiting for Slack: a profile that changed since is heeded at the next click.
        profile = self.directory.profile(lambda: self.client(home), user_id, waits=known is None)
        if profile is not None:
            if profile.team_id is not None and profile.team_id != home.team_id:
                raise Refused(self._not_ours(home))
            if profile.guest or profile.gone:
                raise Refused(f"Guests cannot use Cadence. {self.who_helps(home)}")
        if known is not None and known.left:
            known = self._back(home, known)
        person = known or self._person(home, user_id, profile, address)
        leads = person.leads or person.email in self._leads()
        return Visitor(home, person, leads, local_day(self.clock.now(), home.zone))

    def _home_and_person(self, team_id: str | None, user_id: str | None) -> tuple[Programme | None, Person | None]:
        """In one look, because nearly everybody who presses a button is known."""
        if team_id is None:
            return None, None
        with self._glance() as session:
            home = programme_of_team(session, self.settings, team_id)
            known = person_in_slack(session, home.workspace_id, user_id) if home and user_id else None
        return home, known

    def _back(self, home: Programme, person: Person) -> Person:
        """Whoever presses a button is in this Slack workspace again."""
        with self.sessions.begin() as session:
            people_actions.return_person(session, home.workspace_id, person.id, people_actions.SLACK, self.clock.now())
            return next(one for one in people(session, home.workspace_id) if one.id == person.id)

    def standing(self, session: Session, visitor: Visitor, partner_id: int) -> Standing:
        """A partner of the visitor's programme; a value that names another programme's partner is refused."""
        found = standings(session, visitor.programme, self.clock.now(), partner_ids={partner_id})
        if not found:
            raise Refused(NO_PARTNER)
        return found[0]

    def name(self, session: Session, visitor: Visitor, partner_id: int) -> str:
        """A partner of the visitor's programme, where its name is enough; refused like `standing`."""
        found = partner_names_of(session, visitor.programme.workspace_id, {partner_id}).get(partner_id)
        if found is None:
            raise Refused(NO_PARTNER)
        return found

    def _person(
        self,
        home: Programme,
        user_id: str,
        profile: Profile | None,
        address: str | None,
    ) -> Person:
        email = profile.email if profile else None
        with self.reading() as session:
            everybody = people(session, home.workspace_id)
        same = next(
            (one for one in everybody if email in (one.email, *one.aliases) and one.slack_user_id is None), None
        )
        if email is None or same is None:
            first = self._first_lead(home, user_id, profile, address)
            if first is not None:
                return first
            raise Refused(f"You are not on the roster of this partner programme yet. {self.who_helps(home)}")
        with self.sessions.begin() as session:
            zone = profile.timezone if profile else None
            people_actions.link_person(session, home.workspace_id, same.id, user_id, self.clock.now(), zone)
            return next(one for one in people(session, home.workspace_id) if one.id == same.id)

    def _first_lead(self, home: Programme, user_id: str, profile: Profile | None, address: str | None) -> Person | None:
        email, name, timezone = (profile.email, profile.name, profile.timezone) if profile else (None, None, None)
        newcomer = Newcomer(user_id, email, name, timezone, address)
        try:
            return first_lead(self.sessions, home, self.settings, newcomer, self.clock.now())
        except (AddressWanted, ValueError) as error:
            raise Refused(str(error)) from error

    def _not_ours(self, home: Programme) -> str:
        return f"This partner programme belongs to another Slack workspace. {self.who_helps(home)}"

    def who_helps(self, home: Programme) -> str:
        """Whom to ask: the leads by name."""
        with self.reading() as session:
            leads = [one.name for one in people(session, home.workspace_id) if one.leads or one.email in self._leads()]
        if not leads:
            return "Whoever set Cadence up can help."
        return f"{' or '.join(wording.name(one) for one in leads[:MOST_NAMED])} can help."

    def _leads(self) -> frozenset[str]:
        return frozenset(one.lower() for one in self.settings.leads)
