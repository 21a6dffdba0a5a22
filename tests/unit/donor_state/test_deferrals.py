"""Statements about rule items: what is kept of them says what all of them say, and there is an end to it."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.donor_state import deferrals, memory
from consumers.donor_state.donor import PERMANENT, Donor
from consumers.donor_state.donor import Statement as Kept
from consumers.topology import Input
from features.local_time import local_day
from tests.unit.donor_state.histories import (
    CODEC,
    DAY,
    DAY_OF_START,
    HOUR,
    START,
    Runner,
    donation,
    named,
    profile,
    record_of,
)

ITEM = "item 60"


class Stated(NamedTuple):
    """What one event states of an item: by what it sorts, when at the latest it was known, and until when."""

    occurred_at: int
    event_id: bytes
    stated_at: int
    until: int | None

    @property
    def last_day(self) -> int:
        return PERMANENT if self.until is None else self.until

    @property
    def lifts(self) -> bool:
        return self.last_day < local_day(self.occurred_at)


class Erased(NamedTuple):
    at: int


class Everything:
    """All statements, of which nothing is ever left out."""

    def __init__(self) -> None:
        self.stated: list[Stated] = []
        self.erased_at = 0

    def take(self, one: Stated | Erased) -> None:
        if isinstance(one, Erased):
            self.erased_at = max(self.erased_at, one.at)
        else:
            self.stated.append(one)

    def last_day(self) -> int:
        """The last day that is blocked; 0 where none is."""
        known = [one for one in self.stated if one.stated_at > self.erased_at]
        lifted = max((one[:2] for one in known if one.lifts), default=(0, b""))
        return max((one.last_day for one in known if not one.lifts and one[:2] >= lifted), default=0)


class Pruned:
    """What donor state keeps."""

    def __init__(self) -> None:
        self.donor = Donor(1)

    def take(self, one: Stated | Erased) -> None:
        donor = self.donor
        if isinstance(one, Erased):
            if one.at > donor.erased_at:
                donor.erased_at = one.at
                deferrals.forget(donor, one.at)
        elif one.stated_at > donor.erased_at:
            donor.latest_at = max(donor.latest_at, one.occurred_at)
            deferrals.state(donor, named(ITEM, one.until), one.occurred_at, one.event_id, one.stated_at)
            known_now = deferrals.standing(donor)
            deferrals.settle(donor)
            assert deferrals.standing(donor) == known_now
            self.donor = memory.decode(memory.encode(donor))

    def last_day(self) -> int:
        return max((until for _, until in deferrals.standing(self.donor)), default=0)


@st.composite
def statements(draw: st.DrawFn, *, skewed: bool = True) -> Stated:
    """Within two days, so that instants meet, and what was written before it occurred changes places."""
    at = START + draw(st.integers(0, 8)) * 6 * HOUR
    until = draw(st.sampled_from([None, *([-1] * 5), *range(16)]))
    ahead = draw(st.integers(0, 4)) * 6 * HOUR if skewed else 0
    event_id = draw(st.integers(1, 3)).to_bytes(16, "big")
    return Stated(at, event_id, at - ahead, None if until is None else local_day(at) + until)


erasures = st.builds(Erased, st.integers(-4, 8).map(lambda quarter: START + quarter * 6 * HOUR))


@st.composite
def courses(draw: st.DrawFn) -> list[Stated | Erased]:
    """Statements, and up to two erasures among them, which may be later or earlier than what comes after them."""
    course: list[Stated | Erased] = list(draw(st.lists(statements(), min_size=2, max_size=30)))
    for erased in draw(st.lists(erasures, max_size=2)):
        course.insert(draw(st.integers(len(course) // 2, len(course))), erased)
    return course


@given(courses())
@settings(max_examples=400, deadline=None)
def test_what_is_kept_says_what_everything_says_in_whatever_order_it_comes(course: list[Stated | Erased]) -> None:
    kept, everything = Pruned(), Everything()
    for one in course:
        kept.take(one)
        everything.take(one)
        assert kept.last_day() == everything.last_day()


@given(courses(), st.data())
@settings(max_examples=200, deadline=None)
def test_what_is_kept_is_the_same_in_whatever_order_it_came(course: list[Stated | Erased], data: st.DataObject) -> None:
    in_order, otherwise = Pruned(), Pruned()
    for one in course:
        in_order.take(one)
    for one in data.draw(st.permutations(course)):
        otherwise.take(one)
    assert in_order.donor.deferrals == otherwise.donor.deferrals


@given(courses())
@settings(max_examples=400, deadline=None)
def test_nobody_looks_able_for_want_of_room(course: list[Stated | Erased]) -> None:
    kept, everything = Pruned(), Everything()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deferrals, "N_STATEMENTS_MAX", 4)
        for one in course:
            kept.take(one)
            everything.take(one)
            assert kept.last_day() >= everything.last_day()
            assert sum(map(len, kept.donor.deferrals.values())) <= 4


@given(st.lists(statements(skewed=False), min_size=1, max_size=60))
@settings(max_examples=200, deadline=None)
def test_what_comes_in_its_order_is_known_to_the_day_whatever_room_there_is(course: list[Stated]) -> None:
    kept, everything = Pruned(), Everything()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deferrals, "N_STATEMENTS_MAX", 4)
        for one in sorted(course, key=lambda one: one[:2]):
            kept.take(one)
            everything.take(one)
            assert kept.last_day() == everything.last_day()


def shorter_and_shorter(n: int) -> list[Stated]:
    """Each later than the one before it, and of a shorter deferral: a late lift may come between any two."""
    return [
        Stated(START + i * HOUR, i.to_bytes(16, "big"), START + i * HOUR, DAY_OF_START + 20_000 - i) for i in range(n)
    ]


def test_the_same_deferral_said_every_day_is_kept_once() -> None:
    kept = Pruned()
    for one in shorter_and_shorter(30):
        kept.take(one._replace(until=DAY_OF_START + 20_000))
        assert len(kept.donor.deferrals[ITEM]) == 1


def test_a_late_lift_leaves_what_was_stated_after_it_among_hundreds() -> None:
    lift = Stated(START + 299 * HOUR + 1, b"\xff" * 16, START + 299 * HOUR + 1, DAY_OF_START - 1)
    kept, everything = Pruned(), Everything()
    for one in (*shorter_and_shorter(600), lift):
        kept.take(one)
        everything.take(one)
    assert kept.last_day() == everything.last_day() == DAY_OF_START + 20_000 - 300


def test_a_statement_is_compared_once_or_twice_with_each_that_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    donor, n_compared = Donor(1), 0
    outdates = deferrals._outdates

    def counting(other: Kept, one: Kept) -> bool:
        nonlocal n_compared
        n_compared += 1
        return outdates(other, one)

    monkeypatch.setattr(deferrals, "_outdates", counting)
    for one in shorter_and_shorter(600):
        deferrals.state(donor, named(ITEM, one.until), one.occurred_at, one.event_id, one.stated_at)
    assert len(donor.deferrals[ITEM]) == 600
    assert n_compared <= 600 * 600


def test_there_is_an_end_to_what_is_kept_of_all_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferrals, "N_STATEMENTS_MAX", 300)
    runner = Runner()
    runner.batch(profile(START, 1))
    for first in range(0, 500, 50):
        events = [
            donation(START + n * HOUR, n + 2, deferral=named(f"item {100 + n % 100}", DAY_OF_START + 20_000 - n))
            for n in range(first, first + 50)
        ]
        (state,) = runner.batch(*events)
        assert sum(map(len, memory.decode(state["memory"]).deferrals.values())) <= 300
    assert runner.processor.counts["statements_dropped"] == 200
    stand = {one["rule_item"]: one["until"] - DAY_OF_START for one in state["deferrals"]}
    assert stand == {f"item {100 + n}": 20_000 - n for n in range(100)}


def test_what_a_batch_states_of_one_donor_is_put_in_order_event_by_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferrals, "N_STATEMENTS_MAX", 300)
    lengths = []
    add = deferrals._add

    def adding(statements: list[Kept], new: Kept) -> None:
        add(statements, new)
        lengths.append(len(statements))

    monkeypatch.setattr(deferrals, "_add", adding)
    runner = Runner()
    events = [
        profile(
            START + n * HOUR,
            n + 1,
            deferrals=[named(f"item {100 + item}", DAY_OF_START + 20_000 - n) for item in range(100)],
        )
        for n in range(40)
    ]
    (state,) = runner.batch(*events)
    assert max(lengths) <= 5, "three of each, and what the event at hand adds"
    assert {one["until"] - DAY_OF_START for one in state["deferrals"]} == {20_000}


def test_an_event_of_many_deferrals_is_work_of_many_events() -> None:
    runner = Runner()
    many = profile(START, 1, deferrals=[named(f"item {100 + item}", DAY_OF_START) for item in range(800)])
    inputs = [Input(record_of(one), one.event) for one in (many, profile(START, 2), donation(START, 3))]
    assert [runner.processor.work(one) for one in inputs] == [101, 1, 1]


def test_more_than_that_as_an_earlier_release_left_it_is_read_and_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferrals, "N_STATEMENTS_MAX", 300)
    donor = Donor(1)
    donor.deferrals[ITEM] = [Kept(*one) for one in shorter_and_shorter(400)]
    # the same event once more, with another Kafka timestamp
    donor.deferrals[ITEM].insert(1, donor.deferrals[ITEM][0]._replace(stated_at=START + 1))
    restored = memory.decode(memory.encode(donor))
    restored.latest_at = START + 400 * HOUR
    before = deferrals.standing(restored)
    assert deferrals.settle(restored) in {100, 101}
    assert len(restored.deferrals[ITEM]) == 300
    assert deferrals.standing(restored) == before == [(ITEM, DAY_OF_START + 20_000)]


@pytest.mark.parametrize("n_lifted", [1, 2, 3])
def test_of_too_many_those_that_ended_are_merged_first(monkeypatch: pytest.MonkeyPatch, n_lifted: int) -> None:
    monkeypatch.setattr(deferrals, "N_STATEMENTS_MAX", 5)
    stand = [donation(START + n * HOUR, n + 1, deferral=named(ITEM, DAY_OF_START + 200 - n)) for n in range(4)]
    ended = [donation(START + (n + 9) * HOUR, n + 9, deferral=named(ITEM, DAY_OF_START + 90 - 9 * n)) for n in range(4)]
    runner = Runner()
    runner.each(donation(START + 100 * DAY, 50), *stand, *ended)
    (state,) = runner.batch(
        donation(START + (n_lifted - 1) * HOUR + 1, 99, deferral=named(ITEM, DAY_OF_START - 1)),
    )
    assert state["deferrals"] == [named(ITEM, DAY_OF_START + 200 - n_lifted)]


@pytest.mark.parametrize("beside", [[], [named(ITEM, DAY_OF_START + 480)]])
def test_two_of_which_a_lift_lifts_the_earlier_are_not_merged(
    monkeypatch: pytest.MonkeyPatch, beside: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr(deferrals, "N_STATEMENTS_MAX", 4)
    # the earlier was written after the lift, so that an erasure between leaves it alone
    earlier = profile(START + HOUR, 1, deferrals=[named(ITEM, DAY_OF_START + 500)])
    lift = profile(START + 2 * HOUR, 2, deferrals=[*beside, named(ITEM, DAY_OF_START - 1)])
    lift = lift._replace(timestamp_ms=START // 1000)
    rest = [
        profile(START + (n + 3) * HOUR, n + 3, deferrals=[named(ITEM, DAY_OF_START + until)])
        for n, until in enumerate((470, 200, 20, 10))
    ]
    runner = Runner()
    runner.each(earlier, lift)
    stand = [written["deferrals"] for written in runner.each(*rest)]
    assert stand == [[named(ITEM, DAY_OF_START + (480 if beside else 470))]] * 4


def test_as_many_and_as_long_items_as_there_may_be_are_far_from_what_a_record_holds() -> None:
    items = [f"{n} " + "\U0001f9ea" * 200 for n in range(1_000)]
    runner = Runner()
    for n in range(4):
        at = START + n * HOUR
        runner.batch(profile(at, n + 1, deferrals=[named(item, DAY_OF_START + 900 - n) for item in items]))
    assert sum(map(len, memory.decode((runner.state or {})["memory"]).deferrals.values())) == 3_000
    assert len(CODEC.encode("donor-states", runner.state or {})) < 4 * 2**20 * 0.4
