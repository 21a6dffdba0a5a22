import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.forwarding import home_partition
from schemas.errors import InvalidRecord
from schemas.records import Output, Record
from smartblood.errors import Retryable
from smartblood.kafka.batches import (
    Item,
    Pace,
    UndeclaredTopicError,
    Writing,
    cut,
    first_offsets,
    in_order,
    look_at,
    next_offsets,
)
from tests.integration.runtime.toy import TOPOLOGY, Counting

RECORDS = st.builds(
    Record,
    st.sampled_from(TOPOLOGY.sources),
    st.integers(0, 3),
    st.integers(0, 50),
    st.just(0),
    st.just(b"1"),
    st.just(b"{}"),
)


def record(key: str, value: bytes | None, n_partitions: int = 4, **changes) -> Record:
    home = home_partition(key.encode(), n_partitions)
    return Record("donor-registered", home, 7, 1000, key.encode(), value)._replace(**changes)


@given(st.lists(RECORDS, unique_by=lambda each: each[:3]))
def test_a_batch_takes_topics_in_the_order_of_the_sources_and_partitions_by_offset(records: list[Record]) -> None:
    places = [(TOPOLOGY.sources.index(each.topic), each.partition, each.offset) for each in in_order(records, TOPOLOGY)]
    assert places == sorted(places)
    assert len(places) == len(records)


@given(st.lists(RECORDS, unique_by=lambda each: each[:3], min_size=1))
def test_offsets_to_commit_and_to_go_back_to_enclose_the_batch(records: list[Record]) -> None:
    for each in records:
        assert first_offsets(records)[each.topic, each.partition] <= each.offset
        assert next_offsets(records)[each.topic, each.partition] > each.offset
    assert {(t, p, o - 1) for (t, p), o in next_offsets(records).items()} <= {each[:3] for each in records}


@given(st.lists(st.integers(1, 100), min_size=1), st.integers(1, 200))
def test_a_batch_has_as_much_work_as_is_allowed_and_at_least_one_record(works: list[int], work_max: int) -> None:
    n = cut([Item(record("1", b"{}"), work=work) for work in works], work_max)
    assert n >= 1
    assert n == 1 or sum(works[:n]) <= work_max
    assert n == len(works) or sum(works[: n + 1]) > work_max


def test_pace_bounds_work_by_the_time_it_lately_took() -> None:
    pace = Pace(work_max=10_000, batch_s=0.5)
    assert pace.limit == 10_000
    pace.note(1000, 1.0)
    assert pace.limit == pytest.approx(500)
    pace.note(10, 100.0)
    assert pace.limit == pytest.approx(500), "a few records say little"
    for _ in range(100):
        pace.note(1000, 0.001)
    assert pace.limit == 10_000


def test_what_is_valid_and_at_home_is_an_input() -> None:
    item = look_at(Counting(), record("1", b'{"key": 1}'), 4)
    assert item.is_input
    assert item.event == {"key": 1}


def test_what_is_invalid_is_refused_also_where_it_is_a_stray() -> None:
    item = look_at(Counting(), record("1", b"garbage", partition=(home_partition(b"1", 4) + 1) % 4), 4)
    assert item.error is not None
    assert item.error.kind == "undecodable"
    (letter,) = Writing(TOPOLOGY, "p.").besides([item])
    assert letter.topic == "dead-letters"
    assert dict(letter.headers)["source-topic"] == b"p.donor-registered"


def test_what_is_valid_elsewhere_is_sent_home() -> None:
    home = home_partition(b"1", 4)
    item = look_at(Counting(), record("1", b'{"key": 1}', partition=(home + 1) % 4), 4)
    assert not item.is_input
    sent, left = Writing(TOPOLOGY).besides([item])
    assert (sent.partition, left.partition) == (home, (home + 1) % 4)


def test_a_null_left_behind_is_skipped_and_answered_by_nothing() -> None:
    left = record("1", None, partition=(home_partition(b"1", 4) + 1) % 4, headers=(("forwarded-to", b"0"),))
    item = look_at(Counting(), left, 4)
    assert not item.is_input
    assert Writing(TOPOLOGY).besides([item]) == []


def test_a_null_that_claims_to_be_left_behind_where_nothing_is_compacted_is_refused() -> None:
    class Refusing(Counting):
        def read(self, record):
            reason = "value: null"
            raise InvalidRecord(reason, kind="undecodable")

    claims = record("1", None, topic="donation-recorded", headers=(("forwarded-to", b"0"),))
    item = look_at(Refusing(), claims, 4)
    assert not item.skipped
    assert [letter.topic for letter in Writing(TOPOLOGY).besides([item])] == ["dead-letters"]


def test_a_failure_of_ours_while_decoding_is_a_dead_letter_that_quotes_nothing() -> None:
    class Broken(Counting):
        def read(self, record):
            raise KeyError(record.key, "a deferral")

    item = look_at(Broken(), record("1", b"{}"), 4)
    assert item.ours
    assert item.error is not None
    assert "KeyError at tests/unit/kafka/test_batches.py:" in item.error.reason
    assert "deferral" not in item.error.reason


@pytest.mark.parametrize("error", [AssertionError, MemoryError, Retryable])
def test_what_is_not_about_one_record_is_passed_on(error: type[Exception]) -> None:
    class Broken(Counting):
        def read(self, record):
            raise error

    with pytest.raises(error):
        look_at(Broken(), record("1", b"{}"), 4)


def test_a_dead_letter_larger_than_the_broker_takes_leaves_the_value_out_and_says_so() -> None:
    writing = Writing(TOPOLOGY, bytes_max={"dead-letters": 2000})
    assert writing.dead_letter(record("1", b"x" * 1000), "bad").value == b"x" * 1000
    letter = writing.dead_letter(record("1", b"x" * 2000), "bad")
    assert letter.value is None
    assert b"2000 bytes" in dict(letter.headers)["error"]


def test_writing_where_there_is_no_edge_fails() -> None:
    writing = Writing(TOPOLOGY)
    good = [Output("donor-states", b"1", b"x")]
    assert writing.checked(good) == good
    with pytest.raises(UndeclaredTopicError, match="matches"):
        writing.checked([Output("matches", b"1", b"x")])


def test_an_invalid_record_keeps_its_own_words() -> None:
    class Refusing(Counting):
        def read(self, record):
            reason = "units_required: 0 is not 1 to 100"
            raise InvalidRecord(reason, kind="range")

    (letter,) = Writing(TOPOLOGY).besides([look_at(Refusing(), record("1", b"{}"), 4)])
    assert dict(letter.headers)["error"] == b"units_required: 0 is not 1 to 100"
