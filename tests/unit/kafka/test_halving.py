import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.topology import Input
from schemas.errors import InvalidRecord
from schemas.records import Output, Record
from smartblood.errors import Fatal, Retryable
from smartblood.kafka.batches import Item
from smartblood.kafka.halving import FailureLimit, answer, answered
from smartblood.kafka.sizes import TooLarge
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


def none_too_large(outputs: list[Output]) -> list[Output]:
    """Refuse what answers an input with ``n`` of 100 or more."""
    if any(json.loads(output.value)["n"] >= 100 for output in outputs):
        reason = "too large"
        raise TooLarge(reason)
    return outputs


def large_among(large: set[int], poison: set[int], n: int) -> list[Input]:
    return [Input(each.record, {**each.event, "n": i + 100 * (i in large)}) for i, each in enumerate(inputs(poison, n))]


@given(st.integers(1, 60), st.sets(st.integers(0, 59)), st.sets(st.integers(0, 59), max_size=6))
def test_what_has_too_large_an_answer_is_found_likewise_and_stops_nothing(
    n: int, large: set[int], poison: set[int]
) -> None:
    """As many batches as it takes: together they answer all the others, as if those had not been there."""
    processor, clean = Watched(), Watched()
    rest, outputs, culprits = large_among(large, poison, n), [], {}
    while rest:
        found = answer(processor, rest, {}, n_culprits_max=6, checked=none_too_large)
        assert found.n_taken > 0
        assert len(found.culprits) <= 12
        assert all(culprit.place < found.n_taken for culprit in found.culprits)
        culprits |= {culprit.item.record.offset: culprit.error for culprit in found.culprits}
        outputs += found.outputs
        processor.keep()
        rest = rest[found.n_taken :]
    wrong = (large | poison) & set(range(n))
    assert culprits.keys() == wrong
    assert all(isinstance(culprits[i], TooLarge) for i in wrong - poison)
    assert not any(isinstance(culprits[i], TooLarge) for i in wrong & poison)
    expected = answer(
        clean, [one for one in large_among(set(), set(), n) if one.record.offset not in wrong], {}, n_culprits_max=0
    )
    assert outputs == expected.outputs


def test_items_that_wait_are_left_and_culprits_are_refused() -> None:
    processor = Watched()
    poisoned = inputs({2}, 6)
    items = [Item(one.record, one.event) for one in poisoned]
    refused = Item(items[0].record, error=InvalidRecord("bad", kind="range"))
    outputs, taken = answered(
        processor, [refused, *items, refused], {}, n_culprits_max=1, checked=lambda outputs: outputs
    )
    assert len(outputs) == 5
    assert [(item.ours, item.error is None) for item in taken] == [
        (False, False),
        *[(False, True)] * 2,
        (True, False),
        *[(False, True)] * 3,
        (False, False),
    ]
    every = [Item(one.record, one.event) for one in large_among({1, 3, 4}, set(), 6)]
    outputs, taken = answered(Watched(), every, {}, n_culprits_max=1, checked=none_too_large)
    assert len(taken) < 6
    assert [item.error.kind for item in taken if item.error is not None] == ["size"]
    assert not any(item.ours for item in taken)


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
    assert answer(processor, [], {}, n_culprits_max=3) == ([], [], 0)
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
