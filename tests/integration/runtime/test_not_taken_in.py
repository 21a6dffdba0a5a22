"""What was read and could not be taken in, since the outside didn't answer, is taken in first next time."""

from __future__ import annotations

from collections import defaultdict

import pytest

from consumers.forwarding import home_partition
from smartblood import logs
from smartblood.errors import Retryable
from smartblood.kafka import follower as follower_module
from smartblood.kafka import restore as restore_module
from smartblood.kafka.follower import Follower
from smartblood.kafka.offsets import Offsets
from smartblood.kafka.restore import StoreReader
from smartblood.kafka.transactions import Transactions
from tests.integration.runtime.test_reading import no_errors, nothing_open, states
from tests.integration.runtime.world import N_PARTITIONS, World, wait_until

pytestmark = pytest.mark.broker

N = 2_000
AT_ONCE = 400
WANTED = {
    number: [str(i).encode() for i in range(N) if home_partition(str(i).encode(), N_PARTITIONS) == number]
    for number in range(N_PARTITIONS)
}


class Failing:
    """Takes in, but for every third time, when the outside doesn't answer."""

    def __init__(self) -> None:
        self.n_asked = 0
        self.taken: defaultdict[int, list[bytes]] = defaultdict(list)

    def follow(self, records) -> list[str]:
        if records:
            self.n_asked += 1
            if self.n_asked % 3 == 1:
                message = "the schema registry doesn't answer"
                raise Retryable(message)
        for record in records:
            self.taken[record.partition].append(record.key)
        return []

    def restore(self, partition: int, records) -> list[str]:
        assert {record.partition for record in records} <= {partition}
        return self.follow(records)


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch):
    monkeypatch.setattr(follower_module, "RECORDS_AT_ONCE", AT_ONCE)
    monkeypatch.setattr(restore_module, "RECORDS_AT_ONCE", AT_ONCE)


@pytest.fixture
def written(world: World) -> None:
    transactions = Transactions(world.cluster, "donor-state", "writer", logs.logger(), n_turns=1)
    transactions.recover()
    transactions.begin()
    transactions.produce(states(0, N))
    transactions.commit()
    wait_until(lambda: nothing_open(world))
    transactions.close()


def patiently(step) -> bool:
    """Do a step; one that finds nobody at home is done again, as the loop does."""
    try:
        return bool(step())
    except Retryable:
        return False


@pytest.mark.usefixtures("written")
def test_a_follower_takes_in_everything_in_order_though_now_and_then_it_can_not(world: World) -> None:
    failing = Failing()
    follower = Follower(world.cluster, "matching", ["donor-states"], failing.follow, Offsets(world.cluster), no_errors)
    for _ in range(10 * N // AT_ONCE):
        if patiently(follower.begin):
            break
        seen = follower.next_offsets()["donor-states"]
        assert all(seen[number] <= len(failing.taken[number]) + 1 for number in range(N_PARTITIONS))
    assert follower.whole
    assert dict(failing.taken) == WANTED
    assert failing.n_asked > N // AT_ONCE
    follower.close()


@pytest.mark.usefixtures("written")
def test_restoring_takes_in_everything_in_order_though_now_and_then_it_can_not(world: World) -> None:
    failing = Failing()
    reader = StoreReader(world.cluster, "donor-state", "donor-states", failing.restore, no_errors)
    ends = Offsets(world.cluster).high_watermarks([("donor-states", number) for number in range(N_PARTITIONS)])
    reader.begin({number: ends["donor-states", number] for number in range(N_PARTITIONS)})
    wait_until(lambda: patiently(reader.step) is None or not reader.numbers)
    assert dict(failing.taken) == WANTED
    reader.close()


@pytest.mark.usefixtures("written")
def test_what_was_not_taken_in_is_forgotten_with_a_partition_that_is_given_up(world: World) -> None:
    failing = Failing()
    reader = StoreReader(world.cluster, "donor-state", "donor-states", failing.restore, no_errors)
    ends = Offsets(world.cluster).high_watermarks([("donor-states", number) for number in range(N_PARTITIONS)])
    numbers = set(range(N_PARTITIONS))
    reader.begin({number: ends["donor-states", number] for number in numbers})
    wait_until(lambda: patiently(reader.step) is None or failing.n_asked > 0)
    reader.drop(numbers)
    failing.taken.clear()
    reader.begin({number: ends["donor-states", number] for number in numbers})
    wait_until(lambda: patiently(reader.step) is None or not reader.numbers)
    assert dict(failing.taken) == WANTED
    reader.close()
