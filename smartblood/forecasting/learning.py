"""A forecaster from a table of series: fitted, combined and made honest by earlier fits on later outcomes.

Nothing of a later period is in what is learned as of a cutoff. Within what is known, earlier fits are each judged on
the periods after them: by them learners are combined and quantiles get their levels. These folds begin at fixed places
of the table, so that two cutoffs share them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.forecasting.calendars import Place, calendar_columns
from features.forecasting.fan import fan_of, mean_over_median, stretch_of
from features.forecasting.histories import pace_of_history, unit_of, usable
from features.forecasting.last_heard import as_last_heard
from features.forecasting.past import Past, past_of
from features.forecasting.rows import NAMES
from features.forecasting.spread import conformal_tables, places_of
from features.series import SeriesTable
from smartblood.forecasting.combining import HEARD, Combined, combine
from smartblood.forecasting.fitting import TooFew, first_origin, fit_learner
from smartblood.forecasting.recipes import FAN, LARGE, LOG_MEAN_LEAST, SEED, SMALL, Kind
from smartblood.registry.forecaster import Learner, expected
from smartblood.registry.trees import read_trees

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Fitted = dict[float, dict[tuple[int, int, Kind], Learner]]
"""Learners of earlier fits, by unit, then periods known, horizon, kind: of one table, so that cutoffs share them."""

NAME = "demand_forecast"
_ORIGINS_MAX = 26
"""So many origins of a fold are looked at, at most."""

_FACTOR_OFF = 1.05
"""So far from what fans say of means over medians the factor is that makes sums right, either way."""

_FACTOR_MOST = 1.1
"""So far it is from 1 where counts are learned: trees say their means."""

_NEAR = 2
"""Horizons to each side that say together where outcomes fall, where there are many."""


class Earlier(NamedTuple):
    """What learners said in earlier fits, and what came: arrays of shape (..., n_examples) for each step ahead.

    Parameters
    ----------
    said : list of ndarray of float64, shape (n_learners, n_examples)
    came, level, spread : list of ndarray of float64, shape (n_examples,)
    series : list of ndarray of int64, shape (n_examples,)
        Which series each is of.
    """

    said: list[Floats]
    came: list[Floats]
    level: list[Floats]
    spread: list[Floats]
    series: list[Ints]


class Learned(NamedTuple):
    """What an artefact holds, and what to tell of how it came about."""

    content: dict[str, Any]
    told: dict[str, Any]


def learn(
    table: SeriesTable,
    horizon: int,
    *,
    version: str,
    place: Place | None = None,
    seed: int = SEED,
    fitted: Fitted | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Learned:
    """Learn from all that a table says; the same table gives the same bytes.

    Parameters
    ----------
    table : SeriesTable
    horizon : int
        Periods ahead that are learned; later ones are forecast like the last of them.
    version : str
    place : Place, optional
        Whose calendar counts.
    fitted : dict, optional
        Learners of earlier fits to the beginning of this very table, which are taken and added to.
    on_step : callable
        Told what is being done.

    Raises
    ------
    ValueError
        If the table is too short to learn from, in one line.
    """
    pace = pace_of_history(table)
    values = usable(table)
    unit = unit_of(values)
    past = past_of(values / unit, table.names, pace)
    calendar = calendar_columns(table.days, pace, place)
    kinds, n_known = _kinds(past), past.shape[1]
    fan = FAN if kinds == LARGE else ()
    kept_fits = {} if fitted is None else fitted.setdefault(unit, {})
    earlier, folds = _earlier(past, calendar, horizon, (*kinds, *fan), seed, kept_fits, on_step)
    combined = combine(
        np.concatenate(earlier.said, axis=1)[: len(kinds)],
        np.concatenate(earlier.came),
        np.concatenate(earlier.level),
        np.concatenate(earlier.series),
        within=_factors(earlier, len(kinds)) if fan else (1 / _FACTOR_MOST, _FACTOR_MOST),
    )
    kept = [number for number, weight in enumerate(combined.weights) if weight > 0]
    on_step(f"fitting {len(kept) + len(fan)} learners to {n_known:,} periods of {past.shape[0]:,} series")
    trees = {kinds[number]: fit_learner(past, calendar, n_known, horizon, kinds[number], seed) for number in kept}
    content: dict[str, Any] = {
        "name": NAME,
        "version": version,
        "features": list(NAMES),
        "pace": {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(pace).items()},
        "place": None if place is None else [place.country, place.subdivision],
        "learners": [{"kind": kind.kind, "level": kind.level, "trees": text} for kind, text in trees.items()],
        "weights": [round(float(combined.weights[number]), 6) for number in kept],
        "conformal": np.round(_conformal(earlier, combined), 6).tolist(),
    }
    if fan:
        texts = [fit_learner(past, calendar, n_known, horizon, kind, seed) for kind in fan]
        content["fan"] = {
            "level": fan[0].level,
            "trees": texts,
            "medians": [round(float(weight), 6) for weight in _of_medians(combined)[kept]],
            "stretches": _stretches(earlier, combined),
        }
    return Learned(content, {"folds": folds, "combined": _told(kinds, combined)})


def _kinds(past: Past) -> tuple[Kind, ...]:
    levels = as_last_heard(past).mean_levels[1][:, -1]
    known = levels[~np.isnan(levels)]
    return LARGE if known.size and float(np.median(known)) >= LOG_MEAN_LEAST else SMALL


def fold_starts(past: Past, horizon: int) -> list[int]:
    """Return how many periods are known to each earlier fit: every so many from the table's beginning, the last few."""
    pace, n_known = past.pace, past.shape[1]
    enough = 2 * (pace.a_year + pace.around) + horizon
    length = pace.fold
    if n_known < enough + length:  # a short history is cut where it can be
        length = max(1, n_known // 6)
        enough = max(n_known // 2, 3 * first_origin(past, n_known) // 2)
    starts = [start for start in range(length, n_known - horizon, length) if start >= enough]
    return starts[-pace.n_folds :]


def _earlier(
    past: Past,
    calendar: Floats,
    horizon: int,
    kinds: tuple[Kind, ...],
    seed: int,
    fitted: dict[tuple[int, int, Kind], Learner],
    on_step: Callable[[str], None],
) -> tuple[Earlier, list[int]]:
    """Fit to what was known earlier, and note what was said then of what came later."""
    starts = fold_starts(past, horizon)
    if not starts:
        message = f"{past.shape[1]} periods are too few to learn from and to judge what was learned, {horizon} ahead"
        raise ValueError(message)

    def learner(start: int, kind: Kind) -> Learner:
        key = (start, horizon, kind)
        if key not in fitted:
            on_step(f"fitting to the first {start:,} periods, as if no more were known")
            text = fit_learner(past, calendar, start, horizon, kind, seed)
            fitted[key] = Learner(kind.kind, kind.level, read_trees(text, NAMES), kind.at)
        return fitted[key]

    parts: list[list[tuple[Floats | Ints, ...]]] = [[] for _ in range(horizon)]
    judged: list[int] = []
    for start, end in zip(starts, [*starts[1:], past.shape[1]], strict=True):
        try:
            learners = [learner(start, kind) for kind in kinds]
        except TooFew:
            if start == starts[-1] and not judged:
                raise
            continue
        judged.append(start)
        for step in range(1, horizon + 1):
            parts[step - 1].append(_judged(learners, past, calendar, start, end, step))
    columns = [[np.concatenate(one, axis=-1) for one in zip(*part, strict=True)] for part in parts]
    return Earlier(*(list(one) for one in zip(*columns, strict=True))), judged


def _judged(
    learners: list[Learner], past: Past, calendar: Floats, start: int, end: int, step: int
) -> tuple[Floats | Ints, ...]:
    origins = np.arange(start - 1, min(end - 1, past.shape[1] - step))
    origins = origins[:: -(-len(origins) // _ORIGINS_MAX)] if len(origins) else origins
    said = expected(learners, past, calendar, origins, step)
    came = past.values[:, origins + step]
    known = ~np.isnan(came) & ~np.isnan(said).any(axis=0)
    level, spread = past.mean_levels[1][:, origins][known], past.spread[:, origins][known]
    return said[:, known], came[known], level, spread, np.nonzero(known)[0]


def _conformal(earlier: Earlier, combined: Combined) -> Floats:
    means = _means(earlier, combined)
    places = [places_of(*one) for one in zip(earlier.came, means, earlier.spread, strict=True)]
    near = _NEAR if len(places) > 4 * _NEAR else 0
    tables = []
    for n in range(len(places)):
        around = slice(max(0, n - near), n + near + 1)
        fell, said, spread = (np.concatenate(one[around]) for one in (places, means, earlier.spread))
        tables.append(conformal_tables(fell, said, spread, np.concatenate(earlier.series[around])))
    return np.stack(tables)


def _stretches(earlier: Earlier, combined: Combined) -> list[float]:
    """Return by what the fan is multiplied, for each step ahead."""
    n_means = len(combined.weights)
    medians = [_of_medians(combined) @ said[:n_means] for said in earlier.said]
    fans = [fan_of(said[n_means:]) for said in earlier.said]
    return [round(stretch_of(*one), 6) for one in zip(earlier.came, medians, fans, strict=True)]


def _factors(earlier: Earlier, n_means: int) -> tuple[float, float]:
    """Return what the factor lies within that makes sums of medians those of means.

    How lopsided outcomes are the fans say. What sums were wrong by beyond that was a leap of many series at once: it
    is over, once their levels have followed it.
    """
    medians = [said[:n_means].mean(axis=0) for said in earlier.said]
    fans = [fan_of(said[n_means:]) for said in earlier.said]
    of_fans = mean_over_median(np.concatenate(medians), np.concatenate(fans))
    return max(min(of_fans / _FACTOR_OFF, 1.0), HEARD[0]), min(max(of_fans * _FACTOR_OFF, 1.0), HEARD[1])


def _of_medians(combined: Combined) -> Floats:
    """Return what each learner counts where medians are asked for: those of absolute errors say these themselves."""
    heard: Floats = (combined.weights > 0).astype(np.float64)
    return heard / max(float(heard.sum()), 1.0)


def _means(earlier: Earlier, combined: Combined) -> list[Floats]:
    return [combined.weights @ said[: len(combined.weights)] for said in earlier.said]


def _told(kinds: tuple[Kind, ...], combined: Combined) -> dict[str, Any]:
    return {
        f"{kind.kind} {kind.level}": {"weight": round(float(weight), 4), "loss": round(float(loss), 5)}
        for kind, weight, loss in zip(kinds, combined.weights, combined.losses, strict=True)
    }
