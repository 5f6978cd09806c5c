"""The sentences of the early signals: next steps gone stale, silences out of character, days on which all is shut.

Plain text, as in `bot.wording`. The partner is the subject; nothing here says who let what lie.
"""

from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

from bot import wording
from models.cadence import Shutdown
from models.clock import local_day
from models.rhythm import UNUSUAL, Silence, one_in
from models.standing import Standing, shut_days
from models.weekly_read import GoneQuiet, WeeklyRead

QUIET_SHOWN = 3


def stale_step(standing: Standing, today: date, zone: ZoneInfo) -> str:
    """Why its next step is stale: "was due Mon 16 Nov", or "no day, agreed 20 days ago"."""
    step = standing.facts.next_step
    if step is None:
        return "no next step"
    if step.due_on is not None:
        return wording.by_day(step.due_on, today)
    agreed = f", agreed {wording.days_ago((today - local_day(step.set_at, zone)).days)}" if step.set_at else ""
    return f"no day{agreed}"


def not_counted(standing: Standing, zone: ZoneInfo, shutdowns: Sequence[Shutdown]) -> str | None:
    """ "9 days of Christmas do not count": why the due day is later than its rhythm says; None if nothing moved it."""
    moved = shut_days(standing, zone, shutdowns)
    if not moved:
        return None
    said = [f"{wording.plural(days, 'day')} of {wording.name(shut.reason)}" for shut, days in moved]
    one_day = sum(days for _, days in moved) == 1
    return f"{wording.listed(said, len(said))} {'does' if one_day else 'do'} not count"


def shutdown(one: Shutdown, today: date) -> str:
    """ "Christmas, Thu 24 Dec to Fri 1 Jan 2027, 9 days"."""
    days = (one.until_on - one.from_on).days + 1
    until = f" to {wording.on_day(one.until_on, today)}" if days > 1 else ""
    return f"{wording.name(one.reason)}, {wording.on_day(one.from_on, today)}{until}, {wording.plural(days, 'day')}"


def step_stale_line(read: WeeklyRead, shown: int = 6) -> str | None:
    said = [wording.name(one.facts.name) for one in read.step_stale]
    those = wording.beside_overdue(said, sum(one.step_stale for one in read.overdue), shown)
    return f"Next step gone stale: {those}" if those else None


def quiet_line(read: WeeklyRead, shown: int = QUIET_SHOWN) -> str | None:
    """Whose silence is out of character, with the reason; from which chance on stands beside it."""
    said = [gone_quiet(one) for one in read.quiet[: shown + (len(read.quiet) == shown + 1)]]
    more = len(read.quiet) - len(said)
    told = "; ".join([*said, *([f"and {more} more"] if more else [])])
    rare = one_in(UNUSUAL).removeprefix("about ")
    return f"Gone quiet (such a silence is {rare} of theirs, or rarer): {told}" if said else None


def gone_quiet(one: GoneQuiet) -> str:
    """ "Acme usually writes every 6 days, silent for 27: about 1 in 40"."""
    return f"{wording.name(one.standing.facts.name)} {one.words}"


def writing(silence: Silence) -> str:
    """ "usually writes every 6 days, silent for 27: about 1 in 40 of its silences last so long"."""
    odds = one_in(silence.chance) if silence.chance is not None else ""
    return silence.words.replace(f": {odds}", f": {odds} of its silences last so long", 1) if odds else silence.words


def shutdown_line(read: WeeklyRead) -> str | None:
    """The shutdowns that may have moved a due day; none of their days counts in a window."""
    said = [shutdown(one, read.today) for one in read.shutdowns]
    return f"Shut, so no window runs on: {'; '.join(said)}" if said else None
