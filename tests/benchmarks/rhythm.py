"""Which partners will stay silent for 60 days: models compared on real mail, and how fast all rhythms are computed.

A partner is an organisation (its registrable domain), or one address where strangers share a domain; a day with any
number of its mails is one day. It has a rhythm at a cut-off when it wrote on five days before it or more, the last not
longer than 180 days ago. Cut-offs lie 91 days apart, so that no outcome is counted twice. A model learns from one half
of the partners, from days before the cut-off, and is judged on the other half, then the other way round.
"""

import csv
import hashlib
import random
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from models.domains import organisation
from models.rhythm import AHEAD_DAYS, DEFAULT_PRIOR, ENOUGH_DAYS, Prior, quiet, rhythm_of
from tests.benchmarks._area import Area, held
from tests.benchmarks._rhythm_fit import fit_prior
from tests.benchmarks._rhythm_models import MODELS, Days, Known, Row

CUTS_APART = 91
WARM_UP_DAYS = 3 * 365
"""No cut-off lies in the first three years: there would be little to learn from."""
REFIT_EVERY = 3
RESAMPLES = 200
SHIPPED = "rhythm, prior as shipped"
VAGUE = Prior(shape=1.0, scale=10.0, bend=0.7, lasting=20.0)
"""Where the search for the prior as shipped began; other starts end beside it."""

Histories = Mapping[str, Days]


@dataclass(frozen=True, slots=True)
class Judged:
    """A row, and what each model said of it: score and probability."""

    row: Row
    said: Mapping[str, tuple[float, float]]


def by_organisation(domain: str, address: str) -> str:
    return organisation(domain) or address


def by_domain(domain: str, address: str) -> str:
    return domain


def by_address(domain: str, address: str) -> str:
    return address


def histories_of(file: Path, partner: Callable[[str, str], str] = by_organisation) -> dict[str, list[int]]:
    """Each partner's days (UTC, ordinals) with inbound mail. Columns in order: direction, domain, address, seconds."""
    days: dict[str, set[int]] = {}
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            for line in csv.reader(lines):
                if len(line) >= 4 and line[0] == "in":
                    day = datetime.fromtimestamp(float(line[3]), UTC).toordinal()
                    days.setdefault(partner(line[1].lower(), line[2].lower()), set()).add(day)
    except OSError as error:
        raise SystemExit(f"cannot read the history: {error.filename}: {error.strerror}") from error
    return {name: sorted(heard) for name, heard in days.items()}


def half_of(partner: str) -> int:
    """Which of two halves a partner belongs to, the same in every run."""
    return hashlib.sha256(partner.encode()).digest()[0] % 2


def cuts_of(histories: Histories) -> list[int]:
    """The days at which the future is asked for. The last lies so that its 60 days are all there."""
    first = min(days[0] for days in histories.values())
    last = max(days[-1] for days in histories.values())
    return list(range(last - AHEAD_DAYS + 1, first + WARM_UP_DAYS, -CUTS_APART))[::-1]


def rows_at(histories: Histories, cut: int, least_days: int = 5, within_days: int = 180) -> list[Row]:
    rows = []
    for partner, days in histories.items():
        known = bisect_left(days, cut)
        if known >= least_days and cut - days[known - 1] <= within_days:
            silent = bisect_left(days, cut + AHEAD_DAYS) == known
            rows.append(Row(partner, cut, days[:known], silent))
    return rows


def judge(
    histories: Histories,
    models: Iterable[str],
    least_days: int = 5,
    within_days: int = 180,
    refit_every: int = REFIT_EVERY,
) -> list[Judged]:
    """What each model says at every cut-off, about the half that it did not learn from."""
    halves = [{name: days for name, days in histories.items() if half_of(name) == half} for half in (0, 1)]
    judged: list[Judged] = []
    for teachers, pupils in (halves, halves[::-1]):
        earlier: list[Row] = []
        answers = {}
        for place, cut in enumerate(cuts_of(histories)):
            # Rows of the cut-off before teach the regressions: their 60 days are over by now.
            earlier += rows_at(teachers, cut - CUTS_APART, least_days, within_days)
            if place % refit_every == 0:
                cropped = [days[: bisect_left(days, cut)] for days in teachers.values()]
                known = Known([days for days in cropped if len(days) >= least_days], earlier, cut)
                answers = {name: MODELS[name](known) for name in models}
            for row in rows_at(pupils, cut, least_days, within_days):
                judged.append(Judged(row, {name: answer(row.days, cut) for name, answer in answers.items()}))
    return judged


def auc(truths: Sequence[bool], scores: Sequence[float]) -> float:
    """How often a partner that stayed silent stands above one that did not; ties count half."""
    order = sorted(range(len(scores)), key=scores.__getitem__)
    ranks = 0.0
    place = 0
    while place < len(order):
        ties = place
        while ties < len(order) and scores[order[ties]] == scores[order[place]]:
            ties += 1
        ranks += (place + ties + 1) / 2 * sum(truths[one] for one in order[place:ties])
        place = ties
    silent = sum(truths)
    return (ranks - silent * (silent + 1) / 2) / (silent * (len(truths) - silent))


def average_precision(truths: Sequence[bool], scores: Sequence[float]) -> float:
    """The precision at each silent partner from the top down, on average; ties stand together."""
    order = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
    found = place = 0
    total = 0.0
    while place < len(order):
        ties = place
        while ties < len(order) and scores[order[ties]] == scores[order[place]]:
            ties += 1
        new = sum(truths[one] for one in order[place:ties])
        found += new
        total += new * found / ties
        place = ties
    return total / found


def brier(truths: Sequence[bool], likely: Sequence[float]) -> float:
    return sum((one - truth) ** 2 for truth, one in zip(truths, likely, strict=True)) / len(truths)


def top_share(truths: Sequence[bool], scores: Sequence[float], share: float = 0.1) -> float:
    """Of the top tenth, how many stayed silent."""
    order = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)[: max(1, int(len(scores) * share))]
    return sum(truths[one] for one in order) / len(order)


def measures(judged: Sequence[Judged], name: str) -> dict[str, float]:
    truths = [one.row.silent for one in judged]
    scores = [one.said[name][0] for one in judged]
    likely = [one.said[name][1] for one in judged]
    return {
        "auc": auc(truths, scores),
        "ap": average_precision(truths, scores),
        "brier": brier(truths, likely),
        "top": top_share(truths, scores),
    }


def resampled(
    judged: Sequence[Judged], names: Sequence[str], rounds: int = RESAMPLES
) -> dict[str, list[dict[str, float]]]:
    """The measures over partners drawn with replacement: all rows of a partner come and go together."""
    rows: dict[str, list[Judged]] = {}
    for one in judged:
        rows.setdefault(one.row.partner, []).append(one)
    partners = list(rows)
    dice = random.Random(1)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(rounds):
        drawn = [row for partner in dice.choices(partners, k=len(partners)) for row in rows[partner]]
        for name in names:
            found[name].append(measures(drawn, name))
    return found


def run(options: Mapping[str, str], area: Area) -> None:
    if file := options.get("CSV"):
        area.details["accuracy"] = accuracy(Path(file))
    else:
        print("accuracy: name a history of mail in CSV to measure it\n")
    speed(area)


def accuracy(file: Path) -> dict[str, Any]:
    histories = histories_of(file)
    judged = judge(histories, MODELS)
    truths = [one.row.silent for one in judged]
    partners = len({one.row.partner for one in judged})
    cuts = len({one.row.cut for one in judged})
    print(
        f"{len(judged):,} questions about {partners:,} partners with a rhythm at {cuts} cut-offs; "
        f"{sum(truths) / len(truths):.1%} stayed silent for {AHEAD_DAYS} days\n"
    )
    figures: dict[str, Any] = {
        "rows": len(judged),
        "partners": partners,
        "cuts": cuts,
        "share": sum(truths) / len(truths),
    }
    figures["models"] = compare(judged)
    unseen = [one for one in judged if half_of(one.row.partner) == 1]
    figures["as_shipped_on_half_1"] = {name: measures(unseen, name) for name in (SHIPPED, "rhythm", "days since last")}
    print(f"Only partners of half 1, of whom the prior as shipped has learned nothing ({len(unseen):,} rows):")
    for name, row in figures["as_shipped_on_half_1"].items():
        print(f"{name:27}{row['auc']:7.3f}{'':15}{row['ap']:7.3f}{row['brier']:8.4f}{row['top']:10.1%}")
    print()
    figures["reliability"] = {name: reliability(judged, name) for name in ("rhythm", "days since last")}
    figures["reliability"][SHIPPED] = reliability(unseen, SHIPPED)
    figures["chances"] = chances({name: days for name, days in histories.items() if half_of(name) == 1})
    figures["populations"] = populations(file)
    for half in (0, 1):
        teachers = [days for name, days in histories.items() if half_of(name) == half]
        learned = fit_prior(teachers, _after(histories), VAGUE, scored=10**9)
        print(f"prior learned from half {half}, all years: {learned}")
    print(f"prior as shipped: {DEFAULT_PRIOR}\n")
    return figures


def compare(judged: Sequence[Judged]) -> dict[str, Any]:
    names = list(MODELS)
    drawn = resampled(judged, names)
    table = {name: measures(judged, name) for name in names}
    plain = table["days since last"]
    print(f"{'model':27}{'AUC':>7}{'  (95 %)':15}{'AP':>7}{'Brier':>8}{'top 10 %':>10} |", end="")
    print(f"{'AUC over days since':>21}{'AUC − rhythm':>20}{'Brier − rhythm':>20}")
    figures: dict[str, Any] = {}
    for name, row in table.items():
        low, high = _interval([one["auc"] for one in drawn[name]])
        against = {
            key: _interval([one[key] - ours[key] for one, ours in zip(drawn[name], drawn["rhythm"], strict=True)])
            for key in ("auc", "ap", "brier")
        }
        lift = _interval([a["auc"] - b["auc"] for a, b in zip(drawn[name], drawn["days since last"], strict=True)])
        print(f"{name:27}{row['auc']:7.3f}  {low:.3f}–{high:.3f}  {row['ap']:7.3f}{row['brier']:8.4f}", end="")
        print(f"{row['top']:10.1%} |", end="")
        print(f"{row['auc'] - plain['auc']:+7.3f} {lift[0]:+.3f}…{lift[1]:+.3f}", end="")
        print(f"   {against['auc'][0]:+.3f}…{against['auc'][1]:+.3f}", end="")
        print(f"    {against['brier'][0]:+.4f}…{against['brier'][1]:+.4f}")
        figures[name] = {**row, "auc_95": (low, high), "auc_lift": row["auc"] - plain["auc"], "auc_lift_95": lift}
        figures[name]["against_rhythm_95"] = against
    print("Intervals: 95 % of 200 draws of partners with replacement. Brier: 0.25 is a coin, less is better.\n")
    return figures


def reliability(judged: Sequence[Judged], name: str) -> list[dict[str, float]]:
    """What was said, and what came: ten bands of probability."""
    print(f"{'said: ' + name:34}{'rows':>7}{'mean':>8}{'stayed silent':>15}")
    figures = []
    for band in range(10):
        inside = [one for one in judged if min(int(one.said[name][1] * 10), 9) == band]
        if inside:
            said = sum(one.said[name][1] for one in inside) / len(inside)
            came = sum(one.row.silent for one in inside) / len(inside)
            print(f"{band * 10:3} – {band * 10 + 10:3} %{'':22}{len(inside):7}{said:8.1%}{came:15.1%}")
            figures.append({"rows": len(inside), "said": said, "came": came})
    print()
    return figures


def chances(histories: Histories) -> list[dict[str, float]]:
    """Whether "1 in 40" is 1 in 40: of all gaps, foretold from the days before, how many outlast such a silence.

    Every gap counts whose silence could be seen to its end. As a last mail may be the last for good, more silences
    than ordinary gaps last so long: the middle column says how many the model expects with that.
    """
    end = _after(histories)
    print(f"{'silence said to be':22}{'gaps':>8}{'expected, leaving included':>29}{'seen':>8}")
    figures = []
    for count in (2, 4, 10, 20, 40, 100):
        total = seen = 0
        expected = 0.0
        for days in histories.values():
            for place in range(ENOUGH_DAYS, len(days) + 1):
                rhythm = rhythm_of(days[max(0, place - 60) : place])
                reached = 1 + (
                    (count ** (1 / (rhythm.prior.shape + rhythm.gaps)) - 1) * (rhythm.prior.scale + rhythm.exposure)
                ) ** (1 / rhythm.prior.bend)
                if days[place - 1] + reached <= end:
                    total += 1
                    expected += rhythm.ended() + (1 - rhythm.ended()) / count
                    seen += place == len(days) or days[place] - days[place - 1] >= reached
        print(f"{'1 in ' + str(count):22}{total:8}{expected / total:29.1%}{seen / total:8.1%}")
        figures.append({"count": count, "gaps": total, "expected": expected / total, "seen": seen / total})
    print()
    return figures


def populations(file: Path) -> dict[str, Any]:
    """Whether it hangs on what a partner is, and on what counts as a rhythm."""
    names = ["days since last", "rhythm", "rhythm, prior as shipped"]
    print(f"{'population':34}{'rows':>7}{'silent':>8} |{'days since: AUC':>17}{'Brier':>8}", end="")
    print(f" |{'rhythm: AUC':>13}{'Brier':>8}", end="")
    print(f" |{'as shipped: AUC':>17}{'Brier':>8}")
    figures: dict[str, Any] = {}
    for said, partner, least, within in (
        ("organisation, 3 days, 180 days", by_organisation, 3, 180),
        ("organisation, 10 days, 180 days", by_organisation, 10, 180),
        ("organisation, 5 days, 90 days", by_organisation, 5, 90),
        ("organisation, 5 days, 365 days", by_organisation, 5, 365),
        ("organisation, 5 days, ever", by_organisation, 5, 10**6),
        ("domain, 5 days, 180 days", by_domain, 5, 180),
        ("address, 5 days, 180 days", by_address, 5, 180),
    ):
        judged = judge(histories_of(file, partner), names, least, within, refit_every=12)
        rows = {name: measures(judged, name) for name in names}
        share = sum(one.row.silent for one in judged) / len(judged)
        print(f"{said:34}{len(judged):7}{share:8.1%}", end="")
        for name, width in zip(names, (17, 13, 17), strict=True):
            print(f" |{rows[name]['auc']:{width}.3f}{rows[name]['brier']:8.4f}", end="")
        print()
        figures[said] = {"rows": len(judged), "share": share, **rows}
    print()
    return figures


def speed(area: Area) -> None:
    """All partners' silences from each one's days, beside the floor: putting the same days in order."""
    today = date(2026, 11, 23)
    dice = random.Random(1)
    # As many shapes as there are need not be as many as partners are: what is measured holds no cache of them.
    shapes = [sorted(today.toordinal() - dice.randrange(1, 1000) for _ in range(100)) for _ in range(500)]
    rhythm_of(shapes[0])
    for partners in (1_000, 10_000, 100_000):
        best = {}
        for said, work in (
            ("floor", lambda days: sorted(set(days))),
            ("rhythm", lambda days: quiet(rhythm_of(days), today)),
        ):
            taken = float("inf")
            with held() as memory:
                for _ in range(3 if partners < 100_000 else 1):
                    started = time.process_time()
                    for number in range(partners):
                        work(shapes[number % 500])
                    taken = min(taken, time.process_time() - started)
            best[said] = taken
        what = f"rhythm and words of {partners:,} partners with 100 days each"
        target = f"≤ {partners / 5_000:g}"  # linear
        area.row(what, best["rhythm"], "s", floor=best["floor"], memory=memory.megabytes, target=target)


def _after(histories: Histories) -> int:
    return max(days[-1] for days in histories.values()) + 1


def _interval(values: Sequence[float]) -> tuple[float, float]:
    ranked = sorted(values)
    return ranked[int(len(ranked) * 0.025)], ranked[min(int(len(ranked) * 0.975), len(ranked) - 1)]
