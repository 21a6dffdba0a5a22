"""How a forecaster is fitted. Searched for on weekly donations of 2012 to 2019 alone: see docs/forecasts.md."""

from __future__ import annotations

from typing import Any, NamedTuple

from smartblood.registry.forecaster import COUNT, LOG

SEED = 4021

ROWS_MAX = 80_000
"""Of a longer table a sample of the origins is learned from, the same for the same table."""

LOG_MEAN_LEAST = 5.0
"""Where series are smaller, logarithms say nothing of means: only counts are learned."""

COUNT_POWER = 1.5
"""Of Tweedie's distributions: between counts by chance alone and counts by chance and size."""


class Kind(NamedTuple):
    """A learner to be fitted: what its trees say, and which level they are measured by."""

    kind: str
    level: int


KINDS = (Kind(LOG, 0), Kind(LOG, 1), Kind(COUNT, 0), Kind(COUNT, 1))

N_TREES = 220
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
    COUNT: {**_COMMON, "objective": "tweedie", "tweedie_variance_power": COUNT_POWER},
}
"""LightGBM's, for each kind."""
