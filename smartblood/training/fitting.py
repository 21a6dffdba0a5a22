"""Fitting trees and their calibration; seeded, on one thread, so that the same examples give the same bytes."""

from __future__ import annotations

import math
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from smartblood.registry.scorer import BETA, ISOTONIC, Calibration
from smartblood.training.judging import log_losses

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

PROBABILITY_MIN = 1e-4
"""An isotonic step at 0 or 1 would claim a certainty that no finite number of examples gives."""

WINS_BY = 2.0
"""Standard errors of the mean difference of two log losses, example by example."""


def fit_trees(
    rows: Floats,
    gave: Flags,
    features: tuple[str, ...],
    *,
    parameters: dict[str, Any],
    seed: int,
    start: Floats | None = None,
) -> str:
    """Fit trees and return LightGBM's text.

    Parameters
    ----------
    rows : ndarray of float64, shape (n, n_features)
    gave : ndarray of bool, shape (n,)
    parameters : dict
        LightGBM's, ``n_trees`` among them.
    start : ndarray of float64, shape (n,), optional
        Logits that the trees add to; none of it is in the text.
    """
    data = lightgbm.Dataset(
        rows, gave.astype(np.int8), feature_name=list(features), init_score=start, params={"verbose": -1}
    )
    fixed = {
        "objective": "binary",
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "seed": seed,
        "verbose": -1,
    }
    own = dict(parameters)
    n_trees = own.pop("n_trees")
    text: str = lightgbm.train({**own, **fixed}, data, n_trees).model_to_string()
    return text


def fit_calibration(raw: Floats, gave: Flags) -> tuple[dict[str, Any], dict[str, float]]:
    """Choose between beta and isotonic calibration, and fit the chosen one on all that is given.

    The choice is made by log loss on the later half, by what was fitted on the earlier one: isotonic is chosen where
    its is lower by more than ``WINS_BY`` standard errors. Its ends rest on few examples, so that a draw goes to beta.

    Parameters
    ----------
    raw : ndarray of float64, shape (n,)
        Raw scores: logits; in order of time.
    gave : ndarray of bool, shape (n,)

    Returns
    -------
    tuple of (dict, dict)
        What ``Calibration`` takes, and the log loss of each kind.
    """
    half = raw.size // 2
    losses = {
        kind: log_losses(gave[half:], Calibration(fit(raw[:half], gave[:half])).probabilities(raw[half:]))
        for kind, fit in _FITS.items()
    }
    saved = losses[BETA] - losses[ISOTONIC]
    wins = saved.mean() > WINS_BY * saved.std() / math.sqrt(max(saved.size, 1))
    return _FITS[ISOTONIC if wins else BETA](raw, gave), {kind: float(loss.mean()) for kind, loss in losses.items()}


def fit_beta(raw: Floats, gave: Flags) -> dict[str, Any]:
    """Fit a beta calibration; a term that would turn the order round is left out.

    References
    ----------
    Kull, Silva Filho and Flach, "Beta calibration", AISTATS 2017.
    """
    columns = np.stack([-np.logaddexp(0, -raw), np.logaddexp(0, raw)], axis=1)  # ln p, -ln(1 - p)
    kept = [0, 1]
    while kept:
        fitted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(columns[:, kept], gave)
        if (fitted.coef_[0] >= 0).all():
            weights = dict(zip(kept, fitted.coef_[0].tolist(), strict=True))
            return {"kind": BETA, "a": weights.get(0, 0.0), "b": weights.get(1, 0.0), "c": float(fitted.intercept_[0])}
        kept.remove(kept[int(np.argmin(fitted.coef_[0]))])
    share = (float(np.count_nonzero(gave)) + 0.5) / (gave.size + 1)
    return {"kind": BETA, "a": 0.0, "b": 0.0, "c": math.log(share / (1 - share))}


def fit_isotonic(raw: Floats, gave: Flags) -> dict[str, Any]:
    """Fit an isotonic calibration: the levels' middles, joined by straight lines, so that few scores are equal."""
    fitted = IsotonicRegression(y_min=PROBABILITY_MIN, y_max=1 - PROBABILITY_MIN, out_of_bounds="clip")
    level = fitted.fit_transform(raw, gave.astype(float))
    order = np.argsort(raw, kind="stable")
    levels, first = np.unique(level[order], return_index=True)
    middles = np.array([part.mean() for part in np.split(raw[order], first[1:])])
    return {"kind": ISOTONIC, "raw": middles.tolist(), "probability": levels.tolist()}


_FITS = {BETA: fit_beta, ISOTONIC: fit_isotonic}
