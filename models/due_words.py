"""Days as people write them: "by friday", "in 3 business days", "15 Jan". Given `today`, it asks no clock.

It never guesses: what could be two days, or is over, is refused with a sentence that says how to write it.
"""

import re
from calendar import monthrange
from datetime import date, datetime, time, timedelta

from models.cadence import add_business_days

HOW = "For example: tomorrow, friday, in 3 days, 15 Jan or 2026-12-04"
FARTHEST = timedelta(days=5 * 366)
LONGEST = 60
JUST_OVER = 60  # so many days back a day without a year means the one that is over, not the next
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?s?"
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_TO_TEN = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS = {word: number for number, word in enumerate(_TO_TEN, 1)}
_COUNT = rf"(?:\d{{1,3}}|an?|{'|'.join(_NUMBERS)})"
_NTH = r"\d{1,2}(?:st|nd|rd|th)?"
_YEAR = r"(?:,?\s+(?P<year>\d{4}))?"

# What dateparser is trusted with, and nothing else: it also takes hours, bare numbers and bare months for days.
_WITH_MONTH = re.compile(
    rf"(?:(?P<weekday>{_WEEKDAY}),?\s+)?(?:the\s+)?"
    rf"(?:{_NTH}(?:\s+of)?[\s-]+(?P<month>{_MONTH})|(?P<month_first>{_MONTH})[\s-]+(?:the\s+)?{_NTH}){_YEAR}"
)
_RELATIVE = re.compile(
    rf"(?:in\s+)?(?P<count>{_COUNT})\s+(?P<unit>days?|weeks?|months?|years?)"
    r"(?:\s+from\s+(?:now|today)|\s+time)?"
)
_BUSINESS = re.compile(
    rf"(?:in\s+)?(?P<count>{_COUNT})\s+(?:business|working|work)\s*-?days?(?:\s+from\s+(?:now|today))?"
)
_ON_WEEKDAY = re.compile(rf"(?:(?:next|this|coming|the\s+coming)\s+)?(?P<weekday>{_WEEKDAY})(?P<later>\s+next\s+week)?")
_NEXT_WEEKS = re.compile(rf"next\s+week(?:\s+(?:on\s+)?(?P<weekday>{_WEEKDAY}))?")
_NEXT = re.compile(r"next\s+(?P<unit>month|year)")
_END_OF = re.compile(
    r"(?:(?:the\s+)?end\s+of\s+(?P<which>the|this|next)?\s*(?P<unit>day|week|month|quarter|year)|eo(?P<letter>[dwmqy]))"
)
_NUMERIC = re.compile(r"(?P<one>\d{1,2})(?P<mark>[./-])(?P<two>\d{1,2})(?:(?P=mark)(?P<year>\d{4}|\d{2})?)?")
_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_ORDINAL = re.compile(r"(?:the\s+)?(\d{1,2})(?:st|nd|rd|th)")
_SIMPLE = {"today": 0, "now": 0, "tonight": 0, "cob": 0, "tomorrow": 1, "day after tomorrow": 2, "yesterday": -1}

_OPENING = re.compile(r"^(?:(?:by|until|till|before|due|on|at)\s*:?\s+)+(?:the\s+latest\s+)?")
_LEADS_IN = re.compile(r"(?:^|[\s,;(]+)(?:(?:due\s+)?(?:by|until|till|on|before)|due):?\s+", re.IGNORECASE)
_LOOSE = re.compile(
    rf"[\s,;(]+(?:today|tonight|(?:the\s+)?(?:day\s+after\s+)?tomorrow|in\s+{_COUNT}\s+(?:(?:business|working)\s+)?(?:days?|weeks?)"
    rf"|(?:next|this)\s+(?:week|month|{_WEEKDAY})|{_WEEKDAY}|\d{{4}}-\d{{2}}-\d{{2}})\)?$",
    re.IGNORECASE,
)
_BELONGS = re.compile(
    r"(?:^|\s)(?:for|from|of|since|last|every|each|the|a|an|and|or|to|with|about|between|at|after|past|our|their|this|next)$",
    re.IGNORECASE,
)
_WORD_OF_ONE = re.compile(
    r"the|end|of|last|next|this|ago|in|on|at|a|now|from|yesterday|today|tomorrow|tonight|noon|midnight|christmas|easter"
    rf"|early|mid|late|days?|weeks?|months?|quarters?|years?|q[1-4]|{_WEEKDAY}|{_MONTH}|{_COUNT}|{_NTH}|\d{{4}}"
    r"|\d{1,4}[./-]\d{1,2}(?:[./-](?:\d{1,4})?)?|\d{1,2}(?::\d\d)?(?:am|pm|h)|am|pm"
)


class UnclearDay(ValueError):
    """No single day to come is meant. The text is one plain sentence, and says how to write it."""


def due_day(words: str, today: date) -> date:
    """The day that is meant: today or later. Raises UnclearDay."""
    typed = " ".join(words.split()).casefold().strip(" .,;:!?()\"'“”")
    if len(typed) > LONGEST:
        raise UnclearDay(f"I do not know which day “{_shown(words)}” is. {HOW}.")
    typed = _OPENING.sub("", f"{typed} ").strip()
    day = _own(typed, today) or _by_dateparser(typed, today)
    if day is None:
        raise UnclearDay(f"I do not know which day “{_shown(words)}” is. {HOW}.")
    if day < today:
        raise UnclearDay(f"{_named(day)} is over: choose today or a later day.")
    if day - today > FARTHEST:
        raise UnclearDay(f"{_named(day)} is more than five years away: choose an earlier day.")
    return day


def split_due(typed: str, today: date) -> tuple[str, date | None]:
    """What is to be done, and until when: "send the terms by friday". None when no day is said.

    Raises UnclearDay where a day is said that is none, because a promise must not lose its day in silence.
    """
    text = typed.strip()
    unclear: UnclearDay | None = None
    for lead_in in reversed(list(_LEADS_IN.finditer(text))):
        before, tail = text[: lead_in.start()].rstrip(" ,;:-("), text[lead_in.end() :].strip(" .!)")
        try:
            return before, due_day(tail, today)
        except UnclearDay as error:
            if unclear is None and _looks_like_one(tail):
                unclear = error
    if unclear is not None:
        raise unclear
    bare = text.rstrip(" .!")
    loose = _LOOSE.search(f" {bare}")
    if loose is None:
        return text, None
    before = bare[: max(loose.start() - 1, 0)].rstrip(" ,;:-(")
    if _BELONGS.search(before):
        return text, None
    return before, due_day(loose.group(), today)


def _looks_like_one(tail: str) -> bool:
    """Whether all of it speaks of days, so that it was meant as one."""
    return all(_WORD_OF_ONE.fullmatch(word) for word in re.split(r"[\s,]+", tail.casefold()))


def _own(typed: str, today: date) -> date | None:
    """What dateparser reads wrongly or not at all."""
    if typed.removeprefix("the ") in _SIMPLE:
        return today + timedelta(days=_SIMPLE[typed.removeprefix("the ")])
    if re.fullmatch(r"(?:in )?an? fortnight", typed):
        return today + timedelta(days=14)
    if found := _ISO.fullmatch(typed):
        return _date(int(found[1]), int(found[2]), int(found[3]))
    if found := _NUMERIC.fullmatch(typed):
        return _numeric(found, today)
    if found := _BUSINESS.fullmatch(typed):
        return add_business_days(today, _count(found["count"]))
    if found := _END_OF.fullmatch(typed):
        return _end_of(found["unit"] or found["letter"], found["which"] == "next", today)
    if found := _NEXT_WEEKS.fullmatch(typed):
        monday = today - timedelta(days=today.weekday() - 7)
        return monday + timedelta(days=_weekday(found["weekday"]) if found["weekday"] else 0)
    if found := _ON_WEEKDAY.fullmatch(typed):
        if found["later"]:
            return today + timedelta(days=7 - today.weekday() + _weekday(found["weekday"]))
        ahead = (_weekday(found["weekday"]) - today.weekday()) % 7
        return today + timedelta(days=ahead or 7)
    if found := _ORDINAL.fullmatch(typed):
        return _nth(int(found[1]), today)
    return None


def _by_dateparser(typed: str, today: date) -> date | None:
    with_month = _WITH_MONTH.fullmatch(typed)
    if with_month is None and not _RELATIVE.fullmatch(typed) and not _NEXT.fullmatch(typed):
        return None
    import dateparser  # takes a fifth of a second the first time, which the start of a server need not wait for

    said = typed
    if with_month is not None:  # the weekday is checked below, not believed
        said = typed[with_month.end("weekday") :].lstrip(", ") if with_month["weekday"] else typed
        said = said.removeprefix("the ").replace("-", " ")
    elif _RELATIVE.fullmatch(typed):
        said = re.sub(r"\s+(?:from\s+(?:now|today)|time)$", "", said)
        said = said if said.startswith("in ") else f"in {said}"
    found = dateparser.parse(
        said,
        languages=["en"],
        settings={
            "RELATIVE_BASE": datetime.combine(today, time(12)),
            "PREFER_DATES_FROM": "future",
            "DATE_ORDER": "DMY",
            "STRICT_PARSING": False,
        },
    )
    if found is None:
        return None
    day: date = found.date()
    if with_month is None:
        return day
    if not with_month["year"]:
        day = _without_year(day, today)
    if with_month["weekday"] and day.weekday() != _weekday(with_month["weekday"]):
        raise UnclearDay(f"{_named(day)} is no {_WEEKDAYS[_weekday(with_month['weekday'])].title()}. {HOW}.")
    return day


def _without_year(day: date, today: date) -> date:
    """A day without a year is the next one of its name; one that was only lately is taken for a slip."""
    try:
        before = day.replace(year=day.year - 1)
    except ValueError:
        before = day
    if before == today:
        return today
    if before < today <= before + timedelta(days=JUST_OVER):
        raise UnclearDay(f"{_named(before)} is over: choose a later day, or add the year.")
    if day - today > timedelta(days=366):
        raise UnclearDay(f"The next such day is {_named(day)}: add the year if that is meant.")
    return day


def _numeric(found: re.Match[str], today: date) -> date | None:
    """Two numbers and perhaps a year. With dots the day comes first everywhere; else 12/1 is two days."""
    one, two = int(found["one"]), int(found["two"])
    year = int(found["year"]) if found["year"] else None
    if year is not None and year < 100:
        year += 2000
    first = found["mark"] == "." or one > 12
    day, month = (one, two) if first else (two, one)
    here = year or today.year
    if not first and two <= 12 and one != two:
        either = [_date(here, one, two), _date(here, two, one)]
        said = " or ".join(_named(each, year=year is not None) for each in either if each)
        example = (either[0] or today).isoformat()
        raise UnclearDay(f"“{found.group()}” could be {said}: write the month as a word, or the date as {example}.")
    meant = _date(here, month, day)
    if meant is None or year is not None or meant >= today:
        return meant
    following = _date(here + 1, month, day)
    return None if following is None else _without_year(following, today)


def _end_of(unit: str, following: bool, today: date) -> date:
    """The last day of this day, week, month, quarter or year, or of the next one. A week ends with its Friday."""
    if unit in ("day", "d"):
        return today + timedelta(days=1 if following else 0)
    if unit in ("week", "w"):
        friday = today + timedelta(days=4 - today.weekday())
        return friday + timedelta(days=7 if following or friday < today else 0)
    length = {"m": 1, "q": 3, "y": 12}[unit[0]]
    last = (today.month - 1) // length * length + length + (length if following else 0)
    year, month = today.year + (last - 1) // 12, (last - 1) % 12 + 1
    return date(year, month, monthrange(year, month)[1])


def _nth(number: int, today: date) -> date | None:
    """ "the 15th": of this month, or when it is over of the next that has one."""
    year, month = today.year, today.month
    for _ in range(3):
        day = _date(year, month, number)
        if day is not None and day >= today:
            return day
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _weekday(word: str) -> int:
    return _WEEKDAYS.index(word[:3])


def _count(word: str) -> int:
    return int(word) if word.isdecimal() else _NUMBERS.get(word, 1)


def _named(day: date, *, year: bool = True) -> str:
    return f"{day.day} {_MONTHS[day.month - 1].title()}" + (f" {day.year}" if year else "")


def _shown(words: str) -> str:
    """What was typed, short enough for a sentence."""
    line = " ".join(words.split())
    return line if len(line) <= 40 else f"{line[:39]}…"
