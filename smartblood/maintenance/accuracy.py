"""How good forecasts were lately, by what came: figures of days that are over."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

from smartblood import metrics
from smartblood.storage.upkeep import Forecasted

N_DAYS = 28

LEVELS: dict[str, Callable[[Forecasted], Hashable]] = {
    "series": lambda one: (one.district, one.blood_group, one.day),
    "district": lambda one: (one.district, one.day),
    "group": lambda one: (one.blood_group, one.day),
    "state": lambda one: one.day,
}
"""What is added up before it is compared; means of forecasts add up, so each has a forecast of its own."""


def wape(days: Sequence[Forecasted], key: Callable[[Forecasted], Hashable]) -> float:
    """Return the weighted absolute percentage error of sums: absolute errors by what came; NaN where nothing came."""
    predicted: defaultdict[Hashable, float] = defaultdict(float)
    actual: defaultdict[Hashable, float] = defaultdict(float)
    for one in days:
        predicted[key(one)] += one.predicted
        actual[key(one)] += one.actual
    came = math.fsum(actual.values())
    return math.fsum(abs(actual[at] - predicted[at]) for at in actual) / came if came else math.nan


def coverage(days: Sequence[Forecasted]) -> float:
    """Return the share of days of series on which what came lies within the 80 % interval; NaN where there is none."""
    return sum(one.lower <= one.actual <= one.upper for one in days) / len(days) if days else math.nan


def show(days: Sequence[Forecasted]) -> None:
    """Tell Prometheus."""
    for level, key in LEVELS.items():
        metrics.FORECAST_WAPE.labels(level).set(wape(days, key))
    metrics.FORECAST_COVERAGE.set(coverage(days))
