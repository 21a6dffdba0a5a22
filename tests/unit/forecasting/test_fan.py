from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from features.forecasting.fan import LEARNED, fan_of, fan_quantiles, mean_over_median, stretch_of
from features.series import LEVELS


def normal_fan(width, n):
    return np.broadcast_to(width * ndtri(np.array(LEARNED)), (n, len(LEARNED)))


@pytest.mark.parametrize("true", [0.05, 0.1, 0.3])
def test_quantiles_keep_their_word_where_the_learned_ones_are_too_narrow_or_wide(true):
    rng = np.random.default_rng(1)
    n = 4_000
    outcomes = np.expm1(np.log1p(1_000) + rng.normal(0, true, 2 * n))
    means, fan = np.full(n, 1_000.0), normal_fan(0.1, n)
    stretch = stretch_of(outcomes[:n], means, fan)
    assert stretch == pytest.approx(true / 0.1, rel=0.05)
    quantiles = fan_quantiles(means, stretch * fan, LEVELS)
    assert np.allclose((outcomes[n:, None] <= quantiles).mean(axis=0), LEVELS, atol=0.03)


def test_an_unsure_week_has_the_wider_interval_and_a_lopsided_one_stays_lopsided():
    said = np.array([[50.0, 90], [80, 95], [100, 100], [105, 105], [110, 110]])
    fan = fan_of(said)
    quantiles = fan_quantiles(np.array([200.0, 200.0]), fan, LEVELS)
    assert quantiles[0, -1] == pytest.approx(quantiles[1, -1])
    assert quantiles[0, 0] < quantiles[1, 0] < 200
    assert 200 - quantiles[0, 0] > 2 * (quantiles[0, -1] - 200)
    assert quantiles[:, 4] == pytest.approx([200, 200])


def test_quantiles_never_cross_are_never_below_0_and_of_nothing_known_nothing_is_said():
    rng = np.random.default_rng(2)
    fan = fan_of(10 ** rng.uniform(-6, 7, (len(LEARNED), 300, 5)))  # as if they crossed
    means = 10 ** rng.uniform(-6, 7, (300, 5))
    means[3, 2] = np.nan
    quantiles = fan_quantiles(means, fan, (0.01, *LEVELS, 0.99))
    assert np.isnan(quantiles[3, 2]).all()
    known = np.delete(quantiles.reshape(-1, 11), 3 * 5 + 2, axis=0)
    assert (np.diff(known, axis=-1) >= 0).all()
    assert (known >= 0).all()


def test_few_outcomes_widen_and_none_leave_it():
    assert stretch_of(np.empty(0), np.empty(0), np.empty((0, len(LEARNED)))) == 1.0
    outcomes = np.expm1(np.log1p(100) + np.array([0.05, -0.05, 0.02, 0.3]))
    assert stretch_of(outcomes, np.full(4, 100.0), normal_fan(0.1, 4)) == pytest.approx(0.3 / (0.1 * ndtri(0.9)))


def test_a_fan_says_by_how_much_means_lie_above_medians():
    normal = np.array([-1.2816, -0.5244, 0.0, 0.5244, 1.2816])
    medians = np.array([1_000.0, 5_000.0])
    for spread in (0.1, 0.5, 0.8):
        said = mean_over_median(medians, np.tile(spread * normal, (2, 1)))
        assert said == pytest.approx(np.exp(spread**2 / 2), rel=0.04)
    assert mean_over_median(np.zeros(0), np.zeros((0, 5))) == 1.0
