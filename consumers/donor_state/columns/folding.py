"""A batch's plain events into the donors whom they are about, all of them in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consumers.donor_state.columns.desk import AT, HIGH, LATEST_AT, LOW, Desk, new_desk
from consumers.donor_state.columns.folds import (
    donate,
    donate_for,
    name_donations,
    register,
    respond,
    settle_donations,
    settle_requests,
)
from consumers.donor_state.columns.ids import came_before, remember
from consumers.donor_state.columns.laying import lay_out
from consumers.donor_state.columns.record import put_record
from consumers.donor_state.columns.sums import settle_outcomes
from consumers.donor_state.columns.writing import put_memory
from features.decay import DAY_US, HalfLives
from features.kernels import kernel, part

SOURCE, TIMESTAMP_MS, REQUEST_ID, HAS_REQUEST, WAVE, WHAT, COMPONENT, RETURNED = range(3, 11)
FACTS_BEGIN, FACTS_END, TOTAL, WHOLE_BLOOD_AT, APHERESIS_AT = range(11, 16)
N_OF_EVENT = 16
"""What is said of an event; first when it occurred and the halves of its id, as on a desk."""

REGISTRATION, DONATION, RESPONSE = range(3)
"""Sources, by their place in the processor's topology."""

LEFT, SAME, CHANGED = 0, 1, 2
STATUS, FIRST, LAST, N_REPEATS, RECORD_BEGIN, MEMORY_BEGIN, MEMORY_END, RECORD_END = range(8)
N_OF_DONOR = 8

_EVENT_BYTES, _MEMORY_BYTES, _RECORD_BYTES = 250, 150, 700
"""What an event adds to a memory at most, what is there without any, and what a record has besides the memory."""


class Folded(NamedTuple):
    """A donor after its events.

    Parameters
    ----------
    first, last : int
        Places of the events, among all, that were the first and the last to change anything.
    n_repeats : int
    memory, record : bytes
        What is remembered, and what others read, from ``occurred_at`` on; empty where nothing changed.
    """

    first: int
    last: int
    n_repeats: int
    memory: bytes
    record: bytes


class Folding:
    """Folds plain events into donors, who stay bytes.

    Parameters
    ----------
    late_us : int
        How much older than the latest known of a donor an event may be to count in rates.
    half_lives : HalfLives
        Of what fades.
    """

    def __init__(self, late_us: int, half_lives: HalfLives) -> None:
        self._late_us = late_us
        self._rate_us, self._fatigue_us = half_lives.rate_days * DAY_US, half_lives.fatigue_days * DAY_US
        self._desk = new_desk()

    def fold(
        self, memories: Sequence[bytes], events: NDArray[np.int64], n_events: NDArray[np.int64], facts: bytes
    ) -> list[Folded | None]:
        """Fold the next ``n_events`` of all ``events`` into each donor; None where one needs objects.

        Parameters
        ----------
        memories : sequence of bytes
        events : ndarray of int64, shape (n, 16)
            Donor after donor, each donor's in their order.
        n_events : ndarray of int64, shape (n_donors,)
        facts : bytes
            Of profiles, where events say that they lie in it.
        """
        sizes = np.fromiter(map(len, memories), np.int64, len(memories))
        room = sizes + _EVENT_BYTES * n_events + _MEMORY_BYTES
        record_room = 2 * room + _RECORD_BYTES
        out = np.empty(int(record_room.sum()), np.uint8)
        found = np.zeros((len(memories), N_OF_DONOR), np.int64)
        found[1:, RECORD_BEGIN] = np.cumsum(record_room)[:-1]
        events[:, FACTS_BEGIN : FACTS_END + 1] += sizes.sum()
        _fold(
            np.frombuffer(b"".join((*memories, facts)), np.uint8),
            np.cumsum(sizes),
            events,
            np.cumsum(n_events),
            (self._late_us, self._rate_us, self._fatigue_us),
            self._desk,
            np.empty(int(room.max(initial=0)), np.uint8),
            out,
            found,
        )
        written = out.data
        return [
            None
            if status == LEFT
            else Folded(first, last, n_repeats, bytes(written[memory:end]), bytes(written[begin:record_end]))
            for status, first, last, n_repeats, begin, memory, end, record_end in found.tolist()
        ]


@kernel
def _fold(  # noqa: PLR0913, PLR0917 - numba takes no dataclass
    memories: NDArray[np.uint8],
    ends: NDArray[np.int64],
    events: NDArray[np.int64],
    event_ends: NDArray[np.int64],
    times: tuple[int, float, float],
    desk: Desk,
    memory: NDArray[np.uint8],
    out: NDArray[np.uint8],
    found: NDArray[np.int64],
) -> None:
    late_us, rate_us, fatigue_us = times
    for donor in range(len(ends)):
        begin, end = ends[donor - 1] if donor else 0, ends[donor]
        first, last = event_ends[donor - 1] if donor else 0, event_ends[donor]
        one = found[donor]
        one[MEMORY_BEGIN] = one[MEMORY_END] = one[RECORD_END] = one[RECORD_BEGIN]
        if not lay_out(memories, begin, end, last - first, desk):
            continue
        one[STATUS] = SAME
        for i in range(first, last):
            if came_before(desk, events[i, HIGH], events[i, LOW]):
                one[N_REPEATS] += 1
                continue
            if not _take(desk, events[i], late_us):
                one[STATUS] = LEFT
                break
            if one[STATUS] == SAME:
                one[STATUS], one[FIRST] = CHANGED, i
            one[LAST] = i
        if one[STATUS] == CHANGED:
            settle_donations(desk)
            settle_requests(desk, late_us, rate_us, fatigue_us)
            settle_outcomes(desk, late_us, rate_us, fatigue_us)
            n_memory = put_memory(desk, memories, memory, 0)
            one[MEMORY_BEGIN], one[RECORD_END] = put_record(
                desk, memories, memory, n_memory, out, one[RECORD_BEGIN], rate_us, fatigue_us
            )
            one[MEMORY_END] = one[MEMORY_BEGIN] + n_memory


@part
def _take(desk: Desk, event: NDArray[np.int64], late_us: int) -> bool:
    """Fold in one event; False where that needs objects."""
    at = event[AT]
    remember(desk, event[HIGH], event[LOW], event[SOURCE], event[TIMESTAMP_MS], at)
    desk.numbers[LATEST_AT] = max(desk.numbers[LATEST_AT], at)
    in_time = at >= desk.numbers[LATEST_AT] - late_us
    if event[SOURCE] == REGISTRATION:
        stated_at = min(at, event[TIMESTAMP_MS] * 1000)
        name_donations(desk, stated_at, event[WHOLE_BLOOD_AT], event[APHERESIS_AT], event[RETURNED] != 0)
        return register(desk, event, stated_at, event[FACTS_BEGIN], event[FACTS_END], event[TOTAL])
    if event[SOURCE] == RESPONSE:
        respond(desk, event, event[REQUEST_ID], event[WAVE], event[WHAT], in_time)
        return True
    donate(desk, at, event[WHAT], event[COMPONENT], event[RETURNED] != 0, in_time)
    if event[HAS_REQUEST]:
        donate_for(desk, event[REQUEST_ID], at, event[WHAT], in_time)
    return True
