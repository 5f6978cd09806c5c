"""The 42 failure modes of capture: each has a test that carries its number. What they say stands in those tests."""

import ast
from pathlib import Path

from tests.modes import numbered

MODES = range(1, 43)
STORED = set(MODES) - {9, 11, 12, 23, 34, 39}
"""Those that end in the tables; the others are about what is asked for, or about what a text means."""


def test_every_failure_mode_has_a_test_with_its_number() -> None:
    assert not set(MODES) - set(numbered(slack=False)), "without a test"
    assert not set(numbered(slack=False)) - set(MODES), "there are 42"


def test_what_ends_in_the_tables_is_tested_on_both_databases() -> None:
    """`database`, or a fixture that is made of it, runs a test once on each."""
    made_of_it = {"database"}
    before = 0
    fixtures = {node.name: arguments(node) for node in functions_with("fixture")}
    while before != len(made_of_it):
        before = len(made_of_it)
        made_of_it |= {name for name, needs in fixtures.items() if needs & made_of_it}
    lacking = [
        number
        for number in STORED
        if not any(arguments(node) & made_of_it for _, node in numbered(slack=False).get(number, []))
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
