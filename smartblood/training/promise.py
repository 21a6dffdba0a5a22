"""The promise of a list that the model sized: that those asked fill the units with the certainty that it claims.

Requests that leave ``top_k`` open are put to the very processor that answers them, over donors as a simulated history
left them. What each list claims follows from its own scores; what is true of it from the simulator's probabilities.
One after the other is asked of the same donors in the same state, so nothing that a list sets off changes the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from features.ranking import FILL_CERTAINTY, fill_probability
from features.reach import ReachRules
from producers.simulator import History, LiveDonors
from schemas.records import Event
from smartblood.training.judging import Interval, with_interval


class Kept(NamedTuple):
    """What lists claim and what is true of them.

    Parameters
    ----------
    n_requests : int
        Asked with ``top_k`` open.
    n_sized : int
        Of them, lists that the model sized: shorter than the cap, and long enough for the certainty by its scores.
    asked : Interval
        Donors in a list that was sized.
    claimed : Interval
        Mean certainty of lists that were sized, by their scores.
    filled : Interval
        Share of them that is filled, by the simulator's own probabilities.
    difference : Interval
        ``filled`` less ``claimed``.
    """

    n_requests: int
    n_sized: int
    asked: Interval
    claimed: Interval
    filled: Interval
    difference: Interval


def kept(lists: Sequence[Event], history: History, seed: int) -> Kept | None:
    """Measure the promise of lists in a world; None where none was sized by the model.

    Parameters
    ----------
    lists : sequence of dict
        As ``sent.lists_sent`` returns them.
    """
    oracle, cap = LiveDonors(history, seed), ReachRules().top_k_open
    found = []
    for one in lists:
        claimed = fill_probability(np.array([offer["match_score"] for offer in one["matches"]]), one["units_required"])
        if claimed >= FILL_CERTAINTY and len(one["matches"]) < cap:
            found.append((len(one["matches"]), claimed, fill_probability(oracle.gives(one), one["units_required"])))
    if not found:
        return None
    columns = np.array(found)
    columns = np.column_stack([columns, columns[:, 2] - columns[:, 1]])

    def mean(column: int) -> Interval:
        return with_interval(lambda places: float(columns[places, column].mean()), np.arange(len(columns)), seed=seed)

    return Kept(len(lists), len(found), *(mean(column) for column in range(4)))
