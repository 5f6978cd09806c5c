"""Whom somebody means by a mention, an address or a typed name: people of the roster only. Decides nothing."""

from collections.abc import Sequence

from rapidfuzz import fuzz

from bot.listeners.typed import MENTION, literal
from models.names import name_key, spelled_out
from models.queries.programme import Person

NEAR = 70
SHOWN = 3


def person_meant(everybody: Sequence[Person], typed: str) -> tuple[Person | None, list[Person]]:
    """The one who is meant; else nobody, and those whose names come near."""
    mentioned = MENTION.fullmatch(typed.strip())
    if mentioned:
        return next((one for one in everybody if one.slack_user_id == mentioned[1]), None), []
    wanted = literal(typed).removeprefix("@").strip()
    by_address = [one for one in everybody if wanted.casefold() in (one.email, *one.aliases)]
    if by_address:
        return by_address[0], []
    keys = {name_key(wanted), spelled_out(wanted)} - {""}
    if not keys:
        return None, []
    for said in (_whole, _parts):
        same = [one for one in everybody if keys & said(one)]
        if same:
            return (same[0], []) if len(same) == 1 else (None, same[:SHOWN])
    scored = sorted(((_likeness(keys, one), one.id, one) for one in everybody), key=lambda each: (-each[0], each[1]))
    return None, [one for score, _, one in scored if score >= NEAR][:SHOWN]


def _whole(person: Person) -> set[str]:
    return {name_key(person.name), spelled_out(person.name), person.email.split("@")[0].casefold()}


def _parts(person: Person) -> set[str]:
    return {part for whole in (name_key(person.name), spelled_out(person.name)) for part in whole.split()}


def _likeness(keys: set[str], person: Person) -> float:
    return max(fuzz.ratio(key, known) for key in keys for known in _whole(person) | _parts(person))
