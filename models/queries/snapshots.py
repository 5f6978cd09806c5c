"""A held read beside the same read computed anew: from what was known then, and from what is known now.

It changes nothing: what a read has said stays. Its words are made elsewhere.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from models import tables
from models.cadence import Policy, Shutdown, State
from models.queries.late_evidence import Because, late_evidence, starts_then
from models.queries.programme import Programme, people
from models.queries.standings import partner_facts, standings
from models.settings import zone_named
from models.standing import Standing, stand
from models.tables import Partner, Read, ReadLine
from models.weekly_read import Coverage


@dataclass(frozen=True, slots=True)
class Stood:
    """What a read says of one partner, but for the words."""

    state: State
    tier_rank: int | None
    window_days: int | None
    grace_days: int | None
    owner: str | None
    last_touch_at: datetime | None
    due_on: date | None
    days_overdue: int
    reply_backed: bool
    reply_owed: bool
    unobserved: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """A partner that stood otherwise: `was` in the read, `would_be` by the facts; None where it had no line there."""

    partner_id: int
    partner: str
    was: Stood | None
    would_be: Stood | None
    because: tuple[Because, ...]

    @property
    def changes(self) -> tuple[str, ...]:
        """What differs."""
        if self.was is None or self.would_be is None:
            return ()
        return tuple(
            one.name for one in fields(Stood) if getattr(self.was, one.name) != getattr(self.would_be, one.name)
        )


@dataclass(frozen=True, slots=True)
class ReadCheck:
    """`unproven`: lines that what was known then does not give again, since an older state of a fact was not kept.

    `changed`: lines that would be others by what is known now. Policy and calendar are those of the read.
    """

    week: date
    at: datetime
    policy: Policy
    policy_now: Policy
    zone_key: str
    partners: int
    unproven: tuple[Difference, ...]
    changed: tuple[Difference, ...]
    coverage: Mapping[int, tuple[Coverage, Coverage]] = field(default_factory=dict)  # by tier rank: was, would be


def held_weeks(session: Session, workspace_id: int) -> Sequence[date]:
    """The weeks whose read was held, newest first."""
    return session.scalars(select(Read.week).where(Read.workspace_id == workspace_id).order_by(Read.week.desc())).all()


def read_check(session: Session, programme: Programme, week: date) -> ReadCheck | None:
    """The read of a week compared; None where none was held."""
    read = session.scalar(select(Read).where(Read.workspace_id == programme.workspace_id, Read.week == week))
    if read is None:
        return None
    zone = zone_named(read.timezone) if read.timezone else programme.zone
    judged_by = replace(programme, policy=Policy(read.policy), zone=zone)
    known_then = replace(judged_by, shutdowns=_shutdowns_then(session, programme.workspace_id, read.at))
    owners = {one.id: one.name for one in people(session, programme.workspace_id)}
    lines = session.scalars(select(ReadLine).where(ReadLine.read_id == read.id)).all()
    was = {line.partner_id: _said(line, owners) for line in lines}
    starts = starts_then(session, programme.workspace_id, read.at)
    facts = partner_facts(session, known_then, read.at, known_at=read.at)
    facts = [replace(one, cadence_start_on=starts.get(one.partner_id, one.cadence_start_on)) for one in facts]
    then = _judged(stand(one, read.at, zone, known_then.shutdowns) for one in facts)
    now = _judged(standings(session, judged_by, read.at))
    if read.timezone is None:  # a read of an older version: it kept no due day
        then, now = _without_due(then), _without_due(now)
    added = set(session.scalars(select(Partner.id).where(_added_since(programme.workspace_id, read.at))))
    now = {partner_id: stood for partner_id, stood in now.items() if partner_id in was or partner_id not in added}
    because = late_evidence(
        session,
        judged_by,
        read,
        {one for other in (then, now) for one in _differing(was, other)},
    )
    names = {row.id: row.name for row in session.execute(select(Partner.id, Partner.name))}

    def differences(other: Mapping[int, Stood]) -> tuple[Difference, ...]:
        found = []
        for one in _differing(was, other):
            known = because.get(one, ()) if other is now else _kept_no_older(because.get(one, ()), read.at)
            plain = Difference(one, names[one], was.get(one), other.get(one), ())
            found.append(replace(plain, because=tuple(why for why in known if _bears(why, plain, judged_by.policy))))
        return tuple(sorted(found, key=lambda one: (one.partner.casefold(), one.partner_id)))

    return ReadCheck(
        week=read.week,
        at=read.at,
        policy=judged_by.policy,
        policy_now=programme.policy,
        zone_key=zone.key,
        partners=len(lines),
        unproven=differences(then),
        changed=differences(now),
        coverage=_coverage(was.values(), now.values()),
    )


def _kept_no_older(because: Iterable[Because], at: datetime) -> list[Because]:
    """Without what came after the read: that was left out already, for its time is known."""
    dated = ("captured", "taken_back", "shutdown", "start")
    return [one for one in because if one.kind not in dated or (one.at is not None and one.at <= at)]


def _bears(why: Because, one: Difference, policy: Policy) -> bool:
    """Whether a reason has to do with what differs: an older mail that came late changes nothing."""
    if one.was is None or one.would_be is None:
        return True
    changes = set(one.changes)
    conversation = bool(changes & {"reply_backed", "reply_owed"})
    if why.direction == "inbound":
        return conversation or (policy is not Policy.OUTBOUND and "last_touch_at" in changes)
    if why.kind in ("captured", "stands_again"):
        return why.mail_at == one.would_be.last_touch_at != one.was.last_touch_at or "reply_owed" in changes
    if why.kind == "taken_back":
        return why.mail_at == one.was.last_touch_at != one.would_be.last_touch_at or "reply_owed" in changes
    if why.kind in ("judged_again", "gone"):
        return "last_touch_at" in changes or conversation
    if why.kind == "start":  # it matters to whom nobody wrote, and while nobody can see
        both = (one.was, one.would_be)
        return any(it.last_touch_at is None or it.unobserved or it.state is State.BLIND for it in both)
    if why.kind == "shutdown":
        return "due_on" in changes and "last_touch_at" not in changes
    return True


def _said(line: ReadLine, owners: Mapping[int, str]) -> Stood:
    return Stood(
        state=State(line.state),
        tier_rank=line.tier_rank,
        window_days=line.window_days,
        grace_days=line.grace_days,
        owner=owners.get(line.owner_id) if line.owner_id is not None else None,
        last_touch_at=line.last_touch_at,
        due_on=line.due_on,
        days_overdue=line.days_overdue,
        reply_backed=line.reply_backed,
        reply_owed=line.reply_owed,
        unobserved=line.unobserved,
    )


def _judged(lines: Iterable[Standing]) -> dict[int, Stood]:
    return {
        one.facts.partner_id: Stood(
            state=one.state,
            tier_rank=one.facts.tier.rank if one.facts.tier else None,
            window_days=one.facts.tier.window_days if one.facts.tier else None,
            grace_days=one.facts.tier.grace_days if one.facts.tier else None,
            owner=one.facts.owner.name if one.facts.owner else None,
            last_touch_at=one.facts.last_touch_at,
            due_on=one.due_on,
            days_overdue=one.days_overdue,
            reply_backed=one.reply_backed,
            reply_owed=one.reply_owed,
            unobserved=one.unobserved,
        )
        for one in lines
    }


def _without_due(lines: Mapping[int, Stood]) -> dict[int, Stood]:
    return {partner_id: replace(stood, due_on=None) for partner_id, stood in lines.items()}


def _differing(was: Mapping[int, Stood], other: Mapping[int, Stood]) -> list[int]:
    return [one for one in sorted({*was, *other}) if was.get(one) != other.get(one)]


def _added_since(workspace_id: int, at: datetime) -> ColumnElement[bool]:
    """Partners that the read could not know. They are no late evidence about it: a roster has a beginning."""
    return and_(Partner.workspace_id == workspace_id, Partner.created_at > at)


def _shutdowns_then(session: Session, workspace_id: int, at: datetime) -> tuple[Shutdown, ...]:
    shut = tables.Shutdown
    rows = session.scalars(
        select(shut)
        .where(shut.workspace_id == workspace_id, shut.set_at <= at, or_(shut.ended_at.is_(None), shut.ended_at > at))
        .order_by(shut.from_on)
    )
    return tuple(Shutdown(row.from_on, row.until_on, row.reason) for row in rows)


def _coverage(was: Iterable[Stood], now: Iterable[Stood]) -> dict[int, tuple[Coverage, Coverage]]:
    counts: list[Counter[tuple[int, str]]] = []
    for lines in (was, now):
        counted: Counter[tuple[int, str]] = Counter()
        for one in lines:
            if one.tier_rank is not None:
                counted[one.tier_rank, "covered"] += one.state.covered
                counted[one.tier_rank, "eligible"] += one.state.eligible
        counts.append(counted)
    ranks = sorted({rank for counted in counts for rank, _ in counted})

    def of(counted: Counter[tuple[int, str]], rank: int) -> Coverage:
        return Coverage(counted[rank, "covered"], counted[rank, "eligible"])

    return {rank: (of(counts[0], rank), of(counts[1], rank)) for rank in ranks}
