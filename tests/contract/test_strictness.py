"""The codec reads what some writer of Avro may have written, and nothing else."""

from __future__ import annotations

import io
import json

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.index.avro_columns import ColumnDecoder
from schemas.catalogue import HERE, latest_schema, schema_files
from schemas.codec import FRAME, Codec
from schemas.errors import InvalidRecord
from schemas.logical_types import without_logical_types
from schemas.strict import Unlawful, walk_of
from tests.oracle import avro
from tests.registry_double import OneSchema

CODEC = Codec()
FILES = {file.path: file for file in schema_files()}
PATHS = sorted(FILES)


def example(path):
    found = json.loads((HERE / "examples" / f"{path.removeprefix('events/').removesuffix('.avsc')}.json").read_text())
    if "memory" in found["event"]:
        found["event"]["memory"] = found["event"]["memory"].encode()
    return found["event"], bytes.fromhex(found["value_hex"])


def read_plainly(path, value):
    """The event by its writer's schema alone; None where there is none."""
    try:
        return avro.Reader(FILES[path].load(), value[FRAME.size :]).value
    except avro.Unlawful:
        return None


def decoded(path, value):
    try:
        return CODEC.decode(FILES[path].topic, value)
    except InvalidRecord as refused:
        error = refused
    assert error.kind == "undecodable"
    assert "\n" not in error.reason
    return None


def peculiar(path, event, choose):
    return FRAME.pack(0, FILES[path].schema_id) + avro.Writer(choose).write(FILES[path].load(), event)


@pytest.mark.parametrize("path", PATHS)
@given(st.data())
@settings(max_examples=40, deadline=None)
def test_whatever_a_writer_chooses_is_read(path, data):
    event, usual = example(path)
    value = peculiar(path, event, lambda n: data.draw(st.integers(0, n - 1)))
    assert read_plainly(path, value) == event
    assert decoded(path, value) == decoded(path, usual) is not None


@pytest.mark.parametrize("path", PATHS)
@given(st.data())
@settings(max_examples=200, deadline=None)
def test_mangled_bytes_are_read_exactly_where_a_strict_reader_reads_them(path, data):
    event, usual = example(path)
    value = bytearray(
        peculiar(path, event, lambda n: data.draw(st.integers(0, n - 1))) if data.draw(ONE_IN_4) else usual
    )
    for _ in range(data.draw(st.integers(1, 3))):
        mangle(value, data.draw)
    value = bytes(value)
    expected, found = read_plainly(path, value), decoded(path, value)
    assert (found is None) == (expected is None)
    if expected is not None and latest_schema(FILES[path].topic) == FILES[path]:
        assert repr(found) == repr(expected)  # NaN is written like NaN


ONE_IN_4 = st.sampled_from([False, False, False, True])
SMALL = st.integers(0, 7)
BYTES = SMALL | st.integers(0x7E, 0x81) | st.integers(0, 255)


def mangle(value, draw):
    place = draw(st.integers(FRAME.size, len(value)))
    match draw(st.sampled_from(["set", "flip", "cut", "add", "lengthen"])):
        case "set":
            value[place : place + 1] = [draw(BYTES)]
        case "flip" if place < len(value):
            value[place] ^= 1 << draw(SMALL)
        case "cut":
            del value[place : place + draw(st.integers(1, 3))]
        case "add":
            value[place:place] = draw(st.binary(min_size=1, max_size=3))
        case _ if place < len(value):  # where a number ends here, it has more bytes than it needs
            value[place] |= 0x80
            value[place + 1 : place + 1] = b"\x80" * draw(st.integers(0, 9)) + bytes(
                [draw(st.sampled_from([0, 0, 1, 2]))]
            )


REQUEST = "events/blood-request-created.v1.avsc"
PROFILE = "events/donor-registered.v1.avsc"


ITEM_60 = b"\x0eitem 60\x00"


@pytest.mark.parametrize(
    ("path", "field", "content", "why"),
    [
        (REQUEST, "urgency", b"\x01", "there is no symbol -1 of 5"),
        (REQUEST, "urgency", b"\x0a", "there is no symbol 5 of 5"),
        (REQUEST, "urgency", b"\x82\x80\x80\x80\x80\x00", "1 is no int of 32 bits"),
        (REQUEST, "patient_age", b"\x01\x02", "there is no branch -1 of 2"),
        (REQUEST, "patient_age", b"\x04\x02", "there is no branch 2 of 2"),
        (REQUEST, "patient_anti_d", b"\x02", "a boolean of 2"),
        (REQUEST, "clinician_sign_off", b"\xff", "a boolean of 255"),
        (REQUEST, "units_required", b"\x80\x80\x80\x80\x10", "2147483648 is no int of 32 bits"),
        (REQUEST, "hospital_id", b"\x82" + b"\x80" * 8 + b"\x02", "9223372036854775809 is no long of 64 bits"),
        (REQUEST, "hospital_id", b"\x80" * 10 + b"\x00", "a number without an end is no long of 64 bits"),
        (REQUEST, "district", b"\x01", "-1 bytes of which"),
        (REQUEST, "district", b"\x04\xc3\x28", "no UTF-8"),
        (REQUEST, "district", b"\x06\xed\xa0\x80", "no UTF-8"),
        (PROFILE, "deferrals", b"\x01\x10" + ITEM_60 + b"\x00", "a block of 9 bytes that says 8"),
        (PROFILE, "deferrals", b"\x01\x11" + ITEM_60 + b"\x00", "a block of 9 bytes that says -9"),
        (PROFILE, "deferrals", b"\xff" * 9 + b"\x01\x00\x00", f"{2**63} items in 1 bytes"),
        (PROFILE, "deferrals", b"\x02\x0eitem 60\x03\x00", "until: there is no branch -2 of 2"),
    ],
)
def test_what_is_wrong_is_said_with_the_field(path, field, content, why):
    event, _ = example(path)
    value = FRAME.pack(0, FILES[path].schema_id) + avro.Forger(field, lambda _: content).write(
        FILES[path].load(), event
    )
    with pytest.raises(InvalidRecord) as refused:
        CODEC.decode(FILES[path].topic, value)
    assert refused.value.kind == "undecodable"
    separator = "." if why.startswith("until") else ": "
    assert refused.value.reason.startswith(
        f"value: not Avro of schema {FILES[path].schema_id}: {field}{separator}{why}"
    )


def forged(path, field, forge):
    return FRAME.pack(0, FILES[path].schema_id) + avro.Forger(field, forge).write(FILES[path].load(), example(path)[0])


FORGERIES = [
    (path, *one)
    for path in PATHS
    for one in avro.forgeries(FILES[path].load())
    if forged(path, *one[1:]) != example(path)[1]  # where it is, the example has no such field
]


@pytest.mark.parametrize(("path", "what", "field", "forge"), FORGERIES, ids=[" ".join(one[:3]) for one in FORGERIES])
def test_what_no_writer_writes_is_refused_in_each_field(path, what, field, forge):
    value = forged(path, field, forge)
    assert read_plainly(path, value) is None, what
    assert decoded(path, value) is None


NODE = {
    "type": "record",
    "name": "Node",
    "namespace": "of.tests",
    "fields": [
        {"name": "digest", "type": {"type": "fixed", "name": "Digest", "size": 3}},
        {"name": "counts", "type": {"type": "map", "values": "long"}},
        {"name": "choice", "type": ["string", "int", "null", "Digest"]},
        {"name": "flags", "type": {"type": "array", "items": "boolean"}},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": [f"S{n}" for n in range(70)]}},
        {"name": "weight", "type": ["null", "float"]},
        {"name": "below", "type": {"type": "array", "items": "Node"}},
    ],
}
NODE_WALK = walk_of(fastavro.parse_schema(NODE))
LEAF = {
    "digest": b"abc",
    "counts": {"a": 1, "ä": -(2**63)},
    "choice": "so",
    "flags": [True] * 3,
    "kind": "S69",
    "weight": 1.5,
    "below": [],
}


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_schemas_of_a_registry_may_have_all_types(data):
    node = {**LEAF, "choice": data.draw(st.sampled_from(["so", "long " * 20, 5, None, b"abc"])), "below": [LEAF, LEAF]}
    node |= {
        "flags": data.draw(st.lists(st.booleans(), max_size=70)),
        "kind": data.draw(st.sampled_from(["S0", "S63", "S64"])),
    }
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(NODE), node)
    assert NODE_WALK(body.getvalue(), 0) == len(body.getvalue())
    value = bytearray(FRAME.size) + body.getvalue()
    for _ in range(data.draw(st.integers(1, 3))):
        mangle(value, data.draw)
    content = bytes(value[FRAME.size :])
    try:
        is_lawful = NODE_WALK(content, 0) == len(content)
    except Unlawful:
        is_lawful = False
    try:
        avro.Reader(NODE, content)
    except avro.Unlawful:
        assert not is_lawful
    else:
        assert is_lawful


@pytest.mark.parametrize(
    ("type_", "lawful", "wrong"),
    [
        ("boolean", b"\x01", b"\x02"),
        ("string", b"\x04\xc3\xa4", b"\x04\xc3\x28"),
        (["null", "string"], b"\x02\x02x", b"\x01\x02x"),
        ({"type": "array", "items": "boolean"}, b"\x01\x02\x00\x00", b"\x01\x02\x07\x00"),
        ({"type": "array", "items": "boolean"}, b"\x04\x00\x01\x00", b"\x02\x07\x00"),
        ({"type": "array", "items": "double"}, b"\x02" + bytes(8) + b"\x00", b"\x02" + bytes(7) + b"\x00"),
        ({"type": "error", "name": "Wrong", "fields": [{"name": "why", "type": "string"}]}, b"\x02x", b"\x04x"),
        ({"type": "array", "items": {"type": "fixed", "name": "Large", "size": 70_000_000}}, b"\x00", b"\x02\x00"),
        ({"type": "fixed", "name": "Empty", "size": 0}, b"", b"x"),
        ({"type": "array", "items": "string"}, b"\x01\x04\x02x\x00", b"\x01\x06\x02x\x00\x00"),
        ("double", bytes(8), bytes(7)),
    ],
    ids=str,
)
def test_what_only_a_newer_writer_knows_is_lawful_too(type_, lawful, wrong):
    event, usual = example(REQUEST)
    newer = without_logical_types(FILES[REQUEST].load())
    newer["fields"].append({"name": "news", "type": type_})
    codec = Codec(OneSchema(newer))
    assert codec.decode("blood-request-created", FRAME.pack(0, 7) + usual[FRAME.size :] + lawful) == event
    with pytest.raises(InvalidRecord) as refused:
        codec.decode("blood-request-created", FRAME.pack(0, 7) + usual[FRAME.size :] + wrong)
    assert refused.value.kind == "undecodable"


@pytest.mark.parametrize(
    "type_", ["nothing", {"type": "enum", "name": "E"}, {"type": "array"}, {"type": ["null", "int"]}, 7], ids=str
)
def test_a_schema_that_is_none_refuses_its_records_and_no_more(type_):
    event, usual = example(REQUEST)
    newer = without_logical_types(FILES[REQUEST].load())
    newer["fields"].append({"name": "news", "type": type_})
    codec = Codec(OneSchema(newer))
    with pytest.raises(InvalidRecord) as refused:
        codec.decode("blood-request-created", FRAME.pack(0, 7) + usual[FRAME.size :])
    assert refused.value.kind == "unknown_schema"
    assert codec.decode("blood-request-created", usual) == event


COLUMNS = [path for path in PATHS if "donor-states.v2" in path or "donor-responded" in path or path == PROFILE]


@pytest.mark.parametrize("path", COLUMNS)
@given(st.data())
@settings(max_examples=300, deadline=None)
def test_columns_are_read_where_a_strict_reader_reads(path, data):
    """But for texts, which no column has."""
    event, usual = example(path)
    value = bytearray(
        peculiar(path, event, lambda n: data.draw(st.integers(0, n - 1))) if data.draw(ONE_IN_4) else usual
    )
    for _ in range(data.draw(st.integers(0, 3))):
        mangle(value, data.draw)
    schema = json.loads(json.dumps(FILES[path].load()).replace('"string"', '"bytes"'))
    try:
        avro.Reader(schema, bytes(value[FRAME.size :]))
        is_lawful = True
    except avro.Unlawful:
        is_lawful = False
    assert ColumnDecoder(FILES[path].load()).decode([usual, bytes(value), usual], FRAME.size).is_read.tolist() == [
        True,
        is_lawful,
        True,
    ]
