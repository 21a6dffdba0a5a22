"""What scheduling tells persons and Prometheus."""

from __future__ import annotations

import time

from structlog.typing import FilteringBoundLogger

from producers.scheduling.cron import instant
from producers.scheduling.scheduler import ON_TIME_US, Decision, Scheduler
from producers.scheduling.triggers import topic_of, trigger_of
from smartblood import metrics

NAME = "scheduling"
NOTED_EACH_S = 1.0
BEHIND_SAID_EACH_S = 600.0
NOTHING = float("nan")


class Told:
    """The lines and the metrics of one worker.

    Parameters
    ----------
    scheduler : Scheduler
        Whose next slots are told.
    slot : str
        The worker's stable name among its kind.
    log : logger
        Where lines go.
    """

    def __init__(self, scheduler: Scheduler, slot: str, log: FilteringBoundLogger) -> None:
        self._scheduler = scheduler
        self._slot = slot
        self._log = log
        self._noted: tuple[bool, bool] | None = None
        self._noted_at_s = 0.0
        self._behind_said_at_s = -BEHIND_SAID_EACH_S
        self._leaps = metrics.SCHEDULER_CLOCK_LEAPS.labels(slot)

    def leads(self) -> None:
        """Say that a term began."""
        self._log.info("leads", schedules=[schedule.name for schedule in self._scheduler.schedules])

    def leads_no_more(self) -> None:
        """Say that a term is over, and whose next slots aren't ours to tell any more."""
        self._log.info("leads no more")
        metrics.SCHEDULER_LEADS.labels(self._slot).set(0)
        for schedule in self._scheduler.schedules:
            metrics.SCHEDULE_NEXT_SLOT.labels(schedule.name, self._slot).set(NOTHING)
            metrics.SCHEDULE_SETTLED.labels(schedule.name, self._slot).set(NOTHING)

    def decided(self, decision: Decision, at_us: int) -> None:
        """Say what became of the slots that were due, once that is committed."""
        schedule = decision.schedule
        for slot_us in decision.fired:
            late_s = (at_us - slot_us) / 1e6
            metrics.SCHEDULE_TRIGGERS.labels(schedule.name).inc()
            metrics.OUTPUTS.labels(NAME, topic_of(schedule)).inc()
            metrics.SCHEDULE_LATE_SECONDS.labels(schedule.name).set(late_s)
            event_id = trigger_of(schedule, slot_us)["event_id"]
            self._log.info("fired", schedule=schedule.name, slot=_text(slot_us), late_s=late_s, event_id=event_id)
        for reason, n in (("policy", decision.n_passed), ("age", decision.n_too_old)):
            if n:
                metrics.SCHEDULE_SLOTS_PASSED.labels(schedule.name, reason).inc(n)
        if decision.is_first:
            self._log.info("begins now", schedule=schedule.name, nothing_before=_text(decision.settled_us))
        if decision.n_passed or decision.n_too_old:
            self._log.warning(
                "slots were missed, and are passed over",
                schedule=schedule.name,
                catch_up=schedule.catch_up.value,
                n_by_policy=decision.n_passed,
                n_too_old=decision.n_too_old,
            )

    def doubts_clock(self, at_us: int | None) -> None:
        """Say that the clock leapt ahead and isn't believed, or that it is believed again: what it says then."""
        if at_us is not None:
            self._log.info("the clock is believed again", clock=_text(at_us))
            return
        self._leaps.inc()
        self._log.warning(
            "the clock leapt ahead: nothing is fired until it has gone on like that for ten minutes, or is back"
        )

    def note(self, at_us: int | None, *, leads: bool, ready: bool) -> None:
        """Note where the worker stands, once a second, and at once where it changed.

        Of a clock that is doubted ``at_us`` is None.
        """
        now_s = time.monotonic()
        if self._noted == (leads, ready) and now_s - self._noted_at_s < NOTED_EACH_S:
            return
        self._noted, self._noted_at_s = (leads, ready), now_s
        metrics.READY.labels(NAME, self._slot).set(ready)
        metrics.SCHEDULER_LEADS.labels(self._slot).set(leads)
        if not leads:
            return
        for schedule in self._scheduler.schedules:
            next_us = self._scheduler.next_us(schedule)
            value = NOTHING if next_us is None else next_us / 1e6
            metrics.SCHEDULE_NEXT_SLOT.labels(schedule.name, self._slot).set(value)
            settled_us = self._scheduler.settled_us(schedule.name)
            value = NOTHING if settled_us is None else settled_us / 1e6
            metrics.SCHEDULE_SETTLED.labels(schedule.name, self._slot).set(value)
        if at_us is not None:
            self._say_if_behind(at_us, now_s)

    def closed(self) -> None:
        """Note that the worker is gone."""
        metrics.READY.labels(NAME, self._slot).set(0)
        metrics.SCHEDULER_LEADS.labels(self._slot).set(0)

    def _say_if_behind(self, at_us: int, now_s: float) -> None:
        """Say that the clock is behind what was fired already: nothing is fired until it gets there."""
        settled = [
            (slot_us, schedule.name)
            for schedule in self._scheduler.schedules
            if (slot_us := self._scheduler.settled_us(schedule.name)) is not None
        ]
        latest = max(settled, default=None)
        if latest is None or latest[0] - at_us <= ON_TIME_US or now_s - self._behind_said_at_s < BEHIND_SAID_EACH_S:
            return
        self._behind_said_at_s = now_s
        self._log.warning(
            "the clock is behind a slot that was fired: nothing comes of this schedule before it gets there",
            schedule=latest[1],
            fired=_text(latest[0]),
            clock=_text(at_us),
        )


def _text(at_us: int) -> str:
    return instant(at_us).isoformat()
