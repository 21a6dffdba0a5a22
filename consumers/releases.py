"""Which versions of a model have a say: the last word of ``model-released`` on each.

A version with another digest is another version: a release that names a wrong one takes nothing from the version that
has been released with the right one. But RETIRED is said of a version whatever its digest.

References
----------
Champion, challenger, shadow: contracts section 4.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from consumers.stores import line
from consumers.validation import checked, not_null
from schemas.codec import Codec
from schemas.errors import InvalidRecord
from schemas.records import Event, Record

TOPIC = "model-released"
CHAMPION, CHALLENGER, SHADOW, RETIRED = "CHAMPION", "CHALLENGER", "SHADOW", "RETIRED"


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
        self._last: dict[tuple[str, str], dict[str, Release]] = {}
        self._seen: set[str] = set()

    def take(self, record: Record, event: Event) -> bool:
        """Take in a release; return whether it was news."""
        if event["event_id"] in self._seen:
            return False
        self._seen.add(event["event_id"])
        version, sha256, role = (event["model"], event["version"]), event["sha256"].lower(), event["role"]
        said = self._last.setdefault(version, {})
        if role == RETIRED:
            said.clear()
        else:
            said[sha256] = Release(record.offset, *version, sha256, role, event["share"], event["occurred_at"])
        return True

    def follow(self, records: Iterable[Record], codec: Codec) -> tuple[set[str], list[str]]:
        """Take in records of ``model-released``.

        Returns
        -------
        tuple of set of str and list of str
            The models of which there is news, and a line for each record that breaks the contract.
        """
        news, alarms = set(), []
        for record in records:
            try:
                event = checked(record, codec.decode(TOPIC, not_null(record)))
            except InvalidRecord as error:
                alarms.append(line(record, error.reason))
                continue
            if self.take(record, event):
                news.add(event["model"])
        return news, alarms

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
        released = (one for said in self._last.values() for one in said.values())
        found = (one for one in released if (one.model, one.role) == (model, role))
        return sorted(found, key=lambda one: (one.version, one.offset))
