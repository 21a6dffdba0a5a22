"""Means over the last periods, periods before, and what of several is known: of arrays (n_series, n_periods)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def rolling(x: Floats, window: int) -> tuple[Floats, Floats]:
    """Return means over the last ``window`` periods and of how many known ones each is; NaN where of none."""
    there = ~np.isnan(x)
    total = np.cumsum(np.where(there, x, 0.0), axis=1)
    n = np.cumsum(there, axis=1).astype(np.float64)
    if window < x.shape[1]:
        total[:, window:], n[:, window:] = total[:, window:] - total[:, :-window], n[:, window:] - n[:, :-window]
    return np.where(n > 0, total / np.maximum(n, 1), np.nan), n


def shifted(x: Floats, by: int) -> Floats:
    """Return ``x`` of ``by`` periods before, NaN where there is none; of 0 or more."""
    found = np.full_like(x, np.nan)
    if by < x.shape[1]:
        found[:, by:] = x[:, : x.shape[1] - by]
    return found


def mean_known(parts: list[Floats]) -> Floats:
    """Return the mean of those that are known, element by element; NaN where none is."""
    stack = np.stack(parts)
    there = ~np.isnan(stack)
    n = there.sum(axis=0)
    total = np.where(there, stack, 0.0).sum(axis=0)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def median_known(parts: list[Floats]) -> Floats:
    """Return the median of those that are known, element by element; NaN where none is."""
    stack = np.sort(np.stack(parts), axis=0)  # NaN comes last
    n = (~np.isnan(stack)).sum(axis=0)
    lower, upper = (
        np.take_along_axis(stack, np.maximum(place, 0)[None], axis=0)[0]
        for place in ((n - 1) // 2, np.minimum(n // 2, len(parts) - 1))
    )
    return np.where(n > 0, (lower + upper) / 2, np.nan)
