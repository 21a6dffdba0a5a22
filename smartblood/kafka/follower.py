"""Reads topics whole, without a group: what every worker needs all of.

Nothing is committed; a follower begins at the beginning. It is caught up once it has seen everything below the last
stable offsets, asked for when the question arises: so a batch sees every record that any ``read_committed`` reader
could read before the batch was fetched, and a few more where they are there.

What was read and could not be taken in, since the outside doesn't answer, is taken in first next time: the client has
moved on, and would never bring it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import KafkaError, TopicPartition

from schemas.records import Record
from smartblood import metrics
from smartblood.errors import Retryable
from smartblood.kafka.client import Cluster, reader
from smartblood.kafka.messages import drain, sorted_out
from smartblood.kafka.offsets import Offsets, Place

RECORDS_AT_ONCE = 10_000
REFRESHED_EACH_S = 1.0


class Follower:
    """Follows topics for one processor.

    Parameters
    ----------
    cluster : Cluster
        Where they are.
    name : str
        The processor.
    topics : sequence of str
        What is followed; may be empty.
    take_in : callable
        Given records in the order of their partitions' offsets; returns one line for each that it could not read.
        Where it raises, it is given the same records again: what it took in of them must do no harm a second time.
    offsets : Offsets
        Where partitions end.
    on_error : callable
        Given errors of the client that belong to no partition.
    """

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        topics: Sequence[str],
        take_in: Callable[[Sequence[Record]], list[str]],
        offsets: Offsets,
        on_error: Callable[[KafkaError], None],
    ) -> None:
        self._cluster = cluster
        self._name = name
        self._take_in = take_in
        self._offsets = offsets
        self._whole_at = time.monotonic()
        self._ends: tuple[float, dict[Place, int]] | None = None
        self._targets: dict[Place, int] | None = None
        self._seen: dict[Place, int] = {
            (topic, number): 0 for topic in topics for number in range(offsets.n_partitions(topic))
        }
        self._not_taken_in: tuple[list[Record], dict[Place, int]] | None = None
        self.whole = not self._seen
        self.alarms: list[str] = []
        if self._seen:
            self._consumer = reader(cluster, name, on_error)
            self._consumer.assign([TopicPartition(cluster.topic(topic), number, 0) for topic, number in self._seen])

    @property
    def staleness_s(self) -> float:
        """Seconds since everything written was last known to have been seen; 0 where nothing is followed."""
        return time.monotonic() - self._whole_at if self._seen else 0.0

    def next_offsets(self) -> Mapping[str, Mapping[int, int]]:
        """Return for each topic the offset of each partition below which everything was seen."""
        found: dict[str, dict[int, int]] = {}
        for (topic, number), offset in self._seen.items():
            found.setdefault(topic, {})[number] = offset
        return found

    def step(self, wait_s: float = 0.0) -> int:
        """Take in what has come; return how many records."""
        if not self._seen:
            return 0
        if self._not_taken_in is None:
            self._not_taken_in = sorted_out(drain(self._consumer, RECORDS_AT_ONCE, wait_s), self._cluster)
        records, seen = self._not_taken_in
        if records:
            self.alarms.extend(self._take_in(records))
            for topic in {topic for topic, _ in seen}:
                metrics.FOLLOWED.labels(self._name, topic).inc(sum(record.topic == topic for record in records))
        for place, offset in seen.items():
            self._seen[place] = max(self._seen[place], offset)
        self._not_taken_in = None
        return len(records)

    def begin(self) -> bool:
        """Read on towards where the topics ended when this was first called; return whether that is reached."""
        if not self.whole:
            if self._targets is None:
                self._targets = self._offsets.last_stable(self._seen)
            self.step(0.05)
            self.whole = self._reached(self._targets)
            self._whole_at = time.monotonic()
        return self.whole

    def refresh(self) -> None:
        """Take in what has come while nothing else is to be done, and now and then see whether that is all."""
        if not self.step():
            self._look()

    def catch_up(self, patience_s: float, beat: Callable[[], None]) -> None:
        """See everything below the last stable offsets of this moment.

        Raises
        ------
        Retryable
            If that takes longer than ``patience_s`` seconds, or the brokers don't answer.
        """
        if not self._seen:
            return
        began = time.monotonic()
        targets = self._offsets.last_stable(self._seen)
        while not self._reached(targets):
            beat()
            self.step(0.05)
            if time.monotonic() - began > patience_s:
                behind = sum(target - self._seen[place] for place, target in targets.items())
                message = f"{self._name} is {behind} offsets behind what it follows after {patience_s:.0f} s"
                raise Retryable(message)
        self._look()

    def close(self) -> None:
        """Let the client go."""
        if self._seen:
            self._consumer.close()

    def _look(self) -> None:
        """Note the moment until which everything that was written is known to have been seen.

        Written, not committed: what lies behind a transaction that nobody ends is missing, however far the last
        stable offsets are reached.
        """
        now = time.monotonic()
        if self._ends is not None and self._reached(self._ends[1]):
            self._whole_at, self._ends = self._ends[0], None
        if self._seen and self._ends is None and now - self._whole_at >= REFRESHED_EACH_S:
            self._ends = now, self._offsets.high_watermarks(self._seen)

    def _reached(self, targets: Mapping[Place, int]) -> bool:
        return all(self._seen[place] >= target for place, target in targets.items())
