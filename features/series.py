"""Series side by side, and what is forecast of them: flat arrays that library, record and processor agree upon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from features.forecasting.pace import pace_of
from features.scoring import Model

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Levels of the quantiles that a forecast says, unless others are asked for."""


@dataclass(frozen=True, slots=True)
class SeriesTable:
    """What was counted, series by series and period by period.

    Parameters
    ----------
    names : tuple of tuple of str, shape (n_series,)
        Of each series its places in a hierarchy, the widest first: ``("Kollam", "O_POS")``, or ``("A",)``.
    days : ndarray of datetime64[D], shape (n_periods,)
        Ascending and evenly spaced, or month by month (the same day of each, or the last); a period of several days
        is named by its last, a month by any. The last is the cutoff, the last period known.
    values : ndarray of float64, shape (n_series, n_periods)
        NaN where nothing is known: before a series began, and in gaps.
    """

    names: tuple[tuple[str, ...], ...]
    days: NDArray[np.datetime64]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Refuse arrays that don't belong together.

        Raises
        ------
        ValueError
            Where shapes differ, a name is there twice, or days aren't ascending and evenly spaced.
        """
        if self.values.shape != (len(self.names), len(self.days)):
            message = (
                f"{len(self.names)} names and {len(self.days)} days can't have values of shape {self.values.shape}"
            )
            raise ValueError(message)
        if len(set(self.names)) != len(self.names):
            message = "a series is there twice"
            raise ValueError(message)
        pace_of(self.days)


@dataclass(frozen=True, slots=True)
class SeriesForecast:
    """What is expected of each series after its cutoff.

    Parameters
    ----------
    days : ndarray of datetime64[D], shape (horizon,)
    mean : ndarray of float64, shape (n_series, horizon)
    levels : tuple of float, shape (n_levels,)
        Ascending, between 0 and 1.
    quantiles : ndarray of float64, shape (n_series, horizon, n_levels)
        Ascending along the last axis.
    """

    days: NDArray[np.datetime64]
    mean: NDArray[np.float64]
    levels: tuple[float, ...]
    quantiles: NDArray[np.float64]


class Forecaster(Model, Protocol):
    """What says of series how they go on; deterministic: the same history gives the same bytes."""

    def forecast(self, history: SeriesTable, horizon: int, levels: tuple[float, ...] = LEVELS) -> SeriesForecast:
        """Return the forecast of the ``horizon`` periods after the history's last day, in the history's order.

        Raises
        ------
        ValueError
            Where a forecast of this history can't be made, in one line.
        """
