"""What the forecaster is judged beside."""

from __future__ import annotations

import numpy as np
import pytest

from smartblood.forecasting.classics import exponential_smoothing, seasonal_naive


def test_the_classics_say_what_they_are_known_for():
    values = np.tile(np.array([[10.0, 20.0, 30.0]]), 20)
    assert seasonal_naive(values, 5, 3).tolist() == [[10, 20, 30, 10, 20]]
    means, quantiles = exponential_smoothing(values, 3, 3, (0.1, 0.9))
    assert np.allclose(means, [[10, 20, 30]], rtol=0.02)
    assert (quantiles[..., 0] <= quantiles[..., 1]).all()
    nothing = exponential_smoothing(np.full((1, 20), np.nan), 2, 3, (0.5,))
    assert np.isnan(nothing[0]).all()


def test_a_long_season_is_left_out_of_smoothing_and_errors_are_in_proportion_where_they_were():
    rng = np.random.default_rng(5)
    steps = np.exp(np.cumsum(rng.normal(0, 0.05, 120)))
    rising = 100 * steps * np.exp(rng.normal(0, 0.02, 120)) * np.linspace(1, 30, 120)
    means, quantiles = exponential_smoothing(np.stack([rising, 1_000 + rng.normal(0, 10, 120)]), 2, 52, (0.1, 0.9))
    assert means[1] == pytest.approx(1_000, rel=0.01)  # 2 years of 52 periods would have taught it noise
    width = quantiles[..., 1] - quantiles[..., 0]
    assert 0.1 < width[0, 0] / means[0, 0] < 0.3  # of a level 30 times the first's, errors are larger too
    assert 15 < width[1, 0] < 40
    some_zero = np.where(np.arange(60) % 5, 50.0, 0.0)[None]
    assert np.isfinite(exponential_smoothing(some_zero, 2, 52, (0.1, 0.9))[1]).all()
