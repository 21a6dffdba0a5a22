"""The artefact of ``demand_forecast``: learned from daily demand, judged on its last months as it will be used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.forecasting.calendars import KERALA
from features.forecasting.figures import Figures, figures_of, scales_of
from features.forecasting.histories import usable
from features.forecasting.reconciliation import added_up
from features.series import LEVELS, SeriesTable
from smartblood.forecasting.card import card_of
from smartblood.forecasting.classics import seasonal_naive
from smartblood.forecasting.learning import NAME, Fitted, learn
from smartblood.registry.forecaster import forecaster_of
from smartblood.registry.manifest import Entry
from smartblood.registry.writing import artefact_bytes, entry_of

Floats = NDArray[np.float64]

HORIZON = 30
N_ORIGINS, EVERY = 9, 7
"""Of what judges it: origins one week apart, the last one horizon before the end."""

LEVEL_DAYS = 91


class Trained(NamedTuple):
    """A trained version: its bytes, its line in the manifest, its card."""

    artefact: bytes
    entry: Entry
    card: str


def train(
    table: SeriesTable, version: str, seed: int, origin: dict[str, Any], on_step: Callable[[str], None] = lambda _: None
) -> Trained:
    """Learn from daily demand by district and group; the same table, seed and version give the same bytes.

    It is judged first: learned from all but the last months, and asked as of days within them as it is in production,
    without learning again. Then it is learned from everything.

    Parameters
    ----------
    table : SeriesTable
    version : str
    seed : int
    origin : dict
        Where the table is from, for the manifest.

    Raises
    ------
    ValueError
        If the table is too short to learn from or to judge.
    """
    fitted: Fitted = {}
    n_held_out = HORIZON + (N_ORIGINS - 1) * EVERY
    known = _until(table, len(table.days) - n_held_out)
    on_step(f"learning from all but the last {n_held_out} days")
    before = learn(known, HORIZON, version=version, place=KERALA, seed=seed, fitted=fitted, on_step=on_step)
    on_step("judging it on those days")
    metrics = _judged(before.content, table)
    on_step("learning from everything")
    learned = learn(table, HORIZON, version=version, place=KERALA, seed=seed, fitted=fitted, on_step=on_step)
    artefact = artefact_bytes(learned.content)
    data = {
        **origin,
        "n_series": len(table.names),
        "days": [str(table.days[0]), str(table.days[-1])],
        "units": int(np.nansum(usable(table))),
        "learned": learned.told,
    }
    entry = entry_of(NAME, version, artefact, training_data=data, metrics=metrics)
    return Trained(artefact, entry, card_of(entry, len(artefact)))


def _until(table: SeriesTable, n: int) -> SeriesTable:
    if n < 2:
        message = f"{len(table.days)} days are too few to judge a forecast on the last of them"
        raise ValueError(message)
    return SeriesTable(table.names, table.days[:n], table.values[:, :n])


def _judged(content: dict[str, Any], table: SeriesTable) -> dict[str, Any]:
    """Return figures by series, district and state, of the forecaster and of the classics that need no fitting."""
    forecaster = forecaster_of(content, sha256="")
    values = usable(table)
    places = [len(table.days) - HORIZON - EVERY * n for n in reversed(range(N_ORIGINS))]
    said = [forecaster.forecast(_until(table, place), HORIZON) for place in places]
    outcomes = np.stack([values[:, place : place + HORIZON] for place in places], axis=1)
    means = {
        "forecaster": np.stack([one.mean for one in said], axis=1),
        "seasonal_naive": np.stack([seasonal_naive(values[:, :place], HORIZON, 7) for place in places], axis=1),
        "mean_of_91_days": np.stack(
            [
                np.repeat(np.nanmean(values[:, place - LEVEL_DAYS : place], axis=1)[:, None], HORIZON, 1)
                for place in places
            ],
            axis=1,
        ),
    }
    quantiles = np.stack([one.quantiles for one in said], axis=1)
    found: dict[str, Any] = {"n_origins": N_ORIGINS, "horizon": HORIZON}
    for of, depth in (("by_series", 2), ("by_district", 1), ("state", 0)):
        sums = added_up(table.names, values, depth)[1]
        scales = [scales_of(sums[:, :place], 7) for place in places]
        by = np.stack([one[0] for one in scales], axis=1), np.stack([one[1] for one in scales], axis=1)
        for name, mean in means.items():
            theirs = quantiles if name == "forecaster" and depth == 2 else None
            figures = figures_of(
                added_up(table.names, outcomes, depth)[1], added_up(table.names, mean, depth)[1], by, theirs, LEVELS
            )
            found[f"{of}_{name}"] = _plain(figures)
    return found


def _plain(figures: Figures) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures._asdict().items() if not np.isnan(value)}
