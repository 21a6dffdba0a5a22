"""Offsets in a transaction that never ends: a worker waits while it may end, then goes on from those before it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.integration.runtime.toy import TOPOLOGY
from tests.integration.runtime.world import World, wait_until

pytestmark = pytest.mark.broker

NUMBER = 1


@contextmanager
def left_open(world: World) -> Iterator[Producer]:
    """Leave a transaction of the group open, with offsets of one number beyond everything, as if nobody would end it.

    A cluster that lost a transaction's end can't be had at will; to a worker it looks like one that goes on.
    """
    at = [TopicPartition(world.cluster.topic(topic), NUMBER) for topic in TOPOLOGY.sources]
    consumer = Consumer(
        {
            "bootstrap.servers": world.cluster.bootstrap_servers,
            "group.id": world.cluster.group("donor-state"),
            "group.protocol": "consumer",
            "group.remote.assignor": "range",
        }
    )
    consumer.subscribe([world.cluster.topic(topic) for topic in TOPOLOGY.sources])
    until = time.monotonic() + 30
    while not consumer.assignment():
        assert time.monotonic() < until
        consumer.poll(0.1)
    producer = Producer(
        {
            "bootstrap.servers": world.cluster.bootstrap_servers,
            "transactional.id": f"{world.cluster.prefix}left-open",
            "transaction.timeout.ms": 600_000,
        }
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    for place in at:
        place.offset = 1_000_000
    producer.send_offsets_to_transaction(at, consumer.consumer_group_metadata(), 30)
    consumer.close()
    yield producer
    producer.abort_transaction(30)


def test_after_its_patience_it_goes_on_from_the_offsets_before(world: World) -> None:
    with world.worker("w0"):
        world.send_some(60)
        world.wait_answered()
    with left_open(world):
        world.send_some(60)
        with world.worker("w0", "--unstable-s", "6"):
            n_open = sum(record.partition == NUMBER for record in world.records("donor-states"))
            n_others = sum(world.n_sent.values()) - 2 * n_open
            assert n_open > 0
            wait_until(lambda: world.n_answered() == n_others + n_open)
            assert b"without its end" not in world.said.read_bytes(), "it waits, and the other numbers don't"
            world.wait_answered()
            world.assert_exactly_once()
            assert world.said.read_bytes().count(b"without its end") == 1


def test_within_its_patience_the_end_is_waited_for(world: World) -> None:
    with world.worker("w0"):
        world.send_some(60)
        world.wait_answered()
    with left_open(world) as producer, world.worker("w0"):
        world.send_some(30)
        wait_until(lambda: world.n_answered() > 60)
        producer.abort_transaction(30)
        world.wait_answered()
        world.assert_exactly_once()
        assert b"without its end" not in world.said.read_bytes()
        producer.begin_transaction()
