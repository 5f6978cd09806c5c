"""Who wrote a mail: each rule with a mail that it is for and one that it must leave to a person."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.message import WANTED_HEADERS, Message
from models.verdict import Judgement, Verdict, judge
from tests.benchmarks.verdict import caught, confusion, corpus_messages

CORPUS = Path(__file__).parents[2] / "shared" / "corpora" / "mail"
HUMAN, AUTO, BOUNCE, CALENDAR, BULK = Verdict.HUMAN, Verdict.AUTO, Verdict.BOUNCE, Verdict.CALENDAR, Verdict.BULK


def judged(
    headers: Mapping[str, str], *, outbound: bool = False, contact: bool = False, known: bool = False
) -> Judgement:
    named = {"From": "Al <al@acme.example>", "To": "dana@lantern.example", "Subject": "Plan", **headers}
    message = Message("p", tuple((name.replace("_", "-"), value) for name, value in named.items()), None)
    return judge(message, outbound=outbound, from_is_contact=contact, replies_to_known=known)


@pytest.mark.parametrize(
    ("headers", "verdict", "rule"),
    [
        ({}, HUMAN, "no automatic sign"),
        # 1
        ({"Auto_Submitted": "auto-replied"}, AUTO, "auto-submitted"),
        ({"Auto_Submitted": "auto-generated (rejected)"}, AUTO, "auto-submitted"),
        ({"Auto_Submitted": "(comment) auto-notified; owner-email=x"}, AUTO, "auto-submitted"),
        ({"Auto_Submitted": "no"}, HUMAN, "no automatic sign"),
        ({"Auto_Submitted": " NO ; x=y"}, HUMAN, "no automatic sign"),
        # 2
        ({"X_Autoreply": "yes"}, AUTO, "x-autoreply"),
        ({"X_Autorespond": ""}, AUTO, "x-autorespond"),
        ({"X_Autoresponder": "vacation"}, AUTO, "x-autoresponder"),
        ({"X_Autoreply": "no"}, HUMAN, "no automatic sign"),
        ({"Precedence": "auto_reply"}, AUTO, "precedence: auto_reply"),
        # 3
        ({"Return_Path": "<>"}, BOUNCE, "bounce: null return path"),
        ({"Return_Path": "<al@acme.example>"}, HUMAN, "no automatic sign"),
        ({"From": "MAILER-DAEMON (Mail System)"}, BOUNCE, "bounce: sent by a mail system"),
        ({"From": "Mail Delivery <postmaster@acme.example>"}, BOUNCE, "bounce: sent by a mail system"),
        ({"Return_Path": "<MAILER-DAEMON@acme.example>"}, BOUNCE, "bounce: sent by a mail system"),
        ({"From": "The Postmaster <al@acme.example>"}, HUMAN, "no automatic sign"),
        ({"Content_Type": "multipart/report; report-type=delivery-status"}, BOUNCE, "bounce: delivery report"),
        (
            {"Content_Type": "multipart/report; report-type=delivery-status", "Auto_Submitted": "auto-replied"},
            BOUNCE,
            "bounce: delivery report",
        ),
        ({"Content_Type": "multipart/report;\r\n\treport-type=feedback-report"}, BOUNCE, "feedback report"),
        ({"Content_Type": "multipart/report; report-type=disposition-notification"}, AUTO, "read receipt"),
        ({"X_Failed_Recipients": "x@y.example"}, BOUNCE, "bounce: failed recipients"),
        ({"Subject": "complaint about message from 192.0.2.1"}, BOUNCE, "feedback report"),
        ({"Subject": "complaint about message from our customer"}, HUMAN, "no automatic sign"),
        ({"Subject": "Undeliverable: Plan"}, BOUNCE, "bounce: failure subject"),
        ({"From": '"Mail Delivery Subsystem" <x@acme.example>'}, BOUNCE, "bounce: sent by a mail system"),
        ({"From": "Mail Delivery Systems Ltd <x@acme.example>"}, HUMAN, "no automatic sign"),
        ({"Subject": "failure notice"}, BOUNCE, "bounce: failure subject"),
        ({"Subject": "Re: failure notice"}, HUMAN, "no automatic sign"),
        ({"Subject": "Failure notices we should send"}, HUMAN, "no automatic sign"),
        # 4
        ({"Content_Type": 'text/calendar; method="REQUEST"'}, CALENDAR, "calendar: content type"),
        ({"Content_Class": "urn:content-classes:calendarmessage"}, CALENDAR, "calendar: content class"),
        ({"Sender": "Google Calendar <calendar-notification@google.com>"}, CALENDAR, "calendar: notification"),
        (
            {"Subject": "Invitation: Plan @ Thu Nov 5, 2026 7pm - 8pm (CET) (dana@lantern.example)"},
            CALENDAR,
            "calendar: invitation subject",
        ),
        (
            {"Subject": "Accepted: Plan @ Thu 5 Nov 2026 19:00 (CET) (dana@lantern.example)"},
            CALENDAR,
            "calendar: invitation subject",
        ),
        ({"Subject": "Invitation: our summer party @ the lake"}, HUMAN, "no automatic sign"),
        ({"Subject": "Accepted: your offer"}, HUMAN, "no automatic sign"),
        ({"Subject": "Declined: Meeting with Vince"}, HUMAN, "no automatic sign"),
        # 5
        ({"From": "no-reply@acme.example"}, AUTO, "no-reply address"),
        ({"From": "DoNotReply+x@acme.example"}, AUTO, "no-reply address"),
        ({"From": "orders.noreply@acme.example"}, AUTO, "no-reply address"),
        ({"From": "notifications@acme.example"}, AUTO, "notification address"),
        ({"From": "noreplyson@acme.example"}, HUMAN, "no automatic sign"),
        ({"From": '"no-reply@acme.example" <al@acme.example>'}, HUMAN, "no automatic sign"),
        # 7
        ({"List_Id": "<l.example>"}, BULK, "list-id"),
        ({"List_Unsubscribe": "<mailto:u@l.example>"}, BULK, "list-unsubscribe"),
        ({"Precedence": "bulk"}, BULK, "precedence"),
        ({"Precedence": "Junk"}, BULK, "precedence"),
        ({"Precedence": "first-class"}, HUMAN, "no automatic sign"),
        ({"From": "newsletter@acme.example"}, BULK, "newsletter address"),
        ({"Subject": "[Team] Re: Plan"}, HUMAN, "no automatic sign"),
        # 8
        ({"X_Auto_Response_Suppress": "All"}, HUMAN, "no automatic sign"),
        ({"X_MS_Exchange_Inbox_Rules_Loop": "al@acme.example"}, HUMAN, "no automatic sign"),
    ],
)
def test_each_rule_catches_its_mail_and_leaves_the_others_to_people(
    headers: dict[str, str], verdict: Verdict, rule: str
) -> None:
    judgement = judged(headers)
    assert (judgement.verdict, judgement.rule) == (verdict, rule)


ABSENCES = [
    "Automatic reply: Plan",
    "Automatische Antwort: Plan",
    "Abwesenheitsnotiz: Plan",
    "Abwesend: Plan",
    "Réponse automatique : Plan",
    "Respuesta automática: Plan",
    "Resposta automática: Plan",
    "Risposta automatica: Plan",
    "Fuori sede",
    "Automatisch antwoord: Plan",
    "Autosvar: Plan",
    "Automatiskt svar: Plan",
    "Frånvarande: Plan",
    "自動応答: Plan",
    "Out of Office: Plan",
    "Out of office",
    "Out of Office AutoReply: Plan",
    "Auto reply: Plan",
    "=?utf-8?Q?R=C3=A9ponse_automatique?= : Plan",
]


@pytest.mark.parametrize("subject", ABSENCES)
@pytest.mark.parametrize("sign", [{"In_Reply_To": "<m@x>"}, {"X_Auto_Response_Suppress": "All"}, {"Return_Path": "<>"}])
def test_an_absence_notice_is_known_in_many_languages_by_its_subject_and_a_second_sign(
    subject: str, sign: dict[str, str]
) -> None:
    assert judged({"Subject": subject, **sign}).rule == "out of office"
    assert judged({"Subject": subject}).verdict is HUMAN


@pytest.mark.parametrize(
    "subject",
    [
        "RE: Vacation Time",
        "Vacation Time",
        "Out of office coverage plan",
        "Re: Automatic reply: Plan",
        "Fwd: Out of Office: Plan",
        "Dermot is out of the office",
        "Re: [Team] Dermot/Dublin/Acme is out of the office.",
        "Autosvarning i bilen",
        "Away game tickets",
        "Abwesenheiten im Team planen",
    ],
)
def test_people_write_about_absences_too(subject: str) -> None:
    signs = {"In_Reply_To": "<m@x>", "X_Auto_Response_Suppress": "All", "References": "<m@x>"}
    assert judged({"Subject": subject, **signs}).verdict is HUMAN


@pytest.mark.parametrize(
    "subject",
    ["AUTO: Al Lee is out of the office (returning 05/01/2027)", "Al Lee/Sales/ACME is out of the office."],
)
def test_forms_that_only_programs_write_need_no_second_sign(subject: str) -> None:
    assert judged({"Subject": subject}).rule == "out of office"


@pytest.mark.parametrize("headers", [{"List_Id": "<l.example>"}, {"List_Unsubscribe": "<x>"}, {"Precedence": "list"}])
@pytest.mark.parametrize(("contact", "known"), [(True, False), (False, True)])
def test_37_list_headers_alone_never_take_a_contact_or_an_answer_from_us(
    headers: dict[str, str], contact: bool, known: bool
) -> None:
    assert judged(headers, contact=contact, known=known).verdict is HUMAN


def test_37_a_contacts_auto_reply_is_still_an_auto_reply() -> None:
    assert judged({"Auto_Submitted": "auto-replied"}, contact=True, known=True).verdict is AUTO


def test_a_mail_without_any_recipient_and_with_a_lists_tag_came_through_the_list() -> None:
    headers = (("From", "al@acme.example"), ("Subject", "[Team] Plan"))
    judgement = judge(Message("p", headers, None), outbound=False, from_is_contact=False, replies_to_known=False)
    assert judgement.rule == "list tag without recipient"


@pytest.mark.parametrize(
    ("headers", "verdict"),
    [
        ({"Auto_Submitted": "auto-replied"}, AUTO),
        ({"Content_Type": "text/calendar"}, CALENDAR),
        ({"Subject": "Automatic reply: Plan", "In_Reply_To": "<m@x>"}, AUTO),
        ({"List_Unsubscribe": "<mailto:u@lantern.example>"}, Verdict.BROADCAST),
        ({"Return_Path": "<>"}, HUMAN),
        ({"From": "no-reply@lantern.example"}, HUMAN),
        ({"List_Id": "<g.lantern.example>"}, HUMAN),
        ({"Subject": "Undeliverable: Plan"}, HUMAN),
    ],
)
def test_of_our_own_mail_only_what_says_so_itself_is_automatic(headers: dict[str, str], verdict: Verdict) -> None:
    assert judged(headers, outbound=True).verdict is verdict


def test_a_provider_that_knows_a_calendar_item_is_believed() -> None:
    message = Message("p", (("From", "al@acme.example"),), None, is_calendar=True)
    judgement = judge(message, outbound=False, from_is_contact=True, replies_to_known=True)
    assert judgement.verdict is CALENDAR


@given(st.lists(st.tuples(st.sampled_from(WANTED_HEADERS), st.text(max_size=80))), st.booleans(), st.booleans())
def test_no_headers_make_the_judge_raise(headers: list[tuple[str, str]], outbound: bool, known: bool) -> None:
    message = Message("p", tuple(headers), None)
    judgement = judge(message, outbound=outbound, from_is_contact=known, replies_to_known=known)
    assert judgement.rule
    assert judgement.detail.isascii()


@pytest.mark.parametrize("filling", ["re: ", "/", " @ 2020 (", "a/", "[x] ", "auto: "])
def test_a_hostile_subject_is_judged_at_once(filling: str) -> None:
    assert judged({"Subject": f"Invitation: {filling * 50_000}", "In_Reply_To": "<m@x>"}).verdict is HUMAN


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus of real mail beside the repository (../shared/corpora/mail)")
@pytest.mark.parametrize(
    ("label", "at_least"),
    [("list", 0.97), ("bounce", 0.98), ("autoreply", 0.90), ("feedback", 0.85), ("calendar", 0.60)],
)
def test_real_automated_mail_is_caught(label: str, at_least: float) -> None:
    assert caught(confusion(corpus_messages(CORPUS)), label) >= at_least


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus of real mail beside the repository (../shared/corpora/mail)")
def test_no_real_mail_between_people_is_lost() -> None:
    assert caught(confusion(corpus_messages(CORPUS)), "human") <= 0.002
