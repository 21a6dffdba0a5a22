"""Reading topics from their present end on, as a ``read_committed`` outsider would."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, TopicPartition

from schemas.records import Record
from smartblood.kafka.client import Cluster, drain, reader, sorted_out
from smartblood.kafka.offsets import Offsets

N_AT_ONCE = 1_000


class Tail:
    """Follows whole topics without a group.

    Parameters
    ----------
    cluster : Cluster
        Where they are.
    topics : sequence of str
        Names of the contract.
    """

    def __init__(self, cluster: Cluster, topics: Sequence[str]) -> None:
        offsets = Offsets(cluster)
        places = [(topic, partition) for topic in topics for partition in range(offsets.n_partitions(topic))]
        ends = offsets.last_stable(places)
        self._cluster = cluster
        self._consumer = reader(cluster, "tail", self._on_error)
        self._consumer.assign([TopicPartition(cluster.topic(t), p, ends[t, p]) for t, p in places])

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
        records, _ = sorted_out(drain(self._consumer, N_AT_ONCE, wait_s), self._cluster)
        return records

    def _on_error(self, _error: KafkaError) -> None:
        """Leave it to the client: it connects again by itself."""
