"""What is observed of a committed batch."""

from __future__ import annotations

import time
import uuid

import pytest
from prometheus_client import REGISTRY

from consumers.donor_state.columns.event import Plain
from consumers.donor_state.processor import TOPOLOGY as DONOR_STATE
from consumers.donor_state.processor import DonorState
from consumers.matching.processor import TOPOLOGY
from consumers.topology import Batch, Input
from schemas.codec import Codec
from schemas.errors import InvalidRecord
from schemas.records import Record
from smartblood.kafka.batches import Item, look_at_all
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
    world.answer(request(99))  # kernels are loaded, which may take seconds of what is looked at

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


RESPONSES = "donor-responded"
CODEC = Codec()


def response(n: int, *, written_s: float, occurred_s: float) -> Record:
    """A response, so many seconds from now on."""
    now = time.time()
    event = {
        "event_id": str(uuid.UUID(int=n)),
        "occurred_at": int((now + occurred_s) * 1e6),
        "donor_id": n,
        "request_id": 1,
        "wave": 1,
        "response": "NOTIFIED",
    }
    timestamp_ms = int((now + written_s) * 1000)
    return Record(RESPONSES, 0, n, timestamp_ms, str(n).encode(), CODEC.encode(RESPONSES, event))


def n_ahead() -> float | None:
    labels = {"processor": "donor-state", "topic": RESPONSES}
    return REGISTRY.get_sample_value("smartblood_records_ahead_total", labels)


@pytest.mark.parametrize("n_more", [0, LOOKED_AT_MAX], ids=["each by itself", "many at once"])
@pytest.mark.parametrize(
    ("written_s", "occurred_s", "n"),
    [
        (-60, -60, 0),
        (240, 240, 0),
        (360, 360, 1),
        (360, -60, 1),
        (-60, 360, 1),
        (-7200, -6000, 1),
        (-7200, -7000, 0),
        (-6000, -7200, 0),
    ],
)
def test_a_clock_that_is_ahead_is_counted(written_s, occurred_s, n, n_more) -> None:
    gauges, processor = Gauges(DONOR_STATE, "w0"), DonorState(CODEC, columns_after=0)
    before = n_ahead()
    assert before is not None, "told from 0 on"
    records = [response(i, written_s=0, occurred_s=0) for i in range(1, n_more + 1)]
    records.insert(0, response(999, written_s=written_s, occurred_s=occurred_s))
    items = list(look_at_all(processor, records, 1))
    assert {type(item.event) is Plain for item in items} == {n_more > 0}
    gauges.committed(items, [], {}, gauges.batch(len(items)))
    assert n_ahead() - before == n


def test_a_record_without_an_event_is_judged_by_its_own_time() -> None:
    gauges, before = Gauges(DONOR_STATE, "w0"), n_ahead()
    items = [
        Item(response(1, written_s=written_s, occurred_s=0), event) for written_s in (0, 360) for event in (None, {})
    ]
    gauges.committed(items, [], {}, gauges.batch(len(items)))
    assert n_ahead() - before == 2
