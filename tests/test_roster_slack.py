"""Partners and people from Slack, one by one and many at once: what is wrong is told there and changes nothing."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from bot import ids
from bot.views.imports import import_form, report_blocks
from bot.views.roster import partner_form, person_form, roster_modal
from jobs.roster.pasted import roster_report
from models.actions.people import PersonRow
from models.cadence import Status, Tier
from models.queries.programme import Person, people
from models.queries.roster import PartnerLine, partner_lines
from models.roster_report import RosterReport
from models.standing import Who
from models.tables import AuditEntry, Claim, Episode, PartnerDomain
from tests.cast import ACME, CHANNEL, DANA, GLOBEX, PRIYA, ROBIN, VERA
from tests.databases import Database
from tests.slack_forms import Filled, file, member, option, text, tick, together
from tests.slack_lint import lint_view, said
from tests.surface import GUEST, STRANGER, Surface, surface, user

NEW = together(
    text(ids.PARTNER_NAME, "Cyberdyne"),
    option(ids.PARTNER_TIER, "2"),
    text(ids.PARTNER_DOMAIN, "cyberdyne.example\nmail.cyberdyne.example"),
    text(ids.PARTNER_CONTACTS, "miles@dyson.example"),
)
HOSTILE = "<!channel> *a&b* `x` | \u202egnp.exe 👩\u200d👩\u200d👧"


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    with surface(database) as one:
        yield one


# --- one partner


def test_a_partner_is_added_by_its_name(at: Surface) -> None:
    form = _command(at, "add Cyberdyne", ids.EDIT_PARTNER_FORM)
    lint_view(form.content)
    assert "Cyberdyne" in str(form.content["blocks"])
    assert _submit(at, form, NEW, _owner(at, DANA)) == {"ok": True}
    assert at.workspace.wait_until(lambda: "Cyberdyne* is on the roster" in _said(at)), _said(at)
    line = _line(at, "Cyberdyne")
    assert (line.tier, line.owner_email) == (2, DANA.email)
    assert line.domains == ("cyberdyne.example", "mail.cyberdyne.example")
    assert line.contacts == ("miles@dyson.example",)
    assert _audit(at)[-1].action == "add partner"
    assert _audit(at)[-1].actor == f"person:{at.cast.person(ROBIN)}"


def test_add_opens_a_partner_that_is_there_already(at: Surface) -> None:
    form = _command(at, "add acme", ids.EDIT_PARTNER_FORM)
    assert form.content["title"]["text"] == "Edit a partner"
    lint_view(form.content)


def test_a_partner_is_found_and_changed_in_everything(at: Surface) -> None:
    page = _roster(at)
    lint_view(page.content)
    found = at.slack.interactions.options(
        user(ROBIN), {"type": "modal", "view_id": page.id}, _block(page, ids.FIND_PARTNER), ids.FIND_PARTNER, "umb"
    )
    assert [one["text"]["text"] for one in found["options"]] == ["Umbrella, Tier 2"]
    form = _pick(at, page, ids.FIND_PARTNER, found["options"][0], ids.EDIT_PARTNER_FORM)
    filled = together(
        text(ids.PARTNER_NAME, "Umbrella Group"),
        option(ids.PARTNER_TIER, "1"),
        text(ids.PARTNER_DOMAIN, "umbrella.example, umbrella-group.example"),
    )
    assert _submit(at, form, filled, _owner(at, PRIYA)) == {"ok": True}
    assert at.workspace.wait_until(lambda: "Umbrella Group* is changed" in _said(at)), _said(at)
    assert _line(at, "Umbrella Group").owner_email == PRIYA.email
    assert _line(at, "Umbrella Group").domains == ("umbrella-group.example", "umbrella.example")
    assert [one.action for one in _audit(at)][-2:] == ["rename partner", "change partner"]


def test_an_ended_partner_closes_its_episode_and_comes_back_when_it_is_active(at: Surface) -> None:
    at.hold_read()
    form = _command(at, "add Acme", ids.EDIT_PARTNER_FORM)
    assert _submit(at, form, option(ids.PARTNER_STATUS, "ended")) == {"ok": True}
    assert at.workspace.wait_until(lambda: "Acme* is changed" in _said(at))
    assert _line(at, "Acme").status == "ended"
    with at.database.reading() as session:
        episode = session.scalars(select(Episode).where(Episode.partner_id == at.cast.partner(ACME))).one()
    assert episode.outcome == "ended"
    form = _command(at, "add Acme", ids.EDIT_PARTNER_FORM)
    assert _submit(at, form, option(ids.PARTNER_STATUS, "kept")) == {"ok": True}
    assert at.workspace.wait_until(lambda: _line(at, "Acme").status == "active")


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        (text(ids.PARTNER_NAME, "ACMÉ"), ids.PARTNER_NAME, "on the roster already"),
        (text(ids.PARTNER_DOMAIN, "gmail.com"), ids.PARTNER_DOMAIN, "gives mailboxes to everybody"),
        (text(ids.PARTNER_DOMAIN, "co.uk"), ids.PARTNER_DOMAIN, "public suffix"),
        (text(ids.PARTNER_DOMAIN, "lantern.example"), ids.PARTNER_DOMAIN, "our own people's"),
        (text(ids.PARTNER_DOMAIN, "acme.example"), ids.PARTNER_DOMAIN, "belongs to Acme"),
        (text(ids.PARTNER_CONTACTS, "miles"), ids.PARTNER_CONTACTS, "not an e-mail address"),
        (text(ids.PARTNER_CONTACTS, DANA.email), ids.PARTNER_CONTACTS, "our own people's"),
        (text(ids.PARTNER_CONTACTS, "bill@lumbergh.example"), ids.PARTNER_CONTACTS, "belongs to Initech"),
    ],
)
def test_a_wrong_partner_is_told_beside_its_field_and_nothing_is_saved(
    at: Surface, wrong: Filled, field: str, words: str
) -> None:
    form, before = _command(at, "add Cyberdyne", ids.EDIT_PARTNER_FORM), _state(at)
    answer = _submit(at, form, NEW, _owner(at, DANA), wrong)
    assert list(answer["errors"]) == [field], answer
    assert words in answer["errors"][field]
    assert _state(at) == before


# --- one person


def test_a_person_is_added_from_slack(at: Surface) -> None:
    form = _new_person(at)
    lint_view(form.content)
    assert _submit(at, form, member(ids.PERSON_USER, STRANGER)) == {"ok": True}
    assert at.workspace.wait_until(lambda: "Sam Stranger* is on the roster as manager" in _said(at)), _said(at)
    found = _person(at, "sam@elsewhere.example")
    assert (found.name, found.role, found.slack_user_id) == ("Sam Stranger", "manager", STRANGER)


def test_a_person_is_added_by_address_alone(at: Surface) -> None:
    filled = together(text(ids.PERSON_EMAIL, "Noor@Lantern.example"), text(ids.PERSON_NAME, "Noor Haddad"))
    assert _submit(at, _new_person(at), filled, option(ids.PERSON_ROLE, "viewer")) == {"ok": True}
    assert at.workspace.wait_until(lambda: "Noor Haddad* is on the roster as viewer" in _said(at)), _said(at)
    assert _person(at, "noor@lantern.example").role == "viewer"


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        (member(ids.PERSON_USER, GUEST), ids.PERSON_USER, "Guests"),
        (member(ids.PERSON_USER, "U0FOREIGN"), ids.PERSON_USER, "other companies"),
        (member(ids.PERSON_USER, user(DANA)), ids.PERSON_EMAIL, "on the roster already"),
        (text(ids.PERSON_EMAIL, "noor"), ids.PERSON_EMAIL, "not an e-mail address"),
        (text(ids.PERSON_EMAIL, "wendy@acme-mail.example"), ids.PERSON_EMAIL, "belongs to Acme"),
        (text(ids.PERSON_EMAIL, "dana.kim@lantern.example"), ids.PERSON_EMAIL, "belongs to Dana Kim"),
        (text(ids.PERSON_NAME, "Nobody"), ids.PERSON_EMAIL, "missing"),
    ],
)
def test_a_wrong_person_is_told_beside_the_field_and_nothing_is_saved(
    at: Surface, wrong: Filled, field: str, words: str
) -> None:
    form, before = _new_person(at), _state(at)
    answer = _submit(at, form, wrong)
    assert field in answer["errors"], answer
    assert words in answer["errors"][field]
    assert _state(at) == before


def test_a_person_gets_other_addresses_and_another_role(at: Surface) -> None:
    form = _edit_person(at, "vera", ids.PERSON_FORM)
    lint_view(form.content)
    filled = together(option(ids.PERSON_ROLE, "manager"), text(ids.PERSON_ALIASES, "vera.l@lantern.example"))
    assert _submit(at, form, filled) == {"ok": True}
    assert at.workspace.wait_until(lambda: "Vera Lindqvist* is now manager" in _said(at)), _said(at)
    assert _person(at, VERA.email).aliases == ("vera.l@lantern.example",)
    assert _person(at, VERA.email).slack_user_id == user(VERA)


def test_somebody_off_duty_holds_no_claim_and_their_partners_are_counted(at: Surface) -> None:
    read = at.hold_read()
    at.press_and_hear(DANA, read, f"{ids.CLAIM}:{at.cast.partner(ACME)}")
    form = _edit_person(at, "dana", ids.PERSON_FORM)
    assert _submit(at, form, tick(ids.PERSON_LEFT, "left")) == {"ok": True}
    assert at.workspace.wait_until(lambda: "3 partners still need another owner" in _said(at)), _said(at)
    with at.database.reading() as session:
        claim = session.scalars(select(Claim)).one()
    assert claim.end_reason == "left"
    assert _person(at, DANA.email).left
    assert _person(at, DANA.email).role == "viewer"
    assert [one.action for one in _audit(at)].count("leave") == 1
    refused = at.ask(DANA, "claim Initech")
    assert "for partner managers" in refused.text, "a press of theirs brings nobody back on duty"


@pytest.mark.parametrize("how", [option(ids.PERSON_ROLE, "viewer"), tick(ids.PERSON_LEFT, "left")])
def test_the_last_lead_stays_the_lead(at: Surface, how: Filled) -> None:
    form = _edit_person(at, "robin", ids.PERSON_FORM)
    before = _state(at)
    answer = _submit(at, form, how)
    assert "somebody has to lead" in str(answer["errors"]).casefold()
    assert _state(at) == before
    assert _person(at, ROBIN.email).leads


# --- many at once


def test_lines_are_tried_first_and_written_second(at: Surface) -> None:
    lines = "Cyberdyne, Tier 1, dana@lantern.example, cyberdyne.example\nAcme, 2, dana@lantern.example, acme.example"
    form = _command(at, "import", ids.IMPORT_FORM)
    lint_view(form.content)
    before = _state(at)
    assert _submit(at, form, text(ids.IMPORT_LINES, lines)) == {"ok": True}
    checked = _shows(at, "Nothing is written yet")
    lint_view(checked.content)
    assert "2 partners: 1 added, 1 changed, 0 unchanged" in _said(at)
    assert "Acme: tier 1 → 2" in _said(at)
    assert checked.content["submit"]["text"] == "Import them"
    assert _state(at) == before
    assert at.slack.interactions.submit(user(ROBIN), checked.id, {}) == {"ok": True}
    done = _shows(at, "✓ 2 partners: 1 added, 1 changed, 0 unchanged.")
    lint_view(done.content)
    assert _line(at, "Acme").tier == 2
    assert _line(at, "Cyberdyne").domains == ("cyberdyne.example",)
    assert {one.actor for one in _audit(at)[len(before[0]) :]} == {f"person:{at.cast.person(ROBIN)}"}


def test_lines_that_were_changed_after_they_were_tried_are_tried_again(at: Surface) -> None:
    form = _command(at, "import", ids.IMPORT_FORM)
    _submit(at, form, text(ids.IMPORT_LINES, "Cyberdyne, 1, dana@lantern.example, cyberdyne.example"))
    checked = _shows(at, "1 added")
    before = _state(at)
    other = "Cyberdyne, 1, dana@lantern.example, cyberdyne.example\nSkynet, 1, dana@lantern.example, skynet.example"
    _submit(at, checked, text(ids.IMPORT_LINES, other))
    _shows(at, "2 added")
    assert _state(at) == before


def test_every_problem_is_told_with_line_and_column_and_nothing_is_written(at: Surface) -> None:
    lines = "A, 9, nobody@lantern.example, a.example\n\nB, 1, dana@lantern.example, acme.example\nC, 1, , gmail.com"
    form, before = _command(at, "import", ids.IMPORT_FORM), _state(at)
    _submit(at, form, text(ids.IMPORT_LINES, lines))
    shown = _shows(at, "problems, so nothing would be changed")
    for words in (
        "line 1, tier:",
        "line 1, owner_email:",
        "line 3, domains: acme.example",
        "line 4, domains: gmail.com",
    ):
        assert words in _said(at), _said(at)
    assert shown.content["submit"]["text"] == "Check"
    assert lines in str(shown.content["blocks"]).replace("\\n", "\n"), "what was typed is still there"
    assert _state(at) == before


def test_what_became_wrong_meanwhile_is_told_and_nothing_is_written(at: Surface) -> None:
    form = _command(at, "import", ids.IMPORT_FORM)
    _submit(at, form, text(ids.IMPORT_LINES, "Cyberdyne, 1, dana@lantern.example, cyberdyne.example"))
    checked = _shows(at, "1 added")
    with at.database.sessions.begin() as session:
        session.add(
            PartnerDomain(
                workspace_id=at.cast.workspace_id, partner_id=at.cast.partner(GLOBEX), domain="cyberdyne.example"
            )
        )
    before = _state(at)
    at.slack.interactions.submit(user(ROBIN), checked.id, {})
    _shows(at, "belongs already to Globex")
    assert _state(at) == before


def test_people_are_imported_with_the_name_first_or_last(at: Surface) -> None:
    form = _command(at, "import people", ids.IMPORT_FORM)
    filled = together(
        option(ids.IMPORT_KIND, "people"), text(ids.IMPORT_LINES, "Noor Haddad\tnoor@lantern.example\tviewer")
    )
    _submit(at, form, filled)
    checked = _shows(at, "1 person: 1 added")
    at.slack.interactions.submit(user(ROBIN), checked.id, {})
    _shows(at, "✓ 1 person: 1 added, 0 changed, 0 unchanged.")
    assert _person(at, "noor@lantern.example").name == "Noor Haddad"


def test_a_file_is_read_and_written_without_pasting(at: Surface) -> None:
    content = "\ufeffPartner;Tier;Owner;Domains\r\nCyberdyne;1;dana@lantern.example;cyberdyne.example\r\n".encode()
    uploaded = at.slack.interactions.upload(user(ROBIN), "partners.csv", content)["file"]
    form = _command(at, "import", ids.IMPORT_FORM)
    _submit(at, form, file(ids.IMPORT_FILE, uploaded))
    checked = _shows(at, "1 partner: 1 added")
    assert at.slack.interactions.submit(user(ROBIN), checked.id, {}) == {"ok": True}
    _shows(at, "✓ 1 partner: 1 added")
    assert _line(at, "Cyberdyne").owner_email == DANA.email


def test_without_the_permission_to_read_files_the_lines_are_asked_for(at: Surface) -> None:
    workspace = at.workspace
    workspace.add_token(workspace.bot_token, "bot", [one for one in workspace.bot_scopes if one != "files:read"])
    uploaded = at.slack.interactions.upload(user(ROBIN), "partners.csv", b"name\n")["file"]
    _submit(at, _command(at, "import", ids.IMPORT_FORM), file(ids.IMPORT_FILE, uploaded))
    _shows(at, "paste the lines")


def test_a_file_that_is_no_text_is_told(at: Surface) -> None:
    uploaded = at.slack.interactions.upload(user(ROBIN), "partners.csv", b"name,tier\n\xff\xfe")["file"]
    _submit(at, _command(at, "import", ids.IMPORT_FORM), file(ids.IMPORT_FILE, uploaded))
    _shows(at, "is not UTF-8")


def test_an_empty_form_asks_for_lines(at: Surface) -> None:
    answer = _submit(at, _command(at, "import", ids.IMPORT_FORM))
    assert answer["errors"] == {ids.IMPORT_LINES: "Paste lines, or choose a file."}


@pytest.mark.parametrize(
    "pasted",
    [
        "Cyberdyne, 1, dana@lantern.example, cyberdyne.example, cyberdyne.test",
        "Cyberdyne;1;dana@lantern.example;cyberdyne.example, cyberdyne.test",
        "Cyberdyne\tTier 1\tdana@lantern.example\tcyberdyne.example;cyberdyne.test",
        "name,tier,owner_email,domains\nCyberdyne,1,dana@lantern.example,cyberdyne.example;cyberdyne.test",
        "Company\tTier\tOwner email\tDomain\nCyberdyne\t1\tDana@Lantern.example\tcyberdyne.example;cyberdyne.test",
        '"Cyberdyne","1","dana@lantern.example","cyberdyne.example;cyberdyne.test"',
        "\n\nCyberdyne , 1 , dana@lantern.example , cyberdyne.example cyberdyne.test\n\n",
    ],
)
def test_lines_are_understood_however_they_are_separated(at: Surface, pasted: str) -> None:
    with at.database.sessions.begin() as session:
        report = roster_report(session, at.cast.programme, "partners", pasted.encode(), "cast", at.clock.now())
    assert report.problems == ()
    assert report.added == ("Cyberdyne",)
    assert _line(at, "Cyberdyne").domains == ("cyberdyne.example", "cyberdyne.test")


def test_the_end_of_a_line_that_was_left_out_takes_nothing_away(at: Surface) -> None:
    with at.database.sessions.begin() as session:
        before = partner_lines(session, at.cast.workspace_id, at.cast.partner(ACME))[at.cast.partner(ACME)]
        report = roster_report(session, at.cast.programme, "partners", b"Acme, 2", "cast", at.clock.now())
        after = partner_lines(session, at.cast.workspace_id, at.cast.partner(ACME))[at.cast.partner(ACME)]
    assert report.changed == ("Acme: tier 1 \u2192 2",)
    assert before.owner_email
    assert before.domains
    assert after == replace(before, tier=2)


def test_a_name_that_was_pasted_twice_is_told_by_the_lines_that_were_pasted(at: Surface) -> None:
    pasted = b"Nova, 1, dana@lantern.example, nova.example\nNova, 2, dana@lantern.example, other.example"
    with at.database.sessions.begin() as session:
        report = roster_report(session, at.cast.programme, "partners", pasted, "cast", at.clock.now())
    assert report.problems == ((2, "name", "Nova stands there already: Nova in line 1"),)


def test_the_roster_is_sent_as_a_file_that_an_import_takes_back(at: Surface) -> None:
    at.press(ROBIN, at.ask(ROBIN, "settings"), ids.EXPORT_ROSTER)
    im = at.workspace.im(user(ROBIN)).id
    assert at.workspace.wait_until(lambda: any(one.files for one in at.workspace.messages(im, user(ROBIN))))
    sent = next(one for one in at.workspace.messages(im, user(ROBIN)) if one.files).files[0]
    content = at.workspace.files.get(sent["id"]).content
    with at.database.sessions.begin() as session:
        report = roster_report(session, at.cast.programme, "partners", content, "cast", at.clock.now())
    assert (report.problems, report.added, report.changed, report.unchanged) == ((), (), (), 10)


# --- roles, and what others wrote


@pytest.mark.parametrize("who", [DANA, VERA])
def test_a_form_of_somebody_who_no_longer_leads_is_refused(at: Surface, who: PersonRow) -> None:
    form = _command(at, "add Cyberdyne", ids.EDIT_PARTNER_FORM)
    at.workspace.views.stacks[user(who)] = [form]
    form.user = user(who)
    before = _state(at)
    filled = together(NEW, _owner(at, DANA))
    assert at.slack.interactions.submit(user(who), form.id, filled) == {"ok": True}
    assert at.workspace.wait_until(lambda: "Only a programme lead" in said(form.content["blocks"]))
    assert _state(at) == before


def test_hostile_names_pass_every_form_and_report() -> None:
    who = Who(1, HOSTILE, "x@lantern.example", "U1")
    domains, contacts = ("a.example",) * 100, ("b@c.example",) * 100
    line = PartnerLine(HOSTILE, 1, who.email, domains, contacts, Status.ACTIVE, None, None, None, None)
    tiers = [Tier(rank, HOSTILE, 7) for rank in range(1, 60)]
    one = Person(1, who.email, HOSTILE, "lead", "U1", None, ("y@lantern.example",), True, None, None)
    lint_view(partner_form(line, "", tiers, [who] * 50, ids.Carried(partner=1)))
    lint_view(partner_form(None, HOSTILE, tiers, [], ids.Carried()))
    lint_view(person_form(one, ids.Carried(owner=1)))
    lint_view(roster_modal(10_000, 400, "✓"))
    many = RosterReport(
        added=(HOSTILE * 5,) * 400,
        changed=(f"{HOSTILE}: tier 1 → 2",) * 400,
        warnings=(HOSTILE * 9,) * 90,
        again=3,
        voided=2,
    )
    wrong = RosterReport(problems=tuple((number, "domains", HOSTILE * 20) for number in range(1, 400)))
    for report in (many, wrong, RosterReport()):
        lint_view(import_form("partners", HOSTILE * 100, report, file_name=HOSTILE))
        assert sum(len(str(block)) for block in report_blocks("people", report, done=True)) < 60_000


def _command(at: Surface, words: str, callback_id: str) -> Any:
    answer = at.slack.interactions.message(user(ROBIN), CHANNEL, f"/cadence {words}")
    assert answer["ok"], answer
    return _opened(at, callback_id)


def _opened(at: Surface, callback_id: str) -> Any:
    assert at.workspace.wait_until(lambda: at.modal(ROBIN).content["callback_id"] == callback_id)
    return at.modal(ROBIN)


def _roster(at: Surface) -> Any:
    at.press(ROBIN, at.ask(ROBIN, "settings"), ids.EDIT_ROSTER)
    return _opened(at, ids.ROSTER_MODAL)


def _new_person(at: Surface) -> Any:
    at.press(ROBIN, _roster(at), ids.NEW_PERSON)
    return _opened(at, ids.PERSON_FORM)


def _edit_person(at: Surface, typed: str, callback_id: str) -> Any:
    page = _roster(at)
    container = {"type": "modal", "view_id": page.id}
    block = _block(page, ids.FIND_PERSON)
    found = at.slack.interactions.options(user(ROBIN), container, block, ids.FIND_PERSON, typed)["options"]
    return _pick(at, page, ids.FIND_PERSON, found[0], callback_id)


def _pick(at: Surface, page: Any, action: str, chosen: dict[str, Any], callback_id: str) -> Any:
    at.press(ROBIN, page, action, action={"selected_option": chosen})
    return _opened(at, callback_id)


def _block(page: Any, action: str) -> str:
    blocks = page.content["blocks"]
    return str(next(one["block_id"] for one in blocks if (one.get("accessory") or {}).get("action_id") == action))


def _submit(at: Surface, form: Any, *filled: Filled) -> Any:
    return at.slack.interactions.submit(user(ROBIN), form.id, together(*filled))


def _owner(at: Surface, who: PersonRow) -> Filled:
    return option(ids.PARTNER_OWNER, str(at.cast.person(who)))


def _shows(at: Surface, words: str) -> Any:
    assert at.workspace.wait_until(lambda: words in _said(at)), _said(at)
    return at.modal(ROBIN)


def _said(at: Surface) -> str:
    return said(at.modal(ROBIN).content["blocks"])


def _line(at: Surface, name: str) -> PartnerLine:
    with at.database.reading() as session:
        return next(one for one in partner_lines(session, at.cast.workspace_id).values() if one.name == name)


def _person(at: Surface, email: str) -> Person:
    with at.database.reading() as session:
        return next(one for one in people(session, at.cast.workspace_id) if one.email == email)


def _audit(at: Surface) -> list[AuditEntry]:
    with at.database.reading() as session:
        return list(session.scalars(select(AuditEntry).order_by(AuditEntry.id)))


def _state(at: Surface) -> tuple[list[int], list[PartnerLine], list[Person]]:
    """What a refused change must leave as it was."""
    with at.database.reading() as session:
        lines = list(partner_lines(session, at.cast.workspace_id).values())
        return [one.id for one in _audit(at)], lines, people(session, at.cast.workspace_id)
