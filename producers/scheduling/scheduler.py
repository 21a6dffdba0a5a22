"""Which slots are due at an instant, by what is known to be settled: deterministic, whatever clocks do.

A slot is fired only if it is later than the last one settled. So a clock that goes back fires nothing again, and one
that leaps forward finds a row of slots due, like a scheduler that was away: the schedule's policy says which are fired.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from producers.scheduling.schedules import CatchUp, Schedule
from producers.scheduling.slots import can_be_slot, latest_slot, next_slot, slots_between
from producers.scheduling.triggers import STATES, state_of, topic_of, trigger_of
from schemas.codec import Codec
from schemas.errors import InvalidRecord
from schemas.records import Output, Record

ON_TIME_US = 300_000_000
"""Five minutes: so much later a slot still counts as on time. The choice of another leader takes some seconds of it."""

FIRED_AT_ONCE_MAX = 100
"""Of one schedule, in one transaction; the others' turn comes in the next."""

COUNTED_MAX = 1_000
"""Slots that are passed over are counted up to here: those of a policy, and those that are too old."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to become of the slots of one schedule that are due.

    Parameters
    ----------
    schedule : Schedule
    fired : tuple of int
        Slots to fire, in order.
    settled_us : int
        The last slot that is settled then.
    n_passed, n_too_old : int
        How many slots are passed over, by policy and by age; of each at most 1,000 are counted.
    is_first : bool
        Whether nothing was known of the schedule: it begins now, and what came before isn't looked at.
    """

    schedule: Schedule
    fired: tuple[int, ...]
    settled_us: int
    n_passed: int = 0
    n_too_old: int = 0
    is_first: bool = False


def decide(schedule: Schedule, last_us: int | None, at_us: int, held_us: int = 0) -> Decision | None:
    """Say what is to become of a schedule's slots at an instant; None where none is due.

    Parameters
    ----------
    last_us : int or None
        The last slot that is settled; None on the first start.
    at_us : int
        What the clock says.
    held_us : int
        How long nothing was fired just now, since the clock wasn't believed: so much later a slot is on time too.
    """
    if last_us is None:
        before_us = latest_slot(schedule, at_us)
        return Decision(schedule, (), at_us if before_us is None else before_us, is_first=True)
    if at_us <= last_us:
        return None
    oldest_us = at_us - schedule.greatest_age_us
    n_too_old = _n_slots(schedule, last_us, oldest_us - 1) if last_us < oldest_us else 0
    fired, n_passed = _chosen(schedule, max(last_us, oldest_us - 1), at_us, at_us - ON_TIME_US - held_us)
    if not fired and not n_passed and not n_too_old:
        return None
    settled_us = fired[-1] if fired else latest_slot(schedule, at_us)
    return Decision(schedule, fired, last_us if settled_us is None else settled_us, n_passed, n_too_old)


def _chosen(schedule: Schedule, after_us: int, at_us: int, on_time_us: int) -> tuple[tuple[int, ...], int]:
    """Return which of the slots later than ``after_us`` are fired, and how many are passed over.

    No policy walks over all of them: there may be millions, and a leader that walks is none.
    """
    if schedule.catch_up is CatchUp.ALL:
        return tuple(islice(slots_between(schedule, after_us, at_us), FIRED_AT_ONCE_MAX)), 0
    if schedule.catch_up is CatchUp.LATEST:
        latest_us = latest_slot(schedule, at_us)
        if latest_us is None or latest_us <= after_us:
            return (), 0
        return (latest_us,), _n_slots(schedule, after_us, latest_us - 1)
    missed_until_us = max(after_us, on_time_us - 1)
    fired = tuple(slots_between(schedule, missed_until_us, at_us))
    return fired, _n_slots(schedule, after_us, missed_until_us)


def _n_slots(schedule: Schedule, after_us: int, until_us: int) -> int:
    """Return how many slots lie between two instants, counted up to ``COUNTED_MAX``."""
    return sum(1 for _ in islice(slots_between(schedule, after_us, until_us), COUNTED_MAX))


class Scheduler:
    """The schedules, the memory of each, and what is due.

    Changes of memory are staged by ``due``; ``keep`` makes them the memory once what is due was committed, ``drop``
    forgets them.

    Parameters
    ----------
    schedules : sequence of Schedule
    codec : Codec
        Reads and writes events.
    """

    def __init__(self, schedules: Sequence[Schedule], codec: Codec) -> None:
        self.schedules = tuple(schedules)
        self._codec = codec
        self._settled: dict[str, int] = {}
        self._next: dict[str, int | None] = {}
        self._staged: list[Decision] = []

    def restore(self, records: Iterable[Record]) -> list[str]:
        """Take records of ``schedule-states`` into the memory, in offset order; again does no harm.

        A null forgets a schedule. Return one line for each that can't be read.
        """
        alarms = []
        for record in records:
            name = (record.key or b"").decode("utf-8", "replace")
            self._next.pop(name, None)
            if record.value is None:
                self._settled.pop(name, None)
                continue
            try:
                self._settled[name] = self._slot_of(record.value)
            except InvalidRecord as error:
                alarms.append(f"{record.topic}/{record.partition}/{record.offset}: {error.reason}")
        return alarms

    def _slot_of(self, value: bytes) -> int:
        slot_us: int = self._codec.decode(STATES, value)["slot_at"]
        if not can_be_slot(slot_us):
            reason = f"slot_at: {slot_us} is no instant of the years 2000 to 9899"
            raise InvalidRecord(reason, kind="instant")
        return slot_us

    def forget(self) -> None:
        """Throw the memory away."""
        self._settled.clear()
        self._next.clear()
        self._staged.clear()

    def due(self, at_us: int, held_us: int = 0) -> list[Decision]:
        """Return what is to become of the slots that are due at an instant, and stage it; see ``decide``."""
        waiting = [schedule for schedule in self.schedules if self._is_due(schedule, at_us)]
        decided = (decide(schedule, self._settled.get(schedule.name), at_us, held_us) for schedule in waiting)
        self._staged = [decision for decision in decided if decision is not None]
        return list(self._staged)

    def outputs(self, decisions: Iterable[Decision]) -> list[Output]:
        """Return what is to be written in one transaction: triggers by their slots, and the memory of each schedule."""
        decisions = list(decisions)
        fired = sorted(
            ((slot_us, one.schedule) for one in decisions for slot_us in one.fired),
            key=lambda each: (each[0], each[1].name),
        )
        triggers = [
            self._output(topic_of(schedule), schedule, trigger_of(schedule, slot_us)) for slot_us, schedule in fired
        ]
        states = [self._output(STATES, one.schedule, state_of(one.schedule, one.settled_us)) for one in decisions]
        return triggers + states

    def keep(self) -> None:
        """Make what is staged the memory."""
        for decision in self._staged:
            self._settled[decision.schedule.name] = decision.settled_us
            self._next.pop(decision.schedule.name, None)
        self._staged.clear()

    def drop(self) -> None:
        """Forget what is staged."""
        self._staged.clear()

    def settled_us(self, name: str) -> int | None:
        """Return the last slot of a schedule that is settled; None where nothing is known of it."""
        return self._settled.get(name)

    def next_us(self, schedule: Schedule) -> int | None:
        """Return the first slot that isn't settled; None where nothing is known of the schedule, or none comes."""
        last_us = self._settled.get(schedule.name)
        if last_us is None:
            return None
        if schedule.name not in self._next:
            self._next[schedule.name] = next_slot(schedule, last_us)
        return self._next[schedule.name]

    def _is_due(self, schedule: Schedule, at_us: int) -> bool:
        if schedule.name not in self._settled:
            return True
        next_us = self.next_us(schedule)
        return next_us is not None and next_us <= at_us

    def _output(self, topic: str, schedule: Schedule, event: object) -> Output:
        return Output(topic, schedule.name.encode(), self._codec.encode(topic, event))  # type: ignore[arg-type]
