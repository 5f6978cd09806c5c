"""Every payload that the product can send, for 0 to 400 partners, with ordinary and hostile names: within all limits.

Two validators and the stand-in workspace judge each (`tests.slack_lint`), and a list of words that nobody may read.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.views.kit import Payload, View
from tests.databases import ROOT
from tests.payload_samples import Unknown, drawing, drawn_by, numbers
from tests.slack_lint import lint_message, lint_view, said
from tests.test_views import HOSTILE

NEVER = re.compile(
    r"\b(ranks?|ranked|rankings?|leader ?boards?|scored?|scores|streaks?|top performers?|worst|failed to|you failed|"
    r"productivity|performance|guilty|blame\w*|lazy|punish\w*)\b",
    re.IGNORECASE,
)
"""People are not ranked, counted or scolded: the partner is the subject (accountability.md, slack.md section 2)."""

OF_TIERS = {"the form lacks a rank", " is the last rank."}
"""Tiers have ranks; partners and people have none."""

PROMISES = re.compile(r"people are never ranked|tier is a rank or a name")

NAMED = [(key, draw) for key, draw in drawing().items()]


@pytest.mark.parametrize(("key", "draw"), NAMED, ids=[key for key, _ in NAMED])
@pytest.mark.parametrize("names", [(), HOSTILE], ids=["ordinary", "hostile"])
def test_22_every_payload_is_within_the_limits_for_any_number_of_partners_and_any_name(
    key: str, draw: Any, names: tuple[str, ...]
) -> None:
    try:
        for count in numbers(key, draw):
            for label, drawn in drawn_by(key, draw, count, names):
                try:
                    lint(drawn)
                except Exception as error:
                    raise AssertionError(f"{label}: {error}") from error
    except Unknown as error:
        pytest.fail(f"bot.views.{key} takes {error}: say in tests/payload_samples.py how to make one")


@pytest.mark.parametrize("name", HOSTILE)
def test_23_no_payload_lets_the_same_worst_name_break_it_everywhere(name: str) -> None:
    for key, draw in NAMED:
        for count in numbers(key, draw, (15,)):
            for label, drawn in drawn_by(key, draw, count, (name,)):
                try:
                    lint(drawn)
                except Exception as error:
                    raise AssertionError(f"{label}: {error}") from error


def lint(drawn: Payload | View) -> None:
    if "type" in drawn:
        lint_view(dict(drawn))
    else:
        lint_message(Payload(text=drawn["text"], blocks=drawn["blocks"]))


def test_29_every_message_has_text_that_names_the_partners_of_its_blocks() -> None:
    for key, draw in NAMED:
        for count in numbers(key, draw, (1, 10, 40)):
            for label, drawn in drawn_by(key, draw, count):
                if "type" in drawn:
                    continue
                shown = set(re.findall(r"Partner \d{3}", said(drawn["blocks"])))
                told = set(re.findall(r"Partner \d{3}", drawn["text"]))
                assert shown <= told | {"Partner 000"}, (label, sorted(shown - told)[:3])


def test_every_module_of_views_draws_something_or_is_a_part() -> None:
    drawn = {key.split(".")[0] for key in drawing()}
    parts = {"__init__", "kit", "inputs", "rows", "sheets", "consent", "installing", "web"}
    assert {path.stem for path in (ROOT / "bot" / "views").glob("*.py")} == drawn | parts


def test_32_nothing_that_is_said_ranks_scores_or_scolds_anybody() -> None:
    for key, draw in NAMED:
        for count in numbers(key, draw, (0, 1, 15)):
            for label, drawn in drawn_by(key, draw, count):
                words = said(drawn["blocks"]) + "\n" + str(drawn.get("text") or "")
                assert not NEVER.search(words), (label, NEVER.search(words))


def test_32_no_sentence_in_the_code_ranks_scores_or_scolds_anybody() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {text!r}"
        for package in ("bot", "jobs", "models")
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, text in sentences(path)
        if NEVER.search(text)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", ["README.md", "manifest.yml"])
def test_32_nothing_that_is_written_for_people_ranks_scores_or_scolds_anybody(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    wrong = [f"{number}: {line}" for number, line in enumerate(lines, 1) if NEVER.search(PROMISES.sub("", line))]
    assert not wrong, "\n".join(wrong)


def sentences(path: Path) -> Iterator[tuple[int, str]]:
    """String literals that somebody may read: with a space in them, and no docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    silent |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in silent:
            continue
        if " " in node.value.strip() and node.value not in OF_TIERS:
            yield node.lineno, node.value
