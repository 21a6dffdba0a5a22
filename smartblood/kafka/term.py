"""A leader's term: nobody before can write any more, all that they wrote is known, and what is written is whole.

All leaders share one transactional id. A term's steps, and why each stands where it does:

1. make a producer of that id       whoever had it is fenced: its open transaction is aborted, or was committed before
2. ask where the store ends         all that earlier leaders committed lies before, or its marker is still on its way
3. read the store up to there       ``read_committed``: the memory is what was committed, and no more
4. write in transactions            each carries what it changes of the store; refused once there is a later term

So whoever writes knows all that was written before, whatever the group thinks of who leads. Where a transaction fails,
or nobody knows how it ended, the term is over, and the next one begins with step 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from confluent_kafka import KafkaException
from structlog.typing import FilteringBoundLogger

from schemas.records import Output, Record
from smartblood.kafka.client import Cluster, no_error
from smartblood.kafka.offsets import Offsets, translated
from smartblood.kafka.restore import StoreReader
from smartblood.kafka.transactions import Transactions

LEADER = "leader"
"""Stands where other processors have a slot: one transactional id for all."""

RESTORE_STEP_S = 0.1


class Term:
    """One term.

    Parameters
    ----------
    cluster : Cluster
        Where to write.
    name : str
        The processor.
    store : str
        The contract's name of its memory, a compacted topic of one partition.
    take_in : callable
        Given records of the store in order; returns one line for each that it couldn't read.
    log : logger
        For what a person should know.
    beat : callable
        Called while others are waited for. It may raise ``Retryable`` where there is no time to wait.
    probe : callable
        Told each step's name: ``fenced``, ``restored``, ``begun``, ``produced some``, ``produced``, ``committed``.
    """

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        store: str,
        take_in: Callable[[Iterable[Record]], list[str]],
        log: FilteringBoundLogger,
        beat: Callable[[], None],
        probe: Callable[[str], None],
    ) -> None:
        self._cluster = cluster
        self._name = name
        self._store = store
        self._take_in = take_in
        self._log = log
        self._beat = beat
        self._probe = probe
        self._transactions = Transactions(cluster, name, LEADER, log, n_turns=1, beat=beat)

    def begin(self) -> None:
        """Fence whoever led before, and take in all that was written.

        Raises
        ------
        Retryable
            If the brokers don't answer, or a later term has begun: this one is over.
        Fatal
            If they refuse.
        """
        self._transactions.recover()
        self._probe("fenced")
        self._restore()
        self._probe("restored")

    def write(self, outputs: Sequence[Output]) -> None:
        """Write all of ``outputs`` or nothing.

        Raises
        ------
        Retryable
            If that failed, or may have failed: the term is over.
        Fatal
            If the brokers refuse.
        """
        try:
            # A producer made anew would fence whoever leads by now, and write what was decided before they wrote.
            self._transactions.begin(renew=False)
            self._probe("begun")
            self._transactions.produce(outputs[:1])
            self._probe("produced some")
            self._transactions.produce(outputs[1:])
            self._probe("produced")
            self._transactions.commit()
        except KafkaException as error:
            raise translated(error, "whether it was written") from error
        self._probe("committed")

    def close(self) -> None:
        """End the term: abort what is open, as far as that is still ours to do."""
        self._transactions.close()

    def _restore(self) -> None:
        found = StoreReader(self._cluster, self._name, self._store, lambda _, records: self._take_in(records), no_error)
        try:
            end = Offsets(self._cluster).high_watermarks([(self._store, 0)])[self._store, 0]
            found.begin({0: end})
            while found.numbers:
                found.step(RESTORE_STEP_S)
                self._beat()
        except KafkaException as error:
            raise translated(error, f"what {self._store} has") from error
        finally:
            found.close()
        for alarm in found.alarms:
            self._log.warning("a record of the store can't be read: who but we writes there?", what=alarm)
