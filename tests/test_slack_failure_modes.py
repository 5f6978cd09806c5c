"""The 32 failure modes of the Slack surface: each has a test that carries its number. What they say stands in those."""

from tests.modes import numbered

MODES = range(1, 33)
STORED = {1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 17, 25, 28}
"""Those about what the tables hold afterwards."""


def test_every_failure_mode_has_a_test_with_its_number() -> None:
    assert not set(MODES) - set(numbered(slack=True)), "without a test"
    assert not set(numbered(slack=True)) - set(MODES), "there are 32"


def test_what_ends_in_the_tables_is_tested_on_both_databases() -> None:
    """By the fixture `database`, or one that is made of it."""
    made_of_it = {"database", "databases", "at", "desk", "both"}
    lacking = [
        number
        for number in STORED
        if not any(
            argument.arg in made_of_it
            for _, node in numbered(slack=True).get(number, [])
            for argument in node.args.args
        )
    ]
    assert not lacking
