"""Sizes as another client's encoder has them, and what is done where they are too large."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.record.default_records import DefaultRecordBatchBuilder

from consumers.forwarding import home_partition
from schemas.records import Output, Record
from smartblood.kafka.batches import Item, Writing, look_at
from smartblood.kafka.sizes import TooLarge, fits, n_bytes
from tests.integration.runtime.toy import TOPOLOGY, Counting

TEXTS = st.none() | st.binary(max_size=300) | st.integers(0, 40_000).map(lambda n: b"x" * n)
HEADERS = st.lists(st.tuples(st.text(max_size=80), st.none() | st.binary(max_size=200)), max_size=70)


@given(TEXTS, TEXTS, HEADERS)
def test_sizes_are_those_of_another_client(key: bytes | None, value: bytes | None, headers: list) -> None:
    output = Output("matches", key, value, tuple(headers), timestamp_ms=1_790_000_000_000)
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=True,
        producer_id=7,
        producer_epoch=0,
        base_sequence=0,
        batch_size=1_000_000,
    )
    builder.append(0, 1_790_000_000_000, key, value, headers)
    size = len(builder.build())
    assert n_bytes(output) == size
    assert fits(output, size)
    assert not fits(output, size - 1)


def stray(value: bytes, topic: str = "donor-responded") -> Record:
    home = home_partition(b"1", 4)
    return Record(topic, (home + 1) % 4, 17, 1000, b"1", value)


def test_a_stray_is_sent_on_as_long_as_it_fits_with_one_header_more() -> None:
    record = stray(b'{"key": 1}' + b" " * 5_000)
    item = look_at(Counting(), record, 4)
    (sent,) = Writing(TOPOLOGY).besides([item])
    enough = Writing(TOPOLOGY, bytes_max={record.topic: n_bytes(sent)})
    assert enough.besides([enough.way_home(item)]) == [sent]
    short = Writing(TOPOLOGY, bytes_max={record.topic: n_bytes(sent) - 1})
    refused = short.way_home(item)
    assert not refused.is_input
    assert not refused.ours
    (letter,) = short.besides([refused])
    assert (letter.topic, letter.value) == ("dead-letters", record.value)
    assert b"wrong partition" in dict(letter.headers)["error"]


def test_what_is_at_home_goes_no_way() -> None:
    item = Item(stray(b"x" * 2_000_000), {"key": 1})
    assert Writing(TOPOLOGY).way_home(item) is item


def test_a_dead_letter_leaves_out_what_is_largest() -> None:
    writing = Writing(TOPOLOGY, bytes_max={"dead-letters": 2_000})
    record = stray(b"x" * 10)._replace(key=b"k" * 3_000)
    letter = writing.dead_letter(record, "bad")
    assert (letter.key, letter.value) == (None, b"x" * 10)
    assert b"the key's 3000 bytes" in dict(letter.headers)["error"]
    letter = writing.dead_letter(record._replace(value=b"x" * 4_000), "bad")
    assert (letter.key, letter.value) == (None, None)


def test_what_is_too_large_says_where_and_by_how_much() -> None:
    writing = Writing(TOPOLOGY, bytes_max={"donor-states": 1_000})
    with pytest.raises(TooLarge, match="donor-states takes 1000") as raised:
        writing.checked([Output("donor-states", b"1", b"x" * 2_000)])
    assert raised.value.kind == "size"
