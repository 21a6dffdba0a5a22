"""The driver answers records as the loop does: refusals, strays, undeclared topics, restarts."""

import json

import pytest

from consumers.driver import Driver, UndeclaredTopicError
from consumers.forwarding import home_partition
from consumers.topology import Topology
from consumers.validation import checked, not_null
from schemas.catalogue import HERE
from schemas.codec import Codec
from schemas.records import Output


class Echo:
    """Writes a request's state for each request, or to whatever topic it is told."""

    topology = Topology("matching", ("blood-request-created",), ("request-states",), "request-states", forwards=True)

    def __init__(self, writes="request-states"):
        self.codec, self.writes, self.memory, self.staged = Codec(), writes, {}, {}

    def read(self, record):
        return checked(record, self.codec.decode(record.topic, not_null(record)))

    def work(self, item):
        return 1

    def process(self, batch):
        self.staged = {item.record.key: item.record.value for item in batch.inputs}
        return [Output(self.writes, item.record.key, b"seen") for item in batch.inputs]

    def keep(self):
        self.memory |= self.staged

    def drop(self):
        self.staged = {}

    def restore(self, partition, records):
        self.memory |= {record.key: record.value for record in records}
        return []

    def revoke(self, partitions):
        self.memory.clear()

    def follow(self, records):
        return []

    def settle(self):
        pass


@pytest.fixture
def request_event():
    return json.loads((HERE / "examples/blood-request-created.v1.json").read_text("utf-8"))["event"]


def test_a_record_is_answered_and_remembered_after_a_restart(request_event):
    echo = Echo()
    driver = Driver([echo], n_partitions=3)
    driver.send("blood-request-created", "1001", request_event)
    driver.run()
    assert [record.key for record in driver.records("request-states")] == [b"1001"]
    driver.restart(echo)
    assert echo.memory == {b"1001": b"seen"}


def test_a_refused_record_becomes_a_dead_letter_that_says_where_it_lay(request_event):
    driver = Driver([Echo()], n_partitions=3)
    driver.send("blood-request-created", "7", request_event, partition=2)
    driver.run()
    (letter,) = driver.records("dead-letters")
    headers = dict(letter.headers)
    assert (letter.key, headers["source-topic"], headers["source-partition"]) == (b"7", b"blood-request-created", b"2")
    assert headers["error"].startswith(b"key: ")
    assert driver.records("request-states") == []


def test_a_stray_is_sent_on_and_answered_once(request_event):
    driver = Driver([Echo()], n_partitions=3)
    home = home_partition(b"1001", 3)
    driver.send("blood-request-created", "1001", request_event, partition=(home + 1) % 3)
    driver.run()
    assert [record.partition for record in driver.records("request-states")] == [home]
    forwarded = [record for record in driver.records("blood-request-created") if record.headers]
    assert [(record.partition, dict(record.headers)) for record in forwarded] == [
        (home, {"forwarded-from": f"{(home + 1) % 3}/0".encode()})
    ]


def test_writing_to_an_undeclared_topic_fails(request_event):
    driver = Driver([Echo(writes="matches")])
    driver.send("blood-request-created", "1001", request_event)
    with pytest.raises(UndeclaredTopicError, match="matching wrote to matches"):
        driver.run()


def test_a_topology_is_checked_against_the_catalogue():
    with pytest.raises(ValueError, match="reads forecast-triggered"):
        Topology("matching", ("forecast-triggered",), ())
    with pytest.raises(ValueError, match="writes donor-states"):
        Topology("matching", ("blood-request-created",), ("donor-states",))
