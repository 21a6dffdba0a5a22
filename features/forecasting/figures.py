"""How good forecasts were: figures that hold for small counts too, none of them divided by a single outcome."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DIGITS = 10
"""Significant digits that count: what computing leaves in those beyond is no part of a forecast."""


class Figures(NamedTuple):
    """How good forecasts were.

    Parameters
    ----------
    wape : float
        Absolute errors of means over outcomes, all together.
    mase : float
        Mean absolute error over that of the seasonal naive within the history, series by series, averaged.
    rmsse : float
        The same with squares, its root.
    wql : float
        Weighted quantile loss: twice the pinball losses over outcomes, averaged over levels. NaN without quantiles.
    coverage : float
        Share of outcomes within the 80 % interval, its ends included. NaN without quantiles.
    """

    wape: float
    mase: float
    rmsse: float
    wql: float
    coverage: float


def figures_of(
    outcomes: Floats, means: Floats, scales: tuple[Floats, Floats], quantiles: Floats | None, levels: tuple[float, ...]
) -> Figures:
    """Judge forecasts; where an outcome or a forecast isn't known, neither counts.

    Parameters
    ----------
    outcomes, means : ndarray of float64, shape (n_series, n_origins, horizon)
    scales : tuple of two ndarrays, shape (n_series, n_origins)
        As ``scales_of`` gives them: of absolute and of squared errors.
    quantiles : ndarray of float64, shape (n_series, n_origins, horizon, n_levels), optional
    levels : tuple of float
    """
    both = ~np.isnan(outcomes) & ~np.isnan(means)
    error = np.where(both, outcomes - means, 0.0)
    total = float(np.abs(outcomes[both]).sum())
    n = both.sum(axis=2)
    absolute, squared = (
        part.sum(axis=2) / np.maximum(n, 1) / np.maximum(scale, 1e-12)
        for part, scale in ((np.abs(error), scales[0]), (error**2, scales[1]))
    )
    counts = (n > 0) & (scales[0] > 0)
    return Figures(
        wape=_ratio(float(np.abs(error).sum()), total),
        mase=float(absolute[counts].mean()) if counts.any() else float("nan"),
        rmsse=float(np.sqrt(squared[counts]).mean()) if counts.any() else float("nan"),
        wql=float("nan") if quantiles is None else _quantile_loss(outcomes, quantiles, levels),
        coverage=float("nan") if quantiles is None else _coverage(outcomes, quantiles, levels),
    )


def in_digits(x: Floats) -> Floats:
    """Return numbers as they are written, in ``DIGITS`` significant digits.

    Logarithms and back make another number of 1,000, by 1e-13: an interval without width would leave it out.
    """
    found: Floats = np.vectorize(lambda one: float(f"{one:.{DIGITS}g}"), otypes=[np.float64])(x)
    return found


def scales_of(values: Floats, season: int) -> tuple[Floats, Floats]:
    """Return mean absolute and squared differences of a history to the season before, shape (n_series,); 0 for none.

    What is beyond the digits that count is none: else whoever repeats each season would be divided by what computing
    left.

    Parameters
    ----------
    values : ndarray of float64, shape (n_series, n_periods)
    season : int
    """
    if season >= values.shape[1]:
        return np.zeros(len(values)), np.zeros(len(values))
    apart = values[:, season:] - values[:, :-season]
    there = ~np.isnan(apart)
    greatest = np.fmax(np.abs(values[:, season:]), np.abs(values[:, :-season]))
    apart = np.where(np.abs(apart) <= greatest * 10.0**-DIGITS, 0.0, apart)
    n = np.maximum(there.sum(axis=1), 1)
    apart = np.where(there, apart, 0.0)
    return np.abs(apart).sum(axis=1) / n, (apart**2).sum(axis=1) / n


def _quantile_loss(outcomes: Floats, quantiles: Floats, levels: tuple[float, ...]) -> float:
    level = np.array(levels)
    apart = outcomes[..., None] - quantiles
    known = ~np.isnan(apart).any(axis=-1)
    loss = np.maximum(level * apart, (level - 1) * apart)[known]
    return _ratio(2 * float(loss.mean(axis=-1).sum()), float(np.abs(outcomes[known]).sum()))


def _coverage(outcomes: Floats, quantiles: Floats, levels: tuple[float, ...]) -> float:
    if not {0.1, 0.9} <= set(levels):
        return float("nan")
    lower, upper = quantiles[..., levels.index(0.1)], quantiles[..., levels.index(0.9)]
    known = ~np.isnan(outcomes) & ~np.isnan(lower)
    within = (lower <= outcomes) & (outcomes <= upper)
    return _ratio(float(within[known].sum()), float(known.sum()))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")
