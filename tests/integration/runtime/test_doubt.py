"""Transactions of which nobody knows how they ended: the committed offsets say, and memory follows them."""

from __future__ import annotations

import threading

import pytest

from smartblood.kafka.faults import Fault, TransactionFailed
from smartblood.kafka.loop import Loop
from smartblood.kafka.transactions import Transactions
from smartblood.kafka.tuning import Tuning
from tests.integration.runtime.toy import Counting
from tests.integration.runtime.world import World, wait_until

pytestmark = pytest.mark.broker


def in_doubt(self: Transactions) -> None:
    self._turn.doubt = "commit"
    step, reason = "commit", "timed out"
    raise TransactionFailed(step, Fault.AGAIN, reason, in_doubt=True)


def lost_answer(commit):
    """The commit is done, but its answer is lost."""

    def committing(self: Transactions) -> None:
        commit(self)
        self._open = True
        in_doubt(self)

    return committing


def lost_request(_):
    """The commit never reached the broker."""
    return in_doubt


@pytest.mark.parametrize("lost", [lost_answer, lost_request])
def test_a_batch_in_doubt_is_answered_once(world: World, monkeypatch, lost) -> None:
    commit, n_calls = Transactions.commit, [0]

    def sometimes(self: Transactions) -> None:
        n_calls[0] += 1
        (lost(commit) if n_calls[0] % 4 == 2 else commit)(self)

    monkeypatch.setattr(Transactions, "commit", sometimes)
    world.send_some(200)
    stop = threading.Event()
    loop = Loop(Counting(), world.cluster, "w0", tuning=Tuning(records_max=20, work_max=20))
    thread = threading.Thread(target=loop.run, args=(stop,))
    thread.start()
    try:
        world.wait_answered(90)
        wait_until(lambda: loop.ready)
        world.send_some(20)
        world.wait_answered()
        world.assert_exactly_once()
    finally:
        stop.set()
        thread.join(15)
    assert n_calls[0] >= 10
