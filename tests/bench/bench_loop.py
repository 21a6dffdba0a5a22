"""The loop alone, with a processor that only counts: what exactly-once costs on this machine's own broker.

Run by ``make bench``; ``BENCH_LOOP_RECORDS`` and ``BENCH_LOOP_SECONDS`` make it shorter.
"""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Self

import pytest

from schemas.records import Record
from smartblood import metrics
from smartblood.kafka.client import Cluster, plain_producer, reader
from smartblood.kafka.follower import Follower
from smartblood.kafka.loop import Loop
from smartblood.kafka.messages import drain, sorted_out
from smartblood.kafka.offsets import Offsets
from smartblood.kafka.tuning import Tuning
from tests.bench.report import print_table, spread
from tests.integration.runtime.toy import TOPOLOGY, Counting
from tests.integration.runtime.world import N_PARTITIONS, World, wait_until

pytestmark = pytest.mark.broker

N_RECORDS = int(os.environ.get("BENCH_LOOP_RECORDS", "200000"))
N_FOLLOWED = 5 * N_RECORDS
SECONDS = float(os.environ.get("BENCH_LOOP_SECONDS", "15"))
RATE = 100
DISTRIBUTIONS = ("confluent-kafka",)


def no_errors(_: object) -> None:
    pass


def publish(cluster: Cluster, topics: tuple[str, ...], n: int, n_keys: int, **event) -> None:
    producer = plain_producer(cluster, no_errors, linger_ms=20)
    for i in range(n):
        key = str(i % n_keys)
        value = json.dumps({"key": key, "n": i, "pad": "x" * 100, **event})
        while True:
            try:
                producer.produce(cluster.topic(topics[i % len(topics)]), value, key)
            except BufferError:
                producer.poll(0.1)
            else:
                break
    assert producer.flush(60) == 0


def answered() -> float:
    return sum(
        sample.value
        for family in metrics.RECORDS.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    )


class Running:
    """A loop in a thread."""

    def __init__(self, cluster: Cluster, **tuning) -> None:
        self.loop = Loop(Counting(), cluster, "w0", tuning=Tuning(**tuning))
        self.stop = threading.Event()
        self._thread = threading.Thread(target=self.loop.run, args=(self.stop,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join()


def test_records_a_second(broker, topic_prefix, tmp_path):
    rows = [["records a batch", "records/s", "client's CPU, microseconds a record"]]
    for records_max in (100, 1_000, 5_000):
        found, cpu = [], []
        for run in range(3):
            n = min(N_RECORDS, records_max * 200)
            world = World(broker.bootstrap_servers, f"{topic_prefix}{records_max}.{run}.", tmp_path)
            publish(world.cluster, TOPOLOGY.sources, n, 99_991)
            before = answered()
            with Running(world.cluster, records_max=records_max):
                wait_until(lambda before=before: answered() > before)
                first, begun_s, cpu_s = answered(), time.perf_counter(), time.process_time()
                wait_until(lambda before=before, n=n: answered() - before >= n, 300)
                n_timed = answered() - first
                found.append(n_timed / (time.perf_counter() - begun_s))
                cpu.append((time.process_time() - cpu_s) / n_timed * 1e6)
        rows.append([f"{records_max:,}", spread(found), spread(cpu, ".1f")])
    print_table("The loop: consume, answer, commit, exactly once; one worker, medians of 3", rows, *DISTRIBUTIONS)


def test_latency(broker, topic_prefix, tmp_path):
    rows = [["producers in turn", "p50 ms", "p90 ms", "p99 ms", "max ms"]]
    for n_turns in (1, 2, 3, 4):
        world = World(broker.bootstrap_servers, f"{topic_prefix}{n_turns}.", tmp_path)
        waited = sorted(_latencies(world, n_turns))
        cells = [waited[int(len(waited) * share)] for share in (0.5, 0.9, 0.99)] + [waited[-1]]
        rows.append([str(n_turns), *(f"{1000 * cell:.1f}" for cell in cells)])
    title = f"The loop: record sent to answer readable, read_committed, {RATE} a second for {SECONDS:.0f} s"
    print_table(title, rows, *DISTRIBUTIONS)


def _latencies(world: World, n_turns: int) -> list[float]:
    waited: list[float] = []
    read_on = threading.Event()

    def read() -> None:
        consumer = reader(world.cluster, "bench", no_errors, fetch_wait_max_ms=100)
        consumer.assign(_beginning(world, "donor-states"))
        while not read_on.is_set():
            records, _ = sorted_out(drain(consumer, 100, 0.1), world.cluster)
            waited.extend(time.time() - json.loads(record.value)["n"] for record in records)
        consumer.close()

    reading = threading.Thread(target=read)
    with Running(world.cluster, n_turns=n_turns) as running:
        reading.start()
        wait_until(lambda: running.loop.ready)
        producer = plain_producer(world.cluster, no_errors)
        begun_s = time.time()
        for i in range(int(RATE * SECONDS)):
            time.sleep(max(0.0, begun_s + i / RATE - time.time()))
            key = str(i * 7919 % 100_003)
            value = json.dumps({"key": key, "n": time.time()})
            producer.produce(world.cluster.topic("donor-registered"), value, key)
            producer.poll(0)
        wait_until(lambda: len(waited) >= RATE * SECONDS)
        read_on.set()
        reading.join()
    return waited[RATE:]


def _beginning(world: World, topic: str):
    from confluent_kafka import TopicPartition  # noqa: PLC0415 - the one place

    return [TopicPartition(world.cluster.topic(topic), number, 0) for number in range(N_PARTITIONS)]


def test_following_from_the_beginning(broker, topic_prefix, tmp_path):
    world = World(broker.bootstrap_servers, topic_prefix, tmp_path)
    publish(world.cluster, ("donor-states",), N_FOLLOWED, N_FOLLOWED, more="y" * 150)
    seconds = []
    for _ in range(3):
        n_seen = [0]

        def take_in(records: list[Record], n_seen=n_seen) -> list[str]:
            n_seen[0] += len(records)
            return []

        begun_s = time.perf_counter()
        follower = Follower(world.cluster, "matching", ["donor-states"], take_in, Offsets(world.cluster), no_errors)
        while not follower.begin():
            pass
        seconds.append(time.perf_counter() - begun_s)
        follower.close()
        assert n_seen == [N_FOLLOWED]
    rows = [["records", "seconds", "records/s"]]
    rows.append([f"{N_FOLLOWED:,}", spread(seconds, ".2f"), spread(N_FOLLOWED / one for one in seconds)])
    title = "Following a topic from its beginning, records of about 300 bytes, not decoded, medians of 3"
    print_table(title, rows, *DISTRIBUTIONS)
