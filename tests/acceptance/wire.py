"""The wire format as somebody else reads it: fastavro with logical types, by ``schemas/ids.json`` alone."""

from __future__ import annotations

import io
import json
import struct
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import fastavro

SCHEMAS = Path(__file__).parents[2] / "schemas"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Avro:
    """Encodes and decodes by the files that ``schemas/ids.json`` names, with logical types."""

    def __init__(self) -> None:
        paths = json.loads((SCHEMAS / "ids.json").read_text("utf-8"))
        self.schemas = {}
        self.ids = {}
        for number, path in paths.items():
            self.schemas[int(number)] = fastavro.parse_schema(json.loads((SCHEMAS / path).read_text("utf-8")))
            topic, version, _ = Path(path).name.split(".")
            assert version.startswith("v")
            self.ids[topic] = max(int(number), self.ids.get(topic, 0))

    def encode(self, topic: str, event: Mapping[str, Any], number: int | None = None) -> bytes:
        """Encode by the newest schema of a topic, or by the one of this number."""
        number = self.ids[topic] if number is None else number
        body = io.BytesIO()
        fastavro.schemaless_writer(body, self.schemas[number], event)
        return struct.pack(">bI", 0, number) + body.getvalue()

    def decode(self, value: bytes) -> dict[str, Any]:
        magic, number = struct.unpack_from(">bI", value)
        assert magic == 0, "not Confluent framing"
        body = io.BytesIO(value[5:])
        event = fastavro.schemaless_reader(body, self.schemas[number], None)
        assert body.read() == b"", "bytes after the event"
        return event


AVRO = Avro()


def micros(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)


def plain(event: Any) -> Any:
    """An event without Python's own types: instants as microseconds, days as days since 1970, ids as text."""
    if isinstance(event, dict):
        return {name: plain(value) for name, value in event.items()}
    if isinstance(event, list):
        return [plain(value) for value in event]
    if isinstance(event, datetime):
        return micros(event)
    if isinstance(event, date):
        return (event - EPOCH.date()).days
    if isinstance(event, uuid.UUID):
        return str(event)
    return event
