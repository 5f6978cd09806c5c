"""What docs/operation holds for other tools: every metric exists, and every alert says what to do."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Metric

from bot.measures import ACKS, KINDS, PROVIDERS, STEPS, Pulse
from bot.operation import operation_app
from models.actions.mailboxes import mark_clean, put_mailbox
from tests.cast import MONDAY, Cast, put_cast
from tests.command_line import At
from tests.databases import ROOT, Database
from tests.test_operation import families

HERE = ROOT / "docs" / "operation"
BOARD = json.loads((HERE / "grafana-dashboard.json").read_text(encoding="utf-8"))
RULES: list[dict[str, Any]] = yaml.safe_load((HERE / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
PANELS = [one for one in BOARD["panels"] if one["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]] + [rule["expr"] for rule in RULES]
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


@pytest.fixture
def found(database: Database) -> dict[str, Metric]:
    with database.sessions.begin() as session:
        cast: Cast = put_cast(session)
        for provider in PROVIDERS:
            box = put_mailbox(session, cast.workspace_id, "test", f"{provider}@lantern.example", provider, MONDAY)
            mark_clean(session, box, MONDAY, MONDAY)
    ACKS.add("command", 0.1)
    pulse = Pulse({"tick": 20, "outbox": 1, "clocks": 20, "capture": 300})
    return families(operation_app(database.reading, At(MONDAY), lambda: True, pulse).test_client())


def names_of(found: dict[str, Metric]) -> set[str]:
    return {one.name + suffix for one in found.values() for suffix in SUFFIXES[one.type]}


def test_every_query_asks_for_metrics_and_labels_that_exist(found: dict[str, Metric]) -> None:
    names = names_of(found)
    labels = {
        one.name + suffix: {frozenset(sample.labels) for sample in one.samples}
        for one in found.values()
        for suffix in SUFFIXES[one.type]
    }
    for query in QUERIES:
        asked = re.findall(r"\bcadence_\w+", query)
        assert asked or query == 'up{job="cadence"} == 0', query
        assert set(asked) <= names, query
        known = {label for name in asked for some in labels[name] for label in some} | {"instance"}
        by = {word for group in re.findall(r"by \(([^)]*)\)", query) for word in re.split(r",\s*", group)}
        picked = {
            word for group in re.findall(r"cadence_\w+\{([^}]*)\}", query) for word in re.findall(r"(\w+)=", group)
        }
        assert by | picked <= known, query


def test_every_value_that_a_query_picks_exists(found: dict[str, Metric]) -> None:
    values = {value for one in found.values() for sample in one.samples for value in sample.labels.values()}
    values |= {"needs_auth", "error", *KINDS, *STEPS}  # statuses of mailboxes that this one has not
    for query in QUERIES:
        for group in re.findall(r"cadence_\w+\{([^}]*)\}", query):
            for picked in re.findall(r'"([^"]*)"', group):
                assert set(picked.split("|")) <= values, query


def test_every_query_is_balanced() -> None:
    for query in QUERIES:
        for opening, closing in ("()", "{}", "[]"):
            assert query.count(opening) == query.count(closing), query
        assert query.count('"') % 2 == 0


def test_every_metric_is_described_and_shown(found: dict[str, Metric]) -> None:
    page = (ROOT / "docs" / "operation.md").read_text(encoding="utf-8")
    for name in found:
        assert name in page, name
    shown = {name for query in QUERIES for name in re.findall(r"\bcadence_\w+", query)}
    for one in found.values():
        assert one.name == "cadence_sync_lag_seconds" or any(one.name + s in shown for s in SUFFIXES[one.type]), (
            one.name
        )


def test_every_alert_says_what_to_do() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}, rule["alert"]
        assert re.fullmatch(r"\d+[smhd]", rule["for"])
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert set(rule["annotations"]) == {"summary", "description"}
        assert len(rule["annotations"]["description"]) > 40
        told = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        kept = {word for group in re.findall(r"by \(([^)]*)\)", rule["expr"]) for word in re.split(r",\s*", group)}
        aggregated = re.match(r"(max|sum|histogram_quantile)", rule["expr"])
        assert told <= (kept if aggregated else {"job", "instance"}), rule["alert"]


def test_the_dashboard_can_be_imported_anywhere() -> None:
    assert [one["name"] for one in BOARD["templating"]["list"]] == ["source"]
    assert len({one["id"] for one in BOARD["panels"]}) == len(BOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"{panel['title']} lies on another panel"
        assert place["x"] + place["w"] <= 24
        taken |= cells
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${source}"}


def test_the_page_names_files_and_tests_that_exist() -> None:
    page = (ROOT / "docs" / "operation.md").read_text(encoding="utf-8")
    for path in re.findall(r"`(tests/\w+\.py)`", page):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`(test_\w+)`", page):
        assert any(
            f"def {name}(" in file.read_text(encoding="utf-8") for file in Path(ROOT / "tests").glob("test_*.py")
        )
    for linked in re.findall(r"\]\((operation/[\w.-]+)\)", page):
        assert (ROOT / "docs" / linked).exists()
