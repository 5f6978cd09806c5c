"""Judges requests and partial responses by the discovery document that ships with google-api-python-client."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

Fields = dict[str, "Fields"]
Query = Sequence[tuple[str, str]]


class BadRequest(Exception):
    """The request is not one that the API knows. The text is what the API would say."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the document; `name` without the leading `gmail.users.`."""

    name: str
    http_method: str
    pattern: re.Pattern[str]
    parameters: dict[str, dict[str, Any]]
    scopes: frozenset[str]
    response: str | None


@cache
def document() -> dict[str, Any]:
    path = resources.files("googleapiclient") / "discovery_cache" / "documents" / "gmail.v1.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@cache
def methods() -> tuple[Method, ...]:
    common = {**document()["parameters"], "xoauth_consumer": {"type": "string"}}

    def of(resource: dict[str, Any]) -> list[Method]:
        here = [
            Method(
                name=entry["id"].removeprefix("gmail.users."),
                http_method=entry["httpMethod"],
                pattern=re.compile("/" + re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(entry["flatPath"]))),
                parameters={**common, **entry["parameters"]},
                scopes=frozenset(entry["scopes"]),
                response=entry.get("response", {}).get("$ref"),
            )
            for entry in resource.get("methods", {}).values()
        ]
        return here + [method for child in resource.get("resources", {}).values() for method in of(child)]

    return tuple(of(document()["resources"]["users"]))


def find(http_method: str, path: str) -> tuple[Method, dict[str, str]] | None:
    for method in methods():
        found = method.pattern.fullmatch(path)
        if found and method.http_method == http_method:
            return method, found.groupdict()
    return None


def check_query(method: Method, query: Query) -> dict[str, list[str]]:
    """The query by name, or BadRequest for what the document does not know."""
    values: dict[str, list[str]] = {}
    for name, value in query:
        known = method.parameters.get(name)
        if known is None or known.get("location") == "path":
            raise BadRequest(
                f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter. '
                f"Field '{name}' could not be found in request message."
            )
        _check_value(name, known, value)
        values.setdefault(name, []).append(value)
        if len(values[name]) > 1 and not known.get("repeated"):
            raise BadRequest(f"Invalid value at '{name}': the field is not repeated.")
    return values


def _check_value(name: str, known: dict[str, Any], value: str) -> None:
    numeric = known["type"] == "integer" or known.get("format") in ("uint64", "int64")
    if numeric and not re.fullmatch(r"\d{1,20}", value):
        raise BadRequest(f"Invalid value at '{name}' (TYPE_{known.get('format', 'INT32').upper()}), \"{value}\"")
    if known["type"] == "boolean" and value not in ("true", "false"):
        raise BadRequest(f"Invalid value at '{name}' (TYPE_BOOL), \"{value}\"")
    if "enum" in known and value.lower() not in {choice.lower() for choice in known["enum"]}:
        raise BadRequest(f"Invalid value at '{name}', \"{value}\"")


def parse_fields(text: str) -> Fields:
    """`a,b/c(d,e)` as a tree."""
    tokens = re.findall(r"[\w*]+|[(),/]", text)
    if "".join(tokens) != text.replace(" ", "") or not tokens:
        raise BadRequest(f"Invalid field selection {text}")
    tree, rest = _list(tokens)
    if rest:
        raise BadRequest(f"Invalid field selection {text}")
    return tree


def _list(tokens: list[str]) -> tuple[Fields, list[str]]:
    tree: Fields = {}
    while True:
        name, child, tokens = _one(tokens)
        tree.setdefault(name, {}).update(child)
        if not tokens or tokens[0] != ",":
            return tree, tokens
        tokens = tokens[1:]


def _one(tokens: list[str]) -> tuple[str, Fields, list[str]]:
    if not tokens or tokens[0] in "(),/":
        raise BadRequest("Invalid field selection")
    name, tokens = tokens[0], tokens[1:]
    if tokens and tokens[0] == "/":
        below, child, tokens = _one(tokens[1:])
        return name, {below: child}, tokens
    if tokens and tokens[0] == "(":
        tree, tokens = _list(tokens[1:])
        if not tokens or tokens[0] != ")":
            raise BadRequest("Invalid field selection")
        return name, tree, tokens[1:]
    return name, {}, tokens


def check_fields(tree: Fields, schema: str | None) -> None:
    """Every selected field must exist in the response's schema."""
    known = document()["schemas"].get(schema, {}).get("properties", {})
    for name, child in tree.items():
        if name == "*":
            continue
        if name not in known:
            raise BadRequest(f"Invalid field selection {name}")
        if child:
            entry = known[name].get("items", known[name])
            check_fields(child, entry.get("$ref"))


def select(tree: Fields, value: Any) -> Any:
    """The partial response."""
    if isinstance(value, list):
        return [select(tree, one) for one in value]
    if not tree or not isinstance(value, dict):
        return value
    chosen = {
        key: select(tree.get(key, tree.get("*", {})), one) for key, one in value.items() if key in tree or "*" in tree
    }
    return {key: one for key, one in chosen.items() if one not in ({}, [{}])}
