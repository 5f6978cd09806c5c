"""Runs the benchmarks by area: ONLY=area for one of them, JSON=FILE for the figures."""

import importlib
import json
import os
import sys
from pathlib import Path

AREAS = {
    "verdict": "tests.benchmarks.verdict",  # CORPUS=DIR, a folder of labelled headers with its manifest.csv
}


def main() -> int:
    only = os.environ.get("ONLY", "")
    if only and only not in AREAS:
        print(f"no benchmark is called {only}; there are: {', '.join(AREAS)}", file=sys.stderr)
        return 2
    figures = {}
    for area in [only] if only else AREAS:
        print(f"— {area} —")
        figures[area] = importlib.import_module(AREAS[area]).run(os.environ)
        print()
    if target := os.environ.get("JSON"):
        Path(target).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
