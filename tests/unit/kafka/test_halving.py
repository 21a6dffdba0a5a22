import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.topology import Input
from schemas.records import Record
from smartblood.errors import Fatal, Retryable
from smartblood.kafka.halving import FailureLimit, answer
from tests.integration.runtime.toy import Counting


class Watched(Counting):
    """Counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.n_asked = 0
        self.restore(0, [])

    def process(self, batch):
        self.n_asked += 1
        return super().process(batch)


def inputs(poison: set[int], n: int) -> list[Input]:
    return [
        Input(Record("donor-registered", 0, i, 0, b"1", b""), {"key": 1, "n": i, "poison": i in poison})
        for i in range(n)
    ]


@given(st.integers(1, 60), st.sets(st.integers(0, 59), max_size=6))
def test_every_record_that_fails_is_found_and_all_others_are_answered_as_if_it_were_not_there(
    n: int,
    poison: set[int],
) -> None:
    processor, clean = Watched(), Watched()
    found = answer(processor, inputs(poison, n), {}, n_culprits_max=6)
    assert [culprit.item.record.offset for culprit in found.culprits] == sorted(p for p in poison if p < n)
    expected = answer(
        clean, [each for each in inputs(set(), n) if each.record.offset not in poison], {}, n_culprits_max=0
    )
    assert found.outputs == expected.outputs
    assert processor.staged == clean.staged


def test_halving_asks_a_logarithm_of_times() -> None:
    processor = Watched()
    answer(processor, inputs({777}, 1000), {}, n_culprits_max=1)
    assert processor.n_asked <= 2 + math.ceil(math.log2(1000))


def test_too_many_culprits_in_one_batch_stop_the_process() -> None:
    with pytest.raises(Fatal, match="more than 3 records"):
        answer(Watched(), inputs(set(range(10)), 10), {}, n_culprits_max=3)


@pytest.mark.parametrize("error", [AssertionError, Retryable, Fatal])
def test_what_is_not_about_one_record_is_passed_on(error: type[Exception]) -> None:
    class Broken(Watched):
        def process(self, batch):
            raise error

    with pytest.raises(error):
        answer(Broken(), inputs(set(), 3), {}, n_culprits_max=3)


def test_nothing_is_asked_for_nothing() -> None:
    processor = Watched()
    assert answer(processor, [], {}, n_culprits_max=3) == ([], [])
    assert processor.n_asked == 0


def test_a_run_of_failures_stops_and_a_good_record_ends_a_run() -> None:
    limit = FailureLimit(run_max=3, share_max=1.0)
    limit = limit.after([True, True, False, True, True])
    with pytest.raises(Fatal, match="3 records in a row"):
        limit.after([True])
    limit.after([False, True, True])


def test_a_share_of_failures_stops_also_without_a_run() -> None:
    limit = FailureLimit(run_max=5, share_max=0.05, n_looked_at=100)
    rare = ([True] + [False] * 30) * 20
    limit.after(rare)
    with pytest.raises(Fatal, match="6 of the last 100"):
        limit.after([False] * 200 + ([True] + [False] * 4) * 10)


def test_failures_long_ago_are_forgotten() -> None:
    limit = FailureLimit(run_max=5, share_max=0.0, n_looked_at=100)
    for _ in range(10):
        limit = limit.after([True] + [False] * 99)
    with pytest.raises(Fatal):
        limit.after([True, False] * 5)
