"""What passes between the steps of matching: who is looked at, what is seen of them, whom requests are offered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consumers.matching.runs import Scoring
from features.question import Askable
from features.reach import Found
from features.scoring import Scorer

DISTANCE_DECIMALS = 2


class Candidates(NamedTuple):
    """Donors to score; ``request`` is their request's place in the batch."""

    request: NDArray[np.int64]
    row: NDArray[np.int32]
    distance_km: NDArray[np.float64]
    preference: NDArray[np.int8]


class Seen(NamedTuple):
    """What the models see and say of donors who are looked at for a request; all ndarrays of float64.

    Parameters
    ----------
    availability_rows : ndarray, shape (n, 10)
    reliability_rows : ndarray, shape (n, 7)
    match_rows : ndarray, shape (n, 8)
        With the two scores among them, as they were learned.
    availability, reliability : ndarray, shape (n,)
        To 6 decimals; recalibrated for the request's district.
    """

    availability_rows: NDArray[np.float64]
    reliability_rows: NDArray[np.float64]
    match_rows: NDArray[np.float64]
    availability: NDArray[np.float64]
    reliability: NDArray[np.float64]

    def take(self, places: NDArray[np.int64]) -> Seen:
        """Return what is seen of some of them, copied."""
        return Seen(*(column[places] for column in self))


class Shadow(NamedTuple):
    """What a version that only watches says of n offers, in the terms of its model.

    Parameters
    ----------
    scorer : Scorer
    score : ndarray of float64, shape (n,)
        Of ``donor_response_time`` hours, of others probabilities to 6 decimals.
    answers_within : ndarray of float64, shape (n, 3), or None
        Of ``donor_response_time`` alone.
    """

    scorer: Scorer
    score: NDArray[np.float64]
    answers_within: NDArray[np.float64] | None = None


class Offers(NamedTuple):
    """Whom the requests of a batch are offered, one request after the other; all arrays but ``start`` of one length.

    Parameters
    ----------
    start : ndarray of int64, shape (n_requests + 1,)
        First offer of each request.
    row : ndarray of int32
        Rows of the index.
    distance_km, score : ndarray of float64
        As the record has them.
    tier : ndarray of int8
        Compatibility tier.
    seen : Seen
        What the models saw and said of them, besides the score.
    response_time_hours : ndarray of float64
        Within which half of those answer who do.
    explored : ndarray of bool
    propensity : ndarray of float64
    answers_within : ndarray of float64, shape (n, 3)
        Probability of an answer within each of ``features.outcomes.HOURS``, to 6 decimals.
    behaviour : ndarray of float32, shape (n, 12)
        As ``features.behaved.as_told`` returns it.
    shadows : list of Shadow
        What the models that only watch say of each offer.
    """

    start: NDArray[np.int64]
    row: NDArray[np.int32]
    distance_km: NDArray[np.float64]
    score: NDArray[np.float64]
    tier: NDArray[np.int8]
    seen: Seen
    response_time_hours: NDArray[np.float64]
    explored: NDArray[np.bool_]
    propensity: NDArray[np.float64]
    answers_within: NDArray[np.float64]
    behaviour: NDArray[np.float32]
    shadows: list[Shadow]


class Matched(NamedTuple):
    """The answers to the requests of a batch, and what scoring them cost.

    Parameters
    ----------
    found : list of Found
        For each request.
    offers : Offers
    scorings : list of Scoring
    """

    found: list[Found]
    offers: Offers
    scorings: list[Scoring]


def joined(parts: Sequence[Askable]) -> Candidates:
    """Return the donors that are found for each request as one, request by request."""
    lengths = [len(part.row) for part in parts]
    return Candidates(
        np.repeat(np.arange(len(parts)), lengths),
        np.concatenate([np.empty(0, np.int32), *(part.row for part in parts)]),
        np.round(np.concatenate([np.empty(0), *(part.km for part in parts)]), DISTANCE_DECIMALS),
        np.concatenate([np.empty(0, np.int8), *(part.preference for part in parts)]),
    )
