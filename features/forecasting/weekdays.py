"""What the weekdays of a series are like, of daily tables: by how much a Sunday is below its week.

Trees that learned of many series go by steps, and tell a weekday that is half of another only roughly. So what they say
is measured by what is usual on that weekday, as far as the series has shown it beyond chance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.forecasting.windows import rolling, shifted

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WEEK = 7
WEEKS = 13
"""The same weekday of so many is usual."""

_BORROWED = 0.25  # the level counts as so many more values of each weekday
_BORROWED_UNITS = 10.0  # and as so many units more: of small counts chance makes weekdays


class Weekdays(NamedTuple):
    """Arrays of shape (n_series, n_periods), each as of the end of a day.

    Parameters
    ----------
    means : ndarray of float64
        Over the same weekday of thirteen weeks, that day's the last; NaN where none is known.
    known : ndarray of float64
        Of how many values.
    """

    means: Floats
    known: Floats

    def usual_before(self, level: Floats) -> tuple[Floats, Floats]:
        """Return what was usual before each day on its weekday, leaning on the level where little is known.

        Parameters
        ----------
        level : ndarray of float64, shape (n_series, n_periods)
            Before each day.

        Returns
        -------
        tuple of ndarray of float64, shape (n_series, n_periods)
            Means, and of how many values they are.
        """
        mean, known = (np.nan_to_num(shifted(one, WEEK)) for one in self)
        weight = known + _BORROWED
        return (mean * known + level * _BORROWED) / weight, weight

    def factors(self, level: Floats, origins: Ints, horizon: int) -> Floats:
        """Return what a weekday is to its series' level, for the day ``horizon`` after each origin.

        Parameters
        ----------
        level : ndarray of float64, shape (n_series, n_origins)
            Of each origin, over as many weeks; above 0.
        origins : ndarray of int64, shape (n_origins,)
        horizon : int

        Returns
        -------
        ndarray of float64, shape (n_series, n_origins)
            1 where nothing is known; above 0.
        """
        last = origins + horizon - WEEK * -(-horizon // WEEK)  # the last such weekday that is known
        there = last >= 0
        mean, known = np.zeros_like(level), np.zeros_like(level)
        mean[:, there], known[:, there] = np.nan_to_num(self.means[:, last[there]]), self.known[:, last[there]]
        borrowed = _BORROWED + _BORROWED_UNITS / level
        return np.asarray((mean * known + level * borrowed) / (level * (known + borrowed)))


def weekdays_of(values: Floats) -> Weekdays:
    """Return what the weekdays of daily values are like; NaN where nothing is known."""
    means, known = np.empty_like(values), np.empty_like(values)
    for day in range(WEEK):
        own = values[:, day::WEEK]
        means[:, day::WEEK], known[:, day::WEEK] = rolling(own, WEEKS)
    return Weekdays(means, known)
