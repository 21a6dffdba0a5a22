"""Whom different policies would ask first: the model, the simulator's own truth, the nearest, the predecessor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.scoring import Scorer
from producers.simulator import History
from smartblood.training.examples import Examples


def policies(scorer: Scorer, alerts: Examples, oracle: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return by name what each policy orders donors by, best first where it is highest; shape (n,) each.

    The predecessor's formula is 0.4 × availability + 0.3 × max(0, 1 - km / 50) + 0.3 × reliability.
    """
    km, availability, reliability = alerts.rows[:, 1], alerts.rows[:, 2], alerts.rows[:, 4]
    return {
        "model": scorer.predict(alerts.rows),
        "oracle": oracle,
        "nearest_first": -km,
        "predecessor": 0.4 * availability + 0.3 * np.maximum(0.0, 1 - km / 50) + 0.3 * reliability,
    }


def truth_of(alerts: Examples, history: History) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return what was truly probable of each alert, and whether its list was drawn at random; to judge by, only."""
    asks = history.asks
    ids = np.array([event["request_id"] for event in history.requests.event], np.int64)
    donors = history.people.donor_id
    place = {pair: i for i, pair in enumerate(zip(ids[asks.request].tolist(), donors[asks.row].tolist(), strict=True))}
    found = np.array([place[pair] for pair in zip(alerts.request_id.tolist(), alerts.donor_id.tolist(), strict=True)])
    random_policy = [name for name, _ in history.world.policy_share].index("RANDOM")
    return asks.probability[found], asks.policy[found] == random_policy
