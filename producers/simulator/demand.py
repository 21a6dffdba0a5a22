"""How many units are asked for each day in a simulated Kerala, by district and group: what a forecaster learns from.

The world's own requests come evenly, at one rate. So that what is learned from them can follow districts that differ,
each district here has a way of its own: size, growth, weekdays, seasons, holidays, days when everything comes at once.
No such way is known of any real district; all are drawn, and all are assumptions. Several such Keralas can be drawn at
once: what is learned from few districts is what these happen to be like.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from features.districts import DISTRICTS, POPULATION
from features.forecasting.calendars import COLUMNS, KERALA, calendar_columns
from features.forecasting.pace import DAILY, Days
from features.series import SeriesTable
from producers.simulator.world import World

Floats = NDArray[np.float64]

SIZES = (0.5, 2_000.0)
"""Times the world's own rate: far more than Kerala's districts differ by, so that what is learned holds for any."""

# Ranges from which each district's way is drawn, evenly; sizes by their logarithms. Assumptions.
_LIVELINESS = (
    0.0,
    1.0,
)  # how much of all below a district has: some hardly change from day to day, as chance alone has it
_GROWTH_A_YEAR = (-0.15, 0.25)
_WEEKDAY_SPREAD = (0.0, 0.5)  # standard deviation of logarithms
_SEASON_SWING = (0.0, 0.3)
_HOLIDAY = (-0.7, 0.0)  # on the logarithm, as the three below
_FEAST = (-0.5, 0.1)
_MONSOON = (-0.1, 0.25)
_DAY_SPREAD = (0.0, 0.4)  # of a day's own, shared by its groups
_DRIFT_A_DAY = (0.0, 0.02)  # of a walk at random


def daily_demand(
    world: World,
    seed: int,
    last_day: np.datetime64,
    n_days: int,
    n_keralas: int = 1,
    sizes: tuple[float, float] = SIZES,
) -> SeriesTable:
    """Draw units asked for on ``n_days`` days, the last of them ``last_day``.

    Parameters
    ----------
    world : World
    seed : int
        The same seed, the same table.
    last_day : datetime64[D]
    n_days : int
    n_keralas : int
        So many states of the same districts, each with ways of its own; the second's districts are named "Kollam 2".
    sizes : tuple of float
        The range of districts' rates, times that of the world.

    Returns
    -------
    SeriesTable
        Named by district and group, groups in the order of the world's own shares.
    """
    rng = default_rng([seed, n_days, 8])
    days = np.arange(last_day - n_days + 1, last_day + 1, dtype="datetime64[D]")
    calendar = calendar_columns(days, DAILY, KERALA)
    percent = np.array([share for _, share in world.group_percent])
    shares = percent / percent.sum()
    names, values = [], []
    for number, district in product(range(n_keralas), DISTRICTS):
        name = district.name if number == 0 else f"{district.name} {number + 1}"
        a_day = world.requests_per_day * district.population / POPULATION
        rate = a_day * np.exp(_way(rng, days, calendar, sizes))
        for (group, _), share in zip(world.group_percent, shares, strict=True):
            names.append((name, group))
            values.append(_units(rng, world, rate * share))
    return SeriesTable(tuple(names), days, np.array(values))


def _way(rng: Generator, days: Days, calendar: Floats, sizes: tuple[float, float]) -> Floats:
    """Return the logarithm of a district's rate over that of the world, day by day."""
    of = {name: calendar[:, place] for place, name in enumerate(COLUMNS)}
    size = rng.uniform(*np.log(sizes))
    since = np.arange(len(days)) - len(days)
    growth = rng.uniform(*_GROWTH_A_YEAR) / 365.25 * since
    weekday = rng.normal(0, rng.uniform(*_WEEKDAY_SPREAD), 7)[of["weekday"].astype(np.int64)]
    angle = rng.uniform(0, 2 * np.pi)
    season = rng.uniform(*_SEASON_SWING) * (np.sin(angle) * of["year_sin"] + np.cos(angle) * of["year_cos"])
    holiday = rng.uniform(*_HOLIDAY) * of["holidays"]
    near = [np.abs(of[f"from_{feast}"]) <= 3 for feast in ("onam", "eid_al_fitr")]
    feasts = sum(rng.uniform(*_FEAST) * one.astype(np.float64) for one in near)
    monsoon = rng.uniform(*_MONSOON) * (of["monsoon"] == 1)
    drift = np.cumsum(rng.normal(0, rng.uniform(*_DRIFT_A_DAY), len(days)))
    own = rng.normal(0, rng.uniform(*_DAY_SPREAD), len(days))
    way = growth + weekday + season + holiday + feasts + monsoon + drift - drift[-1] + own
    return np.asarray(size + rng.uniform(*_LIVELINESS) * way)


def _units(rng: Generator, world: World, requests: Floats) -> Floats:
    """Draw units: as many requests as chance has it, each of one unit and geometrically more."""
    n = rng.poisson(requests)
    more = rng.negative_binomial(np.maximum(n, 1), 1 / world.units_mean)
    return np.where(n > 0, n + more, 0).astype(np.float64)
