"""How donors behaved as of an instant: against the same worked out by hand from the state alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.behaviour import Behaviour, behaviour_at
from features.decay import HalfLives
from features.index.facts import FactReader
from features.local_time import DAY_US
from features.priors import AVAILABILITY, CANCELLED_SHARE, RELIABILITY, RESPONSE_TIME
from features.rule_set import INDIA_2020
from schemas.codec import FRAME, Codec
from tests.unit.matching.world import AT, state

CODEC = Codec()
READER = FactReader(INDIA_2020)
HALF_LIVES = HalfLives(rate_days=200.0, fatigue_days=10.0)
SUMS = (
    "alerts",
    "acceptances",
    "unanswered",
    "promises",
    "kept",
    "answer_times",
    "log_hours",
    "whole_blood",
    "apheresis",
    "cancellations",
    "no_shows",
)


def behaviour(at, *states):
    columns = READER.columns(READER.decode([CODEC.encode("donor-states", one) for one in states], FRAME.size))
    return behaviour_at(columns, np.arange(len(states)), at, HALF_LIVES)


def by_hand(one, at):
    since_days = max(at // 60_000_000 - one["occurred_at"] // 60_000_000, 0) / 1_440
    seen = {name: (one[f"{name}_decayed"] or 0.0) * 0.5 ** (since_days / 200) for name in SUMS}
    gave = [one["last_whole_blood_at"], *(each["given_at"] for each in one["apheresis"])]
    gave = [each for each in gave if each is not None]
    completions = seen["whole_blood"] + seen["apheresis"]
    appointments = RELIABILITY.trials + completions + seen["cancellations"] + seen["no_shows"]
    times = RESPONSE_TIME.weight + seen["answer_times"]
    return Behaviour(
        (AVAILABILITY.alpha + seen["acceptances"]) / (AVAILABILITY.trials + seen["alerts"]),
        seen["alerts"],
        (one["unanswered_decayed"] or 0.0) * 0.5 ** (since_days / 10),
        (RELIABILITY.alpha + seen["kept"]) / (RELIABILITY.trials + seen["promises"]),
        seen["promises"],
        (RELIABILITY.alpha + completions) / appointments,
        (RELIABILITY.beta * CANCELLED_SHARE + seen["cancellations"]) / appointments,
        math.exp((RESPONSE_TIME.weight * RESPONSE_TIME.log_hours + seen["log_hours"]) / times),
        max(at - max(gave), 0) / DAY_US if gave else math.nan,
        one["total_donations"],
        max(at / DAY_US - one["joined_at"] // DAY_US, 0),
        max(at / DAY_US - one["born_on"], 0) / 365.25,
    )


@st.composite
def states(draw):
    def amount(most=40.0):
        return draw(st.none() | st.floats(0.001, most))

    sums = {f"{name}_decayed": amount() for name in SUMS}
    for part, whole in (("acceptances", "alerts"), ("kept", "promises")):
        of = sums[f"{whole}_decayed"]
        sums[f"{part}_decayed"] = None if of is None else draw(st.none() | st.floats(0, of))
    sums["log_hours_decayed"] = draw(st.none() | st.floats(-30, 30))
    return state(
        draw(st.integers(1, 9)),
        occurred_at=AT - draw(st.integers(-5, 900)) * DAY_US,
        total_donations=draw(st.integers(0, 40)),
        last_whole_blood_at=draw(st.none() | st.integers(AT - 900 * DAY_US, AT + DAY_US)),
        joined_at=AT - draw(st.integers(0, 3000)) * DAY_US,
        **sums,
    )


@settings(max_examples=150)
@given(st.lists(states(), min_size=1, max_size=4), st.integers(-3, 400))
def test_it_is_what_follows_from_the_states_by_hand(many, days):
    at = AT + days * DAY_US
    found = np.array(behaviour(at, *many))
    np.testing.assert_allclose(found.T, [by_hand(one, at) for one in many], rtol=2e-6)  # columns are single precision


def test_each_donor_is_worked_out_by_itself_to_the_last_bit():
    many = [state(n, alerts_decayed=n + 0.1, acceptances_decayed=n / 3, unanswered_decayed=0.7) for n in range(1, 60)]
    together = np.array(behaviour(AT, *many))
    for n in (0, 7, 33, 58):
        assert np.array(behaviour(AT, many[n]))[:, 0].tobytes() == together[:, n].copy().tobytes()


def test_who_was_not_heard_of_for_long_is_unknown_again():
    one = state(1, alerts_decayed=20.0, acceptances_decayed=19.0, promises_decayed=5.0, kept_decayed=0.0)
    now, then = (behaviour(AT + years * 365 * DAY_US, one) for years in (0, 40))
    assert now.response_rate[0] > 0.8
    assert now.kept_rate[0] < 0.2
    assert then.response_rate[0] == pytest.approx(AVAILABILITY.mean, abs=1e-6)
    assert then.kept_rate[0] == pytest.approx(RELIABILITY.mean, abs=1e-6)


def test_a_state_of_the_first_version_has_its_counts():
    old = state(1, n_alerts=8, n_answers=6, n_promises=3, n_kept=2, response_time_hours=2.0, occurred_at=AT)
    found = behaviour(AT, old)
    assert found.response_rate[0] == pytest.approx((AVAILABILITY.alpha + 6) / (AVAILABILITY.trials + 8))
    assert found.kept_rate[0] == pytest.approx((RELIABILITY.alpha + 2) / (RELIABILITY.trials + 3))
    assert found.answer_hours[0] == pytest.approx(2.0)
    # Of the second version a nothing is nothing, whatever was once counted.
    new = {**old, "alerts_decayed": 0.0, "promises_decayed": 0.0}
    assert behaviour(AT, new).response_rate[0] == pytest.approx(AVAILABILITY.mean)
    assert behaviour(AT, new).answer_hours[0] == pytest.approx(math.exp(RESPONSE_TIME.log_hours))
