"""Who of several leads: the owner of the single partition of a topic, in a consumer group.

The group only says whose turn it is, so that not all try at once. It can't keep an old leader from writing: one that
was stopped for long believes what it knew before, until it hears otherwise. What keeps it is the transactional id that
all leaders share: see ``smartblood.kafka.term``.
"""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from structlog.typing import FilteringBoundLogger

from smartblood.errors import Fatal
from smartblood.kafka.client import Cluster, group_consumer
from smartblood.kafka.faults import FORBIDDEN
from smartblood.kafka.membership import stands_by
from smartblood.kafka.messages import sorted_out
from smartblood.kafka.offsets import Offsets, translated


class Election:
    """One candidate.

    Parameters
    ----------
    cluster : Cluster
        Where it is held.
    name : str
        The group's name.
    topic : str
        The contract's name of the topic whose only partition is owned by the leader; nothing is read of it here.
    log : logger
        For what a person should know.

    Attributes
    ----------
    owned : bool
        Whether the group last said that the partition is ours.
    settled : bool
        Whether the group has spoken, or has nothing for us.

    Raises
    ------
    Fatal
        If there is no such topic, or it has several partitions.
    Retryable
        If the brokers don't answer.
    """

    def __init__(self, cluster: Cluster, name: str, topic: str, log: FilteringBoundLogger) -> None:
        n_partitions = Offsets(cluster).n_partitions(topic)
        if n_partitions != 1:
            message = (
                f"{cluster.topic(topic)} has {n_partitions} partitions, and the owner of the only one leads: see "
                "`smartblood topics check`"
            )
            raise Fatal(message)
        self._cluster = cluster
        self._log = log
        self._fatal: Fatal | None = None
        self.owned = False
        self.settled = False
        self._consumer = group_consumer(cluster, name, self._on_error, self._on_statistics)
        self._consumer.subscribe(
            [cluster.topic(topic)],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_revoke,
        )

    def poll(self, wait_s: float) -> bool:
        """Hear what the group says, for up to ``wait_s`` seconds; return whether we own the partition.

        Raises
        ------
        Fatal
            If Kafka refuses to let us take part.
        Retryable
            If the client failed.
        """
        try:
            heard = self._consumer.poll(wait_s)
        except KafkaException as error:
            raise translated(error, "who leads") from error
        if heard is not None:
            sorted_out([heard], self._cluster)
        if self._fatal is not None:
            raise self._fatal
        return self.owned

    def close(self) -> None:
        """Leave the group, so that another is chosen at once."""
        self.owned = self.settled = False
        self._consumer.close()

    def _on_statistics(self, statistics: str) -> None:
        if stands_by(statistics):
            self.settled = True

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.settled = True
        if self._cluster.classic:
            consumer.assign(partitions)
        else:
            consumer.incremental_assign(partitions)
        if partitions:
            consumer.pause(partitions)
            self.owned = True
            self._log.info("the partition is ours", topic=partitions[0].topic)

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        if partitions:
            self.owned = False
            self._log.info("the partition is another's", topic=partitions[0].topic)

    def _on_error(self, error: KafkaError) -> None:
        if error.code() in FORBIDDEN:
            self._fatal = Fatal(f"Kafka refuses us: {error.str()}: grant the right, or set other credentials")
        else:
            self._log.debug("kafka client", said=error.str())
