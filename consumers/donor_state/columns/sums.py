"""Sums that fade, in kernels: what ``decayed`` and ``counted`` say, number for number."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from consumers.donor_state.columns.desk import (
    IS_SUMMED_UP,
    LATEST_AT,
    N_COUNTED,
    N_OUTCOMES,
    N_SUMS,
    SUMS_AT,
    Desk,
)
from consumers.donor_state.columns.numbers import move
from consumers.donor_state.counted import AGREED, ALERTED, ANSWERED, CAME, FAILED, PROMISED, REQUEST_SPAN_US
from consumers.donor_state.decayed import (
    ACCEPTANCES,
    ALERTS,
    HOUR_US,
    KEPT,
    LOG_HOURS,
    PROMISES,
    SHORTEST_US,
    SQUARES,
    TIMES,
    UNANSWERED,
)
from consumers.donor_state.donor import NEVER
from features.kernels import part

NOT_KNOWN, BROKEN, WAS_KEPT = -1, 0, 1
NOTIFIED_AT, ANSWERED_AT, ACCEPTED_AT = 0, 1, 2


@part
def left_of(since_us: int, half_life_us: float) -> float:
    """Return what is left of a weight of 1; ``features.decay.left``."""
    return float(np.exp2(-since_us / half_life_us)) if since_us > 0 else 1.0


@part
def add(desk: Desk, place: int, number: float) -> None:
    """Add a number to a sum exactly: parts that don't overlap, as ``math.fsum`` keeps them (Shewchuk 1997)."""
    parts = desk.parts[place]
    n_parts = 0
    for i in range(desk.n_parts[place]):
        other = parts[i]
        if abs(number) < abs(other):
            number, other = other, number
        high = number + other
        low = other - (high - number)
        if low != 0.0:
            parts[n_parts] = low
            n_parts += 1
        number = high
    if number != 0.0:
        parts[n_parts] = number
        n_parts += 1
    desk.n_parts[place] = n_parts


@part
def total_of(desk: Desk, place: int) -> float:
    """Return a sum, rounded once, to even where it lies half way; as ``math.fsum`` does."""
    parts, n = desk.parts[place], desk.n_parts[place]
    if n == 0:
        return 0.0
    n -= 1
    high, low = parts[n], 0.0
    while n > 0:
        number = high
        n -= 1
        other = parts[n]
        high = number + other
        low = other - (high - number)
        if low != 0.0:
            break
    if n > 0 and ((low < 0.0 and parts[n - 1] < 0.0) or (low > 0.0 and parts[n - 1] > 0.0)):
        other = low * 2.0
        number = high + other
        if other == number - high:
            high = number
    return float(high)


@part
def has_sums(sums: NDArray[np.float64]) -> bool:
    """Return whether anything was summed up."""
    for place in range(N_SUMS):  # noqa: SIM110 - numba has no any()
        if sums[place] != 0.0:
            return True
    return False


@part
def begin(desk: Desk, rate_us: float, fatigue_us: float) -> None:
    """Begin sums with what is left now of what was summed up."""
    since_us = desk.numbers[LATEST_AT] - desk.numbers[SUMS_AT]
    desk.n_parts[:] = 0
    if not has_sums(desk.sums):
        return
    rate = left_of(since_us, rate_us)
    for place in range(N_SUMS):
        if place != UNANSWERED:
            add(desk, place, desk.sums[place] * rate)
    add(desk, UNANSWERED, desk.sums[UNANSWERED] * left_of(since_us, fatigue_us))


@part
def keep(desk: Desk) -> None:
    """Make the sums what was summed up as of now."""
    is_any = False
    for place in range(N_SUMS):
        desk.sums[place] = total_of(desk, place)
        is_any = is_any or desk.sums[place] != 0.0
    desk.numbers[SUMS_AT] = desk.numbers[LATEST_AT] if is_any else NEVER


@part
def weigh_outcomes(desk: Desk, n: int, rate_us: float) -> None:
    """Add the oldest ``n`` outcomes."""
    for i in range(n):
        occurred_at, place = desk.outcomes[i, 0], desk.outcomes[i, 1]
        add(desk, place, left_of(desk.numbers[LATEST_AT] - occurred_at, rate_us))


@part
def settle_outcomes(desk: Desk, late_us: int, rate_us: float, fatigue_us: float) -> None:
    """Sum up outcomes that lie further back than events may be late."""
    oldest_at = desk.numbers[LATEST_AT] - late_us
    n_outcomes, n_old = desk.numbers[N_OUTCOMES], 0
    while n_old < n_outcomes and desk.outcomes[n_old, 0] < oldest_at:
        n_old += 1
    if n_old == 0:
        return
    begin(desk, rate_us, fatigue_us)
    weigh_outcomes(desk, n_old, rate_us)
    keep(desk)
    for i in range(n_old, n_outcomes):
        move(desk.outcomes, i, i - n_old)
    desk.numbers[N_OUTCOMES] = n_outcomes - n_old


@part
def n_in_span(counted: NDArray[np.int64], n_counted: int) -> int:
    """Return how many lie within the span of their request, which are the first."""
    n = 0
    while n < n_counted and counted[n, 0] <= counted[0, 0] + REQUEST_SPAN_US:
        n += 1
    return n


@part
def account(desk: Desk, row: int) -> tuple[int, int, int]:
    """Put a request's waves on the desk; return how many, the latest promise, and whether it was kept."""
    counted, waves, numbers = desk.counted[row], desk.waves, desk.wave_numbers
    n_counted = desk.requests[row, N_COUNTED]
    if desk.requests[row, IS_SUMMED_UP] or n_counted == 0:
        return 0, NEVER, NOT_KNOWN
    n_known, n_waves = n_in_span(counted, n_counted), 0
    promised_at = came_at = failed_at = NEVER
    for i in range(n_known):
        at, number, roles = counted[i, 0], counted[i, 1], counted[i, 2]
        if roles & ALERTED and _place_of(numbers, n_waves, number) < 0:
            numbers[n_waves] = number
            waves[n_waves, NOTIFIED_AT], waves[n_waves, ANSWERED_AT], waves[n_waves, ACCEPTED_AT] = at, NEVER, NEVER
            n_waves += 1
        if roles & PROMISED:
            promised_at = at
        if roles & CAME:
            came_at = at
        if roles & FAILED:
            failed_at = at
    for i in range(n_known - 1, -1, -1):
        at, number, roles = counted[i, 0], counted[i, 1], counted[i, 2]
        place = _place_of(numbers, n_waves, number) if roles & ANSWERED else -1
        if place >= 0:
            waves[place, ANSWERED_AT] = at
            if roles & AGREED:
                waves[place, ACCEPTED_AT] = at
    return n_waves, promised_at, _is_kept(promised_at, came_at, failed_at)


@part
def _place_of(numbers: NDArray[np.int64], n: int, number: int) -> int:
    for i in range(n):
        if numbers[i] == number:
            return i
    return -1


@part
def _is_kept(promised_at: int, came_at: int, failed_at: int) -> int:
    if promised_at == NEVER:
        return NOT_KNOWN
    if came_at != NEVER and came_at >= failed_at:
        return WAS_KEPT
    return BROKEN if failed_at >= promised_at else NOT_KNOWN


@part
def weigh(desk: Desk, n_waves: int, promised_at: int, kept: int, rate_us: float, fatigue_us: float) -> None:
    """Add what the request whose waves lie on the desk says."""
    latest_at = desk.numbers[LATEST_AT]
    for i in range(n_waves):
        notified_at, answered_at = desk.waves[i, NOTIFIED_AT], desk.waves[i, ANSWERED_AT]
        weight = left_of(latest_at - notified_at, rate_us)
        add(desk, ALERTS, weight)
        if desk.waves[i, ACCEPTED_AT] != NEVER:
            add(desk, ACCEPTANCES, weight)
        if answered_at == NEVER:
            add(desk, UNANSWERED, left_of(latest_at - notified_at, fatigue_us))
            continue
        log_hours = math.log(max(answered_at - notified_at, SHORTEST_US) / HOUR_US)
        add(desk, TIMES, weight)
        add(desk, LOG_HOURS, weight * log_hours)
        add(desk, SQUARES, weight * log_hours * log_hours)
    if kept != NOT_KNOWN:
        weight = left_of(latest_at - promised_at, rate_us)
        add(desk, PROMISES, weight)
        if kept == WAS_KEPT:
            add(desk, KEPT, weight)
