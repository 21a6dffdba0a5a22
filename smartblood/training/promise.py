"""The promise of a list that the model sized: that those asked fill the units with the certainty that it claims.

Requests that leave ``top_k`` open are put to the very processor that answers them, over donors as a simulated history
left them. What each list claims follows from its own scores; what is true of it from the simulator's probabilities.
One after the other is asked of the same donors in the same state, so nothing that a list sets off changes the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import numpy as np

from consumers.donor_state import DonorState
from consumers.driver import Driver
from consumers.matching.processor import Matching
from features.ranking import FILL_CERTAINTY, fill_probability
from features.reach import ReachRules
from features.scoring import Panel
from producers.simulator import History, LiveDonors
from producers.simulator.requests import requests
from schemas.codec import Codec
from schemas.records import Event
from smartblood.training.judging import Interval, with_interval

N_REQUESTS = 1_500
DAYS = 14
"""The requests are spread over so many days after the history, by the hours of its hospitals."""

BATCH = 64


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


def kept(
    panel: Panel,
    history: History,
    seed: int,
    *,
    n_requests: int = N_REQUESTS,
    on_step: Callable[[str], None] = lambda _: None,
) -> Kept | None:
    """Measure the promise in a world; None where no list was sized by the model."""
    on_step(f"asking for {n_requests:,} requests with as many donors as fill them")
    lists = _lists(panel, history, seed, n_requests)
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


def _lists(panel: Panel, history: History, seed: int, n_requests: int) -> list[Event]:
    """Return the decoded ``matches`` events that answer requests after the history."""
    codec = Codec()
    driver = Driver([DonorState(codec), Matching(codec, panel)], codec=codec)
    for line in history.events():
        driver.send(line.topic, line.key, line.event, timestamp_ms=line.timestamp_ms)
    driver.run(batch_size=1_000)
    first_id = 1 + max((int(str(event["request_id"])) for event in history.requests.event), default=0)
    busier = replace(history.world, requests_per_day=n_requests / DAYS)
    for line in islice(requests(busier, seed, history.end, first_request_id=first_id), n_requests):
        driver.send(line.topic, line.key, line.event, timestamp_ms=line.timestamp_ms)
    driver.run(batch_size=BATCH)
    return driver.events("matches")
