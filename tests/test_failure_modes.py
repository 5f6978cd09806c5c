"""The 42 failure modes of capture: each has a test that carries its number. What they say stands in those tests."""

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

MODES = range(1, 43)
STORED = set(MODES) - {9, 11, 12, 23, 34, 39}
"""Those that end in the tables; the others are about what is asked for, or about what a text means."""


@cache
def numbered() -> dict[int, list[tuple[str, ast.FunctionDef]]]:
    """Every test with a number in its name, by that number, with its file."""
    found = defaultdict(list)
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and (match := re.match(r"test_(\d+)_\w", node.name)):
                found[int(match[1])].append((path.name, node))
    return found


def test_every_failure_mode_has_a_test_with_its_number() -> None:
    assert not set(MODES) - set(numbered()), "without a test"
    assert not set(numbered()) - set(MODES), "there are 42"


def test_what_ends_in_the_tables_is_tested_on_both_databases() -> None:
    """`database`, or a fixture that is made of it, runs a test once on each."""
    made_of_it = {"database"}
    before = 0
    fixtures = {node.name: arguments(node) for node in functions_with("fixture")}
    while before != len(made_of_it):
        before = len(made_of_it)
        made_of_it |= {name for name, needs in fixtures.items() if needs & made_of_it}
    lacking = [
        number for number in STORED if not any(arguments(node) & made_of_it for _, node in numbered().get(number, []))
    ]
    assert not lacking


def functions_with(decorator: str) -> list[ast.FunctionDef]:
    return [
        node
        for path in sorted(Path(__file__).parent.glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and any(decorator in ast.unparse(one) for one in node.decorator_list)
    ]


def arguments(node: ast.FunctionDef) -> set[str]:
    return {argument.arg for argument in node.args.args}
