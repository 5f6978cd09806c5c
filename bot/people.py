"""Finds the Slack users of people on the roster by e-mail address, and notices who has left or is back.

Finding needs the optional scope `users:read.email`; without it people are linked when they first use Cadence.
"""

from datetime import datetime

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from sqlalchemy.orm import Session, sessionmaker

from bot.asking import ask
from models.actions.people import SLACK, leave_person, link_person, return_person
from models.queries.programme import Person, Programme, claim_holders, people

log = structlog.get_logger(__name__)
NOBODY = ("users_not_found", "invalid_email")
GONE = ("user_not_found", "user_not_visible")


def link_people(
    client: WebClient,
    reading: sessionmaker[Session],
    sessions: sessionmaker[Session],
    programme: Programme,
    now: datetime,
) -> int:
    """Asks for everybody who has no Slack id yet; answers how many were found. The first refusal ends the round."""
    with reading() as session:
        everybody = people(session, programme.workspace_id)
    taken = {one.slack_user_id for one in everybody}
    found: dict[int, tuple[str, str | None]] = {}
    for person in everybody:
        if person.slack_user_id is not None:
            continue
        try:
            user = ask(client, "users.lookupByEmail", email=person.email)["user"] or {}
        except SlackApiError as error:
            if error.response.get("error") in NOBODY:
                continue
            log.info("people.not_linked", error=error.response.get("error"))
            break
        except OSError as error:
            log.info("people.not_linked", error=repr(error))
            break
        slack_user_id = user.get("id")
        if slack_user_id and not user.get("deleted") and slack_user_id not in taken:
            found[person.id] = slack_user_id, user.get("tz")
            taken.add(slack_user_id)
    if found:
        with sessions.begin() as session:
            for person_id, (slack_user_id, timezone) in found.items():
                link_person(session, programme.workspace_id, person_id, slack_user_id, now, timezone)
    return len(found)


def notice_leavers(
    client: WebClient,
    reading: sessionmaker[Session],
    sessions: sessionmaker[Session],
    programme: Programme,
    now: datetime,
) -> int:
    """Asks for whoever holds a claim, and for whoever had left; answers how many left or came back.

    Slack's silence is no verdict. The first refusal of the app itself ends the round.
    """
    with reading() as session:
        holders = claim_holders(session, programme.workspace_id)
        asked = [one for one in people(session, programme.workspace_id) if one.left or one.id in holders]
    changed = 0
    for person in asked:
        there = _is_there(client, person)
        if there is None:
            break
        if there is not person.left:
            continue
        change = return_person if there else leave_person
        with sessions.begin() as session:
            changed += change(session, programme.workspace_id, person.id, SLACK, now)
    return changed


def _is_there(client: WebClient, person: Person) -> bool | None:
    """Whether Slack knows the person as active; None when it does not say."""
    if person.slack_user_id is None:
        return not person.left
    try:
        user = ask(client, "users.info", user=person.slack_user_id)["user"] or {}
    except SlackApiError as error:
        if error.response.get("error") in GONE:
            return False
        log.info("people.not_asked", error=error.response.get("error"))
        return None
    except OSError as error:
        log.info("people.not_asked", error=repr(error))
        return None
    return not user.get("deleted")
