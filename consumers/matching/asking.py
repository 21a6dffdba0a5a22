"""What is asked: which events are answered, by a search or by an empty list that says why.

References
----------
Contracts section 1: older statements, closings, ``match-requested`` after ``required_by``, waves and previews.
"""

from __future__ import annotations

from dataclasses import dataclass

from consumers.matching.memory import RequestMemory, Statement
from consumers.topology import Input
from schemas.records import Event, Record

CREATED, CLOSED, REQUESTED = "blood-request-created", "blood-request-closed", "match-requested"

IS_CLOSED = "the request is closed"
IS_CORRECTED = "a later blood-request-created corrects this statement of the request"
IS_PAST = "required_by of the request has passed"


@dataclass(frozen=True, slots=True)
class Asked:
    """An event that is to be answered.

    Parameters
    ----------
    answered : Statement
        The event.
    request : Event
        The ``blood-request-created`` itself, or the one inside a ``match-requested``.
    wave : int
        From 1; a preview has the one that a recorded answer would have had.
    recorded : bool
        False for a preview.
    empty_because : str or None
        Why nobody is looked for; None where somebody is.
    timestamp_ms : int
        The Kafka timestamp of the event's record.
    """

    answered: Statement
    request: Event
    wave: int
    recorded: bool
    empty_because: str | None
    timestamp_ms: int = 0


def statement_of(event: Event) -> Statement:
    """Return what decides whether an event is later than another."""
    return Statement(event["occurred_at"], event["event_id"])


def request_id_of(item: Input) -> int:
    """Return the request that a record of a source is about."""
    event = _event(item)
    request_id: int = (event["request"] if item.record.topic == REQUESTED else event)["request_id"]
    return request_id


def take_in(memory: RequestMemory, item: Input) -> tuple[RequestMemory, Asked | None]:
    """Take in one event: return what is remembered after it, and what is to be answered.

    A repeat changes nothing (the very ``memory`` is returned) and is not answered; a closing isn't answered either.
    """
    record, event = item.record, _event(item)
    answered = statement_of(event)
    if memory.has_seen(answered.event_id, record.timestamp_ms):
        return memory, None
    recorded = record.topic != REQUESTED or event["recorded"]
    memory = memory.having_seen(answered.event_id, record.timestamp_ms, preview=not recorded)
    if record.topic == CLOSED:
        return memory.with_closed(answered), None
    request: Event = event["request"] if record.topic == REQUESTED else event
    if record.topic == CREATED:
        memory = memory.with_created(answered)
    why_not = _why_not(memory, record, answered, request)
    asked = Asked(answered, request, memory.waves + 1, recorded, why_not, record.timestamp_ms)
    return memory._replace(waves=memory.waves + 1) if recorded else memory, asked


def _why_not(memory: RequestMemory, record: Record, answered: Statement, request: Event) -> str | None:
    """Return what bars an event as things stand: a closing that the latest statement has undone bars nothing."""
    stated = statement_of(request)
    latest = stated if memory.created is None else max(stated, memory.created)
    if memory.closed is not None and latest.occurred_at <= memory.closed.occurred_at:
        return IS_CLOSED
    if stated < latest:
        return IS_CORRECTED
    if record.topic == REQUESTED and answered.occurred_at > request["required_by"]:
        return IS_PAST
    return None


def _event(item: Input) -> Event:
    if item.event is None:
        message = f"{item.record.topic}: a null value says nothing; read() refuses it"
        raise AssertionError(message)
    return item.event
