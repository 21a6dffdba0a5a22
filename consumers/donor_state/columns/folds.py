"""Plain events into the donor on the desk, in kernels.

Number for number what ``responses``, ``donations`` and ``profiles`` say.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from consumers.donor_state.columns.desk import (
    AT,
    COUNTED_AT,
    DECISIVE_SAID,
    DONATED_AT,
    FACTS_BEGIN,
    FACTS_END,
    HIGH,
    IS_SUMMED_UP,
    LAST_COMPLETED_AT,
    LATEST_AT,
    LATEST_SAID,
    LOW,
    N_ALERTS,
    N_ANSWERS,
    N_APHERESIS,
    N_COMPLETED,
    N_COUNTED,
    N_KEPT,
    N_OUTCOMES,
    N_PROFILES,
    N_PROMISES,
    N_REQUESTS,
    N_SETTLED,
    N_UNRETURNED,
    N_WHOLE_BLOOD,
    PROFILE_HIGH,
    PROFILE_IS_NEW,
    PROFILE_LOW,
    REGISTERED_AT,
    REQUEST_ID,
    SETTLED_MAX,
    STATED_AT,
    TOTAL_STATED,
    WHAT,
    Desk,
)
from consumers.donor_state.columns.numbers import move
from consumers.donor_state.columns.sums import (
    ANSWERED_AT,
    NOT_KNOWN,
    WAS_KEPT,
    account,
    begin,
    keep,
    n_in_span,
    weigh,
)
from consumers.donor_state.counted import CAME, FAILED, REQUEST_SPAN_US
from consumers.donor_state.decayed import APHERESIS, CANCELLATIONS, DEFERRALS, NO_SHOWS, WHOLE_BLOOD
from consumers.donor_state.donor import NEVER, NOTIFIED, OPENED, RESPONSES
from consumers.donor_state.responses import ROLES
from features.index.avro_columns import NULL
from features.kernels import part

COMPLETED, CANCELLED, NO_SHOW, DEFERRED = 1, 2, 3, 4
"""Outcomes, by their place among the symbols of ``donation-recorded``; ``UNKNOWN`` is refused."""
OF_UNKNOWN, OF_WHOLE_BLOOD, OF_RED_CELLS, OF_PLATELETS, OF_PLASMA = range(5)

_ROLES = np.array([ROLES.get(response, 0) for response in range(len(RESPONSES))])


@part
def respond(desk: Desk, event: NDArray[np.int64], request_id: int, wave: int, response: int, in_time: bool) -> None:
    """Fold in what a donor did about a request; ``event`` is when, and its id's halves."""
    row = _row_of(desk, request_id)
    request = desk.requests[row]
    _hear(request[LATEST_SAID:DECISIVE_SAID], event, response)
    if response not in (NOTIFIED, OPENED):
        _hear(request[DECISIVE_SAID:DONATED_AT], event, response)
    if in_time and _ROLES[response]:
        _count(request, desk.counted[row], event[AT], wave, _ROLES[response])


@part
def donate_for(desk: Desk, request_id: int, at: int, outcome: int, in_time: bool) -> None:
    """Note that a donation was recorded for a request, of whatever outcome."""
    row = _row_of(desk, request_id)
    request = desk.requests[row]
    request[DONATED_AT] = max(request[DONATED_AT], at)
    if in_time:
        _count(request, desk.counted[row], at, 0, CAME if outcome in (COMPLETED, DEFERRED) else FAILED)


@part
def donate(desk: Desk, at: int, outcome: int, component: int, returned: bool, in_time: bool) -> None:
    """Fold in a donation: what was given, and what came of it."""
    numbers = desk.numbers
    if outcome == COMPLETED:
        i = numbers[N_COMPLETED]
        while i and desk.completed[i - 1] > at:
            desk.completed[i] = desk.completed[i - 1]
            i -= 1
        desk.completed[i] = at
        numbers[N_COMPLETED] += 1
        numbers[LAST_COMPLETED_AT] = max(numbers[LAST_COMPLETED_AT], at)
        if component in (OF_UNKNOWN, OF_WHOLE_BLOOD, OF_RED_CELLS):
            numbers[N_WHOLE_BLOOD] = _step(desk.whole_blood, numbers[N_WHOLE_BLOOD], at, at)
        if component in (OF_UNKNOWN, OF_PLATELETS, OF_PLASMA):
            _give_apheresis(desk, at, at, returned and component != OF_UNKNOWN)
    if in_time:
        if outcome == COMPLETED:
            place = APHERESIS if component in (OF_PLATELETS, OF_PLASMA) else WHOLE_BLOOD
        elif outcome == CANCELLED:
            place = CANCELLATIONS
        else:
            place = NO_SHOWS if outcome == NO_SHOW else DEFERRALS
        outcomes, i = desk.outcomes, numbers[N_OUTCOMES]
        while i and (outcomes[i - 1, 0] > at or (outcomes[i - 1, 0] == at and outcomes[i - 1, 1] > place)):
            move(outcomes, i - 1, i)
            i -= 1
        outcomes[i, 0], outcomes[i, 1] = at, place
        numbers[N_OUTCOMES] += 1


@part
def register(
    desk: Desk, event: NDArray[np.int64], stated_at: int, facts_begin: int, facts_end: int, total: int
) -> bool:
    """Let a profile hold; False where another one has to be kept beside it, or instead."""
    numbers = desk.numbers
    if numbers[N_PROFILES]:
        at, high, low = numbers[REGISTERED_AT], numbers[PROFILE_HIGH], numbers[PROFILE_LOW]
        is_newest = event[AT] > at or (
            event[AT] == at and (event[HIGH] > high or (event[HIGH] == high and event[LOW] > low))
        )
        if not is_newest or stated_at < numbers[STATED_AT]:
            return False
    numbers[N_PROFILES] = numbers[PROFILE_IS_NEW] = 1
    numbers[REGISTERED_AT], numbers[PROFILE_HIGH], numbers[PROFILE_LOW] = event[AT], event[HIGH], event[LOW]
    numbers[COUNTED_AT] = numbers[STATED_AT] = stated_at
    numbers[FACTS_BEGIN], numbers[FACTS_END], numbers[TOTAL_STATED] = facts_begin, facts_end, total
    return True


@part
def name_donations(desk: Desk, stated_at: int, whole_blood_at: int, apheresis_at: int, returned: bool) -> None:
    """Take in the last donations that a profile names; ``NULL`` where it names none."""
    numbers = desk.numbers
    if whole_blood_at != NULL:
        numbers[N_WHOLE_BLOOD] = _step(desk.whole_blood, numbers[N_WHOLE_BLOOD], stated_at, whole_blood_at)
    if apheresis_at != NULL:
        _give_apheresis(desk, apheresis_at, stated_at, returned)


@part
def settle_donations(desk: Desk) -> None:
    """Forget instants of completed donations that the profile counts."""
    numbers = desk.numbers
    if numbers[N_PROFILES] == 0:
        return
    n_counted = 0
    while n_counted < numbers[N_COMPLETED] and desk.completed[n_counted] <= numbers[COUNTED_AT]:
        n_counted += 1
    for i in range(n_counted, numbers[N_COMPLETED]):
        desk.completed[i - n_counted] = desk.completed[i]
    numbers[N_COMPLETED] -= n_counted


@part
def settle_requests(desk: Desk, late_us: int, rate_us: float, fatigue_us: float) -> None:
    """Sum up requests of whose rates no more can come, and let go of those that nothing else needs one by one."""
    numbers, n_kept = desk.numbers, 0
    oldest_at = numbers[LATEST_AT] - REQUEST_SPAN_US - late_us
    for i in range(numbers[N_REQUESTS]):
        row = desk.order[i]
        request = desk.requests[row]
        if request[N_COUNTED] and not request[IS_SUMMED_UP] and desk.counted[row, 0, 0] < oldest_at:
            _sum_up(desk, row, rate_us, fatigue_us)
        if (
            request[LATEST_SAID] >= oldest_at
            or request[DONATED_AT] >= oldest_at
            or request[DECISIVE_SAID] > numbers[LAST_COMPLETED_AT]
            or request[DONATED_AT] > numbers[LAST_COMPLETED_AT]
        ):
            desk.order[n_kept] = row
            n_kept += 1
    numbers[N_REQUESTS] = n_kept


@part
def tally(numbers: NDArray[np.int64], desk: Desk, n_waves: int, kept: int) -> None:
    """Add the request whose waves lie on the desk to the numbers of alerts, answers and promises."""
    numbers[N_ALERTS] += n_waves
    for i in range(n_waves):
        numbers[N_ANSWERS] += desk.waves[i, ANSWERED_AT] != NEVER
    numbers[N_PROMISES] += kept != NOT_KNOWN
    numbers[N_KEPT] += kept == WAS_KEPT


@part
def _sum_up(desk: Desk, row: int, rate_us: float, fatigue_us: float) -> None:
    numbers, request, counted = desk.numbers, desk.requests[row], desk.counted[row]
    n_waves, promised_at, kept = account(desk, row)
    begin(desk, rate_us, fatigue_us)
    weigh(desk, n_waves, promised_at, kept, rate_us, fatigue_us)
    keep(desk)
    tally(numbers, desk, n_waves, kept)
    n_counted = request[N_COUNTED]
    n_gone = n_in_span(counted, n_counted)
    for i in range(n_gone, n_counted):
        move(counted, i, i - n_gone)
    request[N_COUNTED] = n_counted - n_gone
    request[IS_SUMMED_UP] = 1
    i = numbers[N_SETTLED]
    while i and desk.settled[i - 1] > request[REQUEST_ID]:
        desk.settled[i] = desk.settled[i - 1]
        i -= 1
    desk.settled[i] = request[REQUEST_ID]
    numbers[N_SETTLED] += 1
    if numbers[N_SETTLED] > SETTLED_MAX:
        for i in range(1, numbers[N_SETTLED]):
            desk.settled[i - 1] = desk.settled[i]
        numbers[N_SETTLED] = SETTLED_MAX


@part
def _row_of(desk: Desk, request_id: int) -> int:
    """Return where a request lies, which is new where nothing was said of it."""
    numbers, order = desk.numbers, desk.order
    n = int(numbers[N_REQUESTS])
    i = n
    while i and desk.requests[order[i - 1], REQUEST_ID] > request_id:
        i -= 1
    if i and desk.requests[order[i - 1], REQUEST_ID] == request_id:
        return int(order[i - 1])
    # requests are let go of only after a donor's last event, so that rows are free from there on
    for j in range(n, i, -1):
        order[j] = order[j - 1]
    order[i] = n
    numbers[N_REQUESTS] = n + 1
    request = desk.requests[n]
    request[:] = 0
    request[REQUEST_ID] = request_id
    for j in range(numbers[N_SETTLED]):
        if desk.settled[j] == request_id:
            request[IS_SUMMED_UP] = 1
    return n


@part
def _hear(said: NDArray[np.int64], event: NDArray[np.int64], response: int) -> None:
    if event[AT] < said[AT]:
        return
    if event[AT] == said[AT] and (event[HIGH] < said[HIGH] or (event[HIGH] == said[HIGH] and event[LOW] <= said[LOW])):
        return
    said[AT], said[HIGH], said[LOW], said[WHAT] = event[AT], event[HIGH], event[LOW], response


@part
def _count(request: NDArray[np.int64], counted: NDArray[np.int64], at: int, wave: int, roles: int) -> None:
    n = request[N_COUNTED]
    i = n
    while i and _is_before(at, wave, roles, counted[i - 1]):
        i -= 1
    if i and counted[i - 1, 0] == at and counted[i - 1, 1] == wave and counted[i - 1, 2] == roles:
        return
    for j in range(n, i, -1):
        move(counted, j - 1, j)
    counted[i, 0], counted[i, 1], counted[i, 2] = at, wave, roles
    request[N_COUNTED] = n + 1


@part
def _is_before(at: int, wave: int, roles: int, one: NDArray[np.int64]) -> bool:
    if at != one[0]:
        return bool(at < one[0])
    if wave != one[1]:
        return bool(wave < one[1])
    return bool(roles < one[2])


@part
def _step(steps: NDArray[np.int64], n: int, stated_at: int, value: int) -> int:
    """Add a statement to a staircase; return how many steps it has then."""
    n_left = 0
    for i in range(n):
        if steps[i, 0] >= stated_at and steps[i, 1] >= value:
            return n
    for i in range(n):
        if steps[i, 0] > stated_at or steps[i, 1] > value:
            move(steps, i, n_left)
            n_left += 1
    i = n_left
    while i and (steps[i - 1, 0] > stated_at or (steps[i - 1, 0] == stated_at and steps[i - 1, 1] > value)):
        move(steps, i - 1, i)
        i -= 1
    steps[i, 0], steps[i, 1] = stated_at, value
    return n_left + 1


@part
def _give_apheresis(desk: Desk, at: int, stated_at: int, returned: bool) -> None:
    numbers, given = desk.numbers, desk.apheresis
    if not returned:
        numbers[N_UNRETURNED] = _step(desk.unreturned, numbers[N_UNRETURNED], stated_at, at)
    i = n = numbers[N_APHERESIS]
    while i and given[i - 1, 0] > at:
        i -= 1
    if not (i and given[i - 1, 0] == at):
        for j in range(n, i, -1):
            move(given, j - 1, j)
        given[i, 0], given[i, 1], given[i, 2] = at, NEVER, NEVER
        numbers[N_APHERESIS] = n + 1
        i += 1
    stated = 1 if returned else 2
    given[i - 1, stated] = max(given[i - 1, stated], stated_at)
