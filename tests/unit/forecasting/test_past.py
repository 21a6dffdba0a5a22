from __future__ import annotations

import numpy as np
import pytest

from features.forecasting.calendars import COLUMNS
from features.forecasting.pace import DAILY, WEEKLY
from features.forecasting.past import past_of
from features.forecasting.rows import NAMES, rows_of
from features.forecasting.windows import median_known, rolling

SERIES = tuple((district, group) for district in ("north", "south") for group in ("A", "O", "B"))


def counts(n, seed=0, mean=3.0):
    rng = np.random.default_rng(seed)
    values = rng.poisson(mean, (len(SERIES), n)).astype(float)
    values[rng.random(values.shape) < 0.05] = np.nan
    return values


def same(one, other):
    assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


@pytest.mark.parametrize("pace", [DAILY, WEEKLY])
def test_no_later_value_is_in_what_the_past_says(pace):
    whole, n = counts(500), 420
    other = whole.copy()
    other[:, n:] = np.random.default_rng(9).permuted(whole[:, n:], axis=1) * 1_000
    calendar = np.zeros((540, len(COLUMNS)))
    rows = [
        rows_of(past_of(values, SERIES, pace), calendar, np.array([n - 1]), step, 1)
        for values in (whole, other, whole[:, :n])
        for step in (1, 4, 30)
    ]
    for step in range(3):
        same(rows[step], rows[3 + step])
        same(rows[step], rows[6 + step])
    assert rows[0].shape == (len(SERIES), 1, len(NAMES))


def test_means_roll_over_what_is_known():
    mean, n = rolling(np.array([[1.0, np.nan, 3.0, 5.0]]), 2)
    assert mean.tolist() == [[1.0, 1.0, 3.0, 4.0]]
    assert n.tolist() == [[1, 1, 1, 2]]


def test_a_million_in_one_day_moves_no_level_far():
    values = counts(300)
    odd = values.copy()
    odd[0, 250] = 1e6
    plain, moved = (past_of(one, SERIES, DAILY).mean_levels[1][0, -1] for one in (values, odd))
    assert plain < moved < 3 * plain


@pytest.mark.parametrize("at", [(60, 250), (250, 251), (200, 208), (60, 150, 270)])
def test_slips_of_one_series_move_no_level_far_near_each_other_or_not(at):
    values = counts(300)
    odd = values.copy()
    odd[0, list(at)] = 1e9
    plain, moved = (past_of(one, SERIES, DAILY) for one in (values, odd))
    assert np.nanmax(moved.values[0]) < 120
    assert (moved.mean_levels[1] < 3 * plain.mean_levels[1]).all()
    assert moved.mean_levels[1][1:] == pytest.approx(plain.mean_levels[1][1:], rel=0.05)


@pytest.mark.parametrize("pace", [DAILY, WEEKLY])
@pytest.mark.parametrize("level", [400.0, 1e6])
def test_a_level_that_stays_is_believed_within_three_periods(pace, level):
    values = counts(300)
    values[0, 200:] = level
    values[0, 240:280] = 0.0  # and again after it was gone, at once
    believed = past_of(values, SERIES, pace).values[0]
    assert believed[200] < level
    assert (believed[202:240] == level).all()
    assert (believed[280:] == level).all()
    if level == 400.0:
        assert believed[201] == level


def test_what_is_asked_for_every_month_is_believed_the_third_time():
    values = np.zeros((1, 300))
    values[0, 20::30] = 500.0
    believed = past_of(values, (("a",),), DAILY).values[0, 20::30]
    assert (believed[:2] < 500).all()
    assert (believed[2:] == 500).all()


@pytest.mark.parametrize("n", range(1, 11))
@pytest.mark.parametrize("at", [0, -1])
def test_a_short_history_is_measured_by_itself_and_by_others(n, at):
    values = counts(300)[:, -n:]
    values[np.isnan(values)] = 3.0
    values[0, at] = 1e9
    past = past_of(values, SERIES, DAILY)
    assert past.values[0].max() < 20 + 10 * 10
    assert past.mean_levels[1][:, -1].max() < 30


def test_a_single_value_of_a_single_series_is_all_there_is_to_believe():
    assert past_of(np.array([[5_000.0]]), (("a",),), DAILY).values[0, 0] == 5_000


def test_a_district_with_a_week_of_history_borrows_from_its_neighbours():
    values = counts(300)
    values[:3] *= 10  # the north asks for ten times as much
    values[3:, :293] = np.nan
    values[3:, 293:] = [[0, 2, 1, 0, 1, 1, 0], [60, 50, 70, 60, 60, 50, 60], [0, 0, 0, 0, 0, 0, 0]]
    level = past_of(values, SERIES, DAILY).mean_levels[1][:, -1]
    assert 0.2 < level[5] < 20  # not the 0 that it saw, not what the north has
    assert level[4] > level[3]


def test_nothing_known_is_a_low_level_and_no_error():
    past = past_of(np.full((1, 50), np.nan), (("a",),), DAILY)
    assert np.isnan(past.log_levels[0]).all()
    zeros = past_of(np.zeros((1, 50)), (("a",),), DAILY)
    assert 0 < zeros.mean_levels[0][0, -1] < 0.01


def test_a_median_of_what_is_known_is_moved_by_no_single_year():
    parts = [
        np.array([1.0, np.nan, np.nan, 4.0]),
        np.array([3.0, 2.0, np.nan, 2.0]),
        np.array([900.0, 4.0, np.nan, np.nan]),
    ]
    assert np.array_equal(median_known(parts), [3.0, 3.0, np.nan, 3.0], equal_nan=True)


def test_a_weekday_of_its_own_makes_no_series_unsteady():
    rng, days = np.random.default_rng(3), np.arange(500)
    names = tuple((place, "O") for place in ("even", "weekly", "unsteady"))
    weekly = np.exp(rng.normal(0, 0.5, 7))[days % 7]
    rate = 100 * np.stack([np.ones(500), weekly, np.exp(rng.normal(0, 0.3, 500))])
    even, by_weekday, unsteady = past_of(rng.poisson(rate).astype(float), names, DAILY).spread[:, -1]
    assert max(even, by_weekday) < 0.1
    assert 0.25 < unsteady < 0.4


def test_series_of_next_to_nothing_say_nothing_of_how_steady_large_ones_are():
    rng = np.random.default_rng(4)
    names = tuple((f"place {n}", "O") for n in range(12))
    values = np.concatenate([rng.poisson(200, (2, 500)), 5 * rng.poisson(0.01, (10, 500))]).astype(float)
    spread = past_of(values, names, DAILY).spread[:, -1]
    assert (spread[:2] < 0.1).all()
    assert (spread[2:] > 1).all(), "where something is asked for, it is five at once"
