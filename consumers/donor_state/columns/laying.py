"""From a donor's memory onto the desk."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from consumers.donor_state.columns.desk import (
    AGED_MAX,
    APHERESIS_MAX,
    AT,
    COMPLETED_MAX,
    COUNTED_AT,
    COUNTED_MAX,
    COUNTED_SIZE,
    DECISIVE_SAID,
    DONATED_AT,
    ERASED_AT,
    FACTS_BEGIN,
    FACTS_END,
    HEAD_SIZE,
    HEAD_WIDTHS,
    HIGH,
    IS_SUMMED_UP,
    ITEMS_BEGIN,
    ITEMS_END,
    ITEMS_MAX,
    LATEST_SAID,
    LOW,
    N_AGED,
    N_APHERESIS,
    N_COMPLETED,
    N_COUNTED,
    N_ITEMS,
    N_OUTCOMES,
    N_PROFILES,
    N_REQUESTS,
    N_SEEN,
    N_SETTLED,
    N_SUMS,
    N_UNNAMED,
    N_UNRETURNED,
    N_WHOLE_BLOOD,
    OUTCOME_SIZE,
    OUTCOMES_MAX,
    PROFILE_HIGH,
    PROFILE_IS_NEW,
    PROFILE_LOW,
    PROFILE_SIZE,
    PROFILES_BEGIN,
    PROFILES_END,
    REGISTERED_AT,
    REQUEST_ID,
    REQUEST_SIZE,
    REQUESTS_MAX,
    SAID_SIZE,
    SEEN_MAX,
    SETTLED_MAX,
    STATED_AT,
    STATEMENT_SIZE,
    STEPS_MAX,
    SUMS_AT,
    TOTAL_STATED,
    UNNAMED_BEGIN,
    WHAT,
    Desk,
)
from consumers.donor_state.columns.numbers import id_half_at, int_at, put
from consumers.donor_state.donor import NEVER
from consumers.donor_state.memory import DECISIVE, DONATION, LATEST, SAME, SUMMED_UP, VERSION
from consumers.donor_state.repeats import AGED_SIZE, N_REMEMBERED_MAX, SIZE
from features.kernels import part


@part
def lay_out(  # noqa: C901, PLR0911 - part after part, each of which may be too short
    memory: NDArray[np.uint8], begin: int, end: int, n_events: int, desk: Desk
) -> bool:
    """Lay out the donor whose memory lies from ``begin`` to ``end``; False where there's no room, or an erasure.

    ``n_events`` are to come, and each may add to everything.
    """
    numbers = desk.numbers
    if end - begin < HEAD_SIZE or memory[begin] != VERSION:
        return False
    at = begin
    for i in range(len(HEAD_WIDTHS)):
        numbers[i] = int_at(memory, at, HEAD_WIDTHS[i])
        at += HEAD_WIDTHS[i]
    if numbers[ERASED_AT] != 0 or not _has_room(numbers, n_events):
        return False
    for source in range(3):
        n = numbers[N_SEEN + source]
        if n > end - at:
            return False
        put(desk.seen[source], 0, memory, at, at + n)
        at += n
    at = _lay_out_profiles(memory, at, end, numbers)
    if at < 0:
        return False
    at = _lay_out_donations(memory, at, end, desk)
    if at < 0:
        return False
    numbers[ITEMS_BEGIN] = at
    for _ in range(numbers[N_ITEMS]):
        if end - at < 4:
            return False
        at += 4 + int_at(memory, at, 2) + int_at(memory, at + 2, 2) * STATEMENT_SIZE
    numbers[ITEMS_END] = at
    for row in range(numbers[N_REQUESTS]):
        desk.order[row] = row
        at = _lay_out_request(memory, at, end, desk.requests[row], desk.counted[row])
        if at < 0 or desk.requests[row, N_COUNTED] + n_events > COUNTED_MAX:
            return False
    at = _lay_out_tail(memory, at, end, n_events, desk)
    return at == end


@part
def _has_room(numbers: NDArray[np.int64], n_events: int) -> bool:
    n_bytes_max = (SEEN_MAX - n_events) * SIZE
    return bool(
        numbers[N_SEEN] <= n_bytes_max
        and numbers[N_SEEN + 1] <= n_bytes_max
        and numbers[N_SEEN + 2] <= n_bytes_max
        and numbers[N_COMPLETED] + n_events <= COMPLETED_MAX
        and numbers[N_WHOLE_BLOOD] + n_events <= STEPS_MAX
        and numbers[N_UNRETURNED] + n_events <= STEPS_MAX
        and numbers[N_APHERESIS] + n_events <= APHERESIS_MAX
        and numbers[N_REQUESTS] + n_events <= REQUESTS_MAX
        and numbers[N_ITEMS] + numbers[N_UNNAMED] <= ITEMS_MAX
    )


@part
def _lay_out_profiles(memory: NDArray[np.uint8], at: int, end: int, numbers: NDArray[np.int64]) -> int:
    """Note where profiles lie, and what the newest says; return where they end, -1 where there is no end."""
    numbers[PROFILES_BEGIN] = at
    numbers[PROFILE_IS_NEW] = 0
    for i in range(numbers[N_PROFILES]):
        if end - at < PROFILE_SIZE:
            return -1
        stated_at = int_at(memory, at + 24, 8)
        numbers[COUNTED_AT] = stated_at if i == 0 else min(numbers[COUNTED_AT], stated_at)
        numbers[STATED_AT] = stated_at if i == 0 else max(numbers[STATED_AT], stated_at)
        n_bytes = int_at(memory, at + 40, 2)
        if i == 0:
            numbers[REGISTERED_AT] = int_at(memory, at, 8)
            numbers[PROFILE_HIGH], numbers[PROFILE_LOW] = id_half_at(memory, at + 8), id_half_at(memory, at + 16)
            numbers[TOTAL_STATED] = int_at(memory, at + 32, 8)
            numbers[FACTS_BEGIN] = at + PROFILE_SIZE
            numbers[FACTS_END] = at + PROFILE_SIZE + n_bytes
        at += PROFILE_SIZE + n_bytes
    numbers[PROFILES_END] = at
    return at if at <= end else -1


@part
def _lay_out_donations(memory: NDArray[np.uint8], at: int, end: int, desk: Desk) -> int:
    numbers = desk.numbers
    n_pairs = numbers[N_WHOLE_BLOOD] + numbers[N_UNRETURNED] + numbers[N_UNNAMED]
    if 8 * (numbers[N_COMPLETED] + 2 * n_pairs + 3 * numbers[N_APHERESIS]) > end - at:
        return -1
    for i in range(numbers[N_COMPLETED]):
        desk.completed[i] = int_at(memory, at, 8)
        at += 8
    at = _lay_out_rows(memory, at, desk.whole_blood, numbers[N_WHOLE_BLOOD])
    at = _lay_out_rows(memory, at, desk.unreturned, numbers[N_UNRETURNED])
    numbers[UNNAMED_BEGIN] = at
    at += 16 * numbers[N_UNNAMED]
    return _lay_out_rows(memory, at, desk.apheresis, numbers[N_APHERESIS])


@part
def _lay_out_rows(memory: NDArray[np.uint8], at: int, rows: NDArray[np.int64], n: int) -> int:
    for i in range(n):
        for j in range(rows.shape[1]):
            rows[i, j] = int_at(memory, at, 8)
            at += 8
    return at


@part
def _lay_out_said(memory: NDArray[np.uint8], at: int, said: NDArray[np.int64]) -> int:
    said[AT] = int_at(memory, at, 8)
    said[HIGH] = id_half_at(memory, at + 8)
    said[LOW] = id_half_at(memory, at + 16)
    said[WHAT] = memory[at + 24]
    return at + 25


@part
def _lay_out_request(
    memory: NDArray[np.uint8], at: int, end: int, request: NDArray[np.int64], counted: NDArray[np.int64]
) -> int:
    if end - at < REQUEST_SIZE:
        return -1
    flags, n_counted = int(memory[at + 8]), int(memory[at + 9])
    of_its_own = flags & DECISIVE and not flags & SAME
    n_bytes = (SAID_SIZE if flags & LATEST else 0) + (SAID_SIZE if of_its_own else 0) + (8 if flags & DONATION else 0)
    if REQUEST_SIZE + n_bytes + n_counted * COUNTED_SIZE > end - at or n_counted > COUNTED_MAX:
        return -1
    request[:] = 0
    request[REQUEST_ID] = int_at(memory, at, 8)
    request[IS_SUMMED_UP] = 1 if flags & SUMMED_UP else 0
    request[N_COUNTED] = n_counted
    at += REQUEST_SIZE
    if flags & LATEST:
        at = _lay_out_said(memory, at, request[LATEST_SAID:DECISIVE_SAID])
    if flags & SAME:
        for i in range(LATEST_SAID, DECISIVE_SAID):
            request[i + DECISIVE_SAID - LATEST_SAID] = request[i]
    elif of_its_own:
        at = _lay_out_said(memory, at, request[DECISIVE_SAID:DONATED_AT])
    if flags & DONATION:
        request[DONATED_AT] = int_at(memory, at, 8)
        at += 8
    for i in range(n_counted):
        counted[i, 0] = int_at(memory, at, 8)
        counted[i, 1] = int_at(memory, at + 8, 4)
        if counted[i, 1] >= 1 << 31:
            counted[i, 1] -= 1 << 32
        counted[i, 2] = memory[at + 12]
        at += COUNTED_SIZE
    return at


@part
def _lay_out_tail(  # noqa: C901 - likewise
    memory: NDArray[np.uint8], at: int, end: int, n_events: int, desk: Desk
) -> int:
    numbers = desk.numbers
    if end - at < 4:
        return -1
    n_aged, n_settled = int_at(memory, at, 2), int_at(memory, at + 2, 2)
    at += 4
    if n_aged + 8 * n_settled + 4 > end - at or n_settled > SETTLED_MAX:
        return -1
    n_ids = (numbers[N_SEEN] + numbers[N_SEEN + 1] + numbers[N_SEEN + 2]) // SIZE + n_aged // AGED_SIZE
    if n_aged > (AGED_MAX - n_events) * AGED_SIZE or n_ids + n_events > N_REMEMBERED_MAX:
        return -1
    numbers[N_AGED], numbers[N_SETTLED] = n_aged, n_settled
    put(desk.aged, 0, memory, at, at + n_aged)
    at += n_aged
    for i in range(n_settled):
        desk.settled[i] = int_at(memory, at, 8)
        at += 8
    n_outcomes, there = int_at(memory, at, 2), int_at(memory, at + 2, 2)
    at += 4
    if OUTCOME_SIZE * n_outcomes + (8 if there else 0) > end - at or n_outcomes + n_events > OUTCOMES_MAX:
        return -1
    numbers[N_OUTCOMES] = n_outcomes
    for i in range(n_outcomes):
        desk.outcomes[i, 0], desk.outcomes[i, 1] = int_at(memory, at, 8), memory[at + 8]
        at += OUTCOME_SIZE
    desk.sums[:] = 0.0
    numbers[SUMS_AT] = NEVER
    if there:
        numbers[SUMS_AT] = int_at(memory, at, 8)
        at += 8
        for i in range(N_SUMS):
            if there >> i & 1:
                if end - at < 8:
                    return -1
                desk.sums_bits[i] = int_at(memory, at, 8)
                at += 8
    return at
