"""At what pace periods follow each other, and how far back a forecaster looks at that pace."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.datetime64]

DAYS_A_YEAR = 365.25
LUNAR_YEAR_DAYS = 354.367
"""Twelve months of the moon: after so long the feasts of the Islamic calendar come again."""

SHORTEST_MONTH_DAYS = 28


@dataclass(frozen=True, slots=True)
class Pace:
    """How periods follow each other.

    Parameters
    ----------
    step_days : int
        Days from one period to the next; 0 where periods are calendar months.
    levels : tuple of int
        Periods whose mean is the level that a series is measured by, the shorter first.
    means : tuple of int
        Periods over which means are features, ascending.
    years : tuple of int
        Periods from one to six years before.
    moons : tuple of int
        The same for lunar years; 0 where a period is too long to tell them from others.
    around : int
        So many periods to each side of a year before are taken together.
    season : int
        Periods after which the shortest season comes again.
    fold : int
        Periods that one earlier fit is judged on.
    n_folds : int
        How many earlier fits there are, at most.
    """

    step_days: int
    levels: tuple[int, int]
    means: tuple[int, int, int, int, int]
    years: tuple[int, ...]
    moons: tuple[int, ...]
    around: int
    season: int
    fold: int
    n_folds: int

    @property
    def a_year(self) -> int:
        """Periods of a year."""
        return self.years[0]

    @property
    def of_late(self) -> int:
        """Periods among which it is looked whether enough are known: half the shorter level's."""
        return max(self.levels[0] // 2, 2)

    @property
    def enough(self) -> int:
        """So many of those are enough: half of them, or more."""
        return (self.of_late + 1) // 2

    def after(self, days: Days, horizon: int) -> Days:
        """Return the days of the ``horizon`` periods after the last of ``days``, shape (horizon,).

        Months are dated by their last days where all of ``days`` are: the 28th of February alone doesn't tell.
        """
        ahead, day = np.arange(1, horizon + 1), days[-1].astype("datetime64[D]")
        if self.step_days:
            return np.asarray(day + ahead * self.step_days)
        month = day.astype("datetime64[M]")
        if np.all(days == last_of_month(days.astype("datetime64[M]"))):
            return last_of_month(month + ahead)
        offset = day - month.astype("datetime64[D]")
        return np.asarray((month + ahead).astype("datetime64[D]") + offset)

    def begins(self, days: Days) -> Days:
        """Return the first day of each period that ``days`` name: its last, where it isn't a month's first."""
        if self.step_days:
            return days - (self.step_days - 1)
        return days.astype("datetime64[M]").astype("datetime64[D]")

    def ends(self, days: Days) -> Days:
        """Return the last day of each period that ``days`` name."""
        return days if self.step_days else last_of_month(days.astype("datetime64[M]"))


def last_of_month(months: Days | np.datetime64) -> Days:
    """Return the last day of months."""
    found: Days = (months + 1).astype("datetime64[D]") - 1
    return found


def weekdays(days: Days) -> NDArray[np.int64]:
    """Return weekdays, 0 Monday to 6 Sunday."""
    found: NDArray[np.int64] = (days.astype("datetime64[D]").astype(np.int64) + 3) % 7
    return found


_YEARS = range(1, 7)


def _moons(step: int) -> tuple[int, ...]:
    return tuple(round(n * LUNAR_YEAR_DAYS / step) if step <= 15 else 0 for n in _YEARS)


_WEEKS = tuple(round(n * DAYS_A_YEAR / 7) for n in _YEARS)
DAILY = Pace(1, (28, 91), (7, 14, 28, 91, 364), tuple(7 * n for n in _WEEKS), _moons(1), 3, 7, 91, 3)
WEEKLY = Pace(7, (13, 26), (2, 4, 8, 26, 52), _WEEKS, _moons(7), 1, 52, 26, 6)
MONTHLY = Pace(0, (6, 12), (2, 3, 6, 12, 24), tuple(12 * n for n in _YEARS), (0,) * 6, 1, 12, 6, 6)


def pace_of(days: Days) -> Pace:
    """Return the pace of days that follow each other evenly, or month by month.

    Parameters
    ----------
    days : ndarray of datetime64[D], shape (n,)
        A single one is taken for the day of a daily table.

    Raises
    ------
    ValueError
        If they don't follow each other evenly.
    """
    if len(days) < 2:
        return DAILY
    if is_monthly(days):
        return MONTHLY
    steps = np.diff(days.astype("datetime64[D]").astype(np.int64))
    if steps[0] <= 0 or np.any(steps != steps[0]):
        message = "days must be ascending and evenly spaced"
        raise ValueError(message)
    step = int(steps[0])
    known = {1: DAILY, 7: WEEKLY}
    return known[step] if step in known else _of_step(step)


def is_monthly(days: Days) -> bool:
    """Tell whether days follow each other month by month: the same day of each, that all have, or the last of each."""
    months = days.astype("datetime64[M]")
    if len(days) < 2 or np.any(np.diff(months.astype(np.int64)) != 1):
        return False
    of_month = (days - months.astype("datetime64[D]")).astype(np.int64)
    is_same = of_month[0] < SHORTEST_MONTH_DAYS and np.all(of_month == of_month[0])
    return bool(is_same or np.all(days == last_of_month(months)))


def _of_step(step: int) -> Pace:
    year = max(1, round(DAYS_A_YEAR / step))
    a, b, c, d, e = (max(1, year // part) for part in (26, 13, 6, 2, 1))
    half = max(2, year // 2)
    levels, years = (max(2, year // 4), half + 1), tuple(n * year for n in _YEARS)
    return Pace(step, levels, (a, b, c, d, e), years, _moons(step), 1, year, half, 6)
