"""The transactional loop: reads, lets a processor answer, and writes answers and offsets together or not at all.

One turn, and what becomes of it if the process dies there:

1. take what is there, and the group's metadata right after it     nothing happened
2. decode; catch up with what is followed                          nothing happened
3. let the processor answer; changes of memory are staged          nothing happened: memory is gone with the process
4. begin, produce answers, dead letters, what is sent on           aborted by the successor of the slot, or by time
5. put the next offsets into the transaction                       aborted likewise, or committed: see 6
6. commit                                                          both written, or neither; the successor reads which
7. keep what is staged                                             memory is restored from what was committed

Where the transaction fails, or nobody knows whether it was committed, memory is thrown away and restored, and the
committed offsets, once they are stable, say where to go on.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from consumers.forwarding import DEAD_LETTERS
from consumers.topology import Input, Processor
from schemas.records import Output, Record
from smartblood import logs
from smartblood.errors import Fatal, Retryable
from smartblood.kafka.assignment import Assignment
from smartblood.kafka.batches import (
    Item,
    Pace,
    Writing,
    cut,
    first_offsets,
    in_order,
    look_at,
    next_offsets,
    own_failure,
)
from smartblood.kafka.client import Cluster, admin, drain, group_consumer, sorted_out
from smartblood.kafka.faults import FORBIDDEN
from smartblood.kafka.follower import Follower
from smartblood.kafka.gauges import Gauges
from smartblood.kafka.halving import Answer, FailureLimit, answer
from smartblood.kafka.offsets import Offsets, Place, translated
from smartblood.kafka.restore import StoreReader
from smartblood.kafka.stuck import StuckDetector
from smartblood.kafka.topics import largest_record
from smartblood.kafka.transactions import Transactions

RECORD_BYTES_DEFAULT = 1_048_588
"""What a broker takes unless it was told otherwise."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a loop works, where the defaults don't do.

    Parameters
    ----------
    records_max : int
        Records taken at once; the bound of a batch by number.
    work_max : int
        Rows looked at in one batch, as the processor estimates them.
    batch_s : float
        Seconds that processing one batch may take, by what was lately seen.
    poll_s : float
        How long to wait for a first record; followers are read between.
    n_turns : int
        Producers used in turn.
    follow_s : float
        Longest wait for what is followed, seconds, before the batch is tried again.
    stuck_s : float
        Longest time for one step before the process is ended, seconds.
    backoff_s_max : float
        Longest wait before a batch is tried again, seconds.
    failures : FailureLimit
        How many failures of our own code are borne.
    """

    records_max: int = 2_000
    work_max: int = 1_000_000
    batch_s: float = 0.5
    poll_s: float = 0.05
    n_turns: int = 2
    follow_s: float = 30.0
    stuck_s: float = 120.0
    backoff_s_max: float = 5.0
    failures: FailureLimit = field(default_factory=FailureLimit)


def no_probe(_: str) -> None:
    """Do nothing at a step; tests put something here that ends the process."""


class Loop:
    """Runs one processor as one worker.

    Parameters
    ----------
    processor : Processor
        What to do with records.
    cluster : Cluster
        Where they are.
    slot : str
        The worker's stable name among its kind.
    tuning : Tuning, optional
        How to work.
    probe : callable, optional
        Told each step's name: ``restoring``, ``fetched``, ``answered``, ``begun``, ``produced some``, ``produced``,
        ``offsets sent``, ``committed``, ``kept``.
    """

    def __init__(
        self,
        processor: Processor,
        cluster: Cluster,
        slot: str,
        *,
        tuning: Tuning | None = None,
        probe: Callable[[str], None] = no_probe,
    ) -> None:
        self._processor = processor
        self._topology = processor.topology
        self._cluster = cluster
        self._slot = slot
        self._tuning = tuning or Tuning()
        self._probe = probe
        self._log = logs.logger(processor=self._topology.name, slot=slot)
        self._pace = Pace(self._tuning.work_max, self._tuning.batch_s)
        self._failures = self._tuning.failures
        self._gauges = Gauges(self._topology, slot)
        self._in_hand: Sequence[Record] = ()
        self._n_failed = 0
        self._subscribed = False
        self._fatal: Fatal | None = None
        self.ready = False

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; what is open then is finished or aborted, and the group is left.

        Raises
        ------
        Fatal
            If it can't work like this, and a restart won't help.
        """
        self._stuck = StuckDetector(f"{self._topology.name} {self._slot}", self._tuning.stuck_s)
        self._stuck.start()
        try:
            while not stop.is_set() and not self._opened():
                self._wait(stop)
            while not stop.is_set():
                self._guarded_turn(stop)
        finally:
            self._close()

    def _opened(self) -> bool:
        """Make the clients; False where the brokers don't answer yet."""
        topology, cluster = self._topology, self._cluster
        self._offsets = Offsets(cluster)
        try:
            self._n_partitions = self._partitions()
            self._follower = Follower(
                cluster,
                topology.name,
                topology.followed,
                self._processor.follow,
                self._offsets,
                self._on_error,
            )
        except Retryable as error:
            self._log.warning("waiting for Kafka", why=str(error))
            return False
        self._writing = Writing(
            topology,
            cluster.prefix,
            largest_record(admin(cluster), cluster.topic(DEAD_LETTERS), RECORD_BYTES_DEFAULT),
        )
        self._transactions = Transactions(
            cluster,
            topology.name,
            self._slot,
            self._log,
            n_turns=self._tuning.n_turns,
            beat=self._stuck.beat,
        )
        self._consumer = group_consumer(cluster, topology.name, self._on_error, self._on_stats)
        self._store_reader = (
            StoreReader(cluster, topology.name, topology.store, self._processor.restore, self._on_error)
            if topology.store
            else None
        )
        self._assignment = Assignment(
            cluster,
            self._consumer,
            self._processor,
            self._offsets,
            self._store_reader,
            self._log,
            self._probe,
        )
        return True

    def _partitions(self) -> int:
        """Return how many partitions the sources and the store have.

        Raises
        ------
        Fatal
            If they have different numbers.
        """
        asked = [*self._topology.sources, *([self._topology.store] if self._topology.store else [])]
        found = {topic: self._offsets.n_partitions(topic) for topic in asked}
        if len(set(found.values())) != 1:
            message = f"{self._topology.name} needs one number of partitions among its topics, but they have {found}"
            raise Fatal(message)
        return found[asked[0]]

    def _guarded_turn(self, stop: threading.Event) -> None:
        try:
            self._turn(stop)
        except Retryable as error:
            self._rewind(error)
            self._wait(stop)
        except KafkaException as error:
            self._rewind(translated(error, "what was asked"))
            self._wait(stop)
        if self._fatal is not None:
            raise self._fatal

    def _turn(self, stop: threading.Event) -> None:
        """Do one turn: bring partitions further, take what is there, answer it."""
        self._stuck.beat()
        if not self._follower.begin():
            self._gauges.note(self._follower, None)
            return
        self._subscribe()
        if self._transactions.in_doubt:
            self._transactions.recover()
        busy = self._assignment.step()
        self.ready = self._assignment.ready
        messages = drain(self._consumer, self._tuning.records_max, 0.0 if busy else self._tuning.poll_s)
        metadata = self._consumer.consumer_group_metadata() if messages else None
        records, _ = sorted_out(messages, self._cluster)
        active = [record for record in records if self._assignment.is_active(record.partition)]
        self._in_hand = in_order(active, self._topology)
        if self._in_hand:
            self._probe("fetched")
        items = [look_at(self._processor, record, self._n_partitions) for record in self._in_hand]
        while items and not stop.is_set():
            n_taken = cut(items, self._pace.limit)
            self._transact(items[:n_taken], metadata)
            items, self._in_hand = items[n_taken:], self._in_hand[n_taken:]
            self._n_failed = 0
        if not active:
            self._follower.step()
        self._alarm_of_followed()
        self._gauges.note(self._follower, self._assignment)

    def _subscribe(self) -> None:
        if not self._subscribed:
            self._subscribed = True
            self._consumer.subscribe(
                [self._cluster.topic(topic) for topic in self._topology.sources],
                on_assign=self._assignment.on_assign,
                on_revoke=self._assignment.on_revoke,
                on_lost=self._assignment.on_revoke,
            )

    def _transact(self, items: Sequence[Item], metadata: Any) -> None:  # noqa: ANN401 - librdkafka's
        """Answer some items in one transaction."""
        self._stuck.beat()
        stages = self._gauges.batch(len(items))
        self._follower.catch_up(self._tuning.follow_s, self._stuck.beat)
        stages.done("follow")
        outputs, failures, failed = self._answered(items)
        stages.done("process")
        self._probe("answered")
        self._transactions.begin()
        self._probe("begun")
        self._transactions.produce(outputs[: (len(outputs) + 1) // 2])
        self._probe("produced some")
        self._transactions.produce(outputs[(len(outputs) + 1) // 2 :])
        stages.done("produce")
        self._probe("produced")
        self._transactions.send_offsets(offsets := next_offsets(item.record for item in items), metadata)
        stages.done("offsets")
        self._probe("offsets sent")
        self._transactions.commit()
        self._probe("committed")
        self._processor.keep()
        self._probe("kept")
        self._failures = failures
        stages.done("commit")
        self._pace.note(sum(item.work for item in items), stages.seconds("process"))
        self._gauges.committed(items, outputs, offsets, stages)
        self._gauges.own_failures([culprit.item.record.topic for culprit in failed.culprits])
        self._alarm_of(items, failed)

    def _answered(self, items: Sequence[Item]) -> tuple[list[Output], FailureLimit, Answer]:
        """Let the processor answer; return all that is to be written, and the count of our own failures after it."""
        inputs = [Input(item.record, item.event) for item in items if item.is_input]
        found = answer(
            self._processor,
            inputs,
            self._follower.next_offsets(),
            n_culprits_max=self._failures.run_max,
        )
        outputs = [*self._writing.checked(found.outputs), *self._writing.besides(items)]
        outputs.extend(
            self._writing.dead_letter(culprit.item.record, own_failure(culprit.error).reason)
            for culprit in found.culprits
        )
        culprits = {culprit.item.record for culprit in found.culprits}
        failures = self._failures.after([item.ours or (bool(culprits) and item.record in culprits) for item in items])
        return outputs, failures, found

    def _rewind(self, error: Exception) -> None:
        """Abort what is open, throw away what the batch in hand touched, and go back to before it.

        Raises
        ------
        Fatal
            If ``error`` is.
        """
        if isinstance(error, Fatal):
            raise error
        self._n_failed += 1
        self._log.warning("batch is tried again", why=str(error), n_failed=self._n_failed, n_records=len(self._in_hand))
        self._processor.drop()
        self._transactions.abort()
        floors: dict[Place, int] = first_offsets(self._in_hand)
        self._in_hand = ()
        self._assignment.rewind(floors)

    def _wait(self, stop: threading.Event) -> None:
        """Back off, longer each time, with a cap and some chance."""
        longest_s = min(self._tuning.backoff_s_max, 0.05 * 2 ** min(self._n_failed, 10))
        self._stuck.beat()
        stop.wait(longest_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads tries, keeps no secret

    def _alarm_of(self, items: Sequence[Item], found: Answer) -> None:
        refused = [(item.record, item.error.kind) for item in items if item.error is not None]
        refused.extend((culprit.item.record, "code") for culprit in found.culprits)
        if refused:
            record, kind = refused[0]
            self._log.warning("records refused", n_refused=len(refused), first_kind=kind, **logs.place(record))
        strays = [item for item in items if item.home is not None]
        if strays:
            first = strays[0]
            self._log.warning(
                "records sent on: an upstream partitions by another hash than murmur2",
                n_forwarded=len(strays),
                to_partition=first.home,
                **logs.place(first.record),
            )

    def _alarm_of_followed(self) -> None:
        if self._follower.alarms:
            first = self._follower.alarms[0]
            self._log.warning("followed records can't be read", n_unread=len(self._follower.alarms), first=first)
            self._gauges.followed_refused(len(self._follower.alarms))
            self._follower.alarms.clear()

    def _on_error(self, error: KafkaError) -> None:
        if error.code() in FORBIDDEN:
            self._fatal = Fatal(f"Kafka refuses us: {error.str()}: grant the right, or set other credentials")
        else:
            self._log.debug("kafka client", said=error.str())  # its log says the same, less often

    def _on_stats(self, statistics: str) -> None:
        self._gauges.lag(statistics, self._cluster)

    def _close(self) -> None:
        """Abort what is open, leave the group, let the clients go."""
        self.ready = False
        self._stuck.beat()
        for name in ("_transactions", "_consumer", "_store_reader", "_follower"):
            client = getattr(self, name, None)
            if client is not None:
                client.close()
        self._gauges.closed()
        self._stuck.close()
