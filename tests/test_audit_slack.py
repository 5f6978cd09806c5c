"""Leads read the audit log in Slack; nobody else does, and no other workspace's entry is ever in it."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from models.actions import programme as programme_actions
from models.actions.write import audit
from models.queries.audit import audit_page
from tests.cast import ACME, DANA, GLOBEX, MONDAY, PRIYA, ROBIN, VERA
from tests.databases import Database
from tests.slack_lint import elements, lint_view, said
from tests.surface import Surface, surface


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    with surface(database) as one:
        yield one


def shown(at: Surface) -> str:
    view = at.modal(ROBIN).content
    lint_view(view)
    return said(view["blocks"])


def open_log(at: Surface, text: str = "audit") -> None:
    answer = at.slack.interactions.message(ROBIN.slack_user_id or "", "C0PARTNERS", f"/cadence {text}")
    assert answer["ok"]


def turned(at: Surface, before: str) -> bool:
    return bool(at.modal(ROBIN).hash != before)


def test_a_lead_reads_who_changed_what_in_names(at: Surface) -> None:
    at.ask(DANA, "claim Acme")
    at.clock.at += timedelta(hours=1)
    at.ask(DANA, "release Acme")
    open_log(at)
    words = shown(at)
    assert words.index("release · Acme") < words.index("claim · Acme")
    assert "Dana Kim, Mon 23 Nov 10:00" in words
    assert "by: Dana Kim" in words
    assert "person:" not in words


def test_people_and_partners_in_the_values_have_their_names(at: Surface) -> None:
    at.ask(DANA, "next Acme: send terms by friday")
    with at.database.sessions.begin() as session:
        priya, globex = at.cast.person(PRIYA), at.cast.partner(GLOBEX)
        after = {"merged into": globex, "stand_in": priya, "touches": priya}
        audit(session, at.cast.workspace_id, "test", "try", "programme", MONDAY, after=after)
    open_log(at)
    words = shown(at)
    assert "owner: Dana Kim" in words
    assert f"merged into: Globex; stand in: Priya Nair; touches: {priya}" in words


def test_the_log_of_one_partner_tells_of_no_other(at: Surface) -> None:
    at.ask(DANA, "claim Acme")
    at.ask(PRIYA, "claim Initech")
    open_log(at, "audit Acme")
    words = shown(at)
    assert "claim · Acme" in words
    assert "Initech" not in words


def test_a_long_log_is_leafed_through_and_nothing_is_left_out(at: Surface, database: Database) -> None:
    with database.sessions.begin() as session:
        for number in range(50):
            audit(session, at.cast.workspace_id, "clock", f"number {number:02}", "programme", at.clock.at)
    with database.reading() as session:
        everything = audit_page(session, at.cast.workspace_id, 0, 10_000)[0]
    open_log(at)
    seen: list[str] = []
    while True:
        view = at.modal(ROBIN)
        lint_view(view.content)
        seen += [block["text"]["text"].split("\n")[0].strip("*") for block in view.content["blocks"] if "text" in block]
        older = [one for one in elements(view.content["blocks"]) if one["text"]["text"] == "Older"]
        if not older:
            break
        before = view.hash
        at.press(ROBIN, view, older[0]["action_id"])
        assert at.workspace.wait_until(partial(turned, at, before))
    assert len(seen) == len(everything)
    assert [one for one in seen if one.startswith("number")] == [f"number {number:02}" for number in range(49, -1, -1)]


@pytest.mark.parametrize("who", [DANA, VERA])
def test_it_is_for_leads(at: Surface, who: Any) -> None:
    assert "Only a programme lead can do this." in said(at.ask(who, "audit").blocks)


def test_another_workspaces_entries_and_names_stay_there(at: Surface, database: Database) -> None:
    with database.sessions.begin() as session:
        other = programme_actions.add_workspace(session, MONDAY, "T0OTHER")
        audit(session, other, "person:1", "secret deed", f"partner:{at.cast.partner(ACME)}", MONDAY)
        audit(session, at.cast.workspace_id, "person:999999999", "odd deed", "partner:999999999", MONDAY)
    with database.reading() as session:
        assert "Acme" not in [one.subject for one in audit_page(session, other, 0, 100)[0]]
    open_log(at)
    assert "secret deed" not in shown(at)
    assert "odd deed" in shown(at)


@pytest.mark.parametrize("value", ["<!channel>", "x" * 5_000, "\u202eesrever", "a & b", "line\nbreak", "*x* `y`"])
def test_whatever_was_written_is_shown_literally_and_within_limits(at: Surface, database: Database, value: str) -> None:
    with database.sessions.begin() as session:
        for number in range(20):
            values = {f"{value} {key}": value for key in range(9)}
            audit(session, at.cast.workspace_id, value, value, f"partner:{number}", at.clock.at, after=values)
    open_log(at)
    assert "and 3 more" in shown(at)


def test_a_lead_gets_the_whole_log_as_a_file_in_private(at: Surface) -> None:
    at.ask(DANA, "claim Acme")
    open_log(at)
    view = at.modal(ROBIN)
    at.press(ROBIN, view, "audit_export")
    assert at.workspace.wait_until(lambda: "in your messages" in shown(at))
    file = next(iter(at.workspace.files._files.values()))
    lines = file.content.decode().splitlines()
    assert lines[0].startswith("audit_id,changed_at,actor")
    assert any("Dana Kim" in line and "claim" in line and "Acme" in line for line in lines)
    assert all(not one.startswith("C") for one in file.channels), "into no channel"


def test_without_the_scope_the_lead_hears_the_other_way(at: Surface) -> None:
    scopes = [one for one in at.workspace.bot_scopes if one != "files:write"]
    at.workspace.add_token(at.workspace.bot_token, "bot", scopes)
    open_log(at)
    view = at.modal(ROBIN)
    at.press(ROBIN, view, "audit_export")
    assert at.workspace.wait_until(lambda: "cadence export audit" in said(at.modal(ROBIN).content["blocks"]))
