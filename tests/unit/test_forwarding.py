import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner import murmur2 as murmur2_of_kafka_python

from consumers.forwarding import dead_letter, forwarded, home_partition, is_left_behind, murmur2
from schemas.records import Output, Record

STRAY = Record("donor-registered", 3, 17, 1_700_000_000_123, b"42", b"\x00value", (("trace", b"\xff\x00"),))


@given(st.binary(max_size=70))
def test_hash_is_that_of_another_client(key: bytes) -> None:
    assert murmur2(key) == murmur2_of_kafka_python(key) & 0xFFFFFFFF


def test_hash_is_javas_also_where_java_has_a_negative_number() -> None:
    # org.apache.kafka.common.utils.UtilsTest.testMurmur2
    of_java = {
        b"21": -973932308,
        b"foobar": -790332482,
        b"a-little-bit-long-string": -985981536,
        b"a-little-bit-longer-string": -1486304829,
        b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
        b"abc": 479470107,
    }
    assert {key: murmur2(key) for key in of_java} == {key: hashed & 0xFFFFFFFF for key, hashed in of_java.items()}


@given(st.binary(max_size=30), st.integers(1, 1000))
def test_a_key_has_one_home_among_its_partitions(key: bytes, n_partitions: int) -> None:
    assert 0 <= home_partition(key, n_partitions) < n_partitions
    assert home_partition(key, n_partitions) == (murmur2_of_kafka_python(key) & 0x7FFFFFFF) % n_partitions


def test_a_stray_is_sent_on_as_it_is_with_the_place_it_came_from() -> None:
    (sent,) = forwarded(STRAY, 5, compacted=False)
    assert sent == Output(
        "donor-registered",
        b"42",
        b"\x00value",
        (("trace", b"\xff\x00"), ("forwarded-from", b"3/17")),
        5,
        1_700_000_000_123,
    )


def test_on_a_compacted_topic_a_null_is_left_that_erases_nobody() -> None:
    sent, left = forwarded(STRAY, 5, compacted=True)
    assert sent.partition == 5
    assert (left.partition, left.key, left.value) == (3, b"42", None)
    assert left.headers == (("forwarded-to", b"5"),)
    read_back = Record(left.topic, 3, 18, 1_700_000_000_123, left.key, left.value, left.headers)
    assert is_left_behind(read_back)


@pytest.mark.parametrize("topic", ["blood-request-created", "donation-recorded", "match-requested"])
def test_where_nothing_is_compacted_no_null_is_left_behind_whatever_its_headers_say(topic: str) -> None:
    claims = Record(topic, 3, 18, 1, b"42", None, (("forwarded-to", b"5"),))
    assert not is_left_behind(claims)


def test_a_null_that_strayed_is_only_sent_on_and_still_erases() -> None:
    (sent,) = forwarded(STRAY._replace(value=None), 5, compacted=True)
    read_back = Record(sent.topic, 5, 1, 1, sent.key, sent.value, sent.headers)
    assert sent.value is None
    assert not is_left_behind(read_back)


def test_a_dead_letter_keeps_key_and_value_and_says_where_they_came_from() -> None:
    letter = dead_letter(STRAY, "donor-state", "value: not\nAvro \udcff", source_topic="prefix-donor-registered")
    assert (letter.topic, letter.key, letter.value) == ("dead-letters", b"42", b"\x00value")
    assert dict(letter.headers) == {
        "source-topic": b"prefix-donor-registered",
        "source-partition": b"3",
        "source-offset": b"17",
        "source-timestamp": b"1700000000123",
        "processor": b"donor-state",
        "error": b"value: not Avro \\udcff",
    }
