"""How sure a score is, by how much was seen of the donor: its interval, one minus the interval's width, or a word."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from features.priors import AVAILABILITY

TAIL = 0.1
"""Below and above an 80 % interval."""

SCORE_MIN = 1e-6
"""Scores are taken to lie at least this far within 0 and 1, where a Beta exists."""


HIGH_WIDTH, MEDIUM_WIDTH = 0.2, 0.4
"""How wide an interval may be at most for the word: ten and twenty points to either side of the score."""

HIGH, MEDIUM, LOW = "high", "medium", "low"

Floats = NDArray[np.float64]


class Bounds(NamedTuple):
    """The 80 % interval of each score; both of shape (n,), 0 to 1."""

    lower: Floats
    upper: Floats


def interval_of(score: Floats, alerts: Floats) -> Bounds:
    """Return the 80 % interval of each score.

    The score is taken as the mean of a Beta that weighs as many trials as the prior of availability does (what is known
    of people at large), and one more for each time that the donor was asked (what is known of this one).

    Parameters
    ----------
    score : ndarray of float64, shape (n,)
        Probabilities, 0 to 1.
    alerts : ndarray of float64, shape (n,)
        Times the donor was notified, each by what is left of it.
    """
    mean = np.clip(score, SCORE_MIN, 1 - SCORE_MIN)
    trials = AVAILABILITY.trials + np.maximum(alerts, 0)
    alpha, beta = mean * trials, (1 - mean) * trials
    return Bounds(betaincinv(alpha, beta, TAIL), betaincinv(alpha, beta, 1 - TAIL))


def confidence_of(score: Floats, alerts: Floats) -> Floats:
    """Return one minus the width of the 80 % interval of each score.

    Parameters
    ----------
    score, alerts : ndarray of float64, shape (n,)
        As ``interval_of`` takes them.

    Returns
    -------
    ndarray of float64, shape (n,)
        0 to 1, to 6 decimals.
    """
    lower, upper = interval_of(score, alerts)
    confidence: Floats = np.round(1 - (upper - lower), 6)
    return confidence


def level_of(confidence: float) -> str:
    """Return how sure a score is in a word: ``HIGH``, ``MEDIUM`` or ``LOW``.

    Of a donor who was never asked, what is said is of people at large: that is LOW, unless hardly anybody like them
    says yes, or hardly anybody says no.

    Parameters
    ----------
    confidence : float
        One minus the width of the interval, as ``confidence_of`` returns it.
    """
    width = round(1 - confidence, 6)
    if width <= HIGH_WIDTH:
        return HIGH
    return MEDIUM if width <= MEDIUM_WIDTH else LOW
