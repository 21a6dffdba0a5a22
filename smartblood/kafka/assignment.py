"""Which partition numbers a worker owns, and how each becomes fit for work.

A number is worked on only while the worker owns that partition of *every* source, and its memory was restored::

    waiting     for the other sources, and until the group's committed offsets are stable:
       |        nothing that a predecessor has in flight can change them any more
    restoring   the store, up to the high watermark asked for after that
       |
    active      records are read from the committed offsets on

After an abort a number goes back to waiting with the batch's own first offsets as a floor. Where the transaction was
in doubt, the committed offsets say how it ended: a number goes on from whichever is later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from structlog.typing import FilteringBoundLogger

from consumers.topology import Processor
from smartblood import metrics
from smartblood.errors import Fatal
from smartblood.kafka.client import Cluster, error_of
from smartblood.kafka.committed import Committed
from smartblood.kafka.offsets import Offsets, Place
from smartblood.kafka.restore import StoreReader

SPLIT_PATIENCE_S = 60.0


class State(Enum):
    """How far a number is."""

    WAITING = "waiting"
    RESTORING = "restoring"
    RESTORED = "restored"
    ACTIVE = "active"


@dataclass(slots=True)
class _Number:
    """One partition number: the topics of which we own it, and how far it is."""

    owned: set[str] = field(default_factory=set)
    state: State = State.WAITING
    floors: dict[str, int] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)
    since: float = field(default_factory=time.monotonic)
    due: float = 0.0


class Assignment:
    """The numbers of one worker.

    Parameters
    ----------
    cluster, consumer, offsets, committed, store_reader
        The worker's clients; ``store_reader`` is None where the processor has no store.
    processor : Processor
        Whose memory is restored and revoked.
    log : logger
        For what a person should know.
    probe : callable
        Told the name of each step.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - a worker's clients, and whom they serve
        self,
        cluster: Cluster,
        consumer: Consumer,
        processor: Processor,
        offsets: Offsets,
        committed: Committed,
        store_reader: StoreReader | None,
        log: FilteringBoundLogger,
        probe: Callable[[str], None],
    ) -> None:
        self._cluster = cluster
        self._consumer = consumer
        self._processor = processor
        self._offsets = offsets
        self._committed = committed
        self._store_reader = store_reader
        self._log = log
        self._probe = probe
        self._numbers: dict[int, _Number] = {}
        self.settled = False

    def is_active(self, number: int) -> bool:
        """Whether records of this partition number may be worked on."""
        found = self._numbers.get(number)
        return found is not None and found.state is State.ACTIVE

    @property
    def ready(self) -> bool:
        """Whether the group has spoken, or has nothing for us, and everything that we own is active."""
        return self.settled and all(number.state is State.ACTIVE for number in self._numbers.values())

    def counts(self) -> dict[str, int]:
        """Return how many numbers are in each state."""
        found = {state.value: 0 for state in State}
        for number in self._numbers.values():
            found[number.state.value] += 1
        return found

    @property
    def positions(self) -> dict[Place, int]:
        """The next offset to be worked on, of all partitions that are worked on; below 0 from the beginning on."""
        active = ((n, number) for n, number in self._numbers.items() if number.state is State.ACTIVE)
        return {(topic, n): start for n, number in active for topic, start in number.starts.items()}

    def advance(self, offsets: Mapping[Place, int]) -> None:
        """Note that everything below these offsets was committed."""
        for (topic, n), offset in offsets.items():
            self._numbers[n].starts[topic] = offset

    def places(self) -> list[Place]:
        """Return all partitions that we own."""
        return [(topic, n) for n, number in self._numbers.items() for topic in number.owned]

    def on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Take partitions over, paused; a seek is not possible before this callback is left."""
        self.settled = True
        placed = [TopicPartition(at.topic, at.partition, 0) for at in partitions]
        if self._cluster.classic:
            consumer.assign(placed)
        else:
            consumer.incremental_assign(placed)
        for at in partitions:
            number = self._numbers.setdefault(at.partition, _Number())
            number.owned.add(self._cluster.contract_name(at.topic))
        self._suspend({at.partition for at in partitions})
        if partitions:
            self._log.info("partitions assigned", numbers=sorted({at.partition for at in partitions}))

    def on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """Give partitions up, with the memory of their numbers: there is no open transaction when this is called."""
        gone = {at.partition for at in partitions}
        self._forget(gone)
        for at in partitions:
            number = self._numbers.get(at.partition)
            if number is not None:
                number.owned.discard(self._cluster.contract_name(at.topic))
                number.floors.clear()
                if not number.owned:
                    del self._numbers[at.partition]
        if partitions:
            self._log.info("partitions revoked", numbers=sorted(gone))

    def rewind(self, floors: Mapping[Place, int]) -> None:
        """Go back to before a batch that was not, or perhaps not, committed: its memory is restored.

        Parameters
        ----------
        floors : mapping of place to int
            The first offset of the batch in each partition.
        """
        mine = {place: offset for place, offset in floors.items() if place[1] in self._numbers}
        for (topic, number), offset in mine.items():
            self._numbers[number].floors[topic] = offset
        self._suspend({number for _, number in mine})

    def step(self) -> bool:
        """Bring numbers further; return whether there is more to do at once."""
        self._settle(n for n, number in self._numbers.items() if number.state is State.WAITING)
        if self._store_reader is not None and self._store_reader.numbers:
            self._probe("restoring")
            for number in self._store_reader.step():
                self._numbers[number].state = State.RESTORED
        self._activate([n for n, number in self._numbers.items() if number.state is State.RESTORED])
        return any(number.state in {State.RESTORING, State.RESTORED} for number in self._numbers.values())

    def _suspend(self, numbers: Collection[int]) -> None:
        """Pause numbers and put them back to waiting, without memory."""
        self._forget(numbers)
        self._consumer.pause([self._at(topic, n) for n in numbers for topic in self._numbers[n].owned])

    def _forget(self, numbers: Collection[int]) -> None:
        known = set(numbers) & self._numbers.keys()
        if self._store_reader is not None:
            self._store_reader.drop(known)
        self._processor.revoke(known)
        for n in known:
            number = self._numbers[n]
            number.state, number.since, number.due = State.WAITING, time.monotonic(), 0.0
            self._committed.forget(n)

    def _settle(self, waiting: Iterable[int]) -> None:
        """Begin to restore the numbers whose committed offsets are stable."""
        now = time.monotonic()
        sources = set(self._processor.topology.sources)
        settled: list[int] = []
        for n in list(waiting):
            number = self._numbers[n]
            if number.owned != sources:
                self._check_split(number, now)
            elif number.due <= now:
                if not self._find_starts(n, number):
                    break  # the others' turn comes: a question without an answer takes its time
                settled.append(n)
        store = self._processor.topology.store
        if not settled:
            return
        if store is None or self._store_reader is None:
            for n in settled:
                self._numbers[n].state = State.RESTORED
            return
        ends = self._offsets.high_watermarks([(store, n) for n in settled])
        self._store_reader.begin({n: ends[store, n] for n in settled})
        for n in settled:
            self._numbers[n].state = State.RESTORING

    def _find_starts(self, n: int, number: _Number) -> bool:
        """Work out where a number goes on; False where a predecessor's offsets are still in flight."""
        committed = self._committed.offsets(n, number.owned)
        if committed is None:
            number.due = time.monotonic() + self._committed.next_in_s(n)
            return False
        number.starts = {}
        for topic, offset in committed.items():
            start = max(offset, number.floors.get(topic, -1))
            number.starts[topic] = start if start >= 0 else OFFSET_BEGINNING
        return True

    def _activate(self, restored: Iterable[int]) -> None:
        for n in restored:
            number = self._numbers[n]
            try:
                for topic, start in number.starts.items():
                    self._consumer.seek(self._at(topic, n, start))
                self._consumer.resume([self._at(topic, n) for topic in number.starts])
            except KafkaException as error:
                if error_of(error).code() != KafkaError._STATE:  # noqa: SLF001 - its name
                    raise
                continue  # the client has not taken the partition up yet
            number.state = State.ACTIVE
            number.floors.clear()
            metrics.RESTORE_SECONDS.labels(self._processor.topology.name).observe(time.monotonic() - number.since)

    def _check_split(self, number: _Number, now: float) -> None:
        if now - number.since > SPLIT_PATIENCE_S:
            message = (
                f"the group {self._cluster.group(self._processor.topology.name)} gave us a partition of "
                f"{sorted(number.owned)} but not of the other sources: let all workers use the range assignor, and "
                "give the sources one number of partitions (`smartblood topics check`)"
            )
            raise Fatal(message)

    def _at(self, topic: str, number: int, offset: int = 0) -> TopicPartition:
        return TopicPartition(self._cluster.topic(topic), number, offset)
