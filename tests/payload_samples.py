"""Every payload that the product can send, produced from made-up facts of any number and with any names.

Whatever in `bot/views` answers with a Payload or a View is found by its signature, and its arguments are made by their
types; where a value means something, `WORDS` says what it may be. Must not know what is said.
"""

import ast
import importlib
import inspect
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from datetime import date, datetime, timedelta
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any, Union, get_args, get_origin
from zoneinfo import ZoneInfo

import bot.views
from bot import ids
from bot.ids import Carried
from bot.views import kit
from bot.views.kit import Payload, View
from bot.views.lists import Leaf, Listed, leaf
from models.cadence import Tier
from models.queries.reads import HeldRead, Settled
from models.rhythm import Silence
from models.standing import NextStepFacts, PartnerFacts, Standing, Who
from models.weekly_read import WeeklyRead, weekly_read
from tests.facts import LONDON, NOW, QUIET, TIERS, claim_by

COUNTS = (0, 1, 10, 15, 40, 100, 400)
DRAWN = ("Payload", "View", "Payload | None", "View | None", "list[Payload]", "kit.Payload", "kit.View")
MANY = (Sequence, Collection, Iterable, list, tuple, Mapping, dict)
PARTS = {"kit", "inputs", "sheets"}  # of which payloads are made; they make none

WORDS: Mapping[str, Any] = {
    "action": "set schedule",
    "action_id": ids.row(ids.CLAIM, 1),
    "actor": "person:1",
    "channel": "C0PARTNERS",
    "code": "GB",
    "command": "stale",
    "country": "GB",
    "direction": "outbound",
    "domain": "acme.example",
    "ended": "done",
    "example": "partner Acme",
    "field": "to",
    "google": "https://cadence.example/mailbox/connect?ticket=one",
    "group": "everyday",
    "kind": "overdue",
    "leaders_channel": "C0LEADERS",
    "microsoft": "https://cadence.example/mailbox/connect?ticket=two",
    "outcome": "recovered",
    "own": "Europe/London",
    "own_zone": "Europe/London",
    "period": "2026-11-23",
    "provider": "gmail",
    "read_at": "mon 09:00",
    "role": "manager",
    "slack_channel": "C0PARTNERS",
    "slack_user_id": "U0DANA",
    "source": "snapshot",
    "status": "unknown",
    "timezone": "Europe/London",
    "trouble": "not_in_channel",
    "ts": "1795428000.000100",
    "verdict": "human",
    "what": "what it does",
    "when_empty": "post",
    "zone": "Europe/London",
}
KINDS = {"imports": "partners"}  # what `kind` means there

LIMITS = {
    "audit.audit_modal": (0, 15),
    "claims.assign_form": (1, 400),
    "help.help_answer": (1, 40),
    "next_step.history_modal": (0, 15),
    "next_step.next_step_form": (1, 400),
    "settings.channel_view": (0, 3),
    "suggestions.suggestions_answer": (0, 10),
    "suggestions.partner_form": (1, 400),
    "walk.walk_view": (1, 400),
    "walk.walk_pause_view": (1, 400),
}
"""Least and most of what whoever calls it ever hands over, where that is less than everything."""


class Unknown(Exception):
    """A parameter whose values nobody has said how to make."""


def drawing() -> dict[str, Callable[..., Any]]:
    """Everything that draws a message, a modal or a Home tab, by module and name."""
    found = {}
    for path in sorted(Path(bot.views.__path__[0]).glob("*.py")):
        if path.stem in PARTS or path.stem == "__init__":
            continue
        module = importlib.import_module(f"bot.views.{path.stem}")
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_") or node.returns is None:
                continue
            if ast.unparse(node.returns) in DRAWN:
                found[f"{path.stem}.{node.name}"] = getattr(module, node.name)
    return found


def samples(counts: Iterable[int] = (1, 15), names: Sequence[str] = ()) -> Iterator[tuple[str, Payload | View]]:
    """Every drawing with so many partners each, under ordinary names or the ones given."""
    for key, draw in drawing().items():
        for count in numbers(key, draw, counts):
            yield from drawn_by(key, draw, count, names)


def numbers(key: str, draw: Callable[..., Any], counts: Iterable[int] = COUNTS) -> list[int]:
    """With how many of everything it is drawn."""
    least, most = LIMITS.get(key, (0, max(COUNTS)))
    return sorted({min(max(one, least), most) for one in counts}) if takes_many(draw) else [1]


def takes_many(draw: Callable[..., Any]) -> bool:
    """Whether one of its arguments is, or holds, a number of things."""

    def many(kind: Any, depth: int = 0) -> bool:
        origin = get_origin(kind)
        if origin in (Sequence, Collection, Iterable, list, tuple, Mapping, dict) or kind in (
            HeldRead,
            WeeklyRead,
            Leaf,
        ):
            return True
        if is_dataclass(kind) and isinstance(kind, type) and depth < 2 and kind not in (Standing, Carried, Who):
            return any(many(one, depth + 1) for one in typing.get_type_hints(kind).values())
        return any(many(one, depth) for one in get_args(kind))

    hints = typing.get_type_hints(draw)
    return any(many(kind) for name, kind in hints.items() if name != "return")


def drawn_by(
    key: str, draw: Callable[..., Any], count: int, names: Sequence[str] = ()
) -> Iterator[tuple[str, Payload | View]]:
    """What one function makes of so many things; with and without what may be missing."""
    for full in (True, False):
        maker = Maker(count, names, full=full, kind=KINDS.get(key.split(".")[0]))
        made = draw(**maker.arguments(draw))
        for number, one in enumerate(made if isinstance(made, list) else [made]):
            if one is not None:
                yield f"{key} {count}{'' if full else ' bare'}{f' part {number}' if number else ''}", one


class Maker:
    """Makes a value of any type that views ask for. `full`: also what may be missing."""

    def __init__(self, count: int, names: Sequence[str], *, full: bool, kind: str | None = None) -> None:
        self.count, self.full, self._names, self._kind = count, full, names, kind

    def name(self, number: int = 0) -> str:
        return self._names[number % len(self._names)] if self._names else f"Partner {number:03}"

    def arguments(self, draw: Callable[..., Any]) -> dict[str, Any]:
        hints = typing.get_type_hints(draw)
        made = {}
        for name, parameter in inspect.signature(draw).parameters.items():
            if parameter.default is inspect.Parameter.empty or self.full:
                made[name] = self.make(hints[name], name)
        return made

    def make(self, kind: Any, name: str, number: int = 0) -> Any:
        special = self._special(kind, name, number)
        if special is not None:
            return special
        origin, of = get_origin(kind), get_args(kind)
        if origin in (Union, types.UnionType):
            if not self.full and type(None) in of:
                return None
            return self.make(next(one for one in of if one is not type(None)), name, number)
        if origin is tuple and not (len(of) == 2 and of[1] is Ellipsis):
            return tuple(self.make(one, name, number) for one in of)
        if origin in (Sequence, Collection, Iterable, list, tuple):
            count = min(self.count, 5) if of[0] == kit.Block else self.count  # parts of a page, not partners
            many = [self.make(of[0], name, one) for one in range(count)]
            return tuple(many) if origin is tuple else many
        if origin in (Mapping, dict):
            return {
                self.make(of[0], "id" if of[0] is int else name, one): self.make(of[1], name, one)
                for one in range(self.count)
            }
        if origin in (set, frozenset):
            return {self.make(of[0], name, one) for one in range(min(self.count, 40))}
        if is_dataclass(kind) and isinstance(kind, type):
            return self._whole(kind, number)
        raise Unknown(f"{kind} of {name}")

    def _whole(self, kind: type[Any], number: int) -> Any:
        hints = typing.get_type_hints(kind)
        given = {
            one.name: self.make(hints[one.name], one.name, number)
            for one in fields(kind)
            if one.init and (self.full or (one.default is MISSING and one.default_factory is MISSING))
        }
        return kind(**given)

    def _special(self, kind: Any, name: str, number: int) -> Any:
        today = NOW.astimezone(LONDON).date()
        if kind is str:
            return self._text(name, number)
        if kind is kit.Block or (get_origin(kind) is dict and kind == dict[str, Any]):
            return kit.option("One", "1") if name == "options" else kit.section("A block")
        plain: dict[Any, Callable[[], Any]] = {
            int: lambda: {"place": 0, "work_from": 9, "work_to": 17}.get(name, number + 1),
            float: lambda: 0.04,
            bool: lambda: self.full,
            Fraction: lambda: Fraction(3, 7),
            date: lambda: today + timedelta(days=2),
            datetime: lambda: NOW - timedelta(days=number % 40),
            ZoneInfo: lambda: LONDON,
            object: lambda: self.name(number),
            Any: lambda: self.name(number),
            Who: lambda: Who(number + 1, self.name(number), f"person{number}@lantern.example", "U0DANA"),
            Tier: lambda: replace(
                TIERS[number % 3], rank=number + 1, name=self.name(number) if self._names else TIERS[number % 3].name
            ),
            Carried: lambda: Carried(partner=1, read=1, page=0),
            Standing: lambda: self._standing(number),
            PartnerFacts: lambda: self._standing(number).facts,
            WeeklyRead: self._read,
            HeldRead: lambda: HeldRead(1, self._read(), self._settled()),
            Leaf: lambda: leaf([self.make(Listed, "listed", one) for one in range(self.count)], Carried(page=0)),
            Silence: _silence,
        }
        if kind in plain:
            return plain[kind]()
        if isinstance(kind, type) and issubclass(kind, Enum):
            return next(iter(kind))
        if kind == Mapping[int, Standing]:
            return {one + 1: self._standing(one) for one in range(self.count)}
        if kind == Mapping[int, Settled] or kind == dict[int, Settled]:
            return self._settled()
        return None

    def _text(self, name: str, number: int) -> str:
        if name == "kind" and self._kind:
            return self._kind
        if name in WORDS:
            return str(WORDS[name])
        if name in ("note", "also", "said"):
            return kit.words(self.name(number), 300)  # mrkdwn already
        if name in ("title",):
            return "Overdue partners"
        if name in ("email", "address") or name.endswith("mailbox"):
            return f"person{number}@lantern.example"
        return self.name(number)

    def _standing(self, number: int) -> Standing:
        who = Who(9, self.name(number), "boss@lantern.example", "U0BOSS")
        facts = QUIET.facts(
            touched=20 + number % 9, partner_id=number + 1, name=self.name(number), heard=40, by=who.name
        )
        if self.full:
            step = NextStepFacts(self.name(number) * 3, date(2026, 11, 30), who, id=number + 1)
            facts = replace(facts, owner=who, next_step=step)
            if number % 3:
                claim = replace(claim_by(who), asked=number % 3 == 1)
                facts = replace(facts, episode=QUIET.facts(touched=20, claim=claim).episode)
        return QUIET.standing(facts)

    def _read(self) -> WeeklyRead:
        made = weekly_read([self._standing(one) for one in range(self.count)], TIERS, NOW, LONDON)
        if not self.full:
            return made
        hints = typing.get_type_hints(WeeklyRead)
        more = {one: self.make(hints[one], one) for one in ("recoveries", "troubles")}
        return replace(made, **more)

    def _settled(self) -> dict[int, Settled]:
        return {one: Settled("recovered", self.name(one), NOW) for one in range(1, self.count, 5)} if self.full else {}


def _silence() -> Any:
    hints = typing.get_type_hints(Silence)
    known = {"chance": 0.02, "stays_silent": 0.4, "usual_days": 9, "silent_days": 41}
    return Silence(**{one.name: known.get(one.name, _plain(hints[one.name])) for one in fields(Silence)})


def _plain(kind: Any) -> Any:
    return {int: 3, float: 0.1, str: "", bool: False}.get(kind)
