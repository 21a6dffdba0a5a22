"""``blood-request-created`` and ``blood-request-closed`` → ``blood_requests`` and ``request_closings``.

The row follows these two topics alone: of two statements the later by (``occurred_at``, ``event_id``) holds, of two
closings too, and a closing counts unless the request is later than it by ``occurred_at``. A repeat says nothing,
whatever it says: ``unrepeated`` takes the events that ``consumers.matching`` takes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from consumers.recording.rows import ClosingRow, RequestEvent, RequestEventRow, RequestRow
from consumers.recording.texts import text_of
from features.compatibility import group_text
from schemas.identifiers import REMEMBERED_MS
from schemas.records import Event, Record


def request_event(record: Record, event: Event) -> RequestEvent:
    """Return what an event of either topic says, and by what it is known when it comes again."""
    says = request_row(event) if record.topic == "blood-request-created" else closing_row(event)
    known_by = RequestEventRow(
        event["request_id"], record.topic, event["event_id"], record.timestamp_ms, record.partition
    )
    return RequestEvent(known_by, says)


def unrepeated(events: Iterable[RequestEvent], known: Iterable[RequestEventRow]) -> list[RequestEvent]:
    """Return the events that are no repeats, in their order.

    A repeat has the id of an event of the same request and topic that was taken in, and a Kafka timestamp within 7 days
    of its own. What only repeated is not remembered: seven days are counted from what was taken in.

    Parameters
    ----------
    events : iterable of RequestEvent
        In the order of their records within each partition.
    known : iterable of RequestEventRow
        What was taken in before of the same ids.
    """
    taken: defaultdict[tuple[int, str, str], list[int]] = defaultdict(list)
    for row in known:
        taken[row[:3]].append(row.timestamp_ms)
    new = []
    for event in events:
        at_ms, before_ms = event.row.timestamp_ms, taken[event.row[:3]]
        if all(abs(at_ms - known_ms) > REMEMBERED_MS for known_ms in before_ms):
            before_ms.append(at_ms)
            new.append(event)
    return new


def request_row(event: Event) -> RequestRow:
    """Return what a ``blood-request-created`` says."""
    return RequestRow(
        id=event["request_id"],
        hospital_id=event["hospital_id"],
        blood_group=group_text(event["blood_group"]),
        units_required=event["units_required"],
        urgency=event["urgency"].lower(),
        required_by=event["required_by"],
        created_at=event["occurred_at"],
        requested_at=event["occurred_at"],
        request_event_id=event["event_id"],
        component=event["component"].lower(),
        request_type=event["request_type"].lower(),
        district=text_of(event["district"]),
        latitude=event["latitude"],
        longitude=event["longitude"],
        patient_sex=event["patient_sex"].lower(),
        patient_age=event["patient_age"],
        patient_anti_d=event["patient_anti_d"],
        clinician_sign_off=event["clinician_sign_off"],
        top_k=event["top_k"],
    )


def closing_row(event: Event) -> ClosingRow:
    """Return what a ``blood-request-closed`` says."""
    return ClosingRow(
        request_id=event["request_id"],
        closed_at=event["occurred_at"],
        event_id=event["event_id"],
        status=event["outcome"].lower(),
        units_fulfilled=event["units_fulfilled"],
    )


def folded_requests(rows: Iterable[RequestRow]) -> list[RequestRow]:
    """Return one row a request: the latest statement, made when the earliest was; by id."""
    found: dict[int, RequestRow] = {}
    for row in rows:
        known = found.get(row.id)
        if known is not None:
            created_at = min(known.created_at, row.created_at)
            later = _of_request(row) > _of_request(known)
            found[row.id] = (row if later else known)._replace(created_at=created_at)
        else:
            found[row.id] = row
    return [found[key] for key in sorted(found)]


def folded_closings(rows: Iterable[ClosingRow]) -> list[ClosingRow]:
    """Return one row a request: the latest closing; by id."""
    found: dict[int, ClosingRow] = {}
    for row in rows:
        known = found.get(row.request_id)
        if known is None or (row.closed_at, row.event_id) > (known.closed_at, known.event_id):
            found[row.request_id] = row
    return [found[key] for key in sorted(found)]


def _of_request(row: RequestRow) -> tuple[int, str]:
    return row.requested_at, row.request_event_id
