"""``blood-request-created`` and ``blood-request-closed`` → ``blood_requests`` and ``request_closings``.

The row follows these two topics alone: of two statements the later by (``occurred_at``, ``event_id``) holds, of two
closings too, and a closing counts unless the request is later than it by ``occurred_at``.
"""

from __future__ import annotations

from collections.abc import Iterable

from consumers.recording.rows import ClosingRow, RequestRow
from consumers.recording.texts import text_of
from features.compatibility import group_text
from schemas.records import Event


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
