"""Learns the prior of `models.rhythm` from many histories: the product has what was learned, and learns nothing."""

from collections.abc import Callable, Iterable, Sequence
from math import ceil, exp, inf, isfinite, log, log1p

from models.rhythm import DEFAULT_PRIOR, LITTLE_DAYS, LONGEST_DAYS, Prior


def fit_prior(
    histories: Iterable[Sequence[int]], today: int, start: Prior = DEFAULT_PRIOR, scored: int = 12_000
) -> Prior:
    """The prior under which the partners' gaps, each foretold from the earlier ones, are the least surprising.

    `histories` are partners' days with mail as ordinals; days from `today` on are left out. The silence up to today
    is evidence too: that the gap is at least so long. Of more than about `scored` gaps in all, every n-th partner is
    taken, with all of its gaps: a part of them would say too much or too little of leaving. A normal pull of one unit
    of logarithm holds each parameter to `start`, so that a handful of partners changes nothing by much. `memory_days`
    is taken over, as are a `bend` of 1 and a `lasting` of infinity.
    """
    paths = [_path(history, today, start) for history in histories]
    paths = [path for path in paths if path]
    paths = paths[:: max(1, ceil(sum(map(len, paths)) / scored))]
    free = [log(start.shape), log(start.scale)]
    free += [log(start.bend)] if start.bend < 1 else []
    free += [log(start.lasting)] if isfinite(start.lasting) else []

    def prior_at(point: Sequence[float]) -> Prior:
        shape, scale, *rest = (exp(min(max(one, -7.0), 7.0)) for one in point)
        lasting = rest.pop() if isfinite(start.lasting) else inf
        return Prior(shape, scale, min(rest[0], 1.0) if rest else 1.0, lasting, start.memory_days)

    def surprise(point: Sequence[float]) -> float:
        pull = sum((one - origin) ** 2 / 2 for one, origin in zip(point, free, strict=True))
        return pull + _surprise(paths, prior_at(point))

    return prior_at(minimum(surprise, free))


Gap = tuple[int, float, float, bool, bool]
"""Days, the fading of what came before, the weight of what came before, whether it is scored, whether it has ended."""


def _path(history: Sequence[int], today: int, prior: Prior) -> list[Gap]:
    heard = sorted({day for day in history if day < today})
    if len(heard) < LITTLE_DAYS:
        return []
    weight = 0.0
    path: list[Gap] = []
    for place, (day, later) in enumerate(zip(heard, [*heard[1:], today], strict=True), 1):
        gap = later - day
        fading = exp(-gap / prior.memory_days)
        path.append((gap, fading, weight, place >= LITTLE_DAYS, place < len(heard)))
        weight = weight * fading + 1.0
    return path


def _surprise(paths: Iterable[Sequence[Gap]], prior: Prior) -> float:
    shape, scale, bend, lasting = prior.shape, prior.scale, prior.bend, prior.lasting
    bent = [max(days - 0.5, 0.0) ** bend for days in range(LONGEST_DAYS + 1)]
    reached = [max(days - 1.0, 0.0) ** bend for days in range(LONGEST_DAYS + 2)]
    total = 0.0
    for path in paths:
        exposure = 0.0
        for days, fading, weight, scored, ended in path:
            gap = min(days, LONGEST_DAYS)
            if scored:
                power = -(shape + weight)
                own = scale + exposure
                leaves = 1.0 / (1.0 + lasting + weight)
                survives = exp(power * log1p(reached[gap] / own))
                if ended:
                    survives -= exp(power * log1p(reached[gap + 1] / own))
                    leaves, survives = 0.0, survives * (1.0 - leaves)
                    total -= log(max(survives, 1e-12))
                else:
                    total -= log(max(leaves + (1.0 - leaves) * survives, 1e-12))
            exposure = exposure * fading + bent[gap]
    return total


def minimum(
    cost: Callable[[Sequence[float]], float], start: Sequence[float], step: float = 0.4, rounds: int = 200
) -> list[float]:
    """Where a smooth function of a few numbers is least, by the simplex of Nelder and Mead: no derivative is needed."""
    corners = [list(start)]
    corners += [[*start[:place], start[place] + step, *start[place + 1 :]] for place in range(len(start))]
    ranked = sorted((cost(corner), corner) for corner in corners)
    for _ in range(rounds):
        if ranked[-1][0] - ranked[0][0] < 0.01:
            break
        worst = ranked[-1][1]
        middle = [sum(values) / len(start) for values in zip(*(corner for _, corner in ranked[:-1]), strict=True)]

        def moved(by: float, worst: Sequence[float] = worst, middle: Sequence[float] = middle) -> list[float]:
            return [centre + by * (centre - old) for centre, old in zip(middle, worst, strict=True)]

        new = [(value, at) for at in (moved(1.0),) for value in (cost(at),)]
        if new[0][0] < ranked[0][0]:
            new.append((cost(further := moved(2.0)), further))
        elif new[0][0] >= ranked[-2][0]:
            inside = moved(-0.5 if new[0][0] >= ranked[-1][0] else 0.5)
            new.append((cost(inside), inside))
        best = min(new)
        if best[0] < ranked[-1][0]:
            ranked[-1] = best
        else:
            low = ranked[0][1]
            shrunk = [[(a + b) / 2 for a, b in zip(low, corner, strict=True)] for _, corner in ranked[1:]]
            ranked[1:] = [(cost(corner), corner) for corner in shrunk]
        ranked.sort()
    return ranked[0][1]
