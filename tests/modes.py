"""Which tests carry the number of a failure mode: the 42 of capture and the 32 of Slack each count from 1.

A test is about Slack when its file talks of the Slack surface. Must not know what the modes are.
"""

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

SLACK = re.compile(r"^from (tests\.(surface|slack_lint)|bot\.views|bot\.wording|bot\.literal)", re.MULTILINE)
ALSO_SLACK = {"test_reads.py"}


@cache
def numbered(*, slack: bool) -> dict[int, list[tuple[str, ast.FunctionDef]]]:
    """Every test with a number in its name, by that number, with its file."""
    found = defaultdict(list)
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if (path.name in ALSO_SLACK or SLACK.search(text) is not None) is not slack:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and (match := re.match(r"test_(\d+)_\w", node.name)):
                found[int(match[1])].append((path.name, node))
    return found
