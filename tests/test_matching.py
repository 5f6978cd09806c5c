"""Every row of the table "what counts as a touch", and what must be true of any mail whatever."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.matching import Decision, Roster, decide, dedupe_key_of, references_of
from models.message import WANTED_HEADERS, Folder, Message
from models.verdict import Verdict

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MAILBOX = "dana@lantern.example"
ACME, GLOBEX, GLOBEX_LABS, LUMBERGH = 1, 2, 3, 4
ROSTER = Roster(
    people={
        "dana@lantern.example": 1,
        "dana.kim@lantern.example": 1,
        "priya@lantern.example": 2,
        "tom@acme.example": 3,
    },
    contacts={"wendy@mail.example": ACME, "bill.lumbergh@gmail.com": LUMBERGH, "eve@labs.globex.example": ACME},
    domains={"acme.example": ACME, "globex.example": GLOBEX, "labs.globex.example": GLOBEX_LABS},
)


def mail(folder: Folder = Folder.UNKNOWN, at: datetime | None = NOW, /, **headers: str | list[str]) -> Message:
    named = {"Message_ID": "<m1@lantern.example>", "Subject": "Plan", **headers}
    pairs = [
        (name.replace("_", "-"), value)
        for name, values in named.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    return Message("p1", tuple(pairs), at, folder)


def decided(message: Message, *, mailbox: str = MAILBOX, known: frozenset[str] = frozenset()) -> Decision:
    return decide(message, ROSTER, mailbox=mailbox, captured_at=NOW, known_ids=known)


def partners(message: Message) -> list[int]:
    return [touch.partner_id for touch in decided(message).touches]


def test_mail_from_our_people_to_a_partner_is_an_outbound_touch() -> None:
    decision = decided(mail(From="Dana <Dana.Kim@lantern.example>", To="Al <al@acme.example>"))
    (touch,) = decision.touches
    assert (touch.partner_id, touch.direction, touch.field) == (ACME, "outbound", "to")
    assert (touch.by, touch.person_id) == ("dana.kim@lantern.example", 1)
    assert (touch.matched, touch.matched_by) == ("al@acme.example", "domain")
    assert (decision.verdict, decision.reason) == (Verdict.HUMAN, None)


def test_mail_from_a_partner_is_an_inbound_touch_of_its_author() -> None:
    (touch,) = decided(mail(From="al@acme.example", To="dana@lantern.example")).touches
    assert (touch.partner_id, touch.direction, touch.field) == (ACME, "inbound", "from")
    assert (touch.by, touch.person_id) == ("al@acme.example", 1)


def test_mail_in_the_sent_folder_is_ours_whatever_alias_wrote_it() -> None:
    (touch,) = decided(mail(Folder.SENT, From="team-alias@elsewhere.example", To="al@acme.example")).touches
    assert (touch.direction, touch.by) == ("outbound", MAILBOX)


def test_the_mailbox_itself_is_ours_even_when_the_roster_lacks_it() -> None:
    message = mail(From="new+tag@lantern.example", To="al@acme.example")
    assert decided(message, mailbox="new@lantern.example").touches[0].direction == "outbound"


def test_our_addresses_are_compared_whole_and_never_as_parts_of_each_other() -> None:
    assert decided(mail(From="na@lantern.example", To="al@acme.example")).touches == ()


def test_a_partner_in_cc_of_our_mail_is_touched_and_marked_so() -> None:
    (touch,) = decided(mail(From=MAILBOX, To="priya@lantern.example", Cc="al@acme.example")).touches
    assert touch.field == "cc"


def test_a_partner_in_cc_of_somebody_elses_mail_has_not_written_to_us() -> None:
    decision = decided(mail(From="x@elsewhere.example", To=MAILBOX, Cc="al@acme.example"))
    assert (decision.touches, decision.reason) == ((), "no partner")


def test_of_two_partners_talking_only_the_author_makes_a_touch() -> None:
    assert partners(mail(From="al@acme.example", To="gil@globex.example", Cc=MAILBOX)) == [ACME]


@pytest.mark.parametrize("address", ["wendy@mail.example", "wendy+deals@mail.example", "WENDY@Mail.Example"])
def test_a_contact_matches_exactly_and_without_its_tag(address: str) -> None:
    assert partners(mail(From=address, To=MAILBOX)) == [ACME]


@pytest.mark.parametrize(
    "address", ["bill.lumbergh@gmail.com", "billlumbergh@gmail.com", "b.i.l.l.lumbergh+x@googlemail.com"]
)
def test_38_a_freemail_contact_matches_by_exact_address_with_googles_dots_ignored(address: str) -> None:
    assert partners(mail(From=address, To=MAILBOX)) == [LUMBERGH]


def test_38_nobody_else_at_a_freemail_host_matches() -> None:
    assert partners(mail(From="peter@gmail.com", To=MAILBOX)) == []


def test_dots_are_ignored_at_google_only() -> None:
    assert partners(mail(From="wen.dy@mail.example", To=MAILBOX)) == []


@pytest.mark.parametrize(
    ("address", "partner"),
    [
        ("x@acme.example", [ACME]),
        ("x@eu.acme.example", [ACME]),
        ("x@notacme.example", []),
        ("x@acme.example.evil.example", []),
        ("x@example", []),
        ("x@globex.example", [GLOBEX]),
        ("x@labs.globex.example", [GLOBEX_LABS]),
        ("x@deep.labs.globex.example", [GLOBEX_LABS]),
        ("eve@labs.globex.example", [ACME]),
    ],
)
def test_a_domain_matches_itself_and_its_subdomains_the_longest_wins_and_a_contact_beats_it(
    address: str, partner: list[int]
) -> None:
    assert partners(mail(From=address, To=MAILBOX)) == partner


def test_one_of_our_people_at_a_partners_domain_is_never_the_partner() -> None:
    assert decided(mail(From=MAILBOX, To="tom@acme.example")).reason == "internal"


def test_a_delegate_is_the_writer_and_from_decides_the_side() -> None:
    (touch,) = decided(mail(From=MAILBOX, Sender="priya@lantern.example", To="al@acme.example")).touches
    assert (touch.by, touch.person_id) == ("priya@lantern.example", 2)
    (touch,) = decided(mail(From="al@acme.example", Sender="priya@lantern.example", To=MAILBOX)).touches
    assert (touch.direction, touch.by) == ("inbound", "al@acme.example")


def test_a_sender_that_is_a_mailing_service_does_not_become_the_writer() -> None:
    (touch,) = decided(mail(From=MAILBOX, Sender="bounce@esp.example", To="al@acme.example")).touches
    assert touch.by == MAILBOX


def test_reply_to_never_replaces_from() -> None:
    assert partners(mail(From="x@elsewhere.example", Reply_To="al@acme.example", To=MAILBOX)) == []
    assert partners(mail(From="al@acme.example", Reply_To="x@elsewhere.example", To=MAILBOX)) == [ACME]


@pytest.mark.parametrize(
    "original",
    [
        {"X_Original_From": "Wendy <wendy@mail.example>"},
        {"X_Original_Sender": "wendy@mail.example"},
        {"Reply_To": "wendy@mail.example"},
    ],
)
def test_a_group_that_rewrote_from_is_looked_through(original: dict[str, str]) -> None:
    group = "'Wendy' via Partners <partners@lantern.example>"
    decision = decided(
        mail(From=group, List_Id="<partners.lantern.example>", To="partners@lantern.example", **original)
    )
    assert [(touch.partner_id, touch.direction, touch.by) for touch in decision.touches] == [
        (ACME, "inbound", "wendy@mail.example")
    ]
    assert decision.verdict is Verdict.HUMAN


def test_a_rewritten_group_mail_without_a_trace_of_its_author_is_nobodys() -> None:
    message = mail(From="X via G <dana@lantern.example>", List_Id="<g.lantern.example>", To="al@acme.example")
    assert decided(message).touches == ()


def test_original_headers_of_strangers_are_not_believed() -> None:
    forged = {"X_Original_From": "al@acme.example", "List_Id": "<l.elsewhere.example>"}
    assert partners(mail(From="'Al' via L <l@elsewhere.example>", To=MAILBOX, **forged)) == []
    assert partners(mail(From=MAILBOX, To="priya@lantern.example", X_Original_From="al@acme.example")) == []


def test_nobody_has_a_house_at_a_public_provider() -> None:
    """A stranger's group there shares the host of a mailbox there, and nothing else."""
    forged = {"X_Original_From": "al@acme.example", "List_Id": "<g.googlegroups.com>"}
    message = mail(From="'Al' via G <g@gmail.com>", To="someone@gmail.com", **forged)
    assert decided(message, mailbox="someone@gmail.com").touches == ()


def test_a_colleagues_post_to_a_group_stays_the_colleagues() -> None:
    message = mail(
        From="priya@lantern.example",
        X_Original_Sender="priya@lantern.example",
        List_Id="<partners.lantern.example>",
        To="partners@lantern.example, al@acme.example",
    )
    assert decided(message).touches[0].by == "priya@lantern.example"


def test_several_partners_get_one_touch_each_and_one_partner_gets_one() -> None:
    to = "al@acme.example, bo@acme.example, gil@globex.example"
    assert partners(mail(From=MAILBOX, To=to, Cc="wendy@mail.example")) == [ACME, GLOBEX]


def test_to_tells_more_than_cc_and_a_contact_more_than_a_domain() -> None:
    (touch,) = decided(mail(From=MAILBOX, To="al@acme.example, wendy@mail.example", Cc="bo@acme.example")).touches
    assert (touch.matched, touch.matched_by, touch.field) == ("wendy@mail.example", "contact", "to")
    (touch,) = decided(mail(From=MAILBOX, Cc="wendy@mail.example", To="al@acme.example")).touches
    assert (touch.matched, touch.field) == ("al@acme.example", "to")


def test_mail_among_us_is_internal_and_mail_to_strangers_concerns_no_partner() -> None:
    assert decided(mail(From=MAILBOX, To="priya@lantern.example")).reason == "internal"
    assert decided(mail(From=MAILBOX, To=MAILBOX)).reason == "internal"
    assert decided(mail(From=MAILBOX, To="x@elsewhere.example")).reason == "no partner"


def test_group_addresses_of_partners_are_partners() -> None:
    assert partners(mail(From="info@acme.example", To=MAILBOX)) == [ACME]


def test_a_forward_by_us_is_a_touch_and_an_automatic_one_keeps_its_author_and_key() -> None:
    assert partners(mail(From=MAILBOX, To="al@acme.example", Subject="Fwd: Plan")) == [ACME]
    plain = mail(From="al@acme.example", To="priya@lantern.example")
    forwarded = mail(From="al@acme.example", To="priya@lantern.example", X_Forwarded_For="priya@lantern.example")
    assert decided(plain).touches == decided(forwarded).touches
    assert decided(plain).dedupe_key == decided(forwarded).dedupe_key


@pytest.mark.parametrize("folder", [Folder.DRAFT, Folder.SPAM, Folder.TRASH, Folder.CHAT])
def test_drafts_spam_trash_and_chats_are_set_aside(folder: Folder) -> None:
    decision = decided(mail(folder, From="al@acme.example", To=MAILBOX))
    assert (decision.touches, decision.reason, decision.verdict) == ((), folder.value, folder.value)


@pytest.mark.parametrize(
    "to", ["unsubscribe+abc@acme.example", "news-unsubscribe@acme.example", "leave-12@acme.example"]
)
def test_unsubscribing_is_no_touch(to: str) -> None:
    assert decided(mail(From=MAILBOX, To=to)).reason == "unsubscribe"


def test_a_mail_that_only_says_unsubscribe_is_no_touch() -> None:
    assert decided(mail(From=MAILBOX, To="al@acme.example", Subject="Unsubscribe")).reason == "unsubscribe"
    assert partners(mail(From=MAILBOX, To="al@acme.example", Subject="How customers unsubscribe")) == [ACME]


def many(count: int) -> Roster:
    return Roster({MAILBOX: 1}, {}, {f"p{number}.example": number for number in range(count)})


@pytest.mark.parametrize(("count", "verdict"), [(9, Verdict.HUMAN), (10, Verdict.BROADCAST)])
def test_one_mail_to_ten_partners_is_a_broadcast(count: int, verdict: Verdict) -> None:
    message = mail(From=MAILBOX, To=", ".join(f"a@p{number}.example" for number in range(count)))
    decision = decide(message, many(count), mailbox=MAILBOX, captured_at=NOW, known_ids=())
    assert (decision.verdict, len(decision.touches)) == (verdict, count)


def test_undisclosed_recipients_and_our_own_unsubscribe_header_are_a_broadcast() -> None:
    hidden = mail(From=MAILBOX, To="undisclosed-recipients:;", Bcc="al@acme.example")
    assert decided(hidden).verdict is Verdict.BROADCAST
    ours = mail(From=MAILBOX, To="al@acme.example", List_Unsubscribe="<mailto:u@lantern.example>")
    assert decided(ours).verdict is Verdict.BROADCAST


def test_a_partner_in_bcc_is_recorded_as_bcc() -> None:
    (touch,) = decided(mail(Folder.SENT, From=MAILBOX, To=MAILBOX, Bcc="al@acme.example")).touches
    assert touch.field == "bcc"


def test_a_sender_that_the_receiving_server_disowns_is_suspect() -> None:
    failed = "mx.lantern.example; spf=fail; dmarc=fail (p=reject) header.from=acme.example"
    passed = "mx.lantern.example; dmarc=pass header.from=acme.example"
    from_partner = {"From": "al@acme.example", "To": MAILBOX}
    decision = decided(mail(**from_partner, Authentication_Results=[failed, passed]))
    assert (decision.verdict, len(decision.touches)) == (Verdict.SUSPECT, 1)
    assert decided(mail(**from_partner, Authentication_Results=[passed, failed])).verdict is Verdict.HUMAN
    ours = mail(From=MAILBOX, To="al@acme.example", Authentication_Results=failed)
    assert decided(ours).verdict is Verdict.SUSPECT
    sent = mail(Folder.SENT, From=MAILBOX, To="al@acme.example", Authentication_Results=failed)
    assert decided(sent).verdict is Verdict.HUMAN


@pytest.mark.parametrize(
    ("ahead", "clamped"), [(timedelta(minutes=-1), False), (timedelta(minutes=5), False), (timedelta(minutes=6), True)]
)
def test_a_time_more_than_five_minutes_ahead_is_clamped_to_capture_time(ahead: timedelta, clamped: bool) -> None:
    decision = decided(mail(Folder.INBOX, NOW + ahead, From="al@acme.example", To=MAILBOX))
    assert (decision.clamped, decision.at) == (clamped, NOW if clamped else NOW + ahead)


def test_mail_without_a_time_or_a_sender_is_unparsed_and_never_guessed() -> None:
    assert decided(mail(Folder.INBOX, None, From="al@acme.example", To=MAILBOX)).reason == "unparsed: no date"
    assert decided(mail(From="nobody", To="al@acme.example")).reason == "unparsed: no sender"
    assert decided(mail(To="al@acme.example")).reason == "unparsed: no sender"


def test_of_several_authors_the_sender_is_one_and_otherwise_nobody_is() -> None:
    two = "al@acme.example, x@elsewhere.example"
    assert partners(mail(From=two, Sender="al@acme.example", To=MAILBOX)) == [ACME]
    assert partners(mail(From=two, To=MAILBOX)) == []
    assert partners(mail(From="al@acme.example, bo@acme.example", To=MAILBOX)) == [ACME]


def test_an_auto_reply_from_a_partner_is_kept_as_evidence_with_its_verdict() -> None:
    decision = decided(mail(From="al@acme.example", To=MAILBOX, Auto_Submitted="auto-replied"))
    assert (decision.verdict, decision.rule, len(decision.touches)) == (Verdict.AUTO, "auto-submitted", 1)


def test_a_bounce_names_the_recipients_that_failed() -> None:
    decision = decided(
        mail(
            From="Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
            To=MAILBOX,
            X_Failed_Recipients="Al@acme.example, bo@acme.example",
        )
    )
    assert (decision.verdict, decision.reason) == (Verdict.BOUNCE, "no partner")
    assert decision.failed_recipients == ("al@acme.example", "bo@acme.example")
    bare = decided(mail(From="MAILER-DAEMON", X_Failed_Recipients="al@acme.example"))
    assert (bare.verdict, bare.failed_recipients) == (Verdict.BOUNCE, ("al@acme.example",))


def test_37_list_mail_is_human_from_a_contact_or_in_answer_to_us_and_bulk_otherwise() -> None:
    listed = {"List_Id": "<l.example>", "List_Unsubscribe": "<mailto:u@l.example>", "To": "l@l.example"}
    assert decided(mail(From="wendy@mail.example", **listed)).verdict is Verdict.HUMAN
    assert decided(mail(From="al@acme.example", **listed)).verdict is Verdict.BULK
    answer = mail(From="al@acme.example", In_Reply_To="<m0@lantern.example>", **listed)
    assert decided(answer, known=frozenset({"m0@lantern.example"})).verdict is Verdict.HUMAN
    assert decided(answer).verdict is Verdict.BULK


def test_31_mail_without_an_id_gets_a_key_from_its_content() -> None:
    def key(**changed: str) -> str:
        headers = {
            "From": "al@acme.example",
            "To": "a@x.example, b@y.example",
            "Date": "Mon, 02 Nov 2026 10:00:00 +0100",
        }
        return dedupe_key_of(mail(**(headers | {"Message_ID": ""} | changed)))

    assert key() == key(To="B <b@y.example>, a@X.example", Date="Mon, 2 Nov 2026 09:00:00 GMT", Bcc="c@z.example")
    assert (
        len({key(), key(Subject="Other"), key(From="bo@acme.example"), key(Date="Tue, 03 Nov 2026 10:00:00 +0100")})
        == 4
    )


def test_32_the_copies_of_one_mail_under_two_ids_agree_in_what_is_compared() -> None:
    sent = decided(mail(Folder.SENT, From=MAILBOX, To="al@acme.example", Bcc="x@y.example", Message_ID="<other@x>"))
    received = decided(mail(Folder.INBOX, From="Dana <dana@lantern.example>", To="Al <al@acme.example>"))
    assert sent.dedupe_key != received.dedupe_key
    assert (sent.sender, sent.recipients, sent.subject_key) == (
        received.sender,
        received.recipients,
        received.subject_key,
    )


def test_replies_are_known_by_in_reply_to_and_references() -> None:
    message = mail(From="al@acme.example", In_Reply_To="<b@x>", References="<a@x> <b@x>")
    assert references_of(message) == decided(message).replies_to == ("b@x", "a@x")


ADDRESS = st.sampled_from(
    [
        "al@acme.example",
        "x@elsewhere.example",
        MAILBOX,
        "priya@lantern.example",
        "gil@globex.example",
        "wendy@mail.example",
    ]
)
STRANGER = st.integers(0, 99).map(lambda number: f"s{number}@stranger.example")
LISTS = st.lists(ADDRESS, max_size=4).map(", ".join)
FOLDERS = st.sampled_from(list(Folder))


@given(FOLDERS, ADDRESS, LISTS, LISTS, st.lists(STRANGER, min_size=1, max_size=20))
def test_third_parties_in_cc_never_change_the_touches(
    folder: Folder, author: str, to: str, cc: str, strangers: list[str]
) -> None:
    before = decided(mail(folder, From=author, To=to, Cc=cc))
    after = decided(mail(folder, From=author, To=to, Cc=", ".join(filter(None, [cc, *strangers]))))
    assert (before.touches, before.verdict) == (after.touches, after.verdict)


@given(FOLDERS, ADDRESS, LISTS, LISTS)
def test_a_touch_is_never_of_our_own_people_and_each_partner_has_at_most_one(
    folder: Folder, author: str, to: str, cc: str
) -> None:
    decision = decided(mail(folder, From=author, To=to, Cc=cc))
    assert len({touch.partner_id for touch in decision.touches}) == len(decision.touches)
    assert not {touch.matched for touch in decision.touches} & set(ROSTER.people)
    assert bool(decision.touches) == (decision.reason is None)


@given(ADDRESS.filter(lambda address: "stranger" not in address), st.sampled_from(["", '"', "<", "(", "=?utf-8?q?"]))
def test_39_display_names_never_match(name: str, mark: str) -> None:
    quoted = (mark + name).replace('"', '\\"')
    message = mail(From=f'"{quoted}" <x@evil.example>', To=f'"{quoted}" <y@evil.example>')
    assert decided(message).touches == ()


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_39_no_unquoted_name_of_an_evil_sender_reaches_a_partner(before: str, address: str, after: str) -> None:
    """Whatever stands in one entry besides the bracket is a name, also where it looks like an address."""
    name = "".join(char for char in before + "al@acme.example" + after if char not in ',;:<>()"\\\r\n')
    assert decided(mail(From=f"{name} <x@evil.example>", To=MAILBOX)).touches == ()


@given(st.lists(st.tuples(st.sampled_from(WANTED_HEADERS), st.text(max_size=80)), max_size=12), FOLDERS)
def test_no_message_makes_the_decision_raise(headers: list[tuple[str, str]], folder: Folder) -> None:
    message = Message("p", tuple(headers), NOW, folder)
    decision = decided(message)
    assert decision == decided(message)
    assert decision.dedupe_key
    "".join([decision.dedupe_key, decision.message_id, decision.sender, decision.rule, decision.detail]).encode("utf-8")


@given(st.permutations(["al@acme.example", "x@elsewhere.example", "gil@globex.example"]), st.sampled_from(["A", "B"]))
def test_the_key_does_not_depend_on_order_names_or_provider(to: list[str], name: str) -> None:
    keyless = {"From": "al@acme.example", "Message_ID": "", "Date": "Mon, 02 Nov 2026 10:00:00 +0100"}
    one = mail(To=", ".join(sorted(to)), **keyless)
    other = mail(Folder.INBOX, NOW - timedelta(hours=1), To=", ".join(f"{name} <{one}>" for one in to), **keyless)
    assert dedupe_key_of(one) == dedupe_key_of(other)
