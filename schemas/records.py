"""A record as Kafka has it, before it is decoded and after it is encoded.

Tuples, since hundreds of thousands of them are made each second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Event = Mapping[str, Any]
"""A decoded record: field names to values. Instants are int microseconds since 1970 (UTC), days int days since
1970, ids of events lower-case text, enums their symbols."""

Headers = tuple[tuple[str, bytes | None], ...]


class Record(NamedTuple):
    """A record as it was read.

    ``timestamp_ms`` is the record's own Kafka timestamp, milliseconds since 1970. ``topic`` is the name of the
    contract, without a prefix.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Output(NamedTuple):
    """A record to be written, already encoded.

    Without ``partition`` the key decides (``murmur2_random``); without ``timestamp_ms`` the broker's client sets it,
    and what lies before 1 ms after the epoch is written as of then. ``answers_ms`` is the Kafka timestamp of the record
    that this answers, where somebody measures how long that took; it is not written.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None
    timestamp_ms: int | None = None
    answers_ms: int | None = None
