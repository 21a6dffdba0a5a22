"""The promise of a sized list, where the model is the truth itself, and where it claims too much."""

from __future__ import annotations

from features.ranking import FILL_CERTAINTY
from producers.simulator import World, simulate
from smartblood.training import promise
from smartblood.training.judging import Interval

END = 1_780_000_000_000_000
WORLD = World(n_donors=300, history_days=60)


def kept_by_lists(history, inflated=1.0):
    """Let each request be offered whoever is needed by the simulator's own probabilities, times a factor."""
    oracle = promise.LiveDonors(history, 1)
    donors = range(1, history.people.donor_id.size + 1)
    found = []
    for request_id in range(40):
        event = {
            "occurred_at": END + request_id * 3_600_000_000,
            "request_id": request_id,
            "blood_group": "O_POS",
            "district": "Ernakulam",
            "urgency": "HIGH",
            "required_by": END + (request_id + 12) * 3_600_000_000,
            "units_required": 1 + request_id % 3,
            "matches": [{"donor_id": one, "distance_km": 2.0, "blood_group": "O_POS"} for one in donors],
        }
        scores = oracle.gives(event) * inflated
        for offer, score in zip(event["matches"], scores.tolist(), strict=True):
            offer["match_score"] = min(round(score, 6), 1.0)
        n = promise_length([offer["match_score"] for offer in event["matches"]], event["units_required"])
        found.append({**event, "matches": event["matches"][:n]})
    return promise.kept(found, history, 1)


def promise_length(scores, units):
    """How many are enough, the slow way: each length in turn."""
    fewer = [1.0] + [0.0] * (units - 1)
    for n, p in enumerate(scores, 1):
        fewer = [fewer[k] * (1 - p) + (fewer[k - 1] * p if k else 0.0) for k in range(units)]
        if 1 - sum(fewer) >= FILL_CERTAINTY:
            return n
    return len(scores)


def test_scores_that_are_the_truth_keep_the_promise_and_inflated_ones_break_it():
    history = simulate(WORLD, 3, END)
    honest = kept_by_lists(history)
    assert honest.n_requests == 40
    assert honest.n_sized > 20
    assert honest.claimed.value >= FILL_CERTAINTY
    assert abs(honest.difference.value) < 1e-4
    boastful = kept_by_lists(history, inflated=2.0)
    assert boastful.difference.upper < -0.1
    assert boastful.asked.value < honest.asked.value
    assert isinstance(boastful.filled, Interval)


def test_where_nobody_can_be_asked_no_list_is_sized():
    history = simulate(WORLD, 3, END)
    assert promise.kept([{"matches": [], "units_required": 1}], history, 1) is None
