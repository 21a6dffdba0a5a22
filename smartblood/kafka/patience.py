"""How long a loop waits for others: between tries, and once it was told to stop."""

from __future__ import annotations

import random
import threading
import time

from smartblood.errors import Retryable
from smartblood.kafka.stuck import StuckDetector

STOP_PATIENCE_S = 3.0
"""A stop takes less than 10 s also where Kafka doesn't answer: so long for what is open, then clients are closed."""


class Patience:
    """Says that the loop turns, and when waiting ends.

    Parameters
    ----------
    stop : threading.Event
        Set when the loop is to stop.
    stuck : StuckDetector
        Told of each beat.
    backoff_s_max : float
        Longest wait before another try, seconds.
    """

    def __init__(self, stop: threading.Event, stuck: StuckDetector, backoff_s_max: float) -> None:
        self._stop = stop
        self._stuck = stuck
        self._backoff_s_max = backoff_s_max
        self._stop_seen_at: float | None = None
        self.n_failed = 0

    @property
    def stopped(self) -> bool:
        """Whether the loop is to stop."""
        return self._stop.is_set()

    def beat(self) -> None:
        """Say that the loop still turns while it waits for others, unless it was told to stop a while ago.

        Raises
        ------
        Retryable
            If so: what is waited for is given up, and the batch with it.
        """
        self._stuck.beat()
        if self._stop.is_set():
            self._stop_seen_at = self._stop_seen_at or time.monotonic()
            if time.monotonic() - self._stop_seen_at > STOP_PATIENCE_S:
                message = "told to stop while Kafka doesn't answer"
                raise Retryable(message)

    def succeeded(self) -> None:
        """Note that a batch was committed."""
        self.n_failed = 0

    def back_off(self) -> None:
        """Wait, longer each time, with a cap and some chance; not once the loop is to stop."""
        self.n_failed += 1
        longest_s = min(self._backoff_s_max, 0.05 * 2 ** min(self.n_failed, 10))
        self._stuck.beat()
        self._stop.wait(longest_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads tries, keeps no secret
