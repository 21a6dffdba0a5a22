"""The classics beside which a forecaster is judged: the season before again, and exponential smoothing."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float64]

SEASON_MOST = 24
"""Longer seasons are left out: so many states teach nothing. Taken out by a loess decomposition (STL) they made
forecasts of weekly donations worse, from 2016 to April 2022."""

_SERIES_LEAST = 10  # of fewer values the last is said again
_DAMPED: dict[str, Any] = {"trend": "add", "damped_trend": True}


def seasonal_naive(values: Floats, horizon: int, season: int) -> Floats:
    """Return what was a season before, shape (n_series, horizon); NaN where nothing was."""
    n = values.shape[1]
    places = np.array([n + step - season * (-(-(step + 1) // season)) for step in range(horizon)])
    found = np.full((len(values), horizon), np.nan)
    there = places >= 0
    found[:, there] = values[:, places[there]]
    return found


def exponential_smoothing(
    values: Floats, horizon: int, season: int, levels: tuple[float, ...]
) -> tuple[Floats, Floats]:
    """Return means (n_series, horizon) and quantiles (n_series, horizon, n_levels) of what ETS makes of each series.

    With a season, logarithms are smoothed, and errors, a damped trend and seasons add up. Without one, values are, and
    AICc says whether errors add up or are in proportion to the level, and whether there is a damped trend. Gaps are
    joined by straight lines.
    """
    means = np.full((len(values), horizon), np.nan)
    quantiles = np.full((len(values), horizon, len(levels)), np.nan)
    z = norm.ppf(np.array(levels))
    for row, series in enumerate(values):
        known = np.flatnonzero(~np.isnan(series))
        if not known.size:
            continue
        joined = np.interp(np.arange(known[0], len(series)), known, np.maximum(series[known], 0))
        seasonal = 1 < season <= SEASON_MOST and joined.size >= 2 * season + 1
        middle, deviation = _smoothed(np.log1p(joined), horizon, season) if seasonal else _level_only(joined, horizon)
        said = np.concatenate([middle[:, None], middle[:, None] + deviation[:, None] * z[None]], axis=1)
        said = np.maximum(np.expm1(said) if seasonal else said, 0)
        means[row], quantiles[row] = said[:, 0], said[:, 1:]
    return means, quantiles


def _smoothed(logs: Floats, horizon: int, season: int) -> tuple[Floats, Floats]:
    seasons = {"seasonal": "add", "seasonal_periods": season}
    return _best(logs, horizon, [{"error": "add", **_DAMPED, **seasons}])


def _level_only(joined: Floats, horizon: int) -> tuple[Floats, Floats]:
    errors = ("add", "mul") if joined.min() > 0 else ("add",)
    return _best(joined, horizon, [{"error": error, **trend} for error in errors for trend in ({}, _DAMPED)])


def _best(values: Floats, horizon: int, models: list[dict[str, Any]]) -> tuple[Floats, Floats]:
    """Return what the model with the least AICc says; the last value, as unsure as all of them, where none fits."""
    flat = np.full(horizon, values[-1]), np.full(horizon, float(values.std()))
    if values.size < _SERIES_LEAST or not np.ptp(values):
        return flat
    series = pd.Series(values)  # what predicts needs an index
    found = []
    # Its matrices are tiny: more threads than one would wait for each other, awake.
    one_thread = threadpool_limits(limits=1, user_api="blas")
    with one_thread, warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
        for model in models:
            try:
                fitted = ETSModel(series, **model).fit(disp=False)
                said = fitted.get_prediction(start=values.size, end=values.size + horizon - 1)
                middle, deviation = np.asarray(said.predicted_mean), np.sqrt(np.asarray(said.forecast_variance))
            except (ValueError, np.linalg.LinAlgError):
                continue
            if np.isfinite([middle, deviation]).all() and np.isfinite(fitted.aicc):
                found.append((float(fitted.aicc), middle, deviation))
    return min(found, key=lambda one: one[0])[1:] if found else flat
