"""A plain, honest forecaster for tests: the mean of the same weekday, and the spread of what was seen of it."""

from __future__ import annotations

import numpy as np

from features.series import LEVELS, SeriesForecast

WEEK = 7


class WeekdayMeans:
    """Forecasts each weekday by its mean; of a series of which nothing is known, by that of all others."""

    name, version, sha256 = "demand_forecast", "0.0.1", "d" * 64

    def __init__(self, refuses=()):
        self.refuses = set(refuses)
        self.asked = []

    def forecast(self, history, horizon, levels=LEVELS):
        self.asked.append(history.names)
        bad = [names for names in history.names if names in self.refuses]
        if bad:
            message = f"{bad[0]} can't be forecast"
            raise ValueError(message)
        if np.isnan(history.values).all():
            message = "nothing is known of any series"
            raise ValueError(message)
        days = history.days[-1] + np.arange(1, horizon + 1)
        of_history, of_horizon = history.days.astype(np.int64) % WEEK, days.astype(np.int64) % WEEK
        mean = np.zeros((len(history.names), horizon))
        quantiles = np.zeros((len(history.names), horizon, len(levels)))
        for weekday in range(WEEK):
            seen = history.values[:, of_history == weekday]
            anything = seen[~np.isnan(seen)] if (~np.isnan(seen)).any() else np.zeros(1)
            for row, one in enumerate(seen):
                known = one[~np.isnan(one)]
                known = known if len(known) else anything
                mean[row, of_horizon == weekday] = known.mean()
                quantiles[row, of_horizon == weekday] = np.quantile(known, levels)
        return SeriesForecast(days, mean, tuple(levels), quantiles)
