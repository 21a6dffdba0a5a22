"""A worker, and what goes on beside it in the same process: looked at by others, or accompanied by other work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from prometheus_client import Gauge

LOOKED_AT_EACH_S = 1.0
LEFT_AFTER_S = 2.0
"""How long what accompanies a worker may take to end; then it ends with the process."""


class Worker(Protocol):
    """What does the work of one processor in one process."""

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; then finish or abort what is open, within 10 s."""


@dataclass(slots=True)
class Growth:
    """How much a count grew since it was last looked at."""

    _seen: dict[str, int] = field(default_factory=dict)

    def since(self, counts: Mapping[str, int], name: str) -> int:
        """Return by how much ``counts[name]`` grew since the last call."""
        before, self._seen[name] = self._seen.get(name, 0), counts.get(name, 0)
        return self._seen[name] - before


class Ones:
    """A gauge that is 1 for what there is, and 0 for what there was.

    Parameters
    ----------
    gauge : Gauge
    """

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._shown: set[tuple[str, ...]] = set()

    def show(self, labels: Iterable[tuple[str, ...]]) -> None:
        """Set 1 for each of ``labels``, and 0 for the others that were shown before."""
        now = set(labels)
        for gone in self._shown - now:
            self._gauge.labels(*gone).set(0)
        for one in now:
            self._gauge.labels(*one).set(1)
        self._shown |= now


@dataclass(frozen=True, slots=True)
class Watched:
    """A worker that is looked at once a second, from a thread of its own, for what only the shell can tell others.

    It is looked at once more when it has ended, so that nothing of its last second stays untold.

    Parameters
    ----------
    worker : Worker
    look : callable
        Sets gauges and writes alarms; it reads what the worker has, and changes nothing of it but taking alarms away.
    """

    worker: Worker
    look: Callable[[], None]

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set."""
        done = threading.Event()

        def looking() -> None:
            while not done.wait(LOOKED_AT_EACH_S):
                self.look()

        watching = threading.Thread(target=looking, name="looks-at-worker", daemon=True)
        watching.start()
        try:
            self.worker.run(stop)
        finally:
            done.set()
            watching.join()
            self.look()


class Accompanied:
    """A worker, and beside it, each in a thread of its own, what is done meanwhile and mustn't hold it up.

    Parameters
    ----------
    worker : Worker
    *beside : callable
        Each goes on until the event that it is given is set.
    """

    def __init__(self, worker: Worker, *beside: Callable[[threading.Event], None]) -> None:
        self.worker = worker
        self._beside = beside

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set."""
        done = threading.Event()
        threads = [
            threading.Thread(target=each, args=(done,), name=f"beside-worker-{n}", daemon=True)
            for n, each in enumerate(self._beside, 1)
        ]
        for thread in threads:
            thread.start()
        try:
            self.worker.run(stop)
        finally:
            done.set()
            until = time.monotonic() + LEFT_AFTER_S
            for thread in threads:
                thread.join(max(0.0, until - time.monotonic()))
