"""A backtest for people, for programs, and as a table of every forecast."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from features.forecasting.figures import DIGITS, Figures
from features.series import LEVELS
from smartblood.errors import Fatal
from smartblood.forecasting.backtest import FORECASTER, Backtest, Plan
from smartblood.forecasting.tables import LongTable

TITLES = {
    "wape": "WAPE",
    "mase": "MASE",
    "rmsse": "RMSSE",
    "wql": "weighted quantile loss",
    "coverage": "80 % coverage",
}
_PERCENT = {"wape", "coverage"}
_NAMES_TOLD = 10


def table_of(found: Backtest) -> Table:
    """Return the figures as a table for people."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for title in TITLES.values():
        table.add_column(title, justify="right")
    for name, figures in found.figures().items():
        table.add_row(name, *(cell(figure, value) for figure, value in figures._asdict().items()))
    return table


def left_out(found: Backtest) -> str | None:
    """Say in one line on how many outcomes all were judged; None where that is all of them."""
    n_judged, n_known = found.n_judged()
    if n_judged == n_known:
        return None
    return f"Judged on {n_judged:,} of {n_known:,} known outcomes, those that all of them forecast."


def not_forecast(found: Backtest, long: LongTable) -> str | None:
    """Say in one line which series weren't forecast as of some origin; None where all were."""
    told = [f"{name} ({n} of {len(found.cutoffs)})" for name, n in _n_not_forecast(found, long).items()]
    if not told:
        return None
    more = f" and {len(told) - _NAMES_TOLD:,} more" if len(told) > _NAMES_TOLD else ""
    return f"Not forecast, since nothing was known of them as of an origin: {', '.join(told[:_NAMES_TOLD])}{more}."


def _n_not_forecast(found: Backtest, long: LongTable) -> dict[str, int]:
    """Return as of how many origins each series wasn't forecast, of those for which there are any."""
    n_missing = np.isnan(found.said[FORECASTER].means).all(axis=2).sum(axis=1)
    return {name: int(n) for (name,), n in zip(long.table.names, n_missing, strict=True) if n}


def cell(figure: str, value: float) -> str:
    """Return a figure as text; a dash where there is none."""
    if math.isnan(value):
        return "–"
    return f"{value:.1%}" if figure in _PERCENT else f"{value:.4f}"


def span_of(found: Backtest, long: LongTable, plan: Plan) -> str:
    """Say in one line what was judged."""
    first, last = found.cutoffs[0], found.cutoffs[-1]
    return (
        f"{len(long.table.names)} series, {len(found.cutoffs)} origins {plan.every} apart, 1 to {plan.horizon} ahead: "
        f"targets {long.spelled[first + 1]} to {long.spelled[last + plan.horizon]}; learned anew at each origin"
    )


def as_json(found: Backtest, long: LongTable, plan: Plan) -> dict[str, Any]:
    """Return the same for programs; null where there is no figure."""
    n_judged, n_known = found.n_judged()
    return {
        "n_series": len(long.table.names),
        "origins": len(found.cutoffs),
        "every": plan.every,
        "horizon": plan.horizon,
        "season": plan.season,
        "first_target": long.spelled[found.cutoffs[0] + 1],
        "last_target": long.spelled[found.cutoffs[-1] + plan.horizon],
        "n_outcomes": n_known,
        "n_judged": n_judged,
        "notes": list(long.notes),
        "not_forecast": _n_not_forecast(found, long),
        "figures": {name: _plain(figures) for name, figures in found.figures().items()},
    }


def _plain(figures: Figures) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else round(value, 6) for name, value in figures._asdict().items()}


def write_forecasts(path: Path, found: Backtest, long: LongTable) -> None:
    """Write every forecast, by cutoff, series and day; nothing of a series that couldn't be forecast then.

    Raises
    ------
    Fatal
        If the file can't be written.
    """
    said = found.said[FORECASTER]
    assert said.quantiles is not None  # noqa: S101 - the forecaster has some
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["series", "cutoff", "day", "mean", *(f"q{level}" for level in LEVELS)])
            for origin, cutoff in enumerate(found.cutoffs):
                for series, (name,) in enumerate(long.table.names):
                    for step in range(said.means.shape[2]):
                        numbers = [said.means[series, origin, step], *said.quantiles[series, origin, step]]
                        days = long.spelled[cutoff], long.spelled[cutoff + 1 + step]
                        if not math.isnan(numbers[0]):
                            writer.writerow([name, *days, *(f"{n:.{DIGITS}g}" for n in numbers)])
    except OSError as error:
        message = f"{path} can't be written: {error.strerror}; give another file with --out"
        raise Fatal(message) from error
