"""What the tests of the loop share: topics of their own, workers as processes, and an independent reader."""

from __future__ import annotations

import json
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from kafka import KafkaConsumer, TopicPartition

from consumers.forwarding import home_partition
from smartblood.kafka.client import Cluster
from smartblood.kafka.topic_plans import RECORD_BYTES_MAX
from smartblood.nursery import Nursling
from tests.integration.runtime.toy import TOPOLOGY
from tests.nursery import started

N_PARTITIONS = 4


def wait_until(true: Callable[[], bool], within_s: float = 45.0) -> None:
    until = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < until, "it did not come to pass in time"
        time.sleep(0.3)


class World:
    """Topics under a prefix, and what is done with them."""

    def __init__(self, bootstrap: str, prefix: str, folder: Path) -> None:
        self.cluster = Cluster(bootstrap, prefix)
        self.said = folder / f"{prefix}said.log"
        self.n_sent: defaultdict[str, int] = defaultdict(int)
        settings = {"bootstrap.servers": bootstrap, "message.max.bytes": 4_000_000, "enable.idempotence": True}
        self._producer = Producer(settings)
        self.make(*TOPOLOGY.sources, "donor-states", "dead-letters")

    def make(self, *names: str, n_partitions: int = N_PARTITIONS) -> None:
        """Make topics."""
        topics = [NewTopic(self.cluster.topic(name), n_partitions, 1, config=_config(name)) for name in names]
        client = AdminClient({"bootstrap.servers": self.cluster.bootstrap_servers})
        for future in client.create_topics(topics).values():
            future.result(10)

    def send(self, topic: str, key: str, *, at_home: bool = True, value: bytes | None = b"", **more) -> None:
        """Send an event of a key, or the raw ``value`` given."""
        event = {"key": key, "n": self.n_sent[key], **more.pop("event", {})}
        home = home_partition(key.encode(), N_PARTITIONS)
        self._producer.produce(
            self.cluster.topic(topic),
            json.dumps(event).encode() if value == b"" else value,
            key.encode(),
            partition=more.pop("partition", home if at_home else (home + 1) % N_PARTITIONS),
            **more,
        )
        self.n_sent[key] += value == b""

    def send_some(self, n: int, n_keys: int = 7, **more) -> None:
        for i in range(n):
            self.send(TOPOLOGY.sources[i % 3], str(i % n_keys), **more)
        self.flush()

    def flush(self) -> None:
        assert self._producer.flush(30) == 0

    @contextmanager
    def worker(self, slot: str = "w0", *arguments: str) -> Iterator[Nursling]:
        """Run a worker as a process, and end it whatever happens."""
        process = self.start(slot, *arguments)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()

    def start(self, slot: str = "w0", *arguments: str) -> Nursling:
        given = ("toy", self.cluster.bootstrap_servers, self.cluster.prefix, slot, *arguments)
        with self.said.open("ab") as said:
            return started("tests.integration.runtime.runner", *given, output=(1, said))

    def records(self, topic: str) -> list:
        """Read a topic whole with another client, committed records only."""
        name = self.cluster.topic(topic)
        consumer = KafkaConsumer(
            bootstrap_servers=self.cluster.bootstrap_servers,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
        )
        places = [TopicPartition(name, number) for number in range(N_PARTITIONS)]
        consumer.assign(places)
        ends = consumer.end_offsets(places)
        found: list = []
        until = time.monotonic() + 20
        while any(consumer.position(place) < ends[place] for place in places):
            assert time.monotonic() < until, f"{name}: an open transaction is in the way"
            for records in consumer.poll(timeout_ms=100).values():
                found.extend(records)
        consumer.close()
        return found

    def n_answered(self) -> int:
        return len(self.records("donor-states"))

    def counts(self) -> dict[str, list[int]]:
        """Return the counts that were written for each key, in order."""
        found = defaultdict(list)
        for record in sorted(self.records("donor-states"), key=lambda each: (each.partition, each.offset)):
            found[record.key.decode()].append(json.loads(record.value)["count"])
        return dict(found)

    def answered_inputs(self) -> list[tuple]:
        return sorted(tuple(json.loads(record.value)["of"]) for record in self.records("donor-states"))

    def assert_exactly_once(self) -> None:
        """One output for each input, and counts as if nothing had ever happened."""
        inputs = self.answered_inputs()
        assert len(inputs) == len(set(inputs)), "an input was answered twice"
        assert self.counts() == {key: list(range(1, n + 1)) for key, n in self.n_sent.items() if n}

    def wait_answered(self, within_s: float = 45.0) -> None:
        total = sum(self.n_sent.values())
        wait_until(lambda: self.n_answered() >= total, within_s)


def _config(name: str) -> dict[str, str]:
    config = {"max.message.bytes": str(2 * RECORD_BYTES_MAX if name == "dead-letters" else RECORD_BYTES_MAX)}
    return config | ({"cleanup.policy": "compact"} if name in {"donor-registered", "donor-states"} else {})
