"""Why a mail counted or did not: each rule that can fire has plain words, and both surfaces say the same."""

import ast
from collections.abc import Iterator
from datetime import timedelta

import pytest

from bot import evidence
from models.cadence import Policy
from models.matching import BROADCAST_PARTNERS
from models.queries.mail import TouchFacts, touches
from models.verdict import Verdict
from tests.capture_world import Office, letter, office
from tests.cast import ACME, DANA, MONDAY, PARTNERS, Cast, put_cast, put_touch
from tests.command_line import CommandLine
from tests.databases import ROOT, Database
from tests.slack_lint import lint_message, said
from tests.surface import surface

ONLY_IN_LEDGER = {"draft", "spam", "trash", "chat", "gone", "unparsed"}
NAMED_BY_LOOPS = {  # rules that are the name of the header that fired
    *("x-autoreply", "x-autorespond", "x-autoresponder", "list-id", "list-unsubscribe"),
    *("precedence: auto_reply", "x-precedence: auto_reply"),
}


def rules() -> Iterator[str]:
    """Every rule that stands in the code of verdict and matching, but those of mail that leaves no touch."""
    for name in ("verdict", "matching"):
        for node in ast.walk(ast.parse((ROOT / "models" / f"{name}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Judgement":
                verdict_and_rule = node.args[:2]
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
                verdict_and_rule = node.value.elts[:2]
            else:
                continue
            match verdict_and_rule:
                case [ast.Attribute(attr=verdict), ast.Constant(value=str(rule))]:
                    if verdict.lower() not in ONLY_IN_LEDGER:
                        yield rule


EVERY_RULE = sorted({*rules(), *NAMED_BY_LOOPS})


def test_the_walk_finds_the_rules() -> None:
    assert {"out of office", "dmarc=fail", "one mail to many partners", "own list-unsubscribe"} <= set(EVERY_RULE)
    assert len(EVERY_RULE) > 30


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_every_rule_has_plain_words(rule: str) -> None:
    assert rule in evidence.RULES
    assert evidence.RULES[rule] != rule


def test_no_words_are_kept_for_rules_that_are_gone() -> None:
    assert set(evidence.RULES) == set(EVERY_RULE)


@pytest.mark.parametrize("verdict", [one for one in Verdict if one not in (*ONLY_IN_LEDGER, "human")])
def test_every_verdict_has_plain_words(verdict: Verdict) -> None:
    assert str(verdict) in evidence.NOT_A_PERSONS


def facts(database: Database, cast: Cast) -> list[TouchFacts]:
    with database.reading() as session:
        return touches(session, cast.programme, MONDAY, partner_id=cast.partner(ACME))


@pytest.fixture
def cast(database: Database) -> Cast:
    """Acme with a mail of each kind that does not count, and one that does."""
    with database.sessions.begin() as session:
        cast = put_cast(session)
        hour, wendy = timedelta(hours=1), "wendy@acme.example"
        put_touch(session, cast, ACME, MONDAY - 9 * hour, rule="no automatic sign", clamped=True)
        put_touch(session, cast, ACME, MONDAY - 8 * hour, by=wendy, verdict="auto", rule="out of office")
        put_touch(session, cast, ACME, MONDAY - 7 * hour, by=wendy, verdict="bulk", rule="list-id")
        put_touch(session, cast, ACME, MONDAY - 6 * hour, verdict="broadcast", rule="undisclosed recipients")
        put_touch(session, cast, ACME, MONDAY - 5 * hour, field="bcc")
        put_touch(session, cast, ACME, MONDAY - 4 * hour, by=wendy, clamped=True)
        put_touch(session, cast, ACME, MONDAY - 3 * hour, by=wendy, verdict="suspect", rule="dmarc=fail")
        put_touch(session, cast, ACME, MONDAY - 2 * hour, by=wendy, verdict="calendar", rule="calendar item")
        put_touch(session, cast, ACME, MONDAY - 1 * hour, by=wendy, verdict="future rule", rule="of tomorrow")
        return cast


SAYS = (
    "an automatic reply, no person wrote it: an absence notice",
    "a newsletter or list mail: a list sent it",
    "one mail to many, not to this partner: its recipients were hidden",
    "the partner was in Bcc only",
    f"the partner wrote it: that is heard and moves no clock; {evidence.IN_FUTURE}",
    "its sender may be forged: the sender's domain disowns it",
    "an invitation or an answer to one: the mailbox keeps it as a meeting",
    "future rule",
)
RULES_SHOWN = ("out of office", "list-id", "undisclosed recipients", "dmarc=fail", "calendar item", "of tomorrow")


def test_both_surfaces_show_the_same_facts(database: Database, cast: Cast) -> None:
    [last] = [one for one in facts(database, cast) if one.counts]
    terminal = " ".join(CommandLine(database.url)("why", "Acme").out.split())
    with surface(database, cast=cast) as at:
        message = at.ask(DANA, "why acme")
    bare = [{key: value for key, value in block.items() if key != "block_id"} for block in message.blocks]
    lint_message({"text": message.text, "blocks": bare})
    slack = said(message.blocks).replace("\u200b", "").replace("&lt;", "<").replace("&gt;", ">")
    proof = ("nothing in it says that a program wrote it", "hello@acme.example", last.message_id, evidence.IN_FUTURE)
    for shown in (terminal, slack):
        for words in (*SAYS, *RULES_SHOWN, *proof, "dana@lantern.example", evidence.UNRECORDED):
            assert words in shown, words


def test_a_broadcast_says_how_many_partners_it_went_to(database: Database) -> None:
    everybody = [f"x@{one.domains[0]}" for one in PARTNERS]
    assert len(everybody) >= BROADCAST_PARTNERS
    with office(database) as work:
        work.send(letter(DANA.email, ", ".join(everybody), message_id="to-all"))
        for address in everybody:
            work.send(letter(DANA.email, address, "Our summer news"))
        work.poll()
        reasons = _reasons(work)
    assert reasons == [f"one mail to {len(everybody)} partners, a broadcast"] * 2


def _reasons(work: Office) -> list[str]:
    found = facts(work.database, work.cast)
    return [evidence.why_not(one, Policy.OUTBOUND) for one in found]


def test_what_was_voided_says_why(database: Database) -> None:
    with office(database) as work:
        work.send(letter(DANA.email, "wile@acme.example"), at=MONDAY - timedelta(hours=2))
        bounce = letter("mailer-daemon@lantern.example", DANA.email, "x", X_Failed_Recipients="wile@acme.example")
        work.receive(bounce, at=MONDAY - timedelta(hours=1))
        work.poll()
        assert _reasons(work) == ["taken back: bounced for wile@acme.example"]


def test_internal_mail_leaves_no_evidence_and_that_is_said(database: Database) -> None:
    with office(database) as work:
        work.send(letter(DANA.email, "priya@lantern.example", "About Acme"))
        work.poll()
        assert not facts(work.database, work.cast)
    assert evidence.UNRECORDED in " ".join(CommandLine(database.url)("why", "Acme").out.split())
