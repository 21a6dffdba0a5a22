"""Figures of how good scores are, and their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from smartblood.training.judging import auc, brier, calibration_error, log_loss, ndcg, with_interval
from smartblood.training.verdicts import probabilities_of


def test_figures_are_those_of_the_textbook():
    gave_it = np.array([True, False, True, False])
    score = np.array([0.9, 0.8, 0.8, 0.1])
    assert auc(gave_it, score) == 0.875  # one tie counts a half
    assert brier(gave_it, score) == pytest.approx((0.01 + 0.64 + 0.04 + 0.01) / 4)
    assert log_loss(gave_it, score) == pytest.approx(-np.log([0.9, 0.2, 0.8, 0.9]).mean())
    assert calibration_error(np.array([True] * 50 + [False] * 50), np.full(100, 0.5)) == pytest.approx(0.5)
    groups = np.array([1, 1, 2, 2])
    assert ndcg(gave_it, score, groups) == 1.0
    assert ndcg(gave_it, -score, groups) == pytest.approx(1 / np.log2(3))


def test_an_interval_holds_its_value_and_narrows_with_more_requests():
    rng = np.random.default_rng(0)
    values, groups = rng.random(8000), np.repeat(np.arange(2000), 4)
    wide = with_interval(lambda places: float(values[:400][places].mean()), groups[:400], seed=1)
    narrow = with_interval(lambda places: float(values[places].mean()), groups, seed=1)
    for interval in (wide, narrow):
        assert interval.lower < interval.value < interval.upper
    assert narrow.upper - narrow.lower < (wide.upper - wide.lower) / 2


def _error_with_interval(label, score, groups, seed):
    return with_interval(
        lambda places: calibration_error(label[places], score[places]), groups, seed=seed, is_distance=True
    )


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("n", [60, 400, 6_000])
def test_the_interval_of_a_calibration_error_holds_it_though_drawing_again_makes_it_greater(n, seed):
    rng = np.random.default_rng(seed)
    score = rng.uniform(0.35, 0.75, n)
    label, groups = rng.random(n) < score, np.repeat(np.arange(n // 4), 4)
    found = _error_with_interval(label, score, groups, seed=seed)
    assert found.value == pytest.approx(calibration_error(label, score))
    assert 0 <= found.lower <= found.value <= found.upper
    assert found.lower < found.upper


def test_intervals_of_a_calibration_error_hold_what_it_is_on_average_as_often_as_they_say():
    rng, n = np.random.default_rng(3), 800
    score = rng.uniform(0.1, 0.9, n)
    true = np.clip(score + 0.12, 0, 1)  # wrong by so much that chance hardly moves the average
    draws = [rng.random(n) < true for _ in range(120)]
    usual = np.mean([calibration_error(label, score) for label in draws])
    found = [_error_with_interval(label, score, np.arange(n), seed=1) for label in draws]
    held = np.mean([one.lower <= usual <= one.upper for one in found])
    assert 0.88 <= held <= 0.99


def test_every_calibration_error_has_the_interval_that_holds_it():
    rng, n = np.random.default_rng(0), 6_000
    score = rng.uniform(0.35, 0.75, n)
    label, groups = rng.random(n) < score, np.repeat(np.arange(n // 4), 4)
    told = probabilities_of(label, {"model": score}, groups, 1)["ece_model"]
    assert told == [round(one, 4) for one in _error_with_interval(label, score, groups, seed=1)]
