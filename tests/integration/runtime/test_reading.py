"""Followers, restoring, stable offsets and partitions, on a real broker."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress

import pytest
from confluent_kafka import Consumer, TopicPartition

from consumers.forwarding import home_partition
from schemas.records import Output, Record
from smartblood import logs
from smartblood.errors import Retryable
from smartblood.kafka import follower as following
from smartblood.kafka.behind import Behind
from smartblood.kafka.client import Cluster, plain_producer
from smartblood.kafka.follower import Follower
from smartblood.kafka.loop import Loop
from smartblood.kafka.offsets import Offsets
from smartblood.kafka.restore import StoreReader
from smartblood.kafka.tail import Tail
from smartblood.kafka.transactions import Transactions
from tests.integration.runtime.toy import Counting
from tests.integration.runtime.world import N_PARTITIONS, World, wait_until

pytestmark = pytest.mark.broker


def no_errors(_: object) -> None:
    pass


def nothing_open(world: World) -> bool:
    """Whether every transaction that was committed can be read by now: its markers come after its commit."""
    places = [("donor-states", number) for number in range(N_PARTITIONS)]
    offsets = Offsets(world.cluster)
    return offsets.last_stable(places) == offsets.high_watermarks(places)


def states(first: int, n: int) -> list[Output]:
    return [Output("donor-states", str(i).encode(), b'{"count": %d}' % i) for i in range(first, first + n)]


@pytest.fixture
def transactions(world: World):
    made = Transactions(world.cluster, "donor-state", "writer", logs.logger(), n_turns=2)
    made.recover()
    yield made
    made.close()


@pytest.fixture
def followed() -> list[Record]:
    return []


@pytest.fixture
def follower(world: World, followed: list[Record]):
    def take_in(records):
        followed.extend(records)
        return []

    made = Follower(world.cluster, "matching", ["donor-states"], take_in, Offsets(world.cluster), no_errors)
    yield made
    made.close()


def test_a_caught_up_follower_has_seen_all_that_could_be_read_and_nothing_uncommitted(
    world: World,
    transactions: Transactions,
    follower: Follower,
    followed: list[Record],
) -> None:
    n_committed = 0
    for _ in range(20):
        transactions.begin()
        transactions.produce(states(n_committed, 3))
        transactions.commit()
        wait_until(lambda: nothing_open(world))
        n_committed += 3
        transactions.begin()
        transactions.produce(states(1_000_000, 3))
        follower.catch_up(10, lambda: None)
        assert sorted(int(record.key) for record in followed) == list(range(n_committed))
        transactions.abort()
    follower.catch_up(10, lambda: None)
    seen = follower.next_offsets()["donor-states"]
    assert all(record.offset < seen[record.partition] for record in followed)
    assert len(seen) == N_PARTITIONS


def test_a_follower_that_an_open_transaction_holds_up_grows_stale(
    world: World, transactions: Transactions, follower: Follower, monkeypatch
) -> None:
    monkeypatch.setattr(following, "REFRESHED_EACH_S", 0.2)
    wait_until(follower.begin)

    def staleness_s(after_s: float) -> float:
        until = time.monotonic() + after_s
        while time.monotonic() < until:
            follower.refresh()
            time.sleep(0.02)
        return follower.staleness_s

    transactions.begin()
    transactions.produce(states(0, 5))
    transactions.commit()
    wait_until(lambda: nothing_open(world))
    assert staleness_s(2) < 1
    transactions.begin()
    transactions.produce(states(5, 5))
    wait_until(lambda: not nothing_open(world))
    staleness_s(1)
    assert staleness_s(2) > 2, "what was written is not seen, though all that is stable is"
    transactions.abort()
    wait_until(lambda: nothing_open(world))
    assert staleness_s(2) < 1


def test_a_follower_begins_at_the_beginning_and_says_when_it_is_whole(
    world: World,
    transactions: Transactions,
    follower: Follower,
    followed: list[Record],
) -> None:
    transactions.begin()
    transactions.produce(states(0, 5000))
    transactions.commit()
    wait_until(lambda: nothing_open(world))
    assert not follower.whole
    wait_until(follower.begin)
    assert len(followed) == 5000


def test_restoring_waits_for_what_a_predecessor_has_in_flight(world: World, transactions: Transactions) -> None:
    restored: list[Record] = []
    transactions.begin()
    transactions.produce(states(0, 100))
    transactions.commit()
    transactions.begin()
    transactions.produce(states(100, 100))
    offsets = Offsets(world.cluster)
    places = [("donor-states", number) for number in range(N_PARTITIONS)]
    wait_until(lambda: sum(offsets.high_watermarks(places).values()) >= 200)

    def take_in(_: int, records: list[Record]) -> list[str]:
        restored.extend(records)
        return []

    reader = StoreReader(world.cluster, "donor-state", "donor-states", take_in, no_errors)
    ends = offsets.high_watermarks(places)
    reader.begin({number: ends["donor-states", number] for number in range(N_PARTITIONS)})
    until = time.monotonic() + 2
    while time.monotonic() < until:
        assert not reader.step()
    assert len(restored) == 100, "the open transaction is not read"
    transactions.commit()
    wait_until(lambda: reader.step() is None or not reader.numbers)
    assert sorted(int(record.key) for record in restored) == list(range(200))
    reader.close()


def test_offsets_in_flight_are_not_taken_for_committed(world: World, transactions: Transactions) -> None:
    """A new owner asks for stable offsets: none are told while a transaction that holds some is open."""
    member = Consumer(
        {
            "bootstrap.servers": world.cluster.bootstrap_servers,
            "group.id": world.cluster.group("donor-state"),
            "isolation.level": "read_committed",
        },
    )
    member.subscribe([world.cluster.topic("donor-registered")])
    wait_until(lambda: member.poll(0.1) is not None or len(member.assignment()) == N_PARTITIONS)
    transactions.begin()
    transactions.produce(states(0, 1))
    transactions.send_offsets({("donor-registered", 0): 17}, member.consumer_group_metadata())
    asked = [TopicPartition(world.cluster.topic("donor-registered"), 0)]
    with pytest.raises(Exception, match=r"(?i)unstable|timed out"):
        member.committed(asked, timeout=0.5)
    transactions.commit()
    assert member.committed(asked, timeout=5)[0].offset == 17
    member.close()


@pytest.mark.parametrize("n_partitions", [4])
def test_partitions_are_those_of_a_real_client(world: World, n_partitions: int) -> None:
    found: dict[bytes, int] = {}
    producer = plain_producer(world.cluster, no_errors)
    keys = [str(key).encode() for key in (*range(500), -1, 2**63 - 1, "1/O_NEG", "ключ")]
    for key in keys:
        producer.produce(
            world.cluster.topic("donation-recorded"),
            b"x",
            key,
            on_delivery=lambda error, record: found.update({record.key(): record.partition()}) if not error else None,
        )
    assert producer.flush(10) == 0
    assert found == {key: home_partition(key, n_partitions) for key in keys}


def test_a_question_to_nobody_is_retryable() -> None:
    with pytest.raises(Retryable):
        Offsets(Cluster("127.0.0.1:9"), timeout_s=0.5).last_stable([("matches", 0)])


def test_a_loop_that_follows_freezes_what_each_batch_saw(world: World, transactions: Transactions) -> None:
    """A request's answer says up to where it saw the followed topic: at least what was committed before it was sent."""
    seen: list[tuple[int, int]] = []

    class Following(Counting):
        def process(self, batch):
            offsets = sum(batch.followed["donor-states"].values())
            seen.extend((event["n_committed"], len(self.followed)) for _, event in batch.inputs)
            assert offsets >= len(self.followed)
            return []

    topology = Counting().topology
    following = Following(
        type(topology)("matching", ("blood-request-created",), ("matches",), followed=("donor-states",))
    )
    world.make("blood-request-created", "matches")
    transactions.begin()
    transactions.produce(states(0, 10))
    transactions.commit()
    wait_until(lambda: nothing_open(world))
    stop = threading.Event()
    loop = Loop(following, world.cluster, "w0")
    thread = threading.Thread(target=loop.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: loop.ready)
        settled = list(following.n_followed_when_settled)
        for number in range(1, 30):
            transactions.begin()
            transactions.produce(states(number * 10, 10))
            transactions.commit()
            wait_until(lambda: nothing_open(world))
            world.send("blood-request-created", "1", event={"n_committed": (number + 1) * 10})
            world.flush()
        wait_until(lambda: len(seen) == 29)
    finally:
        stop.set()
        thread.join(15)
    assert not thread.is_alive()
    assert settled == [10] == following.n_followed_when_settled, "settled once, when all was there, before being ready"
    assert all(in_index >= committed for committed, in_index in seen), json.dumps(seen)


def test_a_tail_reads_everything_from_where_it_began_also_what_comes_while_it_begins(world, monkeypatch):
    ask, ends = Offsets.last_stable, []
    monkeypatch.setattr(Offsets, "last_stable", lambda self, places: ends.append(ask(self, places)) or ends[-1])
    producer = plain_producer(world.cluster, no_errors)
    topic, done, written = world.cluster.topic("donor-states"), threading.Event(), []

    def write():
        while not done.is_set():
            producer.produce(topic, key=b"1", value=b"%d" % len(written))
            producer.flush()
            written.append(len(written))

    writing = threading.Thread(target=write)
    writing.start()
    try:
        wait_until(lambda: len(written) > 100)  # the topic is new: not all of its partitions are led yet
        for _ in range(5):
            read = []
            with Tail(world.cluster, ["donor-states"]) as tail:
                wait_until(lambda tail=tail, read=read: read.extend(tail.read(0.1)) or len(read) > 50)
            began = ends[-1]["donor-states", read[0].partition]
            assert [record.offset for record in read] == list(range(began, began + len(read)))
    finally:
        done.set()
        writing.join()


def test_how_far_a_group_is_behind_is_told_by_offsets(world: World) -> None:
    topics = ("donor-registered", "donation-recorded")
    world.send_some(30)
    ends = Offsets(world.cluster).high_watermarks([(topic, n) for topic in topics for n in range(N_PARTITIONS)])
    properties = {"bootstrap.servers": world.cluster.bootstrap_servers, "group.id": world.cluster.group("donor-state")}
    consumer = Consumer(properties)
    with Behind(world.cluster, "donor-state", topics) as behind:

        def n_left() -> int | None:
            with suppress(Retryable):  # the broker may be loading the groups yet
                return behind.n_offsets()
            return None

        wait_until(lambda: n_left() == sum(ends.values()) == 20)
        left = {place: 1 for place, end in ends.items() if end}
        for slack in (left, {}):
            positions = [
                TopicPartition(world.cluster.topic(topic), n, end - slack.get((topic, n), 0))
                for (topic, n), end in ends.items()
            ]
            consumer.commit(offsets=positions, asynchronous=False)
            assert behind.n_offsets() == sum(slack.values())
    consumer.close()
