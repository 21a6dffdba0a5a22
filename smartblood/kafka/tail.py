"""Reading topics from their present end on, as a ``read_committed`` outsider would."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, TopicPartition

from schemas.records import Record
from smartblood.errors import Retryable
from smartblood.kafka.client import Cluster, reader
from smartblood.kafka.messages import drain, sorted_out
from smartblood.kafka.offsets import Offsets, Place

N_AT_ONCE = 1_000
BEGINS_WITHIN_S = 30.0


class Tail:
    """Follows whole topics without a group.

    Once it is made, it reads: a client needs up to half a second to find its brokers, and what comes then would seem
    to have been written so much later.

    Parameters
    ----------
    cluster : Cluster
        Where they are.
    topics : sequence of str
        Names of the contract.

    Raises
    ------
    Retryable
        If the brokers don't answer.
    """

    def __init__(self, cluster: Cluster, topics: Sequence[str]) -> None:
        offsets = Offsets(cluster)
        places = [(topic, partition) for topic in topics for partition in range(offsets.n_partitions(topic))]
        ends = offsets.last_stable(places)
        self._cluster = cluster
        self._consumer = reader(cluster, "tail", self._on_error)
        self._consumer.assign([TopicPartition(cluster.topic(t), p, ends[t, p]) for t, p in places])
        self._begun: list[Record] = []
        self._begin(set(places))

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._consumer.close()

    def read(self, wait_s: float) -> list[Record]:
        """Return what has come, waiting up to ``wait_s`` for a first record."""
        if self._begun:
            begun, self._begun = self._begun, []
            return begun
        records, _ = sorted_out(drain(self._consumer, N_AT_ONCE, wait_s), self._cluster)
        return records

    def _begin(self, silent: set[Place]) -> None:
        """Read on until something was heard of each partition: a record, or its end."""
        give_up_s = time.monotonic() + BEGINS_WITHIN_S
        while silent:
            records, heard = sorted_out(drain(self._consumer, N_AT_ONCE, 0.1), self._cluster)
            self._begun += records
            silent -= heard.keys()
            if time.monotonic() > give_up_s:
                self._consumer.close()
                message = f"{len(silent)} partitions were silent for {BEGINS_WITHIN_S:.0f} s"
                raise Retryable(message)

    def _on_error(self, _error: KafkaError) -> None:
        """Leave it to the client: it connects again by itself."""
