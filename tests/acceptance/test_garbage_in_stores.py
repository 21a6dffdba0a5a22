"""Garbage on the topics that are memories: it alarms, and whoever restores from there comes back with all the rest."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.acceptance.system import get
from tests.acceptance.world import DAY, now_us, registration, rematch, request, response
from tests.oracle import worlds

pytestmark = pytest.mark.broker

STORES = ("donor-states", "request-states")
N = 12


def garbage(good: bytes) -> list[tuple[bytes, bytes | None]]:
    """Keys and values that nobody of ours writes."""
    return [
        (b"x1", b"garbage"),
        (b"1", b"\x00\x00\x0f\x42"),
        (b"2", good[:40]),
        (b"3", b"\x00\xff\xff\xff\xff" + good[5:]),
        (b"4", good),
        (b"no id", good),
        (b"no id", None),
        (b" 1", b""),
        (b"", None),
    ]


def n_refused(worker) -> int:
    wanted = r'smartblood_records_refused_total{kind="undecodable",processor="[a-z-]+",topic="restored"} ([0-9.]+)'
    return sum(int(float(found)) for found in re.findall(wanted, get(f"{worker.metrics}/metrics")[1]))


def test_whoever_restores_passes_over_garbage_and_knows_everything_else(system, outsider):
    system.run_all(names=("donor-state", "matching"))
    rng, now = worlds.generator(91), now_us()
    wanted = {n: request(rng, n, at=now - DAY // 24, required_by=now + DAY) for n in range(1, N + 1)}
    for n, wish in wanted.items():
        deferrals = [{"rule_item": f"item {n}", "until": 30_000}]
        outsider.send("donor-registered", n, registration(rng, n, at=now - 200 * DAY, deferrals=deferrals))
        outsider.send("blood-request-created", n, wish)
    outsider.flush()
    outsider.await_group("donor-state", "donor-registered")
    outsider.await_group("matching", "blood-request-created")
    system.stop()

    for topic in STORES:
        of_first = next(one for one in outsider.read(topic) if one.key == b"1")
        for n, (key, value) in enumerate(garbage(of_first.value)):
            outsider.send(topic, key, value, partition=outsider.home(topic, key) if key.isdigit() else n % 4)
    outsider.flush()
    before = {one.place for one in outsider.read("donor-states")}

    workers = system.run_all(names=("donor-state", "matching"))
    for n, wish in wanted.items():
        outsider.send("donor-responded", n, response(rng, n, now, 88_888, "NOTIFIED"))
        outsider.send("blood-request-created", n, wish)  # a repeat
        outsider.send("match-requested", n, rematch(rng, wish, now, recorded=True))
    outsider.flush()
    outsider.await_group("donor-state", "donor-responded")
    outsider.await_group("matching", "match-requested", "blood-request-created")

    states = {one.key: one.event for one in outsider.read("donor-states") if one.place not in before}
    remembered = {key: [one["rule_item"] for one in state["deferrals"]] for key, state in states.items()}
    assert remembered == {str(n).encode(): [f"item {n}"] for n in wanted}
    waves = Counter((one.key, one.event["wave"]) for one in outsider.read("matches"))
    assert waves == Counter((str(n).encode(), wave) for n in wanted for wave in (1, 2))
    assert outsider.read("dead-letters") == []
    for worker, topic in zip(workers, STORES, strict=True):
        assert n_refused(worker) == len(garbage(b""))
        assert f"{topic} " in worker.said
    system.stop()
