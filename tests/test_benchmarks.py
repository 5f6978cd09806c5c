"""What `make bench` writes: the same shape for every area, so that two runs can be compared by a program."""

import json
import re
from pathlib import Path

import pytest

from models.settings import setting_names
from tests.benchmarks.__main__ import areas, main
from tests.benchmarks._area import Area
from tests.databases import ROOT

ROW = {"work", "unit", "floor", "ours", "ratio", "memory", "target", "reached"}


def test_an_area_is_told_as_rows_with_their_floors_and_with_the_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    assert main(["--only", "verdict", "--size", "50", "--json", str(file)]) == 0
    told = json.loads(file.read_text(encoding="utf-8"))
    assert told["machine"]["cores"] >= 1
    assert told["machine"]["python"]
    assert list(told["areas"]) == ["verdict"]
    rows = told["areas"]["verdict"]
    printed = capsys.readouterr().out
    for row in rows:
        assert set(row) == ROW
        assert row["work"] in printed
        assert row["ratio"] == pytest.approx(row["ours"] / row["floor"])
    assert len({row["work"] for row in rows}) == len(rows) == 3


def test_a_target_is_about_the_figure_or_about_its_ratio_to_the_floor(capsys: pytest.CaptureFixture[str]) -> None:
    area = Area()
    area.row("three times the floor", 6, "ms", floor=2, target="≤ 3 ×")
    area.row("three seconds", 6, "s", floor=2, target="≤ 3")
    area.row("a rate", 1_500, "polls/s", target="≥ 1,000")
    area.row("a count", 2, "units", target="= 2")
    area.row("no target", 2, "units")
    assert [row.reached for row in area.rows] == [True, False, True, True, None]
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()[1:5]] == ["ok", "MISSED", "ok", "ok"]


def test_rows_of_the_same_name_below_different_ones_are_told_apart() -> None:
    area = Area()
    for backend in ("sqlite", "postgresql"):
        area.row(f"a poll, {backend}", 1, "ms")
        area.row("  requests", 1, "requests")
    names = [row.work for row in area.rows]
    assert names == ["a poll, sqlite", "a poll, sqlite, requests", "a poll, postgresql", "a poll, postgresql, requests"]


def test_each_command_and_each_test_that_the_page_names_exists() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    tests = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").glob("test_*.py"))
    assert set(re.findall(r"ONLY=(\w+)", page)) <= set(areas())
    assert set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE)) == set(areas())
    for name in re.findall(r"`(test_\w+)`", page):
        assert f"def {name}(" in tests, name
    for file in re.findall(r"`((?:tests|jobs)/[\w/]+\.py)`", page):
        assert (ROOT / file).exists(), file
    assert set(re.findall(r"\b((?:CADENCE|GMAIL)_[A-Z_]+)=", page)) <= set(setting_names())


def test_no_area_of_what_is_promised_is_lacking() -> None:
    assert {"gmail", "imap", "mbox", "ingest", "verdict", "coverage", "slack", "queue", "growth"} < set(areas())
