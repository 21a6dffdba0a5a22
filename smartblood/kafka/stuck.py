"""Ends a process whose loop has stopped turning.

The client's heartbeats go on in threads of their own while Python hangs, so the group would wait for ever.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable

EXIT_CODE = 3


class StuckDetector:
    """Watches for beats, in a thread of its own.

    Parameters
    ----------
    name : str
        Whom the last words are about.
    limit_s : float
        Longest time between two beats.
    end : callable, optional
        What ends the process; for tests.
    """

    def __init__(self, name: str, limit_s: float, end: Callable[[int], object] = os._exit) -> None:
        self._name = name
        self._limit_s = limit_s
        self._end = end
        self._beat_at = time.monotonic()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"stuck-detector-{name}", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self.beat()
        self._thread.start()

    def beat(self) -> None:
        """Say that the loop turns."""
        self._beat_at = time.monotonic()

    def close(self) -> None:
        """Watch no more."""
        self._closed.set()

    def _watch(self) -> None:
        last = time.monotonic()
        while not self._closed.wait(min(1.0, self._limit_s / 4)):
            now = time.monotonic()
            if now - last > self._limit_s / 2:
                self.beat()  # the whole process was stopped, this thread too: give the loop its time
            last = now
            if now - self._beat_at > self._limit_s:
                sys.stderr.write(f"{self._name} has been stuck for {self._limit_s:.0f} s; the stacks of all threads:\n")
                faulthandler.dump_traceback(all_threads=True)
                sys.stderr.flush()
                self._end(EXIT_CODE)
                return
