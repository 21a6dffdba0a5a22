"""What judging is made of: roles, and what chance gives."""

import numpy as np
import pytest

from smartblood.performance.alerts import role_of
from smartblood.performance.judgement import Judgement, _measured
from smartblood.performance.view import tables_of
from smartblood.storage.performance import Released
from smartblood.training.judging import calibration_error, calibration_error_by_chance

SAID = [
    Released("1", "aa", "champion", 10),
    Released("2", "bb", "challenger", 20),
    Released("2", "cc", "champion", 25),
    Released("2", "bb", "champion", 30),
    Released("2", "", "retired", 40),
]


@pytest.mark.parametrize(
    ("version", "sha256", "at", "role"),
    [
        ("1", "aa", 50, "champion"),
        ("2", "bb", 19, "champion"),  # by default, or not known yet: it answered
        ("2", "BB", 20, "challenger"),
        ("2", "bb", 29, "challenger"),  # what is said of another digest is said of another version
        ("2", "bb", 30, "champion"),
        ("2", "bb", 40, "champion"),
        ("9", "dd", 50, "champion"),
    ],
)
def test_a_role_is_the_last_word_before_the_answer(version, sha256, at, role):
    assert role_of(SAID, version, sha256, at) == role


def test_what_chance_gives_of_a_calibration_error_is_what_right_probabilities_show():
    rng = np.random.default_rng(4)
    probability = rng.uniform(0.05, 0.6, 3_000)
    shown = [calibration_error(rng.random(3_000) < probability, probability) for _ in range(200)]
    assert calibration_error_by_chance(probability) == pytest.approx(np.mean(shown), rel=0.05)


def test_the_interval_of_a_calibration_error_holds_it():
    label = np.tile([True, False], 200)
    found = _measured("ece", label, np.full(400, 0.5), np.arange(400))
    assert found.lower == found.value == 0.0 < found.upper


@pytest.mark.parametrize(
    ("n_alerts", "n_settled", "said"),
    [
        (0, 0, "Nothing has been judged yet: in these days nobody was notified"),
        (8, 0, "Nothing has been judged yet: no request is settled"),
        (8, 3, "Nothing needs a look."),
    ],
)
def test_where_nothing_was_judged_it_is_not_said_that_all_is_well(n_alerts, n_settled, said):
    *_, last = tables_of(Judgement(0, 28, n_alerts, n_settled, 0, is_cut=False, performances=[], drifts=[]))
    assert str(last).startswith(said)
