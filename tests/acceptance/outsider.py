"""Somebody else's client: kafka-python; ``wire`` and ``tables`` beside it. No module of the project is used here.

What it knows comes from the contract: names of topics, ``schemas/ids.json`` with the files that it names, Confluent
framing, ``murmur2_random``, headers in UTF-8, the tables.
"""

from __future__ import annotations

import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import RetriableError
from kafka.partitioner import DefaultPartitioner, Partitioner
from kafka.partitioner.default import murmur2
from kafka.protocol.consumer import IsolationLevel

from tests.acceptance.wire import AVRO

LARGEST_REQUEST_BYTES = 6 * 2**20
QUIET_S = 60.0


class Seen(NamedTuple):
    """A record as it lies on a topic; the topic's name is the contract's."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    @property
    def event(self) -> dict[str, Any]:
        return AVRO.decode(self.value)

    @property
    def said(self) -> dict[str, str]:
        """The headers, as text; there must be one of each name."""
        assert len({name for name, _ in self.headers}) == len(self.headers), self.headers
        return {name: value.decode("utf-8") for name, value in self.headers}

    @property
    def place(self) -> tuple[str, int, int]:
        return self.topic, self.partition, self.offset


class ByCrc32(Partitioner):
    """Another client's default: what librdkafka does where nobody tells it otherwise."""

    def partition(self, topic, key, serialized_key, value, serialized_value, cluster):
        return zlib.crc32(serialized_key) % len(cluster.partitions_for_topic(topic))


class Outsider:
    """One prefix of a cluster, seen from outside."""

    def __init__(self, bootstrap_servers: str, prefix: str) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.prefix = prefix
        self._producers: dict[str, KafkaProducer] = {}
        self._readers: list[Reader] = []
        self._followers: dict[tuple[str, ...], Reader] = {}
        self._n_partitions: dict[str, int] = {}
        self._admin: KafkaAdminClient | None = None

    def close(self) -> None:
        for producer in self._producers.values():
            producer.close(timeout=5)
        for reader in self._readers:
            reader.close()
        if self._admin is not None:
            self._admin.close()

    # Writing.

    def send(
        self,
        topic: str,
        key: str | bytes | int | None,
        event: Mapping[str, Any] | bytes | None,
        *,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Iterable[tuple[str, bytes]] = (),
        stray: bool = False,
    ) -> Any:
        """Append a record; ``get()`` of what is returned waits and says where it lies."""
        value = event if event is None or isinstance(event, bytes) else AVRO.encode(topic, event)
        if not (key is None or isinstance(key, bytes)):
            key = str(key).encode()
        return self._producer(stray=stray).send(
            self.prefix + topic,
            value=value,
            key=key,
            headers=list(headers),
            partition=partition,
            timestamp_ms=timestamp_ms,
        )

    def flush(self) -> None:
        for producer in self._producers.values():
            producer.flush(timeout=60)

    def _producer(self, *, stray: bool) -> KafkaProducer:
        name = "crc32" if stray else "murmur2"
        if name not in self._producers:
            self._producers[name] = KafkaProducer(
                bootstrap_servers=self.bootstrap_servers,
                partitioner=ByCrc32() if stray else DefaultPartitioner(),
                acks="all",
                enable_idempotence=True,
                linger_ms=5,
                max_request_size=LARGEST_REQUEST_BYTES,
                reconnect_backoff_max_ms=500,
                allow_auto_create_topics=False,
            )
        return self._producers[name]

    # Reading.

    def reader(self, *topics: str, committed: bool = True) -> Reader:
        """Reads topics from their beginnings, and goes on from there each time it is asked."""
        reader = Reader(self, topics, committed=committed)
        self._readers.append(reader)
        return reader

    def read(self, *topics: str, committed: bool = True) -> list[Seen]:
        """All records of topics, by topic, partition and offset."""
        reader = Reader(self, topics, committed=committed)
        reader.to_the_end()
        reader.close()
        return [record for topic in topics for record in sorted(reader.seen[topic], key=lambda seen: seen.place)]

    # Asking.

    @property
    def admin(self) -> KafkaAdminClient:
        if self._admin is None:
            self._admin = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers, reconnect_backoff_max_ms=500)
        return self._admin

    def topics(self) -> set[str]:
        """The contract's names of the topics that are there."""
        return {name.removeprefix(self.prefix) for name in self.admin.list_topics() if name.startswith(self.prefix)}

    def n_partitions(self, topic: str) -> int:
        self.look_at([topic])
        return self._n_partitions[topic]

    def look_at(self, topics: Iterable[str]) -> None:
        """Ask how many partitions topics have, of all at once, where that isn't known yet."""
        unknown = {self.prefix + topic: topic for topic in topics if topic not in self._n_partitions}
        for described in self.admin.describe_topics([*unknown]) if unknown else ():
            self._n_partitions[unknown[described["name"]]] = len(described["partitions"])

    def home(self, topic: str, key: str | bytes) -> int:
        """Where a key belongs: ``murmur2_random``."""
        return (murmur2(key if isinstance(key, bytes) else key.encode()) & 0x7FFFFFFF) % self.n_partitions(topic)

    def ends(self, topics: Iterable[str], *, committed: bool) -> dict[tuple[str, int], int]:
        """The last stable offsets, or the high watermarks."""
        topics = list(topics)
        self.look_at(topics)
        level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
        asked = {
            TopicPartition(self.prefix + topic, n): -1 for topic in topics for n in range(self.n_partitions(topic))
        }
        found = self.admin.list_partition_offsets(asked, isolation_level=level)
        return {(at.topic.removeprefix(self.prefix), at.partition): end.offset for at, end in found.items()}

    def what_is_open(self) -> list[str]:
        """Everything that says that a transaction of this prefix was not ended."""
        found = []
        for listed in self.admin.list_transactions().values():
            for one in listed:
                name = one.transactional_id
                if name.startswith(self.prefix) and str(getattr(one.state, "value", one.state)) not in {
                    "Empty",
                    "CompleteCommit",
                    "CompleteAbort",
                    "Dead",
                }:
                    found.append(f"transaction {name} is {one.state}")
        topics = sorted(self.topics())
        stable, high = self.ends(topics, committed=True), self.ends(topics, committed=False)
        found += [
            f"{place}: last stable {stable[place]}, high {high[place]}"
            for place in high
            if stable[place] != high[place]
        ]
        return found

    def committed(self, group: str) -> dict[tuple[str, int], int]:
        """The offsets that a group has committed."""
        found = self._patiently(lambda: self.admin.list_group_offsets(self.prefix + group))[self.prefix + group]
        return {(at.topic.removeprefix(self.prefix), at.partition): said.offset for at, said in found.items()}

    def await_group(self, group: str, *topics: str, within_s: float = QUIET_S) -> None:
        """Wait until a group has committed past every record of topics: past their markers nobody commits."""
        last: dict[tuple[str, int], int] = {}
        give_up_at = time.monotonic() + within_s
        if topics not in self._followers:
            self._followers[topics] = self.reader(*topics)
        reader = self._followers[topics]
        while True:
            reader.to_the_end()
            for topic in topics:
                last.update({(topic, seen.partition): seen.offset for seen in reader.seen[topic]})
            committed = self.committed(group)
            behind = {place: offset for place, offset in last.items() if committed.get(place, 0) <= offset}
            if not behind:
                return
            assert time.monotonic() < give_up_at, f"{group} is behind: {behind}, committed {committed}"
            time.sleep(0.1)

    def group_state(self, group: str) -> str:
        """How a group is: Empty where every member has left it or was given up."""
        for listed in self.admin.list_groups():
            if listed["group_id"] == self.prefix + group:
                return str(listed["group_state"])
        return "unknown"

    @staticmethod
    def _patiently(ask: Callable[[], Any]) -> Any:
        """Ask again while the group's coordinator is not there yet."""
        give_up_at = time.monotonic() + QUIET_S
        while True:
            try:
                return ask()
            except RetriableError:
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(0.2)


class Reader:
    """Keeps what it has read in ``seen``, by topic."""

    def __init__(self, outsider: Outsider, topics: Iterable[str], *, committed: bool) -> None:
        self._outsider = outsider
        self._topics = tuple(topics)
        outsider.look_at(self._topics)
        self.seen: defaultdict[str, list[Seen]] = defaultdict(list)
        self._committed = committed
        self._consumer = KafkaConsumer(
            bootstrap_servers=outsider.bootstrap_servers,
            isolation_level="read_committed" if committed else "read_uncommitted",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_partition_fetch_bytes=LARGEST_REQUEST_BYTES,
            fetch_max_wait_ms=50,
            max_poll_records=5000,
            reconnect_backoff_max_ms=500,
            allow_auto_create_topics=False,
        )
        self._places = [
            TopicPartition(outsider.prefix + topic, n)
            for topic in self._topics
            for n in range(outsider.n_partitions(topic))
        ]
        self._consumer.assign(self._places)
        self._consumer.seek_to_beginning(*self._places)

    def close(self) -> None:
        self._consumer.close()

    def poll(self, wait_s: float = 0.1) -> list[Seen]:
        """Take in what has come, waiting for something at most so long."""
        new = []
        for at, records in self._consumer.poll(timeout_ms=int(wait_s * 1000)).items():
            topic = at.topic.removeprefix(self._outsider.prefix)
            for each in records:
                headers = tuple((name, value) for name, value in each.headers)
                new.append(Seen(topic, at.partition, each.offset, each.timestamp, each.key, each.value, headers))
        for record in new:
            self.seen[record.topic].append(record)
        return new

    def to_the_end(self, within_s: float = QUIET_S) -> None:
        """Read on until the ends as they are now."""
        ends = self._outsider.ends(self._topics, committed=self._committed)
        give_up_at = time.monotonic() + within_s
        while True:
            behind = [
                at
                for at in self._places
                if self._consumer.position(at) < ends[at.topic.removeprefix(self._outsider.prefix), at.partition]
            ]
            if not behind:
                return
            assert time.monotonic() < give_up_at, f"can't read on in {behind}"
            self.poll(0.2)

    def until(self, enough: Callable[[], bool], *, within_s: float, what: str = "") -> None:
        """Read on until ``enough``."""
        give_up_at = time.monotonic() + within_s
        while not enough():
            assert time.monotonic() < give_up_at, (
                f"after {within_s} s not yet: {what}; seen {[(topic, len(self.seen[topic])) for topic in self._topics]}"
            )
            self.poll(0.1)

    def answers(self, topic: str = "matches") -> dict[str, list[dict[str, Any]]]:
        """Event id that is answered → answers."""
        found = defaultdict(list)
        for record in self.seen[topic]:
            event = record.event
            found[str(event["request_event_id"])].append(event)
        return found
