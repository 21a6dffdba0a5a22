"""Local time in Kerala, in integers.

Instants are microseconds since 1970 in UTC, days are counted from 1970-01-01. Asia/Kolkata has been five and a half
hours ahead of UTC since 1945, without summer time, so a constant does what a time zone database would. The calendar
is the proleptic Gregorian one, without the limits of ``datetime``, since years after 9999 do turn up in sums.
All functions but ``text_of_day`` take ints and int64 arrays alike.

References
----------
Calendar: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", 2013.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

IST_US = 19_800_000_000
HOUR_US = 3_600_000_000
DAY_US = 86_400_000_000
SATURDAY = 5
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

Ints = TypeVar("Ints", int, NDArray[np.int64])


def local_day(at_us: Ints) -> Ints:
    """Return the local day on which the instant ``at_us`` lies."""
    return (at_us + IST_US) // DAY_US


def start_of_day(day: Ints) -> Ints:
    """Return the instant at which the local ``day`` begins; the day ends where the next begins."""
    return day * DAY_US - IST_US


def local_hour(at_us: Ints) -> Ints:
    """Return the local hour, 0 to 23."""
    return (at_us + IST_US) % DAY_US // HOUR_US


def weekday(at_us: Ints) -> Ints:
    """Return the local weekday, Monday 0 to Sunday 6."""
    days_since_monday: Ints = (local_day(at_us) + 3) % 7
    return days_since_monday


def is_weekend(at_us: int) -> bool:
    """Return whether the instant lies on a local Saturday or Sunday."""
    return weekday(at_us) >= SATURDAY


def civil_of_day(day: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the year, the month (1 to 12) and the day of the month (1 to 31) of a day."""
    days = day + 719_468
    era = days // 146_097
    day_of_era = days - era * 146_097
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    month = (month_from_march + 2) % 12 + 1
    year = year_of_era + era * 400 + (12 - month) // 10
    return year, month, day_of_year - (153 * month_from_march + 2) // 5 + 1


def day_of_civil(year: Ints, month: Ints, day_of_month: Ints) -> Ints:
    """Return the day number of a calendar date. A 29 February that a year doesn't have is its 1 March."""
    year_from_march = year - (14 - month) // 12
    era = year_from_march // 400
    year_of_era = year_from_march - era * 400
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day_of_month - 1
    day: Ints = era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468
    return day


def birthday(born_on: Ints, age_years: int) -> Ints:
    """Return the day on which someone born on ``born_on`` becomes ``age_years`` old.

    Who was born on 29 February has the birthday on 1 March in years without that day.
    """
    year, month, day_of_month = civil_of_day(born_on)
    return day_of_civil(year + age_years, month, day_of_month)


def text_of_day(day: int) -> str:
    """Return a day as people here write it, such as ``3 March 2026``."""
    year, month, day_of_month = civil_of_day(day)
    return f"{day_of_month} {MONTHS[month - 1]} {year}"
