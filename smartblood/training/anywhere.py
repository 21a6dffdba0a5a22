"""The oracle of whoever isn't told how far a request is: the simulator's truth, averaged over distances."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.geo import distance_km
from producers.simulator import History
from producers.simulator.law import in_time_probability
from producers.simulator.towns import TOWNS
from producers.simulator.world import HOUR_US

N_DISTANCES = 8
"""Of a donor's distances, evenly taken from the nearest to the farthest."""

LEAST = 1e-12

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]


def at_random(history: History) -> Flags:
    """Return whether each alert of ``history.asks`` was of a list that was drawn at random."""
    policy = [name for name, _ in history.world.policy_share].index("RANDOM")
    found: Flags = history.asks.policy == policy
    return found


def says_yes_anywhere(history: History, places: Places) -> Floats:
    """Return how probable a yes was within each alert's life, on average over where the donor is asked at random.

    All else is as it was: the hour, how tired the donor was, the urgency, the patient's group. Donors who were never
    asked at random keep their own distance.

    Parameters
    ----------
    places : ndarray of int64, shape (n,)
        Of ``history.asks``.
    """
    world, asks, hidden = history.world, history.asks, history.people.hidden
    row, request = asks.row[places], asks.request[places]
    at = history.requests.at[request]
    life_us = np.minimum(history.requests.required_by[request] - at, int(world.alert_life_hours * HOUR_US))
    in_time = np.maximum(in_time_probability(world, hidden.answer_minutes[row], life_us), LEAST)
    stays = np.where(hidden.left_at[row] <= at, world.left_factor, 1.0)
    accepts = np.clip(asks.says_yes[places] / in_time / np.maximum(stays, LEAST), 0.0, 1 - LEAST)
    km = _km(history)
    other = accepts / (1 - accepts) / _odds(history, row, km[places])
    total = np.zeros(places.size)
    for far in _distances(history, row, km, km[places]).T:
        odds = other * _odds(history, row, far)
        total += odds / (1 + odds)
    return total / N_DISTANCES * stays * in_time


def _odds(history: History, row: Places, km: Floats) -> Floats:
    hidden = history.people.hidden
    near = hidden.willingness[row] * np.exp(-km / hidden.decay_km[row])
    found: Floats = near / (1 - near)
    return found


def _km(history: History) -> Floats:
    """Return how far each alert of the history was."""
    people, asks = history.people, history.asks
    town = np.array([(town.latitude, town.longitude) for town in TOWNS])[history.requests.hospital[asks.request]]
    return distance_km(town[:, 0], town[:, 1], people.latitude[asks.row], people.longitude[asks.row])


def _distances(history: History, row: Places, km: Floats, own: Floats) -> Floats:
    """Return for each of n alerts distances at which its donor is asked at random, shape (n, N_DISTANCES)."""
    drawn = np.flatnonzero(at_random(history))
    drawn = drawn[np.lexsort((km[drawn], history.asks.row[drawn]))]
    n = np.bincount(history.asks.row[drawn], minlength=history.people.donor_id.size)
    first = np.cumsum(n) - n
    step = (np.arange(N_DISTANCES) + 0.5) / N_DISTANCES
    place = first[row][:, None] + (step * n[row][:, None]).astype(np.int64)
    ordered = np.append(km[drawn], 0.0)
    return np.where(n[row][:, None] > 0, ordered[np.minimum(place, drawn.size)], own[:, None])
