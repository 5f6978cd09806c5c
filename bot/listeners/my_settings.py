"""My settings: each person decides about the own nudges only, in a form that says beside the field what is wrong."""

from datetime import date
from typing import Any
from zoneinfo import available_timezones

from slack_bolt import App

from bot import ids
from bot.ids import Carried, OldButton
from bot.listeners.call import Call, answering, on_action
from bot.listeners.desk import Desk
from bot.listeners.pages import answer_form
from bot.views import inputs, kit
from bot.views.my_settings import OF_THE_ZONE, ON, Settings, country_options, my_settings_form, saved_answer
from bot.views.next_step import owner_options
from bot.views.settings import zone_options
from models.actions.deliveries import first_delivery
from models.actions.wishes import Wishes, keep_muted, set_wishes
from models.public_holidays import countries
from models.queries.programme import Person, people
from models.queries.wishes import muted_partners

FIELDS = {
    "hours": ids.MY_HOURS_TO,
    "timezone": ids.MY_ZONE,
    "country": ids.MY_COUNTRY,
    "snoozed": ids.MY_SNOOZE,
    "away": ids.MY_AWAY,
    "stand_in": ids.MY_STAND_IN,
}


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.MY_SETTINGS, open_form)
    app.view(ids.MY_SETTINGS_FORM)(answering(desk, submit))
    app.options(ids.MY_ZONE)(answering(desk, offer_zones))
    app.options(ids.MY_COUNTRY)(answering(desk, offer_countries))
    app.options(ids.MY_STAND_IN)(answering(desk, offer_stand_ins))


def open_form(call: Call) -> None:
    visitor = call.visitor()
    with call.desk.reading() as session:
        everybody = people(session, visitor.programme.workspace_id)
        muted = muted_partners(session, visitor.person.id)
    me = next(one for one in everybody if one.id == visitor.person.id)
    now = Settings(me, me.timezone or _own_zone(call), visitor.today, _others(everybody, me), muted)
    channel = call.channel if call.surface == "message" else None
    call.open(my_settings_form(now, Carried(channel=channel)))
    call.ack()


def submit(call: Call) -> None:
    """Saves the form whole, or nothing of it."""
    visitor, values = call.visitor(), call.body["view"]["state"]["values"]
    home, me = visitor.programme, visitor.person
    with call.desk.reading() as session:
        others = {str(one.id): one for one in _others(people(session, home.workspace_id), me)}
    wishes = _filled_in(values, others)
    errors = {FIELDS[name]: why for name, why in _wrong(values, wishes, others, visitor.today).items()}
    if errors:
        call.ack(response_action="errors", errors=errors)
        return
    with call.desk.sessions.begin() as session:
        if not first_delivery(session, call.key(), call.now):
            call.ack()
            return
        set_wishes(session, home.workspace_id, me.id, wishes, call.now)
        if ids.MY_MUTED in values:
            keep_muted(session, home.workspace_id, me.id, _kept(values), call.now)
        everybody = {one.id: one for one in people(session, home.workspace_id)}
    call.ack()
    now = everybody[me.id]
    answer_form(call, saved_answer(now, visitor.today, everybody.get(now.stand_in_id or 0)))


def offer_zones(call: Call) -> None:
    visitor = call.visitor()
    call.ack(options=zone_options(str(call.body.get("value") or ""), visitor.person.timezone))


def offer_countries(call: Call) -> None:
    call.visitor()
    call.ack(options=country_options(str(call.body.get("value") or "")))


def offer_stand_ins(call: Call) -> None:
    """The options of a roster with more than a hundred people, while somebody types."""
    visitor = call.visitor()
    with call.desk.reading() as session:
        others = _others(people(session, visitor.programme.workspace_id), visitor.person)
    found = owner_options([one.who for one in others], str(call.body.get("value") or ""))
    call.ack(options=found[: kit.MOST_OPTIONS])


def _own_zone(call: Call) -> str:
    """What Slack says, else the zone of the programme: what is in force until somebody chooses."""
    profile = call.desk.directory.profile(lambda: call.client, call.user_id or "")
    zone = profile.timezone if profile else None
    return zone if zone in available_timezones() else call.visitor().programme.zone.key


def _others(everybody: list[Person], me: Person) -> list[Person]:
    """Who can stand in: whoever can act and is reached."""
    return [one for one in everybody if one.id != me.id and one.may_act and one.slack_user_id is not None]


def _filled_in(values: dict[str, Any], others: dict[str, Person]) -> Wishes:
    country, chosen = inputs.read_choice(values, ids.MY_COUNTRY), inputs.read_choice(values, ids.MY_STAND_IN)
    away_until = _day(values, ids.MY_AWAY)
    return Wishes(
        nudges=inputs.read_choice(values, ids.MY_NUDGES) == ON,
        work_from=_hour(values, ids.MY_HOURS_FROM),
        work_to=_hour(values, ids.MY_HOURS_TO),
        timezone=inputs.read_choice(values, ids.MY_ZONE),
        country=None if country == OF_THE_ZONE else country,
        snoozed_until=_day(values, ids.MY_SNOOZE),
        away_until=away_until,
        stand_in_id=others[chosen].id if away_until is not None and chosen in others else None,
    )


def _wrong(values: dict[str, Any], wishes: Wishes, others: dict[str, Person], today: date) -> dict[str, str]:
    """What is wrong, by what it is about."""
    found: dict[str, str] = {}
    first, last = wishes.work_from, wishes.work_to
    if first is None or last is None or not 0 <= first < last <= 24:
        found["hours"] = "The end lies after the beginning, on the same day."
    if wishes.timezone not in available_timezones():
        found["timezone"] = "Choose a time zone of the list."
    if wishes.country is not None and wishes.country not in countries():
        found["country"] = "Choose a country of the list."
    for name, day in (("snoozed", wishes.snoozed_until), ("away", wishes.away_until)):
        if day is not None and day < today:
            found[name] = "This day is over: choose today or a later one."
    chosen = inputs.read_choice(values, ids.MY_STAND_IN)
    if chosen is not None and chosen not in others:
        found["stand_in"] = "Choose a partner manager whom I know in Slack."
    elif chosen is not None and wishes.away_until is None and "away" not in found:
        found["away"] = "Until when are you away? Somebody stands in for that time."
    return found


def _kept(values: dict[str, Any]) -> set[int]:
    """The partners that stay left out."""
    chosen = ((values.get(ids.MY_MUTED) or {}).get(ids.MY_MUTED) or {}).get("selected_options") or ()
    return {int(one["value"]) for one in chosen if str(one.get("value")).isdecimal()}


def _hour(values: dict[str, Any], block_id: str) -> int | None:
    chosen = inputs.read_choice(values, block_id) or ""
    return int(chosen) if chosen.isdecimal() and len(chosen) <= 2 else None


def _day(values: dict[str, Any], block_id: str) -> date | None:
    written = ((values.get(block_id) or {}).get(block_id) or {}).get("selected_date")
    try:
        return date.fromisoformat(str(written)) if written else None
    except ValueError as error:
        raise OldButton("the date is no date") from error
