"""The largest records that the broker takes."""

from __future__ import annotations

import random

import pytest

from tests.acceptance import records
from tests.acceptance.wire import AVRO
from tests.acceptance.world import DAY, now_us, registration
from tests.oracle import worlds

pytestmark = [pytest.mark.broker, pytest.mark.soak]

LARGEST_BYTES = 4 * 2**20
BY_DONOR = ("donor-registered", "donation-recorded", "donor-responded")


def test_garbage_as_large_as_the_broker_takes_comes_back_whole(system, outsider, tables):
    system.run_all()
    rnd = random.Random(78)
    sent = {}
    for topic in (*BY_DONOR, "blood-request-created"):
        for less in (100, 400, 2_000):
            value = rnd.randbytes(LARGEST_BYTES - less)
            key = f"{topic} {less}".encode()
            headers = [("trace", b"x" * 20)] if less > 100 else []
            outsider.send(topic, key, value, headers=headers).get(timeout=30)
            sent[key] = value
    outsider.flush()
    outsider.await_group("donor-state", *BY_DONOR, within_s=60)
    outsider.await_group("matching", "blood-request-created", within_s=60)
    letters = {letter.key: letter.value for letter in outsider.read("dead-letters")}
    assert {key for key, value in sent.items() if letters.get(key) != value} == set()
    refused = "SELECT count(*) FROM refused_records"
    tables.until(refused, lambda n: n == len([key for key in sent if b"registered" not in key]), within_s=30)
    system.stop()


def test_a_large_record_that_strayed_is_sent_on(system, outsider):
    system.run_all(names=("donor-state",))
    rng, rnd, now = worlds.generator(79), random.Random(79), now_us()
    texts = ["".join(chr(rnd.randrange(0x10000, 0x2FFFF)) for _ in range(n)) for n in (200_000, 1_000_000)]
    for donor_id, text in enumerate(texts, 1):
        deferrals = [{"rule_item": text, "until": 30_000}]
        event = registration(rng, donor_id, at=now - DAY, deferrals=deferrals)
        wrong = (outsider.home("donor-registered", str(donor_id)) + 1) % 4
        fits = LARGEST_BYTES - len(AVRO.encode("donor-registered", event))
        assert fits > 100_000
        outsider.send("donor-registered", donor_id, event, partition=wrong).get(timeout=30)
    outsider.await_group("donor-state", "donor-registered", within_s=60)
    outsider.await_group("donor-state", "donor-registered", within_s=60)
    states = records.latest_states(outsider.read("donor-states"))
    kept = [states[n]["deferrals"] for n in (1, 2)]
    assert [[(one["rule_item"][:50], one["until"]) for one in deferrals] for deferrals in kept] == [
        [(text[:50], 30_000)] for text in texts
    ]
    system.stop()
