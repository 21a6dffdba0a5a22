"""Doing what is due, beside a worker that records: in a thread of its own, bite by bite, which keeps nobody waiting.

What was triggered stands in the table ``maintenance``, of each schedule the latest slot; of all workers one at a time
does what is due there. A worker that dies leaves the rest to whoever looks next: all of it may be done again. What is
old is old by the slot, and so by stream time; a clock has a say where a slot lies ahead of Postgres's own, since what
is deleted never comes back: such a slot is done as of that clock.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from structlog.typing import FilteringBoundLogger

from features.decay import DAY_US, left
from features.local_time import local_day
from features.priors import RELIABILITY, beta_mean_sd
from schemas import schedules
from smartblood import metrics
from smartblood.errors import Fatal, Retryable
from smartblood.maintenance import accuracy
from smartblood.storage.upkeep import Due, Promises, Upkeep

LOOK_S = 5.0
PAUSE_S = 0.02
"""Between two bites others have their turn."""

PROCESSOR, TOPIC = "recording", "maintenance-triggered"
EPOCH = dt.date(1970, 1, 1)
EPOCH_AT = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Keeping:
    """For how many days what is kept, by its kind, and how fast what is left of promises fades, days."""

    days: Mapping[str, int]
    rate_half_life_days: float


@dataclass(slots=True)
class Maintenance:
    """Does what is due.

    Parameters
    ----------
    upkeep : Upkeep
    keeping : Keeping
    may_work : callable
        Whether what is recorded is up to date: what came of yesterday's forecast isn't known before.
    log : logger
    look_s : float
        How often it looks.
    """

    upkeep: Upkeep
    keeping: Keeping
    may_work: Callable[[], bool]
    log: FilteringBoundLogger
    look_s: float = LOOK_S
    _shown_of: int | None = field(default=None, init=False)

    def run(self, done: threading.Event) -> None:
        """Look until ``done`` is set."""
        while not done.wait(self.look_s):
            try:
                self.look(done)
            except (Retryable, Fatal) as error:
                self.log.info("maintenance is tried again", why=str(error))
            except Exception:
                metrics.OWN_FAILURES.labels(PROCESSOR, TOPIC).inc()
                self.log.exception("maintenance failed; recording goes on")
        self.upkeep.close()

    def look(self, done: threading.Event) -> None:
        """Do what is due; show what was done, and how good forecasts were by the last daily slot of it."""
        last = self._show_done()  # before anything that may fail: whoever watches is to hear of just that
        may_work = self.may_work()
        if may_work:
            self._put_back()
        if may_work and self.upkeep.due():
            with self.upkeep.alone() as alone:
                for due in self.upkeep.due() if alone else ():
                    self._do(due, done)
            last = self._show_done()
        if last is not None and last != self._shown_of:
            accuracy.show(self.upkeep.over(accuracy.N_DAYS))
            self._shown_of = last

    def _show_done(self) -> int | None:
        """Tell Prometheus what the record has as done, 0 where nothing ever was; return the last daily slot of it.

        Whoever did it may be another worker, or this one before a restart.
        """
        found = self.upkeep.last_done()
        for schedule in schedules.MAINTENANCE:
            if schedule in found:
                metrics.MAINTENANCE_DONE.labels(schedule).set((found[schedule] or 0) / 1_000_000)
        return found.get(schedules.RETENTION)

    def _put_back(self) -> None:
        for ahead in self.upkeep.put_back():
            if ahead.schedule in schedules.MAINTENANCE:
                metrics.MAINTENANCE_AHEAD.labels(ahead.schedule).inc()
            self.log.warning(
                "a slot lies ahead of Postgres's clock, and is done as of that: set the clock of whoever schedules",
                schedule=ahead.schedule,
                slot=_text(ahead.slot_at),
            )

    def _do(self, due: Due, done: threading.Event) -> None:
        work = {schedules.RELIABILITY: self._refresh, schedules.RETENTION: self._tidy}.get(due.schedule)
        if work is None:
            self.log.warning("there is no such maintenance", schedule=due.schedule, known=schedules.MAINTENANCE)
        elif not work(due, done):
            return  # stopped on the way: whoever looks next begins anew
        self.upkeep.done(due)

    def _refresh(self, due: Due, done: threading.Event) -> bool:
        """Show everybody as reliable as they are as of the slot; return whether all of it was done."""

        def scored(one: Promises) -> tuple[float, float]:
            share = left(due.slot_at - one.as_of, self.keeping.rate_half_life_days)
            return beta_mean_sd(RELIABILITY, one.kept * share, one.promises * share)

        last = None
        while not done.wait(PAUSE_S):
            last = self.upkeep.refresh_reliability(due.slot_at, last, scored)
            if last is None:
                self.log.info("reliability is shown as of the slot", schedule=due.schedule)
                return True
        return False

    def _tidy(self, due: Due, done: threading.Event) -> bool:
        """Fill in what came of forecasts, then delete what is old; return whether all of it was done."""
        today = EPOCH + dt.timedelta(local_day(due.slot_at))
        n_filled = self._bites(partial(self.upkeep.fill_actual, today), done)
        n_deleted = {}
        for kind, days in self.keeping.days.items():
            before_us = due.slot_at - days * DAY_US
            n_deleted[kind] = self._bites(partial(self.upkeep.delete, kind, before_us), done)
        if done.is_set():
            return False
        for kind, n in n_deleted.items():
            metrics.DELETED.labels(kind).inc(n)
        self.log.info("what is old is deleted", schedule=due.schedule, n_filled=n_filled, **n_deleted)
        return True

    @staticmethod
    def _bites(bite: Callable[[], int], done: threading.Event) -> int:
        total = 0
        while not done.wait(PAUSE_S):
            n = bite()
            if n == 0:
                break
            total += n
        return total


def _text(at_us: int) -> str:
    return (EPOCH_AT + dt.timedelta(microseconds=at_us)).isoformat()
