from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.ranking import Scored, fill_probability, n_to_ask, ranked

CANDIDATE = st.tuples(st.integers(0, 2), st.sampled_from([0.1, 0.2, 0.3]), st.sampled_from([1.0, 2.5]))


def scored(*requests):
    donors = [(*one, i) for request in requests for i, one in enumerate(request)]
    columns = list(zip(*donors, strict=True)) if donors else [(), (), (), ()]
    start = np.cumsum([0, *(len(request) for request in requests)])
    return Scored(
        start,
        np.array(columns[0], np.int8),
        np.array(columns[1], np.float64),
        np.array(columns[2], np.float64),
        np.array(columns[3], np.int64),
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(CANDIDATE, max_size=30), min_size=1, max_size=4), st.integers(1, 12))
def test_the_order_is_that_of_sorting(requests, n_wanted):
    of_all = scored(*requests)
    start, offered = ranked(of_all, np.full(len(requests), n_wanted), np.zeros(len(requests), np.int64), 0.9)
    for i, request in enumerate(requests):
        order = sorted(range(len(request)), key=lambda d: (request[d][0], -request[d][1], request[d][2], d))
        assert (offered[start[i] : start[i + 1]] - of_all.start[i]).tolist() == order[:n_wanted]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.integers(1, 5))
def test_the_number_to_ask_is_that_of_counting_all_outcomes(probabilities, units):
    def chance(of):
        total = 0.0
        for outcome in itertools.product([0, 1], repeat=len(of)):
            if sum(outcome) >= units:
                total += np.prod([p if gave else 1 - p for p, gave in zip(of, outcome, strict=True)])
        return total

    assert fill_probability(np.array(probabilities), units) == pytest.approx(chance(probabilities), abs=1e-12)
    found = n_to_ask(np.array(probabilities), units, 0.9)
    chances = [chance(probabilities[:n]) for n in range(1, len(probabilities) + 1)]
    if any(abs(one - 0.9) < 1e-9 for one in chances):
        return
    assert found == next((n for n, one in enumerate(chances, 1) if one >= 0.9), len(probabilities))


@pytest.mark.parametrize(
    ("units", "by_p"),
    [
        (1, {0.04: 57, 0.05: 45, 0.10: 22, 0.15: 15, 0.20: 11, 0.30: 7}),
        (2, {0.04: 96, 0.05: 77, 0.10: 38, 0.15: 25, 0.20: 18, 0.30: 12}),
        (3, {0.04: 132, 0.05: 105, 0.10: 52, 0.15: 34, 0.20: 25, 0.30: 16}),
    ],
)
def test_alerts_that_fill_the_units_are_those_of_the_domain_facts(units, by_p):
    assert {p: n_to_ask(np.full(200, p), units, 0.9) for p in by_p} == by_p


def test_a_list_that_never_fills_is_as_long_as_it_may_be():
    assert n_to_ask(np.full(200, 0.01), 100, 0.9) == 200
