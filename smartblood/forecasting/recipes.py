"""How a forecaster is fitted. Searched for on weekly donations until April 2022: see docs/forecasts.md."""

from __future__ import annotations

from typing import Any, NamedTuple

from features.forecasting.fan import LEARNED
from smartblood.registry.forecaster import LOG, USUAL

SEED = 4021

ROWS_MAX = 80_000
"""Of a longer table a sample of the origins is learned from, the same for the same table."""

ROWS_A_SERIES = 570
"""So many rows at least are learned from of each series: from many there is more to learn than from few."""

LOG_MEAN_LEAST = 5.0
"""Where series are smaller, logarithms say nothing of means: only counts are learned."""

COUNT_POWER = 1.5
"""Of Tweedie's distributions: between counts by chance alone and counts by chance and size."""


class Kind(NamedTuple):
    """A learner to be fitted: what its trees say, and which level they are measured by."""

    kind: str
    level: int
    at: float | None = None
    """The quantile that is learned; none where it is the middle."""


LARGE = (Kind(LOG, 0), Kind(LOG, 1))
"""Of series that aren't small: absolute errors of logarithms; years like no other tell counts more wrong."""

FAN = tuple(Kind(LOG, 1, at) for at in LEARNED)
"""Where their quantiles lie."""

SMALL = (Kind(USUAL, 0), Kind(USUAL, 1))

N_TREES = 220
"""Of counts; of logarithms half as many, more only learn the years before 2020 by heart."""

_COMMON: dict[str, Any] = {
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 40,
    "lambda_l2": 5.0,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "max_bin": 63,
}
PARAMETERS: dict[str, dict[str, Any]] = {
    LOG: {**_COMMON, "objective": "l1"},
    USUAL: {**_COMMON, "objective": "tweedie", "tweedie_variance_power": COUNT_POWER},
}
"""LightGBM's, for each kind."""


def parameters_of(kind: Kind) -> dict[str, Any]:
    """Return LightGBM's parameters."""
    of_kind = PARAMETERS[kind.kind]
    return of_kind if kind.at is None else {**of_kind, "objective": "quantile", "alpha": kind.at}


def n_trees(kind: Kind, most: int) -> int:
    """Return how many trees are learned, of ``most`` for counts."""
    return most if kind.kind == USUAL else -(-most // 2)
