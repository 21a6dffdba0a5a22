"""One donor laid out for kernels: what ``memory`` has as bytes, in arrays, and back into bytes.

What a kernel folds and writes lies on one desk, which is cleared for each donor. It is as large as nearly all donors
need; who needs more is left to the objects (``Donor``), which have no such limits.
"""

from __future__ import annotations

from struct import calcsize
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consumers.donor_state.donor import DECAYED
from consumers.donor_state.memory import HEAD_FORMAT
from consumers.donor_state.repeats import AGED_SIZE, SIZE

SEEN_MAX, AGED_MAX, SETTLED_MAX = 250, 800, 1_000
COMPLETED_MAX, STEPS_MAX, APHERESIS_MAX, OUTCOMES_MAX = 400, 60, 24, 200
REQUESTS_MAX, COUNTED_MAX, ITEMS_MAX = 60, 60, 60
"""Below what the objects are settled at, so that nothing on the desk is ever dropped for want of room."""

(
    _,
    DONOR_ID,
    ERASED_AT,
    LATEST_AT,
    LAST_COMPLETED_AT,
    N_COMPLETED_BEFORE,
    COMPLETED_BEFORE_AT,
    N_ALERTS,
    N_ANSWERS,
    N_PROMISES,
    N_KEPT,
    N_PROFILES,
    N_COMPLETED,
    N_WHOLE_BLOOD,
    N_UNRETURNED,
    N_UNNAMED,
    N_APHERESIS,
    N_ITEMS,
    N_REQUESTS,
    N_SEEN,  # of three sources, in bytes
    _,
    _,
    N_AGED,  # in bytes
    N_SETTLED,
    N_OUTCOMES,
    SUMS_AT,
    PROFILES_BEGIN,
    PROFILES_END,
    UNNAMED_BEGIN,
    ITEMS_BEGIN,
    ITEMS_END,
    REGISTERED_AT,
    TOTAL_STATED,
    FACTS_BEGIN,
    FACTS_END,
    COUNTED_AT,
    STATED_AT,
    PROFILE_HIGH,
    PROFILE_LOW,
    PROFILE_IS_NEW,
    N_NUMBERS,
) = range(41)
"""Places among a desk's numbers: those of the memory's head, of its tail, where it has what stays as it is, and what
the profile that holds says (all of them were stated from ``COUNTED_AT`` to ``STATED_AT``)."""

AT, HIGH, LOW, WHAT = 0, 1, 2, 3
(
    REQUEST_ID,
    LATEST_SAID,  # when, the id's two halves, what
    _,
    _,
    _,
    DECISIVE_SAID,
    _,
    _,
    _,
    DONATED_AT,
    IS_SUMMED_UP,
    N_COUNTED,
    N_OF_REQUEST,
) = range(13)

_FIELDS = [calcsize(f"<{letter}") for letter in HEAD_FORMAT]
HEAD_WIDTHS = np.array(_FIELDS)
HEAD_SIZE = sum(_FIELDS)
N_SUMS = len(DECAYED)
PROFILE_SIZE, STATEMENT_SIZE, REQUEST_SIZE, SAID_SIZE, COUNTED_SIZE, OUTCOME_SIZE = 42, 36, 10, 25, 13, 9


class Desk(NamedTuple):
    """What is known of the donor in hand.

    Parameters
    ----------
    numbers : ndarray of int64, shape (41,)
    seen : ndarray of uint8, shape (3, n)
    aged : ndarray of uint8
    completed : ndarray of int64
        Ascending.
    whole_blood, unreturned : ndarray of int64, shape (n, 2)
    apheresis : ndarray of int64, shape (n, 3)
        Ascending.
    order : ndarray of int64
        Rows of ``requests``, by the requests' ids.
    requests : ndarray of int64, shape (n, 13)
    counted : ndarray of int64, shape (n, m, 3)
        For each row of ``requests``.
    settled : ndarray of int64
    outcomes : ndarray of int64, shape (n, 2)
        Ascending.
    sums, sums_bits : ndarray of float64 and int64, shape (13,)
        The same memory.
    parts, n_parts : ndarray of float64 and int64, shapes (13, 64) and (13,)
        Of exact sums.
    waves : ndarray of int64, shape (m, 3)
        Of the request in hand: when notified, answered, accepted; their numbers are in ``wave_numbers``.
    wave_numbers : ndarray of int64
    double, double_bits : ndarray of float64 and int64, shape (1,)
        The same memory.
    words : ndarray of uint64, shape (32,)
        Of the digest in hand.
    piece : ndarray of uint8, shape (24,)
        The id in hand.
    """

    numbers: NDArray[np.int64]
    seen: NDArray[np.uint8]
    aged: NDArray[np.uint8]
    completed: NDArray[np.int64]
    whole_blood: NDArray[np.int64]
    unreturned: NDArray[np.int64]
    apheresis: NDArray[np.int64]
    order: NDArray[np.int64]
    requests: NDArray[np.int64]
    counted: NDArray[np.int64]
    settled: NDArray[np.int64]
    outcomes: NDArray[np.int64]
    sums: NDArray[np.float64]
    sums_bits: NDArray[np.int64]
    parts: NDArray[np.float64]
    n_parts: NDArray[np.int64]
    waves: NDArray[np.int64]
    wave_numbers: NDArray[np.int64]
    double: NDArray[np.float64]
    double_bits: NDArray[np.int64]
    words: NDArray[np.uint64]
    piece: NDArray[np.uint8]


def new_desk() -> Desk:
    """Return an empty desk."""
    sums, double = np.zeros(N_SUMS), np.zeros(1)
    return Desk(
        numbers=np.zeros(N_NUMBERS, np.int64),
        seen=np.zeros((3, SEEN_MAX * SIZE), np.uint8),
        aged=np.zeros((AGED_MAX + SEEN_MAX) * AGED_SIZE, np.uint8),
        completed=np.zeros(COMPLETED_MAX, np.int64),
        whole_blood=np.zeros((STEPS_MAX, 2), np.int64),
        unreturned=np.zeros((STEPS_MAX, 2), np.int64),
        apheresis=np.zeros((APHERESIS_MAX, 3), np.int64),
        order=np.zeros(REQUESTS_MAX, np.int64),
        requests=np.zeros((REQUESTS_MAX, N_OF_REQUEST), np.int64),
        counted=np.zeros((REQUESTS_MAX, COUNTED_MAX, 3), np.int64),
        settled=np.zeros(SETTLED_MAX + 1, np.int64),
        outcomes=np.zeros((OUTCOMES_MAX, 2), np.int64),
        sums=sums,
        sums_bits=sums.view(np.int64),
        parts=np.zeros((N_SUMS, 64)),
        n_parts=np.zeros(N_SUMS, np.int64),
        waves=np.zeros((COUNTED_MAX, 3), np.int64),
        wave_numbers=np.zeros(COUNTED_MAX, np.int64),
        double=double,
        double_bits=double.view(np.int64),
        words=np.zeros(32, np.uint64),
        piece=np.zeros(SIZE, np.uint8),
    )
