"""A person's own settings: the form, what is said when it was saved, and the few lines on the Home tab."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from bot import ids, wording
from bot.ids import Carried
from bot.views import inputs, kit
from bot.views.kit import Block, Element, Payload, View
from bot.views.next_step import owner_options
from bot.views.settings import zone_option
from models.public_holidays import countries
from models.queries.programme import Person

OF_THE_ZONE = "zone"  # the country that the zone is in
ON, OFF = "on", "off"
MOST_MUTED = 100


@dataclass(frozen=True, slots=True)
class Settings:
    """What the form starts from. `zone` is in force, `others` can stand in, `muted` are id and name."""

    person: Person
    zone: str
    today: date
    others: Sequence[Person] = ()
    muted: Sequence[tuple[int, str]] = ()


def my_settings_form(now: Settings, carried: Carried) -> View:
    me = now.person
    standing_in = [one.who for one in now.others]
    blocks = [
        inputs.choice(
            ids.MY_NUDGES,
            "Nudges",
            [kit.option("On: at most one private message a day", ON), kit.option("Off", OFF)],
            ON if me.nudges else OFF,
        ),
        inputs.menu(ids.MY_HOURS_FROM, "From", _hours(0, 23), str(me.hours[0]), wanted="Hour"),
        inputs.menu(ids.MY_HOURS_TO, "Until", _hours(1, 24), str(me.hours[1]), wanted="Hour"),
        inputs.asking_menu(ids.MY_ZONE, "Time zone", zone_option(now.zone), wanted="Type a city"),
        inputs.asking_menu(
            ids.MY_COUNTRY,
            "Public holidays of",
            country_option(me.country or OF_THE_ZONE),
            wanted="Type a country",
            hint="On them, and at weekends, nothing is sent",
        ),
        kit.date_input(ids.MY_SNOOZE, "Quiet until the end of", _day(me.snoozed_until, now.today)),
        kit.date_input(ids.MY_AWAY, "Away until the end of", _day(me.away_until, now.today)),
    ]
    if standing_in:
        blocks.append(
            inputs.menu(
                ids.MY_STAND_IN,
                "Who hears the nudges meanwhile",
                owner_options(standing_in),
                str(me.stand_in_id) if me.stand_in_id is not None else None,
                wanted="Nobody",
                optional=True,
            )
        )
    if now.muted:
        blocks.append(_muted(now.muted[:MOST_MUTED]))
    return kit.modal(ids.MY_SETTINGS_FORM, "My settings", blocks, carried=carried, submit="Save", close="Cancel")


def country_options(typed: str) -> list[Element]:
    wanted = typed.casefold().strip()
    first = [country_option(OF_THE_ZONE)] if not wanted else []
    found = [code for code, name in countries().items() if wanted in name.casefold() or wanted == code.casefold()]
    return [*first, *(country_option(code) for code in found)][: kit.MOST_OPTIONS]


def country_option(code: str) -> Element:
    return kit.option("the country of my time zone" if code == OF_THE_ZONE else countries().get(code, code), code)


def saved_answer(person: Person, today: date, stand_in: Person | None) -> Payload:
    return kit.notice(f"✓ Saved. {summary(person, today, stand_in)}")


def my_settings_blocks(person: Person, today: date, muted: int, stand_in: Person | None) -> list[Block]:
    """For the Home tab: how it is, and the way to change it."""
    change = kit.button(ids.MY_SETTINGS, "Change my settings", Carried())
    switch = kit.button(ids.NUDGES_OFF, "Stop nudges", Carried())
    if not person.nudges:
        switch = kit.button(ids.NUDGES_ON, "Start nudges again", Carried())
    said = [summary(person, today, stand_in)]
    if muted:
        said.append(f"{wording.plural(muted, 'partner is', 'partners are')} left out.")
    return [kit.section(" ".join(said)), kit.actions(change, switch)]


def summary(person: Person, today: date, stand_in: Person | None) -> str:
    """A few sentences in mrkdwn. `stand_in`: who gets the nudges while the person is away."""
    first, last = person.hours
    zone = f" in {kit.words(person.timezone.replace('_', ' '), 100)}" if person.timezone else ""
    said = "Nudges are off."
    if person.nudges:
        said = f"Nudges come at most once a day, on working days between {first:02}:00 and {last:02}:00{zone}."
    if person.nudges and _day(person.snoozed_until, today) and person.snoozed_until:
        said += f" Quiet until the end of {wording.on_day(person.snoozed_until, today)}."
    if _day(person.away_until, today) and person.away_until:
        said += f" Away until the end of {wording.on_day(person.away_until, today)}; {_meanwhile(stand_in, today)}."
    return said


def _meanwhile(stand_in: Person | None, today: date) -> str:
    if stand_in is None:
        return "nobody stands in"
    who = kit.words(wording.name(stand_in.name), 150)
    if _day(stand_in.away_until, today) and stand_in.away_until:
        return f"{who} stands in, but is away too, until the end of {wording.on_day(stand_in.away_until, today)}"
    return f"{who} stands in"


def _hours(first: int, last: int) -> list[Element]:
    return [kit.option(f"{hour:02}:00", str(hour)) for hour in range(first, last + 1)]


def _day(day: date | None, today: date) -> str | None:
    """What still lies ahead."""
    return day.isoformat() if day is not None and day >= today else None


def _muted(muted: Sequence[tuple[int, str]]) -> Block:
    options = [kit.option(wording.name(name), str(partner_id)) for partner_id, name in muted]
    element: Element = {
        "type": "multi_static_select",
        "placeholder": inputs.plain("None", 150),
        "options": options,
        "initial_options": options,
    }
    hint = "Take a partner out of the list to hear of it again"
    return inputs.field(ids.MY_MUTED, "No nudges about", element, optional=True, hint=hint)
