"""The classics beside which a forecaster is judged: the season before again, and exponential smoothing."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.forecasting.stl import STLForecast

Floats = NDArray[np.float64]

SEASON_MOST = 24
"""Longer seasons are taken out by a loess decomposition (STL) first: so many states teach nothing."""

_SERIES_LEAST = 10  # of fewer values the last is said again


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
    """Return means (n_series, horizon) and quantiles (n_series, horizon, n_levels) of logarithms smoothed by ETS.

    The trend is damped, errors and seasons add up in logarithms; gaps are joined by straight lines.
    """
    means = np.full((len(values), horizon), np.nan)
    quantiles = np.full((len(values), horizon, len(levels)), np.nan)
    z = norm.ppf(np.array(levels))
    for row, series in enumerate(values):
        known = np.flatnonzero(~np.isnan(series))
        if not known.size:
            continue
        logs = np.log1p(np.interp(np.arange(known[0], len(series)), known, np.maximum(series[known], 0)))
        middle, deviation = _smoothed(logs, horizon, season)
        means[row] = np.maximum(np.expm1(middle), 0)
        quantiles[row] = np.maximum(np.expm1(middle[:, None] + deviation[:, None] * z[None]), 0)
    return means, quantiles


def _smoothed(logs: Floats, horizon: int, season: int) -> tuple[Floats, Floats]:
    flat = np.full(horizon, logs[-1]), np.full(horizon, float(logs.std()))
    if logs.size < _SERIES_LEAST or not np.ptp(logs):
        return flat
    seasonal = season > 1 and logs.size >= 2 * season + 1
    series = pd.Series(logs)  # what predicts needs an index
    model = {"error": "add", "trend": "add", "damped_trend": True}
    end = logs.size + horizon - 1
    with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
        try:
            if seasonal and season > SEASON_MOST:
                fitted = STLForecast(series, ETSModel, model_kwargs=model, period=season).fit(
                    fit_kwargs={"disp": False}
                )
                said = fitted.get_prediction(logs.size, end)
                middle, deviation = said.predicted_mean, said.se_mean
            else:
                seasons = {"seasonal": "add", "seasonal_periods": season} if seasonal else {}
                said = ETSModel(series, **model, **seasons).fit(disp=False).get_prediction(start=logs.size, end=end)
                middle, deviation = said.predicted_mean, np.sqrt(said.forecast_variance)
        except (ValueError, np.linalg.LinAlgError):
            return flat
    middle, deviation = np.asarray(middle, np.float64), np.asarray(deviation, np.float64)
    return (middle, deviation) if np.isfinite([middle, deviation]).all() else flat
