"""Local days, hours and birthdays, against the standard library's calendar."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.local_time import (
    DAY_US,
    birthday,
    civil_of_day,
    day_of_civil,
    is_weekend,
    local_day,
    local_hour,
    start_of_day,
    text_of_day,
    weekday,
)

EPOCH = date(1970, 1, 1)
KOLKATA = ZoneInfo("Asia/Kolkata")
days = st.integers((date.min - EPOCH).days + 1, (date.max - EPOCH).days - 1)
instants = st.integers(0, 4_000_000_000_000_000)  # the zone was another one before 1945


@settings(deadline=None)
@given(instants)
def test_local_time_is_that_of_kolkata(at_us):
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).astimezone(KOLKATA)
    assert local_day(at_us) == (local.date() - EPOCH).days
    assert local_hour(at_us) == local.hour
    assert weekday(at_us) == local.weekday()
    assert is_weekend(at_us) == (local.weekday() >= 5)


@settings(deadline=None)
@given(days)
def test_a_day_begins_where_the_day_before_ends(day):
    assert local_day(start_of_day(day)) == day
    assert local_day(start_of_day(day) - 1) == day - 1
    assert start_of_day(day + 1) - start_of_day(day) == DAY_US


@settings(deadline=None)
@given(days)
def test_days_are_those_of_the_calendar(day):
    on = EPOCH + timedelta(days=day)
    assert civil_of_day(day) == (on.year, on.month, on.day)
    assert day_of_civil(on.year, on.month, on.day) == day
    assert text_of_day(day) == f"{on.day} {on:%B} {on.year}"


@settings(deadline=None)
@given(st.dates(max_value=date(9900, 1, 1)), st.integers(0, 90))
def test_birthdays_are_the_same_date_of_another_year(born_on, age):
    try:
        expected = born_on.replace(year=born_on.year + age)
    except ValueError:
        expected = date(born_on.year + age, 3, 1)
    assert birthday((born_on - EPOCH).days, age) == (expected - EPOCH).days


def test_born_on_29_february_means_1_march_in_years_without_it():
    born_on = (date(2004, 2, 29) - EPOCH).days
    assert text_of_day(birthday(born_on, 18)) == "1 March 2022"
    assert text_of_day(birthday(born_on, 60)) == "29 February 2064"


def test_birthdays_go_beyond_the_last_year_of_the_library():
    assert civil_of_day(birthday(2_932_896, 65)) == (10_064, 12, 31)


def test_arrays_are_as_single_days():
    born_on = np.arange(-800_000, 800_000, 97, dtype=np.int64)
    assert birthday(born_on, 18).tolist() == [birthday(day, 18) for day in born_on.tolist()]
