"""What a processor reads, remembers and writes, as a value; and what the loop asks of it.

The loop (``smartblood.kafka``) and the test driver (``consumers.driver``) both run a ``Processor``; neither knows
what it does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

from schemas.catalogue import topics
from schemas.records import Event, Output, Record


@dataclass(frozen=True, slots=True)
class Topology:
    """The edges of one processor.

    Parameters
    ----------
    name : str
        The processor's name, which is also its consumer group's.
    sources : tuple of str
        Topics read in the group, in the order in which a batch takes them in. All have one number of partitions.
    sinks : tuple of str
        Topics that it may write, dead letters and forwarding apart; writing to another one is an error.
    store : str, optional
        The compacted topic that is its memory: partition n is restored before partition n of the sources is read.
        It has as many partitions as the sources.
    followed : tuple of str
        Topics that every worker reads whole, without a group.
    forwards : bool
        Whether records that lie in the wrong partition are sent on to where they belong.
    """

    name: str
    sources: tuple[str, ...]
    sinks: tuple[str, ...]
    store: str | None = None
    followed: tuple[str, ...] = ()
    forwards: bool = False

    def __post_init__(self) -> None:
        """Check the edges against the catalogue.

        Raises
        ------
        ValueError
            If an edge names a topic that the catalogue doesn't have, or the catalogue has this processor not
            among the topic's readers or writers.
        """
        catalogue = topics()
        reads = [*self.sources, *self.followed, *([self.store] if self.store else [])]
        for name in reads:
            if name not in catalogue or (self.name not in catalogue[name].read_by and name != self.store):
                message = f"{self.name} reads {name}, which the catalogue doesn't say"
                raise ValueError(message)
        for name in self.sinks:
            if name not in catalogue or self.name not in catalogue[name].written_by:
                message = f"{self.name} writes {name}, which the catalogue doesn't say"
                raise ValueError(message)


class Input(NamedTuple):
    """A record of a source and what it decodes to; ``event`` is None for a null value."""

    record: Record
    event: Event | None


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction works on.

    Parameters
    ----------
    inputs : sequence of Input
        Ordered by the place of their topic in ``Topology.sources``, then partition, then offset.
    followed : mapping of str to mapping of int to int
        For each followed topic the next offset of each partition, as seen when the batch was begun.
    """

    inputs: Sequence[Input]
    followed: Mapping[str, Mapping[int, int]] = field(default_factory=dict)


class Processor(Protocol):
    """One processor. It holds memory, and never performs I/O.

    ``process`` stages its changes beside the memory; ``keep`` makes them the memory once the transaction is
    committed, ``drop`` forgets them. Partitions are those of the sources and of the store, which have the same numbers.
    """

    @property
    def topology(self) -> Topology:
        """The edges."""

    def read(self, record: Record) -> Event | None:
        """Decode and check one record of a source.

        Raises
        ------
        InvalidRecord
            If the record breaks the contract.
        """

    def work(self, item: Input) -> int:
        """Estimate what the record will cost, in rows to be looked at; at least 1. It bounds batches."""

    def process(self, batch: Batch) -> list[Output]:
        """Answer a batch; changes of memory are staged on top of those that are staged already."""

    def keep(self) -> None:
        """Make what is staged the memory."""

    def drop(self) -> None:
        """Forget what is staged."""

    def restore(self, partition: int, records: Iterable[Record]) -> list[str]:
        """Take records of the store into the memory of ``partition``, in offset order.

        Return one line for each that could not be read (they only alarm). Taking records in again does no harm.
        """

    def revoke(self, partitions: Collection[int]) -> None:
        """Throw away the memory of ``partitions``."""

    def follow(self, records: Sequence[Record]) -> list[str]:
        """Take in records of followed topics; return one line for each that could not be read (they only alarm).

        Taking records in again does no harm.
        """

    def settle(self) -> None:
        """Put in order what was followed, now that it was taken in whole, so that no answer has to wait for it."""


@runtime_checkable
class Confessing(Protocol):
    """A processor that has more to say of a record that it failed on than the dead letter does."""

    def failed(self, item: Input, error: Exception) -> list[Output]:
        """Return what is written beside the dead letter of ``item``, on which ``process`` raised ``error``."""


@runtime_checkable
class Glancing(Protocol):
    """A processor that decodes and checks many records faster at once than one by one."""

    def glance(self, records: Sequence[Record]) -> Sequence[Event | None]:
        """Return for each record its event, where there is nothing more to be said; None: ``read`` it by itself."""
