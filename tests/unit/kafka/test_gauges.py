"""What is observed of a committed batch."""

from __future__ import annotations

import json
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
from smartblood.kafka.client import Cluster
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
        gauges.committed(items, outputs, gauges.batch(len(items)))
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
    gauges.committed(items, [], gauges.batch(len(items)))
    assert n_ahead() - before == n


def test_a_record_without_an_event_is_judged_by_its_own_time() -> None:
    gauges, before = Gauges(DONOR_STATE, "w0"), n_ahead()
    items = [
        Item(response(1, written_s=written_s, occurred_s=0), event) for written_s in (0, 360) for event in (None, {})
    ]
    gauges.committed(items, [], gauges.batch(len(items)))
    assert n_ahead() - before == 2


CREATED = "blood-request-created"


class Lag:
    """A worker of matching, of which the client tells."""

    def __init__(self) -> None:
        self.gauges, self.cluster = Gauges(TOPOLOGY, "w0"), Cluster("127.0.0.1:9", "p-")

    def told(self, positions, **partitions):
        """What is known of the lag, of the partitions of one topic: number, last stable offset, low watermark."""
        of = {
            number.lstrip("_"): {"desired": True, "ls_offset": last, "lo_offset": low, "committed_offset": -1001}
            for number, (last, low) in partitions.items()
        }
        topics = {f"p-{CREATED}": {"partitions": {**of, "-1": {"desired": False, "ls_offset": -1001}}}}
        placed = {(CREATED, number): position for number, position in positions.items()}
        self.gauges.lag(json.dumps({"topics": topics}), self.cluster, placed)
        return {number: lag for (_, number), lag in self.gauges.lags.items()}

    def shown(self, number):
        labels = {"processor": "matching", "topic": CREATED, "partition": str(number)}
        return REGISTRY.get_sample_value("smartblood_lag_records", labels)


def test_nothing_waits_in_a_partition_that_goes_on_from_its_end() -> None:
    """As after a restart, where nothing came since: the client knows no committed offset then."""
    lag = Lag()
    assert lag.told({0: 900, 1: 880}, _0=(900, 0), _1=(900, 0)) == {0: 0, 1: 20}
    assert (lag.shown(0), lag.shown(1)) == (0, 20)


def test_where_work_begins_at_the_beginning_what_retention_took_does_not_wait() -> None:
    assert Lag().told({0: -2, 1: 100}, _0=(900, 850), _1=(900, 850)) == {0: 50, 1: 50}
    assert Lag().told({0: -2}, _0=(900, -1001)) == {0: 900}


def test_of_a_partition_that_is_not_placed_yet_nothing_is_said_but_what_was_known() -> None:
    lag = Lag()
    assert lag.told({0: None}, _0=(900, 0)) == {}
    assert lag.told({0: 700}, _0=(900, 0)) == {0: 200}
    assert lag.told({0: None}, _0=(950, 0)) == {0: 250}
    assert lag.told({}, _0=(960, 0)) == {0: 260}
    assert lag.told({0: 600}, _0=(960, 0)) == {0: 360}, "offsets that were lost"


def test_what_another_worker_took_over_no_longer_waits_here() -> None:
    lag = Lag()
    assert lag.told({0: 700, 1: 0}, _0=(900, 0), _1=(5, 0)) == {0: 200, 1: 5}
    assert lag.told({1: 0}, _1=(5, 0)) == {1: 5}
    assert lag.shown(0) == 0
    assert lag.told({0: None, 1: 0}, _0=(900, 0), _1=(5, 0)) == {1: 5}
