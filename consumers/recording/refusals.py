"""Records that were refused: what is wrong, and the original bytes, for an operator."""

from __future__ import annotations

from consumers.recording.rows import RefusedRow
from consumers.recording.texts import text_of
from schemas.errors import InvalidRecord
from schemas.records import Record

HEALTH_TOPICS = frozenset({"donor-states"})
"""Topics of whose records nothing but the place and the error is kept."""


def refused_row(record: Record, error: InvalidRecord, source_topic: str) -> RefusedRow:
    """Return what is kept of a refused record.

    Parameters
    ----------
    record : Record
        As it was read.
    error : InvalidRecord
        What is wrong with it.
    source_topic : str
        The topic's name as the cluster has it, so that an operator's tools find the record.
    """
    keeps_bytes = record.topic not in HEALTH_TOPICS
    return RefusedRow(
        source_topic,
        record.partition,
        record.offset,
        record.timestamp_ms,
        error.kind,
        text_of(" ".join(error.reason.split())),
        record.key if keeps_bytes else None,
        record.value if keeps_bytes else None,
    )
