"""Two processes with one slot: the one that was there before gives way."""

from __future__ import annotations

import time

import pytest

from tests.acceptance.chaos import Load
from tests.acceptance.in_the_end import all_read, await_all_taken_in, wrong_topics

pytestmark = [pytest.mark.broker, pytest.mark.soak]


def test_a_worker_that_wakes_while_another_has_its_slot_writes_nothing_twice(system):
    """As where an orchestrator replaces a machine that was only unreachable."""
    outsider, publisher = system.outsider(), system.outsider()
    sleepers = system.run_all(names=("donor-state", "matching"))
    load = Load(publisher, 3, n_donors=100, rate=40)
    load.publish_donors()
    load.start()
    time.sleep(1)
    for worker in sleepers:
        worker.pause()
    successors = [system.run(worker.name, worker.slot) for worker in sleepers]
    system.await_ready(*successors)
    time.sleep(1)
    for worker in sleepers:
        worker.resume()
    time.sleep(6)
    load.stop()
    for pair in zip(sleepers, successors, strict=True):
        assert any(worker.alive for worker in pair), [worker.said[-1000:] for worker in pair]
        for worker in pair:
            assert worker.alive or worker.process.returncode == 3, worker.said[-1000:]
    await_all_taken_in(outsider)
    assert wrong_topics(outsider, all_read(outsider)) == []
    system.stop()
    outsider.close()
    publisher.close()
