"""Days as people write them: what is read, what is refused, and what belongs to the text."""

from datetime import date

import pytest

from models.due_words import UnclearDay, due_day, split_due

MONDAY = date(2026, 11, 23)
FRIDAY = date(2026, 11, 27)


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("today", "2026-11-23"),
        ("Tomorrow", "2026-11-24"),
        ("the day after tomorrow", "2026-11-25"),
        ("end of day", "2026-11-23"),
        ("EOD", "2026-11-23"),
        ("friday", "2026-11-27"),
        ("Fri", "2026-11-27"),
        ("by Friday.", "2026-11-27"),
        ("next friday", "2026-11-27"),
        ("this friday", "2026-11-27"),
        ("the coming friday", "2026-11-27"),
        ("tues", "2026-11-24"),
        ("thurs", "2026-11-26"),
        ("monday", "2026-11-30"),
        ("next monday", "2026-11-30"),
        ("tuesday next week", "2026-12-01"),
        ("next week tuesday", "2026-12-01"),
        ("next week", "2026-11-30"),
        ("end of week", "2026-11-27"),
        ("end of the week", "2026-11-27"),
        ("end of next week", "2026-12-04"),
        ("eow", "2026-11-27"),
        ("end of month", "2026-11-30"),
        ("end of next month", "2026-12-31"),
        ("eom", "2026-11-30"),
        ("end of the quarter", "2026-12-31"),
        ("end of next quarter", "2027-03-31"),
        ("end of year", "2026-12-31"),
        ("end of next year", "2027-12-31"),
        ("next month", "2026-12-23"),
        ("in 3 days", "2026-11-26"),
        ("3 days", "2026-11-26"),
        ("in a week", "2026-11-30"),
        ("in two weeks", "2026-12-07"),
        ("2 weeks from now", "2026-12-07"),
        ("a fortnight", "2026-12-07"),
        ("in a fortnight", "2026-12-07"),
        ("in 3 weeks time", "2026-12-14"),
        ("in a month", "2026-12-23"),
        ("in 3 business days", "2026-11-26"),
        ("5 working days", "2026-11-30"),
        ("in ten business days", "2026-12-07"),
        ("15 Jan", "2027-01-15"),
        ("15 january", "2027-01-15"),
        ("Jan 15", "2027-01-15"),
        ("January 15th", "2027-01-15"),
        ("the 15th of January", "2027-01-15"),
        ("15-Jan", "2027-01-15"),
        ("15 Jan 2027", "2027-01-15"),
        ("March 3, 2027", "2027-03-03"),
        ("Thu 26 Nov", "2026-11-26"),
        ("Friday, 4 December", "2026-12-04"),
        ("5 may", "2027-05-05"),
        ("sept 3", "2027-09-03"),
        ("23 nov", "2026-11-23"),
        ("the 30th", "2026-11-30"),
        ("15th", "2026-12-15"),
        ("the 31st", "2026-12-31"),
        ("2026-12-04", "2026-12-04"),
        ("2026-12-4", "2026-12-04"),
        ("2026/12/04", "2026-12-04"),
        ("01.12.2026", "2026-12-01"),
        ("4.12.", "2026-12-04"),
        ("4.12.26", "2026-12-04"),
        ("15/1", "2027-01-15"),
        ("1/15", "2027-01-15"),
        ("15/1/2027", "2027-01-15"),
        ("12/12", "2026-12-12"),
        ("29 feb 2028", "2028-02-29"),
    ],
)
def test_days_to_come(words: str, day: str) -> None:
    assert due_day(words, MONDAY).isoformat() == day


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("5", "I do not know which day “5” is"),
        ("may", "I do not know which day “may” is"),
        ("dec", "I do not know"),
        ("2027", "I do not know"),
        ("20261204", "I do not know"),
        ("noon", "I do not know"),
        ("8pm", "I do not know"),
        ("in an hour", "I do not know"),
        ("1h", "I do not know"),
        ("soon", "I do not know"),
        ("", "I do not know"),
        ("christmas", "I do not know"),
        ("nächsten Freitag", "I do not know"),
        ("12/1", "“12/1” could be 1 Dec or 12 Jan: write the month as a word, or the date as 2026-12-01"),
        ("1-12-2026", "could be 12 Jan 2026 or 1 Dec 2026"),
        ("31 nov", "I do not know"),
        ("2026-02-30", "I do not know"),
        ("30/2", "I do not know"),
        ("13/13", "I do not know"),
        ("the 45th", "I do not know"),
        ("yesterday", "22 Nov 2026 is over: choose today or a later day."),
        ("2026-11-22", "22 Nov 2026 is over"),
        ("20 nov", "20 Nov 2026 is over: choose a later day, or add the year."),
        ("20 nov 2026", "20 Nov 2026 is over"),
        ("22.11.", "22 Nov 2026 is over"),
        ("29 feb", "The next such day is 29 Feb 2028: add the year"),
        ("monday 27 nov", "27 Nov 2026 is no Mon"),
        ("2036-01-01", "more than five years away"),
        ("9999-12-31", "more than five years away"),
        ("in 999 years", "I do not know|more than five"),
        ("two weeks ago", "I do not know"),
        ("x" * 300, "x…” is. For example"),
    ],
)
def test_what_is_no_single_day_to_come_is_refused_and_says_how_to_write_it(words: str, why: str) -> None:
    with pytest.raises(UnclearDay) as caught:
        due_day(words, MONDAY)
    assert any(one in str(caught.value) for one in why.split("|"))


def test_on_a_friday_friday_is_the_next_one_and_the_end_of_the_week_today() -> None:
    assert due_day("friday", FRIDAY) == due_day("next friday", FRIDAY) == date(2026, 12, 4)
    assert due_day("end of week", FRIDAY) == FRIDAY
    assert due_day("end of week", date(2026, 11, 28)) == date(2026, 12, 4)
    assert due_day("in 1 business day", FRIDAY) == date(2026, 11, 30)


def test_months_of_other_lengths_and_the_turn_of_the_year() -> None:
    assert due_day("end of month", date(2028, 2, 3)) == date(2028, 2, 29)
    assert due_day("end of next month", date(2026, 12, 31)) == date(2027, 1, 31)
    assert due_day("end of next quarter", date(2026, 12, 31)) == date(2027, 3, 31)
    assert due_day("in a month", date(2027, 1, 31)) == date(2027, 2, 28)
    assert due_day("the 31st", date(2027, 2, 1)) == date(2027, 3, 31)
    assert due_day("2 jan", date(2026, 12, 30)) == date(2027, 1, 2)


@pytest.mark.parametrize(
    ("typed", "text", "day"),
    [
        ("send the revised terms by friday", "send the revised terms", "2026-11-27"),
        ("Send the revised terms by Fri 27 Nov.", "Send the revised terms", "2026-11-27"),
        ("send terms, due 4 december", "send terms", "2026-12-04"),
        ("send terms due by 2026-12-04", "send terms", "2026-12-04"),
        ("call on friday", "call", "2026-11-27"),
        ("call tomorrow", "call", "2026-11-24"),
        ("call them in 3 business days", "call them", "2026-11-26"),
        ("call next tuesday", "call", "2026-11-24"),
        ("price list (by end of month)", "price list", "2026-11-30"),
        ("send the report by mail", "send the report by mail", None),
        ("stop by on Friday by the office", "stop by on Friday by the office", None),
        ("send the report by mail by friday", "send the report by mail", "2026-11-27"),
        ("prepare the deck for friday", "prepare the deck for friday", None),
        ("plan the budget for May", "plan the budget for May", None),
        ("raise the price by 5 percent", "raise the price by 5 percent", None),
        ("send the notes of last monday", "send the notes of last monday", None),
        ("meet on site", "meet on site", None),
        ("by friday", "", "2026-11-27"),
        ("tomorrow", "", "2026-11-24"),
        ("", "", None),
    ],
)
def test_text_and_day_are_told_apart(typed: str, text: str, day: str | None) -> None:
    found = split_due(typed, MONDAY)
    assert (found[0], found[1].isoformat() if found[1] else None) == (text, day)


@pytest.mark.parametrize(
    "typed", ["send it by 12/1", "send it by may", "send it by 31 nov", "send it by yesterday", "send it by 20 nov"]
)
def test_a_day_that_is_none_is_never_lost_in_silence(typed: str) -> None:
    with pytest.raises(UnclearDay):
        split_due(typed, MONDAY)


def test_a_long_text_is_read_in_a_moment() -> None:
    typed = "by on due until " * 400
    assert split_due(typed, MONDAY)[1] is None
    assert split_due("a" * 3000 + " by friday", MONDAY)[1] == FRIDAY


def test_no_text_makes_it_think_for_long() -> None:
    for tail in ("1" * 2900 + "x", "a " * 1400 + "x", "fri" * 900, "1/1/1/" * 400, "mon, " * 500 + "!"):
        assert split_due(f"send it by {tail}", MONDAY)[1] is None
