"""The partner card in Slack: what it knows, what can be done from it, and how a name finds it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from bot.views.partner import DAYS_SHOWN, Card, card_modal, partner_card, why_modal
from bot.views.rows import Paper
from models.actions.partners import PartnerRow
from models.cadence import Policy, Status
from models.queries.mail import PartnerRecord, TouchFacts
from models.standing import NextStepFacts
from tests.cast import ACME, DANA, MONDAY, PARTNERS, PRIYA, ROBIN, VERA, put_cast, put_touch
from tests.databases import Database
from tests.facts import LONDON, NOW, QUIET, claim_by
from tests.sandbox.slack.workspace import Message
from tests.slack_lint import elements, lint_message, lint_view, said
from tests.surface import Surface, surface
from tests.test_views import HOSTILE

DAY, PAPER = timedelta(days=1), Paper(NOW.date(), LONDON)


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    with surface(database) as one:
        yield one


def shown(message: Message) -> str:
    lint_message({"text": message.text, "blocks": message.blocks})
    return said(message.blocks)


def labels(message: Message) -> list[str]:
    return [one["text"]["text"] for one in elements(message.blocks)]


def touch(days: float, *, by: str = "Dana Kim", ours: bool = True, verdict: str = "human", **more: Any) -> TouchFacts:
    side = ("outbound", by, "wendy@acme.example", "to") if ours else ("inbound", by, by, "from")
    return TouchFacts(
        id=1, partner_id=1, partner="Acme", at=NOW - timedelta(days=days), direction=side[0],
        counts=ours and verdict == "human", verdict=verdict, rule="written by a person", by=side[1], matched=side[2],
        matched_by="domain", field=side[3], message_id="<1@x>", mailboxes=("dana@lantern.example",), clamped=False,
        void_reason=more.get("void_reason"), captured_at=NOW,
    )  # fmt: skip


def card(*touches: TouchFacts, name: str = "Acme", **more: Any) -> Card:
    standing = more.pop("standing", QUIET.standing(QUIET.facts(touched=20, name=name)))
    record = PartnerRecord(1, ("acme.example",), (), more.pop("reason", None), None)
    return Card(standing, record, touches, Policy.OUTBOUND, **more)


def test_mail_is_told_by_day_with_its_people_and_without_a_subject() -> None:
    payload = partner_card(
        card(
            touch(1, by="wendy@acme.example", ours=False),
            touch(1.1),
            touch(1.2, by="Priya Nair"),
            touch(2, verdict="bulk"),
            touch(3, void_reason="bounced"),
            touch(7),
            touch(70),
        ),
        PAPER,
    )
    lint_message(payload)
    mails = [line for line in payload["text"].splitlines() if line.startswith("•")]
    assert mails == [
        "• Sun 22 Nov: Dana Kim and Priya Nair wrote to wendy@acme.example; wendy@acme.example wrote to us (3 mails)",
        "• Mon 16 Nov: Dana Kim wrote to wendy@acme.example",
        "• and 1 mail that no person wrote to them or to us alone",
    ]
    assert "Last touch: Sun 22 Nov: Dana Kim wrote to wendy@acme.example (written by a person;" in payload["text"]


def test_what_is_not_shown_is_counted() -> None:
    payload = partner_card(card(*(touch(days) for days in range(1, 30))), PAPER)
    assert f"• and {29 - DAYS_SHOWN} earlier days with mail" in payload["text"]
    many = partner_card(card(*(touch(1, by=f"person{one}@acme.example", ours=False) for one in range(9))), PAPER)
    assert "person2@acme.example and 6 more wrote to us (9 mails)" in many["text"]


def test_buttons_follow_what_may_be_done_and_by_whom() -> None:
    def offered(one: Card, paper: Paper = PAPER) -> list[str]:
        return [button["action_id"] for button in elements(partner_card(one, paper)["blocks"])]

    everyday = ["next_step:1", "step_history:1", "why:1"]
    assert offered(card()) == ["claim:1", *everyday, "mute_partner:1"]
    assert offered(card(leads=True)) == ["claim:1", "assign_one:1", *everyday, "pause:1", "mute_partner:1"]
    claimed = QUIET.standing(QUIET.facts(touched=20, claim=claim_by()))
    assert offered(card(standing=claimed))[0] == "release:1"
    asked = QUIET.standing(QUIET.facts(touched=20, claim=replace(claim_by(), asked=True)))
    assert offered(card(standing=asked))[:2] == ["accept_claim:1", "decline_claim:1"]
    agreed = QUIET.standing(QUIET.facts(touched=20, next_step=NextStepFacts("Call", None, None, id=4)))
    assert offered(card(standing=agreed))[1:3] == ["next_step:1", "step_done:1"]
    rests = QUIET.standing(QUIET.facts(touched=20, status=Status.PAUSED, paused_until=date(2027, 1, 15)))
    paused = card(standing=rests, reason="On leave", leads=True, muted=True)
    assert offered(paused) == [*everyday, "resume:1", "pause:1", "mute_partner:1"]
    assert "Paused until the end of Fri 15 Jan 2027: On leave" in partner_card(paused, PAPER)["text"]
    assert "Nudge me about it again" in said(partner_card(paused, PAPER)["blocks"])
    assert offered(card(leads=True), replace(PAPER, buttons=False)) == ["why:1"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_card_of_any_name_fits_message_and_window(name: str) -> None:
    one = card(
        *(touch(days, by=name, ours=days % 2 == 0) for days in range(1, 20)), name=name, guessed=name, leads=True
    )
    lint_message(partner_card(one, PAPER))
    lint_view(card_modal(one, PAPER, note="Noted."))
    lint_view(why_modal(one, PAPER))


def test_the_card_is_the_place_to_act(at: Surface) -> None:
    message = at.ask(ROBIN, "partner Acme")
    shown(message)
    assert labels(message)[:1] == ["Claim recovery touch"]
    told = at.press_and_hear(ROBIN, message, f"why:{at.cast.partner(ACME)}")
    assert "its 7-day rhythm runs from there" in shown(told)
    assert "is yours" in shown(at.press_and_hear(ROBIN, message, f"claim:{at.cast.partner(ACME)}"))


def test_a_viewer_reads_it_and_may_ask_why(at: Surface) -> None:
    assert labels(at.ask(VERA, "partner Acme")) == ["Why?"]


def test_several_names_are_offered_as_buttons(database: Database) -> None:
    more = [
        PartnerRow(f"Northwind {n:02}", 2, PRIYA.email, (f"n{n}.example",), since=date(2026, 8, 31)) for n in range(40)
    ]
    with database.sessions.begin() as session:
        cast = put_cast(session, partners=(*PARTNERS, *more))
        put_touch(session, cast, ACME, MONDAY - 23 * DAY)
    with surface(database, cast=cast) as one:
        message = one.ask(DANA, "partner Northwind")
        words = shown(message)
        assert "“Northwind” could be:" in words
        assert "and 30 more: type more of the name" in words
        assert labels(message) == ["Show"] * 10
        third = cast.partner_ids["Northwind 02"]
        card = one.press_and_hear(DANA, message, f"open_card:{third}")
        assert "*Northwind 02* · Tier 2 · owner Priya Nair" in shown(card)
