"""What matching remembers of a request, and how it lies on ``request-states``.

Of the events of a request the ids are kept, 24 bytes each: at most 1,000 of those that said something (requests,
closings, waves that were asked for) and 1,000 of previews, so 48,000 bytes a request. Of each kind the oldest by Kafka
timestamp go first. The kinds are counted apart because anybody may look as often as they like: no number of previews
makes an event that was answered on ``matches`` look new, and donors be asked twice.

References
----------
What counts as a repeat, and which of two statements holds: contracts section 1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from schemas.identifiers import REMEMBERED_MS, derived_event_id
from schemas.records import Event

TOPIC = "request-states"
N_REMEMBERED_MAX = 1_000
"""Ids of previews, and ids of other events, that are remembered of a request; of each the oldest go first."""

_SEEN = struct.Struct(">16sq")


class Statement(NamedTuple):
    """An event by what decides which of two holds: the later by (``occurred_at``, ``event_id``)."""

    occurred_at: int
    event_id: str


class RequestMemory(NamedTuple):
    """What is remembered of one request.

    Parameters
    ----------
    request_id : int
    waves : int
        Answers on ``matches`` so far.
    created, closed : Statement or None
        The latest ``blood-request-created`` and the latest closing.
    seen : bytes
        Ids of the events that were taken in and their Kafka timestamps (milliseconds), 24 bytes each. A timestamp below
        0 is a preview's, its sign turned: those of events are above 0, since no valid event occurred before 2000.
    """

    request_id: int
    waves: int = 0
    created: Statement | None = None
    closed: Statement | None = None
    seen: bytes = b""

    def has_seen(self, event_id: str, timestamp_ms: int) -> bool:
        """Tell whether the event was taken in already, within 7 days of ``timestamp_ms``."""
        wanted = _id_bytes(event_id)
        if wanted not in self.seen:
            return False
        return any(
            known_id == wanted and abs(timestamp_ms - abs(known_ms)) <= REMEMBERED_MS
            for known_id, known_ms in _SEEN.iter_unpack(self.seen)
        )

    def having_seen(self, event_id: str, timestamp_ms: int, *, preview: bool = False) -> RequestMemory:
        """Return the memory with one event more; ``preview`` says whether it only asked to be shown.

        However old: timestamps are the clients' own, and an event may come again with the old one that it had at first.
        """
        seen = self.seen + _SEEN.pack(_id_bytes(event_id), -timestamp_ms if preview else timestamp_ms)
        if len(seen) > N_REMEMBERED_MAX * _SEEN.size:
            entries = list(_SEEN.iter_unpack(seen))
            seen = _latest(entry for entry in entries if entry[1] > 0) + _latest(
                entry for entry in entries if entry[1] <= 0
            )
        return self._replace(seen=seen)

    def with_created(self, statement: Statement) -> RequestMemory:
        """Return the memory after a ``blood-request-created``."""
        return self if self.created is not None and self.created >= statement else self._replace(created=statement)

    def with_closed(self, statement: Statement) -> RequestMemory:
        """Return the memory after a closing."""
        return self if self.closed is not None and self.closed >= statement else self._replace(closed=statement)

    def as_event(self, answered: Statement) -> Event:
        """Return the memory as it lies on ``request-states``, written after the event ``answered``."""
        return {
            "event_id": derived_event_id(TOPIC, answered.event_id),
            "occurred_at": answered.occurred_at,
            "request_id": self.request_id,
            "waves": self.waves,
            "request_at": self.created.occurred_at if self.created else None,
            "request_event_id": self.created.event_id if self.created else None,
            "closing_at": self.closed.occurred_at if self.closed else None,
            "closing_event_id": self.closed.event_id if self.closed else None,
            "memory": self.seen,
        }


def memory_of(event: Event) -> RequestMemory:
    """Return the memory that a ``request-states`` event holds."""
    return RequestMemory(
        request_id=event["request_id"],
        waves=event["waves"],
        created=_statement(event["request_at"], event["request_event_id"]),
        closed=_statement(event["closing_at"], event["closing_event_id"]),
        seen=event["memory"],
    )


def _statement(occurred_at: int | None, event_id: str | None) -> Statement | None:
    return None if occurred_at is None or event_id is None else Statement(occurred_at, event_id)


def _latest(entries: Iterable[tuple[bytes, int]]) -> bytes:
    # Stable, so that of one timestamp the first to come goes first.
    kept = sorted(entries, key=lambda entry: abs(entry[1]))[-N_REMEMBERED_MAX:]
    return b"".join(_SEEN.pack(*entry) for entry in kept)


def _id_bytes(event_id: str) -> bytes:
    return bytes.fromhex(event_id.replace("-", ""))
