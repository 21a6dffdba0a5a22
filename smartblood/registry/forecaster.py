"""Evaluates a forecaster: trees over what the past and the calendar say, combined, with honest quantiles.

Nothing is fitted here. What an artefact holds is what was learned: trees that speak relative to a series' own level,
how they are combined, and where outcomes of earlier forecasts fell. What is a series' own (level, lags, spread) is
worked out from the history that is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.forecasting.calendars import Place, calendar_columns
from features.forecasting.fan import LEARNED, as_unsure_as_any, at_least, fan_of, fan_quantiles
from features.forecasting.figures import in_digits
from features.forecasting.histories import most_of, pace_of_history, unit_of, usable
from features.forecasting.last_heard import SPREAD_OF_LOST, past_since_breaks
from features.forecasting.pace import Pace
from features.forecasting.past import Past
from features.forecasting.rows import NAMES, rows_of, rows_of_counts
from features.forecasting.spread import quantiles_of
from features.series import LEVELS, SeriesForecast, SeriesTable
from smartblood.registry.trees import Trees, UnreadableTreesError, read_trees

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LOG, COUNT, USUAL = "log", "count", "usual"
"""What a learner's trees say: the logarithm of one more over the level's, or that of the mean over the mean level, or
that of the mean over what is usual at that level, on that weekday. The second is what versions before 1.1.0 learned."""

HORIZON_MOST = 366
_BEYOND_MOST = 4.0  # no learner says more than e to the power of this, times the level


@dataclass(frozen=True, slots=True)
class Learner:
    """Trees and how to hear them.

    Parameters
    ----------
    kind : str
        ``LOG``, ``COUNT`` or ``USUAL``.
    level : int
        Which of the pace's levels it is measured by, 0 or 1.
    trees : Trees
    at : float, optional
        The quantile that it says, of a fan; none where it says the middle.
    """

    kind: str
    level: int
    trees: Trees
    at: float | None = None

    def means(self, past: Past, origins: Ints, rows: Floats, horizon: int) -> Floats:
        """Return what it expects, shape (n_series, n_origins), by rows of shape (n_series, n_origins, n_features)."""
        shape = rows.shape[:2]
        seen = rows_of_counts(rows) if self.kind == USUAL else rows
        raw = self.trees.raw_scores(seen.reshape(-1, rows.shape[2])).reshape(shape)
        raw = np.clip(raw, -2 * _BEYOND_MOST, _BEYOND_MOST)
        is_silent = ~past.is_heard_of(origins) & (self.at is None)  # how far quantiles lie apart is told in any case
        raw = np.where(is_silent, 0.0, raw)
        if self.kind == LOG:
            said = np.maximum(np.expm1(raw + past.log_levels[self.level][:, origins]), 0.0)
            return np.where(is_silent, said * past.weekday_factors(origins, horizon), said)
        if self.kind == COUNT:
            return np.asarray(np.exp(raw) * past.mean_levels[self.level][:, origins])
        return np.asarray(np.exp(raw) * past.usual(self.level, origins, horizon))


def expected(learners: Sequence[Learner], past: Past, calendar: Floats, origins: Ints, horizon: int) -> Floats:
    """Return what each learner expects of the period ``horizon`` after each origin.

    Returns
    -------
    ndarray of float64, shape (n_learners, n_series, n_origins)
    """
    rows = {level: rows_of(past, calendar, origins, horizon, level) for level in {one.level for one in learners}}
    return np.stack([one.means(past, origins, rows[one.level], horizon) for one in learners])


@dataclass(frozen=True, slots=True)
class Fan:
    """Where quantiles lie around means, where trees learned it.

    Parameters
    ----------
    learners : tuple of Learner
        Of each level in ``features.forecasting.fan.LEARNED``.
    medians : ndarray of float64, shape (n_learners,)
        What each of the forecaster's learners counts for the median that it opens around: without what makes the sum
        of means right.
    stretches : ndarray of float64, shape (horizon,)
        By what they are multiplied.
    """

    learners: tuple[Learner, ...]
    medians: Floats
    stretches: Floats

    def opened(self, past: Past, calendar: Floats, last: Ints, step: int) -> Floats:
        """Return how far quantiles lie from medians ``step`` periods ahead, shape (n_series, n_levels)."""
        beyond = float(np.sqrt(max(step / len(self.stretches), 1.0)))
        stretch = self.stretches[min(step, len(self.stretches)) - 1] * beyond
        fan = fan_of(expected(self.learners, past, calendar, last, step))[:, 0]
        n_known = np.count_nonzero(~np.isnan(past.values[:, -past.pace.a_year :]), axis=1)
        is_new = (n_known < past.pace.levels[0]) | ~past.is_heard_of(last)[:, 0]
        opened = stretch * as_unsure_as_any(fan, is_new)
        return np.asarray(at_least(opened, n_known == 0, SPREAD_OF_LOST))


@dataclass(frozen=True, slots=True)
class TreeForecaster:
    """A forecaster as ``features.series.Forecaster`` has it.

    Parameters
    ----------
    name, version, sha256 : str
    learners : tuple of Learner
    weights : ndarray of float64, shape (n_learners,)
        What each learner's mean counts; they take in what makes the sum of means right.
    conformal : ndarray of float64, shape (horizon, n_sizes, n_spreads, n_grid)
        As ``conformal_tables`` gives it, horizon by horizon.
    pace : Pace
        That of the tables that it learned from.
    place : Place, optional
        Whose calendar counts.
    fan : Fan, optional
        Where quantiles lie, where trees learned it; else spread and ``conformal`` say so.
    """

    name: str
    version: str
    sha256: str
    learners: tuple[Learner, ...]
    weights: Floats
    conformal: Floats
    pace: Pace
    place: Place | None
    fan: Fan | None = None

    def forecast(self, history: SeriesTable, horizon: int, levels: tuple[float, ...] = LEVELS) -> SeriesForecast:
        """Return the forecast of the periods after the history's last; NaN of a series of which nothing is known.

        Raises
        ------
        ValueError
            Where nothing can be forecast: no history, another pace than was learned, a horizon out of range.
        """
        if not 1 <= horizon <= HORIZON_MOST:
            message = f"a horizon of {horizon} periods can't be forecast: 1 to {HORIZON_MOST} can"
            raise ValueError(message)
        pace = pace_of_history(history)
        if pace != self.pace and len(history.days) > 1:
            message = (
                f"{self.name} {self.version} learned of periods of {_said(self.pace)}, and these are {_said(pace)}"
            )
            raise ValueError(message)
        values = usable(history)
        unit = unit_of(values)
        past = past_since_breaks(values / unit, history.names, self.pace)
        ahead = self.pace.after(history.days, horizon)
        calendar = calendar_columns(np.concatenate([history.days, ahead]), self.pace, self.place)
        last = np.array([len(history.days) - 1])
        learned = len(self.conformal)
        steps = range(1, horizon + 1)
        said = np.concatenate([expected(self.learners, past, calendar, last, step) for step in steps], axis=2)
        said[:, np.isnan(values).all(axis=1)] = np.nan
        means = np.tensordot(self.weights, said, axes=1)
        if self.fan is not None:
            fan = np.stack([self.fan.opened(past, calendar, last, step) for step in steps], axis=1)
            quantiles = fan_quantiles(np.tensordot(self.fan.medians, said, axes=1), fan, levels)
            return _at_most(most_of(values, unit), ahead, in_digits(means * unit), levels, in_digits(quantiles * unit))
        spreads = np.broadcast_to(past.spread[:, -1:], means.shape)
        widened = spreads * np.sqrt(np.maximum(np.arange(1, horizon + 1) / learned, 1.0))
        conformal = self.conformal[np.minimum(np.arange(horizon), learned - 1)]
        quantiles = quantiles_of(means, widened, conformal, levels)
        return _at_most(most_of(values, unit), ahead, means * unit, levels, quantiles * unit)

    def try_out(self) -> None:
        """Forecast small histories, of nothing and of some: what it is made of works together.

        Without the place's holidays: fifty years of them are no part of what was learned, and whoever forecasts looks
        them up once.

        Raises
        ------
        UnreadableTreesError
            If what it forecasts is no finite number, or below 0.
        """
        n = self.pace.a_year + self.pace.around + 1
        days = self.pace.after(np.array(["2020-01-31"], "datetime64[D]"), n)
        values = np.stack([np.zeros(n), np.resize([3.0, 1.0, 2.0], n)])
        found = replace(self, place=None).forecast(SeriesTable((("none",), ("some",)), days, values), 1)
        if not all((np.isfinite(one) & (one >= 0)).all() for one in (found.mean, found.quantiles)):
            message = "what it forecasts of nothing and of some is no finite number, or below 0"
            raise UnreadableTreesError(message)


def _at_most(
    most: Floats, days: NDArray[np.datetime64], means: Floats, levels: tuple[float, ...], quantiles: Floats
) -> SeriesForecast:
    return SeriesForecast(days, np.minimum(means, most[:, None]), levels, np.minimum(quantiles, most[:, None, None]))


def forecaster_of(content: dict[str, Any], *, sha256: str) -> TreeForecaster:
    """Make a forecaster of what an artefact holds.

    Raises
    ------
    UnreadableTreesError
        If its trees can't be evaluated, or a number isn't finite.
    """
    place, fan = content["place"], content.get("fan")
    return TreeForecaster(
        content["name"],
        content["version"],
        sha256,
        tuple(Learner(one["kind"], one["level"], read_trees(one["trees"], NAMES)) for one in content["learners"]),
        _finite(content["weights"], "a weight"),
        _conformal(content["conformal"]),
        pace_of_content(content["pace"]),
        None if place is None else Place(*place),
        None if fan is None else _fan(fan, content["weights"]),
    )


def _conformal(content: list[Any]) -> Floats:
    """Return the tables that an artefact holds; those of 1.0.0 know of sizes alone."""
    tables = _finite(content, "a place of earlier outcomes")
    return tables if tables.ndim == 4 else tables[:, :, None]


def _fan(content: dict[str, Any], weights: list[float]) -> Fan:
    """Return the fan that an artefact holds; those made before medians counted open around means."""
    medians, stretches = (
        _finite(numbers, what)
        for numbers, what in (
            (content.get("medians", weights), "a median's weight"),
            (content["stretches"], "a stretch"),
        )
    )
    if len(content["trees"]) != len(LEARNED):
        message = f"{len(content['trees'])} quantiles are learned, and not {len(LEARNED)}"
        raise UnreadableTreesError(message)
    learners = (
        Learner(LOG, content["level"], read_trees(text, NAMES), at)
        for at, text in zip(LEARNED, content["trees"], strict=True)
    )
    return Fan(tuple(learners), medians, stretches)


def _finite(content: Any, what: str) -> Floats:  # noqa: ANN401 - what a file holds
    """Return the numbers that an artefact holds; those of later steps show in no forecast of one step."""
    numbers = np.array(content, np.float64)
    if not np.isfinite(numbers).all():
        message = f"{what} is no finite number"
        raise UnreadableTreesError(message)
    return numbers


def pace_of_content(content: dict[str, Any]) -> Pace:
    """Return the pace that an artefact states."""
    parts: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
    }
    return Pace(**parts)


def _said(pace: Pace) -> str:
    return f"{pace.step_days} days" if pace.step_days else "a month"
