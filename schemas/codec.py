"""Bytes to events and back: Confluent framing around Avro.

A frame is a zero byte, a four-byte big-endian schema id and the Avro body. Where a schema registry is configured
its ids are used; with none, those of ``schemas/ids.json``.

Events are read and written without Avro's logical types: an instant is an int of microseconds, a day an int of days,
an event's id a text. Python objects for them would cost more than all the rest of decoding (docs/adr/0003).

fastavro reads more than writers of Avro write. So a body is read only once it is seen to be lawful (``strict``).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, cast

import fastavro

from schemas.catalogue import latest_schema, schema_files
from schemas.errors import InvalidRecord
from schemas.logical_types import contradiction, without_logical_types
from schemas.records import Event
from schemas.strict import Unlawful, Walk, walk_of

FRAME = struct.Struct(">bI")
FIRST_OWN_ID = 1_000_001
INT_LEAST, INT_MOST = -(2**31), 2**31 - 1
"""What Avro's int can say; fastavro writes more, which others refuse and no column has room for."""


class SchemaRegistry(Protocol):
    """Where schema ids come from when a registry is configured; it waits for a registry that doesn't answer."""

    def schema(self, schema_id: int) -> dict[str, Any] | None:
        """Return the schema with this id, or None where the registry doesn't know it."""

    def register(self, subject: str, schema: dict[str, Any]) -> int:
        """Return the id of ``schema`` under ``subject``, registering it where it is new."""


class Reader(NamedTuple):
    """How bodies of a schema are read: what sees that they are lawful, and fastavro's schemas.

    ``wanted`` is None where it is what was written.
    """

    walk: Walk
    written: Any
    wanted: Any


class Codec:
    """Encodes and decodes the events of the catalogue's topics.

    Parameters
    ----------
    registry : SchemaRegistry, optional
        Without one, ids and schemas are those of the project's files.
    topic_prefix : str, default ""
        What the cluster's names of topics have before the contract's: a registry's subjects are named after those.
    """

    def __init__(self, registry: SchemaRegistry | None = None, *, topic_prefix: str = "") -> None:
        self._registry = registry
        self._topic_prefix = topic_prefix
        self._own = {file.schema_id: file for file in schema_files()}
        self._readers: dict[tuple[str, int], Reader] = {}
        self._latest: dict[str, Any] = {}
        self._encoders: dict[str, Callable[[Event], bytes]] = {}
        self._newest: set[tuple[str, int]] = set()

    def is_newest(self, topic: str, value: bytes) -> bool:
        """Tell whether ``value`` was written with the newest schema of ``topic``, for who reads bodies by themselves.

        Raises
        ------
        InvalidRecord
            If the frame or the schema id isn't what the topic's readers can read.
        """
        schema_id = frame_of(value)
        if (topic, schema_id) not in self._readers:
            self._reader(topic, schema_id)
        return (topic, schema_id) in self._newest

    def decode(self, topic: str, value: bytes) -> Event:
        """Decode a framed value of ``topic``.

        Raises
        ------
        InvalidRecord
            If the frame or the schema id is not what the topic's readers can read, or no writer of Avro writes such a
            body by that schema.
        """
        schema_id = frame_of(value)
        reader = self._readers.get((topic, schema_id)) or self._reader(topic, schema_id)
        try:
            end = reader.walk(value, FRAME.size)
        except (Unlawful, RecursionError) as error:
            reason = f"value: not Avro of schema {schema_id}: {one_line(error)}"
            raise InvalidRecord(reason, kind="undecodable") from error
        if end != len(value):
            reason = f"value: {len(value) - end} bytes left over after the event of schema {schema_id}"
            raise InvalidRecord(reason, kind="undecodable")
        body = io.BytesIO(value)
        body.seek(FRAME.size)
        try:
            event = fastavro.schemaless_reader(body, reader.written, reader.wanted)
        except Exception as error:  # where schemas differ, it raises nearly anything
            reason = f"value: schema {schema_id} isn't read as the newest: {type(error).__name__}: {one_line(error)}"
            raise InvalidRecord(reason, kind="undecodable") from error
        return cast("Event", event)

    def encode(self, topic: str, event: Event) -> bytes:
        """Encode ``event`` with the newest schema of ``topic``, framed."""
        encoder = self._encoders.get(topic)
        if encoder is None:
            encoder = self._encoders[topic] = self._encoder(topic)
        return encoder(event)

    def frame(self, topic: str) -> bytes:
        """Return what values with the newest schema of ``topic`` begin with, for who writes bodies by themselves."""
        file = latest_schema(topic)
        schema_id = file.schema_id
        if self._registry is not None:
            schema_id = self._registry.register(f"{self._topic_prefix}{topic}-value", file.load())
        return FRAME.pack(0, schema_id)

    def _encoder(self, topic: str) -> Callable[[Event], bytes]:
        frame = self.frame(topic)
        parsed = self._parsed(topic)

        def encode(event: Event) -> bytes:
            body = io.BytesIO()
            body.write(frame)
            fastavro.schemaless_writer(body, parsed, cast("dict[str, Any]", event))
            return body.getvalue()

        return encode

    def _parsed(self, topic: str) -> Any:  # noqa: ANN401 - fastavro's parsed schemas are nested JSON
        if topic not in self._latest:
            self._latest[topic] = fastavro.parse_schema(without_logical_types(latest_schema(topic).load()))
        return self._latest[topic]

    def _reader(self, topic: str, schema_id: int) -> Reader:
        writer = self._writer_schema(topic, schema_id)
        newest = self._parsed(topic)
        # As Avro resolves schemas: by the name alone, since code generators have namespaces of their own.
        if writer.get("name") is None or _name(writer) != _name(newest):
            reason = f"value: schema {schema_id} is {fullname(writer)}, not what {topic} carries"
            raise InvalidRecord(reason, kind="unknown_schema")
        wrong = contradiction(writer, latest_schema(topic).load())
        if wrong is not None:
            reason = f"value: schema {schema_id} means something else than {topic} does: {wrong}"
            raise InvalidRecord(reason, kind="unknown_schema")
        try:
            parsed: Any = fastavro.parse_schema(without_logical_types(writer))
            walk = walk_of(parsed)
        except (fastavro.schema.SchemaParseException, LookupError, TypeError, ValueError, OverflowError) as error:
            reason = f"value: schema {schema_id} can't be read by: {type(error).__name__}: {error}"
            raise InvalidRecord(reason, kind="unknown_schema") from error
        same = parsed == newest
        if same:
            self._newest.add((topic, schema_id))
        reader = self._readers[topic, schema_id] = Reader(walk, parsed, None if same else newest)
        return reader

    def _writer_schema(self, topic: str, schema_id: int) -> dict[str, Any]:
        found = self._registry.schema(schema_id) if self._registry is not None else None
        if found is None and schema_id in self._own:
            found = self._own[schema_id].load()
        if found is None:
            reason = f"value: schema {schema_id} is not known on {topic}"
            raise InvalidRecord(reason, kind="unknown_schema")
        return found


def frame_of(value: bytes) -> int:
    """Return the schema id in a value's frame.

    Raises
    ------
    InvalidRecord
        If there is no frame.
    """
    if len(value) < FRAME.size:
        reason = f"value: {len(value)} bytes are no frame (a zero byte and a four-byte schema id)"
        raise InvalidRecord(reason, kind="undecodable")
    magic, schema_id = FRAME.unpack_from(value)
    if magic != 0:
        reason = f"value: the first byte is {value[0]}, not 0"
        raise InvalidRecord(reason, kind="undecodable")
    return int(schema_id)


def fullname(schema: dict[str, Any]) -> str:
    """Return the Avro full name of a record's schema."""
    name = str(schema.get("name", "unnamed"))
    namespace = schema.get("namespace")
    return f"{namespace}.{name}" if namespace and "." not in name else name


def _name(schema: dict[str, Any]) -> str:
    return fullname(schema).rpartition(".")[2]


def one_line(error: BaseException) -> str:
    """Return an error's text on one line of at most 200 characters."""
    return " ".join(str(error).split())[:200]
