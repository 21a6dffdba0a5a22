"""Calibration undoes what was done to scores, by steps only where a smooth curve can't."""

from __future__ import annotations

import numpy as np
import pytest

from smartblood.registry.scorer import Calibration
from smartblood.training.fitting import fit_beta, fit_calibration, fit_isotonic
from smartblood.training.judging import calibration_error, log_loss


def _gave(logit, rng):
    return rng.random(logit.size) < 1 / (1 + np.exp(-logit))


def test_calibration_undoes_what_was_done_to_a_logit():
    rng = np.random.default_rng(0)
    truth = rng.normal(-2.5, 1.2, 40_000)
    gave_it = _gave(truth, rng)
    bent = truth * 2 + 1
    for fit in (fit_beta, fit_isotonic):
        probability = Calibration(fit(bent[:20_000], gave_it[:20_000])).probabilities(bent[20_000:])
        assert calibration_error(gave_it[20_000:], probability) < 0.01
    _, losses = fit_calibration(bent, gave_it)
    assert max(losses.values()) < log_loss(gave_it, 1 / (1 + np.exp(-bent)))


def test_steps_are_taken_only_where_they_win_by_more_than_chance():
    won, taken = 0, 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        raw = rng.normal(-2.5, 0.3, 4000)  # nothing to undo, and little to tell apart
        fitted, losses = fit_calibration(raw, _gave(raw, rng))
        won += losses["isotonic"] < losses["beta"]
        taken += fitted["kind"] == "isotonic"
    assert won > 2, "chance never let steps win: this shows nothing"
    assert taken <= 2  # of forty, by two standard errors to one side


def test_steps_are_taken_where_no_smooth_curve_follows():
    rng = np.random.default_rng(1)
    raw = rng.normal(-1, 1.2, 40_000)
    fitted, losses = fit_calibration(raw, _gave(np.where(raw > 0, 1.5, -2.5), rng))
    assert fitted["kind"] == "isotonic"
    assert losses["isotonic"] < losses["beta"]


def test_beta_calibration_of_upside_down_scores_stays_level():
    rng = np.random.default_rng(0)
    raw = rng.normal(size=5000)
    parameters = fit_beta(raw, _gave(-raw, rng))
    assert (parameters["a"], parameters["b"]) == (0.0, 0.0)
    assert Calibration(parameters).probabilities(raw) == pytest.approx(0.5, abs=0.03)
