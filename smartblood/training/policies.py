"""Whom different policies would ask first: the model, the simulator's own truth, the nearest, the predecessor."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from producers.simulator import History
from smartblood.training.anywhere import at_random, says_yes_anywhere
from smartblood.training.examples import Examples
from smartblood.training.views import Views

Floats = NDArray[np.float64]


class Truth(NamedTuple):
    """What was truly probable of each of n alerts, to judge by only; and whether its list was drawn at random.

    ``says_yes`` is within the alert's life, ``keeps_it`` of who said yes, ``gives`` both and not sent away.
    ``says_yes_anywhere`` is ``says_yes`` on average over the distances at which this donor is asked at random: all that
    can be known by whoever isn't told how far the request is.
    """

    gives: Floats
    says_yes: Floats
    keeps_it: Floats
    at_random: NDArray[np.bool_]
    says_yes_anywhere: Floats

    def take(self, places: NDArray[np.int64]) -> Truth:
        """Return what was true of some of them."""
        return Truth(
            self.gives[places],
            self.says_yes[places],
            self.keeps_it[places],
            self.at_random[places],
            self.says_yes_anywhere[places],
        )


def policies(model: Floats, views: Views, oracle: Floats | None) -> dict[str, Floats]:
    """Return by name what each policy orders donors by, best first where it is highest; shape (n,) each.

    ``model`` is what the model says; ``oracle`` the truth, None where nobody knows it.

    The predecessor's formula is 0.4 × availability + 0.3 × max(0, 1 - km / 50) + 0.3 × reliability.
    """
    km = views.rows[:, 1]
    return {
        "model": model,
        **({} if oracle is None else {"oracle": oracle}),
        "nearest_first": -km,
        "predecessor": 0.4 * views.availability + 0.3 * np.maximum(0.0, 1 - km / 50) + 0.3 * views.reliability,
    }


def truth_of(alerts: Examples, history: History) -> Truth:
    """Return what was true of alerts."""
    asks, found = history.asks, asks_of(alerts, history)
    return Truth(
        asks.probability[found],
        asks.says_yes[found],
        asks.shows_up[found],
        at_random(history)[found],
        says_yes_anywhere(history, found),
    )


def asks_of(alerts: Examples, history: History) -> NDArray[np.int64]:
    """Return the place of each alert in ``history.asks``."""
    asks, donors = history.asks, history.people.donor_id
    ids = np.array([event["request_id"] for event in history.requests.event], np.int64)
    place = {pair: i for i, pair in enumerate(zip(ids[asks.request].tolist(), donors[asks.row].tolist(), strict=True))}
    pairs = zip(alerts.request_id.tolist(), alerts.donor_id.tolist(), strict=True)
    return np.array([place[pair] for pair in pairs], np.int64)
