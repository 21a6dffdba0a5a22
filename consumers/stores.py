"""Reading a store back into memory: what can't be read is passed over, and said.

Nobody but the processor itself writes its store: what it can't read it hasn't written, and must not keep it from
coming back with all the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from consumers.validation import id_of_key
from schemas.codec import Codec
from schemas.errors import InvalidRecord
from schemas.records import Event, Record


def read_back(
    records: Iterable[Record],
    codec: Codec,
    id_field: str,
    take: Callable[[int, Event | None], None],
) -> list[str]:
    """Give ``take`` what records of a store hold; return a line for each that can't be read.

    Parameters
    ----------
    records : iterable of Record
        In offset order.
    codec : Codec
    id_field : str
        The field that the key repeats.
    take : callable
        Given whose memory it is, and what it holds: None where it is to be forgotten. It may refuse an event by
        ``InvalidRecord``.
    """
    alarms = []
    for record in records:
        try:
            whose = id_of_key(record, id_field)
            event = None if record.value is None else codec.decode(record.topic, record.value)
            if event is not None and event[id_field] != whose:
                reason = f"key: not {id_field}"
                raise InvalidRecord(reason, kind="key")  # noqa: TRY301 - refused like what can't be decoded
            take(whose, event)
        except InvalidRecord as error:
            alarms.append(line(record, error.reason))
    return alarms


def line(record: Record, reason: str) -> str:
    """Return what a person is told of a record that can't be read."""
    return f"{record.topic} {record.partition}/{record.offset}: {reason}"
