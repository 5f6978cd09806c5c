"""When and where the read is posted: the form, what came of it, and the programme's settings in one answer."""

from collections.abc import Sequence
from functools import cache
from zoneinfo import available_timezones

from bot import ids, wording
from bot.ids import Carried
from bot.views import inputs, kit
from bot.views.kit import Block, Element, Payload, View
from bot.views.setup import DAYS, channel_words, check_again, schedule_words, tier_words
from models.actions.setup import Schedule
from models.cadence import Tier

FIRST_HOUR = "04:00"
EMPTY = {
    "post": "Post one line: every partner is in rhythm",
    "skip": "Post nothing that week",
}


def schedule_form(now: Schedule, own_zone: str | None, carried: Carried) -> View:
    """Starts from what is in force; whoever has not chosen a zone yet is offered the own one of their Slack profile."""
    day, hour = now.read_at.split()
    zone = now.timezone or own_zone or "UTC"
    days = [kit.option(name, word) for word, name in DAYS.items()]
    empty = [kit.option(text, word) for word, text in EMPTY.items()]
    return kit.modal(
        ids.SCHEDULE_FORM,
        "Schedule and channel",
        [
            inputs.channel(ids.SCHEDULE_CHANNEL, "Channel", now.channel, hint="Where everybody reads it."),
            inputs.menu(ids.SCHEDULE_DAY, "Day", days, day, wanted="Choose a day"),
            inputs.time_of_day(
                ids.SCHEDULE_HOUR, "Hour", hour, hint=f"{FIRST_HOUR} or later: before, clocks change twice a year."
            ),
            inputs.asking_menu(
                ids.SCHEDULE_ZONE,
                "Time zone",
                zone_option(zone),
                wanted="Type a city",
                hint="Days of the whole programme begin and end by it.",
            ),
            inputs.choice(ids.SCHEDULE_EMPTY, "When there is nothing to recover", empty, now.when_empty),
            inputs.channel(
                ids.SCHEDULE_LEADERS,
                "Channel for leaders",
                now.leaders_channel,
                optional=True,
                hint="If you choose one, coverage and its trend are posted there once a month; never a list of people.",
            ),
        ],
        carried=carried,
        submit="Save",
        close="Cancel",
    )


def zone_options(typed: str, own: str | None) -> list[Element]:
    """Zones that hold every word that was typed; the own one of whoever types comes first."""
    wanted = typed.casefold().replace("_", " ").split()
    found = [one for one in _zones() if all(word in one.casefold().replace("_", " ") for word in wanted)]
    if own in found:
        found.insert(0, found.pop(found.index(own)))
    return [zone_option(one) for one in found[: kit.MOST_OPTIONS]]


def zone_option(zone: str) -> Element:
    return kit.option(zone.replace("_", " "), zone)


def checking_view(schedule: Schedule) -> View:
    said = f"Saved: {schedule_words(schedule.read_at, schedule.timezone)}. I am trying whether I can post there …"
    return kit.modal(ids.NOTE_MODAL, "Schedule and channel", [kit.section(kit.words(said, 600))])


def channel_view(channel: str | None, trouble: str | None, also: Sequence[str] = ()) -> View:
    """What came of trying it. `also` are further sentences, as mrkdwn."""
    said = "\n".join([channel_words(channel, trouble), *also])
    blocks: list[Block] = [kit.section(said)]
    if channel is not None and trouble is not None:
        blocks.append(kit.actions(check_again()))
    return kit.modal(ids.NOTE_MODAL, "Schedule and channel", blocks)


def channel_answer(channel: str | None, trouble: str | None, also: str = "") -> Payload:
    said = channel_words(channel, trouble) + (f" {also}" if also else "")
    if channel is None or trouble is None:
        return kit.notice(said)
    return {"text": said, "blocks": [kit.section(said), kit.actions(check_again())]}


def settings_answer(
    schedule: Schedule, trouble: str | None, tiers: Sequence[Tier], partners: int, people: int, *, leads: bool
) -> Payload:
    """A lead sees how the programme runs, with a button for each part; everybody the way to the own settings."""
    mine = kit.button(ids.MY_SETTINGS, "My settings", Carried())
    if not leads:
        said = "Your hours, your nudges and who stands in for you."
        return {"text": said, "blocks": [kit.section(said, accessory=mine)]}
    named = tier_words(tiers)
    roster = f"{wording.plural(partners, 'partner')}, {wording.plural(people, 'person', 'people')}"
    leaders = f"<#{schedule.leaders_channel}>, once a month" if schedule.leaders_channel else "no post"
    empty = EMPTY[schedule.when_empty]
    lines = [
        ("Channel", channel_words(schedule.channel, trouble) if schedule.channel else "none yet, so nothing is posted"),
        ("Read", kit.words(schedule_words(schedule.read_at, schedule.timezone), 200)),
        ("When there is nothing to recover", f"{empty[:1].lower()}{empty[1:]}"),
        ("For leaders", leaders),
        ("Tiers", kit.words(named or "none yet", 800)),
        ("Roster", roster),
    ]
    told = "\n".join(f"*{title}:* {text}" for title, text in lines)
    none = Carried()
    blocks = [
        kit.header("How the programme runs"),
        kit.section(told),
        kit.actions(
            kit.button(ids.EDIT_SCHEDULE, "Schedule and channel", none),
            kit.button(ids.EDIT_TIERS, "Tiers", none),
            kit.button(ids.EDIT_ROSTER, "Partners and people", none),
            kit.button(ids.IMPORT, "Import", none),
            kit.button(ids.EXPORT_ROSTER, "Send me the roster", none),
            mine,
        ),
    ]
    return {"text": f"How the programme runs\n{told}", "blocks": blocks}


@cache
def _zones() -> tuple[str, ...]:
    """Named by a continent and a city; the other names are old spellings of the same."""
    continents = ("Africa/", "America/", "Antarctica/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/")
    return ("UTC", *sorted(one for one in available_timezones() if one.startswith((*continents, "Pacific/"))))
