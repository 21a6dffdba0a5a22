"""Feature vectors: what each model sees, made from events.

References
----------
Names and order: contracts section 4, and what this project adds after them; each model's manifest repeats them, and the
registry refuses one that differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.behaved import Behaviour
from features.local_time import SATURDAY, local_hour, weekday

MATCH, AVAILABILITY, RELIABILITY, RESPONSE_TIME = (
    "donor_seeker_match",
    "donor_availability",
    "donor_reliability",
    "donor_response_time",
)

MATCH_FEATURES = (
    "blood_group_compatibility",
    "distance_km",
    "donor_availability",
    "last_donation_days",
    "reliability_score",
    "urgency_level",
    "units_required",
    "alerts_seen",
)
"""The contract's seven, then how often the donor was asked lately: who lives near where requests are is asked most
often, looks keen, and says no to a request far away."""

AVAILABILITY_FEATURES = (
    "time_since_last_donation",
    "total_donations",
    "response_rate",
    "day_of_week",
    "hour_of_day",
    "is_weekend",
    "is_business_hours",
    "unanswered_alerts",
    "alerts_seen",
    "tenure_days",
)
"""The contract's seven, then how tired the donor is of alerts, how sure the rate is, and the time since joining."""

RELIABILITY_FEATURES = (
    "total_donations",
    "completion_rate",
    "cancellation_rate",
    "average_response_time",
    "tenure_days",
    "kept_rate",
    "promises_seen",
)
"""The contract's five, then the share of promises kept, and how sure that is."""

RESPONSE_TIME_FEATURES = (
    "distance_km",
    "donor_age",
    "past_response_times",
    "urgency_level",
    "time_of_day",
    "is_weekend",
    "waited_minutes",
    "response_rate",
    "unanswered_alerts",
)
"""The contract's six, then for how long nobody has answered: the model says who answers next; then what tells who never
answers from who is slow."""

FEATURES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        MATCH: MATCH_FEATURES,
        AVAILABILITY: AVAILABILITY_FEATURES,
        RELIABILITY: RELIABILITY_FEATURES,
        RESPONSE_TIME: RESPONSE_TIME_FEATURES,
    }
)
"""Of each model of donors."""

URGENCY_LEVEL: Mapping[str, int] = MappingProxyType({"LOW": 1, "MEDIUM": 2, "HIGH": 3, "CRITICAL": 4})

FIRST_BUSINESS_HOUR, LAST_BUSINESS_HOUR = 9, 16

_WAITED = RESPONSE_TIME_FEATURES.index("waited_minutes")

Floats = NDArray[np.float64]


def match_rows(
    behaviour: Behaviour,
    tier: ArrayLike,
    distance_km: ArrayLike,
    availability: ArrayLike,
    reliability: ArrayLike,
    *,
    urgency: ArrayLike,
    units: ArrayLike,
) -> Floats:
    """Rows for ``donor_seeker_match``, in the order of ``MATCH_FEATURES``.

    Parameters
    ----------
    behaviour : Behaviour
        Of n donors, as of the instant of asking.
    tier : array of int, shape (n,)
        Compatibility tier, 1 to 3.
    distance_km : array of float, shape (n,)
        As the record has it: to 2 decimals.
    availability, reliability : array of float, shape (n,)
        Probabilities, 0 to 1, as the record has them: to 6 decimals.
    urgency : int or array of int
        ``URGENCY_LEVEL``, 1 (low) to 4 (critical).
    units : int or array of int
        Units required, 1 to 100.

    Returns
    -------
    ndarray of float64, shape (n, 8)
        Compatibility is 4 − tier: 3 identical, 2 compatible, 1 on sign-off.
    """
    compatibility = 4 - np.asarray(tier, np.float64)
    return _rows(
        len(compatibility),
        compatibility,
        distance_km,
        availability,
        behaviour.since_donation_days,
        reliability,
        urgency,
        units,
        behaviour.alerts,
    )


def availability_rows(behaviour: Behaviour, at: ArrayLike) -> Floats:
    """Rows for ``donor_availability``, in the order of ``AVAILABILITY_FEATURES``.

    Parameters
    ----------
    behaviour : Behaviour
        Of n donors, as of ``at``.
    at : array of int, shape (n,)
        The instant of asking, microseconds since 1970.
    """
    instant = np.asarray(at, np.int64)
    hour, day = local_hour(instant), weekday(instant)
    is_weekend = day >= SATURDAY
    return _rows(
        len(behaviour.alerts),
        behaviour.since_donation_days,
        behaviour.total_donations,
        behaviour.response_rate,
        day,
        hour,
        is_weekend,
        ~is_weekend & (hour >= FIRST_BUSINESS_HOUR) & (hour <= LAST_BUSINESS_HOUR),
        behaviour.unanswered,
        behaviour.alerts,
        behaviour.tenure_days,
    )


def reliability_rows(behaviour: Behaviour) -> Floats:
    """Rows for ``donor_reliability``, in the order of ``RELIABILITY_FEATURES``."""
    return _rows(
        len(behaviour.alerts),
        behaviour.total_donations,
        behaviour.completion_rate,
        behaviour.cancellation_rate,
        behaviour.answer_hours,
        behaviour.tenure_days,
        behaviour.kept_rate,
        behaviour.promises,
    )


def response_time_rows(
    behaviour: Behaviour, distance_km: ArrayLike, at: ArrayLike, *, urgency: ArrayLike, stretches: ArrayLike
) -> Floats:
    """Rows for ``donor_response_time``, in the order of ``RESPONSE_TIME_FEATURES``.

    Parameters
    ----------
    behaviour : Behaviour
        Of n donors, as of ``at``.
    distance_km : array of float, shape (n,)
    at : array of int, shape (n,)
        When the donor is asked, microseconds since 1970.
    urgency : int or array of int
    stretches : array of float, shape (m,)
        Where each stretch of time begins that is asked about, minutes after ``at``.

    Returns
    -------
    ndarray of float64, shape (n * m, 9)
        All stretches of one donor after the other.
    """
    instant, begin = np.asarray(at, np.int64), np.asarray(stretches, np.float64)
    seen = _rows(
        len(behaviour.alerts),
        distance_km,
        behaviour.age_years,
        behaviour.answer_hours,
        urgency,
        local_hour(instant),
        weekday(instant) >= SATURDAY,
        0.0,
        behaviour.response_rate,
        behaviour.unanswered,
    )
    rows = np.repeat(seen, len(begin), axis=0)
    rows[:, _WAITED] = np.tile(begin, len(seen))
    return rows


def _rows(n: int, *columns: ArrayLike) -> Floats:
    """Stack columns of length ``n`` side by side; a single number stands for a column of it."""
    rows = np.empty((n, len(columns)), np.float64)
    for place, column in enumerate(columns):
        rows[:, place] = column
    return rows
