"""Each feature of ``demand_forecast`` is moved by an event: a request, or the day that is asked of."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from functools import cache

import numpy as np
import pytest

from features.compatibility import group_text
from features.demand import Demand, history_of
from features.forecasting.calendars import COLUMNS, KERALA, calendar_columns
from features.forecasting.pace import DAILY, WEEKLY
from features.forecasting.past import past_of
from features.forecasting.rows import NAMES, rows_of
from features.local_time import local_day
from features.series import SeriesTable
from tests.unit.matching.world import DAY_US, HOUR_US, request

DISTRICT, GROUP, ANOTHER = "Kollam", "O_POS", "A_POS"
N_DAYS, N_WEEKS = 1_300, 100
QUIET = "2025-07-16"
"""The day to come, unless a test says otherwise: no holiday near it, no feast that week."""


def day_of(text):
    return (dt.date.fromisoformat(text) - dt.date(1970, 1, 1)).days


def asked(day, units, group=GROUP):
    """A request of a day's noon, local."""
    at = day * DAY_US + 6 * HOUR_US
    return request(day, occurred_at=at, district=DISTRICT, blood_group=group, units_required=units)


def days_of(requests):
    """What the record counts of them: ``demand_days``, series by series."""
    units = defaultdict(lambda: defaultdict(int))
    for one in requests:
        series = one["district"], group_text(one["blood_group"])
        units[series][int(local_day(one["occurred_at"]))] += one["units_required"]
    return [Demand(*series, sorted(days), [days[day] for day in sorted(days)]) for series, days in units.items()]


@cache
def usual():
    first, last = day_of(QUIET) - N_DAYS, day_of("2025-12-31")
    return [asked(day, 1 + day * day % 5, group) for day in range(first, last) for group in (GROUP, ANOTHER)]


def weekly(table):
    """The last weeks of a daily table."""
    values = table.values[:, -7 * N_WEEKS :].reshape(len(table.names), N_WEEKS, 7).sum(axis=2)
    return SeriesTable(table.names, table.days[-7 * N_WEEKS :][6::7], values)


@cache
def seen(back=None, group=GROUP, *, day=QUIET, pace=DAILY, horizon=1, level=0):
    """What trees see of a series and the ``horizon``-th period from ``day`` on; with a request ``back`` days before."""
    more = [] if back is None else [asked(day_of(day) - back, 6, group)]
    table = history_of(days_of([*usual(), *more]), day_of(day))
    table = table if pace is DAILY else weekly(table)
    past = past_of(table.values, table.names, pace)
    calendar = calendar_columns(np.concatenate([table.days, pace.after(table.days, horizon)]), pace, KERALA)
    rows = rows_of(past, calendar, np.array([len(table.days) - 1]), horizon, level)
    return dict(zip(NAMES, rows[table.names.index((DISTRICT, GROUP)), 0].tolist(), strict=True))


BACK = {
    **{f"lag_{n}": n for n in range(1, 9)},
    **{f"mean_{n}": window for n, window in enumerate(DAILY.means, 1)},
    **dict.fromkeys(("wobble", "level", "since_year"), 1),
    "wobble_year": DAILY.a_year,
    **{f"year_{n}": DAILY.years[n - 1] for n in (1, 2, 3)},
    **{f"around_year_{n}": DAILY.years[n - 1] + DAILY.around for n in (1, 2, 3)},
    "years": DAILY.years[0],
    "around_years": DAILY.years[2] - DAILY.around,
    **{f"moon_{n}": DAILY.moons[n - 1] for n in (1, 2, 3)},
    "moons": DAILY.moons[1] + 1,
    **{f"weekday_{n}": 7 * n for n in (1, 4, 13)},
}
"""How many days before the day to come a request moves each feature."""

BACK_WEEKLY = {"usual_year": 7 * WEEKLY.years[0], "usual_moon": 7 * WEEKLY.moons[0]}
"""The same of what only tables of longer periods have."""

SHARED = [name for name in NAMES if name.startswith("all_")]
DAYS = {
    "holidays": "2025-08-15",
    "workday_holidays": "2025-08-15",
    "holidays_before": "2025-08-16",
    "holidays_after": "2025-08-14",
    "ramadan_days": "2025-03-10",
    "from_eid_al_fitr": "2025-04-05",
    "from_eid_al_adha": "2025-06-10",
    "from_lunar_new_year": "2025-02-01",
    "from_diwali": "2025-10-25",
    "from_onam": "2025-09-08",
    "from_easter": "2025-04-25",
    "year_sin": "2025-10-16",
    "year_cos": "2025-10-16",
    "day_of_month": "2025-07-17",
    "weekday": "2025-07-17",
    "vacation_days": "2025-04-15",
    "monsoon": "2025-11-05",
    "holidays_now": "2025-08-16",
    "holidays_recently": "2025-08-18",
    "holidays_in_level": "2025-09-10",
    "ramadan_days_now": "2025-03-10",
    "ramadan_days_recently": "2025-03-10",
    "ramadan_days_in_level": "2025-03-10",
}
"""A day of which the calendar says otherwise than of the quiet one."""

APART = [[f"{of}_{n}" for n in range(1, 9) if f"{of}_{n}" in BACK] for of in ("lag", "year", "around_year", "moon")]
"""Features that look at days of their own: a request on one of them raises that one, and no other of its kind."""


def test_every_feature_is_among_the_moved():
    assert BACK.keys() | BACK_WEEKLY.keys() | {*SHARED} | DAYS.keys() | {"horizon"} == set(NAMES)
    assert DAYS.keys() >= set(COLUMNS)


@pytest.mark.parametrize("feature", BACK)
def test_a_request_moves_each_feature_of_the_past(feature):
    level = 1 if feature == "mean_3" else 0  # the shorter level is that very mean
    still, moved = seen(level=level), seen(BACK[feature], level=level)
    assert np.isfinite(still[feature])
    assert moved[feature] != still[feature]
    for kind in APART:
        if feature in kind:
            assert [name for name in kind if moved[name] > still[name]] == [feature]


@pytest.mark.parametrize("feature", BACK_WEEKLY)
def test_a_request_moves_what_is_usual_of_longer_periods(feature):
    still, moved = seen(pace=WEEKLY), seen(BACK_WEEKLY[feature], pace=WEEKLY)
    assert moved[feature] > still[feature]


@pytest.mark.parametrize("feature", SHARED)
def test_a_request_for_another_group_moves_what_is_shared(feature):
    own = feature.removeprefix("all_")
    pace, back = (WEEKLY, BACK_WEEKLY[own]) if own in BACK_WEEKLY else (DAILY, BACK[own])
    still, moved = seen(pace=pace), seen(back, ANOTHER, pace=pace)
    assert moved[feature] != still[feature]
    assert moved[own] == still[own]


@pytest.mark.parametrize("feature", DAYS)
def test_another_day_moves_what_the_calendar_says(feature):
    still, moved = seen(), seen(day=DAYS[feature])
    assert np.isfinite(still[feature])
    assert moved[feature] != still[feature]


def test_a_period_further_ahead_has_another_horizon():
    assert (seen()["horizon"], seen(horizon=2)["horizon"]) == (1.0, 2.0)
