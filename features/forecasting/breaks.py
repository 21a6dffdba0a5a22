"""Where a series became what it is now: a hospital that begins to ask, or asks no more, isn't averaged with before.

A level over weeks believes such a change only as slowly as they pass: of a group that was never asked for and then
is, some 7 a day, forecasts said half for months. What lasts and is like nothing before is such a break; what was seen
before comes again, and what merely grows is none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.forecasting.pace import Pace
from features.forecasting.windows import rolling

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TIMES = 3.0
"""So many times the highest stretch before lies every one since a rise; so much below the lowest, since a fall."""

_ERRORS = 3.0  # standard errors by which what came since is beyond the highest or lowest before, as counts
_KNOWN_LEAST = 0.5  # of a stretch, for its mean to say something


def since_break(values: Floats, pace: Pace) -> Ints:
    """Return the first period since which each series is what it is now; 0 where nothing broke.

    A stretch is half the pace's shorter level: 14 days, 6 weeks, 3 months. Every stretch since a rise lies ``TIMES``
    above the highest of all before, however long ago, so that a season is no break that was seen a year before. A fall
    is believed after twice as long: who stops asking may merely be cut off.

    Parameters
    ----------
    values : ndarray of float64, shape (n_series, n_periods)
        0 or more, in proportion; NaN where nothing is known.
    pace : Pace
    """
    n_series, n_periods = values.shape
    stretch, first = max(3, pace.levels[0] // 2), pace.levels[0]
    found = np.zeros(n_series, np.int64)
    if first + stretch > n_periods:
        return found
    begins = np.arange(first, n_periods - stretch + 1)
    rose, fell = _beyond_all_before(values, begins, stretch)
    for row in np.flatnonzero((rose | fell).any(axis=1)):
        gains = _gains(values[row : row + 1], np.arange(first, n_periods))[0]
        best = int(np.where(rose[row] | fell[row], gains[: begins.size], -1.0).argmax())
        # A stretch that is new in part may be beyond all before, too: what is new begins within it.
        begin = first + best + int(gains[best : best + stretch].argmax())
        if n_periods - begin >= stretch * (2 if fell[row, best] else 1):
            found[row] = begin
    return found


def _beyond_all_before(values: Floats, begins: Ints, stretch: int) -> tuple[Bools, Bools]:
    """Tell of each beginning whether all since lies above all before, and whether below, shape (n_series, n_begins)."""
    means, known = rolling(values, stretch)
    means[:, : stretch - 1] = np.nan
    means[known < _KNOWN_LEAST * stretch] = np.nan
    highest, lowest = (one.accumulate(means, axis=1)[:, begins - 1] for one in (np.fmax, np.fmin))
    backwards, lasts = means[:, ::-1], begins + stretch - 1
    least, most = (one.accumulate(backwards, axis=1)[:, ::-1][:, lasts] for one in (np.fmin, np.fmax))
    came, n_since = _since(values, begins)
    most_before, least_before = n_since * highest, n_since * lowest
    with np.errstate(invalid="ignore"):
        rose = (least > 0) & (least >= TIMES * highest) & (came - most_before > _ERRORS * np.sqrt(most_before + 1))
        fell = (TIMES * most <= lowest) & (least_before - came > _ERRORS * np.sqrt(least_before + 1))
    return rose, fell


def _since(x: Floats, begins: Ints) -> tuple[Floats, Floats]:
    """Return sums from each beginning on, and of how many known values."""
    there = ~np.isnan(x)
    sums, counts = (np.cumsum(one[:, ::-1], axis=1)[:, ::-1] for one in (np.where(there, x, 0.0), there))
    return sums[:, begins], counts[:, begins].astype(np.float64)


def _gains(values: Floats, begins: Ints) -> Floats:
    """Return how much better two means fit than one, parted at each beginning."""
    roots = np.sqrt(values)  # in which counts stray alike, however large
    total, n = (one[:, None] for one in (np.nansum(roots, axis=1), np.count_nonzero(~np.isnan(roots), axis=1)))
    after, n_after = _since(roots, begins)
    before, n_before = total - after, n - n_after
    apart = after / np.maximum(n_after, 1) - before / np.maximum(n_before, 1)
    return np.asarray(n_after * n_before / np.maximum(n, 1) * apart**2)
