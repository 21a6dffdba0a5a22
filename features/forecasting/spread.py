"""From a mean to quantiles: negative binomial, and what earlier forecasts missed makes its levels honest.

A mean and a relative spread say a negative binomial distribution: of small counts it is their own, of large ones nearly
a gamma. Where in it the outcomes of earlier forecasts fell says which of its levels to take, horizon by horizon: so the
share of outcomes below a quantile is what it says, whatever the distribution is in truth (distributional conformal
prediction); small means and large ones, steady series and unsteady ones each by themselves. Quantiles never cross and
are never below 0.

References
----------
Chernozhukov, Wüthrich and Zhu, "Distributional conformal prediction", PNAS 2021.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, nbdtrik  # scipy.stats says the same and takes 50 MB

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

N_GRID = 99
GRID = np.arange(1, N_GRID + 1) / (N_GRID + 1)
"""Levels at which it is kept where earlier outcomes fell."""

SIZES = (1.0, 4.0, 16.0, 64.0, 256.0)
"""Means from which on outcomes fall in a table of their own."""

SPREADS = (0.1, 0.2, 0.4)
"""Spreads from which on outcomes fall in a table of their own: how steady a series is."""

EXAMPLES_LEAST = 200
"""A table of fewer outcomes is that of its size, and that of fewer is that of all sizes."""

SERIES_LEAST = 20
"""The same of a table of fewer series: what these happen to be like is nothing to go by."""

_PARTS = (np.arange(8) + 0.5) / 8  # of an outcome's share
_MEAN_LEAST = 1e-6
_PLACE_LEAST = 1e-6


def places_of(outcomes: Floats, means: Floats, spreads: Floats) -> Floats:
    """Return where outcomes fell in what was forecast, 0 to 1, spread evenly over each outcome's own share.

    Parameters
    ----------
    outcomes, means, spreads : ndarray of float64, shape (n,)
        Means as forecast; spreads relative to them.

    Returns
    -------
    ndarray of float64, shape (n, n_parts)
        If what was forecast is true, all of them together lie evenly between 0 and 1, for small counts too.
    """
    size, probability = _parameters(means, spreads)
    counts = np.rint(outcomes)
    below, upto = _share_upto(counts - 1, size, probability), _share_upto(counts, size, probability)
    return np.asarray(below[:, None] + (upto - below)[:, None] * _PARTS)


def conformal_levels(places: Floats) -> Floats:
    """Return which levels of the distribution to take for those of ``GRID``, shape (n_grid,).

    Takes what ``places_of`` gives. With few outcomes the outer levels are pushed outwards, as conformal prediction has
    it; with none, it is ``GRID`` itself.
    """
    if not places.size:
        return GRID.copy()
    n = len(places)
    known = np.concatenate([[0.0], np.sort(places, axis=None), [1.0]])
    outwards = 0.5 + (GRID - 0.5) * (n + 1) / n
    return np.asarray(np.interp(np.clip(outwards, 0, 1), np.linspace(0, 1, known.size), known))


def conformal_tables(places: Floats, means: Floats, spreads: Floats, series: Ints) -> Floats:
    """Return ``conformal_levels`` by the size of means and by spread, shape (n_sizes, n_spreads, n_grid).

    Parameters
    ----------
    places : ndarray of float64, shape (n, n_parts)
    means, spreads : ndarray of float64, shape (n,)
    series : ndarray of int64, shape (n,)
        Which series an outcome is of.
    """
    size, spread = np.searchsorted(SIZES, means, "right"), np.searchsorted(SPREADS, spreads, "right")
    found = np.empty((len(SIZES) + 1, len(SPREADS) + 1, N_GRID))
    found[:] = conformal_levels(places)
    for n in range(len(SIZES) + 1):
        of_size = size == n
        if _enough(of_size, series):
            found[n] = conformal_levels(places[of_size])
        for m in range(len(SPREADS) + 1):
            of_both = of_size & (spread == m)
            if _enough(of_both, series):
                found[n, m] = conformal_levels(places[of_both])
    return found


def _enough(chosen: Bools, series: Ints) -> bool:
    return bool(np.count_nonzero(chosen) >= EXAMPLES_LEAST) and len(np.unique(series[chosen])) >= SERIES_LEAST


def quantiles_of(means: Floats, spreads: Floats, conformal: Floats, levels: tuple[float, ...]) -> Floats:
    """Return quantiles, ascending along the last axis.

    Parameters
    ----------
    means, spreads : ndarray of float64, shape (n_series, horizon)
    conformal : ndarray of float64, shape (horizon, n_sizes, n_spreads, n_grid)
        Of each horizon what ``conformal_tables`` gave. Of fewer sizes or spreads the last counts for those beyond.
    levels : tuple of float

    Returns
    -------
    ndarray of float64, shape (n_series, horizon, n_levels)
        NaN where a mean is.
    """
    size, probability = _parameters(means, spreads)
    grid = np.concatenate([[0.0], GRID, [1.0]])
    rows = conformal.reshape(-1, N_GRID)
    tables = np.stack([np.interp(levels, grid, np.concatenate([[0.0], row, [1.0]])) for row in rows])
    tables = np.clip(tables, _PLACE_LEAST, 1 - _PLACE_LEAST).reshape(*conformal.shape[:3], len(levels))
    ahead = np.arange(means.shape[1])[None]
    by_size = np.searchsorted(SIZES, means, "right").clip(max=conformal.shape[1] - 1)
    by_spread = np.searchsorted(SPREADS, spreads, "right").clip(max=conformal.shape[2] - 1)
    taken = tables[ahead, by_size, by_spread]
    found = _least_count(taken, size[..., None], probability[..., None])
    found[np.isnan(means)] = np.nan
    return np.maximum.accumulate(np.maximum(found, 0.0), axis=-1)


def _share_upto(counts: Floats, size: Floats, probability: Floats) -> Floats:
    """Return the distribution function of the negative binomial."""
    return np.asarray(np.where(counts < 0, 0.0, betainc(size, np.maximum(counts, 0) + 1, probability)))


def _least_count(shares: Floats, size: Floats, probability: Floats) -> Floats:
    """Return the least count up to which there is as large a share."""
    count = np.maximum(np.ceil(nbdtrik(shares, size, probability)), 0.0)
    before = np.maximum(count - 1, 0.0)
    return np.asarray(np.where(_share_upto(before, size, probability) >= shares, before, count))


def _parameters(means: Floats, spreads: Floats) -> tuple[Floats, Floats]:
    size = 1 / np.maximum(spreads, 1e-3) ** 2
    return size, size / (size + np.maximum(means, _MEAN_LEAST))
