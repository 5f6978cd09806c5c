"""`/cadence suggest` in Slack, against the stand-in Gmail: the list for a lead, and the form that adds a partner."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bot.views.rows import Paper
from bot.views.suggestions import name_of, partner_form, suggestions_answer
from jobs.capture import Capture
from jobs.suggest import suggestions_from_mailboxes
from models.cadence import Tier
from models.correspondence import Correspondence, Suggestion, Suggestions
from models.queries.programme import Programme
from models.settings import load_settings
from models.standing import Who
from models.tables import AuditEntry, Mailbox, Partner, PartnerDomain, PendingFetch
from models.vault import Vault, new_key
from tests.capture_world import everything, letter
from tests.cast import DANA, MONDAY, ROBIN, VERA, ZONE, put_cast
from tests.command_line import CommandLine
from tests.databases import Database
from tests.sandbox.gmail import GmailServer
from tests.slack_lint import elements, lint_message, lint_view, said
from tests.surface import Surface, surface

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class World:
    at: Surface
    gmail: GmailServer
    run: CommandLine

    def letters(self, other: str, days: int = 3) -> None:
        store = self.gmail.mailbox(DANA.email)
        for number in range(days):
            store.deliver(letter(DANA.email, other), MONDAY - (2 * number + 1) * DAY, ["SENT"])
            store.deliver(letter(other, DANA.email), MONDAY - (2 * number + 2) * DAY, ["INBOX"])

    def asked(self) -> Any:
        """The list that the lead gets, after the word that it comes."""
        before = len(self.at.whispers("U0ROBIN"))
        self.at.ask(ROBIN, "suggest")
        assert self.at.workspace.wait_until(lambda: len(self.at.whispers("U0ROBIN")) == before + 2)
        first, message = self.at.whispers("U0ROBIN")[-2:]
        assert "Looking through the mail" in first.text
        lint_message({"text": message.text, "blocks": [_bare(block) for block in message.blocks]})
        return message

    def form(self, number: int = 0) -> Any:
        self.at.press(ROBIN, self.asked(), f"add_partner:{number}")
        view = self.at.modal(ROBIN)
        lint_view(view.content)
        return view

    def submit(self, view: Any, **more: Any) -> Any:
        payload = {
            "type": "view_submission",
            "team": {"id": self.at.workspace.team_id},
            "user": {"id": more.pop("user", "U0ROBIN"), "team_id": self.at.workspace.team_id},
            "view": self.at.workspace.views.payload(view) | {"state": {"values": filled(self.at, **more)}},
        }
        return self.at.slack.delivery.send("interactive", payload).body


def filled(at: Surface, name: str = "Newco", tier: str = "2", owner: int = 0, domain: str = "newco.example") -> Any:
    def option(value: str) -> dict[str, Any]:
        return {"text": {"type": "plain_text", "text": "x", "emoji": False}, "value": value}

    return {
        "partner_name": {"partner_name": {"type": "plain_text_input", "value": name}},
        "partner_tier": {"partner_tier": {"type": "static_select", "selected_option": option(tier)}},
        "partner_owner": {
            "partner_owner": {"type": "static_select", "selected_option": option(str(owner or at.cast.person(DANA)))}
        },
        "partner_domain": {"partner_domain": {"type": "plain_text_input", "value": domain}},
    }


def _bare(block: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in block.items() if key != "block_id"}


@pytest.fixture
def world(database: Database, tmp_path: Path) -> Iterator[World]:
    with GmailServer(now=lambda: MONDAY) as gmail:
        with database.sessions.begin() as session:
            cast = put_cast(session, observed_until=None)
        gmail.mailbox(DANA.email)
        token = tmp_path / "token.json"
        token.write_text(json.dumps(gmail.authorized_user(DANA.email)), encoding="utf-8")
        env = {"CADENCE_SECRET_KEYS": new_key(), "GMAIL_API_URL": gmail.api_url}
        run = CommandLine(database.url, MONDAY + timedelta(hours=1), env)
        run("mailbox", "add", "--provider", "gmail", "--address", DANA.email, "--token-file", str(token))
        settings = load_settings(**env)

        def suggest(programme: Programme, skip: int, limit: int) -> Suggestions:
            capture = Capture(database.sessions, database.reading, at.clock)
            return suggestions_from_mailboxes(capture, settings, Vault(settings.secret_keys), programme, skip, limit)

        with surface(database, cast=cast, suggest=suggest) as at:
            yield World(at, gmail, run)


def test_a_lead_sees_who_is_missing_and_nothing_is_stored(world: World) -> None:
    world.letters("ana@newco.example")
    world.letters("bo@other.example", 2)
    world.run("capture")
    with world.at.database.reading() as session:
        before = everything(session)
    words = said(world.asked().blocks)
    assert "2 organisations write with us regularly and are not on the roster" in words
    assert words.index("newco.example") < words.index("other.example")
    assert "we wrote on 3 days, they on 3 days · last mail Sun 22 Nov · in the mail of dana@lantern.example" in words
    with world.at.database.reading() as session:
        assert everything(session) == before


def test_the_list_goes_on_ten_by_ten_until_its_end(world: World) -> None:
    for n in range(23):
        world.letters(f"ana@newco{n:02}.example", 2)
    world.run("capture")
    message, listed = world.asked(), list[str]()
    assert "23 organisations write with us regularly" in said(message.blocks)
    assert "13 more with less mail." in said(message.blocks)
    listed.append(said(message.blocks))
    world.at.press(ROBIN, message, "look:1")
    assert world.at.workspace.wait_until(lambda: "11 to 20" in said(world.at.modal(ROBIN).content["blocks"]))
    listed.append(said(world.at.modal(ROBIN).content["blocks"]))
    lint_view(world.at.modal(ROBIN).content)
    world.at.press(ROBIN, world.at.modal(ROBIN), "look:2")
    assert world.at.workspace.wait_until(lambda: "21 to 23" in said(world.at.modal(ROBIN).content["blocks"]))
    listed.append(said(world.at.modal(ROBIN).content["blocks"]))
    assert len(world.at.workspace.views.stacks["U0ROBIN"]) == 1
    assert [sum(f"newco{n:02}.example" in one for one in listed) for n in range(23)] == [1] * 23
    assert "more with less mail" not in listed[-1]


def test_only_leads_may_ask(world: World) -> None:
    world.letters("ana@newco.example")
    world.run("capture")
    world.gmail.forget_calls()
    for person in (DANA, VERA):
        assert "Only a programme lead can do this." in world.at.ask(person, "suggest").text
    assert not world.gmail.calls


def test_nobody_missing_is_said_and_so_is_that_nobody_could_look(world: World, database: Database) -> None:
    world.run("capture")
    assert "Nobody is missing" in world.asked().text
    with database.sessions.begin() as session:
        session.delete(session.scalars(select(Mailbox)).one())
    assert "No mailbox is connected that could tell" in world.asked().text


def test_a_mailbox_that_cannot_answer_is_named_with_its_reason(world: World) -> None:
    world.letters("ana@newco.example")
    world.run("capture")
    world.gmail.tokens.revoke(DANA.email)
    words = said(world.asked().blocks)
    assert "1 organisation cannot be named: names are not stored, and their mailboxes could not be asked." in words
    assert "dana@lantern.example could not be asked: " in words
    assert "Add as partner" not in words


def test_the_form_adds_a_partner_as_an_import_does_and_its_mail_follows(world: World, database: Database) -> None:
    world.letters("ana@newco.example")
    world.run("capture")
    view = world.form()
    fields = {one["action_id"]: one for one in elements(view.content["blocks"])}
    assert fields["partner_name"]["initial_value"] == "Newco"
    assert fields["partner_domain"]["initial_value"] == "newco.example"
    assert fields["partner_owner"]["initial_option"]["text"]["text"] == "Dana Kim", "it is in Dana's mail"
    answer = world.submit(view)
    assert answer["response_action"] == "update"
    lint_view(answer["view"])
    assert "Newco is on the roster: Tier 2, 14-day rhythm, owner Dana Kim. 6 messages" in said(answer["view"]["blocks"])
    with database.reading() as session:
        partner = session.scalars(select(Partner).where(Partner.name == "Newco")).one()
        domains = session.scalars(select(PartnerDomain.domain).where(PartnerDomain.partner_id == partner.id)).all()
        entry = session.scalars(select(AuditEntry).where(AuditEntry.subject == f"partner:{partner.id}")).one()
        assert len(session.scalars(select(PendingFetch)).all()) == 6
    assert domains == ["newco.example"]
    assert (entry.actor, entry.action) == (f"person:{world.at.cast.person(ROBIN)}", "add partner")
    world.gmail.forget_calls()
    world.run("capture")
    assert "messages.list" not in {call.method for call in world.gmail.calls}, "read again, not listed again"
    assert world.run("partner", "Newco", "--json").json["days_since"] == 1
    assert "Nobody is missing" in world.asked().text


def test_a_form_delivered_twice_adds_once(world: World) -> None:
    world.letters("ana@newco.example")
    world.run("capture")
    view = world.form()
    assert world.submit(view)["response_action"] == "update"
    assert not world.submit(view)
    assert world.run("partner", "Newco", "--json").json["partner"] == "Newco"


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        ({"name": " "}, "partner_name", "The name is empty."),
        ({"name": "acme"}, "partner_name", "acme is on the roster already."),
        ({"domain": "acme.example"}, "partner_domain", "acme.example belongs to Acme."),
        ({"domain": "gmail.com"}, "partner_domain", "gmail.com gives mailboxes to everybody"),
        ({"domain": "co.uk"}, "partner_domain", "public suffix"),
        ({"domain": "lantern.example"}, "partner_domain", "our own people's domain"),
        ({"tier": "9"}, "partner_tier", "Choose a tier"),
        ({"owner": 999}, "partner_owner", "Choose a partner manager"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    world: World, database: Database, wrong: dict[str, Any], field: str, words: str
) -> None:
    world.letters("ana@newco.example")
    world.run("capture")
    answer = world.submit(world.form(), **wrong)
    assert answer["response_action"] == "errors"
    assert words in answer["errors"][field]
    with database.reading() as session:
        assert len(session.scalars(select(Partner)).all()) == 10
        assert session.scalars(select(PartnerDomain.domain).where(PartnerDomain.domain == "newco.example")).all() == []


def test_a_form_of_somebody_who_does_not_lead_adds_nobody(world: World, database: Database) -> None:
    world.letters("ana@newco.example")
    world.run("capture")
    view = world.form()
    assert "Only a programme lead" in said(world.submit(view, user="U0DANA")["view"]["blocks"])
    with database.reading() as session:
        assert not session.scalars(select(Partner).where(Partner.name == "Newco")).all()


def test_two_who_ask_at_once_do_not_ask_the_mailboxes_twice(database: Database) -> None:
    going, go_on, asked = threading.Event(), threading.Event(), list[int]()

    def slow(_programme: Programme, _skip: int, limit: int) -> Suggestions:
        asked.append(limit)
        going.set()
        assert go_on.wait(20)
        return Suggestions((), looked_into=1)

    with surface(database, suggest=slow) as at:
        at.ask(ROBIN, "suggest")
        assert going.wait(10)
        assert "Somebody has just asked the same" in at.ask(ROBIN, "suggest").text
        go_on.set()
        assert at.workspace.wait_until(lambda: len(at.whispers("U0ROBIN")) == 3)
    assert asked == [10]


def test_a_list_of_any_size_and_spelling_fits_a_message() -> None:
    mail = Correspondence(
        {date(2026, 11, 22)} | {date(2026, 11, day) for day in range(1, 20)},
        {date(2026, 11, 21)},
        {f"{'x' * 60}{number}@lantern.example" for number in range(5)},
    )
    paper = Paper(MONDAY.date(), ZONE)
    for count in (0, 1, 10):
        found = tuple(Suggestion(f"{'a-long-name-' * 5}{number}.example", mail) for number in range(count))
        troubles = {f"m{number}@lantern.example": "<!channel> *no* " * 40 for number in range(9)}
        lint_message(suggestions_answer(Suggestions(found, 7, troubles, 1, ("f@lantern.example",)), {}, paper))
    lint_view(partner_form(f"{'a' * 60}.{'b' * 60}.example", [Tier(1, "T" * 100, 7)], [Who(1, "A", "a@b.c")], 9))
    assert name_of("small-co.co.uk") == "Small Co"


def test_the_running_bot_has_the_command(database: Database) -> None:
    """What is handed over at the composition root is what the command calls."""
    from bot.cli.running import Running
    from tests.command_line import At

    with database.sessions.begin() as session:
        put_cast(session, observed_until=None)
    settings = load_settings(CADENCE_DATABASE_URL=database.url, SLACK_BOT_TOKEN="xoxb-1", SLACK_SIGNING_SECRET="x" * 32)
    running = Running(settings, At(MONDAY))
    try:
        told = running._suggest(running.programmes()[0], 0, 10)
        assert (told.found, told.looked_into) == ((), 0)
    finally:
        running.rounds.stop()
        running.engine.dispose()
