"""Feature vectors: what a model sees, made from events.

References
----------
Names and order: contracts section 4; each model's manifest repeats them, and the registry refuses one that differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

MATCH_FEATURES = (
    "blood_group_compatibility",
    "distance_km",
    "donor_availability",
    "last_donation_days",
    "reliability_score",
    "urgency_level",
    "units_required",
)

URGENCY_LEVEL: Mapping[str, int] = MappingProxyType({"LOW": 1, "MEDIUM": 2, "HIGH": 3, "CRITICAL": 4})

NEVER_GAVE = -(2**62)
"""``last_donation_at`` of a donor who never gave."""

DAY_US = 86_400_000_000


def match_rows(  # noqa: PLR0913 - the seven facts of the contract, two of which share the instant
    tier: ArrayLike,
    distance_km: ArrayLike,
    availability: ArrayLike,
    last_donation_at: ArrayLike,
    reliability: ArrayLike,
    *,
    at: ArrayLike,
    urgency: ArrayLike,
    units: ArrayLike,
) -> NDArray[np.float64]:
    """Rows for ``donor_seeker_match``, in the order of ``MATCH_FEATURES``.

    Parameters
    ----------
    tier : array of int, shape (n,)
        Compatibility tier, 1 to 3.
    distance_km : array of float, shape (n,)
        As the record has it: to 2 decimals.
    availability, reliability : array of float, shape (n,)
        Probabilities, 0 to 1.
    last_donation_at : array of int, shape (n,)
        Microseconds since 1970, or ``NEVER_GAVE``.
    at : int or array of int
        The request's instant, microseconds since 1970.
    urgency : int or array of int
        ``URGENCY_LEVEL``, 1 (low) to 4 (critical).
    units : int or array of int
        Units required, 1 to 100.

    Returns
    -------
    ndarray of float64, shape (n, 7)
        Compatibility is 4 − tier: 3 identical, 2 compatible, 1 on sign-off. Days since the last donation are NaN
        where there was none, and 0 where it lies after ``at``.
    """
    last = np.asarray(last_donation_at, np.int64)
    rows = np.empty((len(last), len(MATCH_FEATURES)), np.float64)
    rows[:, 0] = 4 - np.asarray(tier, np.float64)
    rows[:, 1] = distance_km
    rows[:, 2] = availability
    days = np.maximum(np.asarray(at, np.int64) - np.maximum(last, -(2**61)), 0) / DAY_US
    rows[:, 3] = np.where(last == NEVER_GAVE, np.nan, days)
    rows[:, 4] = reliability
    rows[:, 5] = urgency
    rows[:, 6] = units
    return rows
