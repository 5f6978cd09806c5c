"""What the cells of one roster line may hold. Each model judges its line alone; what lines mean together is `csv`'s."""

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

from jobs.roster.table import Problem, Row
from models.cadence import Status
from models.domains import partner_domain
from models.email_address import email_address
from models.names import clear_name
from models.settings import zone_named

LONGEST_STEP = 1000
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_SLACK_USER = re.compile(r"[UW][A-Z0-9]+")


def _list(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(dict.fromkeys(part for piece in value.split(";") if (part := piece.strip())))


def _no_commas(parts: tuple[str, ...]) -> tuple[str, ...]:
    for part in parts:
        if "," in part or " " in part:
            raise ValueError(f"'{part}' looks like several: separate them by semicolons")
    return parts


def _day(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        day = date.fromisoformat(value) if _DAY.fullmatch(value) else None
    except ValueError:
        day = None
    if day is None or not 1970 <= day.year <= 9000:
        raise ValueError(f"'{value}' is not a date such as 2026-11-30")
    return day


def _one_of(*allowed: str) -> Callable[[object], object]:
    def check(value: object) -> object:
        if isinstance(value, str) and value.lower() not in allowed:
            raise ValueError(f"'{value}' is none of {', '.join(allowed)}")
        return value.lower() if isinstance(value, str) else value

    return check


def _zone(text: str | None) -> str | None:
    return zone_named(text).key if text else text


def _slack_user(text: str | None) -> str | None:
    if text and not _SLACK_USER.fullmatch(text):
        raise ValueError(f"'{text}' is not a Slack member id such as U012AB3CD")
    return text


def _step(text: str | None) -> str | None:
    if text and len(text) > LONGEST_STEP:
        raise ValueError(f"the next step has {len(text)} characters; {LONGEST_STEP} are the most")
    return " ".join(text.split()) if text else text


Address = Annotated[str, AfterValidator(email_address)]
Domain = Annotated[str, AfterValidator(partner_domain)]
Name = Annotated[str, AfterValidator(clear_name)]
Day = Annotated[date | None, BeforeValidator(_day)]
_Several = BeforeValidator(lambda value: _no_commas(parts) if isinstance(parts := _list(value), tuple) else value)


class Cells(BaseModel):
    """An empty or absent optional cell is None; an empty list is what the file says when its column is there."""

    model_config = ConfigDict(frozen=True)


class PersonCells(Cells):
    email: Address
    name: Name
    role: Annotated[Literal["lead", "manager", "viewer"], BeforeValidator(_one_of("lead", "manager", "viewer"))]
    slack_user_id: Annotated[str | None, AfterValidator(_slack_user)] = None
    aliases: Annotated[tuple[Address, ...] | None, _Several] = None
    timezone: Annotated[str | None, AfterValidator(_zone)] = None


class PartnerCells(Cells):
    name: Name
    tier: str | None = None
    owner_email: Address | None = None
    domains: Annotated[tuple[Domain, ...] | None, _Several] = None
    contacts: Annotated[tuple[Address, ...] | None, _Several] = None
    status: Annotated[Status | None, BeforeValidator(_one_of(*Status))] = None
    since: Day = None
    next_step: Annotated[str | None, AfterValidator(_step)] = None
    next_step_due_on: Day = None
    external_id: str | None = None


SomeCells = TypeVar("SomeCells", bound=Cells)
_KEPT_WHEN_EMPTY = ("email", "name", "role", "aliases", "domains", "contacts")


def checked(row: Row, cells: type[SomeCells], problems: list[Problem]) -> SomeCells | None:
    """The line as a model, or None after noting everything that is wrong with it."""
    values: dict[str, Any] = {key: value for key, value in row.cells.items() if value or key in _KEPT_WHEN_EMPTY}
    try:
        return cells.model_validate(values)
    except ValidationError as error:
        for one in error.errors():
            problems.append(Problem(row.line, str(one["loc"][0]), one["msg"].removeprefix("Value error, ")))
        return None
