"""Quantiles that trees learned, around a median: where series are large, some weeks are less sure than others.

Trees say where the levels of ``LEARNED`` lie. How far these lie from their own median, in logarithms, opens like a fan
around the forecaster's; and how far earlier outcomes lay beyond it says how much wider or narrower it must be, horizon
by horizon, for the share of them within that it speaks of (conformalised quantile regression, scaled).

References
----------
Romano, Patterson and Candès, "Conformalized quantile regression", NeurIPS 2019.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]

LEARNED = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Levels that are learned; ascending, the median in the middle."""

_MIDDLE = len(LEARNED) // 2
_WITHIN = LEARNED[-1] - LEARNED[0]
_OPEN_LEAST = 1e-3  # logarithms
_STRETCHES = (0.2, 5.0)
_NEXT_TO_NOTHING = 0.01  # of a unit: a quantile below it is 0
_EVENLY = tuple((n + 0.5) / 20 for n in range(20))  # levels whose quantiles have the mean that all have


def fan_of(said: Floats) -> Floats:
    """Return how far learned quantiles lie from their median, in logarithms of one more, ascending.

    Parameters
    ----------
    said : ndarray of float64, shape (n_levels, ...)
        Quantiles at ``LEARNED``; 0 or more.

    Returns
    -------
    ndarray of float64, shape (..., n_levels)
    """
    logs = np.moveaxis(np.log1p(said), 0, -1)
    return np.asarray(np.sort(logs - logs[..., [_MIDDLE]], axis=-1))


def as_unsure_as_any(fan: Floats, is_new: NDArray[np.bool_]) -> Floats:
    """Return the fans of series, those of series of which little is known opened at least as wide as any other's.

    Parameters
    ----------
    fan : ndarray of float64, shape (n_series, n_levels)
        As ``fan_of`` gives it; NaN of a series that can't be forecast.
    is_new : ndarray of bool, shape (n_series,)
    """
    known = fan[~is_new & ~np.isnan(fan).any(axis=-1)]
    if not known.size:
        return fan
    widest = np.concatenate([known[:, :_MIDDLE].min(axis=0), [0.0], known[:, _MIDDLE + 1 :].max(axis=0)])
    opened = np.where(np.arange(len(LEARNED)) < _MIDDLE, np.minimum(fan, widest), np.maximum(fan, widest))
    return np.where(is_new[:, None], opened, fan)


def at_least(fan: Floats, is_unsure: NDArray[np.bool_], spread: float) -> Floats:
    """Return the fans of series, some of them opened at least as wide as a normal distribution's of logarithms.

    Parameters
    ----------
    fan : ndarray of float64, shape (n_series, n_levels)
    is_unsure : ndarray of bool, shape (n_series,)
    spread : float
        Standard deviation of logarithms.
    """
    widest = spread * _normal(LEARNED)
    opened = np.where(widest < 0, np.minimum(fan, widest), np.maximum(fan, widest))
    return np.where(is_unsure[:, None], opened, fan)


def stretch_of(outcomes: Floats, medians: Floats, fan: Floats) -> float:
    """Return by what a fan is to be multiplied so that as many outcomes lie within as it says; 1 where there are none.

    Parameters
    ----------
    outcomes, medians : ndarray of float64, shape (n,)
    fan : ndarray of float64, shape (n, n_levels)
        As ``fan_of`` gives it.
    """
    if not outcomes.size:
        return 1.0
    off = np.log1p(outcomes) - np.log1p(medians)
    upwards, downwards = np.maximum(fan[:, -1], _OPEN_LEAST), np.maximum(-fan[:, 0], _OPEN_LEAST)
    needed = np.maximum(off / upwards, -off / downwards)
    n = len(needed)
    return float(np.clip(np.quantile(needed, min(_WITHIN * (n + 1) / n, 1.0)), *_STRETCHES))


def fan_quantiles(medians: Floats, fan: Floats, levels: tuple[float, ...]) -> Floats:
    """Return quantiles around medians, ascending along the last axis and never below 0; NaN where a median is.

    What never was is forecast as next to nothing, of which nothing comes: quantiles of it are 0.

    Parameters
    ----------
    medians : ndarray of float64, shape (...)
    fan : ndarray of float64, shape (..., n_levels)
        Stretched already. Beyond what was learned it goes on as straight as a normal distribution's would.
    levels : tuple of float
    """
    from_normal, wanted = _normal(LEARNED), _normal(levels)
    place = np.clip(np.searchsorted(from_normal, wanted) - 1, 0, len(LEARNED) - 2)
    share = (wanted - from_normal[place]) / (from_normal[place + 1] - from_normal[place])
    opened = fan[..., place] + share * (fan[..., place + 1] - fan[..., place])
    found = np.expm1(np.log1p(medians)[..., None] + opened)
    return np.where(found < _NEXT_TO_NOTHING, 0.0, found)


def mean_over_median(medians: Floats, fan: Floats) -> float:
    """Return the sum of the means that fans say over that of medians; 1 where there are none.

    Parameters
    ----------
    medians : ndarray of float64, shape (n,)
    fan : ndarray of float64, shape (n, n_levels)
    """
    total = float(medians.sum())
    return float(fan_quantiles(medians, fan, _EVENLY).mean(axis=-1).sum()) / total if total > 0 else 1.0


def _normal(levels: tuple[float, ...]) -> Floats:
    return np.asarray(ndtri(np.array(levels)))
