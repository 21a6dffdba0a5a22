"""Runs processors record by record without a broker: for tests, training and replay.

Topics are lists in memory. A record is answered as the loop would answer it: refused records become dead letters,
strays are sent on, what a processor writes can be read by the others, and writing to a topic that the topology doesn't
declare fails.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from consumers.forwarding import dead_letter, forwarded, home_partition
from consumers.topology import Batch, Input, Processor
from schemas.catalogue import topics
from schemas.codec import Codec
from schemas.errors import InvalidRecord
from schemas.records import Event, Headers, Output, Record

DEAD_LETTERS = "dead-letters"


class UndeclaredTopicError(AssertionError):
    """A processor wrote to a topic that its topology doesn't declare."""


class Driver:
    """Processors over topics in memory.

    Parameters
    ----------
    processors : sequence of Processor
        Each is driven as the only worker of its kind.
    n_partitions : int
        Of every topic whose catalogue entry isn't ``single``.
    codec : Codec, optional
        For events that are sent undecoded and for reading topics; the project's own schemas by default.
    """

    def __init__(self, processors: Sequence[Processor], n_partitions: int = 1, codec: Codec | None = None) -> None:
        self._processors = processors
        self._n_partitions = n_partitions
        self._codec = codec or Codec()
        self._logs: defaultdict[tuple[str, int], list[Record]] = defaultdict(list)
        self._read: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self.alarms: list[str] = []

    def send(
        self,
        topic: str,
        key: str,
        event: Event | bytes | None,
        *,
        timestamp_ms: int | None = None,
        partition: int | None = None,
        headers: Headers = (),
    ) -> Record:
        """Append a record; an event's own instant is its timestamp unless one is given."""
        value = event if event is None or isinstance(event, bytes) else self._codec.encode(topic, event)
        if timestamp_ms is None:
            timestamp_ms = 0 if event is None or isinstance(event, bytes) else -(-event["occurred_at"] // 1000)
        return self._append(Output(topic, key.encode(), value, headers, partition, timestamp_ms), timestamp_ms)

    def run(self, *, batch_size: int = 1) -> None:
        """Let every processor work until nothing is left to read.

        Raises
        ------
        UndeclaredTopicError
            If a processor writes where its topology has no edge.
        """
        while any(self._step(processor, batch_size) for processor in self._processors):
            pass

    def restart(self, processor: Processor) -> None:
        """Throw away a processor's memory and restore it from its store, as after a crash."""
        partitions = range(self._n_partitions)
        processor.drop()
        processor.revoke(partitions)
        store = processor.topology.store
        for partition in partitions if store else ():
            self.alarms.extend(processor.restore(partition, list(self._logs[store, partition]) if store else []))

    def records(self, topic: str) -> list[Record]:
        """All records of a topic, by partition and offset."""
        return [record for partition in range(self._partitions(topic)) for record in self._logs[topic, partition]]

    def events(self, topic: str) -> list[Event]:
        """All decoded events of a topic, by partition and offset; nulls are left out."""
        return [self._codec.decode(topic, record.value) for record in self.records(topic) if record.value is not None]

    def _step(self, processor: Processor, batch_size: int) -> bool:
        topology = processor.topology
        followed = {topic: self._follow(processor, topic) for topic in topology.followed}
        taken = self._take(topology.name, topology.sources, batch_size)
        if not taken:
            return False
        inputs: list[Input] = []
        outputs: list[Output] = []
        for record in taken:
            try:
                event = processor.read(record)
            except InvalidRecord as error:
                outputs.append(dead_letter(record, topology.name, error.reason))
                continue
            home = home_partition(record.key, self._partitions(record.topic))
            if topology.forwards and home != record.partition:
                outputs.extend(forwarded(record, home, compacted="compact" in topics()[record.topic].cleanup))
            else:
                inputs.append(Input(record, event))
        outputs.extend(self._declared(processor, processor.process(Batch(inputs, followed))))
        processor.keep()
        timestamp_ms = max(record.timestamp_ms for record in taken)
        for output in outputs:
            self._append(output, timestamp_ms)
        return True

    def _take(self, group: str, sources: Iterable[str], batch_size: int) -> list[Record]:
        taken: list[Record] = []
        for topic in sources:
            for partition in range(self._partitions(topic)):
                start = self._read[group, topic, partition]
                records = self._logs[topic, partition][start : start + batch_size - len(taken)]
                self._read[group, topic, partition] = start + len(records)
                taken.extend(records)
        return taken

    def _follow(self, processor: Processor, topic: str) -> dict[int, int]:
        seen = {}
        for partition in range(self._partitions(topic)):
            place = (f"{processor.topology.name} follows", topic, partition)
            log = self._logs[topic, partition]
            if len(log) > self._read[place]:
                self.alarms.extend(processor.follow(log[self._read[place] :]))
            seen[partition] = self._read[place] = len(log)
        return seen

    def _declared(self, processor: Processor, outputs: list[Output]) -> list[Output]:
        for output in outputs:
            if output.topic not in processor.topology.sinks:
                message = f"{processor.topology.name} wrote to {output.topic}, which its topology doesn't declare"
                raise UndeclaredTopicError(message)
        return outputs

    def _append(self, output: Output, timestamp_ms: int) -> Record:
        partition = output.partition
        if partition is None:
            partition = home_partition(output.key, self._partitions(output.topic))
        log = self._logs[output.topic, partition]
        at_ms = timestamp_ms if output.timestamp_ms is None else output.timestamp_ms
        record = Record(output.topic, partition, len(log), at_ms, output.key, output.value, output.headers)
        log.append(record)
        return record

    def _partitions(self, topic: str) -> int:
        return 1 if topics()[topic].partitions == "single" else self._n_partitions
