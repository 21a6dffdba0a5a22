"""The slots of a schedule: instants in UTC, microseconds since 1970."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import takewhile

from producers.scheduling.cron import instants_after
from producers.scheduling.schedules import DAY_US, Schedule

FIRST_US, LAST_US = 946_684_800_000_000, 250_246_627_200_000_000
"""2000-01-01 and 9900-01-01: other instants are no slot's. Slots are looked for some years before and after, and dates
lie within the years 1 to 9999."""

LOOKED_BACK_DAYS = (1, 8, 32, 367, 8 * 367)
"""Eight years: the 29th of February fails to come once in so many."""


def slots_after(schedule: Schedule, after_us: int) -> Iterator[int]:
    """Yield the slots later than ``after_us``, in order."""
    return instants_after(schedule.cron, schedule.zone, after_us)


def slots_between(schedule: Schedule, after_us: int, until_us: int) -> Iterator[int]:
    """Yield the slots later than ``after_us`` and not later than ``until_us``, in order."""
    return takewhile(lambda slot_us: slot_us <= until_us, slots_after(schedule, after_us))


def next_slot(schedule: Schedule, after_us: int) -> int | None:
    """Return the first slot later than ``after_us``; None where none comes within fifty years."""
    return next(slots_after(schedule, after_us), None)


def latest_slot(schedule: Schedule, at_us: int) -> int | None:
    """Return the last slot that is not later than ``at_us``; None where none came for eight years."""
    for days in LOOKED_BACK_DAYS:
        last = deque(slots_between(schedule, at_us - days * DAY_US, at_us), maxlen=1)
        if last:
            return last[0]
    return None


def is_slot(schedule: Schedule, at_us: int) -> bool:
    """Tell whether ``at_us`` is a slot."""
    return next_slot(schedule, at_us - 1) == at_us


def can_be_slot(at_us: int) -> bool:
    """Tell whether any schedule could have a slot there, and be asked for those around it."""
    return FIRST_US <= at_us <= LAST_US
