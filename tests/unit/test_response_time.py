"""From the chances of each stretch of waiting to a distribution of times."""

from __future__ import annotations

import numpy as np
import pytest

from features.response_time import BOUNDS_MINUTES, N_STRETCHES, answered_by, chance_within, median_hours

HOURS = np.array(BOUNDS_MINUTES) / 60


def test_who_answers_in_a_stretch_did_not_before():
    chances = np.full((1, N_STRETCHES), 0.5)
    assert answered_by(chances)[0] == pytest.approx(1 - 0.5 ** np.arange(1, N_STRETCHES + 1))
    assert answered_by(np.zeros((2, N_STRETCHES))).tolist() == [[0.0] * N_STRETCHES] * 2
    assert answered_by(np.ones((1, N_STRETCHES)))[0].tolist() == [1.0] * N_STRETCHES


def test_chances_within_hours_rise_from_nothing_to_all_who_answer():
    answered = answered_by(np.random.default_rng(0).random((5, N_STRETCHES)) / 3)
    assert chance_within(answered, np.zeros(5)).tolist() == [0.0] * 5
    assert chance_within(answered, np.full(5, 24.0)) == pytest.approx(answered[:, -1])
    assert chance_within(answered, np.full(5, 900.0)) == pytest.approx(answered[:, -1])
    rising = np.array([chance_within(answered, np.full(5, hours)) for hours in np.linspace(0, 24, 200)])
    assert (np.diff(rising, axis=0) >= 0).all()
    assert chance_within(answered, np.full(5, HOURS[4])) == pytest.approx(answered[:, 3])


def test_the_median_is_the_time_within_which_half_of_those_answer_who_do():
    answered = answered_by(np.random.default_rng(1).random((40, N_STRETCHES)) / 3)
    assert chance_within(answered, median_hours(answered)) == pytest.approx(answered[:, -1] / 2)


def test_the_ends():
    first, last, nobody = np.zeros((3, N_STRETCHES))
    first[0], last[-1] = 1.0, 1.0
    hours = median_hours(answered_by(np.array([first, last, nobody])))
    assert hours == pytest.approx([HOURS[1] / 2, (HOURS[-2] + HOURS[-1]) / 2, 24.0])
