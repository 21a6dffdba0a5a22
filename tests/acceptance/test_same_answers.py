"""The same input gives the same answers, byte for byte, whatever the partitions, workers and batches."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from typing import Any, NamedTuple

import pytest

from features.vectors import AVAILABILITY, MATCH
from tests.acceptance.courses import CREATED, REQUESTED, stages
from tests.acceptance.expected import without_offsets
from tests.acceptance.in_the_end import BY_DONOR, BY_REQUEST
from tests.acceptance.versions import OTHER, artefacts, other_version
from tests.acceptance.wire import plain
from tests.acceptance.world import NOON, world
from tests.oracle import worlds

pytestmark = pytest.mark.broker

ANSWERS = ("matches", "match-previews")
WHY_EMPTY = ("the request is closed", "a later blood-request-created", "required_by of the request has passed")


class Input(NamedTuple):
    """What is published: before each stage what is released, and then its records, all with timestamps of their own."""

    donors: list[tuple[str, int, dict[str, Any] | None, int]]
    stages: list[tuple[list[dict[str, Any]], list[tuple[str, int, dict[str, Any], int]]]]


class Found(NamedTuple):
    """What two runs must have alike: of each request its answers in order, and what is remembered of it, in bytes."""

    answers: dict[tuple[str, bytes], list[bytes]]
    remembered: dict[bytes, bytes]
    n_rows: Counter
    """By model, version and how it went: rows that were scored, however many runs it took."""


@pytest.fixture
def models_dir(tmp_path):
    """The artefacts; beside them a version that puts donors into another order, and one that is surer of them."""
    return artefacts(tmp_path)


@pytest.fixture
def given(models_dir):
    rng = worlds.generator(69)
    match = other_version(models_dir, MATCH, without="start")
    availability = other_version(models_dir, AVAILABILITY, districts={"Ernakulam": 0.6})
    released = {
        0: [release(rng, match, "CHALLENGER", share=0.5), release(rng, availability, "SHADOW")],
        5: [release(rng, match, "CHAMPION"), release(rng, availability, "CHALLENGER", share=0.5)],
    }
    made = world(2, n_donors=200, n_requests=40, within_days=29)
    began_ms, n_published, published = int(time.time() * 1000), 0, []
    for n, stage in enumerate(stages(2, made)):
        records = [(*record, began_ms + n_published + i) for i, record in enumerate(stage)]
        n_published += len(records)
        published.append((released.get(n, []), records))
    return Input(made.donor_records(), published)


def release(rng, entry, role, share=0.0):
    head = {"event_id": worlds.event_id(rng), "occurred_at": NOON, "model": entry.name, "version": entry.version}
    return head | {"sha256": entry.sha256, "role": role, "share": share}


def run_on(system, given, *, workers, trickle):
    """The topics' records after all of it; large batches, or records one after the other."""
    outsider = system.outsider()
    for slot in "abc"[:workers]:
        system.run("donor-state", slot)
    matchers = [system.run("matching", slot) for slot in "abc"[:workers]]
    for topic, donor_id, event, timestamp_ms in given.donors:
        outsider.send(topic, donor_id, event, timestamp_ms=timestamp_ms)
    outsider.flush()
    outsider.await_group("donor-state", *BY_DONOR, within_s=90)
    for released, records in given.stages:
        for event in released:
            outsider.send("model-released", f"{event['model']}/{event['version']}", event).get(timeout=30)
        for matcher in matchers:
            if not trickle:
                matcher.pause()  # so that a stage lies there when it goes on
        for topic, request_id, event, timestamp_ms in records:
            sent = outsider.send(topic, request_id, event, timestamp_ms=timestamp_ms)
            if trickle:
                sent.get(timeout=30)
        outsider.flush()
        for matcher in matchers:
            matcher.resume()
        outsider.await_group("matching", *BY_REQUEST, within_s=90)
    reader = outsider.reader(*ANSWERS, "request-states", "prediction-logged", "dead-letters")
    reader.to_the_end()
    outsider.close()
    system.stop()
    assert [one.said for one in reader.seen["dead-letters"]] == []
    return reader.seen


def found_in(seen):
    answers, n_rows = defaultdict(list), Counter()
    for topic in ANSWERS:
        for one in seen[topic]:
            answers[topic, one.key].append(without_offsets(one))
    for one in seen["prediction-logged"]:
        event = one.event
        n_rows[event["model"], event["version"], event["success"], event["error"]] += event["n_rows"]
    return Found(dict(answers), {one.key: one.value for one in seen["request-states"]}, n_rows)


def test_partitions_workers_and_batches_change_no_byte_of_the_answers(make_system, models_dir, given):
    settings = {"SMARTBLOOD_MODELS_DIR": str(models_dir), "SMARTBLOOD_EXPLORING_SHARE": "0.5"}
    seen = run_on(make_system(donor=1, request=1, **settings), given, workers=1, trickle=False)
    at_once = found_in(seen)
    older = settings | {"SMARTBLOOD_KAFKA_GROUP_PROTOCOL": "classic"}  # as with older brokers
    trickled_seen = run_on(make_system(donor=5, request=3, **older), given, workers=2, trickle=True)
    trickled = found_in(trickled_seen)
    everything_was_there(given, seen)
    assert n_runs(seen) * 3 < n_runs(trickled_seen), "the batches were not so different"
    different = [of for of in at_once.answers if trickled.answers.get(of) != at_once.answers[of]]
    assert (different, len(trickled.answers)) == ([], len(at_once.answers))
    forgotten = [key for key in at_once.remembered if trickled.remembered.get(key) != at_once.remembered[key]]
    assert (forgotten, len(trickled.remembered)) == ([], len(at_once.remembered))
    assert trickled.n_rows == at_once.n_rows


def n_runs(seen):
    """In how many runs the default version scored, which has a say in every batch."""
    default = [one.event for one in seen["prediction-logged"] if one.event["model"] == AVAILABILITY]
    return sum(event["version"] != OTHER for event in default)


def everything_was_there(given, seen):
    """Each event was answered once, where it should be, and what may become of a request became of some."""
    asked = {topic: Counter() for topic in ANSWERS}
    for _, records in given.stages:
        for topic, _, event, _ in records:
            if topic in {CREATED, REQUESTED}:
                asked["matches" if event.get("recorded", True) else "match-previews"][event["event_id"]] = 1
    events = {topic: [plain(one.event) for one in seen[topic]] for topic in ANSWERS}
    assert {topic: Counter(one["request_event_id"] for one in events[topic]) for topic in ANSWERS} == asked
    for topic in ANSWERS:
        full = [one for one in events[topic] if one["matches"]]
        made_by = Counter((one["model"], one["version"] == OTHER) for answer in full for one in answer["models"])
        watched = sum(bool(one["matches"][0]["shadow_scores"]) for one in full)
        assert min(made_by[MATCH, False], made_by[MATCH, True], made_by[AVAILABILITY, True], watched) > 3
    empty = [one["empty_because"] for topic in ANSWERS for one in events[topic] if not one["matches"]]
    assert [why for why in WHY_EMPTY if sum(said.startswith(why) for said in empty) < 3] == []
    assert any(one["matches"][-1]["explored"] for one in events["matches"] if one["matches"])
