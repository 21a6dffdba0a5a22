"""Where a group goes on: its committed offsets, once nothing in flight can change them any more.

They are asked for as *stable*: while a predecessor's transaction waits for its end, there is no answer. That end comes
within the time that a transaction may take, and somewhat more. Where it doesn't, the cluster has lost it (KAFKA-20734
did so: see the README, *What exactly-once means here*), and a worker that waited on would leave requests unanswered
for good. Then the offsets from before that transaction hold: what was already answered is known by the memory, which
is restored whole before anything is read again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from confluent_kafka import Consumer, KafkaException, TopicPartition
from structlog.typing import FilteringBoundLogger

from smartblood import metrics
from smartblood.errors import Fatal
from smartblood.kafka.client import Cluster, error_of, no_error, reader
from smartblood.kafka.faults import FORBIDDEN

ASK_S = 0.25
"""How long one question may take, and the shortest time until the next."""

ASK_EVERY_S_MAX = 2.0


class Committed:
    """Asks for the committed offsets of partition numbers.

    Parameters
    ----------
    cluster : Cluster
        Whom to ask.
    consumer : Consumer
        The worker's own, in the group.
    name : str
        The processor.
    patience_s : float
        How long offsets may be unstable, while the brokers answer, before those that came before hold.
    log : logger
        For what a person should know.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        cluster: Cluster,
        consumer: Consumer,
        name: str,
        patience_s: float,
        log: FilteringBoundLogger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._consumer = consumer
        self._name = name
        self._patience_s = patience_s
        self._log = log
        self._clock = clock
        self._unstable: Consumer | None = None
        self._unstable_since: dict[int, float] = {}

    def offsets(self, number: int, topics: Iterable[str]) -> dict[str, int] | None:
        """Return the committed offset of each topic's partition, negative where there is none.

        None where nothing can be said yet; ``next_in_s`` says when to ask again.

        Raises
        ------
        Fatal
            If Kafka refuses to tell.
        """
        asked = [TopicPartition(self._cluster.topic(topic), number) for topic in sorted(topics)]
        found = self._ask(self._consumer, asked)
        if found is None:
            found = self._after_all(number, asked)
        if found is not None:
            self.forget(number)
        return found

    def next_in_s(self, number: int) -> float:
        """Return how long to wait before a number's offsets are asked for again: longer and longer, seconds.

        While one is asked for, the others' records wait.
        """
        waited = self._clock() - self._unstable_since.get(number, self._clock())
        return min(max(ASK_S, waited / 4), ASK_EVERY_S_MAX)

    def forget(self, number: int) -> None:
        """Wait anew for a number's offsets."""
        self._unstable_since.pop(number, None)

    def close(self) -> None:
        """Let the client go."""
        if self._unstable is not None:
            self._unstable.close()

    def _after_all(self, number: int, asked: list[TopicPartition]) -> dict[str, int] | None:
        """Return the offsets from before a transaction that doesn't end, once patience is over."""
        if self._unstable is None:
            self._unstable = reader(self._cluster, self._name, no_error, stable=False)
        found = self._ask(self._unstable, asked)
        if found is None:  # nobody answers: what is in flight may still come to its end
            self.forget(number)
            return None
        waited_s = self._clock() - self._unstable_since.setdefault(number, self._clock())
        if waited_s <= self._patience_s:
            return None
        metrics.UNSTABLE_OFFSETS.labels(self._name).inc()
        self._log.error(
            "a transaction was left without its end: going on from the offsets before it; what it answered is known "
            "by the memory. See the README, What exactly-once means here",
            group=self._cluster.group(self._name),
            number=number,
            waited_s=round(waited_s, 1),
        )
        return found

    def _ask(self, consumer: Consumer, asked: list[TopicPartition]) -> dict[str, int] | None:
        try:
            found = consumer.committed(asked, timeout=ASK_S)
        except KafkaException as error:
            said = error_of(error)
            if said.code() in FORBIDDEN:
                message = f"Kafka refuses the offsets of {self._cluster.group(self._name)}: {said.str()}"
                raise Fatal(message) from error
            return None
        if any(at.error is not None for at in found):
            return None
        return {self._cluster.contract_name(at.topic): at.offset for at in found}
