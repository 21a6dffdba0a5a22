"""Bodies read into columns against the codec, which reads them one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.index.avro_columns import NULL, ColumnDecoder
from schemas.catalogue import latest_schema
from schemas.codec import FRAME, Codec
from schemas.errors import InvalidRecord
from schemas.logical_types import without_logical_types
from tests.oracle import worlds

CODEC = Codec()
SCHEMA = without_logical_types(latest_schema("donor-states").load())
DECODER = ColumnDecoder(SCHEMA)
LISTS = {
    "apheresis": ("given_at", "red_cells_returned"),
    "deferrals": ("until",),
    "promises": ("request_id", "promised_at"),
    "asked": ("request_id", "responded_at"),
}


def row_of(decoded, row):
    """What the columns say of one body, field by field."""
    said = {name: int(decoded.numbers[place, row]) for name, place in DECODER.numbers.items()}
    said |= {name: float(decoded.double_bits.view(np.float64)[place, row]) for name, place in DECODER.doubles.items()}
    for name, fields in LISTS.items():
        start, n = (int(part[DECODER.lists[name], row]) for part in (decoded.starts, decoded.n_items))
        said[name] = decoded.items[start : start + n * len(fields)].reshape(n, len(fields)).tolist()
    return said


def expected(state):
    enums = {field["name"]: field["type"]["symbols"] for field in SCHEMA["fields"] if "symbols" in str(field["type"])}
    said = {}
    for name in DECODER.numbers:
        value = enums[name].index(state[name]) if name in enums else state.get(name)
        said[name] = NULL if value is None else int(value)
    said |= {name: float("nan") if state.get(name) is None else state[name] for name in DECODER.doubles}
    for name, fields in LISTS.items():
        items = [[one[field] for field in fields] for one in state[name]]
        said[name] = [[NULL if value is None else int(value) for value in item] for item in items]
    return said


def test_columns_say_what_the_codec_says():
    rng = worlds.generator(1)
    states = [worlds.donor_state(rng, int(rng.integers(-(2**62), 2**62))) for _ in range(300)]
    decoded = DECODER.decode([CODEC.encode("donor-states", one) for one in states], FRAME.size)
    assert decoded.is_read.all()
    for row, one in enumerate(states):
        np.testing.assert_equal(row_of(decoded, row), expected(one))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_what_is_read_of_mangled_bytes_is_what_the_codec_reads(data):
    state = worlds.donor_state(worlds.generator(data.draw(st.integers(0, 20))), 1)
    value = bytearray(CODEC.encode("donor-states", state))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(FRAME.size, len(value) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "add"])):
            case "flip":
                value[place] = data.draw(st.integers(0, 255))
            case "cut":
                del value[place : place + data.draw(st.integers(1, 3))]
            case _:
                value[place:place] = data.draw(st.binary(min_size=1, max_size=3))
        if len(value) <= FRAME.size:
            break
    sound = CODEC.encode("donor-states", state)
    decoded = DECODER.decode([sound, bytes(value), sound], FRAME.size)
    assert decoded.is_read[[0, 2]].all()
    np.testing.assert_equal(row_of(decoded, 2), expected(state))
    try:
        event = CODEC.decode("donor-states", bytes(value))
    except InvalidRecord:
        return
    if decoded.is_read[1]:
        np.testing.assert_equal(row_of(decoded, 1), expected(event))


@pytest.mark.parametrize("value", [b"", b"\xff" * 40, b"\0" * 5, b"\x02" * 500])
def test_bytes_that_are_no_body_are_marked(value):
    assert not DECODER.decode([value], 0).is_read.any()


def test_no_values_are_no_rows():
    assert DECODER.decode([], FRAME.size).is_read.shape == (0,)


def test_a_type_that_has_no_column_is_refused():
    for of in ("float", {"type": "map", "values": "int"}, ["null", "string", "int"], ["int", "null"]):
        with pytest.raises(ValueError, match="there are no columns"):
            ColumnDecoder({"fields": [{"name": "x", "type": of}]})
