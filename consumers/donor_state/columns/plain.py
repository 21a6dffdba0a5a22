"""Plain events: those that are as nearly all are, decoded and checked many at once.

A response, a donation without a deferral, a registration without deferrals and without a list of apheresis, of the
newest schema, that breaks no rule. Whatever is otherwise in any way is left to the codec and to ``validation``, which
say what is wrong with it, if anything is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consumers.donor_state.columns.bodies import Bodies, donations, n_bytes, registrations, responses
from consumers.donor_state.columns.desk import AT, HIGH, LOW
from consumers.donor_state.columns.event import ID_AT, ID_LENGTH, Plain
from consumers.donor_state.columns.folding import (
    DONATION,
    N_OF_EVENT,
    REGISTRATION,
    RESPONSE,
    SOURCE,
    TIMESTAMP_MS,
)
from consumers.donor_state.columns.numbers import SIGN
from consumers.donor_state.repeats import TIMESTAMP_MAX
from consumers.validation import DAY_US, LAST_INSTANT, YEAR_2000_US
from features.index.avro_columns import ColumnDecoder
from schemas.catalogue import latest_schema
from schemas.codec import FRAME, Codec
from schemas.errors import InvalidRecord
from schemas.records import Event, Record

SOURCES = {"donor-registered": REGISTRATION, "donation-recorded": DONATION, "donor-responded": RESPONSE}
_OF_TOPIC = {"donor-registered": registrations, "donation-recorded": donations, "donor-responded": responses}
_ID_LENGTH_BYTE = ID_LENGTH << 1
_HYPHENS = np.array([8, 13, 18, 23])
_DIGITS = np.delete(np.arange(ID_LENGTH), _HYPHENS)
_NO_DIGIT = 255
_VALUES = np.full(256, _NO_DIGIT, np.uint8)
for _digits in ("0123456789abcdef", "0123456789ABCDEF"):
    _VALUES[np.frombuffer(_digits.encode(), np.uint8)] = np.arange(16)


class PlainReader:
    """Tells plain events from others, and puts them into columns.

    Parameters
    ----------
    codec : Codec
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._newest: set[tuple[str, bytes]] = set()
        self._decoders = {topic: ColumnDecoder(_without_deferral(topic)) for topic in SOURCES}

    def glance(self, records: Sequence[Record]) -> list[Event | None]:
        """Return for each record its event, where that is plain."""
        found: list[Event | None] = [None] * len(records)
        of_topic: dict[str, list[int]] = {topic: [] for topic in SOURCES}
        for place, record in enumerate(records):
            if record.topic in of_topic and self._is_newest(record):
                of_topic[record.topic].append(place)
        for topic, places in of_topic.items():
            if places:
                rows, is_plain = self._columns(topic, [records[place] for place in places])
                for row in np.flatnonzero(is_plain).tolist():
                    place = places[row]
                    found[place] = Plain(records[place], self._codec, rows, row)
        return found

    def _is_newest(self, record: Record) -> bool:
        """Tell whether a record was written with the newest schema of its topic; what is garbage wasn't."""
        if record.value is None:
            return False
        frame = (record.topic, record.value[: FRAME.size])
        if frame in self._newest:
            return True
        try:
            is_newest = self._codec.is_newest(record.topic, record.value)
        except InvalidRecord:
            return False
        if is_newest:
            self._newest.add(frame)
        return is_newest

    def _columns(self, topic: str, records: Sequence[Record]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        values = [record.value or b"" for record in records]
        decoder = self._decoders[topic]
        decoded = decoder.decode(values, FRAME.size)
        numbers = {name: decoded.numbers[row] for name, row in decoder.numbers.items()}
        bodies = Bodies(
            values,
            numbers,
            {name: decoded.double_bits[row] for name, row in decoder.doubles.items()},
            {name: decoded.n_items[row] for name, row in decoder.lists.items()},
            ID_AT + ID_LENGTH + n_bytes(numbers["occurred_at"]) + n_bytes(numbers["donor_id"]),
        )
        events = np.zeros((len(records), N_OF_EVENT), np.int64)
        events[:, AT] = numbers["occurred_at"]
        events[:, SOURCE] = SOURCES[topic]
        events[:, TIMESTAMP_MS] = [record.timestamp_ms for record in records]
        keys = [b"%d" % donor_id for donor_id in numbers["donor_id"].tolist()]
        is_plain = decoded.is_read & [record.key == key for record, key in zip(records, keys, strict=True)]
        is_plain &= (events[:, TIMESTAMP_MS] >= 0) & (events[:, TIMESTAMP_MS] <= TIMESTAMP_MAX)
        is_plain &= (events[:, AT] >= YEAR_2000_US) & (events[:, AT] <= LAST_INSTANT)
        is_plain &= events[:, AT] - DAY_US <= events[:, TIMESTAMP_MS] * 1000
        is_plain &= _read_ids(values, events)
        return events, is_plain & _OF_TOPIC[topic](bodies, events)


def _without_deferral(topic: str) -> dict[str, Any]:
    """Return a topic's schema in which a deferral can't be but null: where there is one, nothing is read."""
    schema = latest_schema(topic).load()
    null = {"type": "enum", "symbols": ["null"]}
    fields = [{**one, "type": null} if one["name"] == "deferral" else one for one in schema["fields"]]
    return {**schema, "fields": fields}


def _read_ids(values: Sequence[bytes], events: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Put the halves of ids into ``events``; return where there is one."""
    heads = b"".join([value[FRAME.size : ID_AT + ID_LENGTH].ljust(ID_LENGTH + 1) for value in values])
    letters = np.frombuffer(heads, np.uint8).reshape(-1, ID_LENGTH + 1)
    digits = _VALUES[letters[:, 1 + _DIGITS]]
    halves = np.ascontiguousarray(digits[:, ::2] << 4 | digits[:, 1::2] & 15).view(">i8") ^ SIGN
    events[:, HIGH], events[:, LOW] = halves[:, 0], halves[:, 1]
    is_there: NDArray[np.bool_] = (letters[:, 0] == _ID_LENGTH_BYTE) & (letters[:, 1 + _HYPHENS] == ord("-")).all(
        axis=1
    )
    is_there &= (digits != _NO_DIGIT).all(axis=1)
    return is_there
