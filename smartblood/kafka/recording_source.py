"""What recording reads: its topics, in its group, from positions that it keeps elsewhere.

A partition that is taken over is paused until it is placed::

    unplaced    paused: recording doesn't know yet where it stood
       |        place(): the position that was kept with the rows
    placed      records are read from there on
       |        displace(): what was read was not, or perhaps not, written
    unplaced

Committed offsets of the group are for tools that show lag; nothing starts from them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from structlog.typing import FilteringBoundLogger

from schemas.records import Record
from smartblood.errors import Fatal
from smartblood.kafka.client import Cluster, admin, error_of, group_consumer
from smartblood.kafka.faults import FORBIDDEN
from smartblood.kafka.membership import stands_by
from smartblood.kafka.messages import drain, sorted_out
from smartblood.kafka.offsets import Place, translated

KEEPING_ALIVE_S = 0.1
TOPIC_ID_WAIT_S = 5.0


class RecordingSource:
    """A consumer in the group of ``name``.

    Parameters
    ----------
    cluster : Cluster
        Where the topics are.
    name : str
        The processor's name, which is also its group's.
    topics : sequence of str
        As the contract names them.
    log : logger
        For what a person should know.
    on_stats : callable, optional
        Takes librdkafka's statistics.
    """

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        topics: Sequence[str],
        log: FilteringBoundLogger,
        on_stats: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._cluster = cluster
        self._topics = topics
        self._log = log
        self._fatal: Fatal | None = None
        self._positions: dict[Place, int | None] = {}
        self._topic_ids: dict[str, str | None] = {}
        self.settled = False
        self._on_stats = on_stats
        self._consumer = group_consumer(cluster, name, self._on_error, self._on_statistics, in_bulk=True)
        self._consumer.subscribe(
            [cluster.topic(topic) for topic in topics],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_revoke,
        )

    @property
    def unplaced(self) -> list[Place]:
        """Partitions that we own, and don't read yet."""
        return sorted(place for place, position in self._positions.items() if position is None)

    @property
    def n_owned(self) -> int:
        """How many partitions we own."""
        return len(self._positions)

    @property
    def positions(self) -> dict[Place, int | None]:
        """Of each partition that we own, the offset below which everything is recorded; None where it is unplaced."""
        return dict(self._positions)

    def poll(self, n_max: int, wait_s: float) -> list[Record]:
        """Wait for a first record of the placed partitions, and take what is there.

        Raises
        ------
        Fatal
            If Kafka refuses us, or the client can't go on.
        """
        records, _ = sorted_out(drain(self._consumer, n_max, wait_s), self._cluster)
        if self._fatal is not None:
            raise self._fatal
        return [record for record in records if self._is_ours(record)]

    def position(self, place: Place) -> int | None:
        """Return the offset below which everything of a partition is recorded; None where we don't know or own it."""
        return self._positions.get(place)

    def place(self, positions: Mapping[Place, int]) -> None:
        """Read partitions from these offsets on; those that were lost meanwhile are left out."""
        for place, offset in positions.items():
            if place not in self._positions:
                continue
            at = self._at(place, offset)
            try:
                self._consumer.seek(at)
                self._consumer.resume([at])
            except KafkaException as error:
                if error_of(error).code() != KafkaError._STATE:  # noqa: SLF001 - its name
                    raise translated(error, f"the partition {place[0]}/{place[1]}") from error
                continue  # the client has not taken the partition up yet
            self._positions[place] = offset

    def displace(self) -> None:
        """Read nothing until placed anew."""
        self._consumer.pause([self._at(place) for place in self._positions])
        for place in self._positions:
            self._positions[place] = None

    def keep_alive(self, wait_s: float, is_over: Callable[[], bool]) -> None:
        """Stay in the group for so long, without reading, unless it is over before."""
        until = time.monotonic() + wait_s
        while (left_s := until - time.monotonic()) > 0 and not is_over():
            self.poll(1, min(left_s, KEEPING_ALIVE_S))

    def acknowledge(self, offsets: Mapping[Place, int]) -> None:
        """Note that everything below these offsets is recorded, and tell the group, for whoever looks at lag."""
        for place, offset in offsets.items():
            if self._positions.get(place) is not None:
                self._positions[place] = offset
        committed = [self._at(place, offset) for place, offset in offsets.items()]
        try:
            self._consumer.commit(offsets=committed, asynchronous=True)
        except KafkaException as error:
            self._log.debug("offsets for lag tools were not committed", why=error_of(error).str())

    def topic_ids(self) -> dict[str, str | None]:
        """Return the ids that the cluster gave our topics; None where it gives none, or doesn't know the topic.

        Raises
        ------
        Retryable
            If the brokers don't answer.
        """
        from confluent_kafka import TopicCollection  # noqa: PLC0415 - asked once in a worker's life

        names = {self._cluster.topic(topic): topic for topic in self._topics}
        client = admin(self._cluster)
        asked = client.describe_topics(TopicCollection(list(names)), request_timeout=TOPIC_ID_WAIT_S)
        found: dict[str, str | None] = {}
        for name, future in asked.items():
            try:
                topic_id = future.result(timeout=2 * TOPIC_ID_WAIT_S).topic_id
            except KafkaException as error:
                said = error_of(error)
                if said.code() not in {KafkaError.UNKNOWN_TOPIC_OR_PART, *FORBIDDEN}:
                    raise translated(error, f"the id of {name}") from error
                topic_id = None
            found[names[name]] = None if topic_id is None else str(topic_id)
        return found

    def close(self) -> None:
        """Leave the group."""
        self._positions.clear()
        self._consumer.close()

    def __enter__(self) -> Self:
        """Return the source, which is open already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the group."""
        self.close()

    def _is_ours(self, record: Record) -> bool:
        position = self._positions.get((record.topic, record.partition))
        return position is not None and record.offset >= position

    def _on_statistics(self, statistics: str) -> None:
        self._on_stats(statistics)
        if stands_by(statistics):
            self.settled = True

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Take partitions over, paused; a seek is not possible before this callback is left."""
        self.settled = True
        placed = [TopicPartition(at.topic, at.partition, 0) for at in partitions]
        if self._cluster.classic:
            consumer.assign(placed)
        else:
            consumer.incremental_assign(placed)
        consumer.pause(placed)
        self._positions |= {self._place(at): None for at in partitions}
        self._log.info("partitions assigned", n_assigned=len(partitions), n_owned=len(self._positions))

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        for at in partitions:
            self._positions.pop(self._place(at), None)
        self._log.info("partitions revoked", n_revoked=len(partitions), n_owned=len(self._positions))

    def _on_error(self, error: KafkaError) -> None:
        if error.code() in FORBIDDEN:
            self._fatal = Fatal(f"Kafka refuses us: {error.str()}: grant the right, or set other credentials")
        else:
            self._log.info("kafka client", said=error.str())

    def _place(self, at: TopicPartition) -> Place:
        return self._cluster.contract_name(at.topic), at.partition

    def _at(self, place: Place, offset: int = 0) -> TopicPartition:
        return TopicPartition(self._cluster.topic(place[0]), place[1], offset)
