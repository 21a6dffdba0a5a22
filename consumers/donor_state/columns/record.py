"""From the desk to the ``donor-states`` record, in kernels: what ``projection`` writes, byte for byte."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from consumers.donor_state.columns.desk import (
    AT,
    COMPLETED_BEFORE_AT,
    DECISIVE_SAID,
    DONATED_AT,
    DONOR_ID,
    FACTS_BEGIN,
    FACTS_END,
    ITEMS_BEGIN,
    LAST_COMPLETED_AT,
    LATEST_AT,
    LATEST_SAID,
    N_ALERTS,
    N_ANSWERS,
    N_APHERESIS,
    N_COMPLETED,
    N_COMPLETED_BEFORE,
    N_ITEMS,
    N_KEPT,
    N_OUTCOMES,
    N_PROFILES,
    N_PROMISES,
    N_REQUESTS,
    N_SUMS,
    N_UNNAMED,
    N_UNRETURNED,
    N_WHOLE_BLOOD,
    REGISTERED_AT,
    REQUEST_ID,
    STATEMENT_SIZE,
    TOTAL_STATED,
    UNNAMED_BEGIN,
    WHAT,
    Desk,
)
from consumers.donor_state.columns.folds import tally
from consumers.donor_state.columns.numbers import id_half_at, int_at, put, put_int, put_long, put_optional_long
from consumers.donor_state.columns.sums import account, begin, has_sums, total_of, weigh, weigh_outcomes
from consumers.donor_state.decayed import ACCEPTANCES, ALERTS, KEPT, LOG_HOURS, PROMISES, TIMES
from consumers.donor_state.donor import ACCEPTED, ARRIVED, EXPIRED, NEVER, PERMANENT
from consumers.donor_state.memory import LIFTED
from consumers.donor_state.projection import NO_FACTS, TOTAL_MAX
from consumers.donor_state.responses import ASKED_US
from features.kernels import part
from features.priors import AVAILABILITY, RELIABILITY, RESPONSE_TIME

_NO_FACTS = np.frombuffer(NO_FACTS, np.uint8)
_YES, _NO = AVAILABILITY
_KEPT, _BROKEN = RELIABILITY
_LOG_HOURS, _WEIGHT = RESPONSE_TIME
_UNSIGNED = 1 << 32


@part
def put_record(  # noqa: PLR0913, PLR0917 - numba takes no dataclass
    desk: Desk,
    before: NDArray[np.uint8],
    memory: NDArray[np.uint8],
    n_memory: int,
    out: NDArray[np.uint8],
    at: int,
    rate_us: float,
    fatigue_us: float,
) -> tuple[int, int]:
    """Write the record from ``occurred_at`` on; return where the memory lies in it, and the place behind it."""
    numbers = desk.numbers
    at = put_long(out, at, numbers[LATEST_AT])
    at = put_long(out, at, numbers[DONOR_ID])
    out[at] = out[at + 1] = 0  # nobody who was erased is written here
    at = put_optional_long(out, at + 2, numbers[REGISTERED_AT], numbers[N_PROFILES] > 0)
    if numbers[N_PROFILES]:
        at = put(out, at, before, numbers[FACTS_BEGIN], numbers[FACTS_END])
    else:
        at = put(out, at, _NO_FACTS, 0, len(_NO_FACTS))
    at = put_long(out, at, min(_n_donations(desk), TOTAL_MAX))
    at = put_optional_long(out, at, desk.whole_blood[0, 1], numbers[N_WHOLE_BLOOD] > 0)
    at = _put_apheresis(desk, out, at)
    at = put_optional_long(out, at, desk.unreturned[0, 1], numbers[N_UNRETURNED] > 0)
    at = _put_deferrals(desk, before, out, at)
    at = _put_promises(desk, out, at)
    at = _put_asked(desk, out, at)
    is_nothing = not (numbers[N_REQUESTS] or numbers[N_OUTCOMES] or has_sums(desk.sums))
    begin(desk, rate_us, fatigue_us)
    weigh_outcomes(desk, numbers[N_OUTCOMES], rate_us)
    for i in range(numbers[N_REQUESTS]):
        n_waves, promised_at, kept = account(desk, desk.order[i])
        weigh(desk, n_waves, promised_at, kept, rate_us, fatigue_us)
        tally(numbers, desk, n_waves, kept)  # the memory is written already
    for i in (N_ALERTS, N_ANSWERS, N_PROMISES, N_KEPT):
        at = put_long(out, at, numbers[i])
    for i in range(N_SUMS):
        desk.sums[i] = total_of(desk, i)
    at = _put_scores(desk, out, at)
    begun_at = put_long(out, at, n_memory)
    at = put(out, begun_at, memory, 0, n_memory)
    is_nothing = is_nothing and numbers[N_ALERTS] + numbers[N_PROMISES] == 0
    for i in range(N_SUMS):
        is_there = desk.sums[i] != 0.0 or (not is_nothing and i in (ALERTS, PROMISES))
        out[at] = 2 if is_there else 0
        at = put_int(out, at + 1, desk.sums_bits[i], 8) if is_there else at + 1
    return begun_at, at


@part
def _n_donations(desk: Desk) -> int:
    numbers = desk.numbers
    since = numbers[REGISTERED_AT] if numbers[N_PROFILES] else NEVER
    count = numbers[TOTAL_STATED] if numbers[N_PROFILES] else 0
    for i in range(numbers[N_COMPLETED]):
        count += desk.completed[i] > since
    return count + (numbers[N_COMPLETED_BEFORE] if numbers[COMPLETED_BEFORE_AT] > since else 0)


@part
def _put_apheresis(desk: Desk, out: NDArray[np.uint8], at: int) -> int:
    n = desk.numbers[N_APHERESIS]
    at = put_long(out, at, n)
    for i in range(n - 1, -1, -1):
        at = put_long(out, at, desk.apheresis[i, 0])
        out[at] = desk.apheresis[i, 2] == NEVER
        at += 1
    return _end(out, at, n)


@part
def _end(out: NDArray[np.uint8], at: int, n: int) -> int:
    """End a list, which a list of nothing did already."""
    if n:
        out[at] = 0
        at += 1
    return at


@part
def _put_deferrals(desk: Desk, before: NDArray[np.uint8], out: NDArray[np.uint8], at: int) -> int:
    """Write what stands, in the order of the items, which is that of the memory; those without item first."""
    numbers = desk.numbers
    place, n = at, numbers[N_UNNAMED]
    at += 1  # of so few items the number takes one byte
    for i in range(n - 1, -1, -1):
        out[at] = 0
        at = _put_last_day(out, at + 1, int_at(before, numbers[UNNAMED_BEGIN] + 16 * i + 8, 8))
    item_at = numbers[ITEMS_BEGIN]
    for _ in range(numbers[N_ITEMS]):
        n_letters, n_statements = int_at(before, item_at, 2), int_at(before, item_at + 2, 2)
        text_at = item_at + 4
        stated_at = text_at + n_letters
        item_at = stated_at + n_statements * STATEMENT_SIZE
        until = _stands_until(before, stated_at, n_statements)
        if until != LIFTED:
            at = put(out, put_long(out, at, n_letters), before, text_at, stated_at)
            at = _put_last_day(out, at, until)
            n += 1
    out[place] = n << 1
    return _end(out, at, n)


@part
def _put_last_day(out: NDArray[np.uint8], at: int, until: int) -> int:
    return put_optional_long(out, at, until, until != PERMANENT)


@part
def _until_at(content: NDArray[np.uint8], at: int) -> int:
    until = int_at(content, at + 32, 4)
    return until if until < _UNSIGNED >> 1 else until - _UNSIGNED


@part
def _stands_until(content: NDArray[np.uint8], at: int, n: int) -> int:
    """Return the last day that an item blocks by its statements, ``LIFTED`` where none stands."""
    lifted_at = high = low = -(2**63)
    for i in range(n):
        one = at + i * STATEMENT_SIZE
        if _until_at(content, one) == LIFTED:
            a, b, c = int_at(content, one, 8), id_half_at(content, one + 8), id_half_at(content, one + 16)
            if a > lifted_at or (a == lifted_at and (b > high or (b == high and c > low))):
                lifted_at, high, low = a, b, c
    latest = LIFTED
    for i in range(n):
        one = at + i * STATEMENT_SIZE
        a, b, c = int_at(content, one, 8), id_half_at(content, one + 8), id_half_at(content, one + 16)
        if a > lifted_at or (a == lifted_at and (b > high or (b == high and c >= low))):
            latest = max(latest, _until_at(content, one))
    return latest


@part
def _put_promises(desk: Desk, out: NDArray[np.uint8], at: int) -> int:
    """Write the two latest open promises, newest first."""
    numbers, n = desk.numbers, 0
    first = second = -1
    for i in range(numbers[N_REQUESTS]):
        row = desk.order[i]
        request = desk.requests[row]
        promised_at, what = request[DECISIVE_SAID], request[DECISIVE_SAID + WHAT]
        if what not in (ACCEPTED, ARRIVED) or promised_at <= max(numbers[LAST_COMPLETED_AT], request[DONATED_AT]):
            continue
        n += 1
        # rows come by their ids: of one instant the later is the greater
        if first < 0 or promised_at >= desk.requests[first, DECISIVE_SAID]:
            first, second = row, first
        elif second < 0 or promised_at >= desk.requests[second, DECISIVE_SAID]:
            second = row
    n = min(n, 2)
    at = put_long(out, at, n)
    for row in (first, second):
        if row >= 0:
            at = put_long(out, at, desk.requests[row, REQUEST_ID])
            at = put_long(out, at, desk.requests[row, DECISIVE_SAID])
    return _end(out, at, n)


@part
def _put_asked(desk: Desk, out: NDArray[np.uint8], at: int) -> int:
    """Write the requests of the last weeks whose latest response isn't EXPIRED, newest first."""
    numbers, asked, n = desk.numbers, desk.wave_numbers, 0
    for i in range(numbers[N_REQUESTS]):
        row = desk.order[i]
        said = desk.requests[row, LATEST_SAID:DECISIVE_SAID]
        if said[WHAT] == EXPIRED or said[AT] < numbers[LATEST_AT] - ASKED_US or said[AT] == NEVER:
            continue
        j = n
        while j and desk.requests[asked[j - 1], LATEST_SAID] <= said[AT]:
            asked[j] = asked[j - 1]
            j -= 1
        asked[j] = row
        n += 1
    at = put_long(out, at, n)
    for i in range(n):
        at = put_long(out, at, desk.requests[asked[i], REQUEST_ID])
        at = put_long(out, at, desk.requests[asked[i], LATEST_SAID])
    return _end(out, at, n)


@part
def _put_scores(desk: Desk, out: NDArray[np.uint8], at: int) -> int:
    sums = desk.sums
    total = _KEPT + _BROKEN + sums[PROMISES]
    mean = (_KEPT + sums[KEPT]) / total
    at = _put_double(desk, out, at, (_YES + sums[ACCEPTANCES]) / (_YES + _NO + sums[ALERTS]))
    at = _put_double(desk, out, at, mean)
    at = _put_double(desk, out, at, math.sqrt(mean * (1 - mean) / (total + 1)))
    return _put_double(desk, out, at, math.exp((_WEIGHT * _LOG_HOURS + sums[LOG_HOURS]) / (_WEIGHT + sums[TIMES])))


@part
def _put_double(desk: Desk, out: NDArray[np.uint8], at: int, number: float) -> int:
    desk.double[0] = number
    return put_int(out, at, desk.double_bits[0], 8)
