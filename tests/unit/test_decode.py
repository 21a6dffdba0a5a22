"""What ``smartblood decode`` shows of a record."""

from __future__ import annotations

from schemas.codec import Codec
from schemas.records import Record
from smartblood.cli.decode import shown


def test_a_header_that_is_there_once_is_a_value_and_one_that_repeats_is_a_list_in_order():
    headers = (("trace", b"a"), ("source", b"x"), ("trace", b"b"), ("trace", None), ("empty", None), ("raw", b"\xff"))
    record = Record("dead-letters", 0, 1, 2, b"key", b"value", headers)
    assert shown(record, Codec())["headers"] == {
        "trace": ["a", "b", None],
        "source": "x",
        "empty": None,
        "raw": {"base64": "/w=="},
    }
