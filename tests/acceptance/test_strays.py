"""Good records that a client with another partitioner put into the wrong partitions: answered as if put right."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from tests.acceptance import records
from tests.acceptance.expected import wrong_answers
from tests.acceptance.outsider import Outsider, Seen
from tests.acceptance.world import DAY, closing, donation, now_us, registration, rematch, request, response
from tests.oracle import worlds

pytestmark = pytest.mark.broker

BY_DONOR = ("donor-registered", "donation-recorded", "donor-responded")
BY_REQUEST = ("blood-request-created", "blood-request-closed", "match-requested")
COMPACTED = {"donor-registered"}


def astray(outsider: Outsider, topic: str, seen: list[Seen]) -> list[Seen]:
    """The records that lie where they don't belong, but for nulls that were left behind."""
    return [
        one
        for one in seen
        if one.partition != outsider.home(topic, one.key) and "forwarded-to" not in dict(one.headers)
    ]


def wrong_forwards(outsider: Outsider, topic: str, seen: list[Seen]) -> list[str]:
    """What is otherwise than the contract says of strays on a topic; all of them must be valid."""
    forwarded = defaultdict(list)
    for one in seen:
        for name, value in one.headers:
            if name == "forwarded-from":
                forwarded[value.decode()].append(one)
    lines = []
    for stray in astray(outsider, topic, seen):
        place = f"{stray.partition}/{stray.offset}"
        added = ("forwarded-from", place.encode())
        home = outsider.home(topic, stray.key)
        wanted = [(home, stray.key, stray.value, stray.timestamp_ms, (*stray.headers, added))]
        copies = forwarded.pop(place, [])
        found = [(copy.partition, copy.key, copy.value, copy.timestamp_ms, copy.headers) for copy in copies]
        if found != wanted:
            lines.append(f"{topic} {place} was sent on as {found}, should be {wanted}")
    lines += [f"{topic}: something claims to come from {place}" for place in forwarded]
    return lines + wrong_nulls(outsider, topic, seen)


def wrong_nulls(outsider: Outsider, topic: str, seen: list[Seen]) -> list[str]:
    """What is wrong with the nulls that strays leave behind in compacted topics: one for each, where it lay."""
    found = Counter(
        (one.partition, one.key, one.value, value)
        for one in seen
        for name, value in one.headers
        if name == "forwarded-to"
    )
    wanted = Counter(
        (stray.partition, stray.key, None, str(outsider.home(topic, stray.key)).encode())
        for stray in astray(outsider, topic, seen)
        if topic in COMPACTED and stray.value is not None
    )
    return [] if found == wanted else [f"{topic}: nulls left behind {found} instead of {wanted}"]


def publish_strays(outsider, rng, now):
    """Donors, answers, requests and what follows them, all by another partitioner; some with headers of their own."""
    for donor_id in range(1, 61):
        headers = [("trace", f"donor {donor_id}".encode()), ("trace", b"\xff")] if donor_id % 3 else []

        def send(topic, event, donor_id=donor_id, headers=headers, **more):
            outsider.send(topic, donor_id, event, stray=True, headers=headers, **more)

        send("donor-registered", registration(rng, donor_id, at=now - 200 * DAY, last_whole_blood_at=None))
        send("donation-recorded", donation(rng, donor_id, now - 150 * DAY))
        send("donor-responded", response(rng, donor_id, now - DAY // 2, 99_000 + donor_id % 7, "ACCEPTED"))
        if donor_id % 10 == 0:
            send("donor-registered", None, timestamp_ms=now // 1000)
    outsider.flush()


def publish_stray_requests(outsider, rng, now):
    """Requests, some twice; once they are at home, ``match-requested`` for some, so that the order is known."""
    wanted = {request_id: request(rng, request_id, at=now - DAY // 24) for request_id in range(1, 41)}
    headers = [("trace", b"r")]
    for request_id, event in wanted.items():
        for _ in range(2 if request_id % 4 == 0 else 1):
            outsider.send("blood-request-created", request_id, event, stray=True, headers=headers)
    outsider.flush()
    await_home(outsider, "matching", "blood-request-created")
    for request_id, event in wanted.items():
        for recorded, n in ((True, 5), (False, 7)):
            if request_id % n == 0:
                again = rematch(rng, event, now - DAY // 48, recorded=recorded)
                outsider.send("match-requested", request_id, again, stray=True, headers=headers)
    outsider.flush()
    await_home(outsider, "matching", "match-requested")


def await_home(outsider, group, *topics):
    """Wait until every stray was sent on, and what was sent on was taken in."""
    outsider.await_group(group, *topics)
    outsider.await_group(group, *topics)


def test_strays_are_sent_on_once_and_answered_as_if_they_had_been_put_right(system, outsider, tables):
    system.run_all()
    rng, now = worlds.generator(73), now_us()
    publish_strays(outsider, rng, now)
    await_home(outsider, "donor-state", *BY_DONOR)
    publish_stray_requests(outsider, rng, now)
    for request_id in range(6, 41, 6):  # closed after all were answered, so that the order is known
        outsider.send("blood-request-closed", request_id, closing(rng, request_id, now), stray=True)
    outsider.flush()
    await_home(outsider, "matching", *BY_REQUEST)

    seen = outsider.reader(
        *BY_DONOR, *BY_REQUEST, "donor-states", "matches", "match-previews", "prediction-logged", "dead-letters"
    )
    seen.to_the_end()
    assert [one.said for one in seen.seen["dead-letters"]] == []
    assert sum(len(astray(outsider, topic, seen.seen[topic])) for topic in BY_DONOR + BY_REQUEST) > 100
    assert [line for topic in BY_DONOR + BY_REQUEST for line in wrong_forwards(outsider, topic, seen.seen[topic])] == []

    states = records.latest_states(seen.seen["donor-states"])
    assert sorted(states) == list(range(1, 61))
    assert {donor_id for donor_id, state in states.items() if state["erased_at"]} == set(range(10, 61, 10))
    assert {state["total_donations"] > 0 for donor_id, state in states.items() if donor_id % 10} == {True}
    check_answered(outsider, seen)
    assert records.once_right(tables, seen.seen) == []
    system.stop()


def check_answered(outsider, seen):
    """Compare with the oracle what each request's own partition holds: there lies what was put right."""
    at_home = [
        one
        for topic in ("blood-request-created", "match-requested")
        for one in seen.seen[topic]
        if one.partition == outsider.home(topic, one.key)
    ]
    answers = [*seen.seen["matches"], *seen.seen["match-previews"]]
    assert wrong_answers(at_home, answers, seen.seen["donor-states"], ("matches", "match-previews")) == []
