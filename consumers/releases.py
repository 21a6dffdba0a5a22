"""Which versions of a model have a say: the last word of ``model-released`` on each.

References
----------
Champion, challenger, shadow: contracts section 4.
"""

from __future__ import annotations

from typing import NamedTuple

from schemas.records import Event, Record

TOPIC = "model-released"
CHAMPION, CHALLENGER, SHADOW = "CHAMPION", "CHALLENGER", "SHADOW"


class Release(NamedTuple):
    """The last word on a version; ``share`` of the requests, 0 to 1, are a challenger's."""

    offset: int
    model: str
    version: str
    sha256: str
    role: str
    share: float
    released_at: int


class Releases:
    """The last word on each version of each model, by offset: the topic has one partition.

    Taking a record in again does no harm, and an event that was published again is no second word.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], Release] = {}
        self._seen: set[str] = set()

    def take(self, record: Record, event: Event) -> bool:
        """Take in a release; return whether it was news."""
        if event["event_id"] in self._seen:
            return False
        self._seen.add(event["event_id"])
        version = (event["model"], event["version"])
        self._last[version] = Release(
            record.offset, *version, event["sha256"].lower(), event["role"], event["share"], event["occurred_at"]
        )
        return True

    def champions(self, model: str) -> list[Release]:
        """Return the versions whose last word is CHAMPION, the one released last first: it is the champion."""
        return sorted(self._of(model, CHAMPION), key=lambda one: -one.offset)

    def challengers(self, model: str) -> list[Release]:
        """Return the challengers, by version."""
        return self._of(model, CHALLENGER)

    def shadows(self, model: str) -> list[Release]:
        """Return the shadows, by version."""
        return self._of(model, SHADOW)

    def _of(self, model: str, role: str) -> list[Release]:
        found = (one for one in self._last.values() if (one.model, one.role) == (model, role))
        return sorted(found, key=lambda one: one.version)
