"""A topic's records in an Avro object container file, for who keeps them longer than the topic does.

Any reader of Avro reads such a file: its schema stands in it, and holds the event's own, the newest when it was
written. So it needs no schema registry, and outlives one.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, cast

import fastavro

from schemas.catalogue import latest_schema
from schemas.codec import fullname, one_line
from schemas.logical_types import contradiction, without_logical_types
from schemas.records import Event, Record

TOPIC, TOLD = "smartblood.topic", "smartblood.told"
"""What the file's head says besides the schema: the topic, and what whoever wrote it had to tell, as JSON."""


def write_container(
    out: BinaryIO, topic: str, records: Iterable[tuple[Record, Event | None]], told: Mapping[str, Any]
) -> None:
    """Write records with their decoded events; the same records and words give the same bytes.

    Parameters
    ----------
    out : file
        Open for writing.
    topic : str
    records : iterable of (Record, Event or None)
        Of that topic; None stands for a null value. Values and headers aren't kept.
    told : mapping
        JSON data to be kept with them.
    """
    event_schema = latest_schema(topic).load()
    name, head = fullname(event_schema), {TOPIC: topic, TOLD: json.dumps(told, sort_keys=True, allow_nan=False)}
    lines = (
        {
            "partition": record.partition,
            "offset": record.offset,
            "recorded_at": record.timestamp_ms,
            "key": record.key,
            "event": None if event is None else (name, event),
        }
        for record, event in records
    )
    fastavro.writer(
        out,
        fastavro.parse_schema(_schema(event_schema)),
        lines,
        codec="deflate",
        metadata=head,
        sync_marker=hashlib.sha256(repr(sorted(head.items())).encode()).digest()[:16],
    )


def read_container(file: BinaryIO) -> tuple[str, dict[str, Any], Iterator[tuple[Record, Event | None]]]:
    """Return the topic, what was told, and the records in their order.

    Raises
    ------
    ValueError
        If the file is none of ``write_container``; while records are read, where it is damaged.
    """
    try:
        blocks = fastavro.block_reader(file)
        topic, told = str(blocks.metadata[TOPIC]), json.loads(blocks.metadata[TOLD])
        wanted = _schema(latest_schema(topic).load())
        newest = fastavro.parse_schema(without_logical_types(wanted))
        written = fastavro.parse_schema(without_logical_types(blocks.writer_schema))
        wrong = contradiction(blocks.writer_schema, wanted)
    except Exception as error:  # arbitrary bytes make it raise nearly anything
        message = f"no Avro file of a topic's records: {type(error).__name__}: {one_line(error)}"
        raise ValueError(message) from error
    if wrong is not None:
        message = f"records of another meaning than {topic}'s: {wrong}"
        raise ValueError(message)
    return topic, told, _records(topic, blocks, written, None if written == newest else newest)


def _records(
    topic: str,
    blocks: Iterable[Any],
    written: Any,  # noqa: ANN401 - fastavro's parsed schemas
    newest: Any,  # noqa: ANN401
) -> Iterator[tuple[Record, Event | None]]:
    # Block by block, since fastavro's own reader of records would make objects of instants and days.
    try:
        for block in blocks:
            body = io.BytesIO(block.bytes_.read())
            for _ in range(block.num_records):
                line = cast("dict[str, Any]", fastavro.schemaless_reader(body, written, newest))
                place = line["partition"], line["offset"], line["recorded_at"]
                value = None if line["event"] is None else b""
                yield Record(topic, *place, line["key"], value), line["event"]
    except Exception as error:  # arbitrary bytes make it raise nearly anything
        message = f"damaged: {type(error).__name__}: {one_line(error)}"
        raise ValueError(message) from error


def _schema(event_schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "record",
        "name": "Recorded",
        "namespace": "smartblood.containers",
        "doc": "A record as its topic had it: where it lay, when it was written (its Kafka timestamp), and its event.",
        "fields": [
            {"name": "partition", "type": "int"},
            {"name": "offset", "type": "long"},
            {"name": "recorded_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "key", "type": ["null", "bytes"]},
            {"name": "event", "type": ["null", event_schema]},
        ],
    }
