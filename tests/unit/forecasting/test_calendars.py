from __future__ import annotations

import numpy as np
import pytest

from features.forecasting.calendars import COLUMNS, FAR_DAYS, KERALA, Place, calendar_columns
from features.forecasting.pace import DAILY, MONTHLY, WEEKLY, pace_of


def days(first, last, step=1):
    return np.arange(first, last, step, dtype="datetime64[D]")


def column(name, of, pace, place):
    return calendar_columns(of, pace, place)[:, COLUMNS.index(name)]


@pytest.mark.parametrize(
    ("given", "pace", "then"),
    [
        (days("2024-01-01", "2024-02-01"), DAILY, ["2024-02-01", "2024-02-02"]),
        (days("2024-01-07", "2024-03-01", 7), WEEKLY, ["2024-03-03", "2024-03-10"]),
        (np.array(["2023-12-31", "2024-01-31"], "datetime64[D]"), MONTHLY, ["2024-02-29", "2024-03-31"]),
        (np.array(["2024-01-15", "2024-02-15"], "datetime64[D]"), MONTHLY, ["2024-03-15", "2024-04-15"]),
        (np.array(["2023-01-28", "2023-02-28"], "datetime64[D]"), MONTHLY, ["2023-03-28", "2023-04-28"]),
    ],
)
def test_a_pace_is_known_by_its_days_and_goes_on(given, pace, then):
    assert pace_of(given) == pace
    assert pace.after(given, 2).astype(str).tolist() == then


def test_other_steps_have_a_pace_too():
    pace = pace_of(days("2020-01-01", "2024-01-01", 10))
    assert (pace.step_days, pace.a_year, pace.moons[0]) == (10, 37, 35)


@pytest.mark.parametrize(
    "given", [["2024-01-01", "2024-01-02", "2024-01-04"], ["2024-03-30", "2024-04-30", "2024-05-30"]]
)
def test_days_without_a_pace_have_none(given):
    with pytest.raises(ValueError, match="evenly"):
        pace_of(np.array(given, "datetime64[D]"))


def test_kerala_has_its_feasts_vacations_and_monsoon():
    september = days("2025-09-01", "2025-09-30")
    assert column("holidays", september, DAILY, KERALA)[3:7].tolist() == [1, 1, 1, 1]  # Onam
    assert column("from_onam", september, DAILY, KERALA)[:6].tolist() == [-4, -3, -2, -1, 0, 1]
    assert column("vacation_days", september, DAILY, KERALA)[[0, 9, 20]].tolist() == [1, 1, 0]
    assert set(column("monsoon", september, DAILY, KERALA)) == {1.0}
    assert column("holidays", days("2025-04-14", "2025-04-15"), DAILY, KERALA).tolist() == [1]  # Vishu
    assert column("ramadan_days", days("2025-03-10", "2025-03-11"), DAILY, KERALA).tolist() == [1]
    assert column("from_eid_al_fitr", days("2025-03-31", "2025-04-01"), DAILY, KERALA).tolist() == [0]


def test_a_week_counts_its_days():
    week = days("2019-02-10", "2019-02-11", 7)
    assert column("holidays", week, WEEKLY, Place("MY")).tolist() == [2]  # 5 and 6 February, Chinese New Year
    assert column("from_lunar_new_year", week, WEEKLY, Place("MY")).tolist() == [5]
    assert column("ramadan_days", days("2019-05-12", "2019-05-13", 7), WEEKLY, Place("MY")).tolist() == [7]
    assert abs(column("from_eid_al_adha", week, WEEKLY, Place("MY"))[0]) == FAR_DAYS


def test_what_was_granted_once_is_not_foreseen():
    # 28 November 2022 was made a holiday four days before; 19 November for an election.
    weeks = days("2022-11-20", "2022-12-05", 7)
    assert column("holidays", weeks[1:], WEEKLY, Place("MY"))[1] == 0


def test_without_a_place_only_the_time_of_year_month_and_week_count():
    columns = calendar_columns(days("2024-01-01", "2024-02-01"), DAILY, None)
    known = {name for name, one in zip(COLUMNS, columns.T, strict=True) if not np.isnan(one).any()}
    assert known == {"year_sin", "year_cos", "day_of_month", "weekday"}


@pytest.mark.parametrize(("country", "part"), [("XX", None), ("IN", "ZZ")])
def test_a_place_without_a_calendar_is_refused(country, part):
    with pytest.raises(ValueError, match="no calendar"):
        Place(country, part)
