"""Cards, reasons, forms, notes and the Home tab, with the worst names there are."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from bot.ids import Carried, OldButton, decode, encode, matches
from bot.listeners.commands import TABLE
from bot.views import claims, help, kit
from bot.views.home import HomePage, home_view, stranger_view
from bot.views.lists import overdue_answer
from bot.views.next_step import next_step_form, owner_options, saved_note
from bot.views.partner import Card, choice_answer, partner_card, why_answer
from bot.views.read import unassigned_payload
from bot.views.reads_notice import uncertain_payload
from bot.views.rows import Paper
from models.cadence import Policy
from models.queries.mail import PartnerRecord, TouchFacts
from models.queries.outbox import Post
from models.queries.programme import Person
from models.queries.standings import PartnerName
from models.standing import NextStepFacts, Who
from models.weekly_read import MailboxTrouble
from tests.facts import LONDON, NOW, QUIET, WEEKLY, claim_by
from tests.slack_lint import elements, lint_message, lint_view, said
from tests.test_views import HOSTILE, held, overdue

TODAY, PAPER = NOW.date(), Paper(NOW.date(), LONDON)


def touch(name: str, number: int = 1, *, counts: bool = True) -> TouchFacts:
    return TouchFacts(
        id=number,
        partner_id=1,
        partner=name,
        at=NOW - timedelta(days=number),
        direction="outbound",
        counts=counts,
        verdict="human" if counts else "auto",
        rule=name,
        by=name,
        matched=name,
        matched_by="domain",
        field="to",
        message_id="<1@x>",
        mailboxes=(name,),
        clamped=False,
        void_reason=None,
        captured_at=NOW,
    )


def post(name: str = "no answer", status: str = "unknown") -> Post:
    values = {
        "id": 7,
        "workspace_id": 1,
        "channel": "C1",
        "kind": "read",
        "period": "2026-11-23",
        "part": 0,
        "payload": {},
    }
    rest = dict.fromkeys(set(Post.__dataclass_fields__) - set(values))
    return Post(**{**rest, **values, "status": status, "error": name})  # type: ignore[arg-type]  # by name


def person(name: str, **more: object) -> Person:
    known = Person(9, "boss@lantern.example", name, "manager", "U0BOSS", None, (), True, None, None)
    return replace(known, **more)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize("name", HOSTILE)
def test_every_message_shows_any_name_literally_and_fits(name: str) -> None:
    who = Who(9, name, "boss@lantern.example")
    step = NextStepFacts(name * 10, date(2026, 11, 30), who)
    standing = overdue(1, name, owner=who, last_touch_by=name, next_step=step)
    record = PartnerRecord(1, (name,) * 9, (name,) * 9, name, None)
    mails = [touch(name, number, counts=number % 2 == 0) for number in range(1, 10)]
    card = Card(standing, record, mails, Policy.OUTBOUND, guessed=name)
    given = [claims.Assigned(number, name, TODAY) for number in range(40)]
    for payload in (
        partner_card(card, PAPER),
        why_answer(card, PAPER),
        overdue_answer(name, [overdue(number, name) for number in range(1, 40)], Carried(owner=9), PAPER),
        overdue_answer(name, [], Carried(), PAPER),
        claims.claimed_note(1, name, TODAY, TODAY),
        claims.taken_note(name, name, TODAY, TODAY),
        claims.nothing_note(name),
        claims.released_note(1, name),
        claims.not_yours_note(name, name),
        claims.not_yours_note(name, None),
        claims.assigned_payload(name, given, TODAY),
        saved_note(name, step, TODAY),
        help.unknown_answer(name, TABLE["why"].help),
        choice_answer(name, [PartnerName(number, name, None, None) for number in range(400)], ambiguous=True),
        choice_answer(name, [PartnerName(1, name, replace(WEEKLY, name=name), 9)], ambiguous=False),
        choice_answer(name, [], ambiguous=False),
        help.sorry(name),
        uncertain_payload(post(name)),
        uncertain_payload(post(name, "failed")),
        unassigned_payload(held(*(overdue(number, name, owner=who) for number in range(1, 40)))),
    ):
        assert payload is not None
        lint_message(payload)
    claimed = QUIET.standing(QUIET.facts(touched=20, name=name, partner_id=2, claim=claim_by(who)))
    page = HomePage(
        person(name),
        leads=True,
        standings=[standing, claimed, *(overdue(number, name, owner=who) for number in range(3, 40))],
        today=TODAY,
        zone=LONDON,
        posts=[post(name)],
        troubles=[MailboxTrouble(name, name, name)] * 20,
        note=kit.words(name, 300),
    )
    for view in (
        home_view(page),
        stranger_view(name),
        help.note_modal(name),
        next_step_form(standing, [who, Who(10, name, "second@lantern.example")], who, Carried(partner=1, channel="C1")),
    ):
        lint_view(view)


def test_help_and_fixed_answers_fit() -> None:
    for payload in (
        help.help_answer([one.help for one in TABLE.values()]),
        help.missing_name_answer("why Acme"),
        help.late_modal_answer("claim:1", Carried(partner=1)),
        claims.assigned_note(2, 1, 3),
        claims.assigned_note(0, 0, 0),
    ):
        lint_message(payload)


def test_a_lead_hears_nothing_when_everything_is_assigned() -> None:
    assert unassigned_payload(held(QUIET.standing(QUIET.facts(touched=20, claim=claim_by())))) is None
    assert unassigned_payload(held()) is None


def test_partners_without_an_owner_cannot_be_assigned_by_button() -> None:
    payload = unassigned_payload(held(overdue(1, "Acme", owner=None)))
    assert payload is not None
    assert "Acme" in said(payload["blocks"])
    assert "no owner" in said(payload["blocks"])
    assert [one["action_id"] for one in elements(payload["blocks"])] == ["assign_one:1", "walk"]


def test_owners_of_one_name_are_told_apart() -> None:
    owners = [
        Who(1, "Dana Kim", "dana@a.example"),
        Who(2, "Dana Kim", "dana@b.example"),
        Who(3, "Priya", "p@a.example"),
    ]
    assert [one["text"]["text"] for one in owner_options(owners)] == [
        "Dana Kim (dana@a.example)",
        "Dana Kim (dana@b.example)",
        "Priya",
    ]
    assert [one["value"] for one in owner_options(owners, "pri")] == ["3"]


def test_home_says_whether_nudges_rest() -> None:
    def words(**more: object) -> str:
        return said(home_view(HomePage(person("Dana", **more), False, [], TODAY, LONDON))["blocks"])

    assert "Nudges are on: at most" in words()
    assert "quiet until the end of Tue 24 Nov" in words(snoozed_until=date(2026, 11, 24))
    assert "Nudges are off" in words(nudges=False)


def test_a_value_comes_back_as_it_was_sent() -> None:
    carried = Carried(verb="release", partner=7, read=3, post=1, days=7, page=2, tier=1, owner=4, channel="C0X")
    assert decode(encode(carried)) == carried
    assert len(encode(carried)) <= 150


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", "1", "[]", "{", '{"p": 1}', '{"v": 2, "p": 1}', '{"v": true, "p": 1}', '{"v": 1, "p": true}'),
        *(
            '{"v": 1, "p": "7"}',
            '{"v": 1, "p": 1e9}',
            '{"v": 1, "p": -1}',
            '{"v": 1, "name": "Acme"}',
            '{"v": 1, "p": 99999999999}',
        ),
        *('{"v": 1, "c": "<!channel>"}', '{"v": 1, "a": 5}', "\ud800"),
    ],
)
def test_a_value_we_did_not_write_is_an_old_button(value: str | None) -> None:
    with pytest.raises(OldButton):
        decode(value)


def test_action_ids_match_their_rows_and_nothing_else() -> None:
    assert matches("claim").match("claim:42")
    assert matches("claim").match("claim")
    assert not matches("claim").match("claimed")
    assert not matches("claim").match("claim:42:x")
