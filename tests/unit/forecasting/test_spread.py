from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import nbinom

from features.forecasting.figures import figures_of, scales_of
from features.forecasting.reconciliation import added_up
from features.forecasting.spread import GRID, conformal_levels, conformal_tables, places_of, quantiles_of
from features.series import LEVELS


@pytest.mark.parametrize(("mean", "within"), [(0.3, 0.05), (3.0, 0.025), (50.0, 0.01), (4_000.0, 0.01)])
def test_outcomes_fall_evenly_where_the_forecast_is_true(mean, within):
    rng = np.random.default_rng(1)
    spread, n = 0.4, 40_000
    outcomes = rng.poisson(mean * rng.gamma(1 / spread**2, spread**2, n)).astype(float)
    places = places_of(outcomes, np.full(n, mean), np.full(n, spread))
    assert np.allclose(conformal_levels(places), GRID, atol=within)


def test_quantiles_keep_their_word_where_the_spread_was_wrong():
    rng = np.random.default_rng(2)
    n, spread = 4_000, np.full(4_000, 0.5)  # in truth 0.1
    outcomes = np.rint(1_000 * np.exp(rng.normal(0, 0.1, 2 * n)))
    means = np.full(n, 1_000.0)
    tables = conformal_tables(places_of(outcomes[:n], means, spread), means, spread, np.arange(n))
    quantiles = quantiles_of(means[:, None], spread[:, None], tables[None], LEVELS)[:, 0]
    below = (outcomes[n:, None] <= quantiles).mean(axis=0)
    assert np.allclose(below, LEVELS, atol=0.03)


def test_steady_series_and_unsteady_ones_have_tables_of_their_own_where_there_are_enough_of_them():
    rng = np.random.default_rng(5)
    n, said = 6_000, np.repeat([0.05, 0.5], 3_000)
    means, truth = np.full(n, 100.0), np.where(said < 0.1, 0.15, 0.2)  # steadier ones said too sure, others too unsure
    outcomes = rng.poisson(means * rng.gamma(1 / truth**2, truth**2, (2, n))).astype(float)
    places = places_of(outcomes[0], means, said)
    tables = conformal_tables(places, means, said, np.arange(n) % 40)
    quantiles = quantiles_of(means[:, None], said[:, None], tables[None], LEVELS)[:, 0]
    for one in (said < 0.1, said > 0.1):
        assert np.allclose((outcomes[1, one, None] <= quantiles[one]).mean(axis=0), LEVELS, atol=0.04)
    steady_few = np.where(said < 0.1, np.arange(n) % 5, 10 + np.arange(n) % 40)
    few = conformal_tables(places, means, said, steady_few)
    assert np.array_equal(few[4, 0], conformal_levels(places)), "five series are no rule: that of the size"
    assert np.array_equal(few[4, 3], tables[4, 3])


def test_tables_that_know_of_sizes_alone_count_for_whatever_spread():
    rng = np.random.default_rng(6)
    means, spreads = 10 ** rng.uniform(-1, 4, (200, 2)), 10 ** rng.uniform(-2, 0, (200, 2))
    by_size = np.sort(rng.random((2, 4, 1, GRID.size)), axis=-1)
    wide = np.concatenate([by_size, by_size[:, -1:], by_size[:, -1:]], axis=1).repeat(4, axis=2)
    assert np.array_equal(quantiles_of(means, spreads, by_size, LEVELS), quantiles_of(means, spreads, wide, LEVELS))


def test_quantiles_never_cross_and_are_never_below_0():
    rng = np.random.default_rng(3)
    means, spreads = 10 ** rng.uniform(-6, 7, (300, 5)), 10 ** rng.uniform(-3, 1, (300, 5))
    tables = np.sort(rng.random((5, 6, 4, GRID.size)), axis=-1)
    quantiles = quantiles_of(means, spreads, tables, (0.01, 0.1, 0.5, 0.9, 0.99))
    assert (np.diff(quantiles, axis=-1) >= 0).all()
    assert (quantiles >= 0).all()


def test_quantiles_are_those_of_the_negative_binomial():
    rng = np.random.default_rng(4)
    means, spreads = 10 ** rng.uniform(-4, 5, (2_000, 1)), 10 ** rng.uniform(-2.5, 0.7, (2_000, 1))
    size = 1 / spreads**2
    quantiles = quantiles_of(means, spreads, np.broadcast_to(GRID, (1, 6, 4, GRID.size)), LEVELS)
    expected = nbinom.ppf(np.array(LEVELS), size, size / (size + means))
    assert np.array_equal(quantiles[:, 0], expected)
    outcomes = nbinom.ppf(rng.random(2_000), size[:, 0], (size / (size + means))[:, 0])
    places = places_of(outcomes, means[:, 0], spreads[:, 0]).mean(axis=1)
    shares = [nbinom.cdf(outcomes - less, size[:, 0], (size / (size + means))[:, 0]) for less in (0, 1)]
    assert np.allclose(places, np.mean(shares, axis=0), atol=1e-12)


def test_few_outcomes_push_the_outer_levels_outwards():
    few = conformal_levels(np.repeat(np.linspace(0.05, 0.95, 9)[:, None], 8, axis=1))
    assert few[9] < 0.1
    assert few[89] > 0.9
    assert conformal_levels(np.empty((0, 8))).tolist() == GRID.tolist()


def test_figures_by_hand():
    outcomes, means = np.array([[[10.0, 20.0]]]), np.array([[[12.0, 16.0]]])
    quantiles = np.stack([means * 0.9, means, means * 1.1], axis=-1)
    found = figures_of(outcomes, means, (np.array([[2.0]]), np.array([[4.0]])), quantiles, (0.1, 0.5, 0.9))
    assert found.wape == pytest.approx(6 / 30)
    assert found.mase == pytest.approx(3 / 2)
    assert found.rmsse == pytest.approx(np.sqrt(10 / 4))
    losses = [0.9 * 0.8 + 0.1 * 5.6, 0.5 * 2 + 0.5 * 4, 0.1 * 3.2 + 0.9 * 2.4]
    assert found.wql == pytest.approx(2 * sum(losses) / 3 / 30)
    assert found.coverage == 0.0
    assert scales_of(np.array([[1.0, 2.0, 4.0, np.nan]]), 1) == (pytest.approx([1.5]), pytest.approx([2.5]))


def test_whoever_repeats_each_season_but_for_what_computing_leaves_has_no_scale():
    season = np.array([0.1, 0.2, 0.3, 1e6 / 3])
    again = np.concatenate([season, season + np.spacing(season), season - np.spacing(season)])[None]
    assert scales_of(again, 4) == (pytest.approx([0.0], abs=0), pytest.approx([0.0], abs=0))
    assert scales_of(again, 3)[0] > 0.1


def test_means_add_up_to_places_and_the_whole():
    names = (("north", "A"), ("south", "A"), ("north", "O"))
    values = np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]])
    assert added_up(names, values, 1)[0] == (("north",), ("south",))
    assert np.array_equal(added_up(names, values, 1)[1], [[6.0, 8.0], [3.0, np.nan]], equal_nan=True)
    assert added_up(names, values, 0)[1].tolist() == [[9.0, 8.0]]
