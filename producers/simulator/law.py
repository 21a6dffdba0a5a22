"""How simulated donors answer: the oracle, which history, live answers and evaluations share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.local_time import is_weekend, local_hour
from producers.simulator.population import FEMALE, Hidden, Population
from producers.simulator.world import DAY_US, World

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

URGENCIES = ("LOW", "MEDIUM", "HIGH", "CRITICAL")


def accept_probability(  # noqa: PLR0913 - what an answer depends on
    world: World,
    hidden: Hidden,
    rows: Rows,
    *,
    distance_km: Floats,
    unanswered: Floats,
    same_group: NDArray[np.bool_],
    urgency: int,
    district: str,
    at: int,
) -> Floats:
    """P(the donor accepts an alert, however late), for each of ``rows``.

    The odds of ``willingness * exp(-d / k)``, times 0.9 for each alert that went unanswered of late, times what
    the urgency, the hour of the day and the district make of them.

    Parameters
    ----------
    rows : ndarray of int64, shape (n,)
    distance_km : ndarray of float64, shape (n,)
    unanswered : ndarray of float64, shape (n,)
        Unanswered alerts, each counted by what is left of it.
    same_group : ndarray of bool, shape (n,)
        Whether the donor's group is the patient's.
    urgency : int
        0 LOW to 3 CRITICAL.
    district : str
        Where the request is.
    at : int
        Instant of the alert, microseconds.

    References
    ----------
    McElfresh et al. 2023 (distance); Bruhin et al. 2015 (kinds); the rest are the world's assumptions.
    """
    near = hidden.willingness[rows] * np.exp(-distance_km / hidden.decay_km[rows])
    odds = near / (1 - near) * world.fatigue_factor**unanswered
    odds *= world.urgency_odds[urgency] * hour_odds(world, at)
    odds *= dict(world.district_odds).get(district, 1.0)
    odds *= np.where(same_group, 1.0, world.other_group_odds)
    accepts = odds / (1 + odds)
    return np.where(hidden.left_at[rows] <= at, accepts * world.left_factor, accepts)


def hour_odds(world: World, at: int) -> float:
    """Return what the local hour and weekday of the instant ``at`` make of the odds to answer."""
    hour, weekend = local_hour(at), is_weekend(at)
    if hour >= 23 or hour < 6:
        return world.night_odds
    if 17 <= hour < 21:
        return world.evening_odds * (world.weekend_odds if weekend else 1.0)
    if weekend:
        return world.weekend_odds
    return world.office_odds if 9 <= hour < 17 else 1.0


def in_time_probability(world: World, median_minutes: Floats, life_us: int | Rows) -> Floats:
    """P(an answer comes before its alert has expired): lognormal around each donor's own median, shape (n,).

    ``life_us`` is that of all alerts, or of each.
    """
    spread = (np.log(life_us / 60e6) - np.log(median_minutes)) / world.answer_spread
    return normal_cdf(spread)


def deferred_probability(world: World, people: Population, rows: Rows) -> Floats:
    """P(sent away at the door), shape (n,)."""
    return np.where(people.sex[rows] == FEMALE, world.deferred_female, world.deferred_other)


def normal_cdf(x: Floats) -> Floats:
    """Return the standard normal distribution function, to 2e-7; no scipy in the core.

    References
    ----------
    Abramowitz and Stegun 1964, 26.2.17.
    """
    t = 1 / (1 + 0.2316419 * np.abs(x))
    series = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    tail = np.exp(-x * x / 2) / np.sqrt(2 * np.pi) * series
    cdf: Floats = np.where(x >= 0, 1 - tail, tail)
    return cdf


def fatigue_left(world: World, unanswered: Floats, since_us: NDArray[np.int64]) -> Floats:
    """Return what is left of the unanswered alerts after ``since_us``: half of it a half-life later, shape (n,)."""
    return unanswered * 0.5 ** (since_us / (world.fatigue_half_life_days * DAY_US))
