"""What is observed of a committed batch."""

from __future__ import annotations

import time

import pytest
from prometheus_client import REGISTRY

from consumers.matching.processor import TOPOLOGY
from consumers.topology import Batch, Input
from schemas.errors import InvalidRecord
from smartblood.kafka.batches import Item
from smartblood.kafka.gauges import LOOKED_AT_MAX, Gauges
from tests.unit.matching.world import AT, HOUR_US, World, again, closing, request, state


def observed() -> tuple[float, float]:
    """How many latencies were observed, and their sum."""
    name = "smartblood_event_to_match_seconds"
    return (REGISTRY.get_sample_value(f"{name}_count") or 0, REGISTRY.get_sample_value(f"{name}_sum") or 0)


@pytest.fixture
def commit():
    """Commits a batch of matching; what was observed of it."""
    world, gauges = World(state(1)), Gauges(TOPOLOGY, "w0")
    world.matching.restore(0, [])

    def committed(*sent, age_s=100.0, refused=()):
        timestamp_ms = int((time.time() - age_s) * 1000)
        records = [world.driver.send(topic, "1", event)._replace(timestamp_ms=timestamp_ms) for topic, event in sent]
        inputs = [Input(record, world.matching.read(record)) for record in records]
        before = observed()
        outputs = world.matching.process(Batch(inputs))
        world.matching.keep()
        items = [Item(*one) for one in inputs]
        items += [Item(inputs[0].record, error=InvalidRecord("bad", kind="range")) for _ in refused]
        gauges.committed(items, outputs, {}, gauges.batch(len(items)))
        return tuple(after - at for after, at in zip(observed(), before, strict=True))

    return committed


def test_time_to_match_is_observed_of_events_that_are_answered_by_a_match_and_of_no_others(commit) -> None:
    first = request()
    n, seconds = commit(("blood-request-created", first), age_s=100)
    assert (n, seconds) == (1, pytest.approx(100, abs=5))
    assert commit(("blood-request-created", first), age_s=7000)[0] == 0, "a repeat"
    assert commit(("match-requested", again(first, recorded=False)))[0] == 0, "a preview"
    assert commit(("blood-request-closed", closing(occurred_at=AT - HOUR_US)))[0] == 0, "a closing"
    n, seconds = commit(
        ("blood-request-closed", closing(occurred_at=AT - HOUR_US + 1)),
        ("blood-request-created", first),
        ("match-requested", again(first)),
        age_s=50,
        refused=("one",),
    )
    assert (n, seconds) == (1, pytest.approx(50, abs=5))


def test_of_a_large_batch_some_are_observed(commit) -> None:
    many = [("blood-request-created", request(occurred_at=AT + i)) for i in range(3 * LOOKED_AT_MAX)]
    n, _ = commit(*many)
    assert LOOKED_AT_MAX <= n <= 2 * LOOKED_AT_MAX
