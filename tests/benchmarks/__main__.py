"""Runs the benchmarks by area. `--only AREA` for one of them, `--json FILE` for the figures.

Each module beside this one is an area: `run(options, area)` adds its rows. `options` holds CORPUS (a folder of
labelled headers), CSV (a history of mail) and whatever SIZE an area takes, where they were given.
"""

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tests.benchmarks
from tests.benchmarks._area import Area, machine


def areas() -> list[str]:
    return sorted(one.name for one in pkgutil.iter_modules(tests.benchmarks.__path__) if not one.name.startswith("_"))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make bench", description="Measurements beside their floors, in one run.")
    parser.add_argument("--only", choices=areas(), metavar="AREA", help="one area: " + ", ".join(areas()))
    parser.add_argument("--corpus", help="a folder of labelled headers with its manifest.csv")
    parser.add_argument("--csv", help="a history of mail: direction, domain, address, time")
    parser.add_argument("--size", type=int, help="how many messages, partners or mailboxes, where an area can be asked")
    parser.add_argument("--json", type=Path, help="where the figures go")
    asked = parser.parse_args(arguments)
    options = {key.upper(): str(value) for key, value in vars(asked).items() if value is not None}
    told: dict[str, Any] = {"machine": machine(), "areas": {}, "details": {}}
    print(", ".join(f"{key} {value}" for key, value in told["machine"].items()) + "\n")
    for name in [asked.only] if asked.only else areas():
        print(f"— {name} —", flush=True)
        area = Area()
        importlib.import_module(f"tests.benchmarks.{name}").run(options, area)
        told["areas"][name], told["details"][name] = area.as_json(), area.details
        if asked.json:  # after each: hours may be lost otherwise
            asked.json.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
