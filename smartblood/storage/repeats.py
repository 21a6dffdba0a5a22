"""Which events of requests are repeats: those whose ids were taken in before, in this batch or an earlier one.

Ids are kept as matching remembers them, by request and for at least as long, so that the record takes the very events
that are answered: see docs/adr/0028-repeats-in-the-record.md. They are written in the transaction that moves the
offsets, so events that are read again are known again.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, select
from sqlalchemy.dialects.postgresql import insert

from consumers.recording.requests import unrepeated
from consumers.recording.rows import RequestEvent, RequestEventRow
from smartblood.storage.bulk import Incoming
from smartblood.storage.tables import REQUEST_EVENTS

_KEY = ("request_id", "topic", "event_id")

_ASKED = Incoming(REQUEST_EVENTS, _KEY)
_KNOWN = select(*(REQUEST_EVENTS.c[name] for name in RequestEventRow._fields)).join_from(
    _ASKED.rows, REQUEST_EVENTS, and_(*(REQUEST_EVENTS.c[name] == _ASKED.rows.c[name] for name in _KEY))
)

_TAKEN = Incoming(REQUEST_EVENTS, RequestEventRow._fields)
_TAKE = insert(REQUEST_EVENTS).from_select(list(RequestEventRow._fields), select(*_TAKEN.rows.c))


def taken_in(connection: Connection, events: Sequence[RequestEvent]) -> list[RequestEvent]:
    """Return the events that are no repeats, in their order, and remember them.

    Parameters
    ----------
    connection : Connection
        Holds the lock that settles requests: two workers may read an event and its stray at once.
    events : sequence of RequestEvent
        Of a batch, in the order of their records within each partition.
    """
    if not events:
        return []
    asked = _ASKED.arguments(sorted({event.row[:3] for event in events}))
    new = unrepeated(events, [RequestEventRow(*row) for row in connection.execute(_KNOWN, asked)])
    if new:
        connection.execute(_TAKE, _TAKEN.arguments(sorted(event.row for event in new)))
    return new
