"""Makes a call in a thread of its own, so that whoever waits for it can stop waiting.

``send_offsets_to_transaction`` returns only once the brokers answer, whatever timeout it is given (librdkafka 2.16);
and while the main thread is inside of it, Python sees no signal.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue


class Call:
    """A call that was made aside."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._error: BaseException | None = None
        self._done = threading.Event()

    def make(self) -> None:
        """Make it, and keep what it raises."""
        try:
            self._call()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._error = error
        self._done.set()

    def wait(self, wait_s: float) -> bool:
        """Return whether it has returned within ``wait_s`` seconds; raise what it raised."""
        if not self._done.wait(wait_s):
            return False
        if self._error is not None:
            raise self._error
        return True


class Aside:
    """A thread that makes calls, one after the other; where one never returns, the thread is given up with it."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Call | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def begin(self, call: Callable[[], None]) -> Call:
        """Have a call made."""
        if self._thread is None:
            self._thread = threading.Thread(target=_work, args=(self._queue,), name="kafka-calls", daemon=True)
            self._thread.start()
        made = Call(call)
        self._queue.put(made)
        return made

    def give_up(self) -> None:
        """Wait no more for the call that was begun last; the next one gets another thread."""
        self._queue.put(None)
        self._queue, self._thread = SimpleQueue(), None


def _work(queue: SimpleQueue[Call | None]) -> None:
    while (call := queue.get()) is not None:
        call.make()
        del call  # it holds a producer, which is to go when it is let go
