"""From a mean to quantiles: negative binomial, and what earlier forecasts missed makes its levels honest.

A mean and a relative spread say a negative binomial distribution: of small counts it is their own, of large ones nearly
a gamma. Where in it the outcomes of earlier forecasts fell says which of its levels to take, horizon by horizon: so the
share of outcomes below a quantile is what it says, whatever the distribution is in truth (distributional conformal
prediction); small means and large ones each by themselves. Quantiles never cross and are never below 0.

References
----------
Chernozhukov, Wüthrich and Zhu, "Distributional conformal prediction", PNAS 2021.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, nbdtrik  # scipy.stats says the same and takes 50 MB

Floats = NDArray[np.float64]

N_GRID = 99
GRID = np.arange(1, N_GRID + 1) / (N_GRID + 1)
"""Levels at which it is kept where earlier outcomes fell."""

SIZES = (1.0, 4.0, 16.0)
"""Means from which on outcomes fall in a table of their own."""

EXAMPLES_LEAST = 200
"""A table of fewer outcomes is that of all sizes."""

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


def conformal_tables(places: Floats, means: Floats) -> Floats:
    """Return ``conformal_levels`` by the size of means, shape (n_sizes, n_grid).

    Parameters
    ----------
    places : ndarray of float64, shape (n, n_parts)
    means : ndarray of float64, shape (n,)
    """
    size = np.searchsorted(SIZES, means, "right")
    parts = [places[size == number] for number in range(len(SIZES) + 1)]
    return np.stack([conformal_levels(part if len(part) >= EXAMPLES_LEAST else places) for part in parts])


def quantiles_of(means: Floats, spreads: Floats, conformal: Floats, levels: tuple[float, ...]) -> Floats:
    """Return quantiles, ascending along the last axis.

    Parameters
    ----------
    means, spreads : ndarray of float64, shape (n_series, horizon)
    conformal : ndarray of float64, shape (horizon, n_sizes, n_grid)
        Of each horizon what ``conformal_tables`` gave.
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
    tables = np.clip(tables, _PLACE_LEAST, 1 - _PLACE_LEAST).reshape(*conformal.shape[:2], len(levels))
    taken = tables[np.arange(means.shape[1])[None], np.searchsorted(SIZES, means, "right").clip(max=len(SIZES))]
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
