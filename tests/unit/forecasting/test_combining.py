"""Which learners are heard, and how much."""

from __future__ import annotations

import numpy as np
import pytest

from smartblood.forecasting.combining import combine


@pytest.mark.filterwarnings("error")
def test_learners_of_whom_nothing_is_known_are_heard_alike():
    nothing = np.empty(0)
    assert combine(np.empty((2, 0)), nothing, nothing, nothing.astype(int)).weights.tolist() == [0.5, 0.5]


def test_learners_are_combined_only_where_that_wins():
    rng = np.random.default_rng(0)
    truth = rng.uniform(50, 150, 4_000)
    good, other = truth + rng.normal(0, 5, (2, truth.size))
    bad = truth + rng.normal(0, 60, truth.size)
    rest = truth, np.full(truth.size, 100.0), np.arange(truth.size) % 8
    assert (combine(np.stack([good, other, bad]), *rest).weights > 0).tolist() == [True, True, False]
    assert (combine(np.stack([good, bad]), *rest).weights > 0).tolist() == [True, False]
    slightly = good + rng.normal(0, 1, truth.size)  # worse, but not by so much that it's certain to last
    assert (combine(np.stack([good, slightly]), *rest).weights > 0).tolist() == [True, True]
    assert combine(np.stack([good * 1.01]), *rest).weights == pytest.approx([1.0], abs=0.002)
    halved = np.stack([good / 1.5])
    assert combine(halved, *rest).weights == pytest.approx([1.5], rel=0.02)
    assert combine(halved, *rest, within=(0.9, 1.1)).weights == pytest.approx([1.1])


@pytest.mark.parametrize("said_of_it", [1.0, 1_000.0], ids=["far more came", "far less came"])
@pytest.mark.parametrize("better", [0, 1])
def test_one_series_chooses_no_learner_for_others_and_moves_no_sum_of_theirs(said_of_it, better):
    rng = np.random.default_rng(3)
    n, six = 400, 6 * 400
    truth, series = rng.poisson(3, six).astype(float), np.repeat(np.arange(7), n)
    said = 3.0 + rng.normal(0, 0.2, (2, six))
    plain = combine(said, truth, np.full(six, 3.0), series[:six]).weights
    assert (plain > 0).all()
    odd = np.full((2, n), said_of_it)
    odd[better] = 501.0  # nearer by half
    found = combine(
        np.concatenate([said, odd], axis=1),
        np.concatenate([truth, np.full(n, 1_001 - said_of_it)]),
        np.concatenate([np.full(six, 3.0), np.full(n, said_of_it)]),
        series,
    )
    assert found.weights == pytest.approx(plain, rel=0.03)
