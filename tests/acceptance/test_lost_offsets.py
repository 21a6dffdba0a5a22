"""Offsets that fall back, as where a cluster lost the end of a transaction: nothing is answered twice."""

from __future__ import annotations

import time

import pytest
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from tests.acceptance.chaos import Load
from tests.acceptance.test_strays import BY_DONOR

pytestmark = pytest.mark.broker

ANSWERS = ("donor-states", "request-states", "matches", "prediction-logged")
READ_BY = {"donor-state": BY_DONOR, "matching": ("blood-request-created", "blood-request-closed")}


def set_back(outsider, group: str, topics: tuple[str, ...]) -> None:
    """Commit the beginning of topics for a group that nobody is in."""
    begin = OffsetAndMetadata(0, "", -1)
    places = {
        TopicPartition(outsider.prefix + topic, n): begin
        for topic in topics
        for n in range(outsider.n_partitions(topic))
    }
    said = outsider.admin.alter_group_offsets(outsider.prefix + group, places)
    assert {getattr(each, "errno", each) for each in said.values()} == {0}, said


def test_what_is_read_again_from_the_beginning_changes_and_answers_nothing(system):
    outsider = system.outsider()
    workers = system.run_all(names=("donor-state", "matching"))
    load = Load(outsider, 5, n_donors=100, rate=60)
    load.publish_donors()
    load.start()
    time.sleep(4)
    load.stop()

    def await_groups() -> dict[str, int]:
        for _ in range(2):  # what was sent on is waited for too
            for group, topics in READ_BY.items():
                outsider.await_group(group, *topics)
        reader = outsider.reader(*ANSWERS)
        reader.to_the_end()
        return {topic: len(reader.seen[topic]) for topic in ANSWERS}

    before = await_groups()
    assert min(before.values()) > 20, before
    for worker in workers:
        worker.stop()
    for group, topics in READ_BY.items():
        set_back(outsider, group, topics)
    system.run_all(names=("donor-state", "matching"))
    assert await_groups() == before
    system.stop()
    outsider.close()
