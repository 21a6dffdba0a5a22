"""The same input gives the same lists: whatever the batches, the partitions, the order of donors, and restarts."""

from __future__ import annotations

import numpy as np
import pytest

from features.vectors import URGENCY_LEVEL
from schemas.catalogue import latest_schema
from schemas.codec import Codec
from tests.oracle import matches as oracle
from tests.oracle import worlds
from tests.unit.matching.world import HOUR_US, World, again, closing, request, state

N_REQUESTS = 16


def events():
    """Requests, some said twice, corrected, asked again or closed; one after the other."""
    rng = worlds.generator(77)
    for request_id in range(1, N_REQUESTS + 1):
        first = worlds.request(rng, request_id)
        yield "blood-request-created", first
        yield "blood-request-created", first
        yield "blood-request-created", {**first, "event_id": worlds.event_id(rng), "units_required": 1}
        yield "match-requested", again(first, recorded=request_id % 3 > 0)
        if request_id % 4 == 0:
            yield "blood-request-closed", closing(request_id, occurred_at=first["occurred_at"] - 1)
        yield "match-requested", again(first, occurred_at=first["occurred_at"] + 2 * HOUR_US)


def donors():
    rng = worlds.generator(78)
    return [worlds.donor_state(rng, i, spread=0.1) for i in range(400)]


def answers(*, n_partitions=1, batch_size=1, backwards=False, merged=False):
    states = donors()
    world = World(*(states[::-1] if backwards else states), n_partitions=n_partitions)
    for topic in ("blood-request-closed", "blood-request-created", "match-requested"):
        for of, event in events():
            if of == topic:
                request_id = event["request"]["request_id"] if "request" in event else event["request_id"]
                world.driver.send(topic, str(request_id), event)
        if merged:
            world.matching.index.merge()
        world.driver.run(batch_size=batch_size)
        world.driver.restart(world.matching)
    lists = [*world.driver.events("matches"), *world.driver.events("match-previews")]
    return sorted(({**one, "donor_state_offsets": []} for one in lists), key=lambda one: one["event_id"])


@pytest.mark.parametrize(
    "how",
    [
        {"batch_size": 100},
        {"batch_size": 7, "merged": True},
        {"n_partitions": 5, "batch_size": 13},
        {"backwards": True, "batch_size": 100, "n_partitions": 2},
    ],
)
def test_lists_are_the_same(how):
    assert repr(answers(**how)) == repr(answers())


def test_lists_are_those_of_the_oracle():
    world = World(*donors())

    def score(request, _at, donor, tier, distance_km):
        row = [4 - tier, distance_km, donor["availability_score"], 0, donor["reliability_score"]]
        row += [URGENCY_LEVEL[request["urgency"]], request["units_required"]]
        return float(world.scorer.predict(np.array([row], float))[0])

    by_request = {}
    for topic, event in events():
        request_id = event["request"]["request_id"] if "request" in event else event["request_id"]
        by_request.setdefault(request_id, []).append((topic, event, -(-event["occurred_at"] // 1000)))
        world.driver.send(topic, str(request_id), event)
        world.driver.run()
    written = {one["event_id"]: one for topic in ("matches", "match-previews") for one in world.driver.events(topic)}
    n_offers = 0
    for records in by_request.values():
        requests = {event["event_id"]: event.get("request", event) for _, event, _ in records}
        for expected in oracle.answers(records, donors(), score):
            (record,) = (one for one in written.values() if one["request_event_id"] == expected.request_event_id)
            assert oracle.departures(expected, requests[expected.request_event_id], record) == []
            n_offers += len(record["matches"])
    assert n_offers > 150


def test_answers_are_encoded_as_fastavro_would():
    world, codec = World(*donors()), Codec()
    for topic, event in events():
        request_id = event["request"]["request_id"] if "request" in event else event["request_id"]
        world.driver.send(topic, str(request_id), event)
    world.driver.run(batch_size=7)
    for topic in ("matches", "match-previews"):
        values = [record.value for record in world.driver.records(topic)]
        assert values
        assert [codec.encode(topic, codec.decode(topic, value)) for value in values] == values


class Registry:
    """A schema registry double: an id for the newest schema, and one for a version without some fields."""

    def __init__(self) -> None:
        newest = latest_schema("donor-states").load()
        older = {**newest, "fields": [field for field in newest["fields"] if "default" not in field]}
        self.schemas = {7: newest, 8: older}

    def schema(self, schema_id):
        return self.schemas.get(schema_id)

    def register(self, subject, schema):
        return 7


def test_donor_states_of_other_schema_ids_are_read_too():
    world = World()
    world.matching._follower._codec = registered = Codec(Registry())
    own = Codec()
    for donor_id, schema_id in ((1, 7), (2, 1_000_000), (3, 8), (4, None)):
        state = {**donors()[0], "donor_id": donor_id, "erased_at": None, "registered_at": 1}
        value = own.encode("donor-states", state)
        if schema_id is not None:
            value = b"\0" + schema_id.to_bytes(4) + value[5:]
        world.driver.send("donor-states", str(donor_id), value, timestamp_ms=0)
    assert registered.is_newest("donor-states", b"\0\0\0\0\7")
    assert not registered.is_newest("donor-states", b"\0\0\0\0\x08")
    lines = world.matching.follow(world.driver.records("donor-states"))
    assert world.matching.index.row_of(1) is not None
    assert world.matching.index.row_of(2) is None
    assert world.matching.index.row_of(4) is not None
    assert len(lines) == 2  # an id that nobody knows, and a body that isn't of the older schema


def test_answers_are_written_as_the_codec_would_write_them():
    codec = Codec()
    world = World(*donors())
    for topic, event in events():
        request_id = event["request"]["request_id"] if "request" in event else event["request_id"]
        world.driver.send(topic, str(request_id), event)
        world.driver.run()
    many = state(1)
    world.know(*({**many, "donor_id": -(2**63) + n * 2**53} for n in range(2000)))
    world.answer(request(1_000_000, district="An unknown one", top_k=1000))
    records = [*world.driver.records("matches"), *world.driver.records("match-previews")]
    for record in records:
        assert codec.encode(record.topic, codec.decode(record.topic, record.value)) == record.value
