"""Rivals of `models/rhythm.py`: from a fixed threshold to BG/NBD and a regression on everything at hand.

Each learns from other partners' days before a cut-off, then says of a partner how likely 60 silent days are.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import erfc, exp, inf, lgamma, log, log1p, sqrt
from statistics import fmean, median

from models.rhythm import AHEAD_DAYS, DEFAULT_PRIOR, Prior, rhythm_of
from tests.benchmarks._rhythm_fit import fit_prior, minimum

Days = Sequence[int]
Answer = Callable[[Days, int], tuple[float, float]]
"""Days with mail before the cut-off, and it: a score that ranks, and the probability of staying silent."""


@dataclass(frozen=True, slots=True)
class Row:
    """A partner with a rhythm at a cut-off. `days` lie before it; whether it then stayed silent."""

    partner: str
    cut: int
    days: Days
    silent: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What a model may learn from: the other half before the cut-off, and rows whose outcome was known by it."""

    histories: Sequence[Days]
    rows: Sequence[Row]
    cut: int


def threshold(known: Known, days: int = 30) -> Answer:
    """Silent for more than so many days, or not; each with the share that stayed silent."""
    late = [row.silent for row in known.rows if row.cut - row.days[-1] > days]
    soon = [row.silent for row in known.rows if row.cut - row.days[-1] <= days]
    shares = [(sum(group) + 1) / (len(group) + 2) for group in (soon, late)]
    return lambda past, cut: (float(cut - past[-1] > days), shares[cut - past[-1] > days])


def days_since(known: Known) -> Answer:
    return _regressed(known, _since, lambda past, cut: float(cut - past[-1]))


def times_usual(known: Known) -> Answer:
    def score(past: Days, cut: int) -> float:
        return (cut - past[-1]) / median(_gaps(past))

    return _regressed(known, lambda past, cut: [log(score(past, cut))], score)


def everything(known: Known) -> Answer:
    """Nine numbers about a partner, weighed by a regression for this very question: how much there is to know."""

    def features(past: Days, cut: int) -> list[float]:
        gaps = _gaps(past)
        counts = [len(past) - bisect_left(past, cut - days) for days in (30, 90, 365)]
        shapes = [fmean(gaps), median(gaps), fmean(gaps[-5:]), max(gaps), len(past)]
        return [*_since(past, cut), *(log(one) for one in shapes), *(log1p(count) for count in counts)]

    return _regressed(known, features)


def own_gaps(known: Known, worth: float = 5.0) -> Answer:
    """How many of its own gaps were as long, mixed with all partners' gaps as if those were five of its own."""
    pooled = sorted(gap for past in known.histories for gap in [*_gaps(past), known.cut - past[-1]])

    def answer(past: Days, cut: int) -> tuple[float, float]:
        gaps = sorted(_gaps(past))

        def outlasts(days: int) -> float:
            everyone = (len(pooled) - bisect_left(pooled, days) + 0.5) / (len(pooled) + 1)
            return (len(gaps) - bisect_left(gaps, days) + worth * everyone) / (len(gaps) + worth)

        silent = cut - past[-1]
        likely = outlasts(silent + AHEAD_DAYS) / outlasts(silent)
        return likely, likely

    return answer


def lognormal(known: Known) -> Answer:
    """Logarithms of gaps are normal about a partner's mean, the means normal about everybody's; none leaves."""
    sums = [_logs(past) for past in known.histories]
    last = [log(max(known.cut - past[-1], 1)) for past in known.histories]

    def surprise(point: Sequence[float]) -> float:
        centre, between, within = point[0], exp(point[1]), exp(point[2])
        total = 0.0
        for (count, total_log, squares), silent in zip(sums, last, strict=True):
            mean, spread = _own_mean(count, total_log, centre, between, within)
            own = total_log / count
            scatter = squares - count * own * own
            total += count / 2 * log(within) + log1p(count * between / within) / 2
            total += scatter / within / 2 + count * (own - centre) ** 2 / (within + count * between) / 2
            total -= log(max(_above(silent, mean, spread), 1e-12))
        return total

    centre, *logs = minimum(surprise, [2.0, 0.0, 1.0])
    between, within = (exp(one) for one in logs)

    def answer(past: Days, cut: int) -> tuple[float, float]:
        count, total_log, _ = _logs(past)
        mean, spread = _own_mean(count, total_log, centre, between, within)
        silent = cut - past[-1]
        so_far = max(_above(log(silent), mean, spread), 1e-12)
        likely = min(_above(log(silent + AHEAD_DAYS), mean, spread) / so_far, 1.0)
        return likely, likely

    return answer


def bg_nbd(known: Known) -> Answer:
    """Fader, Hardie and Lee's: mail at random times at the partner's own rate, and after each it may leave for good."""
    facts = [(len(past) - 1, past[-1] - past[0], known.cut - past[0]) for past in known.histories]

    def surprise(point: Sequence[float]) -> float:
        r, alpha, a, b = (exp(min(max(one, -6.0), 8.0)) for one in point)
        total = 0.0
        for count, until, age in facts:
            both = lgamma(r + count) - lgamma(r) + r * log(alpha) + lgamma(a + b) - lgamma(b)
            both += lgamma(b + count) - lgamma(a + b + count)
            gone = a / (b + count - 1) * ((alpha + age) / (alpha + until)) ** (r + count)
            total -= both - (r + count) * log(alpha + age) + log1p(gone)
        return total

    r, alpha, a, b = (exp(one) for one in minimum(surprise, [0.0, 3.0, -0.5, 1.0]))

    def answer(past: Days, cut: int) -> tuple[float, float]:
        count, until, age = len(past) - 1, past[-1] - past[0], cut - past[0]
        alive = 1 / (1 + a / (b + count - 1) * ((alpha + age) / (alpha + until)) ** (r + count))
        likely = 1 - alive + alive * ((alpha + age) / (alpha + age + AHEAD_DAYS)) ** (r + count)
        return likely, likely

    return answer


def rhythm(start: Prior = DEFAULT_PRIOR, learn: bool = True) -> Callable[[Known], Answer]:
    """The product's own, with a prior learned from the other half, or as it is."""

    def learned(known: Known) -> Answer:
        prior = fit_prior(known.histories, known.cut, start) if learn else start

        def answer(past: Days, cut: int) -> tuple[float, float]:
            likely = rhythm_of(past, prior).stays_silent(cut - past[-1], AHEAD_DAYS)
            return likely, likely

        return answer

    return learned


def unusual_first(known: Known) -> Answer:
    """The product's P(gap >= silence) as a ranking: what is out of character is not yet what stays silent."""
    prior = fit_prior(known.histories, known.cut)

    def score(past: Days, cut: int) -> float:
        return -rhythm_of(past, prior).outlasts(cut - past[-1])

    return _regressed(known, lambda past, cut: [log(max(-score(past, cut), 1e-6))], score)


MODELS: dict[str, Callable[[Known], Answer]] = {
    "fixed threshold, 30 days": threshold,
    "days since last": days_since,
    "silence ÷ usual gap": times_usual,
    "P(gap ≥ silence), rhythm": unusual_first,
    "own gaps, shrunk": own_gaps,
    "lognormal gaps": lognormal,
    "BG/NBD": bg_nbd,
    "rhythm, mail at random": rhythm(replace(DEFAULT_PRIOR, bend=1.0)),
    "rhythm, none leaves": rhythm(replace(DEFAULT_PRIOR, lasting=inf)),
    "rhythm, no forgetting": rhythm(replace(DEFAULT_PRIOR, memory_days=inf)),
    "rhythm, memory 90 days": rhythm(replace(DEFAULT_PRIOR, memory_days=90.0)),
    "rhythm, memory 365 days": rhythm(replace(DEFAULT_PRIOR, memory_days=365.0)),
    "rhythm": rhythm(),
    "rhythm, prior as shipped": rhythm(learn=False),
    "regression on everything": everything,
}


def _since(past: Days, cut: int) -> list[float]:
    return [log(cut - past[-1])]


def _gaps(past: Days) -> list[int]:
    return [later - day for day, later in pairwise(past)]


def _logs(past: Days) -> tuple[int, float, float]:
    logs = [log(gap) for gap in _gaps(past)]
    return len(logs), sum(logs), sum(one * one for one in logs)


def _own_mean(count: int, total: float, centre: float, between: float, within: float) -> tuple[float, float]:
    variance = 1 / (1 / between + count / within)
    return variance * (centre / between + total / within), sqrt(within + variance)


def _above(value: float, mean: float, spread: float) -> float:
    return erfc((value - mean) / spread / sqrt(2)) / 2


def _regressed(
    known: Known,
    features: Callable[[Days, int], list[float]],
    score: Callable[[Days, int], float] | None = None,
) -> Answer:
    rows = [[1.0, *features(row.days, row.cut)] for row in known.rows]
    weights = _logistic(rows, [float(row.silent) for row in known.rows])

    def answer(past: Days, cut: int) -> tuple[float, float]:
        reached = sum(w * x for w, x in zip(weights, [1.0, *features(past, cut)], strict=True))
        likely = 1 / (1 + exp(-min(max(reached, -30.0), 30.0)))
        return score(past, cut) if score else likely, likely

    return answer


def _logistic(rows: Sequence[Sequence[float]], truths: Sequence[float]) -> list[float]:
    """Newton's steps with a slight pull to nought."""
    width = len(rows[0])
    weights = [0.0] * width
    for _ in range(12):
        slope = [-0.1 * weight for weight in weights]
        curve = [[0.1 * (i == j) for j in range(width)] for i in range(width)]
        for row, truth in zip(rows, truths, strict=True):
            reached = sum(w * x for w, x in zip(weights, row, strict=True))
            likely = 1 / (1 + exp(-min(max(reached, -30.0), 30.0)))
            for i, x in enumerate(row):
                slope[i] += (truth - likely) * x
                part = likely * (1 - likely) * x
                for j in range(width):
                    curve[i][j] += part * row[j]
        weights = [weight + step for weight, step in zip(weights, _solved(curve, slope), strict=True)]
    return weights


def _solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    rows = [[*line, value] for line, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for place in range(size):
        pivot = max(range(place, size), key=lambda at: abs(rows[at][place]))
        rows[place], rows[pivot] = rows[pivot], rows[place]
        for other in range(size):
            if other != place:
                share = rows[other][place] / rows[place][place]
                rows[other] = [a - share * b for a, b in zip(rows[other], rows[place], strict=True)]
    return [row[-1] / row[place] for place, row in enumerate(rows)]
