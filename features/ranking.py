"""In which order donors are asked, how many of them, and who is tried out of turn.

The order is by preference class, then score (best first), then distance, then id: a total order over values that are
rounded as the record has them, so that it depends on nothing else.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.kernels import kernel

FILL_CERTAINTY = 0.9
"""With which certainty the donors asked fill the units, where a request leaves their number open; contracts, fields."""


class Scored(NamedTuple):
    """Scored donors of the requests of a batch, one request after the other.

    Parameters
    ----------
    start : ndarray of int64, shape (n_requests + 1,)
        First donor of each request.
    preference : ndarray of int8, shape (n,)
    score : ndarray of float64, shape (n,)
        To 6 decimals.
    distance_km : ndarray of float64, shape (n,)
        To 2 decimals.
    donor_id : ndarray of int64, shape (n,)
    """

    start: NDArray[np.int64]
    preference: NDArray[np.int8]
    score: NDArray[np.float64]
    distance_km: NDArray[np.float64]
    donor_id: NDArray[np.int64]


@kernel
def _goes_before(scored: Scored, a: int, b: int) -> bool:
    if scored.preference[a] != scored.preference[b]:
        return bool(scored.preference[a] < scored.preference[b])
    if scored.score[a] != scored.score[b]:
        return bool(scored.score[a] > scored.score[b])
    if scored.distance_km[a] != scored.distance_km[b]:
        return bool(scored.distance_km[a] < scored.distance_km[b])
    return bool(scored.donor_id[a] < scored.donor_id[b])


@kernel
def _first(scored: Scored, begin: int, end: int, n_wanted: int) -> NDArray[np.int64]:
    """Return the first ``n_wanted`` of one request in order, by insertion into a list that is kept sorted."""
    first = np.empty(min(n_wanted, end - begin), np.int64)
    n = 0
    for candidate in range(begin, end):
        if n == len(first) and not _goes_before(scored, candidate, first[n - 1]):
            continue
        low, high = 0, n
        while low < high:
            middle = (low + high) // 2
            if _goes_before(scored, candidate, first[middle]):
                high = middle
            else:
                low = middle + 1
        n = min(n + 1, len(first))
        for place in range(n - 1, low, -1):
            first[place] = first[place - 1]
        first[low] = candidate
    return first


@kernel
def _asked_one_more(fewer: NDArray[np.float64], p: float) -> float:
    """Carry on the distribution of how many give, below the units, and return the probability that enough do."""
    for gave in range(len(fewer) - 1, 0, -1):
        fewer[gave] = fewer[gave] * (1 - p) + fewer[gave - 1] * p
    fewer[0] *= 1 - p
    too_few = 0.0
    for gave in range(len(fewer)):
        too_few += fewer[gave]
    return 1.0 - too_few


@kernel
def fill_probability(probabilities: NDArray[np.float64], units: int) -> float:
    """Return the probability that at least ``units`` of some donors give, who decide independently.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (n,)
        Of giving.
    units : int
        At least 1.
    """
    fewer = np.zeros(units)
    fewer[0] = 1.0
    filled = 0.0
    for n in range(len(probabilities)):
        filled = _asked_one_more(fewer, probabilities[n])
    return filled


@kernel
def n_to_ask(probabilities: NDArray[np.float64], units: int, certainty: float) -> int:
    """How many donors to ask, in this order, so that ``units`` of them give with ``certainty``.

    Donors decide independently; the number who give is Poisson-binomial, and its distribution below ``units`` is
    carried along exactly.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (n,)
        Of giving, in the order of asking.
    units : int
        At least 1.
    certainty : float
        0 to 1.

    Returns
    -------
    int
        The smallest number that is enough, or all where all aren't enough.
    """
    fewer = np.zeros(units)
    fewer[0] = 1.0
    for n in range(len(probabilities)):
        if _asked_one_more(fewer, probabilities[n]) >= certainty:
            return n + 1
    return len(probabilities)


@kernel
def ranked(
    scored: Scored, n_wanted: NDArray[np.int64], units_to_fill: NDArray[np.int64], certainty: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return whom to offer, for each request of a batch.

    Parameters
    ----------
    scored : Scored
    n_wanted : ndarray of int64, shape (n_requests,)
        How long each list may be.
    units_to_fill : ndarray of int64, shape (n_requests,)
        Where a request leaves the number open its units, else 0.
    certainty : float

    Returns
    -------
    start : ndarray of int64, shape (n_requests + 1,)
        Where each list begins.
    offered : ndarray of int64, shape (start[-1],)
        Places in ``scored``, in the order of asking.
    """
    n_requests = len(n_wanted)
    start = np.zeros(n_requests + 1, np.int64)
    offered = np.empty(len(scored.score), np.int64)
    for i in range(n_requests):
        first = _first(scored, scored.start[i], scored.start[i + 1], n_wanted[i])
        n = len(first)
        if units_to_fill[i] > 0:
            probabilities = np.empty(n)
            for j in range(n):
                probabilities[j] = scored.score[first[j]]
            n = n_to_ask(probabilities, units_to_fill[i], certainty)
        start[i + 1] = start[i] + n
        for j in range(n):
            offered[start[i] + j] = first[j]
    return start, offered[: start[n_requests]]


@dataclass(frozen=True, slots=True)
class ExploringRules:
    """Who is tried out of turn; contracts section 1, *Exploring*. All are settings.

    Parameters
    ----------
    share : float
        Share of lists that give away their last place, 0 to 1.
    list_length_min : int
        Shorter lists give nothing away.
    urgencies : frozenset of str
        Only requests of these urgencies explore.
    """

    share: float = 0.05
    list_length_min: int = 5
    urgencies: frozenset[str] = frozenset({"LOW", "MEDIUM"})


class Draw(NamedTuple):
    """What the id of a request's event has drawn: two numbers, uniform in [0, 1)."""

    whether: float
    whom: float

    def place(self, n: int) -> int:
        """Return the place that is drawn from ``n``."""
        return int(self.whom * n)


def draw_of(event_id: str) -> Draw:
    """Draw from an event's id: the same for whoever asks, whenever."""
    digest = hashlib.sha256(f"exploring:{event_id}".encode()).digest()
    # 53 bits, as many as a float holds.
    whether, whom = (int.from_bytes(digest[i : i + 8]) >> 11 for i in (0, 8))
    return Draw(whether / 2**53, whom / 2**53)
