"""What a trigger's forecast is made of: demand before its day, once all that was there before it is recorded.

What has to be recorded is what a ``read_committed`` reader could read of requests and closings when the trigger was
first seen here; how far recording is, its offsets in Postgres say. Until then the loop is told to try again: it stays
in its group, and stops when it is told to. While Postgres or the house is away recording can take in nothing: that time
isn't counted, and whoever watches hears of it as of any other that doesn't answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from consumers.topology import Input
from features.local_time import local_day
from features.series import SeriesTable
from smartblood import logs, metrics
from smartblood.errors import Retryable
from smartblood.kafka.client import Cluster
from smartblood.kafka.offsets import Offsets, Place
from smartblood.kafka.reader import read_spans
from smartblood.storage.demand_days import DemandDays

TOPICS = ("blood-request-created", "blood-request-closed")
PROCESSOR = "forecasting"

COUNTED_S_MAX = 60.0
"""Between two answers at most so much counts as waiting: the loop asks every few seconds, unless somebody is away."""


class NotRecordedYet(Retryable):
    """Recording hasn't taken in yet what was there before the trigger: {how much}."""


@dataclass(slots=True)
class _Awaited:
    """What is waited for: the trigger's place, and the ends of partitions when it was first seen.

    ``waited_s`` counts up to the last answer, which came at ``answered_s``.
    """

    place: tuple[int, int]
    ends: Mapping[Place, int]
    answered_s: float
    waited_s: float = 0.0
    is_given_up: bool = False

    def answered(self, at_s: float) -> None:
        """Note that it was heard how far recording is."""
        self.waited_s += min(at_s - self.answered_s, COUNTED_S_MAX)
        self.answered_s = at_s


@dataclass(slots=True)
class DemandHistory:
    """Returns histories; see ``consumers.forecasting.processor.History``.

    Parameters
    ----------
    record : DemandDays
    cluster : Cluster
    wait_s : float
        How long recording is waited for while it can be heard of; then nothing is written for the trigger.
    log : logger
    timer : callable
        Returns seconds of a monotonic clock.
    """

    record: DemandDays
    cluster: Cluster
    wait_s: float
    log: FilteringBoundLogger
    timer: Callable[[], float] = time.monotonic
    _awaited: _Awaited | None = field(default=None, init=False)

    def __call__(self, item: Input) -> SeriesTable | None:
        """Return the history of a trigger; None where recording was waited for in vain.

        Raises
        ------
        NotRecordedYet
            While it has to be waited for.
        Retryable
            If Kafka or Postgres doesn't answer.
        """
        assert item.event is not None, "a trigger without a value is refused when it is read"  # noqa: S101 - a bug
        awaited = self._of(item)
        if not awaited.is_given_up:
            n_missing = self._n_missing(awaited.ends)
            if n_missing == 0:
                return self.record.history(local_day(item.event["as_of"]))
            awaited.answered(self.timer())
            if awaited.waited_s < self.wait_s:
                message = f"recording hasn't taken in yet what was there before the trigger: {n_missing} offsets"
                raise NotRecordedYet(message)
            awaited.is_given_up = True
            metrics.FORECASTS_GIVEN_UP.labels(PROCESSOR).inc()
            self.log.error(
                "a trigger has no forecast: recording hasn't taken in what was there before it; see that it runs, then "
                "fire the schedule by hand",
                waited_s=round(self.wait_s),
                n_offsets=n_missing,
                schedule=item.event["schedule"],
                **logs.place(item.record),
            )
        return None

    def _of(self, item: Input) -> _Awaited:
        place = item.record.partition, item.record.offset
        if self._awaited is None or self._awaited.place != place:
            offsets = Offsets(self.cluster)
            places = [(topic, n) for topic in TOPICS for n in range(offsets.n_partitions(topic))]
            self._awaited = _Awaited(place, offsets.last_stable(places), self.timer())
        return self._awaited

    def _n_missing(self, ends: Mapping[Place, int]) -> int:
        """Return how many offsets are to be recorded yet; none where only markers are left, which nobody reads."""
        at = self.record.recorded([self.cluster.topic(topic) for topic in TOPICS])
        left = {}
        for (topic, partition), end in ends.items():
            recorded = at.get((self.cluster.topic(topic), partition), 0)
            if recorded < end:
                left[topic, partition] = (recorded, end)
        if not left or next(read_spans(self.cluster, left, n_max=1), None) is None:
            return 0
        return sum(end - recorded for recorded, end in left.values())
