"""How sure a score is, by how much was seen of the donor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from features.priors import AVAILABILITY

TAIL = 0.1
"""Below and above an 80 % interval."""

SCORE_MIN = 1e-6
"""Scores are taken to lie at least this far within 0 and 1, where a Beta exists."""


def confidence_of(score: NDArray[np.float64], alerts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one minus the width of the 80 % interval of each score.

    The score is taken as the mean of a Beta that weighs as many trials as the prior of availability does (what is known
    of people at large), and one more for each time that the donor was asked (what is known of this one).

    Parameters
    ----------
    score : ndarray of float64, shape (n,)
        Probabilities, 0 to 1.
    alerts : ndarray of float64, shape (n,)
        Times the donor was notified, each by what is left of it.

    Returns
    -------
    ndarray of float64, shape (n,)
        0 to 1, to 6 decimals.
    """
    mean = np.clip(score, SCORE_MIN, 1 - SCORE_MIN)
    trials = AVAILABILITY.trials + np.maximum(alerts, 0)
    alpha, beta = mean * trials, (1 - mean) * trials
    width = betaincinv(alpha, beta, 1 - TAIL) - betaincinv(alpha, beta, TAIL)
    confidence: NDArray[np.float64] = np.round(1 - width, 6)
    return confidence
