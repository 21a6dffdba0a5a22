"""Means that add up: what is expected of a district is the sum over its groups, of the state the sum over districts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def added_up(
    names: tuple[tuple[str, ...], ...], values: Floats, depth: int
) -> tuple[tuple[tuple[str, ...], ...], Floats]:
    """Add up series that share the first ``depth`` places of their names; only means add up, quantiles don't.

    Parameters
    ----------
    names : tuple of tuple of str
    values : ndarray of float64, shape (n_series, ...)
    depth : int
        0 adds up everything.

    Returns
    -------
    tuple of (tuple of tuple of str, ndarray)
        Names in the order in which they first come, and sums; NaN where every part is.
    """
    places: dict[tuple[str, ...], int] = {}
    codes = [places.setdefault(name[:depth], len(places)) for name in names]
    sums = np.zeros((len(places), *values.shape[1:]))
    n_known = np.zeros(sums.shape)
    np.add.at(sums, codes, np.nan_to_num(values, nan=0.0))
    np.add.at(n_known, codes, ~np.isnan(values))
    return tuple(places), np.where(n_known > 0, sums, np.nan)
