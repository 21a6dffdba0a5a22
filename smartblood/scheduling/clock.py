"""A wall clock, believed as far as a clock that only counts bears it out.

One wrong reading would fire slots that are still to come and settle all between, which nothing takes back. So a
reading that is ahead of what the monotonic clock says since the last believed one isn't believed at once, but once
readings have agreed with each other for a while: then the machine was suspended, or a wrong clock was put right.
A clock that goes back is believed: nothing is fired by it, since what is settled decides.

A process that begins with a wrong clock has nothing to know that by.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

LEAP_US = 300_000_000
"""Five minutes: so far may a reading be ahead, and readings differ that agree."""

AGREED_S = 600.0
"""So long readings have to agree."""

ON_TIME_AGAIN_S = 300.0
"""So long after a doubt what came meanwhile is on time yet: writing it may take a second try."""


def wall_clock() -> int:
    """Return microseconds since 1970."""
    return time.time_ns() // 1_000


class _Reading(NamedTuple):
    """What the wall clock showed, microseconds since 1970, and at how many seconds of the monotonic clock."""

    at_us: int
    at_s: float

    def ahead_us(self, of: _Reading) -> float:
        """Return how much more went by on the wall clock than on the monotonic one."""
        return self.at_us - of.at_us - (self.at_s - of.at_s) * 1e6


class BelievedClock:
    """A wall clock that may be doubted.

    Parameters
    ----------
    wall : callable
        Microseconds since 1970.
    monotonic : callable
        Seconds of a clock that is never set; it needn't go on while the machine is suspended.
    """

    def __init__(self, wall: Callable[[], int] = wall_clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._believed: _Reading | None = None
        self._agreeing_since: _Reading | None = None
        self._doubted_since_s = 0.0
        self._ended_at_s: float | None = None
        self._held_us = 0

    @property
    def is_doubted(self) -> bool:
        """Whether the last reading wasn't believed."""
        return self._agreeing_since is not None

    @property
    def held_us(self) -> int:
        """How long nothing was believed just now, microseconds; what came meanwhile isn't late by it. Else 0."""
        return self._held_us

    def read(self) -> int | None:
        """Return microseconds since 1970; None where what the clock shows isn't believed."""
        shown = _Reading(self._wall(), self._monotonic())
        if self._believed is not None and shown.ahead_us(self._believed) > LEAP_US and not self._has_agreed(shown):
            return None
        self._believe(shown)
        return shown.at_us

    def _has_agreed(self, shown: _Reading) -> bool:
        """Tell whether readings have agreed for long enough; where this one doesn't, it is the first of others."""
        if self._agreeing_since is None:
            self._doubted_since_s = shown.at_s
        if self._agreeing_since is None or abs(shown.ahead_us(self._agreeing_since)) > LEAP_US:
            self._agreeing_since = shown
        return shown.at_s - self._agreeing_since.at_s >= AGREED_S

    def _believe(self, shown: _Reading) -> None:
        if self._agreeing_since is not None:
            self._agreeing_since, self._ended_at_s = None, shown.at_s
            self._held_us = round(min(shown.at_s - self._doubted_since_s, AGREED_S) * 1e6)
        elif self._ended_at_s is not None and shown.at_s - self._ended_at_s > ON_TIME_AGAIN_S:
            self._ended_at_s, self._held_us = None, 0
        self._believed = shown
