"""When a donor answers: from the chances to answer in each stretch of waiting to a distribution of times.

A survival curve in discrete time: a model says how probable it is that a donor who hasn't answered so far answers in
the next stretch. Alerts that nobody has answered yet, or that expired, say just as much until then (they are
censored), and the curve needs no shape. What is left after the last stretch are those who don't answer.

References
----------
Tutz and Schmid, "Modeling Discrete Time-to-Event Data", 2016, chapters 3 and 4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.kernels import kernel
from features.outcomes import HOURS

Floats = NDArray[np.float64]

BOUNDS_MINUTES = (0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 240.0, 480.0, 1_440.0)
"""Where stretches begin and end; an alert that nobody answered for a day has expired for good."""

N_STRETCHES = len(BOUNDS_MINUTES) - 1
_AT_HOURS = [BOUNDS_MINUTES.index(hours * 60) - 1 for hours in HOURS]
_BOUNDS_HOURS = np.array(BOUNDS_MINUTES) / 60
_BOUNDS_HOURS.flags.writeable = False


@kernel
def answered_by(chances: Floats) -> Floats:
    """Return the probability to have answered by the end of each stretch.

    Parameters
    ----------
    chances : ndarray of float64, shape (n, N_STRETCHES)
        To answer in a stretch, for who hasn't answered before it.
    """
    answered = np.empty(chances.shape)
    for i in range(chances.shape[0]):
        left = 1.0
        for j in range(chances.shape[1]):
            left *= 1.0 - chances[i, j]
            answered[i, j] = 1.0 - left
    return answered


def chance_within(answered: Floats, hours: Floats) -> Floats:
    """Return the probability to answer within some hours; evenly spread within a stretch.

    Parameters
    ----------
    answered : ndarray of float64, shape (n, N_STRETCHES)
        As ``answered_by`` returns it.
    hours : ndarray of float64, shape (n,)
    """
    within: Floats = np.array(
        [
            np.interp(one, _BOUNDS_HOURS, np.concatenate(([0.0], curve)))
            for one, curve in zip(hours, answered, strict=True)
        ],
        np.float64,
    )
    return within


def answers_within(answered: Floats) -> Floats:
    """Return the probability to answer within each of ``HOURS``, at which stretches end; shape (n, 3).

    Parameters
    ----------
    answered : ndarray of float64, shape (n, N_STRETCHES)
        As ``answered_by`` returns it.
    """
    return answered[:, _AT_HOURS]


def median_hours(answered: Floats) -> Floats:
    """Return the time within which half of those answer who do, hours; evenly spread within a stretch.

    Parameters
    ----------
    answered : ndarray of float64, shape (n, N_STRETCHES)
        As ``answered_by`` returns it.

    Returns
    -------
    ndarray of float64, shape (n,)
        The whole of the day where nobody answers.
    """
    return _medians(answered, _BOUNDS_HOURS)


@kernel
def _medians(answered: Floats, bounds: Floats) -> Floats:
    medians = np.empty(answered.shape[0])
    for i in range(answered.shape[0]):
        half = answered[i, answered.shape[1] - 1] / 2
        before = 0.0
        medians[i] = bounds[answered.shape[1]]
        for j in range(answered.shape[1]):
            if half > 0 and answered[i, j] >= half:
                share = (half - before) / (answered[i, j] - before)
                medians[i] = bounds[j] + share * (bounds[j + 1] - bounds[j])
                break
            before = answered[i, j]
    return medians
