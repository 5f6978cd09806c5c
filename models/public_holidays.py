"""Public holidays where a person lives, told by the person's time zone. Only nudges ask: no window knows of them."""

from datetime import date
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo


def is_holiday(day: date, zone: ZoneInfo, country: str | None = None) -> bool:
    """Whether the whole country has a public holiday: the one that is named, else the one of the zone.

    Those of its parts are not known from either.
    """
    country = country or country_of(zone)
    return country is not None and day in _holidays(country, day.year)


def country_of(zone: ZoneInfo) -> str | None:
    """The country that the zone is named for, as ISO 3166 has it; None for zones of no country, such as UTC."""
    return _countries().get(zone.key)


@lru_cache(maxsize=1)
def countries() -> dict[str, str]:
    """The countries whose holidays are known: code to name, in the order of their names."""
    from holidays import list_supported_countries

    rows = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text("utf-8").splitlines()
    names = dict(line.split("\t")[:2] for line in rows if line and line[0] != "#")
    known = {code: names[code] for code in list_supported_countries(include_aliases=False) if code in names}
    return dict(sorted(known.items(), key=lambda pair: pair[1]))


@lru_cache(maxsize=256)
def _holidays(country: str, year: int) -> frozenset[date]:
    import holidays  # takes a tenth of a second, which a command without nudges need not wait for

    try:
        return frozenset(holidays.country_holidays(country, years=year))
    except NotImplementedError:
        return frozenset()


@lru_cache(maxsize=1)
def _countries() -> dict[str, str]:
    """Zone to country: the table that comes with the zones, and their older names."""
    data = files("tzdata").joinpath("zoneinfo")
    rows = [line.split("\t") for line in data.joinpath("zone.tab").read_text("utf-8").splitlines() if line[:1] != "#"]
    found = {row[2]: row[0] for row in rows if len(row) > 2}
    for line in data.joinpath("tzdata.zi").read_text("utf-8").splitlines():
        if line.startswith("L "):
            _, zone, older = line.split()
            if zone in found:
                found.setdefault(older, found[zone])
    return found
