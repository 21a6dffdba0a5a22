"""Fitting a learner's trees to what a table's past says and what came then."""

from __future__ import annotations

import lightgbm
import numpy as np
from numpy.typing import NDArray

from features.forecasting.past import Past
from features.forecasting.rows import NAMES, rows_of, rows_of_counts
from smartblood.forecasting.combining import capped
from smartblood.forecasting.recipes import COUNT_POWER, N_TREES, ROWS_A_SERIES, ROWS_MAX, Kind, n_trees, parameters_of
from smartblood.registry.forecaster import LOG

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class TooFew(ValueError):  # noqa: N818 - what the history is, not what went wrong with us
    """{n} examples teach nothing: a longer history, or more series, would."""


NEXT_TO_NOTHING = 1e-6
"""What is learned, of a series' level, where nothing was ever asked for: of nothing at all Tweedie's has no mean."""


def fit_learner(past: Past, calendar: Floats, n_known: int, horizon: int, kind: Kind, seed: int) -> str:
    """Fit trees to the first ``n_known`` periods and return LightGBM's text; the same past gives the same bytes.

    Parameters
    ----------
    past : Past
    calendar : ndarray of float64, shape (at least n_known, n_columns)
    n_known : int
        No later period is looked at.
    horizon : int
    kind : Kind
    seed : int

    Raises
    ------
    TooFew
        If there is too little to learn from.
    """
    parameters = parameters_of(kind)
    parts = [
        _part(past, calendar, origins, step, kind)
        for step, origins in enumerate(_origins(past, n_known, horizon, seed), 1)
    ]
    rows, target, weight, series = (np.concatenate(one) for one in zip(*parts, strict=True))
    if target.size < 2 * parameters["min_data_in_leaf"]:
        message = f"{target.size} examples teach nothing: a longer history, or more series, would"
        raise TooFew(message)
    if kind.kind != LOG:
        target = target if target.any() else np.full_like(target, NEXT_TO_NOTHING)
        weight = _shared(weight, series)
    data = lightgbm.Dataset(
        rows, target, weight=weight, feature_name=list(NAMES), params={"verbose": -1, "max_bin": 63}
    )
    fixed = {"deterministic": True, "force_row_wise": True, "num_threads": 1, "seed": seed, "verbose": -1}
    text: str = lightgbm.train({**parameters, **fixed}, data, n_trees(kind, N_TREES)).model_to_string()
    return text


def first_origin(past: Past, n_known: int) -> int:
    """Return the first period that is learned from: a year is needed to see one before, of a short history less."""
    year = past.pace.a_year + past.pace.around
    return year if n_known >= 2 * year else min(past.pace.levels[0], n_known // 3)


def _origins(past: Past, n_known: int, horizon: int, seed: int) -> list[Ints]:
    """Return for each step ahead which origins are learned from."""
    first, n_series = first_origin(past, n_known), past.shape[0]
    found = [np.arange(first, n_known - step) for step in range(1, horizon + 1)]
    most = max(1, max(ROWS_MAX, ROWS_A_SERIES * n_series) // (n_series * horizon))
    rng = np.random.default_rng([seed, n_known])
    return [np.sort(rng.choice(one, most, replace=False)) if one.size > most else one for one in found]


def _shared(weight: Floats, series: Ints) -> Floats:
    """Return weights of which no series has too large a share, by the series that each example is of.

    Else one of 100,000 a week that once fell to nothing would say what those of three a week are like.
    """
    by_series = np.asarray(np.bincount(series, weight), np.float64)
    factors = capped(by_series) / np.maximum(by_series, np.finfo(float).tiny)
    return np.asarray(weight * factors[series])


def _part(past: Past, calendar: Floats, origins: Ints, step: int, kind: Kind) -> tuple[Floats, Floats, Floats, Ints]:
    rows = rows_of(past, calendar, origins, step, kind.level)
    if kind.kind == LOG:
        target = past.logs[:, origins + step] - past.log_levels[kind.level][:, origins]
        weight = np.ones_like(target)
    else:
        rows = rows_of_counts(rows)
        level = past.usual(kind.level, origins, step)
        target, weight = past.values[:, origins + step] / level, level ** (2 - COUNT_POWER)
    known = ~np.isnan(target)
    return rows[known], target[known], weight[known], np.nonzero(known)[0]
