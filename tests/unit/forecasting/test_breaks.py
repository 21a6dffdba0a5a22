"""Where a series became what it is now."""

from __future__ import annotations

import numpy as np
import pytest

from features.forecasting.breaks import since_break
from features.forecasting.pace import DAILY, MONTHLY, WEEKLY

N = 800


def drawn(rates):
    return np.random.default_rng(8).poisson(rates).astype(float)


def broken(*parts):
    """Return where counts of rates that follow each other broke; parts are rates and for how long."""
    rates = np.concatenate([np.full(n, float(rate)) for rate, n in parts])
    return int(since_break(drawn(rates)[None], DAILY)[0])


@pytest.mark.parametrize("n", [14, 20, 40, 91, 200, 364, 365, 900])
@pytest.mark.parametrize(("before", "since"), [(0, 7), (0, 1_000), (2, 20), (0.02, 3)])
def test_who_begins_to_ask_is_what_it_is_since_then(before, since, n):
    assert broken((before, N), (since, n)) == pytest.approx(N, abs=2)


@pytest.mark.parametrize("n", [28, 40, 200, 500])
@pytest.mark.parametrize(("before", "since"), [(7, 0), (40, 4), (1_000, 0)])
def test_who_asks_no_more_is_believed_after_four_weeks(before, since, n):
    assert broken((before, N), (since, n)) == pytest.approx(N, abs=2)
    assert broken((before, N), (since, 27)) == 0


def test_the_last_of_several_breaks_counts():
    assert broken((20, 300), (0, 100), (300, 60)) == pytest.approx(400, abs=2)
    assert broken((2, 300), (30, 300), (0, 60)) == pytest.approx(600, abs=2)


def test_what_was_there_before_comes_again():
    assert broken((10, 400), (0, 60), (10, 40)) == 0
    assert broken((0, 400), (10, 60), (0, 300), (10, 40)) == 0


def test_too_little_is_no_break():
    assert broken((0, 20), (7, 40)) == 0  # nearly all that there is
    assert broken((0, N), (7, 13)) == 0
    assert broken((7, N), (14, 60)) == 0
    assert broken((0, N), (50, 1), (0, 40)) == 0  # a slip


def test_a_season_that_was_seen_before_is_no_break_however_large():
    days = np.arange(3 * 364)
    swing = 50 * np.exp(2.5 * np.sin(2 * np.pi * days / 364))
    for n in range(500, len(days), 7):
        assert not since_break(np.random.default_rng(n).poisson(swing[None, :n]).astype(float), DAILY).any(), n


def test_what_grows_is_no_break():
    days = np.arange(N)
    grown = drawn(5 * np.exp(days[None] / 120))
    assert not since_break(grown, DAILY).any()


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.2, 1.0, 5.0])
def test_chance_breaks_next_to_nothing(rate):
    """Also where little was known before: from the fifth week on, on every day of two years."""
    rng = np.random.default_rng(int(rate * 100))
    values = rng.poisson(rate, (200, 2 * 364)).astype(float)
    held = [since_break(values[:, :n], DAILY) > 0 for n in range(42, values.shape[1], 7)]
    assert np.mean(held) < 0.002


def test_gaps_are_no_zeros():
    values = drawn(np.full((1, N), 7.0))
    values[0, 300:700] = np.nan
    assert since_break(values, DAILY)[0] == 0
    values[0, :300] = 0
    assert 300 <= since_break(values, DAILY)[0] <= 702  # wherever within the gap
    assert since_break(np.full((2, N), np.nan), DAILY).tolist() == [0, 0]


@pytest.mark.parametrize(("pace", "n"), [(WEEKLY, 6), (MONTHLY, 3)])
@pytest.mark.parametrize(("before", "since", "times"), [(3.0, 40.0, 1), (40.0, 3.0, 2)], ids=["a rise", "a fall"])
def test_of_weeks_and_months_too(pace, n, before, since, times):
    values = np.concatenate([np.full(60, before), np.full(times * n, since)])[None]
    assert since_break(values, pace).tolist() == [60]
    assert since_break(values[:, :-1], pace).tolist() == [0]


@pytest.mark.parametrize("n", [0, 1, 13, 14, 27, 28, 41, 42])
def test_of_few_periods_nothing_broke(n):
    assert since_break(np.zeros((3, n)), DAILY).tolist() == [0, 0, 0]
