"""Schemas as files: released once, never edited, compatible in both directions through all versions."""

import hashlib
import io
import itertools
import json
from pathlib import Path

import avro.compatibility
import avro.schema
import fastavro
import pytest

from schemas.catalogue import HERE, latest_schema, schema_files, topics
from schemas.codec import FIRST_OWN_ID, FRAME, Codec
from schemas.errors import InvalidRecord
from schemas.identifiers import derived_event_id
from schemas.logical_types import without_logical_types
from tests.registry_double import OneSchema

RELEASED = json.loads((Path(__file__).parent / "released_schemas.json").read_text("utf-8"))
FILES = schema_files()
EXAMPLES = sorted((HERE / "examples").glob("*.json"))


def compatible(reader, writer):
    """Whether ``reader`` reads what ``writer`` wrote, by Apache Avro's own checker."""
    result = avro.compatibility.ReaderWriterCompatibilityChecker().get_compatibility(
        avro.schema.parse(json.dumps(reader)), avro.schema.parse(json.dumps(writer))
    )
    return result.compatibility is avro.compatibility.SchemaCompatibilityType.compatible


def both_ways(one, other):
    return compatible(one, other) and compatible(other, one)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_released_schema_is_never_edited(file):
    # A change belongs into a new version; the digest of a new version is added to released_schemas.json with it.
    assert hashlib.sha256((HERE / file.path).read_bytes()).hexdigest() == RELEASED[file.path]


def test_no_released_schema_has_gone():
    assert sorted(RELEASED) == sorted(file.path for file in FILES)


def test_every_version_is_compatible_with_every_other_in_both_directions():
    for topic in topics():
        versions = [file.load() for file in FILES if file.topic == topic]
        for one, other in itertools.combinations_with_replacement(versions, 2):
            assert both_ways(one, other), topic


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        (lambda fields: fields.append({"name": "more", "type": ["null", "string"], "default": None}), True),
        (lambda fields: fields.append({"name": "more", "type": "string"}), False),
        (lambda fields: fields.pop(), False),
        (lambda fields: fields[2].update(type="string"), False),
        (lambda fields: fields[2].update(name="renamed"), False),
    ],
    ids=["nullable field added", "field without default added", "field removed", "type changed", "field renamed"],
)
def test_the_check_tells_a_compatible_change_from_a_breaking_one(change, allowed):
    old = latest_schema("donor-responded").load()
    new = json.loads(json.dumps(old))
    change(new["fields"])
    assert both_ways(old, new) is allowed


def test_ids_start_where_they_are_promised_and_leave_no_hole():
    assert [file.schema_id for file in FILES] == list(range(FIRST_OWN_ID, FIRST_OWN_ID + len(FILES)))


def test_no_orphans():
    on_disk = {str(path.relative_to(HERE)) for path in (HERE / "events").iterdir()}
    assert on_disk == {file.path for file in FILES}
    with_schema = {file.topic for file in FILES}
    assert with_schema == set(topics()) - {"dead-letters"}
    assert {path.stem for path in EXAMPLES} == {Path(file.path).stem for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_every_event_is_headed_and_every_enum_survives_a_new_symbol(file):
    schema = file.load()
    assert [field["name"] for field in schema["fields"][:2]] == ["event_id", "occurred_at"]
    for enum in enums(schema):
        assert (enum["symbols"][0], enum["default"]) == ("UNKNOWN", "UNKNOWN"), enum["name"]
    for field in schema["fields"]:
        if isinstance(field["type"], list):
            assert field["type"][0] == "null", field["name"]
            assert field["default"] is None, field["name"]


def enums(schema):
    if isinstance(schema, list):
        return [found for part in schema for found in enums(part)]
    if isinstance(schema, dict):
        nested = [found for part in schema.values() for found in enums(part)]
        return [schema, *nested] if schema.get("type") == "enum" else nested
    return []


def filled(schema, value):
    """A value with null for what a newer version added, at any depth."""
    if isinstance(schema, list):
        (inner,) = (part for part in schema if part != "null")
        return None if value is None else filled(inner, value)
    if isinstance(schema, dict) and schema["type"] == "array":
        return [filled(schema["items"], item) for item in value]
    if isinstance(schema, dict) and schema["type"] == "record":
        return {field["name"]: filled(field["type"], value.get(field["name"])) for field in schema["fields"]}
    return value


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_what_its_bytes_say_and_back(path):
    example = json.loads(path.read_text("utf-8"))
    topic = path.stem.rpartition(".v")[0]
    if "memory" in example["event"]:  # bytes, which JSON has as text
        example["event"]["memory"] = example["event"]["memory"].encode()
    value = bytes.fromhex(example["value_hex"])
    newest = latest_schema(topic)
    since = filled(newest.load(), example["event"])
    assert Codec().decode(topic, value) == since
    if path.stem == Path(newest.path).stem:
        assert since == example["event"]
        assert Codec().encode(topic, example["event"]) == value


def test_a_reader_that_knows_logical_types_reads_the_same_bytes():
    example = json.loads((HERE / "examples/blood-request-created.v1.json").read_text("utf-8"))
    body = io.BytesIO(bytes.fromhex(example["value_hex"])[FRAME.size :])
    event = fastavro.schemaless_reader(body, latest_schema("blood-request-created").load(), None)
    assert str(event["event_id"]) == example["event"]["event_id"]
    assert event["occurred_at"].timestamp() * 1e6 == example["event"]["occurred_at"]


def framed(schema_id, body=b""):
    return FRAME.pack(0, schema_id) + body


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (b"", "undecodable"),
        (b"\x00\x00", "undecodable"),
        (b"\x01" + framed(FIRST_OWN_ID)[1:], "undecodable"),
        (framed(77), "unknown_schema"),
        (bytes(1_000_000), "unknown_schema"),
        (framed(FIRST_OWN_ID + 1), "unknown_schema"),
        (framed(FIRST_OWN_ID), "undecodable"),
        (framed(FIRST_OWN_ID, b"\xff" * 300), "undecodable"),
    ],
    ids=["empty", "short", "wrong magic", "unknown id", "zeros", "another topic's", "truncated", "random"],
)
def test_bytes_that_are_no_event_are_refused_with_a_reason(value, kind):
    with pytest.raises(InvalidRecord) as refused:
        Codec().decode("blood-request-created", value)
    assert refused.value.kind == kind
    assert "\n" not in refused.value.reason


@pytest.mark.parametrize(
    ("topic", "field"),
    [("donor-responded", "wave"), ("blood-request-closed", "units_fulfilled"), ("donor-registered", "total_donations")],
)
def test_an_int_of_more_than_32_bits_is_none(topic, field):
    codec, event = Codec(), json.loads((HERE / "examples" / f"{topic}.v1.json").read_text("utf-8"))["event"]
    for number in (2**31 - 1, -(2**31)):
        assert codec.decode(topic, codec.encode(topic, {**event, field: number}))[field] == number
    for number in (2**31, -(2**31) - 1, 2**40):
        with pytest.raises(InvalidRecord, match=f"{field}: {number} is no int") as refused:
            codec.decode(topic, codec.encode(topic, {**event, field: number}))
        assert refused.value.kind == "undecodable"


def test_every_truncation_and_every_addition_is_refused():
    example = json.loads((HERE / "examples/donor-registered.v1.json").read_text("utf-8"))
    value = bytes.fromhex(example["value_hex"])
    codec = Codec()
    for length in range(len(value)):
        with pytest.raises(InvalidRecord):
            codec.decode("donor-registered", value[:length])
    with pytest.raises(InvalidRecord):
        codec.decode("donor-registered", value + b"\x00")


class NewerRegistry:
    """A registry whose upstream already writes a symbol and a field that this reader doesn't know."""

    def __init__(self):
        self.newer = latest_schema("blood-request-created").load()
        urgency = next(field for field in self.newer["fields"] if field["name"] == "urgency")
        urgency["type"]["symbols"].append("CATASTROPHIC")
        self.newer["fields"].append({"name": "note", "type": ["null", "string"], "default": None})

    def schema(self, schema_id):
        return self.newer if schema_id == 7 else None

    def register(self, subject, schema):
        return {("blood-request-created-value", "BloodRequestCreated"): 3}[subject, schema["name"]]


def test_a_symbol_of_a_newer_writer_becomes_unknown():
    registry = NewerRegistry()
    event = json.loads((HERE / "examples/blood-request-created.v1.json").read_text("utf-8"))["event"]
    body = io.BytesIO()
    fastavro.schemaless_writer(
        body, without_logical_types(registry.newer), {**event, "urgency": "CATASTROPHIC", "note": "soon"}
    )
    read = Codec(registry).decode("blood-request-created", framed(7, body.getvalue()))
    assert read == {**event, "urgency": "UNKNOWN"}


def with_logical_type(schema, path, logical):
    """Return the schema with another logical type of the field that `path` leads to."""
    changed = json.loads(json.dumps(schema))
    at = changed
    for name in path:
        field = next(one for one in at["fields"] if one["name"] == name)
        at = field["type"]
        if isinstance(at, list):
            at = next(branch for branch in at if branch != "null")
        if at.get("type") == "array":
            at = at["items"]
    if logical is None:
        del at["logicalType"]
    else:
        at["logicalType"] = logical
    return changed


WITH_INSTANTS = [
    ("donor-registered", ("occurred_at",), "timestamp-millis"),
    ("donor-registered", ("last_whole_blood_at",), "timestamp-millis"),
    ("donor-registered", ("last_whole_blood_at",), "local-timestamp-micros"),
    ("match-requested", ("request", "required_by"), "timestamp-nanos"),
    ("donation-recorded", ("deferral", "until"), "timestamp-millis"),
]


@pytest.mark.parametrize(("topic", "path", "logical"), WITH_INSTANTS)
def test_a_writer_whose_numbers_mean_something_else_is_refused(topic, path, logical):
    newest = latest_schema(topic).load()
    event = json.loads((HERE / f"examples/{topic}.v1.json").read_text("utf-8"))["event"]
    body = Codec().encode(topic, event)[FRAME.size :]
    for same in (newest, with_logical_type(newest, path, None)):
        assert Codec(OneSchema(same)).decode(topic, framed(7, body)) == event
    with pytest.raises(InvalidRecord, match=f"{path[-1]} is {logical}, not (timestamp-micros|date)") as caught:
        Codec(OneSchema(with_logical_type(newest, path, logical))).decode(topic, framed(7, body))
    assert caught.value.kind == "unknown_schema"


def test_a_writer_has_a_namespace_of_its_own_and_no_other_name():
    topic = "blood-request-created"
    event = json.loads((HERE / f"examples/{topic}.v1.json").read_text("utf-8"))["event"]
    body = Codec().encode(topic, event)[FRAME.size :]
    for ours in ({"namespace": "com.hospital"}, {"name": "com.hospital.BloodRequestCreated"}, {"namespace": ""}):
        assert Codec(OneSchema(latest_schema(topic).load() | ours)).decode(topic, framed(7, body)) == event
    with pytest.raises(InvalidRecord, match="not what blood-request-created carries"):
        Codec(OneSchema(latest_schema(topic).load() | {"name": "BloodRequestClosed"})).decode(topic, framed(7, body))


def test_with_a_registry_its_ids_are_written_and_own_ids_still_read():
    event = json.loads((HERE / "examples/blood-request-created.v1.json").read_text("utf-8"))["event"]
    codec = Codec(NewerRegistry())
    assert FRAME.unpack_from(codec.encode("blood-request-created", event)) == (0, 3)
    assert codec.decode("blood-request-created", Codec().encode("blood-request-created", event)) == event


def test_derived_ids_depend_on_topic_and_answered_event_alone():
    one = derived_event_id("matches", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
    assert one == derived_event_id("matches", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
    assert one != derived_event_id("match-previews", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
    assert one != derived_event_id("matches", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12")
