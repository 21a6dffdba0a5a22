"""Examples: alerts with what the stream knew of the donor when they were asked, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from features.behaviour import Behaviour
from features.districts import DISTRICTS

NO_DISTRICT = -1
DISTRICT_CODE = {district.name: code for code, district in enumerate(DISTRICTS)}
"""Places in ``DISTRICTS``; of a district that isn't known ``NO_DISTRICT``."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Alerts, one entry each, by the instant of asking, then request, donor and wave.

    Parameters
    ----------
    behaviour : Behaviour
        How each donor did as of their alert, as the matcher would have worked it out.
    at : ndarray of int64, shape (n,)
        When the donor was asked, microseconds.
    required_by : ndarray of int64, shape (n,)
    request_id, donor_id : ndarray of int64, shape (n,)
    district, home : ndarray of int8, shape (n,)
        The request's and the donor's, as ``DISTRICT_CODE`` has them.
    tier, preference : ndarray of int8, shape (n,)
        Compatibility tier, and preference class for the request: 0 is best.
    distance_km : ndarray of float64, shape (n,)
        To 2 decimals.
    urgency, units : ndarray of int64, shape (n,)
    accepted : ndarray of bool, shape (n,)
        Whether the donor said yes.
    answered_us : ndarray of int64, shape (n,)
        How long until the first answer; ``NEVER`` where there was none.
    watched_us : ndarray of int64, shape (n,)
        How long it was waited for an answer: until it came, or the alert expired, or the donor was asked again, or the
        request was closed, or the events end.
    life_us : ndarray of int64, shape (n,)
        How long it could have been waited at most: until the request's ``required_by``.
    kept : ndarray of int8, shape (n,)
        Whether the promise was ``KEPT`` or ``BROKEN``; ``NOT_KNOWN`` where there was none, or nothing came of it.
    gave : ndarray of bool, shape (n,)
        Whether a completed donation names the request and the donor.
    stopped : ndarray of bool, shape (n,)
        Whether the donor had said yes, and the request was closed before anything came of it: nobody knows whether
        they would have given.
    """

    behaviour: Behaviour
    at: NDArray[np.int64]
    required_by: NDArray[np.int64]
    request_id: NDArray[np.int64]
    donor_id: NDArray[np.int64]
    district: NDArray[np.int8]
    home: NDArray[np.int8]
    tier: NDArray[np.int8]
    preference: NDArray[np.int8]
    distance_km: NDArray[np.float64]
    urgency: NDArray[np.int64]
    units: NDArray[np.int64]
    accepted: NDArray[np.bool_]
    answered_us: NDArray[np.int64]
    watched_us: NDArray[np.int64]
    life_us: NDArray[np.int64]
    kept: NDArray[np.int8]
    gave: NDArray[np.bool_]
    stopped: NDArray[np.bool_]

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Examples:
        """Return the entries that ``chosen`` picks, a mask or places."""
        places = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen.astype(np.int64)
        parts = {one.name: getattr(self, one.name) for one in fields(self)}
        behaviour = Behaviour(*(column[places] for column in parts.pop("behaviour")))
        return Examples(behaviour, **{name: part[places] for name, part in parts.items()})


def joined(some: Examples, others: Examples) -> Examples:
    """Return both, evenly among each other, so that of any stretch each has its share."""
    place = np.concatenate([(np.arange(one.at.size) + 0.5) / max(one.at.size, 1) for one in (some, others)])
    order = np.argsort(place, kind="stable")
    parts = {
        one.name: np.concatenate([getattr(some, one.name), getattr(others, one.name)])[order]
        for one in fields(Examples)
        if one.name != "behaviour"
    }
    behaviour = (np.concatenate(pair)[order] for pair in zip(some.behaviour, others.behaviour, strict=True))
    return Examples(Behaviour(*behaviour), **parts)
