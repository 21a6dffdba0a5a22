"""Garbage on every topic: one dead letter for each record and processor, and everything else is answered."""

from __future__ import annotations

import random
import re
import time
from collections import Counter

import pytest

from tests.acceptance import garbage
from tests.acceptance.system import get
from tests.acceptance.world import DAY, closing, donation, now_us, registration, rematch, request, response
from tests.oracle import worlds

pytestmark = pytest.mark.broker


def test_garbage_is_refused_once_by_each_reader_and_everything_else_is_answered(system, outsider, tables):
    workers = system.run_all()
    rng, rnd = worlds.generator(72), random.Random(72)
    bad = [one for topic in garbage.READ_IN_A_GROUP for one in garbage.garbage(topic)]
    fine = good_records(rng)
    everything = [*bad, *fine]
    rnd.shuffle(everything)
    where = {}
    for one in everything:
        if isinstance(one, garbage.Garbage):
            partition = rnd.randrange(4)  # what is invalid is refused where it lies, never sent on
            sent = outsider.send(one.topic, one.key, one.value, partition=partition, headers=[("trace", b"\xff\0")])
            where[sent] = one
        else:
            topic, key, event = one
            outsider.send(topic, key, garbage.as_others_write(topic, event, rnd) if rnd.random() < 0.5 else event)
    outsider.flush()
    lain = {(one.topic, sent.get().partition, sent.get().offset): one for sent, one in where.items()}

    outsider.await_group("donor-state", *(t for t, who in garbage.READ_IN_A_GROUP.items() if "donor-state" in who))
    outsider.await_group("matching", *(t for t, who in garbage.READ_IN_A_GROUP.items() if "matching" in who))
    check_dead_letters(system, outsider, lain)
    check_refused_rows(tables, lain, system.prefix)
    check_answers(outsider, fine)
    check_alarms(workers, lain)
    system.stop()


def good_records(rng):
    """Donors, what they did, and requests among the garbage; topic, key and event of each."""
    now = now_us()
    records = []
    for donor_id in range(1, 31):
        records.append(("donor-registered", donor_id, registration(rng, donor_id, at=now - 200 * DAY)))
        records.append(("donation-recorded", donor_id, donation(rng, donor_id, now - 150 * DAY)))
        records.append(("donor-responded", donor_id, response(rng, donor_id, now - 50 * DAY, 88_888, "NOTIFIED")))
    for request_id in range(1, 31):
        wanted = request(rng, request_id, at=now - DAY // 24)
        records.append(("blood-request-created", request_id, wanted))
        records.append(("match-requested", request_id, rematch(rng, wanted, now, recorded=request_id % 2 == 0)))
        records.append(("blood-request-closed", request_id + 100, closing(rng, request_id + 100, now)))
    # What looks odd, and is none: a district that nobody knows, at the edges, of a time long past.
    edges = {"units_required": 100, "top_k": 1000, "patient_age": 130, "latitude": -90.0, "longitude": 180.0}
    odd = request(rng, 31, at=now, district="Atlantis", required_by=now + 90 * DAY, **edges)
    old = request(rng, 32, at=garbage.YEAR_1999_US + 366 * DAY)
    return [*records, ("blood-request-created", 31, odd), ("blood-request-created", 32, old)]


def check_dead_letters(system, outsider, lain):
    letters = outsider.read("dead-letters")
    said = [letter.said for letter in letters]
    names = {"source-topic", "source-partition", "source-offset", "source-timestamp", "processor", "error"}
    assert {frozenset(one) for one in said} == {frozenset(names)}
    assert [one for one in said if not one["error"].strip() or "\n" in one["error"]] == []
    placed = Counter(
        (
            one["source-topic"].removeprefix(system.prefix),
            int(one["source-partition"]),
            int(one["source-offset"]),
            one["processor"],
        )
        for one in said
    )
    wanted = Counter(
        (*place, processor)
        for place, one in lain.items()
        for processor in garbage.READ_IN_A_GROUP[one.topic] - {"recording"}
    )
    missing, beyond = wanted - placed, placed - wanted
    assert [lain[place[:3]].what + f" on {place[0]}" for place in missing] == [], "refused by nobody"
    assert beyond == Counter(), "refused twice, or wrongly"
    sources = {one.place: one for topic in garbage.READ_IN_A_GROUP for one in outsider.read(topic)}
    dull = []
    for letter in letters:
        told = letter.said
        place = (
            told["source-topic"].removeprefix(system.prefix),
            int(told["source-partition"]),
            int(told["source-offset"]),
        )
        source = sources[place]
        assert (letter.key, letter.value) == (source.key, source.value), lain[place].what
        assert int(told["source-timestamp"]) == source.timestamp_ms
        if lain[place].hint not in told["error"]:
            dull.append(f"{lain[place].what} on {place[0]}: {told['error']}")
    assert dull == [], "the reason doesn't name what is wrong"


def check_refused_rows(tables, lain, prefix):
    """Recording keeps its own refused records in a table."""
    wanted = {place: one for place, one in lain.items() if "recording" in garbage.READ_IN_A_GROUP[one.topic]}
    statement = "SELECT source_topic, source_partition, source_offset, error, key, value FROM refused_records"
    give_up_at = time.monotonic() + 30.0
    while True:
        rows = tables.query(statement)
        found = {(topic.removeprefix(prefix), partition, offset): rest for topic, partition, offset, *rest in rows}
        if found.keys() >= wanted.keys() or time.monotonic() > give_up_at:
            break
        time.sleep(0.5)
    assert len(found) == len(rows)
    assert sorted(f"{lain[place].what} on {place[0]}" for place in wanted.keys() - found.keys()) == []
    assert found.keys() - wanted.keys() == set()
    for place, (error, key, value) in found.items():
        assert error
        assert (key and bytes(key)) == lain[place].key, lain[place].what
        assert (value if value is None else bytes(value)) == lain[place].value, lain[place].what


def check_answers(outsider, fine):
    """Every good request and match-requested has its one answer, and every good donor is known."""
    asked = {event["event_id"] for topic, _, event in fine if topic in {"blood-request-created", "match-requested"}}
    seen = outsider.reader("matches", "match-previews", "donor-states")
    seen.to_the_end()
    answered = Counter(
        str(one.event["request_event_id"]) for topic in ("matches", "match-previews") for one in seen.seen[topic]
    )
    assert answered == Counter(asked)
    donors = {int(one.key) for one in seen.seen["donor-states"]}
    assert donors == {key for topic, key, _ in fine if topic == "donor-registered"}
    assert any(one.event["matches"] for one in seen.seen["matches"])


def check_alarms(workers, lain):
    """Each refused record is counted by whoever refused it, with what was wrong."""
    for worker in workers:
        wanted = Counter(one.topic for one in lain.values() if worker.name in garbage.READ_IN_A_GROUP[one.topic])
        counted = Counter()
        for line in get(f"{worker.metrics}/metrics")[1].splitlines():
            found = re.fullmatch(r"smartblood_records_refused_total{(.*)} ([0-9.e+]+)", line)
            if found:
                labels = dict(re.findall(r'(\w+)="([^"]*)"', found[1]))
                assert labels["kind"]
                counted[labels["topic"]] += int(float(found[2]))
        assert counted == wanted, worker.name
