import re
import unicodedata
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import wording
from bot.literal import graphemes
from bot.wording import cut, escape, plain
from models.cadence import Status, Tier
from models.standing import ClaimFacts, NextStepFacts, PartnerFacts, Who
from models.weekly_read import Coverage, MailboxTrouble, Recovery, TierLine, WeeklyRead, coverage_lines, weekly_read
from tests.facts import DANA, FORTNIGHTLY, LONDON, NOW, QUIET, TIERS, WEEKLY, claim_by

TODAY = date(2026, 11, 23)  # a Monday
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
ZERO_WIDTH = "\u200b"
HEBREW = "שלום"


def _read(*facts: PartnerFacts) -> WeeklyRead:
    return weekly_read([QUIET.standing(one) for one in facts], TIERS, NOW, LONDON)


def _line(covered: int, eligible: int, previous: Coverage | None = None) -> TierLine:
    (line,) = coverage_lines([], [WEEKLY])
    return replace(line, coverage=Coverage(covered, eligible), previous=previous)


# Numbers, names and dates


def test_plurals() -> None:
    assert [wording.plural(count, "day") for count in (0, 1, 2)] == ["0 days", "1 day", "2 days"]
    assert wording.plural(2, "match", "matches") == "2 matches"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], ""),
        (["Acme"], "Acme"),
        (["Acme", "Globex"], "Acme and Globex"),
        (["Acme", "Globex", "Hooli"], "Acme, Globex and Hooli"),
        (["Acme", "Globex", "Hooli", "Stark"], "Acme, Globex and 2 more"),
    ],
)
def test_a_list_names_some_and_counts_the_rest(names: list[str], said: str) -> None:
    assert wording.listed(names) == said


def test_a_list_of_which_nothing_is_shown_is_a_number() -> None:
    assert wording.listed(["Acme", "Globex"], shown=0) == "2 partners"


def test_a_day_names_its_year_only_when_it_is_another_one() -> None:
    assert wording.on_day(TODAY, TODAY) == "Mon 23 Nov"
    assert wording.on_day(date(2027, 1, 4), TODAY) == "Mon 4 Jan 2027"


@pytest.mark.parametrize(
    ("due_on", "said"),
    [
        (date(2026, 11, 23), "today"),
        (date(2026, 11, 24), "by tomorrow"),
        (date(2026, 11, 26), "by Thu 26 Nov"),
        (date(2027, 1, 1), "by Fri 1 Jan 2027"),
        (date(2026, 11, 22), "was due Sun 22 Nov"),
    ],
)
def test_a_due_day_is_said_as_people_say_it(due_on: date, said: str) -> None:
    assert wording.by_day(due_on, TODAY) == said


def test_who_is_known_in_slack_is_mentioned_and_everybody_else_named() -> None:
    assert wording.mention(DANA) == "<@U0DANA>"
    assert wording.mention(replace(DANA, slack_user_id=None)) == "Dana Kim"
    assert wording.mention(Who(2, "<!channel>", "a@b.example", "U1> <!here")) == "&lt;!channel&gt;"


# One partner


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (QUIET.facts(touched=11), "4 days overdue"),
        (QUIET.facts(touched=8), "1 day overdue"),
        (QUIET.facts(touched=7), "due today"),
        (QUIET.facts(touched=6), "due by tomorrow"),
        (QUIET.facts(touched=4), "due by Thu 26 Nov"),
        (QUIET.facts(started=4), "due by Thu 26 Nov"),
        (QUIET.facts(touched=8, tier=Tier(1, "Tier 1", 7, 2)), "due since Sun 22 Nov, within its grace"),
        (QUIET.facts(touched=20, observed=3), "could not be seen"),
        (QUIET.facts(touched=20, status=Status.PAUSED), "paused"),
        (QUIET.facts(touched=20, status=Status.ENDED), "ended"),
        (QUIET.facts(touched=20, tier=None), "in no tier"),
    ],
)
def test_how_late_a_partner_is(facts: PartnerFacts, said: str) -> None:
    assert wording.lateness(QUIET.standing(facts), TODAY) == said


def test_the_partner_is_past_its_rhythm_nobody_has_failed() -> None:
    assert wording.rhythm(QUIET.standing(QUIET.facts(touched=19))) == "12 days past its 7-day rhythm"
    assert wording.rhythm(QUIET.standing(QUIET.facts(touched=1))) == "7-day rhythm"
    assert wording.rhythm(QUIET.standing(QUIET.facts(tier=None))) == "no rhythm set"


def test_the_last_touch_says_when_and_by_whom() -> None:
    assert wording.last_touch(QUIET.standing(QUIET.facts(touched=23))) == "last touch 23 days ago by Dana Kim"
    assert wording.last_touch(QUIET.standing(QUIET.facts(touched=1, by=None))) == "last touch yesterday"
    assert wording.last_touch(QUIET.standing(QUIET.facts(touched=0))) == "last touch today by Dana Kim"
    assert wording.last_touch(QUIET.standing(QUIET.facts())) == "never touched"


def test_when_the_partner_was_last_heard() -> None:
    assert wording.last_heard(QUIET.standing(QUIET.facts(heard=5)), TODAY, LONDON) == "last heard 5 days ago"
    assert wording.last_heard(QUIET.standing(QUIET.facts()), TODAY, LONDON) == "never heard from"


def test_a_next_step_has_text_day_and_owner_as_far_as_they_are_known() -> None:
    step = NextStepFacts("Send the\ndeck", date(2026, 11, 26), DANA)
    said = [
        wording.next_step(QUIET.standing(QUIET.facts(next_step=one)), TODAY)
        for one in (step, NextStepFacts("Call", None, None), None)
    ]
    assert said == ["next step: Send the deck, by Thu 26 Nov (Dana Kim)", "next step: Call", "no next step"]


def test_a_claimed_partner_says_who_is_on_it() -> None:
    standing = QUIET.standing(QUIET.facts(touched=20, claim=claim_by()))
    assert wording.claimed(standing, TODAY) == "Dana Kim is on it, by Wed 25 Nov"
    assert wording.claimed(QUIET.standing(QUIET.facts(touched=20)), TODAY) is None


def test_the_owner_is_named_or_missing() -> None:
    assert wording.owner(QUIET.standing(QUIET.facts())) == "Dana Kim"
    assert wording.owner(QUIET.standing(QUIET.facts(owner=None))) == "no owner"


def test_blindness_is_explained_by_mailboxes() -> None:
    blind = QUIET.standing(QUIET.facts(touched=20, observed=3))
    assert wording.blind(blind) == "Acme could not be seen: no mailbox of Dana Kim has synced within 24 hours"
    orphan = QUIET.standing(QUIET.facts(touched=20, owner=None))
    assert wording.blind(orphan) == "Acme has no owner, so no mailbox shows its mail"


# Coverage


@pytest.mark.parametrize(
    ("covered", "eligible", "percent"),
    [(18, 29, 62), (0, 3, 0), (3, 3, 100), (199, 200, 99), (1, 300, 1), (1, 2, 50), (1, 8, 13), (0, 0, None)],
)
def test_per_cent_is_whole_and_100_only_when_all_are_covered(covered: int, eligible: int, percent: int | None) -> None:
    assert wording.percent(Coverage(covered, eligible)) == percent


@pytest.mark.parametrize(
    ("previous", "said"),
    [
        (Coverage(17, 29), "Tier 1: 18 of 29 covered, 62 % (up 3 points since the last read)"),
        (Coverage(63, 100), "Tier 1: 18 of 29 covered, 62 % (down 1 point since the last read)"),
        (Coverage(62, 100), "Tier 1: 18 of 29 covered, 62 % (unchanged since the last read)"),
        (Coverage(0, 0), "Tier 1: 18 of 29 covered, 62 %"),
        (None, "Tier 1: 18 of 29 covered, 62 %"),
    ],
)
def test_coverage_is_said_with_both_numbers_and_the_change(previous: Coverage | None, said: str) -> None:
    assert wording.tier_line(_line(18, 29, previous)) == said


def test_undefined_coverage_is_no_number() -> None:
    assert wording.tier_line(_line(0, 0, Coverage(3, 4))) == "Tier 1: no eligible partners"


def test_reply_backed_coverage_says_what_it_counts() -> None:
    line = replace(_line(18, 29), reply_backed=Coverage(14, 29))
    assert wording.reply_backed(line) == "14 of 29 backed by a reply, 48 %"


def test_whoever_is_not_counted_is_said_in_numbers() -> None:
    assert wording.outside(paused=3, new=2, untiered=0, blind=1) == "Not counted: 3 paused, 2 new, 1 could not be seen"
    assert wording.outside(0, 0, 0, 0) is None


# The weekly read


def test_the_summary_is_one_sentence_over_all_tiers() -> None:
    lines = (
        _line(18, 29, Coverage(17, 29)),
        replace(_line(25, 28, Coverage(26, 28)), tier=FORTNIGHTLY),
        replace(_line(0, 0), tier=TIERS[2]),
    )
    assert wording.summary(replace(_read(), tiers=lines)) == (
        "Tier 1: 18 of 29 covered, 62 % (up 3 points since the last read); "
        "Tier 2: 25 of 28, 89 % (down 4 points); Tier 3: no eligible partners."
    )


def test_a_summary_without_tiers_says_so() -> None:
    assert wording.summary(replace(_read(), tiers=())) == "No tiers are set yet."


def test_the_headline_names_partners() -> None:
    late = [QUIET.facts(touched=20 - place, name=name) for place, name in enumerate(["Acme", "Globex", "Hooli", "Ro"])]
    assert wording.headline(_read(*late)) == "4 partners need a touch: Acme, Globex and 2 more."
    assert wording.headline(_read(*late), shown=15) == "4 partners need a touch: Acme, Globex, Hooli and Ro."
    assert wording.headline(_read(late[0])) == "1 partner needs a touch: Acme."


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ([], "There is nothing to recover: no eligible partners yet."),
        ([QUIET.facts(touched=1)], "Every partner is in rhythm."),
        ([QUIET.facts(touched=7)], "Every partner is in rhythm. Next up: Acme, due today."),
        (
            [QUIET.facts(touched=1), QUIET.facts(touched=20, observed=3)],
            "Every partner that could be seen is in rhythm.",
        ),
    ],
)
def test_a_good_week_is_said_in_one_line(facts: list[PartnerFacts], said: str) -> None:
    assert wording.headline(_read(*facts)) == said


def test_progress_counts_partners_that_have_a_name_beside_them() -> None:
    bare, held = QUIET.facts(touched=20), QUIET.facts(touched=21, claim=claim_by())
    assert wording.progress(_read(bare, held)) == "1 of 2 assigned"
    assert wording.progress(_read(held)) == "Every slipped partner has a name beside it"
    assert wording.progress(_read()) is None


def test_the_lines_below_the_list() -> None:
    read = _read(
        QUIET.facts(touched=7, name="Acme", heard=6, wrote=7),
        QUIET.facts(touched=5, name="Globex"),
        QUIET.facts(touched=20, name="Hooli", observed=3),
    )
    assert wording.due_soon_line(read) == "Due soon: Acme (today) and Globex (by Wed 25 Nov)"
    assert wording.reply_owed_line(read) == "Waiting for our reply: Acme"
    assert wording.blind_line(read) == "Could not be seen: Hooli. No mailbox of the owner has synced within 24 hours"
    assert wording.title(read) == "Weekly read, Mon 23 Nov 2026"


def test_who_waits_for_our_reply_is_counted_as_in_the_list_of_them_all() -> None:
    """The overdue have rows of their own; the line says how many of them wait too, so that both numbers agree."""
    near = QUIET.facts(touched=7, name="Acme", heard=6, wrote=7)
    late = [QUIET.facts(touched=20, name=f"Late {one}", heard=6, wrote=20) for one in range(3)]
    assert wording.reply_owed_line(_read(near, *late)) == "Waiting for our reply: Acme; also 3 of the overdue"
    assert wording.reply_owed_line(_read(*late)) == "Waiting for our reply: 3 of the overdue"


def test_what_there_is_not_gets_no_line() -> None:
    read = _read()
    assert [line(read) for line in (wording.due_soon_line, wording.reply_owed_line, wording.blind_line)] == [None] * 3


@pytest.mark.parametrize(
    ("outcome", "by", "days", "said"),
    [
        ("recovered", "Dana Kim", 3, "Acme is back in rhythm after 3 days, touch by Dana Kim"),
        ("recovered", None, 0, "Acme is back in rhythm on the same day"),
        ("recovered", None, None, "Acme is back in rhythm"),
        ("claimed", "Dana Kim", None, "Acme is in good hands with Dana Kim"),
        ("claimed", None, None, "Acme is in good hands"),
        ("lapsed", "Dana Kim", None, "Acme is open again: the day for its recovery touch has passed"),
        ("open", None, None, "Acme still waits for a recovery touch"),
        ("late_evidence", None, None, "Acme was never overdue: an earlier touch came to light"),
        ("shutdown", None, None, "Acme was never overdue: all was shut on those days, as was entered since"),
        ("paused", None, None, "Acme is paused"),
        ("ended", None, None, "Acme has ended"),
        ("re_tiered", None, None, "Acme has moved to Tier 2"),
        ("voided", None, None, "Acme is open again: the touch that closed it did not hold"),
        ("something else", None, None, "Acme something else"),
    ],
)
def test_every_outcome_of_a_recovery_has_its_words(outcome: str, by: str | None, days: int | None, said: str) -> None:
    assert wording.recovery(Recovery("Acme", "Tier 2", outcome, by, days)) == said


def test_a_mailbox_that_needs_attention_is_named() -> None:
    said = wording.trouble(MailboxTrouble("dana@lantern.example", "revoked", "connect it again"))
    assert said == "The mailbox dana@lantern.example needs attention: revoked (connect it again)"
    assert (
        wording.trouble(MailboxTrouble("d@x.example", "stale", "")) == "The mailbox d@x.example needs attention: stale"
    )


def test_names_in_sentences_are_made_plain() -> None:
    nasty = Who(1, "Da\u202ena\nKim", "dana@lantern.example")
    held = ClaimFacts(nasty, NOW, date(2026, 11, 25))
    standing = QUIET.standing(QUIET.facts(touched=20, name="A" * 300, owner=nasty, by="\x00Dana\n", claim=held))
    said = [
        wording.last_touch(standing),
        wording.owner(standing),
        wording.claimed(standing, TODAY) or "",
        wording.headline(_read(standing.facts)),
        wording.blind(standing),
    ]
    assert all("\n" not in one and "\u202e" not in one and "\x00" not in one and len(one) < 200 for one in said)
    assert wording.name(" \n") == "(no name)"


# Text from outside


@pytest.mark.parametrize(
    ("text", "shown", "in_mrkdwn"),
    [
        ("Acme", "Acme", "Acme"),
        ("Müller & Söhne", "Müller & Söhne", "Müller &amp; Söhne"),
        ("<!channel>", "<!channel>", "&lt;!channel&gt;"),
        ("<@U1>", "<@U1>", "&lt;@U1&gt;"),
        ("<https://x.example|Acme>", "<https://x.example|Acme>", "&lt;https://x.example|Acme&gt;"),
        ("&lt;", "&lt;", "&amp;lt;"),
        ("a|b", "a|b", "a|b"),
        ("*x*", "*x*", "\u200b*\u200bx\u200b*\u200b"),
        ("_x_", "_x_", "\u200b_\u200bx\u200b_\u200b"),
        ("~x~", "~x~", "\u200b~\u200bx\u200b~\u200b"),
        ("a`x`b", "a`x`b", "a\u200b`\u200bx\u200b`\u200bb"),
        (":tada: Ltd", ":tada: Ltd", ":\u200btada: Ltd"),
        ("> Acme", "> Acme", "\u200b&gt; Acme"),
        ("@here", "@here", "@\u200bhere"),
        ("#general", "#general", "#\u200bgeneral"),
        ("snake_case a*b C# dana@x.example 9:30", "snake_case a*b C# dana@x.example 9:30", None),
        ("Tier 1: 18 of 29", "Tier 1: 18 of 29", None),
        ("two\r\nlines\tand\u2028more", "two lines and more", None),
        ("a\x00b\x1bc\x7fd", "abcd", None),
        ("\u202etxt.exe\u202c", "txt.exe", None),
        ("Ac\u200bm\u2060e\ufeff\u00ad", "Acme", None),
        ("half \ud83d one", "half one", None),
        (FAMILY, FAMILY, FAMILY),
        (SCOTLAND, SCOTLAND, SCOTLAND),
        ("hid\U000e0064\U000e0065den", "hidden", None),
        (f"{HEBREW}\u200c{HEBREW}", f"\u2068{HEBREW}\u200c{HEBREW}\u2069", None),
        (HEBREW, f"\u2068{HEBREW}\u2069", f"\u2068{HEBREW}\u2069"),
    ],
)
def test_23_a_name_from_outside_renders_literally(text: str, shown: str, in_mrkdwn: str | None) -> None:
    assert plain(text) == shown
    assert escape(plain(text)) == (shown.replace("&", "&amp;") if in_mrkdwn is None else in_mrkdwn)


def test_direction_overrides_are_gone_even_where_only_escape_was_used() -> None:
    assert escape("\u202eevil\u2067") == "evil"


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("Acme", 4, "Acme"),
        ("Acme Corp", 5, "Acme…"),
        ("Acme Corp", 6, "Acme…"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
        (FAMILY * 2, 11, "…"),
        (FAMILY * 2, 12, FAMILY + "…"),
        ("e\u0301e\u0301e\u0301", 4, "e\u0301…"),
        ("\U0001f44d\U0001f3fdok", 4, "…"),
        ("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", 7, "\U0001f1e9\U0001f1ea…"),
        ("\u1100\u1161\u11a8" * 2, 5, "\u1100\u1161\u11a8…"),
        (SCOTLAND + "x" * 20, 16, SCOTLAND + "x…"),
        ("a" + "\u0301" * 500, 80, "…"),
    ],
)
def test_23_a_cut_falls_between_characters_as_readers_see_them(text: str, limit: int, shown: str) -> None:
    assert cut(text, limit) == shown


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (FAMILY + "!", 2),
        ("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7\U0001f1ea", 3),
        ("❤\ufe0fx", 2),
        ("\u1100\u1161\u11a8\uac00\u11a8", 2),
        ("한글", 2),
        ("นำ", 1),
        ("", 0),
    ],
)
def test_what_readers_see_as_one_character_is_one(text: str, count: int) -> None:
    assert len(list(graphemes(text))) == count


def test_23_an_entity_is_never_split() -> None:
    assert [escape("a&b", limit) for limit in (7, 6, 5, 2)] == ["a&amp;b", "a…", "a…", "a…"]


def test_an_isolate_that_is_cut_is_closed_again() -> None:
    assert escape(f"\u2068{HEBREW}\u2069 and more", 5) == "\u2068" + HEBREW[:2] + "…\u2069"


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


rough = st.text(
    st.characters()
    | st.sampled_from([*"&<>*_~`|:@#\n \u200d\u202e\u2066\u2068\u2069\u200f\ud800\u05d0\u0627", FAMILY[0]]),
    max_size=60,
)


@given(rough, st.integers(3, 60))
def test_plain_text_is_one_bounded_line_without_controls(text: str, limit: int) -> None:
    shown = plain(text, limit)
    assert _units(shown) <= limit
    shown.encode()
    allowed_formats = set("\u200c\u200d\u2068\u2069") | {chr(code) for code in range(0xE0020, 0xE0080)}
    assert all(unicodedata.category(one) not in ("Cc", "Cs", "Zl", "Zp") for one in shown)
    assert {one for one in shown if unicodedata.category(one) == "Cf"} <= allowed_formats
    assert shown.count("\u2068") == shown.count("\u2069") <= 1
    assert plain(shown, limit) == shown


@given(rough)
def test_escaping_loses_nothing_that_was_visible(text: str) -> None:
    shown = plain(text)
    back = escape(shown).replace(ZERO_WIDTH, "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert back == shown


@given(rough, st.integers(1, 60))
def test_escaped_text_is_bounded_and_holds_no_markup(text: str, limit: int) -> None:
    said = escape(text, limit)
    assert _units(said) <= limit
    said.encode()
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", said)
    assert not re.search(r":[\w+'-]+:", said)
    for line in said.splitlines():
        assert not re.search(r"(?:^|[\s(])[*_~`](?=\S)", line)
        assert not line.startswith("&gt;")


@given(rough)
def test_joining_the_characters_gives_the_text_again(text: str) -> None:
    assert "".join(graphemes(text)) == text


@given(rough, st.integers(0, 60))
def test_a_cut_keeps_whole_characters_from_the_start(text: str, limit: int) -> None:
    shown = cut(text, limit)
    assert _units(shown) <= limit
    if shown != text and limit > 0:
        kept = shown.rstrip("\u2069").removesuffix("…")
        whole = list(graphemes(text))
        starts = ["".join(whole[:count]).rstrip() for count in range(len(whole) + 1)]
        assert kept in starts or kept.rstrip("\u2069") in starts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("there is no tier", "There is no tier."),
        ("gmail.com gives addresses to everybody", "gmail.com gives addresses to everybody."),
        ("dana@lantern.example is one of us", "dana@lantern.example is one of us."),
        ("who is that?", "Who is that?"),
    ],
)
def test_a_sentence_has_a_capital_and_a_stop_unless_an_address_begins_it(text: str, said: str) -> None:
    assert wording.sentence(text) == said
