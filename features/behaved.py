"""How donors behaved so far: what the rows of the models are made of; what works it out is compiled, this isn't."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Behaviour(NamedTuple):
    """How donors behaved; all ndarrays of float64, shape (n,).

    Parameters
    ----------
    response_rate : ndarray
        Probability to say yes if asked, 0 to 1.
    alerts : ndarray
        How many alerts that is known from, each by what is left of it.
    unanswered : ndarray
        Alerts that nobody answered, by what is left of the fatigue from each.
    kept_rate : ndarray
        Probability to keep a promise, 0 to 1.
    promises : ndarray
        How many promises that is known from, each by what is left of it.
    completion_rate, cancellation_rate : ndarray
        Probability that an appointment ends with a donation, or is cancelled, 0 to 1.
    answer_hours : ndarray
        Median time to answer, hours.
    since_donation_days : ndarray
        NaN where the donor never gave; 0 where that lies after the instant.
    total_donations : ndarray
    tenure_days : ndarray
        Since joining.
    age_years : ndarray
    """

    response_rate: Floats
    alerts: Floats
    unanswered: Floats
    kept_rate: Floats
    promises: Floats
    completion_rate: Floats
    cancellation_rate: Floats
    answer_hours: Floats
    since_donation_days: Floats
    total_donations: Floats
    tenure_days: Floats
    age_years: Floats


AGE_YEARS = Behaviour._fields.index("age_years")


def as_told(behaviour: Behaviour) -> NDArray[np.float32]:
    """Return behaviour as offers tell it, shape (n, 12): in single precision, ages in whole years.

    A fraction of a year would be a date of birth.
    """
    told = np.stack(behaviour, axis=1).astype(np.float32)
    told[:, AGE_YEARS] = np.round(told[:, AGE_YEARS])
    return told
