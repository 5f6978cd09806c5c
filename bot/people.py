"""Finds the Slack users of people on the roster by e-mail address, so that nobody has to type Slack ids.

Needs the optional scope `users:read.email`; without it people are linked when they first use Cadence.
"""

from datetime import datetime

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from sqlalchemy.orm import Session, sessionmaker

from bot.asking import ask
from models.actions.people import link_person
from models.queries.programme import Programme, people

log = structlog.get_logger(__name__)
NOBODY = ("users_not_found", "invalid_email")


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
    found: dict[int, str] = {}
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
            found[person.id] = slack_user_id
            taken.add(slack_user_id)
    if found:
        with sessions.begin() as session:
            for person_id, slack_user_id in found.items():
                link_person(session, programme.workspace_id, person_id, slack_user_id, now)
    return len(found)
