"""What is known of a donor doesn't depend on how its events came."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.donor_state.donor import DECAYED
from tests.unit.donor_state.histories import DAY, Runner, Sent, histories, requests
from tests.unit.donor_state.naive import Naive

RATES = {
    "n_alerts",
    "n_answers",
    "n_promises",
    "n_kept",
    "availability_score",
    "reliability_score",
    "reliability_sd",
    "response_time_hours",
    *(f"{name}_decayed" for name in DECAYED),
}


def unnamed_to_longest(state: dict[str, Any]) -> dict[str, Any]:
    """Of unnamed deferrals the longest says it all."""
    deferrals = state["deferrals"]
    unnamed = [one["until"] for one in deferrals if one["rule_item"] == ""]
    longest = None if None in unnamed else max(unnamed, default=None)
    named = [one for one in deferrals if one["rule_item"] != ""]
    return state | {"deferrals": [{"rule_item": "", "until": longest}] * bool(unnamed) + named}


def run(draw: st.DataObject, history: list[Sent]) -> dict[str, Any]:
    """The state after the history in a drawn order, in drawn batches, with drawn restarts."""
    return play(draw, draw.draw(st.permutations(history)))


def play(draw: st.DataObject, rest: list[Sent]) -> dict[str, Any]:
    """The state after the history in this order, in drawn batches, with drawn restarts."""
    runner = Runner()
    while rest:
        size = draw.draw(st.integers(1, len(rest)))
        runner.batch(*rest[:size])
        rest = rest[size:]
        if draw.draw(st.booleans()):
            runner.restart()
    assert runner.state is not None
    return unnamed_to_longest(runner.state)


def profiles_last(history: list[Sent]) -> list[Sent]:
    """The history with its profiles at the end, so that no null comes after a later one: rates would begin anew."""
    return sorted(history, key=lambda one: one.topic == "donor-registered" and one.event is not None)


def facts(state: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    return {name: state[name] for name in names}


def faded(state: dict[str, Any]) -> dict[str, float]:
    return {f"{name}_decayed": state[f"{name}_decayed"] or 0.0 for name in DECAYED}


@given(histories(span_days=30, nulls=False), st.data())
@settings(max_examples=150, deadline=None)
def test_all_fields_are_those_of_the_set_of_events(history: list[Sent], data: st.DataObject) -> None:
    state = run(data, history)
    expected = Naive(history)
    assert facts(state, expected.facts()) == expected.facts()
    assert facts(state, expected.rates()) == pytest.approx(expected.rates(), abs=1e-9)
    assert faded(state) == pytest.approx(expected.faded(), abs=1e-9)


@given(histories(span_days=400, nulls=False), st.data())
@settings(max_examples=100, deadline=None)
def test_rates_are_those_of_the_set_of_events_where_none_is_more_than_30_days_late(
    history: list[Sent], data: st.DataObject
) -> None:
    def due(one: Sent) -> int:
        assert one.event is not None
        return int(one.event["occurred_at"]) + data.draw(st.integers(0, 30)) * DAY

    state = play(data, sorted(history, key=due))
    expected = Naive(history).rates()
    assert facts(state, expected) == pytest.approx(expected, abs=1e-9)
    assert faded(state) == pytest.approx(Naive(history).faded(), abs=1e-9)


@given(requests(span_days=5) | histories(span_days=30, nulls=True), st.data())
@settings(max_examples=200, deadline=None)
def test_rates_are_those_of_the_set_of_events_wherever_a_null_comes_among_them(
    history: list[Sent], data: st.DataObject
) -> None:
    state = play(data, profiles_last(data.draw(st.permutations(history))))
    expected = Naive(history)
    assert facts(state, expected.rates()) == pytest.approx(expected.rates(), abs=1e-9)
    assert faded(state) == pytest.approx(expected.faded(), abs=1e-9)


@given(requests(span_days=130) | histories(span_days=400, nulls=True), st.data())
@settings(max_examples=200, deadline=None)
def test_rates_are_those_of_the_set_of_events_where_no_null_is_more_than_30_days_late(
    history: list[Sent], data: st.DataObject
) -> None:
    def due(one: Sent) -> int:
        at = one.timestamp_ms * 1000 if one.event is None else int(one.event["occurred_at"])
        return at + data.draw(st.integers(0, 30)) * DAY

    state = play(data, profiles_last(sorted(history, key=due)))
    expected = Naive(history)
    assert facts(state, expected.rates()) == pytest.approx(expected.rates(), abs=1e-9)
    assert faded(state) == pytest.approx(expected.faded(), abs=1e-9)


@given(histories(span_days=400, nulls=False), st.data())
@settings(max_examples=60, deadline=None)
def test_repeats_change_nothing_however_old(history: list[Sent], data: st.DataObject) -> None:
    repeats = data.draw(st.lists(st.sampled_from(history), max_size=8))
    expected = Naive(history).facts()
    assert facts(run(data, history + repeats), expected) == expected


@given(histories(span_days=400, nulls=True, skewed=True), st.data())
@settings(max_examples=300, deadline=None)
def test_facts_are_those_of_the_set_of_events_however_late_and_with_erasures(
    history: list[Sent], data: st.DataObject
) -> None:
    state = run(data, history)
    expected = Naive(history).facts()
    assert facts(state, expected) == expected


@given(histories(span_days=5, nulls=False), st.data())
@settings(max_examples=100, deadline=None)
def test_repeats_change_nothing(history: list[Sent], data: st.DataObject) -> None:
    repeats = [
        one._replace(timestamp_ms=one.timestamp_ms + data.draw(st.integers(0, 86_400_000)))
        for one in data.draw(st.lists(st.sampled_from(history), max_size=8))
    ]
    assert facts(run(data, history + repeats), RATES) == facts(run(data, history), RATES)
    expected = Naive(history).facts()
    assert facts(run(data, history + repeats), expected) == expected


@given(histories(span_days=30, nulls=False), st.data())
@settings(max_examples=80, deadline=None)
def test_the_memory_too_is_the_same_bytes(history: list[Sent], data: st.DataObject) -> None:
    first, second = run(data, history), run(data, history)
    assert first | {"event_id": ""} == second | {"event_id": ""}
