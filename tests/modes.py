"""Which tests carry the number of a failure mode: the 42 of capture and the 32 of Slack each count from 1.

A test is about Slack when its name says so (`test_slack_11_…`) or its file talks of the Slack surface.
Must not know what the modes are.
"""

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

SLACK = re.compile(r"^from (tests\.(surface|slack_lint)|bot\.views|bot\.wording|bot\.literal)", re.MULTILINE)
ALSO_SLACK = {"test_reads.py"}
NOT_SLACK = {"test_consent_command.py"}


@cache
def numbered(*, slack: bool) -> dict[int, list[tuple[str, ast.FunctionDef]]]:
    """Every test with a number in its name, by that number, with its file."""
    found = defaultdict(list)
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        about = path.name in ALSO_SLACK or (path.name not in NOT_SLACK and SLACK.search(text) is not None)
        for node in ast.walk(ast.parse(text)):
            match = re.match(r"test_(slack_)?(\d+)_\w", node.name) if isinstance(node, ast.FunctionDef) else None
            if isinstance(node, ast.FunctionDef) and match and (about or match[1] is not None) is slack:
                found[int(match[2])].append((path.name, node))
    return found
