"""How large a record is to a broker, and what becomes of one that is too large for its topic: pure.

A broker measures a batch of records after compression. Ours are sent uncompressed unless somebody set otherwise, and
``batch.size`` keeps a batch of several records below what any of our topics takes; so what has to fit is one record in
a batch of its own.

References
----------
Record batches, version 2: Apache Kafka's protocol guide, *Record Batch*; ``rd_kafka_msgset_writer`` of librdkafka.
"""

from __future__ import annotations

from schemas.errors import InvalidRecord
from schemas.records import Headers, Output

BATCH_HEAD_BYTES = 61
RECORD_HEAD_BYTES = 3
"""Attributes, and the differences of timestamp and offset from the batch's, which are 0 where it is alone."""

SURELY_BYTES = 512
"""More than is ever added to key and value of a record without headers."""


class TooLarge(InvalidRecord):
    """The record is valid, but what would have to be written for it is larger than its topic takes: {reason}."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, kind="size")


def n_bytes(output: Output) -> int:
    """Return the bytes of a record in a batch of its own, as a broker counts them."""
    body = RECORD_HEAD_BYTES + _n_text(output.key) + _n_text(output.value) + _n_headers(output.headers)
    return BATCH_HEAD_BYTES + _n_number(body) + body


def fits(output: Output, limit: int) -> bool:
    """Tell whether a topic that takes ``limit`` bytes takes the record."""
    roughly = len(output.value or b"") + len(output.key or b"") + SURELY_BYTES
    return (roughly <= limit and not output.headers) or n_bytes(output) <= limit


def _n_headers(headers: Headers) -> int:
    return _n_number(len(headers)) + sum(_n_text(name.encode()) + _n_text(value) for name, value in headers)


def _n_text(text: bytes | None) -> int:
    return 1 if text is None else _n_number(len(text)) + len(text)


def _n_number(number: int) -> int:
    """Return the bytes of a number from 0 up as a zigzag varint."""
    return max(1, -(-(number << 1).bit_length() // 7))
