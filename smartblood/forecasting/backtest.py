"""A backtest: as of each origin a forecaster is learned from what was known then, and judged on what came."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.forecasting.calendars import Place
from features.forecasting.figures import Figures, figures_of, in_digits, scales_of
from features.forecasting.histories import usable
from features.series import LEVELS, SeriesTable
from smartblood.errors import Fatal
from smartblood.forecasting.classics import exponential_smoothing, seasonal_naive
from smartblood.forecasting.learning import Fitted, learn
from smartblood.registry.forecaster import forecaster_of

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ALL = slice(None)
FORECASTER, NAIVE, ETS = "forecaster", "seasonal naive", "ETS"


class Plan(NamedTuple):
    """What is to be judged.

    Parameters
    ----------
    horizon : int
        Periods that are forecast as of each origin.
    season : int
        Periods after which the season comes again, for the classics and what errors are measured by.
    origins : int
        How many, the last one horizon before the table's end.
    every : int
        Periods from one origin to the next.
    place : Place, optional
        Whose calendar counts.
    """

    horizon: int
    season: int
    origins: int
    every: int
    place: Place | None = None

    def cutoffs(self, n_periods: int) -> list[int]:
        """Return the places of the last period known, ascending; only those that are there."""
        last = n_periods - 1 - self.horizon
        return [place for n in reversed(range(self.origins)) if (place := last - n * self.every) > 0]


class Said(NamedTuple):
    """What somebody forecast.

    Parameters
    ----------
    means : ndarray of float64, shape (n_series, n_origins, horizon)
    quantiles : ndarray of float64, shape (n_series, n_origins, horizon, n_levels), optional
    """

    means: Floats
    quantiles: Floats | None


class Backtest(NamedTuple):
    """All that was forecast, and how good it was.

    Parameters
    ----------
    cutoffs : tuple of int
        Places of the last period known.
    outcomes : ndarray of float64, shape (n_series, n_origins, horizon)
        In as many digits as forecasts.
    scales : tuple of two ndarrays, shape (n_series, n_origins)
        What errors are measured by, as ``scales_of`` gives it.
    said : dict of str to Said
        By the forecaster and by the classics.
    """

    cutoffs: tuple[int, ...]
    outcomes: Floats
    scales: tuple[Floats, Floats]
    said: dict[str, Said]

    def figures(self, origins: slice = ALL, steps: slice = ALL) -> dict[str, Figures]:
        """Return how good each was, at all origins and horizons or some of them; all on the same outcomes."""
        scales = self.scales[0][:, origins], self.scales[1][:, origins]
        outcomes = np.where(self._judged(), self.outcomes, np.nan)
        return {
            name: figures_of(
                outcomes[:, origins, steps],
                one.means[:, origins, steps],
                scales,
                None if one.quantiles is None else one.quantiles[:, origins, steps],
                LEVELS,
            )
            for name, one in self.said.items()
        }

    def n_judged(self) -> tuple[int, int]:
        """Return on how many outcomes all are judged, and how many are known."""
        return int(np.count_nonzero(self._judged())), int(np.count_nonzero(~np.isnan(self.outcomes)))

    def _judged(self) -> Bools:
        """Return which outcomes are known and forecast by all; who forecasts none of them doesn't count.

        Of a series without a season before, the seasonal naive says nothing: there is nothing to compare others with.
        """
        known = ~np.isnan(self.outcomes)
        forecast = [there for one in self.said.values() if (there := known & ~np.isnan(one.means)).any()]
        return np.asarray(np.all([known, *forecast], axis=0))


def backtest(table: SeriesTable, plan: Plan, on_step: Callable[[int, int, str], None] = lambda *_: None) -> Backtest:
    """Forecast as of each origin and judge it; at each the forecaster is learned anew, from what was known then.

    Parameters
    ----------
    on_step : callable
        Told how many origins are done, of how many, and what is being done.

    Raises
    ------
    Fatal
        If the table is too short.
    """
    cutoffs = plan.cutoffs(len(table.days))
    if len(cutoffs) < plan.origins:
        origins = "1 origin" if plan.origins == 1 else f"{plan.origins} origins {plan.every} apart"
        message = f"{len(table.days)} periods are too few for {origins}, {plan.horizon} ahead; {_advice(plan)}"
        raise Fatal(message)
    values = usable(table)
    parts: dict[str, list[tuple[Floats, Floats | None]]] = {FORECASTER: [], NAIVE: [], ETS: []}
    fitted: Fitted = {}
    for done, cutoff in enumerate(cutoffs):
        known = SeriesTable(table.names, table.days[: cutoff + 1], table.values[:, : cutoff + 1])
        on_step(done, len(cutoffs), f"as of {known.days[-1]}")
        parts[FORECASTER].append(_forecast(known, plan, fitted))
        past = values[:, : cutoff + 1]
        parts[NAIVE].append((seasonal_naive(past, plan.horizon, plan.season), None))
        parts[ETS].append(exponential_smoothing(past, plan.horizon, plan.season, LEVELS))
    on_step(len(cutoffs), len(cutoffs), "done")
    scales = [scales_of(values[:, : cutoff + 1], plan.season) for cutoff in cutoffs]
    return Backtest(
        tuple(cutoffs),
        in_digits(np.stack([values[:, cutoff + 1 : cutoff + 1 + plan.horizon] for cutoff in cutoffs], axis=1)),
        (np.stack([one[0] for one in scales], axis=1), np.stack([one[1] for one in scales], axis=1)),
        {name: _together(one) for name, one in parts.items()},
    )


def _advice(plan: Plan) -> str:
    return "give fewer --origins, or a longer table" if plan.origins > 1 else "give a longer table"


def _together(parts: list[tuple[Floats, Floats | None]]) -> Said:
    """Return what was said as of each origin, in the digits that are written: what is judged can be read."""
    means, quantiles = [one for one, _ in parts], [one for _, one in parts if one is not None]
    return Said(in_digits(np.stack(means, axis=1)), in_digits(np.stack(quantiles, axis=1)) if quantiles else None)


def _forecast(known: SeriesTable, plan: Plan, fitted: Fitted) -> tuple[Floats, Floats]:
    try:
        learned = learn(known, plan.horizon, version=str(known.days[-1]), place=plan.place, fitted=fitted)
    except ValueError as error:
        message = f"as of {known.days[-1]}: {error}; {_advice(plan)}"
        raise Fatal(message) from error
    said = forecaster_of(learned.content, sha256="").forecast(known, plan.horizon)
    return said.mean, said.quantiles
