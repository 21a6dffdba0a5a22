"""What a person should know of batches: places, kinds and counts, never what a record says.

At most one line a second of each sort: an upstream that is wrong is wrong a thousand times a second. All are counted
by metrics.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from structlog.typing import FilteringBoundLogger

from smartblood.kafka.batches import Item
from smartblood.logs import place

EACH_S = 1.0


@dataclass(slots=True)
class _Sort:
    """One sort of line: how many since it was last written, and what the first of them was."""

    text: str
    n: int = 0
    first: dict[str, Any] = field(default_factory=dict)
    written_at: float = -EACH_S

    def add(self, n: int, **first: Any) -> None:  # noqa: ANN401 - what a line says
        if n and not self.n:
            self.first = first
        self.n += n


class Alarms:
    """The lines of one worker.

    Parameters
    ----------
    log : logger
        Where they are written.
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, log: FilteringBoundLogger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._refused = _Sort("records refused")
        self._strays = _Sort("records sent on: an upstream partitions by another hash than murmur2")
        self._unread = _Sort("followed records can't be read")
        self._unrestored = _Sort("records of the store can't be read: who but we writes there?")

    def of_batch(self, items: Sequence[Item]) -> None:
        """Note which records of a committed batch were refused or sent on."""
        refused = [(item.record, item.error.kind) for item in items if item.error is not None]
        if refused:
            record, kind = refused[0]
            self._refused.add(len(refused), kind=kind, **place(record))
        strays = [item for item in items if item.home is not None]
        if strays:
            self._strays.add(len(strays), to_partition=strays[0].home, **place(strays[0].record))

    def of_followed(self, unread: Sequence[str]) -> None:
        """Note followed records that could not be read."""
        if unread:
            self._unread.add(len(unread), first=unread[0])

    def of_store(self, unread: Sequence[str]) -> None:
        """Note records of the store that could not be read."""
        if unread:
            self._unrestored.add(len(unread), first=unread[0])

    def tell(self) -> None:
        """Write what is due."""
        now = self._clock()
        for sort in (self._refused, self._strays, self._unread, self._unrestored):
            if sort.n and now - sort.written_at >= EACH_S:
                self._log.warning(sort.text, n_records=sort.n, **sort.first)
                sort.n, sort.written_at = 0, now
