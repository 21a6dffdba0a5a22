"""What fades: where an outcome counts, and what becomes of too many."""

from __future__ import annotations

import pytest

from consumers.donor_state import decayed, memory
from consumers.donor_state.decayed import N_OUTCOMES_MAX
from consumers.donor_state.donor import Donor
from features.decay import HalfLives, left
from tests.unit.donor_state.histories import DAY, START, Runner, donation, erasure, last_state, profile

N_GARBAGE = 70_000


@pytest.mark.parametrize("component", ["UNKNOWN", "WHOLE_BLOOD", "RED_CELLS", "PLATELETS", "PLASMA"])
def test_a_completed_donation_counts_once_and_of_unknown_component_as_whole_blood(component: str) -> None:
    state = last_state(profile(START, 1), donation(START + DAY, 2, component=component))
    by_apheresis = component in {"PLATELETS", "PLASMA"}
    found = (state["whole_blood_decayed"], state["apheresis_decayed"])
    assert found == ((None, 1.0) if by_apheresis else (1.0, None))


def test_however_many_outcomes_come_in_a_day_all_count_and_the_memory_stays_small() -> None:
    donor, half_lives = Donor(1), HalfLives()
    instants = [START + n * (DAY // N_GARBAGE) for n in range(N_GARBAGE)]
    n_dropped = 0
    for first in range(0, N_GARBAGE, 7_000):
        for donor.latest_at in instants[first : first + 7_000]:
            decayed.note(donor, "NO_SHOW", "WHOLE_BLOOD", donor.latest_at)
        n_dropped += decayed.settle(donor, 30 * DAY, half_lives)
        donor = memory.decode(memory.encode(donor))
    assert n_dropped == N_GARBAGE - N_OUTCOMES_MAX
    assert len(memory.encode(donor)) < 10_000
    expected = sum(left(instants[-1] - at, half_lives.rate_days) for at in instants)
    assert decayed.sums(donor, [], half_lives)[decayed.NO_SHOWS] == pytest.approx(expected, rel=1e-9)


def test_of_too_many_outcomes_the_oldest_are_summed_up_and_counted() -> None:
    runner = Runner()
    n = N_OUTCOMES_MAX + 3
    runner.batch(*(donation(START + one * 1_000, one, outcome="CANCELLED") for one in range(n, 0, -1)))
    assert runner.processor.counts["outcomes_dropped"] == 3
    runner.batch(erasure(START + (n - 5) * 1_000))
    (state,) = runner.batch(profile(START + n * 1_000, n + 1))
    assert state["cancellations_decayed"] == pytest.approx(5)
