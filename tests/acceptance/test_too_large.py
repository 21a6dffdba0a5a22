"""Valid records whose answer, or whose way home, is more than a topic takes: refused, and nothing behind them waits."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from kafka import KafkaProducer

from tests.acceptance.system import get
from tests.acceptance.wire import AVRO
from tests.acceptance.world import DAY, now_us, rematch, request
from tests.oracle import worlds

pytestmark = pytest.mark.broker

TOPIC_BYTES = 4 * 2**20
LETTER_BYTES = 8 * 2**20
FRAME_BYTES = 61 + 4 + 3 + 1 + 4 + 1
"""What Kafka's format adds to a key of less than 64 bytes and a value of 4 MiB, without headers."""

CREATED, AGAIN = "blood-request-created", "match-requested"


class Sending:
    """Sends to chosen partitions, and keeps what is to be refused and what is to be answered."""

    def __init__(self, system, outsider) -> None:
        self.outsider, self.prefix = outsider, system.prefix
        self.compressing = KafkaProducer(
            bootstrap_servers=system.bootstrap_servers, compression_type="gzip", max_request_size=40 * 2**20
        )
        self.rng, self.now = worlds.generator(93), now_us()
        self.refused, self.answered = [], []
        self.ids = {n: [i for i in range(1, 300) if outsider.home(CREATED, str(i)) == n] for n in range(4)}

    def event(self, topic: str, number: int):
        """A request, or what asks for it again, that belongs into a partition; and the district's holder."""
        wish = request(self.rng, self.ids[number].pop(), at=self.now - DAY // 24, required_by=self.now + DAY)
        again = rematch(self.rng, wish, self.now, recorded=True)
        return (wish, wish) if topic == CREATED else (again, again["request"])

    def good(self, number: int) -> None:
        for topic in (CREATED, AGAIN):
            event, wish = self.event(topic, number)
            self.outsider.send(topic, wish["request_id"], event).get(timeout=30)
            self.answered.append(event["event_id"])

    def large(self, topic: str, number: int, n_bytes: int, *, strays: bool = False, compressed: bool = False, ok=False):
        """An event whose record has so many bytes, by its district."""
        event, wish = self.event(topic, number)
        n_value = n_bytes - FRAME_BYTES - len(str(wish["request_id"]))
        wish["district"] = "x" * (n_value - 1_000)
        wish["district"] += "x" * (n_value - len(AVRO.encode(topic, event)))
        value, partition = AVRO.encode(topic, event), (number + strays) % 4
        if ok:
            self.answered.append(event["event_id"])
        self.raw(topic, str(wish["request_id"]).encode(), value, partition, compressed=compressed, ok=ok)

    def raw(self, topic, key, value, partition, *, compressed=False, ok=False) -> None:
        if compressed:
            self.compressing.send(self.prefix + topic, value, key, partition=partition).get(timeout=30)
        else:
            self.outsider.send(topic, key, value, partition=partition).get(timeout=30)
        if not ok:
            self.refused.append((key, value))


def counted(worker, metric: str) -> Counter:
    said = get(f"{worker.metrics}/metrics")[1]
    found: Counter = Counter()
    for labels, n in re.findall(rf"^{metric}_total{{(.*)}} ([0-9.e+]+)$", said, re.MULTILINE):
        found[dict(re.findall(r'(\w+)="([^"]*)"', labels)).get("kind", "")] += int(float(n))
    return +found


def test_what_no_topic_holds_is_refused_and_all_behind_it_is_answered(system, outsider):
    (matching,) = system.run_all(names=("matching",))
    sending = Sending(system, outsider)
    # The answer repeats the district, and has more to say.
    sending.good(0)
    sending.large(CREATED, 0, TOPIC_BYTES - 20)
    sending.good(0)
    # The client compresses, and we don't; a dead letter holds twice as much as a request.
    sending.large(CREATED, 1, 5_000_000, compressed=True)
    sending.large(CREATED, 1, 12_000_000, compressed=True)
    sending.raw(CREATED, b"0" * 12_000_000, b"garbage", 1, compressed=True)
    sending.good(1)
    # A header more, and it is too large to be sent on.
    for less in (0, 7, 18):
        sending.large(CREATED, 2, TOPIC_BYTES - less, strays=True)
    # Not yet, but its answer is.
    sending.large(CREATED, 2, TOPIC_BYTES - 19, strays=True)
    sending.large(AGAIN, 2, TOPIC_BYTES, strays=True)
    sending.good(2)
    sending.good(3)
    # What fits goes home, and is answered.
    sending.large(CREATED, 3, TOPIC_BYTES - 5_000, strays=True, ok=True)
    sending.good(0)

    for _ in "there", "sent on":
        outsider.await_group("matching", CREATED, AGAIN, within_s=90)
    answers = Counter(str(one.event["request_event_id"]) for one in outsider.read("matches"))
    assert answers == Counter(sending.answered)
    check_letters(outsider.read("dead-letters"), sending)
    assert counted(matching, "smartblood_records_refused")["size"] == len(sending.refused) - 1
    assert counted(matching, "smartblood_own_failures") == Counter()
    assert "tried again" not in matching.said
    system.stop()


def check_letters(letters, sending) -> None:
    """One for each, with its original bytes as far as the topic takes them, and why."""
    kept = [tuple(part if len(part) < LETTER_BYTES else None for part in one) for one in sending.refused]
    assert Counter((letter.key, letter.value) for letter in letters) == Counter(kept)
    assert [letter.said["error"] for letter in letters if "bytes" not in letter.said["error"]] == []
