"""What a loop tells Prometheus: the metrics of ``smartblood.metrics``, with this worker's labels."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from consumers.topology import Topology
from schemas.records import Output
from smartblood import metrics
from smartblood.kafka.assignment import Assignment
from smartblood.kafka.batches import Item
from smartblood.kafka.client import Cluster
from smartblood.kafka.follower import Follower
from smartblood.kafka.offsets import Place

LOOKED_AT_MAX = 100
AHEAD_S = 300.0
"""No clock that is set is so far ahead of another."""

NOTED_EACH_S = 1.0


class Stages:
    """The seconds of one batch's stages."""

    def __init__(self) -> None:
        self.began = self._last = time.perf_counter()
        self.spent: dict[str, float] = {}

    def done(self, stage: str) -> None:
        """Note that a stage is done."""
        now = time.perf_counter()
        self.spent[stage] = now - self._last
        self._last = now

    def seconds(self, stage: str) -> float:
        """Return the seconds that a stage took."""
        return self.spent[stage]

    @property
    def total_s(self) -> float:
        """From the first stage's begin to the last one's end."""
        return self._last - self.began


class Gauges:
    """The metrics of one worker.

    Parameters
    ----------
    topology : Topology
        Of its processor.
    slot : str
        Its name among its kind.

    Attributes
    ----------
    lags : dict of Place to int
        How many records of each partition that is read were waiting when the client last told; empty before.
    """

    def __init__(self, topology: Topology, slot: str) -> None:
        self._topology = topology
        self._name, self._slot = topology.name, slot
        self._positions: dict[Place, int] = {}
        self._noted_at = 0.0
        self._matches = "matches" in topology.sinks
        self.lags: dict[Place, int] = {}
        for topic in topology.sources:  # from 0 on: of what appears as 1 nobody sees that it grew
            metrics.AHEAD.labels(self._name, topic)

    def batch(self, n_records: int) -> Stages:
        """Note that a batch begins."""
        metrics.BATCHES.labels(self._name).inc()
        metrics.BATCH_RECORDS.labels(self._name).observe(n_records)
        return Stages()

    def committed(
        self,
        items: Sequence[Item],
        outputs: Sequence[Output],
        stages: Stages,
    ) -> None:
        """Note that a batch was committed."""
        metrics.BATCH_SECONDS.labels(self._name).observe(stages.total_s)
        for stage, spent_s in stages.spent.items():
            metrics.STAGE_SECONDS.labels(self._name, stage).observe(spent_s)
        for topic, n in Counter(item.record.topic for item in items).items():
            metrics.RECORDS.labels(self._name, topic).inc(n)
        for topic, n in Counter(output.topic for output in outputs).items():
            metrics.OUTPUTS.labels(self._name, topic).inc(n)
        self._refused_and_forwarded(items)
        self._times(items, outputs)

    def followed_refused(self, n_records: int) -> None:
        """Note records of followed topics that could not be read."""
        metrics.REFUSED.labels(self._name, "followed", "undecodable").inc(n_records)

    def restored_refused(self, n_records: int) -> None:
        """Note records of the store that could not be read."""
        metrics.REFUSED.labels(self._name, "restored", "undecodable").inc(n_records)

    def note(self, follower: Follower, assignment: Assignment | None) -> None:
        """Note where the worker stands, once a second."""
        now = time.monotonic()
        if now - self._noted_at < NOTED_EACH_S:
            return
        self._noted_at = now
        metrics.STALENESS_SECONDS.labels(self._name, self._slot).set(follower.staleness_s)
        metrics.READY.labels(self._name, self._slot).set(assignment is not None and assignment.ready)
        if assignment is not None:
            for state, n in assignment.counts().items():
                metrics.PARTITIONS_OWNED.labels(self._name, self._slot, state).set(n)

    def lag(self, statistics: str, cluster: Cluster, positions: Mapping[Place, int | None]) -> None:
        """Work out the lag from librdkafka's statistics: last stable offset minus what is processed next.

        Parameters
        ----------
        statistics : str
            librdkafka's, JSON. What it says is committed was committed by this client alone: after a restart nothing.
        cluster : Cluster
            Where the topics are.
        positions : mapping of Place to int
            The next offset to be processed in each partition; below 0 from the beginning on, None or left out where
            it isn't known at present: then the last one that was known counts.
        """
        self._positions |= {place: position for place, position in positions.items() if position is not None}
        lags, read = {}, set()
        for name, topic in json.loads(statistics).get("topics", {}).items():
            for number, partition in topic["partitions"].items():
                if not partition.get("desired", False):
                    continue
                place = (cluster.contract_name(name), int(number))
                read.add(place)
                last_stable, position = partition.get("ls_offset", -1), self._positions.get(place)
                if last_stable >= 0 and position is not None:
                    # What is gone from the beginning of a partition no longer waits.
                    lags[place] = max(0, last_stable - max(position, partition.get("lo_offset", 0), 0))
        for place in self.lags.keys() - read:
            metrics.LAG_RECORDS.labels(self._name, *place).set(0)  # it is another worker's now
        for place, lag in lags.items():
            metrics.LAG_RECORDS.labels(self._name, *place).set(lag)
        self._positions = {place: position for place, position in self._positions.items() if place in read}
        self.lags = lags

    def closed(self) -> None:
        """Note that the worker is gone."""
        metrics.READY.labels(self._name, self._slot).set(0)

    def _refused_and_forwarded(self, items: Sequence[Item]) -> None:
        for item in items:
            if item.error is not None and not item.ours:
                metrics.REFUSED.labels(self._name, item.record.topic, item.error.kind).inc()
            elif item.ours:
                metrics.OWN_FAILURES.labels(self._name, item.record.topic).inc()
            elif item.home is not None:
                metrics.FORWARDED.labels(self._name, item.record.topic).inc()

    def _times(self, items: Sequence[Item], outputs: Sequence[Output]) -> None:
        now = time.time()
        to_commit = metrics.EVENT_TO_COMMIT_SECONDS.labels(self._name)
        for item in items[:: max(1, len(items) // LOOKED_AT_MAX)]:
            to_commit.observe(max(0.0, now - item.record.timestamp_ms / 1000))
            if _is_ahead(item, now):
                metrics.AHEAD.labels(self._name, item.record.topic).inc()
        if self._matches:
            # Only what a match answers: closings, repeats and previews say nothing of how long a hospital waits.
            answered = [one.answers_ms for one in outputs if one.topic == "matches" and one.answers_ms is not None]
            for answers_ms in answered[:: max(1, len(answered) // LOOKED_AT_MAX)]:
                metrics.EVENT_TO_MATCH_SECONDS.observe(max(0.0, now - answers_ms / 1000))


def _is_ahead(item: Item, now: float) -> bool:
    """Tell whether a clock was wrong: a record or its event is ahead of ours, or the event of its record.

    Mostly one clock gave both the event's instant and the record's timestamp: neither shows that the other is wrong.
    """
    written_at = item.record.timestamp_ms / 1000
    occurred_at_us = None if item.event is None else item.event.get("occurred_at")
    occurred_at = written_at if occurred_at_us is None else occurred_at_us / 1e6
    return max(written_at, occurred_at) > now + AHEAD_S or occurred_at > written_at + AHEAD_S
