"""Finds the partner that somebody means by a typed name, and says honestly when it could be another one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from rapidfuzz import fuzz
from sqlalchemy.orm import Session

from models.names import name_key, spelled_out
from models.queries.standings import PartnerName, partner_names

NEAR = 75.0
CLEAR = 8.0
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Found:
    """`partner` is the one that was meant. Without one, `nearest` are the candidates, best first.

    `exact` is False where the name was a guess: whoever shows the partner then asks "did you mean". `ambiguous` says
    that several names fit equally well, not that none does.
    """

    partner: PartnerName | None
    exact: bool
    nearest: tuple[PartnerName, ...]
    ambiguous: bool = False


def find_partner(session: Session, workspace_id: int, typed: str, now: datetime) -> Found:
    """The partner with this name, or the one clear best for a name with a typing error."""
    return best_match(partner_names(session, workspace_id, now), typed)


def best_match(names: Sequence[PartnerName], typed: str) -> Found:
    """Exact first, in either spelling of ü; then by likeness, where the best must stand clear of the second."""
    wanted = _spellings(typed)
    for same in (lambda one: name_key(one.name) == name_key(typed), lambda one: wanted & _spellings(one.name)):
        exact = [one for one in names if same(one)]
        if exact:
            return Found(exact[0], True, ()) if len(exact) == 1 else Found(None, False, tuple(exact), True)
    if not any(wanted):
        return Found(None, False, ())
    scored = sorted(((_likeness(wanted, _spellings(one.name)), one) for one in names), key=lambda pair: -pair[0])
    near = [(score, one) for score, one in scored if score >= NEAR]
    if not near:
        return Found(None, False, tuple(one for _, one in scored[:SHOWN]))
    best = near[0][0]
    rivals = tuple(one for score, one in near if best - score < CLEAR)
    if len(rivals) == 1:
        return Found(rivals[0], False, tuple(one for _, one in near[1 : SHOWN + 1]))
    return Found(None, False, rivals, True)


def _likeness(wanted: frozenset[str], known: frozenset[str]) -> float:
    return max(_score(one, other) for one in wanted for other in known)


def _score(typed: str, name: str) -> float:
    """0 to 100. The beginning of a name, or one whole word of it, is a good hint; letters inside of one are none."""
    score = max(fuzz.ratio(typed, name), fuzz.token_sort_ratio(typed, name))
    words = name.split()
    if len(typed) > 2 and (name.startswith(typed) or all(word in words for word in typed.split())):
        return max(score, 90.0)
    return max([score, *(fuzz.ratio(typed, word) * 0.9 for word in words if len(word) > 3)])


@lru_cache(maxsize=20_000)
def _spellings(name: str) -> frozenset[str]:
    return frozenset(" ".join(re.sub(r"[^\w]+", " ", key).split()) for key in (name_key(name), spelled_out(name)))
