"""Header values: addresses are taken from where mail programs act on them, names are never trusted, nothing raises."""

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.addresses import (
    Address,
    addresses_in,
    careful_addresses,
    gmail_form,
    normal_address,
    normal_domain,
    plain_addresses,
    without_tag,
)
from models.headers import date_of, decode_words, message_id, message_ids, subject_key
from tests.benchmarks.verdict import corpus_messages
from tests.databases import ROOT

HEADERISH = st.text(
    st.one_of(st.sampled_from(list("<>\"(),;:@\\[]=?. \t\r\nab_-'")), st.characters(exclude_categories=())), max_size=80
)


def shown(addresses: Iterable[Address]) -> list[tuple[str, str]]:
    """Address and name; of two entries with one address the first stands."""
    first: dict[str, str] = {}
    for address in addresses:
        first.setdefault(address.email, address.name)
    return list(first.items())


def agree(value: str) -> bool:
    """Whether the fast path answers; if so it says what the careful reader says, and that found nothing wrong."""
    plain, careful = plain_addresses(value), careful_addresses(value)
    if plain is None:
        return False
    assert shown(plain) == shown(careful.found)
    assert careful.defects == ()
    return True


@pytest.mark.parametrize(
    ("value", "emails"),
    [
        ("bob@good.example", ["bob@good.example"]),
        ("Bob@Good.EXAMPLE", ["bob@good.example"]),
        ("Bob <bob@good.example>", ["bob@good.example"]),
        ('"Doe, Bob" <bob@good.example>, al@b.example', ["bob@good.example", "al@b.example"]),
        ("Doe, Bob <bob@good.example>", ["bob@good.example"]),
        ("a@b.example; c@d.example", ["a@b.example", "c@d.example"]),
        ('Team: a@x.example, "Doe, J" <b@y.example>;, c@z.example', ["a@x.example", "b@y.example", "c@z.example"]),
        ("undisclosed-recipients:;", []),
        ("bob@good.example (Bob (the tall) Doe)", ["bob@good.example"]),
        ("bob@good.example (a, b; c <x@evil.example>)", ["bob@good.example"]),
        ("Bob <bob@good.example>,\r\n\tAl <al@b.example>", ["bob@good.example", "al@b.example"]),
        ("=?utf-8?Q?Doe,_J=C3=B6rg?= <j@good.example>", ["j@good.example"]),
        ("=?utf-8?B?Y2VvQHBhcnRuZXIuZXhhbXBsZQ==?= <x@evil.example>", ["x@evil.example"]),
        ("<@relay.example,@other.example:bob@good.example>", ["bob@good.example"]),
        ("<mailto:bob@good.example>", ["bob@good.example"]),
        ("Bob bob@good.example", ["bob@good.example"]),
        ('"Bob <bob@good.example>', ["bob@good.example"]),
        ("Bob (unfinished <bob@good.example>", ["bob@good.example"]),
        ("<bob@good.example", ["bob@good.example"]),
        ("<<bob@good.example>>", ["bob@good.example"]),
        ("O'Hara.&.Sons@good.example", ["o'hara.&.sons@good.example"]),
        ('"john doe"@good.example', ['"john doe"@good.example']),
        ('"john"@good.example', ["john@good.example"]),
        ("root@[127.0.0.1]", ["root@[127.0.0.1]"]),
        ("jo@bücher.example", ["jo@xn--bcher-kva.example"]),
        ("bob @ good.example", ["bob@good.example"]),
        ("bob@good.example.", ["bob@good.example"]),
        ("Bob <bob@good.example>, BOB <BOB@good.example>", ["bob@good.example"]),
        ("MAILER-DAEMON", []),
        ("<>", []),
        ("", []),
        (",,;,", []),
        ("a b c d", []),
        ("bob@", []),
        ("@good.example", []),
        ("bob@good..example", []),
        ("a@b.example <c@d.example> <e@f.example>", ["c@d.example", "e@f.example"]),
    ],
)
def test_addresses_are_taken_from_where_mail_programs_deliver_to(value: str, emails: list[str]) -> None:
    assert list(addresses_in([value]).emails) == emails


@pytest.mark.parametrize(
    "value",
    [
        "ceo@partner.example <x@evil.example>",
        '"ceo@partner.example" <x@evil.example>',
        "ceo@partner.example: <x@evil.example>",
        '"<ceo@partner.example>" <x@evil.example>',
        "(<ceo@partner.example>) x@evil.example",
        "=?utf-8?q?ceo=40partner.example?= <x@evil.example>",
        "=?utf-8?q?=3Cceo=40partner.example=3E?= <x@evil.example>",
        '"a \\" <ceo@partner.example>" <x@evil.example>',
        '"ceo@partner.example" x@evil.example',
    ],
)
def test_39_an_address_in_a_display_name_is_only_a_name(value: str) -> None:
    assert addresses_in([value]).emails == ("x@evil.example",)


def test_names_are_kept_for_people_and_do_not_make_two_addresses_differ() -> None:
    (address,) = addresses_in(["=?utf-8?Q?J=C3=B6rg?= =?utf-8?Q?_Doe?= <j@x.example>"]).found
    assert address.name == "Jörg Doe"
    assert addresses_in(["A <j@x.example>"]).found == addresses_in(["B <j@x.example>"]).found


@pytest.mark.parametrize(
    ("value", "defect"),
    [
        ("ceo@partner.example <x@evil.example>", "an address in a display name"),
        ("<a@x.example> <b@y.example>", "two addresses in one entry"),
        ("<bob@good.example", "a bracket that never closes"),
        ("Bob bob@good.example", "no brackets around the address"),
        ("Bob <nonsense>", "not an address"),
    ],
)
def test_defects_are_recorded_and_quote_nothing(value: str, defect: str) -> None:
    assert defect in addresses_in([value]).defects


@given(HEADERISH)
def test_no_text_makes_the_reader_raise_and_what_it_finds_is_normal(value: str) -> None:
    for email in addresses_in([value]).emails:
        assert normal_address(email) == email
        email.encode("utf-8")


@given(st.binary(max_size=120))
def test_no_bytes_make_any_reader_raise(raw: bytes) -> None:
    for text in (raw.decode("latin-1"), raw.decode("utf-8", "surrogateescape")):
        addresses_in([text])
        decode_words(text).encode("utf-8", "surrogateescape")
        subject_key(text)
        date_of(text)
        message_id(text).encode("utf-8")
        message_ids([text])
        normal_domain(text)


@given(
    st.lists(
        st.builds(
            "{}{}{}".format,
            st.sampled_from(["", " ", "\r\n\t"]),
            st.sampled_from(
                [
                    *("", "Bob ", "Bob  van\r\n Doe ", "Jörg ", "O'Neil.", '"Doe, Bob" ', '""', '"Bob (x) [y]; z:"\t'),
                    *("=?utf-8?Q?J=C3=B6rg_?=", "=?utf-8?b?SsO2cmc=?=\r\n =?utf-8*de?q?Do?= ", "Al =?x?q?a?= ", "=?? "),
                    *('"=?utf-8?q?Do=2C?= B" ', '"a@b" ', "a@b ", '"Bob" B ', '"\\"" ', "B (x) ", "G: ", "=?x?q?a,b?="),
                ]
            ),
            st.sampled_from(["<A@x.example>", "a@x.example", "<b=c@x.example> ", "=@x.example", "<a@x>x", "<b@-.é>"]),
        ),
        max_size=4,
    ),
    st.sampled_from([",", ", ", " ,", ";", ",,"]),
)
def test_the_fast_path_and_the_careful_reader_agree(entries: list[str], between: str) -> None:
    agree(between.join(entries))
    agree(between.join([*entries, ""]))


@given(HEADERISH)
def test_the_fast_path_never_answers_what_the_careful_reader_would_not(value: str) -> None:
    agree(value)


@pytest.mark.parametrize(
    "value",
    [
        '"Doe, Bob" <bob@good.example>, "Lee" <al@b.example>',
        "=?utf-8?Q?J=C3=B6rg?= Doe <j@good.example>,\r\n\t=?utf-8?B?QWw=?= <al@b.example>",
        "Jörg <j@good.example>, al@b.example",
    ],
)
def test_usual_lists_are_read_on_the_fast_path(value: str) -> None:
    assert agree(value)


@pytest.mark.corpus
def test_both_readers_agree_on_each_address_header_of_the_corpus() -> None:
    corpus = ROOT.parent / "shared" / "corpora" / "mail"
    if not corpus.is_dir():
        pytest.skip("the corpus of real mail is not there")
    headers = (pair for each in corpus_messages(corpus) for pair in each.message.headers)
    values = [value for name, value in headers if name in ("From", "Sender", "Reply-To", "To", "Cc", "Bcc")]
    fast = sum(agree(value) for value in values)
    assert fast > 0.9 * len(values)


@given(st.text(st.characters(exclude_characters='"\\', exclude_categories=["Cc", "Cs"]), max_size=40))
def test_39_no_quoted_display_name_ever_adds_or_changes_an_address(name: str) -> None:
    assert addresses_in([f'"{name}" <x@evil.example>']).emails == ("x@evil.example",)


@pytest.mark.parametrize("opening", ['"', "(", "<", "[", "=?", '\\"', '<"', "=?a?q?", "(\\", " ", "@ ", ": "])
def test_a_hostile_header_of_many_openings_is_read_once_through(opening: str) -> None:
    value = f"a{opening * 100_000} b"
    assert addresses_in([value]).emails == ()
    assert len(subject_key(value)) <= 1_000
    message_ids([value])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Acme.Example.", "acme.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("acme", "acme"),
        ("", None),
        ("a b.example", None),
        ("a@b.example", None),
        (".example", None),
        ("a\u202eb.example", None),
    ],
)
def test_domains_have_one_spelling(text: str, expected: str | None) -> None:
    assert normal_domain(text) == expected


def test_tags_and_google_dots_are_taken_off_only_where_they_mean_nothing() -> None:
    assert without_tag("ana+deals@x.example") == "ana@x.example"
    assert without_tag("+ana@x.example") == "+ana@x.example"
    assert gmail_form("a.n.a+deals@googlemail.com") == "ana@gmail.com"
    assert gmail_form("a.n.a@x.example") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<AbC@x.example>", "AbC@x.example"),
        ("  <AbC@x.example>  (comment)", "AbC@x.example"),
        ("<AbC\r\n @x.example>", "AbC@x.example"),
        ("AbC@x.example", "AbC@x.example"),
        ("<[x>@", "[x"),
        ("<a\x00b@x.example>", "ab@x.example"),
        ("<>", ""),
        ("", ""),
        ("<", ""),
    ],
)
def test_a_message_id_loses_brackets_and_white_space_and_keeps_its_case(value: str, expected: str) -> None:
    assert message_id(value) == expected


def test_references_skip_the_prose_that_old_programs_put_around_ids() -> None:
    values = ['Your message of "Fri, 06 Sep 2002" <a@b.example>; from x@y.example', "<c@d.example>\r\n\t<a@b.example>"]
    assert message_ids(values) == ("a@b.example", "c@d.example")
    assert message_ids(["e@f.example"]) == ("e@f.example",)
    assert len(message_ids([" ".join(f"<{n}@x.example>" for n in range(500))])) == 100


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Mon, 02 Nov 2026 10:00:00 +0100", datetime(2026, 11, 2, 9, tzinfo=UTC)),
        ("2 Nov 2026 10:00 -0500 (EST)", datetime(2026, 11, 2, 15, tzinfo=UTC)),
        ("Fri, 6 Sep 2002 11:06:26 EDT", datetime(2002, 9, 6, 15, 6, 26, tzinfo=UTC)),
        ("Fri, 6 Sep 02 11:06:26 GMT", datetime(2002, 9, 6, 11, 6, 26, tzinfo=UTC)),
        ("Fri, 6 Sep 2002 11:06:26", datetime(2002, 9, 6, 11, 6, 26, tzinfo=UTC)),
        ("Sat, 31 Dec 2016 23:59:60 +0000", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("Mon, 1 Jan 0000 00:00:00 GMT", None),
        ("Mon, 1 Jan 0000 00:00:00 +0000", None),
        ("Mon, 1 Jan 9999 00:00:00 +0000", None),
        ("Mon, 31 Feb 2026 00:00:00 +0000", None),
        ("Mon, 02 Nov 2026 25:00:00 +0000", None),
        ("Mon, 02 Nov 2026 10:00:00 +9959", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates_become_utc_or_nothing(value: str, expected: datetime | None) -> None:
    assert date_of(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "Quarterly plan",
        "Re: Quarterly plan",
        "RE: FW: quarterly  plan",
        "AW: WG: Quarterly plan",
        "Re[2]: Sv: Quarterly\r\n plan",
        "回复：Quarterly plan",  # noqa: RUF001
        "=?utf-8?Q?Re=3A_Quarterly?= plan",
        "[EXTERNAL] Re: Quarterly plan",
    ],
)
def test_a_subject_keeps_its_key_through_answers_and_forwards(value: str) -> None:
    assert subject_key(value) == "quarterly plan"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=?utf-8?B?w6Q=?= =?utf-8?B?w7Y=?=", "äö"),
        ("=?utf-8?B?w6Q?=", "ä"),
        ("=?utf-8?Q?=C3?= =?utf-8?Q?=A4?=", "ä"),
        ("=?nowhere?Q?a?= b", "=?nowhere?Q?a?= b"),
        ("=?utf-7?Q?+2AA-?=", "=?utf-7?Q?+2AA-?="),
        ("=?utf-8*en?Q?a_b?=", "a b"),
        ("=?utf-8?Q?broken", "=?utf-8?Q?broken"),
    ],
)
def test_encoded_words_are_decoded_or_left_as_they_are(value: str, expected: str) -> None:
    assert decode_words(value) == expected
