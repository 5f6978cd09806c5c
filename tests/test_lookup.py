"""The partner that somebody means."""

import pytest

from models.queries.lookup import best_match, find_partner
from models.queries.standings import PartnerName
from tests.cast import MONDAY, MUELLER, put_cast
from tests.databases import Database

NAMES = [
    PartnerName(number, name, None, None)
    for number, name in enumerate(
        [
            "Acme",
            "Acme Labs",
            "Contoso Ltd",
            "Globex",
            "Initech",
            "Initrode",
            "Müller & Söhne",
            "Wayne Enterprises",
            "日本電気",
        ]
    )
]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Acme", "Acme"),
        (" aCME ", "Acme"),
        ("müller & söhne", "Müller & Söhne"),
        ("Mueller & Soehne", "Müller & Söhne"),
        ("muller sohne", "Müller & Söhne"),
        ("日本電気", "日本電気"),
    ],
)
def test_a_name_in_another_spelling_is_still_exact(typed: str, meant: str) -> None:
    found = best_match(NAMES, typed)
    assert found.exact
    assert found.partner is not None
    assert found.partner.name == meant


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("globx", "Globex"),
        ("contso", "Contoso Ltd"),
        ("wayne", "Wayne Enterprises"),
        ("acme lab", "Acme Labs"),
        ("mueller sohne", "Müller & Söhne"),
        ("initec", "Initech"),
    ],
)
def test_one_clear_best_is_taken_and_known_for_a_guess(typed: str, meant: str) -> None:
    found = best_match(NAMES, typed)
    assert found.partner is not None
    assert found.partner.name == meant
    assert not found.exact


def test_names_that_fit_equally_well_are_all_offered() -> None:
    found = best_match(NAMES, "init")
    assert found.partner is None
    assert found.ambiguous
    assert {one.name for one in found.nearest} == {"Initech", "Initrode"}


def test_what_fits_nothing_gets_the_three_nearest_names() -> None:
    found = best_match(NAMES, "zzyzx")
    assert found.partner is None
    assert not found.ambiguous
    assert len(found.nearest) == 3


@pytest.mark.parametrize("typed", ["", "  ", "&", "\u200f"])
def test_nothing_typed_finds_nothing(typed: str) -> None:
    found = best_match(NAMES, typed)
    assert found.partner is None
    assert not found.ambiguous


def test_an_empty_roster_has_no_nearest_names() -> None:
    assert best_match([], "Acme").nearest == ()


def test_a_partner_is_found_in_the_database(database: Database) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session)
    with database.reading() as session:
        found = find_partner(session, cast.workspace_id, "mueller soehne", MONDAY)
    assert found.partner is not None
    assert found.partner.id == cast.partner(MUELLER)
