"""Ten years of real mail: a partner's rhythm foretells its silence better than the days since its last mail do.

Every partner is judged by what was learned from others, before the day of the question.
"""

import pytest

from tests.benchmarks._rhythm_fit import fit_prior
from tests.benchmarks.rhythm import Judged, cuts_of, half_of, histories_of, judge, measures, rows_at
from tests.databases import ROOT

pytestmark = pytest.mark.corpus
FILE = ROOT.parent / "shared" / "corpora" / "rhythm" / "w3c.csv"
MODELS = ("days since last", "rhythm", "rhythm, prior as shipped")


@pytest.fixture(scope="module")
def histories() -> dict[str, list[int]]:
    if not FILE.is_file():
        pytest.skip("the history of mail is not part of this repository")
    return histories_of(FILE)


@pytest.fixture(scope="module")
def judged(histories: dict[str, list[int]]) -> list[Judged]:
    return judge(histories, MODELS, refit_every=8)


@pytest.mark.parametrize("name", MODELS[1:])
@pytest.mark.parametrize("half", [0, 1])
def test_the_rhythm_foretells_better_than_the_days_since_the_last_mail(
    judged: list[Judged], name: str, half: int
) -> None:
    rows = [one for one in judged if half_of(one.row.partner) == half]
    plain, ours = measures(rows, "days since last"), measures(rows, name)
    assert ours["auc"] > plain["auc"] + 0.02
    assert ours["ap"] > plain["ap"] + 0.01
    assert ours["brier"] < plain["brier"] - 0.01


@pytest.mark.parametrize("name", MODELS[1:])
def test_what_is_said_to_be_likely_comes_as_often(judged: list[Judged], name: str) -> None:
    ranked = sorted(judged, key=lambda one: one.said[name][1])
    for part in range(5):
        rows = ranked[len(ranked) * part // 5 : len(ranked) * (part + 1) // 5]
        said = sum(one.said[name][1] for one in rows) / len(rows)
        came = sum(one.row.silent for one in rows) / len(rows)
        assert said == pytest.approx(came, abs=0.12)


def test_no_question_knows_its_future(histories: dict[str, list[int]]) -> None:
    for cut in cuts_of(histories)[::8]:
        for row in rows_at(histories, cut):
            assert row.days[-1] < cut
            assert row.silent != any(cut <= day < cut + 60 for day in histories[row.partner])


def test_both_halves_of_the_partners_teach_much_the_same(histories: dict[str, list[int]]) -> None:
    after = max(days[-1] for days in histories.values()) + 1
    one, other = (
        fit_prior([days for name, days in histories.items() if half_of(name) == half], after) for half in (0, 1)
    )
    assert one.bend == pytest.approx(other.bend, abs=0.08)
    assert one.lasting == pytest.approx(other.lasting, rel=0.5)
