"""How far a processor is behind what was published, told by offsets.

Counting records wouldn't do: of a compacted topic some may be gone before anybody has read them.
"""

from __future__ import annotations

from collections.abc import Collection
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException, TopicPartition

from smartblood.kafka.client import Cluster, no_error, reader
from smartblood.kafka.offsets import Offsets, translated

ASK_S = 5.0


class Behind:
    """Looks at a processor's group from outside; it joins and commits nothing.

    Parameters
    ----------
    cluster : Cluster
        Where it works.
    name : str
        The processor.
    topics : collection of str
        What it reads in its group.
    """

    def __init__(self, cluster: Cluster, name: str, topics: Collection[str]) -> None:
        self._cluster = cluster
        self._name = name
        self._offsets = Offsets(cluster)
        self._places = [(topic, n) for topic in topics for n in range(self._offsets.n_partitions(topic))]
        # An admin client would do, but asked before the group is there it took the process down (confluent-kafka 2.16).
        self._consumer = reader(cluster, name, no_error)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the client go."""
        self._consumer.close()

    def n_offsets(self) -> int:
        """Return how many offsets are left to commit until the ends of the topics.

        Raises
        ------
        Retryable
            If the brokers don't answer.
        Fatal
            If they refuse.
        """
        ends = self._offsets.high_watermarks(self._places)
        asked = [TopicPartition(self._cluster.topic(topic), n) for topic, n in self._places]
        try:
            found = self._consumer.committed(asked, timeout=ASK_S)
        except KafkaException as error:
            raise translated(error, f"what {self._name} has committed") from error
        committed = {(self._cluster.contract_name(at.topic), at.partition): max(at.offset, 0) for at in found}
        return sum(max(0, end - committed[place]) for place, end in ends.items())
