"""From records to batches and from batches to what a transaction writes: pure, no Kafka here."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from consumers.forwarding import DEAD_LETTERS, dead_letter, forwarded, home_partition, is_left_behind
from consumers.topology import Glancing, Input, Processor, Topology
from schemas.catalogue import topics
from schemas.errors import InvalidRecord
from schemas.records import Event, Output, Record
from smartblood.errors import Fatal, Retryable
from smartblood.kafka.sizes import TooLarge, fits, n_bytes

PASSED_ON = (AssertionError, MemoryError, Retryable, Fatal)
"""Not about one record: an assertion about the whole is a bug and crashes, the others are the loop's to deal with."""

ROOT = Path(__file__).parents[2]
RECORD_BYTES_DEFAULT = 1_048_588
"""What a broker takes unless it was told otherwise."""


class Item(NamedTuple):
    """A record that was looked at.

    ``error`` is what is wrong with it, with ``ours`` where our own code failed; ``home`` is the partition to which a
    stray is to be sent; ``skipped`` is a null that a forwarded record left behind. ``work`` is what it will cost.
    """

    record: Record
    event: Event | None = None
    error: InvalidRecord | None = None
    ours: bool = False
    home: int | None = None
    skipped: bool = False
    work: int = 1

    @property
    def is_input(self) -> bool:
        """Whether the processor is to answer it."""
        return self.error is None and self.home is None and not self.skipped


def own_failure(error: Exception) -> InvalidRecord:
    """Return what a dead letter says about an exception of our own code: its kind and where it was raised.

    The exception's text is left out: it may quote anything.
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(ROOT)] or list(frames)
    where = "unknown place"
    if own:
        path = Path(own[-1].filename)
        where = f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name}:{own[-1].lineno}"
    return InvalidRecord(f"our code failed on this record: {type(error).__name__} at {where}", kind="code")


def look_at_all(processor: Processor, records: Sequence[Record], n_partitions: int) -> Iterator[Item]:
    """Decode records, at once where the processor can, and say of each what is to become of it."""
    events = processor.glance(records) if isinstance(processor, Glancing) else [None] * len(records)
    for record, event in zip(records, events, strict=True):
        yield look_at(processor, record, n_partitions, event)


def look_at(processor: Processor, record: Record, n_partitions: int, event: Event | None = None) -> Item:
    """Decode a record, unless its event is there already, and say what is to become of it."""
    if is_left_behind(record):
        return Item(record, skipped=True)
    try:
        event = processor.read(record) if event is None else event
        if processor.topology.forwards:
            home = home_partition(record.key, n_partitions)
            if home != record.partition:
                return Item(record, event, home=home)
        return Item(record, event, work=max(1, processor.work(Input(record, event))))
    except InvalidRecord as error:
        return Item(record, error=error)
    except PASSED_ON:
        raise
    except Exception as error:  # noqa: BLE001 - a failure of ours is found, counted and limited; see halving
        return Item(record, error=own_failure(error), ours=True)


def in_order(records: Iterable[Record], topology: Topology) -> list[Record]:
    """Sort records by the place of their topic among the sources, then partition, then offset."""
    rank = {topic: place for place, topic in enumerate(topology.sources)}
    return sorted(records, key=lambda record: (rank[record.topic], record.partition, record.offset))


def cut(items: Sequence[Item], work_max: float) -> int:
    """Return how many of the first items make a batch: as much work as is allowed, and at least one."""
    total = 0
    for place, item in enumerate(items):
        total += item.work
        if total > work_max and place:
            return place
    return len(items)


def next_offsets(records: Iterable[Record]) -> dict[tuple[str, int], int]:
    """Return for each partition the offset after the last of its records."""
    found: dict[tuple[str, int], int] = {}
    for record in records:
        place = (record.topic, record.partition)
        found[place] = max(found.get(place, 0), record.offset + 1)
    return found


def first_offsets(records: Iterable[Record]) -> dict[tuple[str, int], int]:
    """Return for each partition the offset of the first of its records."""
    found: dict[tuple[str, int], int] = {}
    for record in records:
        place = (record.topic, record.partition)
        found[place] = min(found.get(place, record.offset), record.offset)
    return found


class UndeclaredTopicError(AssertionError):
    """A processor wrote to a topic that its topology doesn't declare."""


@dataclass(frozen=True, slots=True)
class Writing:
    """What a processor may write, and how records that it doesn't answer are written.

    Parameters
    ----------
    topology : Topology
        The edges.
    prefix : str
        Of topics on the cluster, for the ``source-topic`` of dead letters.
    bytes_max : mapping of str to int
        The largest record that a topic takes, for each topic that may be written.
    """

    topology: Topology
    prefix: str = ""
    bytes_max: Mapping[str, int] = field(default_factory=dict)
    _limits: Mapping[str, int] = field(init=False)
    _compacted: Mapping[str, bool] = field(init=False)

    def __post_init__(self) -> None:
        """Look the edges up."""
        declared = (*self.topology.sinks, *([self.topology.store] if self.topology.store else []), DEAD_LETTERS)
        object.__setattr__(self, "_limits", {topic: self._limit(topic) for topic in declared})
        compacted = {name: "compact" in topics()[name].cleanup for name in self.topology.sources}
        object.__setattr__(self, "_compacted", compacted)

    def besides(self, items: Iterable[Item]) -> list[Output]:
        """Return the dead letters of refused records, and what sends strays on."""
        outputs: list[Output] = []
        for item in items:
            if item.error is not None:
                outputs.append(self.dead_letter(item.record, item.error.reason))
            elif item.home is not None:
                outputs.extend(self._forwarded(item.record, item.home))
        return outputs

    def dead_letter(self, record: Record, reason: str) -> Output:
        """Return the dead letter of a record; what is more than the topic takes is left out, and it says so."""
        limit, source_topic = self._limits[DEAD_LETTERS], self.prefix + record.topic
        letter = dead_letter(record, self.topology.name, reason, source_topic=source_topic)
        for _ in range(2):
            if fits(letter, limit):
                break
            n_key, n_value = len(record.key or b""), len(record.value or b"")
            if n_key > n_value:
                name, record = "key", record._replace(key=None)
            else:
                name, record = "value", record._replace(value=None)
            reason += f" (the {name}'s {max(n_key, n_value)} bytes are more than a dead letter holds: see the source)"
            letter = dead_letter(record, self.topology.name, reason, source_topic=source_topic)
        return letter

    def checked(self, outputs: list[Output]) -> list[Output]:
        """Return what a processor wrote.

        Raises
        ------
        UndeclaredTopicError
            If it wrote where its topology has no edge.
        TooLarge
            If a topic doesn't take what it wrote there.
        """
        for output in outputs:
            limit = self._limits.get(output.topic)
            if limit is None:
                message = f"{self.topology.name} wrote to {output.topic}, which its topology doesn't declare"
                raise UndeclaredTopicError(message)
            if not fits(output, limit):
                reason = f"value: what answers it has {n_bytes(output)} bytes, and {output.topic} takes {limit}"
                raise TooLarge(reason)
        return outputs

    def way_home(self, item: Item) -> Item:
        """Return the item; as refused, if it is a stray that can't be sent on since a header more is too much."""
        if item.home is None:
            return item
        limit = self._limit(item.record.topic)
        for output in self._forwarded(item.record, item.home):
            if not fits(output, limit):
                reason = (
                    f"value: it lies in the wrong partition, and to be sent on to {item.home} it would have "
                    f"{n_bytes(output)} bytes, where {output.topic} takes {limit}"
                )
                return Item(item.record, error=TooLarge(reason))
        return item

    def _forwarded(self, record: Record, home: int) -> list[Output]:
        return forwarded(record, home, compacted=self._compacted[record.topic])

    def _limit(self, topic: str) -> int:
        return self.bytes_max.get(topic, RECORD_BYTES_DEFAULT)


class Pace:
    """Bounds batches by time: so much work as was lately done in the seconds that a batch may take.

    Parameters
    ----------
    work_max : int
        A batch has no more work than this, however fast it goes.
    batch_s : float
        How long a batch's processing should take at most.
    """

    def __init__(self, work_max: int, batch_s: float) -> None:
        self._work_max = work_max
        self._batch_s = batch_s
        self._s_per_work: float | None = None

    @property
    def limit(self) -> float:
        """The work that the next batch may have."""
        if not self._s_per_work:
            return self._work_max
        return min(self._work_max, max(1.0, self._batch_s / self._s_per_work))

    def note(self, work: int, spent_s: float) -> None:
        """Take in how long a batch took; small ones say little and are left out, slower ones count more at once."""
        if work < 100:
            return
        found = spent_s / work
        before = self._s_per_work or found
        self._s_per_work = before + (0.5 if found > before else 0.1) * (found - before)
