"""From a history to forecasts that can be published: what can't be forecast is left out and said, the rest goes on."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from features.series import LEVELS, Forecaster, SeriesForecast, SeriesTable

FIRST, LAST = 0, len(LEVELS) - 1
"""Of the levels: an 80 % interval lies between 0.1 and 0.9."""

CULPRITS_MAX = 10
"""Where more series than these can't be forecast, it is not they: then none of those left has a forecast."""


@dataclass(slots=True)
class Forecasts:
    """What was forecast, series by series, and what was not.

    Attributes
    ----------
    found : dict of tuple of str to tuple of ndarray
        By a series' names its mean, shape (horizon,), and its quantiles, shape (horizon, n_levels); units a day.
    refused : dict of tuple of str to str
        Why a series has none.
    """

    found: dict[tuple[str, ...], tuple[NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=dict)
    refused: dict[tuple[str, ...], str] = field(default_factory=dict)


def forecasts_of(forecaster: Forecaster, history: SeriesTable, horizon: int) -> Forecasts:
    """Forecast all series together; where that can't be done, without those that stand in the way."""
    made, left = Forecasts(), history
    while left.names:
        found, why = _tried(forecaster, left, horizon)
        if found is not None:
            _take(found, left, made)
            break
        if len(made.refused) == CULPRITS_MAX:
            made.refused |= dict.fromkeys(left.names, why)
            break
        # Those of which most is known come first: the others borrow from them, and can't do without.
        left = _part(left, np.argsort(np.isnan(left.values).sum(axis=1), kind="stable"))
        culprit, reason = _culprit(forecaster, left, horizon, why)
        made.refused[left.names[culprit]] = reason
        left = _part(left, np.delete(np.arange(len(left.names)), culprit))
    return made


def _culprit(forecaster: Forecaster, history: SeriesTable, horizon: int, why: str) -> tuple[int, str]:
    """Return the last of the shortest beginning that can't be forecast, and why."""
    passes, fails = 0, len(history.names)
    while fails - passes > 1:
        middle = (passes + fails) // 2
        found, reason = _tried(forecaster, _part(history, np.arange(middle)), horizon)
        if found is None:
            fails, why = middle, reason
        else:
            passes = middle
    return fails - 1, why


def _tried(forecaster: Forecaster, history: SeriesTable, horizon: int) -> tuple[SeriesForecast | None, str]:
    try:
        return forecaster.forecast(history, horizon, LEVELS), ""
    except ValueError as error:
        return None, " ".join(str(error).split())


def _take(found: SeriesForecast, history: SeriesTable, made: Forecasts) -> None:
    for row, names in enumerate(history.names):
        mean, quantiles = found.mean[row], found.quantiles[row]
        if _makes_sense(mean, quantiles):
            made.found[names] = mean, quantiles
        elif np.isnan(history.values[row]).all():
            made.refused[names] = "nothing is known of it yet"
        else:
            made.refused[names] = "its forecast is no finite, ordered number of units"


def _part(history: SeriesTable, rows: NDArray[np.int64]) -> SeriesTable:
    return SeriesTable(tuple(history.names[row] for row in rows), history.days, history.values[rows])


def _makes_sense(mean: NDArray[np.float64], quantiles: NDArray[np.float64]) -> bool:
    is_finite = np.isfinite(mean).all() and np.isfinite(quantiles).all()
    return bool(is_finite and (mean >= 0).all() and (quantiles >= 0).all() and (np.diff(quantiles, axis=-1) >= 0).all())
