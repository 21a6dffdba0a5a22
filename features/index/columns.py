"""What the index keeps of a donor: one array for each fact, a row for each donor.

A row is 122 bytes. Promises and askings, which only some donors have, lie in a pool beside the rows. What fades is kept
in single precision, as of the minute ``as_of``: what the models see is worked out of it at the instant that asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

LIVE, CONTACTABLE, APHERESIS_WILLING = 1, 2, 4
"""Bits of ``Columns.flags``. A row without ``LIVE`` is a donor who was erased or moved; it goes at the next merge."""

PROMISE, LAST = 1, 2
"""Bits of ``Engagements.mark``: the entry is an open promise (else an asking); it is the donor's last entry."""

NOT_AWAY = -(2**31)
"""``Columns.away_until`` of a donor who isn't away."""

NO_ENGAGEMENT = -1
"""``Columns.engaged`` of a donor without promises and askings."""


class Columns(NamedTuple):
    """The columns, all of one length; rows beyond those in use hold nothing.

    Parameters
    ----------
    donor_id : ndarray of int64
    cell : ndarray of int32
        Row into ``Places``.
    group : ndarray of int8
        Code of the blood group, 0 (unknown) to 10.
    flags : ndarray of uint8
    whole_blood_from, whole_blood_until, apheresis_from, apheresis_until : ndarray of int64
        The donor may give at ``t`` where from ≤ t < until; microseconds since 1970.
    last_donation_at : ndarray of int64
        Microseconds since 1970; ``features.vectors.NEVER_GAVE`` where there was none.
    worth : ndarray of float32
        Probability to say yes and keep the promise, as of ``as_of``, by the donor's own record: for the cheap cut.
    away_until : ndarray of int32
        Last local day of absence, days since 1970.
    total_donations : ndarray of int32
    joined_on, born_on : ndarray of int32
        Days since 1970.
    as_of : ndarray of int32
        Minutes since 1970.
    alerts, acceptances, unanswered, promises, kept : ndarray of float32
        Sums that fade, as of ``as_of``: see ``donor-states``.
    answer_times, log_hours, completions, cancellations, no_shows : ndarray of float32
        Likewise.
    engaged : ndarray of int32
        Where the donor's entries begin in ``Engagements``.
    """

    donor_id: NDArray[np.int64]
    cell: NDArray[np.int32]
    group: NDArray[np.int8]
    flags: NDArray[np.uint8]
    whole_blood_from: NDArray[np.int64]
    whole_blood_until: NDArray[np.int64]
    apheresis_from: NDArray[np.int64]
    apheresis_until: NDArray[np.int64]
    last_donation_at: NDArray[np.int64]
    worth: NDArray[np.float32]
    away_until: NDArray[np.int32]
    total_donations: NDArray[np.int32]
    joined_on: NDArray[np.int32]
    born_on: NDArray[np.int32]
    as_of: NDArray[np.int32]
    alerts: NDArray[np.float32]
    acceptances: NDArray[np.float32]
    unanswered: NDArray[np.float32]
    promises: NDArray[np.float32]
    kept: NDArray[np.float32]
    answer_times: NDArray[np.float32]
    log_hours: NDArray[np.float32]
    completions: NDArray[np.float32]
    cancellations: NDArray[np.float32]
    no_shows: NDArray[np.float32]
    engaged: NDArray[np.int32]


class Engagements(NamedTuple):
    """Promises and askings of donors; a donor's entries stand side by side.

    Parameters
    ----------
    request_id, at : ndarray of int64
        The request, and the instant of the response, microseconds since 1970.
    mark : ndarray of uint8
    """

    request_id: NDArray[np.int64]
    at: NDArray[np.int64]
    mark: NDArray[np.uint8]


Part = TypeVar("Part", Columns, Engagements)

DTYPES: Mapping[str, Any] = {
    "donor_id": np.int64,
    "cell": np.int32,
    "group": np.int8,
    "flags": np.uint8,
    "whole_blood_from": np.int64,
    "whole_blood_until": np.int64,
    "apheresis_from": np.int64,
    "apheresis_until": np.int64,
    "last_donation_at": np.int64,
    "worth": np.float32,
    "away_until": np.int32,
    "total_donations": np.int32,
    "joined_on": np.int32,
    "born_on": np.int32,
    "as_of": np.int32,
    "alerts": np.float32,
    "acceptances": np.float32,
    "unanswered": np.float32,
    "promises": np.float32,
    "kept": np.float32,
    "answer_times": np.float32,
    "log_hours": np.float32,
    "completions": np.float32,
    "cancellations": np.float32,
    "no_shows": np.float32,
    "engaged": np.int32,
}


def empty_columns(capacity: int) -> Columns:
    """Return columns with room for ``capacity`` donors, their contents undefined."""
    return Columns(**{name: np.empty(capacity, dtype) for name, dtype in DTYPES.items()})


def empty_engagements(capacity: int) -> Engagements:
    """Return a pool with room for ``capacity`` entries, their contents undefined."""
    return Engagements(np.empty(capacity, np.int64), np.empty(capacity, np.int64), np.empty(capacity, np.uint8))


def taken(columns: Columns, rows: NDArray[np.int64]) -> Columns:
    """Return some rows of ``columns``, copied."""
    copies: list[Any] = [column[rows] for column in columns]
    return Columns(*copies)


def longer(arrays: Part, n_used: int, capacity: int) -> Part:
    """Return ``arrays`` with room for ``capacity`` rows, of which the first ``n_used`` are copied."""
    copies: list[Any] = []
    for array in arrays:
        copy = np.empty(capacity, array.dtype)
        copy[:n_used] = array[:n_used]
        copies.append(copy)
    return type(arrays)(*copies)
