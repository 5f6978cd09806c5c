"""People and partners from a file: all of it or none of it, and importing twice changes nothing.

Everything that is wrong is reported, with line and column. Nobody is removed because a file does not name them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, TextIO

from defusedcsv import csv as safe_csv
from sqlalchemy.orm import Session

from jobs.roster.rows import PartnerCells, PersonCells, checked
from jobs.roster.table import Problem, RosterError, Row, read_table
from models.actions import episodes, next_steps, partners
from models.actions import people as people_actions
from models.actions.partners import PartnerRow
from models.actions.people import PersonRow
from models.actions.rematch import Rematched, roster_change
from models.actions.write import COMMAND_LINE
from models.addresses import host_of
from models.cadence import Status, Tier
from models.clock import local_day
from models.email_address import email_address
from models.names import name_key
from models.queries.mail import mailboxes as connected
from models.queries.mail import roster as known_addresses
from models.queries.programme import Person, Programme, people, tiers
from models.queries.roster import PartnerLine, partner_lines

PEOPLE = ("email", "name", "role", "slack_user_id", "aliases", "timezone")
PARTNERS = (
    *("name", "tier", "owner_email", "domains", "contacts", "status", "since"),
    *("next_step", "next_step_due_on", "external_id"),
)


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or would do; `warnings` are no errors but want to be read."""

    added: tuple[str, ...]
    changed: tuple[str, ...]  # "Acme: tier 2 → 1"
    unchanged: int
    warnings: tuple[str, ...] = ()
    rematched: Rematched = field(default_factory=Rematched)
    files_only: tuple[str, ...] = ()  # mailboxes whose mail cannot be read again but by importing it again


def import_people(
    session: Session, programme: Programme, data: bytes, now: datetime, actor: str = COMMAND_LINE
) -> Imported:
    """Brings people to what the file says; raises RosterError before anything is written."""
    rows, problems = read_table(data, PEOPLE, ("email", "name", "role"))
    judged = [(row, checked(row, PersonCells, problems)) for row in rows]
    read = [(row, cells) for row, cells in judged if cells is not None]
    stored = {one.email: one for one in people(session, programme.workspace_id)}
    claims = _Claims(problems)
    in_file = {cells.email for _, cells in read} | {_address(row) for row, cells in judged if cells is None}
    for person in stored.values():
        if person.email not in in_file:
            claims.held(person.name, "address", (person.email, *person.aliases))
            claims.held(person.name, "Slack member", filter(None, [person.slack_user_id]))
    known = known_addresses(session, programme.workspace_id)
    for address in known.contacts:
        claims.held("a partner, as a contact", "address", [address])
    wanted: dict[str, PersonRow] = {}
    for row, cells in judged:
        if cells is None:  # wrong in itself, but its address is one that another line may have too
            if address := _address(row):
                claims.take(row.line, "email", address, "address", [address])
            continue
        before = stored.get(cells.email)
        aliases = before.aliases if before and cells.aliases is None else cells.aliases or ()
        slack_user_id = cells.slack_user_id or (before.slack_user_id if before else None)
        others = tuple(one for one in aliases if one != cells.email)
        if claims.take(row.line, "email", cells.email, "address", [cells.email]):
            wanted[cells.email] = PersonRow(
                cells.email,
                cells.name,
                cells.role,
                slack_user_id,
                others,
                cells.timezone or (before.timezone if before else None),
            )
        claims.take(row.line, "aliases", cells.email, "address", others)
        claims.take(row.line, "slack_user_id", cells.email, "Slack member", filter(None, [slack_user_id]))
    problems += _nobody_leads(judged, stored.values(), wanted)
    if problems:
        raise RosterError(problems)
    now_there = {
        one.email: PersonRow(one.email, one.name, one.role, one.slack_user_id, one.aliases, one.timezone)
        for one in stored.values()
    }
    held = {key: {*row.aliases, *filter(None, [row.slack_user_id])} for key, row in now_there.items()}
    asked = {key: {*row.aliases, *filter(None, [row.slack_user_id])} for key, row in wanted.items()}
    with roster_change(session, programme.workspace_id, actor, now) as change:
        for key in _givers_first(held, asked):
            if wanted[key] != now_there.get(key):
                people_actions.put_person(session, programme.workspace_id, actor, wanted[key], now)
    return _rematched(session, programme, _told(now_there, wanted), change.mail, now)


def _address(row: Row) -> str:
    """Of a line that is wrong elsewhere; empty where the address itself is wrong."""
    try:
        return email_address(row.cells.get("email") or "")
    except ValueError:
        return ""


def _nobody_leads(
    judged: Sequence[tuple[Row, PersonCells | None]], stored: Collection[Person], wanted: Mapping[str, PersonRow]
) -> list[Problem]:
    """Somebody has to lead: what is wrong with a file that takes the last lead away, said at that line."""
    leads = [one for one in stored if one.leads]
    gone = {one.email for one in stored if one.left}
    kept = any(one.email not in wanted or wanted[one.email].role == "lead" for one in leads)
    new = any(row.role == "lead" and key not in gone for key, row in wanted.items())
    meant = any(cells is None and row.cells.get("role", "").lower() == "lead" for row, cells in judged)
    if not leads or kept or new or meant:
        return []
    names = " and ".join(one.name for one in leads)
    line = next(row.line for row, cells in judged if cells is not None and cells.email == leads[0].email)
    text = f"nobody would lead the programme any more: leave {names} a lead, or make somebody else one in the same file"
    return [Problem(line, "role", text)]


def import_partners(
    session: Session, programme: Programme, data: bytes, now: datetime, actor: str = COMMAND_LINE
) -> Imported:
    """Brings partners to what the file says; raises RosterError before anything is written."""
    rows, problems = read_table(data, PARTNERS, ("name", "tier", "owner_email"))
    if rows and not {"domains", "contacts"} & rows[0].cells.keys():
        raise RosterError(
            [Problem(1, "domains", "the column is missing: without domains or contacts no mail is matched")]
        )
    read = [(row, cells) for row in rows if (cells := checked(row, PartnerCells, problems))]
    in_force = list(tiers(session, programme.workspace_id, now).values())
    persons = {one.email: one for one in people(session, programme.workspace_id)}
    known = known_addresses(session, programme.workspace_id)
    ids = {name_key(line.name): (key, line) for key, line in partner_lines(session, programme.workspace_id).items()}
    stored = {key: line for key, (_, line) in ids.items()}
    claims = _Claims(problems)
    keys = _by_external_id(stored)
    in_file = {_key(cells, keys, stored) for _, cells in read}
    for key, line in stored.items():
        if key not in in_file:
            claims.held(line.name, "domain", line.domains)
            claims.held(line.name, "contact", line.contacts)
    for address in known.people:
        claims.held("one of our own people", "contact", [address])
    wanted: dict[str, PartnerLine] = {}
    strangers: dict[str, list[int]] = {}  # owners who are not on the roster, each told of once
    for row, cells in read:
        key = _key(cells, keys, stored)
        before = stored.get(key)
        other = keys.get(cells.external_id or "", key)
        if other != key:
            text = f"this is the id of {stored[other].name}: `cadence partners merge` makes one of the two"
            problems.append(Problem(row.line, "external_id", text))
        tier = _tier(cells.tier, in_force, row.line, problems)
        if cells.owner_email and cells.owner_email not in persons:
            strangers.setdefault(cells.owner_email, []).append(row.line)
        if cells.next_step_due_on and not cells.next_step:
            problems.append(Problem(row.line, "next_step_due_on", "there is a due date but no next step"))
        line = PartnerLine(
            name=cells.name,
            tier=tier.rank if tier else None,
            owner_email=cells.owner_email,
            domains=_kept(cells.domains, before.domains if before else ()),
            contacts=_kept(cells.contacts, before.contacts if before else ()),
            status=cells.status or (before.status if before else Status.ACTIVE),
            since=cells.since or (before.since if before else None),
            next_step=cells.next_step or (before.next_step if before else None),
            next_step_due_on=cells.next_step_due_on if cells.next_step else before.next_step_due_on if before else None,
            external_id=cells.external_id or (before.external_id if before else None),
        )
        if claims.take(row.line, "name", cells.name, "partner", {key, name_key(cells.name)}):
            wanted[key] = line
        claims.take(row.line, "external_id", cells.name, "external id", filter(None, [cells.external_id]))
        claims.take(row.line, "domains", cells.name, "domain", line.domains)
        claims.take(row.line, "contacts", cells.name, "contact", line.contacts)
    for address, lines in strangers.items():
        more = f" (and {len(lines) - 1} more lines)" if len(lines) > 2 else " (and one more line)" if lines[1:] else ""
        text = f"{address} is not on the roster: import the people first{more}"
        problems.append(Problem(lines[0], "owner_email", text))
    if problems:
        raise RosterError(problems)
    held = {key: {*line.domains, *line.contacts} for key, line in stored.items()}
    asked = {key: {*line.domains, *line.contacts} for key, line in wanted.items()}
    with roster_change(session, programme.workspace_id, actor, now) as change:
        for key in _givers_first(held, asked):
            line = wanted[key]
            if line == stored.get(key):
                continue
            partner = PartnerRow(
                name=line.name,
                tier=line.tier,
                owner_email=line.owner_email,
                domains=line.domains,
                contacts=line.contacts,
                status=line.status,
                since=line.since or local_day(now, programme.zone),
                external_id=line.external_id,
            )
            partners.put_partner(session, programme.workspace_id, actor, partner, now)
    _set_next_steps(session, programme, stored, wanted, {one.email: one.id for one in persons.values()}, now, actor)
    told = replace(_told(stored, wanted), warnings=tuple(_warnings(wanted.values(), known.people)))
    return _rematched(session, programme, told, change.mail, now)


def export_partners(session: Session, programme: Programme, file: TextIO) -> None:
    """The file that `import_partners` reads, safe to open in a spreadsheet."""
    writer = safe_csv.writer(file, lineterminator="\n")
    writer.writerow(PARTNERS)
    for line in partner_lines(session, programme.workspace_id).values():
        writer.writerow([_cell(getattr(line, column)) for column in PARTNERS])


class _Claims:
    """Who holds what: an address, a domain or a name belongs to one, and the second who asks is told who."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self._holders: dict[tuple[str, str], str] = {}

    def held(self, holder: str, kind: str, keys: Iterable[str]) -> None:
        for key in keys:
            self._holders[kind, key] = holder

    def take(self, line: int, column: str, who: str, kind: str, keys: Iterable[str]) -> bool:
        free = True
        for key in keys:
            holder = self._holders.setdefault((kind, key), f"{who} in line {line}")
            if holder != f"{who} in line {line}":
                free = False
                what = f"{who} stands there already" if kind == "partner" else f"{key} belongs already"
                text = f"{what}: {holder}" if kind == "partner" else f"{what} to {holder}"
                self._problems.append(Problem(line, column, text))
        return free


def _givers_first(held: dict[str, set[str]], asked: dict[str, set[str]]) -> Iterator[str]:
    """An order in which everybody finds free what they ask for: who gives something up comes before who takes it."""
    waiting = dict(asked)
    while waiting:
        free = [
            key
            for key, keys in waiting.items()
            if not any(held[one] & keys for one in waiting.keys() & held if one != key)
        ]
        if not free:
            names = " and ".join(sorted(waiting))
            raise RosterError([Problem(1, "", f"{names} exchange addresses in a circle: import this in two steps")])
        for key in free:
            del waiting[key]
        yield from free


def _by_external_id(stored: dict[str, PartnerLine]) -> dict[str, str]:
    """External id → key in `stored`, where the id is that of one partner alone."""
    keys: dict[str, list[str]] = {}
    for key, line in stored.items():
        if line.external_id:
            keys.setdefault(line.external_id, []).append(key)
    return {external_id: some[0] for external_id, some in keys.items() if len(some) == 1}


def _key(cells: PartnerCells, keys: dict[str, str], stored: dict[str, PartnerLine]) -> str:
    """Which partner a line means: by the id of the other system first, since a name may change there."""
    key = name_key(cells.name)
    return keys.get(cells.external_id or "", key) if key not in stored else key


def _tier(text: str | None, in_force: list[Tier], line: int, problems: list[Problem]) -> Tier | None:
    if text is None:
        return None
    for tier in in_force:
        if text == str(tier.rank) or name_key(text) == name_key(tier.name):
            return tier
    known = ", ".join(f"{tier.rank} ({tier.name})" for tier in in_force)
    problems.append(Problem(line, "tier", f"there is no tier '{text}': give one of {known}, or add the tier first"))
    return None


def _kept(cells: tuple[str, ...] | None, before: tuple[str, ...]) -> tuple[str, ...]:
    return before if cells is None else tuple(sorted(set(cells)))


def _set_next_steps(
    session: Session,
    programme: Programme,
    stored: dict[str, PartnerLine],
    wanted: dict[str, PartnerLine],
    person_ids: dict[str, int],
    now: datetime,
    actor: str,
) -> None:
    """Only those that the file changes; an empty cell leaves what people agreed on in Slack."""
    ids = {name_key(line.name): key for key, line in partner_lines(session, programme.workspace_id).items()}
    for key, line in wanted.items():
        before = stored.get(key)
        if line.next_step and (
            before is None or (line.next_step, line.next_step_due_on) != (before.next_step, before.next_step_due_on)
        ):
            owner_id = person_ids.get(line.owner_email or "")
            next_steps.set_next_step(
                session, programme, ids[key], line.next_step, owner_id, line.next_step_due_on, None, actor, now
            )


def _told(before: dict[str, Any], wanted: dict[str, Any]) -> Imported:
    added = tuple(row.name for key, row in wanted.items() if key not in before)
    changed = tuple(
        f"{row.name}: {', '.join(_differences(before[key], row))}"
        for key, row in wanted.items()
        if key in before and before[key] != row
    )
    return Imported(added, changed, len(wanted) - len(added) - len(changed))


def _differences(before: Any, after: Any) -> Iterator[str]:
    for one in fields(after):
        old, new = getattr(before, one.name), getattr(after, one.name)
        if old != new:
            yield f"{one.name} {_cell(old) or 'none'} → {_cell(new) or 'none'}"


def _rematched(session: Session, programme: Programme, told: Imported, done: Rematched, now: datetime) -> Imported:
    """The mail has followed the roster, and the episodes follow the mail."""
    episodes.reopen_if_voided(session, programme, now)
    episodes.settle_episodes(session, programme, now)
    boxes = connected(session, programme.workspace_id) if done.widened else []
    return replace(told, rematched=done, files_only=tuple(box.address for box in boxes if box.provider == "mbox"))


def _warnings(lines: Iterable[PartnerLine], ours: Iterable[str]) -> Iterator[str]:
    our_domains = {host_of(address) for address in ours}
    for line in lines:
        if not line.domains and not line.contacts:
            yield f"{line.name} has neither domain nor contact: no mail will be matched to it"
        for domain in our_domains.intersection(line.domains):
            yield f"{domain} is our own people's domain too: mail to colleagues off the roster counts for {line.name}"


def _cell(value: object) -> str:
    return ";".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
