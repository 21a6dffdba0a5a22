"""What the loop does with what comes, on a real broker, seen by an independent client."""

from __future__ import annotations

import json
import signal
import threading
import time

import pytest
from kafka import KafkaProducer

from consumers.forwarding import home_partition
from smartblood.kafka.client import Cluster
from smartblood.kafka.loop import Loop
from tests.integration.runtime.toy import TOPOLOGY, Counting
from tests.integration.runtime.world import N_PARTITIONS, World, wait_until

pytestmark = pytest.mark.broker


def test_every_input_has_one_output_and_a_second_run_knows_what_the_first_wrote(world: World) -> None:
    world.send_some(100)
    for _ in range(2):
        with world.worker() as worker:
            world.wait_answered()
            world.assert_exactly_once()
            worker.send_signal(signal.SIGTERM)
            began = time.monotonic()
            assert worker.wait(15) == 0
            assert time.monotonic() - began < 10
        world.send_some(50)
    with world.worker():
        world.wait_answered()
        world.assert_exactly_once()


def test_after_a_restart_nothing_is_said_to_wait_where_nothing_came(world: World) -> None:
    world.send_some(100)
    with world.worker():
        world.wait_answered()
    stop, loop = threading.Event(), Loop(Counting(), world.cluster, "w0")
    thread = threading.Thread(target=loop.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: len(loop._gauges.lags) == N_PARTITIONS * len(TOPOLOGY.sources))
        assert loop._gauges.lags == dict.fromkeys(loop._gauges.lags, 0)
        world.send_some(30)
        world.wait_answered()
        loop._gauges.lags = {}  # until the client tells again, each five seconds
        wait_until(lambda: loop._gauges.lags and not any(loop._gauges.lags.values()))
    finally:
        stop.set()
        thread.join(15)
    assert not thread.is_alive()


def test_garbage_is_refused_once_each_and_everything_else_is_answered(world: World) -> None:
    garbage = [b"garbage", b"\x00" * 1_048_576, b'{"key": "not the key"}', b"\xff\xfe"]
    for value in garbage:
        world.send_some(5)
        world.send("donation-recorded", "3", value=value, timestamp=1_700_000_000_123, headers=[("trace", b"1")])
    world.flush()
    with world.worker():
        world.wait_answered()
        wait_until(lambda: len(world.records("dead-letters")) == len(garbage))
        world.assert_exactly_once()
    letters = world.records("dead-letters")
    assert sorted(letter.value for letter in letters) == sorted(garbage)
    for letter in letters:
        headers = dict(letter.headers)
        assert letter.key == b"3"
        assert headers["source-topic"].decode() == world.cluster.topic("donation-recorded")
        assert int(headers["source-partition"]) == home_partition(b"3", N_PARTITIONS)
        assert headers["source-timestamp"] == b"1700000000123"
        assert headers["processor"] == b"donor-state"
        assert headers["error"]
    assert len({dict(letter.headers)["source-offset"] for letter in letters}) == len(garbage)


def test_strays_are_answered_once_where_they_belong(world: World) -> None:
    world.send_some(30)
    world.send_some(30, at_home=False, timestamp=1_700_000_000_123, headers=[("trace", b"1")])
    with world.worker():
        world.wait_answered()
        world.assert_exactly_once()
    sent_on = [
        record
        for topic in ("donor-registered", "donation-recorded", "donor-responded")
        for record in world.records(topic)
        if dict(record.headers).get("forwarded-from")
    ]
    assert len(sent_on) == 30
    for record in sent_on:
        assert record.timestamp == 1_700_000_000_123
        assert record.headers[0] == ("trace", b"1")
        assert record.partition == home_partition(record.key, N_PARTITIONS)
    left = [record for record in world.records("donor-registered") if record.value is None]
    assert len(left) == 10
    assert all(int(dict(record.headers)["forwarded-to"]) == home_partition(record.key, N_PARTITIONS) for record in left)


def test_a_stray_keeps_its_headers_null_and_empty_ones_too(world: World) -> None:
    headers = [("trace", None), ("empty", b""), ("trace", b"\xff\x00")]
    world.send("donor-responded", "1", at_home=False, headers=headers)
    world.flush()
    with world.worker():
        world.wait_answered()
    strayed, sent_on = sorted(world.records("donor-responded"), key=lambda record: len(record.headers))
    assert [tuple(header) for header in strayed.headers] == headers
    assert [tuple(header) for header in sent_on.headers[:-1]] == headers


@pytest.mark.parametrize(("topic", "value"), [("donor-registered", None), ("donor-responded", b'{"key": 1}')])
def test_a_stray_of_the_epoch_is_not_sent_on_as_of_now(world: World, topic: str, value: bytes | None) -> None:
    home = home_partition(b"1", N_PARTITIONS)
    producer = KafkaProducer(bootstrap_servers=world.cluster.bootstrap_servers)
    wrong = (home + 1) % N_PARTITIONS
    producer.send(world.cluster.topic(topic), value, b"1", partition=wrong, timestamp_ms=0).get(30)
    producer.close()
    with world.worker():
        wait_until(lambda: world.n_answered() == 1)
    found = {record.partition: record.timestamp for record in world.records(topic) if record.value == value}
    assert found[home] == 1, "0 is 'now' to librdkafka"


def test_a_null_that_strayed_is_sent_on_and_leaves_nothing(world: World) -> None:
    home = home_partition(b"1", N_PARTITIONS)
    world.send("donor-registered", "1", value=None, at_home=False)
    world.flush()
    with world.worker():
        wait_until(lambda: world.n_answered() == 1)
    records = world.records("donor-registered")
    assert sorted(record.partition for record in records) == sorted({home, (home + 1) % N_PARTITIONS})
    assert all(record.value is None for record in records)


def test_records_that_make_our_code_fail_are_found_and_the_others_answered(world: World) -> None:
    for number in range(4):
        world.send_some(20)
        world.send("donor-responded", "2", event={"poison": True})
        world.n_sent["2"] -= 1
        world.send_some(20 + number)
    world.flush()
    with world.worker():
        world.wait_answered()
        wait_until(lambda: len(world.records("dead-letters")) == 4)
        world.assert_exactly_once()
    for letter in world.records("dead-letters"):
        assert json.loads(letter.value)["poison"]
        assert b"ValueError at tests/integration/runtime/toy.py" in dict(letter.headers)["error"]


def test_a_release_that_fails_on_everything_stops_and_drains_nothing(world: World) -> None:
    for _ in range(50):
        world.send("donor-responded", "2", event={"poison": True})
    world.flush()
    with world.worker() as worker:
        assert worker.wait(30) == 3
        assert b"go back to the release before" in world.said.read_bytes()
    assert world.records("dead-letters") == []


def test_of_two_workers_with_one_slot_one_stops_and_says_why(world: World) -> None:
    with world.worker("twin") as first, world.worker("twin") as second:
        until = time.monotonic() + 60
        while first.poll() is None and second.poll() is None:
            world.send_some(12)
            time.sleep(0.2)
            assert time.monotonic() < until
        gone = first if first.poll() is not None else second
        assert gone.returncode == 3
        assert b"SMARTBLOOD_SLOT" in world.said.read_bytes()
        world.send_some(12)
        world.wait_answered(60)
        world.assert_exactly_once()


def test_partitions_are_shared_out_by_number_and_move_with_their_memory(world: World) -> None:
    with world.worker("w0"):
        world.send_some(40)
        world.wait_answered()
        with world.worker("w1") as second:
            for _ in range(5):
                world.send_some(40)
                time.sleep(0.5)
            world.wait_answered()
            world.assert_exactly_once()
            second.send_signal(signal.SIGTERM)
            assert second.wait(15) == 0
        world.send_some(40)
        world.wait_answered()
        world.assert_exactly_once()


def test_a_worker_waits_for_a_broker_that_is_not_there_and_stops_when_told(world: World) -> None:
    world.cluster = Cluster("127.0.0.1:9", "x.")
    with world.worker() as worker:
        time.sleep(3)
        assert worker.poll() is None
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(10) == 0


def test_missing_topics_stop_with_what_to_do(world: World) -> None:
    world.cluster = Cluster(world.cluster.bootstrap_servers, "no-such-prefix.")
    with world.worker() as worker:
        assert worker.wait(20) == 3
        assert b"topics create" in world.said.read_bytes()


@pytest.mark.parametrize("uneven", ["donation-recorded", "donor-states"], ids=["a source", "the store"])
def test_topics_of_different_numbers_of_partitions_stop_with_one_line(world: World, uneven: str) -> None:
    world.cluster = Cluster(world.cluster.bootstrap_servers, f"{world.cluster.prefix}uneven-")
    numbers = {topic: 3 if topic == uneven else 2 for topic in (*TOPOLOGY.sources, "donor-states")}
    for topic, number in numbers.items():
        world.make(topic, n_partitions=number)
    with world.worker() as worker:
        assert worker.wait(20) == 3
    [line] = world.said.read_text("utf-8").splitlines()
    assert line == (
        f"fatal: donor-state needs one number of partitions among its topics, but they have {numbers}: "
        "see `smartblood topics check`"
    )
