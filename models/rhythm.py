"""A partner's own rhythm of inbound mail, and how far out of character a silence is. Pure: standard library only.

It changes no state and ranks no people: it knows days, not who wrote. The model, its rivals and how they compare stand
in `tests/benchmarks/rhythm.py`.

Each gap between two days with mail is Weibull distributed, S(t) = exp(-rate · (t - 1) ** bend) for t = 1, 2, … days:
`bend` < 1 says that mail comes in bursts. The rate is the partner's own; over all partners it is Gamma distributed,
so that what a partner's gaps teach is two sums: how many there were, and how long. Old gaps count less. After every
mail a partner may have written its last, with a chance that falls the longer it has kept writing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from math import ceil, exp, inf, isfinite, log1p
from zoneinfo import ZoneInfo

from models.clock import local_day

ENOUGH_DAYS = 3
"""Days with mail, and so two gaps, before anything is said about a partner."""

LITTLE_DAYS = 5
"""Below as many days with mail the words say that there is little history."""

AHEAD_DAYS = 60
"""How far ahead `Silence.stays_silent` looks."""

UNUSUAL = 0.1
"""A silence that at most one gap in ten outlasts is out of character."""

MEMORIES = 6
"""Gaps older than so many `memory_days` before the last mail count for nothing: their weight is below 0.25 %."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What is known of a partner before its own gaps are.

    shape: the Gamma distribution's, of the rate: as many of its own gaps (after forgetting) weigh as much as the prior.
    scale: the Gamma distribution's (its inverse rate), in days ** bend.
    bend: the Weibull exponent, in (0, 1]; 1 is mail at random times, less is burstier.
    lasting: b of Beta(1, b), the chance that a mail is the last for long: 1 in (1 + b) with no gap seen. `inf`: never.
    memory_days: a gap that ended so many days before the last mail counts 1/e of the newest. `inf` forgets nothing.
    """

    shape: float
    scale: float
    bend: float
    lasting: float
    memory_days: float = 180.0


DEFAULT_PRIOR = Prior(shape=0.56, scale=1.82, bend=0.62, lasting=19.6)
"""Learned from half of the correspondents of W3C's public mailing lists, 1995 to 2004, all gaps scored;
`make bench ONLY=rhythm CSV=…` learns it anew, and judges it on the other half. `memory_days` was chosen on both: 90,
180 and 365 foretell alike, and 180 keeps enough of a partner that writes monthly."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What is kept of one partner's days with inbound mail. `heard_days` counts all of them, `last_day` is the newest.

    usual_days: the median gap, old ones counting less, in days; None without a gap.
    gaps, exposure: the remembered gaps' weights, and weight · (gap - ½) ** bend, added up.
    """

    heard_days: int
    last_day: int | None
    usual_days: int | None
    gaps: float
    exposure: float
    prior: Prior

    def outlasts(self, days: int) -> float:
        """P(gap >= days), for a gap in this rhythm; 1 up to the first day, never rising."""
        prior = self.prior
        scale = prior.scale + self.exposure
        return exp(-(prior.shape + self.gaps) * log1p(max(days - 1, 0) ** prior.bend / scale))

    def ended(self) -> float:
        """P(the last mail was the last for good), as known on the day it came."""
        return 1.0 / (1.0 + self.prior.lasting + self.gaps)

    def stays_silent(self, silent_days: int, ahead_days: int) -> float:
        """P(no mail for `ahead_days` from today on, or tomorrow if today had some | silent so far). It never falls."""
        silent_days = max(silent_days, 1)
        ended = self.ended()
        so_far = ended + (1.0 - ended) * self.outlasts(silent_days)
        return min((ended + (1.0 - ended) * self.outlasts(silent_days + ahead_days)) / so_far, 1.0)


@dataclass(frozen=True, slots=True)
class Silence:
    """How unusual a partner's silence is for it. What cannot be said is None, and the words say why.

    usual_days: the partner's median gap in days, as `Rhythm.usual_days`.
    silent_days: days since the last mail; 0 on its day.
    chance: P(gap >= silent_days) in the partner's own rhythm: one gap in 1 / chance lasts so long. The words say this.
    stays_silent: P(no mail in 60 days from today on | silent so far), as `Rhythm.stays_silent`; leaving included.
    """

    usual_days: int | None
    silent_days: int | None
    chance: float | None
    stays_silent: float | None
    words: str

    @property
    def unusual(self) -> bool:
        return self.chance is not None and self.chance <= UNUSUAL


def days_of(instants: Iterable[datetime], zone: ZoneInfo) -> list[int]:
    """The days of aware instants in a zone, as ordinals, ascending and each once: a burst within a day is one."""
    return sorted({local_day(at, zone).toordinal() for at in instants})


def rhythm_of(days: Iterable[int], prior: Prior = DEFAULT_PRIOR) -> Rhythm:
    """A partner's rhythm from the ordinals of its days with human inbound mail, in any order, repeated or not."""
    heard = sorted(set(days), reverse=True)
    if not heard:
        return Rhythm(0, None, None, 0.0, 0.0, prior)
    last = heard[0]
    faded, bent = _tables(prior)
    longest, forgotten = len(bent) - 1, last - len(faded)
    remembered = heard if heard[-1] > forgotten else [day for day in heard if day > forgotten]
    gaps = [min(later - day, longest) for later, day in zip(remembered, heard[1:], strict=False)]
    fading = [faded[last - later] for later in remembered[: len(gaps)]]
    weights = sum(fading)
    exposure = sum([weight * bent[gap] for gap, weight in zip(gaps, fading, strict=True)])
    median = _median(list(zip(gaps, fading, strict=True)), weights)
    return Rhythm(len(heard), last, median, weights, exposure, prior)


def quiet(rhythm: Rhythm, today: date) -> Silence:
    """The silence of a partner on a day of the programme. A last mail after `today` counts as one of today."""
    if rhythm.last_day is None or rhythm.usual_days is None or rhythm.heard_days < ENOUGH_DAYS:
        silent = None if rhythm.last_day is None else max(today.toordinal() - rhythm.last_day, 0)
        times = {0: "never heard from", 1: "heard from on one day only"}
        heard = times.get(rhythm.heard_days, f"heard from on {rhythm.heard_days} days only")
        return Silence(rhythm.usual_days, silent, None, None, f"too early to say: {heard}")
    silent = max(today.toordinal() - rhythm.last_day, 0)
    chance = rhythm.outlasts(silent)
    words = _words(rhythm, silent, chance)
    return Silence(rhythm.usual_days, silent, chance, rhythm.stays_silent(silent, AHEAD_DAYS), words)


@lru_cache(maxsize=16)
def soonest_unusual(prior: Prior = DEFAULT_PRIOR) -> int:
    """Days of silence: less is unusual for nobody, whatever the rhythm, so nobody's rhythm has to be looked at.

    The most that days can say is that there was mail on each that is remembered; and the more of them, the more they
    say, unless the prior alone expects more than that.
    """
    faded, bent = _tables(prior)
    daily = Rhythm(len(faded), 0, 1, sum(faded), sum(faded) * bent[1], prior)
    if prior.scale < prior.shape * bent[1]:
        return 0
    unusual = (days for days in range(LONGEST_DAYS) if daily.outlasts(days) <= UNUSUAL * (1 + 1e-9))
    return next(unusual, LONGEST_DAYS)


def one_in(chance: float) -> str:
    """A chance as people say it: "1 in 40". Rounded to what the model can know."""
    count = 1 / chance if chance > 0 else inf
    if count > 1000:
        return "less than 1 in 1000"
    step = 1 if count < 10 else 5 if count < 50 else 10 if count < 100 else 50 if count < 500 else 100
    return f"about 1 in {int(count / step + 0.5) * step}"


LONGEST_DAYS = 1080
"""Gaps longer than three years are taken for three years."""


@lru_cache(maxsize=16)
def _tables(prior: Prior) -> tuple[list[float], list[float]]:
    """Weights by age in days, and (gap - ½) ** bend by gap in days: a partner's sums are looked up, not computed."""
    memory = prior.memory_days
    ages = range(ceil(MEMORIES * memory) if isfinite(memory) else 36_500)
    return [exp(-age / memory) for age in ages], [max(gap - 0.5, 0.0) ** prior.bend for gap in range(LONGEST_DAYS + 1)]


def _median(gaps: list[tuple[int, float]], weights: float) -> int | None:
    """The shortest gap that, with those below it, holds half of the weight."""
    below = 0.0
    for gap, weight in sorted(gaps):
        below += weight
        if 2 * below >= weights:
            return gap
    return gaps[-1][0] if gaps else None


def _words(rhythm: Rhythm, silent: int, chance: float) -> str:
    usual = "every day" if rhythm.usual_days == 1 else f"every {rhythm.usual_days} days"
    little = f" (little history: {rhythm.heard_days} days with mail)" if rhythm.heard_days < LITTLE_DAYS else ""
    if silent == 0:
        return f"usually writes {usual}, heard today{little}"
    said = "as usual" if chance > 2 / 3 else one_in(chance)
    return f"usually writes {usual}, silent for {silent}: {said}{little}"
