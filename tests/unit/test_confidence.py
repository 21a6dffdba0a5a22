"""How sure an availability is said to be: by its interval, which narrows with every alert."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from features.confidence import HIGH, LOW, MEDIUM, confidence_of, interval_of, level_of
from features.priors import AVAILABILITY


def of(score, alerts):
    return level_of(float(confidence_of(np.array([score]), np.array([alerts]))[0]))


def test_the_interval_holds_four_fifths_of_what_the_donor_may_be():
    score, alerts = np.array([0.03, 0.3, 0.7]), np.array([0.0, 4.5, 60.0])
    trials = AVAILABILITY.trials + alerts
    lower, upper = interval_of(score, alerts)
    within = beta(score * trials, (1 - score) * trials)
    assert within.cdf(lower) == pytest.approx([0.1] * 3, abs=1e-9)
    assert within.cdf(upper) == pytest.approx([0.9] * 3, abs=1e-9)
    assert confidence_of(score, alerts) == pytest.approx(1 - (upper - lower), abs=1e-6)


@pytest.mark.parametrize(
    ("score", "alerts", "level"),
    [(0.27, 0.0, LOW), (0.27, 8.0, MEDIUM), (0.27, 40.0, HIGH), (0.5, 40.0, HIGH), (0.5, 5.0, LOW), (0.01, 3.0, HIGH)],
)
def test_who_was_asked_more_often_is_known_better(score, alerts, level):
    assert of(score, alerts) == level


def test_no_alert_more_makes_an_availability_less_sure():
    order = [LOW, MEDIUM, HIGH]
    for score in (0.05, 0.2, 0.5, 0.9):
        levels = [order.index(of(score, float(alerts))) for alerts in range(0, 200, 3)]
        assert levels == sorted(levels)
        assert levels[-1] == order.index(HIGH)


@pytest.mark.parametrize(
    ("confidence", "level"), [(1.0, HIGH), (0.8, HIGH), (0.799999, MEDIUM), (0.6, MEDIUM), (0.599999, LOW), (0.0, LOW)]
)
def test_the_bounds_belong_to_the_surer_word(confidence, level):
    assert level_of(confidence) == level


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_what_is_certain_has_an_interval_all_the_same(score):
    lower, upper = interval_of(np.array([score]), np.array([0.0]))
    assert 0 <= lower[0] <= upper[0] <= 1
    assert of(score, 0.0) == HIGH
