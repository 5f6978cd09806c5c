"""Whose silence is out of character: each partner's own rhythm of inbound mail, read in one statement.

It changes no state. How a rhythm is judged is `models.rhythm`; which partners are named stands here.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Date, Integer, case, cast, func, literal, select, type_coerce
from sqlalchemy.orm import Session

from models.cadence import State
from models.clock import instant, local_day
from models.queries.programme import Programme
from models.queries.standings import human
from models.rhythm import UNUSUAL, Rhythm, Silence, quiet, rhythm_of, soonest_unusual
from models.standing import Standing, observed, sort_key
from models.tables import Touch
from models.weekly_read import GoneQuiet

YEARS_BACK = timedelta(days=3 * 365)
"""Older mail says nothing of today's rhythm. Whoever was silent for so long has gone, and is on no list."""

NEWS_DAYS = 28
"""The weekly read names a partner for four weeks from when its silence became unusual; then only the list does."""

AT_ONCE = 500


def rhythms(
    session: Session,
    programme: Programme,
    now: datetime,
    partner_ids: Collection[int] | None = None,
    silent_since: datetime | None = None,
) -> dict[int, Rhythm]:
    """The rhythm of everybody, or of these, who wrote in the last three years, as known from mail up to `now`.

    Of more than a few everybody's mail is read: to look for each takes longer. `silent_since`: only of those who wrote
    nothing from then on.
    """
    since = now - YEARS_BACK
    day_of = _Days(programme.zone, since, now, session.get_bind().dialect.name)
    query = (
        select(Touch.partner_id, day_of.moments)
        .where(Touch.workspace_id == programme.workspace_id, human("inbound"), Touch.at > since, Touch.at <= now)
        .group_by(Touch.partner_id)
    )
    wanted = None if partner_ids is None else frozenset(partner_ids)
    if wanted is not None and len(wanted) <= AT_ONCE:
        query = query.where(Touch.partner_id.in_(wanted))
    if silent_since is not None:
        query = query.having(func.max(Touch.at) < silent_since)
    return {
        partner_id: rhythm_of(day_of.ordinals(moments))
        for partner_id, moments in session.execute(query)
        if wanted is None or partner_id in wanted
    }


def silence_of(session: Session, programme: Programme, now: datetime, line: Standing) -> Silence | None:
    """The silence of one partner; None when it cannot be judged, or nothing was heard from it in three years."""
    if not can_be_judged(line, now):
        return None
    rhythm = rhythms(session, programme, now, [line.facts.partner_id]).get(line.facts.partner_id)
    return None if rhythm is None else quiet(rhythm, local_day(now, programme.zone))


def gone_quiet(
    session: Session, programme: Programme, now: datetime, lines: Sequence[Standing]
) -> list[tuple[Standing, Silence]]:
    """Of these partners those whose silence is unusual for them, the most unusual first; see `can_be_judged`."""
    today = local_day(now, programme.zone)
    return [(one, silence) for one, _, silence in _unusual(session, programme, now, lines, today)]


def newly_quiet(session: Session, programme: Programme, now: datetime, lines: Sequence[Standing]) -> list[GoneQuiet]:
    """Those the weekly read names: not overdue, and their silence has become unusual in the last four weeks."""
    today = local_day(now, programme.zone)
    on_time = [one for one in lines if one.state is not State.OVERDUE]
    return [
        GoneQuiet(one, silence.chance, silence.words)
        for one, rhythm, silence in _unusual(session, programme, now, on_time, today)
        if silence.chance is not None
        and silence.silent_days is not None
        and rhythm.outlasts(silence.silent_days - NEWS_DAYS) > UNUSUAL
    ]


def can_be_judged(line: Standing, now: datetime) -> bool:
    """Whether silence would be the partner's own: it is in the programme, and its owner's mail is seen."""
    return line.state not in (State.ENDED, State.PAUSED) and observed(line.facts, now)


def _unusual(
    session: Session, programme: Programme, now: datetime, lines: Sequence[Standing], today: date
) -> list[tuple[Standing, Rhythm, Silence]]:
    latest = today - timedelta(days=soonest_unusual())
    asked = {one.facts.partner_id: one for one in lines if _may_be_unusual(one, now, latest, programme.zone)}
    found = []
    silent_since = instant(latest + timedelta(days=1), time(), programme.zone)
    for partner_id, rhythm in rhythms(session, programme, now, asked, silent_since).items():
        if rhythm.last_day is None or rhythm.outlasts(today.toordinal() - rhythm.last_day) > UNUSUAL:
            continue  # before words are made that nobody reads
        silence = quiet(rhythm, today)
        if silence.chance is not None and silence.chance <= UNUSUAL:
            found.append((silence.chance, sort_key(asked[partner_id]), rhythm, silence, asked[partner_id]))
    found.sort(key=lambda one: one[:2])
    return [(line, rhythm, silence) for _, _, rhythm, silence, line in found]


def _may_be_unusual(line: Standing, now: datetime, latest: date, zone: ZoneInfo) -> bool:
    heard_at = line.facts.last_heard_at
    return heard_at is not None and local_day(heard_at, zone) <= latest and can_be_judged(line, now)


class _Days:
    """Local days of a partner's mails, gathered by the database so that one row a partner is fetched.

    PostgreSQL counts days, by the offsets of the programme's zone as Python knows them: a server may know a zone by
    other rules, or not at all. SQLite gathers hours, or quarters of one where the zone has such offsets.
    """

    def __init__(self, zone: ZoneInfo, since: datetime, now: datetime, backend: str) -> None:
        self._zone, self._sqlite = zone, backend == "sqlite"
        self._spells = _offsets(zone, since, now)
        whole = all(offset % timedelta(hours=1) == timedelta() for _, offset in self._spells)
        self._length = len("2026-11-23 09" if whole else "2026-11-23 09:05")
        self._known: dict[str, int] = {}

    @property
    def moments(self) -> ColumnElement[Any]:
        """Not distinct: to sort them all takes longer than to fetch a day twice."""
        if self._sqlite:  # instants are text in UTC there
            return func.group_concat(func.substr(Touch.at, 1, self._length))
        (_, first), *later = self._spells
        whens = [(Touch.at >= at, literal(offset)) for at, offset in reversed(later)]
        offset = case(*whens, else_=literal(first)) if whens else literal(first)
        day = cast(func.timezone("UTC", Touch.at) + offset, Date)
        return func.array_agg(type_coerce(day - literal(date.min), Integer) + 1)

    def ordinals(self, moments: Any) -> set[int]:
        if not self._sqlite:
            return set(moments)
        known, told = self._known, moments.split(",")
        for one in told:
            if one not in known:
                instant = datetime.fromisoformat(one).replace(tzinfo=UTC)
                known[one] = local_day(instant, self._zone).toordinal()
        return {known[one] for one in told}


def _offsets(zone: ZoneInfo, since: datetime, until: datetime) -> list[tuple[datetime, timedelta]]:
    """The zone's offset at `since`, and each other one with the instant from which it holds, to the second."""

    def offset(at: datetime) -> timedelta:
        return at.astimezone(zone).utcoffset() or timedelta()

    low = since.astimezone(UTC).replace(microsecond=0)
    found = [(low, offset(low))]
    while low < until:
        high = following = low + timedelta(weeks=1)
        if offset(high) != found[-1][1]:
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
                low, high = (middle, high) if offset(middle) == found[-1][1] else (low, middle)
            found.append((high, offset(high)))
        low = following
    return found
