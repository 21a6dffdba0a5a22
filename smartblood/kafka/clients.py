"""The clients of one worker, made together and closed together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError
from structlog.typing import FilteringBoundLogger

from consumers.forwarding import DEAD_LETTERS
from consumers.topology import Processor, Topology
from smartblood.errors import Fatal
from smartblood.kafka.assignment import Assignment
from smartblood.kafka.batches import RECORD_BYTES_DEFAULT
from smartblood.kafka.client import OUR_RECORD_BYTES_MAX, Cluster, admin, group_consumer
from smartblood.kafka.committed import Committed
from smartblood.kafka.follower import Follower
from smartblood.kafka.offsets import Offsets
from smartblood.kafka.restore import StoreReader
from smartblood.kafka.topics import largest_record
from smartblood.kafka.transactions import Transactions
from smartblood.kafka.tuning import Tuning

CLOSE_S = 4.0
"""Closing is waited for so long; a broker that doesn't answer must not hold up a stop."""


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What the clients tell the loop: errors, statistics, steps, and that they wait."""

    on_error: Callable[[KafkaError], None]
    on_stats: Callable[[str], None]
    probe: Callable[[str], None]
    beat: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Clients:
    """All that a worker talks to Kafka with.

    Parameters
    ----------
    n_partitions : int
        Of each source.
    bytes_max : mapping of str to int
        The largest record that a topic takes, for each topic that is written.
    consumer, transactions, follower, store_reader, committed, assignment
        See their classes.
    """

    n_partitions: int
    bytes_max: Mapping[str, int]
    consumer: Consumer
    transactions: Transactions
    follower: Follower
    store_reader: StoreReader | None
    committed: Committed
    assignment: Assignment

    @classmethod
    def open(
        cls,
        cluster: Cluster,
        processor: Processor,
        slot: str,
        callbacks: Callbacks,
        log: FilteringBoundLogger,
        *,
        tuning: Tuning,
    ) -> Clients:
        """Make them.

        Raises
        ------
        Retryable
            If the brokers don't answer.
        Fatal
            If topics are missing or don't fit together.
        """
        topology, on_error = processor.topology, callbacks.on_error
        offsets = Offsets(cluster)
        n_partitions = _partitions(offsets, topology)
        bytes_max = _sizes(cluster, topology)
        follower = Follower(cluster, topology.name, topology.followed, processor.follow, offsets, on_error)
        store_reader = (
            StoreReader(cluster, topology.name, topology.store, processor.restore, on_error) if topology.store else None
        )
        consumer = group_consumer(cluster, topology.name, on_error, callbacks.on_stats)
        committed = Committed(cluster, consumer, topology.name, tuning.unstable_s, log)
        return cls(
            n_partitions,
            bytes_max,
            consumer,
            Transactions(
                cluster,
                topology.name,
                slot,
                log,
                n_turns=tuning.n_turns,
                beat=callbacks.beat,
                batch_bytes_max=min(bytes_max.values()),
            ),
            follower,
            store_reader,
            committed,
            Assignment(cluster, consumer, processor, offsets, committed, store_reader, log, callbacks.probe),
        )

    def close(self) -> None:
        """Abort what is open, leave the group, let the clients go."""
        closing = threading.Thread(target=self._close, name="closes-clients", daemon=True)
        closing.start()
        closing.join(CLOSE_S)

    def _close(self) -> None:
        self.transactions.close()
        self.consumer.close()
        self.committed.close()
        if self.store_reader is not None:
            self.store_reader.close()
        self.follower.close()


def _sizes(cluster: Cluster, topology: Topology) -> dict[str, int]:
    """Return the largest record that each topic takes which the processor may write, or send strays on in.

    Raises
    ------
    Retryable
        If the brokers don't answer.
    """
    written = {*topology.sinks, *([topology.store] if topology.store else []), DEAD_LETTERS}
    client = admin(cluster)
    return {
        topic: min(largest_record(client, cluster.topic(topic), RECORD_BYTES_DEFAULT), OUR_RECORD_BYTES_MAX)
        for topic in sorted(written | set(topology.sources if topology.forwards else ()))
    }


def _partitions(offsets: Offsets, topology: Topology) -> int:
    """Return how many partitions the sources and the store have.

    Raises
    ------
    Fatal
        If they have different numbers.
    """
    asked = [*topology.sources, *([topology.store] if topology.store else [])]
    found = {topic: offsets.n_partitions(topic) for topic in asked}
    if len(set(found.values())) != 1:
        message = (
            f"{topology.name} needs one number of partitions among its topics, but they have {found}: "
            "see `smartblood topics check`"
        )
        raise Fatal(message)
    return found[asked[0]]
