"""SIGTERM and Ctrl-C, as an event that the work looks at."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType


class Stopped(BaseException):
    """Told to stop while something was waited for: leave at once.

    No ``Exception``: code that takes whatever a library raises for a fault of what it reads must not take this for one.
    """


class Stop(Event):
    """Set by SIGTERM or SIGINT."""

    def __init__(self) -> None:
        super().__init__()
        self._at_once = False

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within this block a stop raises ``Stopped``, once: for what waits long and can be left anywhere.

        Raises
        ------
        Stopped
            If it was set before, or is set within.
        """
        if self.is_set():
            raise Stopped
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def ask(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Set it; asked again, nothing more happens: stopping has a limit of its own."""
        first = not self.is_set()
        self.set()
        if first and self._at_once:
            raise Stopped


@contextmanager
def stop_event() -> Iterator[Stop]:
    """Give an event that SIGTERM and SIGINT set, and put back in the end what they did before."""
    stop = Stop()
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, what in before.items():
            signal.signal(number, what)
