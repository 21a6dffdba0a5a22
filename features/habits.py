"""How somebody gives: how long ago, how often, for how long, and whether the next time is due.

One unit of time for all, days in the stream; what doesn't depend on a unit is the same for any other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

HABITS = (
    "time_since_last_donation",
    "total_donations",
    "tenure",
    "donations_per_time",
    "mean_interval",
    "time_since_last_per_interval",
)

MORE_IS_MORE = (-1, 1, 0, 1, 0, -1)
"""Whether more of a column speaks for giving again (1), against it (-1), or for neither by itself."""


def habit_rows(since_last: ArrayLike, total: ArrayLike, tenure: ArrayLike) -> NDArray[np.float64]:
    """Return what donations say of a habit, in the order of ``HABITS``.

    Parameters
    ----------
    since_last : array of float, shape (n,)
        Time since the last donation; NaN where there was none.
    total : array of int, shape (n,)
        Donations so far.
    tenure : array of float, shape (n,)
        Time since the first one, or since joining.

    Returns
    -------
    ndarray of float64, shape (n, 6)
        Whoever gave less than twice has shown no interval: NaN.
    """
    since, n = np.asarray(since_last, np.float64), np.asarray(total, np.float64)
    long = np.maximum(np.asarray(tenure, np.float64), 1.0)
    rows = np.empty((len(n), len(HABITS)), np.float64)
    # Between the first and the last donation lie n - 1 intervals.
    interval = np.full(len(n), np.nan)
    np.divide(long - since, n - 1, out=interval, where=(n > 1) & (long > since))
    rows[:, 0] = since
    rows[:, 1] = n
    rows[:, 2] = tenure
    rows[:, 3] = n / long
    rows[:, 4] = interval
    rows[:, 5] = since / interval
    return rows
