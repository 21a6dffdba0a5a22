"""From the desk back into a donor's memory, in kernels: what ``memory.encode`` writes, byte for byte."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from consumers.donor_state.columns.desk import (
    AT,
    DECISIVE_SAID,
    DONATED_AT,
    FACTS_BEGIN,
    FACTS_END,
    HEAD_WIDTHS,
    HIGH,
    IS_SUMMED_UP,
    ITEMS_BEGIN,
    ITEMS_END,
    LATEST_SAID,
    LOW,
    N_AGED,
    N_APHERESIS,
    N_COMPLETED,
    N_COUNTED,
    N_OUTCOMES,
    N_REQUESTS,
    N_SEEN,
    N_SETTLED,
    N_SUMS,
    N_UNNAMED,
    N_UNRETURNED,
    N_WHOLE_BLOOD,
    PROFILE_HIGH,
    PROFILE_IS_NEW,
    PROFILE_LOW,
    PROFILES_BEGIN,
    PROFILES_END,
    REGISTERED_AT,
    REQUEST_ID,
    STATED_AT,
    SUMS_AT,
    TOTAL_STATED,
    UNNAMED_BEGIN,
    WHAT,
    Desk,
)
from consumers.donor_state.columns.numbers import put, put_id, put_int
from consumers.donor_state.donor import NEVER
from consumers.donor_state.memory import DECISIVE, DONATION, LATEST, SAME, SUMMED_UP
from features.kernels import part


@part
def put_memory(desk: Desk, before: NDArray[np.uint8], out: NDArray[np.uint8], at: int) -> int:
    """Write the donor, deferrals and old profiles as they were ``before``; return the place behind it."""
    numbers = desk.numbers
    for i in range(len(HEAD_WIDTHS)):
        at = put_int(out, at, numbers[i], HEAD_WIDTHS[i])
    for source in range(3):
        at = put(out, at, desk.seen[source], 0, numbers[N_SEEN + source])
    at = _put_profiles(numbers, before, out, at)
    for i in range(numbers[N_COMPLETED]):
        at = put_int(out, at, desk.completed[i], 8)
    at = _put_rows(out, at, desk.whole_blood, numbers[N_WHOLE_BLOOD])
    at = _put_rows(out, at, desk.unreturned, numbers[N_UNRETURNED])
    at = put(out, at, before, numbers[UNNAMED_BEGIN], numbers[UNNAMED_BEGIN] + 16 * numbers[N_UNNAMED])
    at = _put_rows(out, at, desk.apheresis, numbers[N_APHERESIS])
    at = put(out, at, before, numbers[ITEMS_BEGIN], numbers[ITEMS_END])
    for i in range(numbers[N_REQUESTS]):
        row = desk.order[i]
        at = _put_request(out, at, desk.requests[row], desk.counted[row])
    at = put_int(out, at, numbers[N_AGED], 2)
    at = put_int(out, at, numbers[N_SETTLED], 2)
    at = put(out, at, desk.aged, 0, numbers[N_AGED])
    for i in range(numbers[N_SETTLED]):
        at = put_int(out, at, desk.settled[i], 8)
    return _put_sums(out, at, desk)


@part
def _put_profiles(numbers: NDArray[np.int64], before: NDArray[np.uint8], out: NDArray[np.uint8], at: int) -> int:
    if not numbers[PROFILE_IS_NEW]:
        return put(out, at, before, numbers[PROFILES_BEGIN], numbers[PROFILES_END])
    at = put_int(out, at, numbers[REGISTERED_AT], 8)
    at = put_id(out, at, numbers[PROFILE_HIGH], numbers[PROFILE_LOW])
    at = put_int(out, at, numbers[STATED_AT], 8)
    at = put_int(out, at, numbers[TOTAL_STATED], 8)
    at = put_int(out, at, numbers[FACTS_END] - numbers[FACTS_BEGIN], 2)
    return put(out, at, before, numbers[FACTS_BEGIN], numbers[FACTS_END])


@part
def _put_rows(out: NDArray[np.uint8], at: int, rows: NDArray[np.int64], n: int) -> int:
    for i in range(n):
        for j in range(rows.shape[1]):
            at = put_int(out, at, rows[i, j], 8)
    return at


@part
def _put_said(out: NDArray[np.uint8], at: int, said: NDArray[np.int64]) -> int:
    at = put_id(out, put_int(out, at, said[AT], 8), said[HIGH], said[LOW])
    return put_int(out, at, said[WHAT], 1)


@part
def _put_request(out: NDArray[np.uint8], at: int, request: NDArray[np.int64], counted: NDArray[np.int64]) -> int:
    latest, decisive = request[LATEST_SAID:DECISIVE_SAID], request[DECISIVE_SAID:DONATED_AT]
    flags = 0
    if latest[AT] != NEVER:
        flags |= LATEST
    if decisive[AT] != NEVER:
        flags |= DECISIVE
        if decisive[AT] == latest[AT] and decisive[HIGH] == latest[HIGH] and decisive[LOW] == latest[LOW]:
            flags |= SAME
    if request[DONATED_AT] != NEVER:
        flags |= DONATION
    if request[IS_SUMMED_UP]:
        flags |= SUMMED_UP
    at = put_int(out, at, request[REQUEST_ID], 8)
    at = put_int(out, at, flags, 1)
    at = put_int(out, at, request[N_COUNTED], 1)
    if flags & LATEST:
        at = _put_said(out, at, latest)
    if flags & DECISIVE and not flags & SAME:
        at = _put_said(out, at, decisive)
    if flags & DONATION:
        at = put_int(out, at, request[DONATED_AT], 8)
    for i in range(request[N_COUNTED]):
        at = put_int(out, at, counted[i, 0], 8)
        at = put_int(out, at, counted[i, 1], 4)
        at = put_int(out, at, counted[i, 2], 1)
    return at


@part
def _put_sums(out: NDArray[np.uint8], at: int, desk: Desk) -> int:
    numbers, there = desk.numbers, 0
    for i in range(N_SUMS):
        if desk.sums[i] != 0.0:
            there |= 1 << i
    at = put_int(out, at, numbers[N_OUTCOMES], 2)
    at = put_int(out, at, there, 2)
    for i in range(numbers[N_OUTCOMES]):
        at = put_int(out, at, desk.outcomes[i, 0], 8)
        at = put_int(out, at, desk.outcomes[i, 1], 1)
    if there:
        at = put_int(out, at, numbers[SUMS_AT], 8)
        for i in range(N_SUMS):
            if there >> i & 1:
                at = put_int(out, at, desk.sums_bits[i], 8)
    return at
