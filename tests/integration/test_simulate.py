from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest
from kafka import KafkaConsumer, TopicPartition

from consumers.forwarding import home_partition
from consumers.validation import checked
from schemas.codec import Codec
from schemas.records import Record
from smartblood.kafka.topics import ensure
from smartblood.settings import load

pytestmark = pytest.mark.broker
PARTITIONS = 3
TOPICS = ("donor-registered", "donation-recorded", "donor-responded", "blood-request-created")


def run(arguments, **options):
    program = [sys.executable, "-m", "smartblood", *arguments]
    return subprocess.run(program, capture_output=True, text=True, timeout=120, check=False, **options)


def records_of(servers, topic, name):
    """All records of a topic, as a client of another code base sees them, and how many there ever were."""
    consumer = KafkaConsumer(bootstrap_servers=servers, isolation_level="read_committed", enable_auto_commit=False)
    places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
    consumer.assign(places)
    consumer.seek_to_beginning()
    ends = consumer.end_offsets(places)
    found = []
    give_up_s = time.monotonic() + 30
    while any(consumer.position(place) < ends[place] for place in places) and time.monotonic() < give_up_s:
        for records in consumer.poll(timeout_ms=500).values():
            found += [Record(name, r.partition, r.offset, r.timestamp, r.key, r.value) for r in records]
    consumer.close()
    return found, sum(ends.values())


def test_a_world_is_published_as_its_upstreams_would(broker, topic_prefix):
    settings = load(
        kafka_bootstrap_servers=broker.bootstrap_servers,
        topic_prefix=topic_prefix,
        donor_partitions=PARTITIONS,
        request_partitions=PARTITIONS,
    )
    ensure(settings)
    flags = ["--kafka", broker.bootstrap_servers, "--topic-prefix", topic_prefix]
    world = ["--donors", "150", "--days", "120", "--seed", "3", "--top-k", "10"]
    before_ms = time.time_ns() // 1_000_000
    said = run(["simulate", *flags, *world, "--requests", "20", "--rate", "40"])
    after_ms = time.time_ns() // 1_000_000

    assert said.returncode == 0, said.stderr
    assert "Simulating 120 days of 150 donors" in said.stderr  # no terminal here: plain lines
    codec = Codec()
    events, n_written = {name: [] for name in TOPICS}, {}
    for name in TOPICS:
        records, n_written[name] = records_of(broker.bootstrap_servers, topic_prefix + name, name)
        for record in records:
            assert record.partition == home_partition(record.key, PARTITIONS)
            events[name].append(checked(record, codec.decode(name, record.value)))
    assert len({event["donor_id"] for event in events["donor-registered"]}) == 150
    assert len(events["donation-recorded"]) > 20
    # Offsets count what was written; an earlier registration of a donor may have been compacted away since.
    n_published = sum(n_written[name] for name in TOPICS[:3])
    assert [len(events[name]) for name in TOPICS[1:3]] == [n_written[name] for name in TOPICS[1:3]]
    assert re.search(rf"published {n_published:,} events of 150 donors, and 20 requests", said.stdout)
    assert max(event["occurred_at"] for name in TOPICS[:3] for event in events[name]) <= after_ms * 1000
    instants = sorted(event["occurred_at"] for event in events["blood-request-created"])
    assert len(instants) == len({event["request_id"] for event in events["blood-request-created"]}) == 20
    assert before_ms * 1000 <= instants[0]
    assert instants[-1] <= after_ms * 1000
    assert instants[-1] - instants[0] >= 19 / 40 * 1_000_000 - 50_000


def test_without_a_broker_it_says_what_to_do(tmp_path):
    said = run(["simulate", "--donors", "10"], cwd=tmp_path)
    assert said.returncode == 3
    assert "SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS" in said.stderr
    assert len(said.stderr.splitlines()) == 1
