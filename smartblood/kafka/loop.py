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

import threading
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from consumers.topology import Processor
from schemas.records import Record
from smartblood import logs
from smartblood.errors import Fatal, Retryable
from smartblood.kafka.alarms import Alarms
from smartblood.kafka.batches import (
    Item,
    Pace,
    Writing,
    cut,
    first_offsets,
    in_order,
    look_at_all,
    next_offsets,
)
from smartblood.kafka.client import Cluster
from smartblood.kafka.clients import Callbacks, Clients
from smartblood.kafka.faults import FORBIDDEN
from smartblood.kafka.gauges import Gauges
from smartblood.kafka.halving import answered
from smartblood.kafka.membership import stands_by
from smartblood.kafka.messages import drain, sorted_out
from smartblood.kafka.offsets import translated
from smartblood.kafka.patience import Patience
from smartblood.kafka.stuck import StuckDetector
from smartblood.kafka.tuning import Tuning, no_probe


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
        Told each step's name: ``following`` and ``settled`` where something is followed, ``restoring``, ``fetched``;
        then for each batch of what was fetched ``caught up``, ``answered``, ``begun``, ``produced some``, ``produced``,
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
        self._alarms = Alarms(self._log)
        self._in_hand: Sequence[Record] = ()
        self._subscribed = False
        self._fatal: Fatal | None = None
        self._clients: Clients | None = None
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
        self._patience = Patience(stop, self._stuck, self._tuning.backoff_s_max)
        try:
            while not self._patience.stopped:
                self._guarded_turn()
        finally:
            self._close()

    def _opened(self) -> Clients:
        """Return the clients, made where they aren't yet."""
        if self._clients is None:
            callbacks = Callbacks(self._on_error, self._on_stats, self._probe, self._patience.beat)
            self._clients = Clients.open(
                self._cluster,
                self._processor,
                self._slot,
                callbacks,
                self._log,
                tuning=self._tuning,
            )
            self._writing = Writing(self._topology, self._cluster.prefix, self._clients.bytes_max)
        return self._clients

    def _guarded_turn(self) -> None:
        try:
            self._turn(self._opened())
        except Retryable as error:
            self._rewind(error)
            self._patience.back_off()
        except KafkaException as error:
            self._rewind(translated(error, "what was asked"))
            self._patience.back_off()
        if self._fatal is not None:
            raise self._fatal

    def _turn(self, clients: Clients) -> None:
        """Do one turn: bring partitions further, take what is there, answer it."""
        self._stuck.beat()
        if not clients.follower.whole:
            whole = clients.follower.begin()
            self._probe("following")
            if not whole:
                self._gauges.note(clients.follower, None)
                return
            self._processor.settle()
            self._probe("settled")
        self._subscribe(clients)
        if clients.transactions.in_doubt:
            clients.transactions.recover()
        busy = clients.assignment.step()
        self.ready = clients.assignment.ready
        messages = drain(clients.consumer, self._tuning.records_max, 0.0 if busy else self._tuning.poll_s)
        metadata = clients.consumer.consumer_group_metadata() if messages else None
        records, _ = sorted_out(messages, self._cluster)
        active = [record for record in records if clients.assignment.is_active(record.partition)]
        self._in_hand = in_order(active, self._topology)
        if self._in_hand:
            self._probe("fetched")
        looked_at = look_at_all(self._processor, self._in_hand, clients.n_partitions)
        items = [self._writing.way_home(item) for item in looked_at]
        while items and not self._patience.stopped:
            n_taken = cut(items, self._pace.limit)
            n_taken = self._transact(clients, items[:n_taken], metadata)
            items, self._in_hand = items[n_taken:], self._in_hand[n_taken:]
            self._patience.succeeded()
        if not active:
            clients.follower.refresh()
        self._tell(clients)

    def _subscribe(self, clients: Clients) -> None:
        if not self._subscribed:
            self._subscribed = True
            clients.consumer.subscribe(
                [self._cluster.topic(topic) for topic in self._topology.sources],
                on_assign=clients.assignment.on_assign,
                on_revoke=clients.assignment.on_revoke,
                on_lost=clients.assignment.on_revoke,
            )

    def _transact(self, clients: Clients, items: Sequence[Item], metadata: Any) -> int:  # noqa: ANN401 - librdkafka's
        """Answer some items in one transaction; return how many were taken, from the first on."""
        self._stuck.beat()
        stages = self._gauges.batch(len(items))
        clients.follower.catch_up(self._tuning.follow_s, self._patience.beat)
        stages.done("follow")
        self._probe("caught up")
        answers, items = answered(
            self._processor,
            items,
            clients.follower.next_offsets(),
            n_culprits_max=self._failures.run_max,
            checked=self._writing.checked,
        )
        outputs = [*answers, *self._writing.besides(items)]
        failures = self._failures.after([item.ours for item in items])
        stages.done("process")
        self._probe("answered")
        clients.transactions.begin()
        self._probe("begun")
        clients.transactions.produce(outputs[: (len(outputs) + 1) // 2])
        self._probe("produced some")
        clients.transactions.produce(outputs[(len(outputs) + 1) // 2 :])
        stages.done("produce")
        self._probe("produced")
        clients.transactions.send_offsets(offsets := next_offsets(item.record for item in items), metadata)
        stages.done("offsets")
        self._probe("offsets sent")
        clients.transactions.commit()
        self._probe("committed")
        self._processor.keep()
        self._probe("kept")
        self._failures = failures
        stages.done("commit")
        self._pace.note(sum(item.work for item in items), stages.seconds("process"))
        clients.assignment.advance(offsets)
        self._gauges.committed(items, outputs, stages)
        self._alarms.of_batch(items)
        return len(items)

    def _rewind(self, error: Exception) -> None:
        """Abort what is open, throw away what the batch in hand touched, and go back to before it.

        Raises
        ------
        Fatal
            If ``error`` is.
        """
        if isinstance(error, Fatal):
            raise error
        self._processor.drop()
        if self._clients is None:
            self._log.warning("waiting for Kafka", why=str(error))
            return
        self._log.warning(
            "batch is tried again" if self._in_hand else "tried again",
            why=str(error),
            n_failed=self._patience.n_failed + 1,
            n_records=len(self._in_hand),
        )
        self._clients.transactions.abort()
        floors = first_offsets(self._in_hand)
        self._in_hand = ()
        self._clients.assignment.rewind(floors)

    def _tell(self, clients: Clients) -> None:
        """Tell persons and Prometheus where the worker stands."""
        if clients.follower.alarms:
            self._alarms.of_followed(clients.follower.alarms)
            self._gauges.followed_refused(len(clients.follower.alarms))
            clients.follower.alarms.clear()
        if clients.store_reader is not None and clients.store_reader.alarms:
            self._alarms.of_store(clients.store_reader.alarms)
            self._gauges.restored_refused(len(clients.store_reader.alarms))
            clients.store_reader.alarms.clear()
        self._alarms.tell()
        self._gauges.note(clients.follower, clients.assignment)

    def _on_error(self, error: KafkaError) -> None:
        if error.code() in FORBIDDEN:
            self._fatal = Fatal(f"Kafka refuses us: {error.str()}: grant the right, or set other credentials")
        else:
            self._log.debug("kafka client", said=error.str())  # its log says the same, less often

    def _on_stats(self, statistics: str) -> None:
        if self._clients is None:
            return
        self._gauges.lag(statistics, self._cluster, self._clients.assignment.positions)
        if stands_by(statistics):
            self._clients.assignment.settled = True

    def _close(self) -> None:
        self.ready = False
        self._stuck.beat()
        if self._clients is not None:
            self._clients.close()
        self._gauges.closed()
        self._stuck.close()
