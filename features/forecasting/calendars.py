"""What the calendar says of a period: holidays, moving feasts, vacations, seasons.

Holidays and feasts are those of the library ``holidays``; a feast that a country's calendar doesn't have is looked up
in Singapore's, where Christians, Muslims, Hindus and Chinese all keep theirs. A holiday counts where its name was one
in some year before too: what a government grants once, on the day, nobody who forecasts could have known. Vacations
and monsoon of Kerala are facts of this module.

References
----------
Vacations: Kerala Education Rules, chapter VII: schools close for the summer in April and May and ten days each at Onam
and Christmas. Monsoon: India Meteorological Department: south-west June to September, north-east October to December.
"""

from __future__ import annotations

import datetime as dt
import warnings
from dataclasses import dataclass
from functools import lru_cache

import holidays
import numpy as np
from numpy.typing import NDArray

from features.forecasting.pace import Days, Pace, weekdays

Floats = NDArray[np.float64]

FEASTS = {
    "eid_al_fitr": ("Eid al-Fitr",),
    "eid_al_adha": ("Eid al-Adha",),
    "lunar_new_year": ("Chinese New Year", "Lunar New Year"),
    "diwali": ("Diwali", "Deepavali"),
    "onam": ("Onam (Day 2)",),
    "easter": ("Easter Sunday", "Good Friday"),
}
"""Moving feasts, and what the library calls them in English."""

COLUMNS = (
    "holidays",
    "workday_holidays",
    "holidays_before",
    "holidays_after",
    "ramadan_days",
    *(f"from_{feast}" for feast in FEASTS),
    "year_sin",
    "year_cos",
    "day_of_month",
    "weekday",
    "vacation_days",
    "monsoon",
)

FAR_DAYS = 45
"""A feast farther away than so many days is as good as none."""

_RAMADAN = ("MV", "First Day of Ramadan")  # a country in whose calendar the library names its first day
_KEEPERS = (("SG", None),)  # in whose calendar feasts are looked up that the place's own doesn't have
_YEARS = (1990, 2041)


@dataclass(frozen=True, slots=True)
class Place:
    """Whose calendar counts: a country's code (ISO 3166-1), and a part's of it (ISO 3166-2, without the country)."""

    country: str
    subdivision: str | None = None

    def __post_init__(self) -> None:
        """Refuse what the library has no calendar of.

        Raises
        ------
        ValueError
            In one line.
        """
        known = holidays.list_supported_countries(include_aliases=False)
        if self.country not in known:
            message = f"no calendar of country {self.country!r} is known: two letters of ISO 3166-1, such as IN or MY"
            raise ValueError(message)
        if self.subdivision is not None and self.subdivision not in known[self.country]:
            message = f"no calendar of {self.subdivision!r} in {self.country} is known: one of {known[self.country]}"
            raise ValueError(message)


KERALA = Place("IN", "KL")


def calendar_columns(days: Days, pace: Pace, place: Place | None) -> Floats:
    """Return what the calendar says of periods; without a place, only the time of the year, month and week.

    Parameters
    ----------
    days : ndarray of datetime64[D], shape (n,)
        The periods' names: the last day of each, or any of a month.
    pace : Pace
    place : Place, optional

    Returns
    -------
    ndarray of float64, shape (n, n_columns)
        As ``COLUMNS`` names them; NaN where a place has no such feast, or none was given.
    """
    first, last = pace.begins(days), pace.ends(days)
    columns = dict.fromkeys(COLUMNS, np.full(len(days), np.nan))
    middle = first + (last - first) // 2
    turn = 2 * np.pi * (middle - middle.astype("datetime64[Y]").astype("datetime64[D]")).astype(float) / 365.25
    columns["year_sin"], columns["year_cos"] = np.sin(turn), np.cos(turn)
    columns["day_of_month"] = (last - last.astype("datetime64[M]").astype("datetime64[D]")).astype(float)
    if pace.step_days == 1:
        columns["weekday"] = weekdays(days).astype(float)
    if place is not None:
        columns |= _of_place(first, last, place)
    return np.stack([columns[name] for name in COLUMNS], axis=1)


def beyond_calendar(days: Days) -> str | None:
    """Say in one line where days have no holidays because no calendar goes so far; None where all are known.

    Of the first year none is: a holiday counts where an earlier year had it too.
    """
    first, last = _YEARS[0] + 1, _YEARS[1] - 1
    years = days.astype("datetime64[Y]").astype(np.int64) + 1970
    said = [f"up to {day}" for day in days[years < first][-1:]] + [f"from {day} on" for day in days[years > last][:1]]
    return f"holidays are known from {first} to {last}: {' and '.join(said)} the table has none" if said else None


def _of_place(first: Days, last: Days, place: Place) -> dict[str, Floats]:
    free = _holidays(place)
    length = last - first + 1
    columns = {
        "holidays": _count(free, first, last),
        "workday_holidays": _count(free[weekdays(free) < 5], first, last),
        "holidays_before": _count(free, first - length, first - 1),
        "holidays_after": _count(free, last + 1, last + length),
        "ramadan_days": _overlap(first, last, _ramadans()),
    }
    for feast in FEASTS:
        columns[f"from_{feast}"] = _nearest(last, _feast(place, feast))
    if place == KERALA:
        columns["vacation_days"] = _overlap(first, last, _vacations())
        month = last.astype("datetime64[M]").astype(np.int64) % 12 + 1
        columns["monsoon"] = np.where((month >= 6) & (month <= 9), 1.0, np.where(month >= 10, 2.0, 0.0))
    return columns


def _count(days: Days, first: Days, last: Days) -> Floats:
    found: Floats = (np.searchsorted(days, last, "right") - np.searchsorted(days, first, "left")).astype(np.float64)
    return found


def _overlap(first: Days, last: Days, spans: list[tuple[np.datetime64, np.datetime64]]) -> Floats:
    found = np.zeros(len(first))
    for begin, end in spans:
        found += np.clip((np.minimum(last, end) - np.maximum(first, begin)).astype(np.int64) + 1, 0, None)
    return found


def _nearest(days: Days, feasts: Days) -> Floats:
    """Return days since the nearest feast, below 0 before it, at most ``FAR_DAYS`` either way."""
    if not len(feasts):
        return np.full(len(days), np.nan)
    apart = days.astype(np.int64)[:, None] - feasts.astype(np.int64)[None, :]
    place = np.abs(apart).argmin(axis=1)
    return np.asarray(np.clip(apart[np.arange(len(days)), place], -FAR_DAYS, FAR_DAYS), np.float64)


@lru_cache
def _named(country: str, subdivision: str | None) -> tuple[tuple[dt.date, str], ...]:
    language = "en_US" if "en_US" in holidays.country_holidays(country).supported_languages else None
    with warnings.catch_warnings(action="ignore"):  # of some calendars it knows fewer years, and says so
        found = holidays.country_holidays(country, subdiv=subdivision, years=range(*_YEARS), language=language)
    return tuple(sorted((day, name) for day, names in found.items() for name in names.split("; ")))


@lru_cache
def _holidays(place: Place) -> Days:
    """Return the days that are holidays under a name that an earlier year had too, ascending."""
    first_year: dict[str, int] = {}
    days = set()
    for day, full in _named(place.country, place.subdivision):
        name = _plain(full)
        if day.year > first_year.setdefault(name, day.year):
            days.add(day)
    return np.array(sorted(days), "datetime64[D]")


@lru_cache
def _feast(place: Place, feast: str) -> Days:
    """Return the first day of a feast each time that it comes."""
    names = FEASTS[feast]
    for country, subdivision in ((place.country, place.subdivision), *_KEEPERS):
        days: list[dt.date] = []
        for day, full in _named(country, subdivision):
            if _plain(full) in names and (not days or (day - days[-1]).days > 20):
                days.append(day)
        if days:
            break
    return np.array(days, "datetime64[D]")


@lru_cache
def _ramadans() -> list[tuple[np.datetime64, np.datetime64]]:
    country, name = _RAMADAN
    first = [day for day, full in _named(country, None) if _plain(full) == name]
    return [(np.datetime64(day), np.datetime64(day + dt.timedelta(days=28))) for day in first]


@lru_cache
def _vacations() -> list[tuple[np.datetime64, np.datetime64]]:
    spans = []
    for year in range(*_YEARS):
        spans.append((np.datetime64(f"{year}-04-01"), np.datetime64(f"{year}-05-31")))
        spans.append((np.datetime64(f"{year}-12-23"), np.datetime64(f"{year + 1}-01-01")))
    spans += [(day - 4, day + 5) for day in _feast(KERALA, "onam")]
    return spans


def _plain(name: str) -> str:
    """Return a holiday's name without what the library adds: that it is estimated or observed on another day."""
    return name.replace(" (estimated)", "").replace(" (observed)", "").replace(" (observed, estimated)", "")
