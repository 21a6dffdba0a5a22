"""Histories as they come: what can't be a count is left unknown, and who has nothing to go by is refused by name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.forecasting.pace import Pace, pace_of
from features.series import SeriesTable

Floats = NDArray[np.float64]

VALUE_MOST = 1e12
"""A value above it is no count of anything here."""

VALUE_LEAST = 1e-12
"""A value below it is as good as 0."""

MOST_TIMES = 10.0
"""Nothing is forecast above so many times the greatest value that a series ever had."""

_UNIT_MOST = 1e4  # times what is usual
_UNIT_LEAST = 1e-6  # of what is usual; a thousandth of a unit, and no level is lower


def usable(history: SeriesTable) -> Floats:
    """Return a history's values, NaN in place of what is no count: below 0, not finite, beyond ``VALUE_MOST``.

    What is below ``VALUE_LEAST`` is 0.
    """
    values = history.values
    with np.errstate(invalid="ignore"):
        found = np.where(np.isfinite(values) & (values >= 0) & (values <= VALUE_MOST), values, np.nan)
        return np.where(found < VALUE_LEAST, 0.0, found)


def most_of(values: Floats, unit: float) -> Floats:
    """Return the most that is forecast of each series, shape (n_series,): ``MOST_TIMES`` the greatest of its history.

    Where a few slips are all that a history shows, spreads and fans multiply to what nobody could ask for.

    Parameters
    ----------
    values : ndarray of float64, shape (n_series, n_periods)
        As ``usable`` gives them.
    unit : float
        As ``unit_of`` gives it: ten of them are always possible.
    """
    return MOST_TIMES * np.asarray(np.where(np.isnan(values), 0.0, values).max(axis=1, initial=unit))


def unit_of(values: Floats) -> float:
    """Return in what values are counted: 1 where all are whole, else a power of ten of which a mean has a thousand.

    Where the largest series alone say the mean, what is usual has a thousand. What is 10,000 times the usual is no part
    of that mean: a single slip would be all of it. What is a millionth of it counts as 0: else everything would be
    counted in what is next to nothing. Usual is the median, of series, of each one's median of values above 0.

    Parameters
    ----------
    values : ndarray of float64, shape (n_series, n_periods)
        As ``usable`` gives them.
    """
    above = [np.median(row[row > 0]) for row in values if (row > 0).any()]
    if not above:
        return 1.0
    usual = float(np.median(above))
    known = values[~np.isnan(values)]
    known = np.where(known < _UNIT_LEAST * usual, 0.0, known)
    if np.all(known == np.rint(known)):
        return 1.0
    mean = float(known[known <= _UNIT_MOST * usual].mean())
    return float(10.0 ** np.floor(np.log10(min(mean, usual) / 1_000)))


def refusals(history: SeriesTable) -> dict[tuple[str, ...], str]:
    """Return why a series is forecast as NaN, for each of which that is so."""
    values = usable(history)
    found = {}
    for name, row, given in zip(history.names, values, history.values, strict=True):
        if np.isnan(row).all():
            n_wrong = int((~np.isnan(given)).sum())
            found[name] = f"none of its {n_wrong} values is 0 or more" if n_wrong else "nothing is known of it"
    return found


def pace_of_history(history: SeriesTable) -> Pace:
    """Return at what pace a history goes.

    Raises
    ------
    ValueError
        If nothing at all is known in it.
    """
    if not history.names or not len(history.days):
        message = "a forecast needs a history: no series or no day is given"
        raise ValueError(message)
    return pace_of(history.days)
