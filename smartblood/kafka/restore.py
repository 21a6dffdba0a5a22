"""Reads partitions of a processor's store back into its memory, a piece at a time.

Read ``read_committed``, so that what an aborted transaction wrote is rejected; up to the *high watermark* that was
asked for after the group's committed offsets were known to be stable. Markers reach the offsets' topic and the store
at different times: a new owner that stopped at the store's last stable offset could miss its predecessor's last batch.
So it waits until the last stable offset gets to the high watermark.

What was read and could not be taken in, since the outside doesn't answer, is taken in first next time: the client has
moved on, and would never bring it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from confluent_kafka import Consumer, KafkaError, TopicPartition

from schemas.records import Record
from smartblood import metrics
from smartblood.kafka.client import Cluster, reader
from smartblood.kafka.messages import drain, sorted_out

RECORDS_AT_ONCE = 10_000


class StoreReader:
    """Restores partitions of one store.

    Parameters
    ----------
    cluster : Cluster
        Where the store is.
    name : str
        The processor.
    store : str
        The compacted topic that is its memory.
    take_in : callable
        Given a partition's number and its next records; returns one line for each that it could not read. Where it
        raises, it is given the same records again: what it took in of them must do no harm a second time.
    on_error : callable
        Given errors of the client that belong to no partition.
    """

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        store: str,
        take_in: Callable[[int, list[Record]], list[str]],
        on_error: Callable[[KafkaError], None],
    ) -> None:
        self._cluster = cluster
        self._name = name
        self._store = store
        self._take_in = take_in
        self._on_error = on_error
        self._consumer: Consumer | None = None
        self._ends: dict[int, int] = {}
        self._seen: dict[int, int] = {}
        self._not_taken_in: dict[int, tuple[list[Record], int]] = {}
        self.alarms: list[str] = []

    @property
    def numbers(self) -> set[int]:
        """The partitions that are being restored."""
        return set(self._ends)

    def begin(self, ends: Mapping[int, int]) -> None:
        """Begin to restore partitions, each up to the offset given."""
        if not ends:
            return
        if self._consumer is None:
            self._consumer = reader(self._cluster, self._name, self._on_error)
        for number in ends:
            self._take_in(number, [])
        self._ends.update(ends)
        self._seen.update(dict.fromkeys(ends, 0))
        self._consumer.incremental_assign([self._at(number) for number, end in ends.items() if end])

    def drop(self, numbers: set[int]) -> None:
        """Give partitions up, restored or not."""
        mine = numbers & self._ends.keys()
        if mine and self._consumer is not None:
            self._consumer.incremental_unassign([self._at(number) for number in mine if self._ends[number]])
        for number in mine:
            del self._ends[number], self._seen[number]
            self._not_taken_in.pop(number, None)

    def step(self, wait_s: float = 0.02) -> set[int]:
        """Take in some records; return the partitions that are whole now, which are given up."""
        whole = {number for number, end in self._ends.items() if self._seen[number] >= end}
        if not whole and self._ends and self._consumer is not None:
            if not self._not_taken_in:
                self._not_taken_in = self._read(self._consumer, wait_s)
            while self._not_taken_in:
                self._restore(next(iter(self._not_taken_in)))
            whole = {number for number, end in self._ends.items() if self._seen[number] >= end}
        self.drop(whole)
        return whole

    def close(self) -> None:
        """Let the client go."""
        if self._consumer is not None:
            self._consumer.close()

    def _read(self, consumer: Consumer, wait_s: float) -> dict[int, tuple[list[Record], int]]:
        """Return the next records of each partition that is being restored, and the offset that is next then."""
        records, seen = sorted_out(drain(consumer, RECORDS_AT_ONCE, wait_s), self._cluster)
        found: dict[int, tuple[list[Record], int]] = {
            number: ([], offset) for (_, number), offset in seen.items() if number in self._ends
        }
        for record in records:
            if record.partition in found:
                found[record.partition][0].append(record)
        return found

    def _restore(self, number: int) -> None:
        records, offset = self._not_taken_in[number]
        if records:
            self.alarms.extend(self._take_in(number, records))
            metrics.RESTORED.labels(self._name).inc(len(records))
        self._seen[number] = max(self._seen[number], offset)
        del self._not_taken_in[number]

    def _at(self, number: int) -> TopicPartition:
        return TopicPartition(self._cluster.topic(self._store), number, 0)
