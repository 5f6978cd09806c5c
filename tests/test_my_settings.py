"""My settings: what each person decides about the own nudges, checked beside the field, audited, and heeded."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.ids import Carried
from bot.views.my_settings import Settings, country_options, my_settings_blocks, my_settings_form, saved_answer
from jobs.nudges import may_be_told, send_nudges
from jobs.recovery import sweep
from models.actions.wishes import Wishes, keep_muted, mute, set_wishes
from models.public_holidays import countries, is_holiday
from models.queries.programme import Person as Somebody
from models.queries.programme import people
from models.queries.wishes import muted_by, muted_partners
from models.tables import AuditEntry, MutedPartner, Person, StandIn
from tests.cast import ACME, CHANNEL, DANA, GLOBEX, MONDAY, PRIYA, VERA, ZONE
from tests.databases import Database
from tests.slack_lint import elements, lint_message, lint_view, said
from tests.surface import STRANGER, Surface, surface
from tests.test_views import HOSTILE

PLAIN = Wishes(True, 9, 17, "Europe/London", None, None, None, None)


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    with surface(database) as one:
        yield one


def me(at: Surface, name: str = "Dana Kim") -> Somebody:
    with at.database.reading() as session:
        return next(one for one in people(session, at.cast.workspace_id) if one.name == name)


def opened(at: Surface) -> Any:
    answer = at.slack.interactions.message("U0DANA", CHANNEL, "/cadence nudges")
    assert answer["ok"], answer
    view = at.modal(DANA)
    lint_view(view.content)
    return view


def choice(text: str, value: str) -> dict[str, Any]:
    return {"text": {"type": "plain_text", "text": text, "emoji": False}, "value": value}


def changed(view: Any, **wanted: Any) -> dict[str, Any]:
    """What is chosen in the form: options by their value, days as they are."""
    found: dict[str, Any] = {}
    elements = {one["block_id"]: one["element"] for one in view.content["blocks"] if one["type"] == "input"}
    for name, value in wanted.items():
        block_id = f"my_{name}"
        kind = elements[block_id]["type"]
        if kind == "datepicker":
            inner: dict[str, Any] = {"selected_date": value}
        elif kind == "multi_static_select":
            inner = {"selected_options": [one for one in elements[block_id]["options"] if one["value"] in value]}
        elif kind == "external_select":
            inner = {"selected_option": choice(value[0], value[1])}
        else:
            inner = {"selected_option": next(one for one in elements[block_id]["options"] if one["value"] == value)}
        found[block_id] = {block_id: {"type": kind, **inner}}
    return found


def audits(at: Surface) -> list[tuple[str, Mapping[str, Any] | None, Mapping[str, Any] | None]]:
    with at.database.reading() as session:
        rows = session.scalars(select(AuditEntry).where(AuditEntry.actor.like("person:%")).order_by(AuditEntry.id))
        return [(one.action, one.before, one.after) for one in rows]


def test_the_form_shows_how_it_is_and_saves_what_was_changed(at: Surface) -> None:
    view = opened(at)
    blocks = {one["block_id"]: one["element"] for one in view.content["blocks"]}
    assert blocks["my_hours_from"]["initial_option"]["value"] == "9"
    assert blocks["my_hours_to"]["initial_option"]["value"] == "17"
    assert blocks["my_zone"]["initial_option"]["value"] == "Europe/London"
    assert blocks["my_country"]["initial_option"]["text"]["text"] == "the country of my time zone"
    assert "my_muted" not in blocks
    values = changed(
        view,
        hours_from="7",
        hours_to="15",
        country=("Ireland", "IE"),
        away="2026-12-24",
        stand_in=str(at.cast.person(PRIYA)),
    )
    assert at.slack.interactions.submit("U0DANA", view.id, values)["ok"]
    now = me(at)
    assert (now.hours, now.country, now.timezone) == ((7, 15), "IE", "Europe/London")
    assert (now.away_until, now.stand_in_id, now.nudges) == (date(2026, 12, 24), at.cast.person(PRIYA), True)
    assert at.workspace.wait_until(lambda: at.whispers("U0DANA"))
    told = at.whispers("U0DANA")[-1]
    lint_message({"text": told.text, "blocks": told.blocks})
    assert told.text == (
        "✓ Saved. Nudges come at most once a day, on working days between 07:00 and 15:00 in Europe/London. "
        "Away until the end of Thu 24 Dec; Priya Nair stands in."
    )
    assert audits(at) == [
        (
            "set wishes",
            {"work_from": None, "work_to": None, "country": None},
            {"work_from": 7, "work_to": 15, "country": "IE"},
        ),
        (
            "set away",
            {"away_until": None, "stand_in": None},
            {"away_until": "2026-12-24", "stand_in": at.cast.person(PRIYA)},
        ),
    ]


@pytest.mark.parametrize(
    ("wanted", "field", "why"),
    [
        ({"hours_from": "17", "hours_to": "9"}, "my_hours_to", "The end lies after the beginning"),
        ({"hours_from": "9", "hours_to": "9"}, "my_hours_to", "The end lies after the beginning"),
        ({"snooze": "2026-11-22"}, "my_snooze", "This day is over"),
        ({"away": "2020-01-01"}, "my_away", "This day is over"),
        ({"stand_in": "PRIYA"}, "my_away", "Until when are you away?"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field_and_nothing_is_saved(
    at: Surface, wanted: dict[str, str], field: str, why: str
) -> None:
    view, before = opened(at), (me(at), at.count(AuditEntry), at.count(StandIn))
    wanted = {name: str(at.cast.person(PRIYA)) if value == "PRIYA" else value for name, value in wanted.items()}
    answer = at.slack.interactions.submit("U0DANA", view.id, changed(view, **wanted))
    assert list(answer["errors"]) == [field]
    assert why in answer["errors"][field]
    assert (me(at), at.count(AuditEntry), at.count(StandIn)) == before


def test_a_stand_in_who_left_meanwhile_is_refused(at: Surface) -> None:
    view = opened(at)
    values = changed(view, away="2026-12-24", stand_in=str(at.cast.person(PRIYA)))
    with at.database.sessions.begin() as session:
        session.get_one(Person, at.cast.person(PRIYA)).left_at = MONDAY
    answer = at.slack.interactions.submit("U0DANA", view.id, values)
    assert answer["errors"] == {"my_stand_in": "Choose a partner manager whom I know in Slack."}
    assert me(at).away_until is None


def test_zones_and_countries_are_found_while_typing(at: Surface) -> None:
    view = opened(at)
    container = {"type": "modal", "view_id": view.id}
    zones = at.slack.interactions.options("U0DANA", container, "my_zone", "my_zone", "kolk")
    assert "Asia/Kolkata" in str(zones)
    lands = at.slack.interactions.options("U0DANA", container, "my_country", "my_country", "irel")
    assert "IE" in str(lands)
    assert country_options("")[0]["value"] == "zone"
    assert len(country_options("")) <= 100
    assert country_options("de")[0]["value"] != "zone"
    assert countries()["GB"]


def test_whoever_has_no_zone_yet_is_offered_the_one_that_slack_knows(at: Surface) -> None:
    with at.database.sessions.begin() as session:
        session.get_one(Person, at.cast.person(DANA)).timezone = None
    at.workspace.users["U0DANA"].tz = "America/New_York"
    blocks = {one["block_id"]: one["element"] for one in opened(at).content["blocks"]}
    assert blocks["my_zone"]["initial_option"]["value"] == "America/New_York"


def test_a_viewer_has_settings_and_a_stranger_has_none(at: Surface) -> None:
    assert at.slack.interactions.message("U0VERA", CHANNEL, "/cadence nudges")["ok"]
    assert at.modal(VERA).content["title"]["text"] == "My settings"
    before = at.written()
    assert "not on the roster" in at.ask(STRANGER, "nudges").text
    assert at.written() == before


def test_a_partner_that_was_muted_on_its_card_stands_in_the_form_and_can_be_taken_out(at: Surface) -> None:
    card = at.ask(DANA, "partner Acme")
    mute_id = f"mute_partner:{at.cast.partner(ACME)}"
    told = at.press_and_hear(DANA, card, mute_id)
    lint_message({"text": told.text, "blocks": told.blocks})
    assert told.text == "No more nudges about *Acme*. It stays on every list."
    with at.database.sessions.begin() as session:
        assert muted_by(session, at.cast.workspace_id) == {(at.cast.person(DANA), at.cast.partner(ACME))}
        mute(session, at.cast.workspace_id, at.cast.person(DANA), at.cast.partner(GLOBEX), MONDAY)
    view = opened(at)
    blocks = {one["block_id"]: one["element"] for one in view.content["blocks"]}
    assert [one["text"]["text"] for one in blocks["my_muted"]["initial_options"]] == ["Acme", "Globex"]
    values = changed(view, muted=[str(at.cast.partner(GLOBEX))])
    assert at.slack.interactions.submit("U0DANA", view.id, values)["ok"]
    assert at.workspace.wait_until(lambda: any("Saved" in one.text for one in at.whispers("U0DANA", told.channel)))
    with at.database.reading() as session:
        assert muted_partners(session, at.cast.person(DANA)) == [(at.cast.partner(GLOBEX), "Globex")]
    assert [action for action, _, _ in audits(at)][-3:] == ["mute partner", "set wishes", "unmute partner"]
    again = at.press_and_hear(DANA, told, mute_id)
    assert again.text == "Nudges about *Acme* are on again."


def test_a_muted_partner_is_nudged_about_to_nobody_and_another_one_is(at: Surface) -> None:
    with at.database.sessions.begin() as session:
        mute(session, at.cast.workspace_id, at.cast.person(DANA), at.cast.partner(ACME), MONDAY)
    letter = nudged(at, DANA)
    assert "Acme" not in letter.text
    assert "Soylent" in letter.text


def test_the_nudge_itself_offers_to_leave_a_partner_out(at: Surface) -> None:
    letter = nudged(at, DANA)
    assert "Acme" in letter.text
    lint_message({"text": letter.text, "blocks": letter.blocks})
    menu = next(one for one in elements(letter.blocks) if one["action_id"] == "mute_partner")
    chosen = next(one for one in menu["options"] if one["text"]["text"] == "Acme")
    for _ in range(2):  # pressed again it stays so
        told = at.press_and_hear(DANA, letter, "mute_partner", action={"selected_option": chosen})
        assert told.text == "No more nudges about *Acme*. It stays on every list."
    assert at.count(MutedPartner) == 1


def nudged(at: Surface, who: Any) -> Any:
    sweep(at.database.sessions, at.cast.programme, at.clock.at)
    send_nudges(at.database.sessions, at.cast.programme, at.clock.at)
    at.pump()
    return at.workspace.messages(at.workspace.im(who.slack_user_id).id)[-1]


def test_hours_and_holidays_of_the_own_choice_are_heeded(database: Database, at: Surface) -> None:
    london = me(at)
    early_bird = Wishes(True, 6, 8, "Europe/London", "US", None, None, None)
    with database.sessions.begin() as session:
        set_wishes(session, at.cast.workspace_id, at.cast.person(DANA), early_bird, MONDAY)
    early, now = MONDAY.replace(hour=7), me(at)
    assert may_be_told(now, early, at.cast.programme)
    assert not may_be_told(london, early, at.cast.programme)
    assert not may_be_told(now, MONDAY, at.cast.programme)
    thanksgiving = MONDAY.replace(day=26, hour=7)
    assert is_holiday(thanksgiving.date(), ZONE, "US")
    assert not is_holiday(thanksgiving.date(), ZONE)
    assert not may_be_told(now, thanksgiving, at.cast.programme)
    assert may_be_told(now, thanksgiving + timedelta(days=1), at.cast.programme)


def test_saving_the_same_again_leaves_no_trace(at: Surface) -> None:
    with at.database.sessions.begin() as session:
        dana = at.cast.person(DANA)
        assert set_wishes(session, at.cast.workspace_id, dana, PLAIN, MONDAY)
        assert not set_wishes(session, at.cast.workspace_id, dana, PLAIN, MONDAY)
        assert keep_muted(session, at.cast.workspace_id, dana, (), MONDAY) == 0


def test_whoever_is_away_reads_who_stands_in_and_whether_they_are_there() -> None:
    day, until = date(2026, 12, 20), date(2026, 12, 24)
    ann, ben = (
        Somebody(n, f"{n}@x.example", name, "manager", "U1", None, (), True, None, until)
        for n, name in ((1, "Ann"), (2, "Ben"))
    )
    for stand_in, meanwhile in (
        (None, "nobody stands in."),
        (replace(ben, away_until=None), "Ben stands in."),
        (ben, "Ben stands in, but is away too, until the end of Thu 24 Dec."),
    ):
        told = saved_answer(ann, day, stand_in)["text"]
        assert told.endswith(f"Away until the end of Thu 24 Dec; {meanwhile}")


@pytest.mark.parametrize("name", HOSTILE)
def test_the_form_and_its_answers_fit_whatever_the_names(name: str) -> None:
    day = date(2026, 12, 24)
    person = Somebody(1, "x@lantern.example", name, "manager", "U1", "Asia/Kolkata", (), True, day, day, 2, 0, 24, "IN")
    others = [Somebody(n, f"{n}@x.example", name, "manager", "U2", None, (), True, None, None) for n in range(2, 150)]
    muted = [(number, name) for number in range(1, 130)]
    form = my_settings_form(Settings(person, "Asia/Kolkata", day, others, muted), Carried())
    lint_view(form)
    lint_message(saved_answer(person, day, person))
    blocks = my_settings_blocks(person, day, 2, None)
    assert "2 partners are left out." in said(blocks)
