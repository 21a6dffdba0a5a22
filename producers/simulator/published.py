"""What the simulator hands out."""

from __future__ import annotations

from typing import NamedTuple

from numpy.random import Generator

from schemas.records import Event


class Published(NamedTuple):
    """An event on its way to a topic: the topic's name without prefix, key, event, and the record's timestamp."""

    topic: str
    key: str
    event: Event
    timestamp_ms: int


class EventIds:
    """Event ids from a seeded stream: UUIDs of version 8, a block at a time, since each event needs one."""

    def __init__(self, rng: Generator) -> None:
        self._rng = rng
        self._block = ""
        self._place = 0

    def __next__(self) -> str:
        """Return the next id, lower-case."""
        if self._place >= len(self._block):
            self._block = self._rng.bytes(16 * 4096).hex()
            self._place = 0
        digits = self._block[self._place : self._place + 32]
        self._place += 32
        return uuid_text(digits)


def uuid_text(digits: str) -> str:
    """Return 32 hexadecimal digits as a UUID of version 8 (RFC 9562: the maker's own bits)."""
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
