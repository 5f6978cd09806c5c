"""Makes one partner of two: what is known of the one becomes the other's, in the transaction of the caller.

Must not change what was said in weekly reads: the partner that goes keeps its row, its name and its lines in them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from models.actions import episodes
from models.actions.clocks import facts_changed
from models.actions.outbox import want_redraw
from models.actions.partners import row_of
from models.actions.rematch import outdate_pages, roster_change
from models.actions.touches import SAME_MAIL
from models.actions.write import audit, insert_ignoring, inserted, plain
from models.cadence import State, Status
from models.matching import Roster
from models.queries.programme import Programme
from models.queries.standings import standings
from models.tables import (
    Claim,
    Episode,
    MutedPartner,
    NextStep,
    Partner,
    PartnerContact,
    PartnerDomain,
    PartnerHistory,
    ReadLine,
    Sighting,
    Touch,
)
from models.tables.roster import MERGED

ROWS = 500  # of one statement: databases limit the number of its parameters
_FIELDS = ("from", "to", "cc", "bcc")
_OF_ONE_COPY = (
    *("direction", "verdict", "rule", "by_address", "person_id", "matched", "matched_by", "field"),
    *("clamped", "voided_at", "void_reason"),
)


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge moved. `common` touches were at both; `step_ended` is a next step that had to give way."""

    touches: int = 0
    common: int = 0
    domains: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    recovery_moved: bool = False
    step_moved: str | None = None
    step_ended: str | None = None
    mutes: int = 0  # people who want no nudges about `kept` from now on, since they wanted none about `gone`


def merge_partners(
    session: Session, programme: Programme, actor: str, gone_id: int, kept_id: int, now: datetime
) -> Merged:
    """Moves everything of `gone` to `kept`, whose name, tier, owner and status stay as they are.

    1. Pages of mail that are judged at this moment are out of date, and whoever claims waits.
    2. Domains and contacts, so that the next mail is theirs; touches, one of each mail.
    3. The open recovery and its claim, if there is something to recover still; next steps; who wants no nudges.
    4. The history of `gone` says that it never ran, else weeks that are reconstructed would miss its touches.
    5. Episodes follow the facts.
    """
    if gone_id == kept_id:
        raise ValueError("a partner cannot be merged into itself")
    workspace_id = programme.workspace_id
    gone, kept = session.get_one(Partner, gone_id), session.get_one(Partner, kept_id)
    with roster_change(session, workspace_id, actor, now) as change:
        outdate_pages(session, workspace_id)
        change.before = _given(change.before, gone_id, kept_id)  # its mail moves here; no mailbox need be asked
        before, kept_before = row_of(session, gone), row_of(session, kept)
        for table in (PartnerDomain, PartnerContact):
            session.execute(update(table).where(table.partner_id == gone_id).values(partner_id=kept_id))
        touches, common = _move_touches(session, gone_id, kept_id)
        moved, ended = _move_steps(session, gone_id, kept_id, now)
        mutes = _move_mutes(session, gone_id, kept_id)
        gone.status, gone.name_key = MERGED, f"\x1f{gone_id}"  # its name is free: no name holds such a character
        gone.tier_id = gone.owner_id = gone.paused_until = gone.pause_reason = gone.external_id = None
        kept.external_id = kept.external_id or before.external_id
        session.execute(delete(PartnerHistory).where(PartnerHistory.partner_id == gone_id))
        session.add(PartnerHistory(partner_id=gone_id, from_at=gone.created_at, status=Status.ENDED))
        session.flush()
        facts_changed(session, workspace_id, [gone_id, kept_id])
    recovery = _move_recovery(session, programme, gone_id, kept_id, now)
    episodes.reopen_if_voided(session, programme, now)
    episodes.settle_episodes(session, programme, now, [kept_id])
    done = Merged(touches, common, before.domains, before.contacts, recovery, moved, ended, mutes)
    into = {"merged into": kept_id, **plain(done)}
    audit(session, workspace_id, actor, "merge partner", f"partner:{gone_id}", now, before=plain(before), after=into)
    taken_in = {**plain(row_of(session, kept)), "merged from": gone_id}
    audit(
        session,
        workspace_id,
        actor,
        "take in partner",
        f"partner:{kept_id}",
        now,
        before=plain(kept_before),
        after=taken_in,
    )
    return done


def _given(roster: Roster, gone_id: int, kept_id: int) -> Roster:
    """The roster as if what belonged to the one had always belonged to the other."""

    def held(names: dict[str, int]) -> dict[str, int]:
        return {name: kept_id if holder == gone_id else holder for name, holder in names.items()}

    return replace(roster, contacts=held(dict(roster.contacts)), domains=held(dict(roster.domains)))


def _move_touches(session: Session, gone_id: int, kept_id: int) -> tuple[int, int]:
    """A mail that both have, under one key or as a copy under another Message-ID, is kept once, with its best match."""

    def keys(partner_id: int) -> Sequence[tuple[int, str, str, datetime]]:
        columns = (Touch.id, Touch.dedupe_key, Touch.content_hmac, Touch.at)
        rows = session.execute(select(*columns).where(Touch.partner_id == partner_id).order_by(Touch.id))
        return [(row.id, row.dedupe_key, row.content_hmac, row.at) for row in rows]

    by_key: dict[str, int] = {}
    by_content: dict[str, list[tuple[datetime, int]]] = {}
    for touch_id, dedupe_key, content, at in keys(kept_id):
        by_key[dedupe_key] = touch_id
        by_content.setdefault(content, []).append((at, touch_id))
    moving: list[int] = []
    common: dict[int, int] = {}
    for touch_id, dedupe_key, content, at in keys(gone_id):
        near = (there for other, there in by_content.get(content, ()) if abs(other - at) <= SAME_MAIL)
        same = by_key.get(dedupe_key) or next(near, None)
        if same is None:
            moving.append(touch_id)
        else:
            common[touch_id] = same
    for touch_id, same in common.items():
        _keep_one(session, session.get_one(Touch, same), session.get_one(Touch, touch_id))
    for start in range(0, len(moving), ROWS):
        some = moving[start : start + ROWS]
        session.execute(update(Touch).where(Touch.id.in_(some)).values(partner_id=kept_id))
    return len(moving), len(common)


def _keep_one(session: Session, kept: Touch, spare: Touch) -> None:
    if _worth(spare) < _worth(kept):
        for name in _OF_ONE_COPY:
            setattr(kept, name, getattr(spare, name))
    seen = session.scalars(select(Sighting).where(Sighting.touch_id == spare.id)).all()
    rows = [
        {"touch_id": kept.id, "mailbox_id": sighting.mailbox_id, "provider_id": sighting.provider_id}
        for sighting in seen
    ]
    if rows:
        session.execute(insert_ignoring(session, Sighting, rows))
    session.execute(update(Episode).where(Episode.touch_id == spare.id).values(touch_id=kept.id))
    session.execute(update(ReadLine).where(ReadLine.last_touch_id == spare.id).values(last_touch_id=kept.id))
    session.execute(delete(Sighting).where(Sighting.touch_id == spare.id))
    session.delete(spare)
    session.flush()


def _worth(touch: Touch) -> tuple[bool, bool, int, bool]:
    """The least is the best copy: it stands, a person wrote it, To tells more than Cc, a contact more than a domain."""
    return (
        touch.voided_at is not None,
        touch.verdict != "human",
        _FIELDS.index(touch.field),
        touch.matched_by != "contact",
    )


def _move_steps(session: Session, gone_id: int, kept_id: int, now: datetime) -> tuple[str | None, str | None]:
    """The agreed next step moves, unless there is one: then that one stands. Answers the text of either."""

    def current(partner_id: int) -> NextStep | None:
        return session.scalar(select(NextStep).where(NextStep.partner_id == partner_id, NextStep.ended_at.is_(None)))

    step, there = current(gone_id), current(kept_id)
    if step is not None and there is not None:
        step.ended_at, step.end_reason = now, "superseded"
        session.flush()
    session.execute(update(NextStep).where(NextStep.partner_id == gone_id).values(partner_id=kept_id))
    text = step.text if step else None
    return (None, text) if there is not None else (text, None)


def _move_mutes(session: Session, gone_id: int, kept_id: int) -> int:
    """Nobody is nudged again about what they muted, under whatever name; answers for how many that is new."""
    of_gone = session.scalars(select(MutedPartner).where(MutedPartner.partner_id == gone_id)).all()
    rows = [{"person_id": one.person_id, "partner_id": kept_id, "muted_at": one.muted_at} for one in of_gone]
    new = sum(inserted(session, MutedPartner, row) is not None for row in rows)
    session.execute(delete(MutedPartner).where(MutedPartner.partner_id == gone_id))
    return new


def _move_recovery(session: Session, programme: Programme, gone_id: int, kept_id: int, now: datetime) -> bool:
    """Closes the open episode. While the other partner is overdue too, its recovery goes on there, with its claim.

    Episodes that were closed before stay: reads that were held say with them how a partner's line ended.
    """
    episodes.take_turns(session, programme.workspace_id)
    open_now = Episode.closed_at.is_(None)
    episode = session.scalar(select(Episode).where(Episode.partner_id == gone_id, open_now))
    if episode is None:
        return False
    [standing] = standings(session, programme, now, partner_ids=[kept_id])
    there = session.scalar(select(Episode).where(Episode.partner_id == kept_id, open_now))
    if there is None and standing.state is State.OVERDUE:
        there = Episode(workspace_id=programme.workspace_id, partner_id=kept_id, opened_at=episode.opened_at)
        session.add(there)
        session.flush()
    current = Claim.ended_at.is_(None)
    if there is not None:
        claims = select(func.count()).where(Claim.episode_id == there.id, current)
        if not session.scalar(claims):
            session.execute(
                update(Claim).where(Claim.episode_id == episode.id, current).values(episode_id=there.id),
                execution_options={"synchronize_session": False},
            )
        want_redraw(session, programme.workspace_id, there.opened_at)
    episodes.end_claims(session, Claim.episode_id == episode.id, "closed", now)
    episode.closed_at, episode.outcome = now, MERGED
    session.flush()
    want_redraw(session, programme.workspace_id, episode.opened_at)
    return there is not None
