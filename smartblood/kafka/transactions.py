"""The transactions of one worker slot.

Two things are done here that librdkafka leaves to its user.

*Producers in turn.* A producer that begins while its last transaction is still being completed by the broker is told
so and waits 20 ms. So a slot has more than one, used in turn, each with a stable id of the slot's. The next one begins
only after the last one's commit was acknowledged, and from then on that commit can't be undone: transactions of a slot
are never open side by side, their records and offsets lie in the log in order, and a reader or a restored memory that
waits for the last stable offset sees them in order (docs/adr/0011).

*Recycling.* librdkafka speaks the transaction protocol without KIP-890, where a delayed EndTxn may end a later
transaction (KAFKA-17754). So after a call that timed out, took unusually long, failed for good or saw a broker go away,
the producer is thrown away before the next ``begin``: its successor has a new epoch, which fences the late request.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from structlog.typing import FilteringBoundLogger

from schemas.records import Output
from smartblood import metrics
from smartblood.errors import Fatal, Retryable
from smartblood.kafka.aside import Aside
from smartblood.kafka.client import BATCH_BYTES, Cluster, error_of, transactional_producer
from smartblood.kafka.faults import DISCONNECTED, FENCED, Fault, TransactionFailed, fault_of
from smartblood.kafka.offsets import Place

TIMESTAMP_MS_MIN = 1
"""librdkafka takes 0 as "now", and brokers take nothing below but -1, which says that there is none: an erasure of 1970
that strayed must not erase as of now. So the least that both keep stands for it."""

FENCINGS_MAX = 3
FENCINGS_WITHIN_S = 60.0
FENCED_WAIT_S = 1.0
"""How long the first fencing is waited out, the second twice as long. So two workers with one slot take it from each
other in turn, and the one that was there before, being fenced first, is the first to have had enough: its successor
goes on."""


class _Turn:
    """One producer of the slot, and why it can't be trusted any more, where that is so."""

    def __init__(self, transactional_id: str) -> None:
        self.transactional_id = transactional_id
        self.producer: Producer | None = None
        self.doubt: str | None = "new"

    def live(self) -> Producer:
        """Return the producer."""
        assert self.producer is not None, "begin comes first"  # noqa: S101 - an assertion about the whole
        return self.producer

    def on_error(self, error: KafkaError) -> None:
        """Note that a broker went away: what was on its way to it may arrive late."""
        if error.code() in DISCONNECTED:
            self.doubt = self.doubt or "disconnect"


class Transactions:
    """Begins, fills and ends transactions; raises ``TransactionFailed`` where the batch has to be done again.

    Parameters
    ----------
    cluster : Cluster
        Where to write.
    name, slot : str
        The processor, and the worker's stable name among its kind.
    log : logger
        For what a person should know.
    n_turns : int
        Producers used in turn.
    call_s, slow_s, patience_s : float
        Seconds for one try of a call; above which a call took unusually long; for all tries of a call.
    beat : callable
        Called between tries: still alive, only waiting. It may raise ``Retryable`` where there is no time to wait.
    batch_bytes_max : int
        What every topic takes that is written.
    """

    def __init__(  # noqa: PLR0913 - the times have defaults and belong together
        self,
        cluster: Cluster,
        name: str,
        slot: str,
        log: FilteringBoundLogger,
        *,
        n_turns: int = 3,
        call_s: float = 1.0,
        slow_s: float = 1.0,
        patience_s: float = 30.0,
        beat: Callable[[], None] = lambda: None,
        batch_bytes_max: int = BATCH_BYTES,
    ) -> None:
        self._cluster = cluster
        self._name = name
        self._log = log
        self._call_s, self._slow_s, self._patience_s = call_s, slow_s, patience_s
        self._beat = beat
        self._batch_bytes_max = batch_bytes_max
        self._turns = [_Turn(cluster.transactional_id(name, slot, turn)) for turn in range(n_turns)]
        self._turn = self._turns[-1]
        self._open = False
        self._aside = Aside()
        self._fenced_at: deque[float] = deque(maxlen=FENCINGS_MAX)

    @property
    def in_doubt(self) -> bool:
        """Whether a producer has to be made anew before it is used again."""
        return any(turn.doubt for turn in self._turns)

    def recover(self) -> None:
        """Make all doubtful producers anew; how their last transactions ended is settled then.

        Raises
        ------
        TransactionFailed
            If the brokers don't answer.
        Fatal
            If they refuse.
        """
        self._wait_if_fenced()
        for turn in self._turns:
            if turn.doubt is None and turn.producer is not None:
                turn.producer.poll(0)
            if turn.doubt:
                self._renew(turn)

    def begin(self, *, renew: bool = True) -> None:
        """Begin a transaction on the next producer, made anew where it is in doubt.

        Raises
        ------
        TransactionFailed
            If it is in doubt and mustn't be made anew here: what its next transaction says may be outdated by then.
        """
        turn = self._turn = self._turns[(self._turns.index(self._turn) + 1) % len(self._turns)]
        if turn.producer is not None:
            turn.producer.poll(0)
        if turn.doubt and not renew:
            step, reason = "begin", f"how what came before ended is in doubt ({turn.doubt})"
            raise TransactionFailed(step, Fault.RENEW, reason)
        if turn.doubt:
            self._renew(turn)
        self._call(turn, "begin", lambda producer, _: producer.begin_transaction())
        self._open = True

    def produce(self, outputs: Iterable[Output]) -> None:
        """Put records into the transaction."""
        producer = self._turn.live()
        names: dict[str, str] = {}
        for output in outputs:
            name = names.get(output.topic) or names.setdefault(output.topic, self._cluster.topic(output.topic))
            arguments: dict[str, Any] = {"key": output.key, "value": output.value}
            if output.headers:
                arguments["headers"] = list(output.headers)
            if output.partition is not None:
                arguments["partition"] = output.partition
            if output.timestamp_ms is not None:
                arguments["timestamp"] = max(output.timestamp_ms, TIMESTAMP_MS_MIN)
            self._produce(producer, name, arguments)

    def send_offsets(self, offsets: Mapping[Place, int], group_metadata: Any) -> None:  # noqa: ANN401 - librdkafka's
        """Put the next offsets of what was processed into the transaction."""
        positions = [
            TopicPartition(self._cluster.topic(topic), partition, offset)
            for (topic, partition), offset in offsets.items()
        ]
        turn, producer = self._turn, self._turn.live()
        began = time.monotonic()
        sent = self._aside.begin(
            lambda: producer.send_offsets_to_transaction(positions, group_metadata, self._patience_s),
        )
        try:
            while not sent.wait(self._call_s):
                turn.doubt = turn.doubt or "timeout"
                if time.monotonic() - began > self._patience_s:
                    step, reason = "offsets", "the brokers don't answer"
                    raise TransactionFailed(step, Fault.RENEW, reason)
                self._beat()
        except KafkaException as error:
            raise self._failed(turn, "offsets", error_of(error)) from error
        except Retryable:
            self._aside.give_up()
            turn.doubt = "fatal"
            raise

    def commit(self) -> None:
        """Commit; once this returns nothing can undo it."""
        self._call(self._turn, "commit", lambda producer, wait_s: producer.commit_transaction(wait_s))
        self._open = False
        metrics.TRANSACTIONS.labels(self._name, "committed").inc()

    def abort(self) -> None:
        """Abort what is open, if that is still possible; never raises ``Retryable``."""
        if not self._open:
            return
        self._open = False
        turn = self._turn
        if turn.doubt in {"fatal", "fenced", "commit"}:
            metrics.TRANSACTIONS.labels(self._name, "in_doubt").inc()
            return
        try:
            self._call(turn, "abort", lambda producer, wait_s: producer.abort_transaction(wait_s))
            metrics.TRANSACTIONS.labels(self._name, "aborted").inc()
        except Retryable:
            turn.doubt = turn.doubt or "fatal"
            metrics.TRANSACTIONS.labels(self._name, "in_doubt").inc()

    def close(self) -> None:
        """Abort what is open, let go of what can't be sent, and of the producers."""
        self.abort()
        self._aside.give_up()
        for turn in self._turns:
            _discard(turn)

    def _produce(self, producer: Producer, name: str, arguments: dict[str, Any]) -> None:
        while True:
            try:
                producer.produce(name, **arguments)
            except BufferError:
                producer.poll(0.05)
                self._beat()
            except KafkaException as error:
                raise self._failed(self._turn, "produce", error_of(error)) from error
            else:
                return

    def _renew(self, turn: _Turn) -> None:
        reason, had_one = turn.doubt or "new", turn.producer is not None
        _discard(turn)
        turn.producer = transactional_producer(
            self._cluster, turn.transactional_id, turn.on_error, self._batch_bytes_max
        )
        try:
            self._call(turn, "init", lambda producer, wait_s: producer.init_transactions(wait_s))
        except (Retryable, Fatal):
            turn.doubt = turn.doubt or reason
            raise
        turn.doubt = None  # what happened before the new epoch is settled now
        if had_one:
            metrics.PRODUCERS_RECYCLED.labels(self._name, reason).inc()
            self._log.warning("producer recycled", reason=reason, transactional_id=turn.transactional_id)

    def _call(self, turn: _Turn, step: str, call: Callable[[Producer, float], None]) -> None:
        """Make a transaction's call, again where that is the thing to do, and note what casts doubt on its end."""
        producer = turn.live()
        began = time.monotonic()
        while True:
            try:
                call(producer, self._call_s)
            except KafkaException as error:
                said = error_of(error)
                spent_s = time.monotonic() - began
                if fault_of(said) is Fault.AGAIN:
                    turn.doubt = "commit" if step == "commit" else turn.doubt or "timeout"
                    if spent_s < self._patience_s:
                        self._beat()
                        continue
                raise self._failed(turn, step, said) from error
            if time.monotonic() - began > self._slow_s:
                turn.doubt = turn.doubt or "slow"
            return

    def _failed(self, turn: _Turn, step: str, said: KafkaError) -> TransactionFailed | Fatal:
        fault = fault_of(said)
        if fault is Fault.STOP:
            return Fatal(f"Kafka refuses {step} of {turn.transactional_id}: {said.str()}: grant the right to it")
        if said.code() in FENCED:
            is_news = turn.doubt != "fenced"
            for each in self._turns:
                each.doubt = "fenced"
            if is_news:
                self._note_fenced(turn)
        elif fault is Fault.RENEW:
            turn.doubt = "fatal"
        return TransactionFailed(step, fault, said.str(), in_doubt=step == "commit" and fault is not Fault.ABORT)

    def _wait_if_fenced(self) -> None:
        if any(turn.doubt == "fenced" for turn in self._turns):
            until = time.monotonic() + FENCED_WAIT_S * len(self._fenced_at)
            while (left_s := until - time.monotonic()) > 0:
                time.sleep(min(0.1, left_s))
                self._beat()

    def _note_fenced(self, turn: _Turn) -> None:
        now = time.monotonic()
        metrics.FENCED.labels(self._name).inc()
        self._fenced_at.append(now)
        if len(self._fenced_at) == FENCINGS_MAX and now - self._fenced_at[0] <= FENCINGS_WITHIN_S:
            message = (
                f"fenced {FENCINGS_MAX} times within a minute: another worker has the id {turn.transactional_id}; "
                "give each worker a slot of its own (SMARTBLOOD_SLOT)"
            )
            raise Fatal(message)


def _discard(turn: _Turn) -> None:
    """Let a producer go with whatever it still holds."""
    producer, turn.producer = turn.producer, None
    if producer is not None:
        producer.purge(blocking=False)  # and no close(): it would wait for the broker to abort
