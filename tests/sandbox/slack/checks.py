"""Small checkers from which the Block Kit tables are put together; each reports what is wrong and where."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

Json = dict[str, Any]


class Report:
    """A place in a payload, and the list of complaints that all places share."""

    def __init__(self, pointer: str = "", messages: list[str] | None = None) -> None:
        self.pointer = pointer
        self.messages: list[str] = [] if messages is None else messages

    def at(self, key: str | int) -> "Report":
        return Report(f"{self.pointer}/{key}", self.messages)

    def error(self, what: str) -> None:
        self.messages.append(f"[ERROR] {what} [json-pointer:{self.pointer}]")


Check = Callable[[Any, Report], None]


def string(most: int, least: int = 0) -> Check:
    def check(value: Any, report: Report) -> None:
        if not isinstance(value, str):
            report.error("must be a string")
        elif len(value) > most:
            report.error(f"must be less than {most + 1} characters")
        elif len(value) < least:
            report.error(f"must be more than {least - 1} characters")

    return check


def boolean(value: Any, report: Report) -> None:
    if not isinstance(value, bool):
        report.error("must be a boolean")


def anything(value: Any, report: Report) -> None:
    """Accepted as it is."""


def integer(least: int, most: int) -> Check:
    def check(value: Any, report: Report) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            report.error("must be an integer")
        elif not least <= value <= most:
            report.error(f"must be between {least} and {most}")

    return check


def number(least: float = -math.inf) -> Check:
    def check(value: Any, report: Report) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            report.error("must be a number")
        elif value < least:
            report.error(f"must be {least} or more")

    return check


def one_of(*choices: str) -> Check:
    def check(value: Any, report: Report) -> None:
        if value not in choices:
            report.error(f"must be a valid enum value: {', '.join(choices)}")

    return check


def matching(pattern: str) -> Check:
    def check(value: Any, report: Report) -> None:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            report.error(f"must match the pattern {pattern}")

    return check


def list_of(item: Check, least: int, most: int) -> Check:
    def check(value: Any, report: Report) -> None:
        if not isinstance(value, list):
            report.error("must be an array")
            return
        if len(value) > most:
            report.error(f"no more than {most} items allowed")
        if len(value) < least:
            report.error(f"must provide at least {least} items" if least > 1 else "must provide an array with items")
        for index, one in enumerate(value):
            item(one, report.at(index))

    return check


def shape(fields: Mapping[str, Check], required: tuple[str, ...] = ()) -> Check:
    """An object with these fields and no others."""

    def check(value: Any, report: Report) -> None:
        if not isinstance(value, dict):
            report.error("must be an object")
            return
        for name in required:
            if value.get(name) is None:
                report.error(f"missing required field: {name}")
        for name, one in value.items():
            if name not in fields:
                report.error(f"invalid additional property: {name}")
            elif one is not None:
                fields[name](one, report.at(name))

    return check


def typed(what: str, kinds: Mapping[str, Check], allowed: tuple[str, ...] | None = None) -> Check:
    """An object whose `type` picks the check; only the types allowed here."""

    def check(value: Any, report: Report) -> None:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str):
            report.error("missing required field: type")
        elif kind not in kinds:
            report.at("type").error(f"unsupported type: {kind}")
        elif allowed is not None and kind not in allowed:
            report.at("type").error(f"{what} of type {kind} not allowed here")
        else:
            kinds[kind](value, report)

    return check


def exactly_one(*names: str) -> Check:
    def check(value: Any, report: Report) -> None:
        if isinstance(value, dict) and sum(value.get(name) is not None for name in names) != 1:
            report.error(f"must have exactly one of: {', '.join(names)}")

    return check


def every(*checks: Check) -> Check:
    def check(value: Any, report: Report) -> None:
        for one in checks:
            one(value, report)

    return check


def _text(kinds: tuple[str, ...], most: int, least: int) -> Check:
    fields = {"type": one_of(*kinds), "text": string(most, least)}
    plain = shape({**fields, "emoji": boolean}, ("type", "text"))
    mrkdwn = shape({**fields, "verbatim": boolean}, ("type", "text"))

    def check(value: Any, report: Report) -> None:
        (mrkdwn if isinstance(value, dict) and value.get("type") == "mrkdwn" else plain)(value, report)

    return check


def plain(most: int, least: int = 1) -> Check:
    return _text(("plain_text",), most, least)


def text(most: int, least: int = 1) -> Check:
    return _text(("plain_text", "mrkdwn"), most, least)
