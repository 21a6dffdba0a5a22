"""The same input gives the same ``matches``, byte for byte, whatever the partitions, workers and batches."""

from __future__ import annotations

import pytest

from tests.acceptance.expected import without_offsets
from tests.acceptance.world import world

pytestmark = pytest.mark.broker

BY_DONOR = ("donor-registered", "donation-recorded", "donor-responded")


def answers_of(system, made, *, workers, trickle):
    """Event that is answered → the answer's bytes; large batches, or requests one after the other."""
    outsider = system.outsider()
    for name in ("donor-state", *["matching"] * trickle):
        for slot in "abc"[:workers]:
            system.run(name, slot)
    for topic, donor_id, event, timestamp_ms in made.donor_records():
        outsider.send(topic, donor_id, event, timestamp_ms=timestamp_ms)
    outsider.flush()
    outsider.await_group("donor-state", *BY_DONOR, within_s=90)
    for topic, request_id, event in made.request_records():
        sent = outsider.send(topic, request_id, event)
        if trickle:
            sent.get(timeout=30)
    outsider.flush()
    if not trickle:
        for slot in "abc"[:workers]:
            system.run("matching", slot)
    outsider.await_group("matching", "blood-request-created", within_s=90)
    found = {str(one.event["request_event_id"]): without_offsets(one) for one in outsider.read("matches")}
    outsider.close()
    system.stop()
    return found


def test_partitions_workers_and_batches_change_no_byte_of_the_answers(make_system):
    made = world(2, n_donors=300, n_requests=120, within_days=29)
    at_once = answers_of(make_system(donor=1, request=1), made, workers=1, trickle=False)
    assert len(at_once) == len({event["event_id"] for course in made.requests.values() for _, event in course})
    other = make_system(donor=5, request=3, SMARTBLOOD_KAFKA_GROUP_PROTOCOL="classic")  # as with older brokers
    trickled = answers_of(other, made, workers=2, trickle=True)
    different = [event_id for event_id in at_once if trickled.get(event_id) != at_once[event_id]]
    assert (different, len(trickled)) == ([], len(at_once))
