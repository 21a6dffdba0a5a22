"""A backtest as a section of a document: what was judged and how, figures by year and by horizon, versions."""

from __future__ import annotations

import importlib.metadata

from features.forecasting.figures import Figures
from smartblood.forecasting.backtest import FORECASTER, Backtest, Plan
from smartblood.forecasting.tables import LongTable
from smartblood.forecasting.view import TITLES, cell, left_out, span_of

LIBRARIES = ("lightgbm", "statsmodels", "scipy", "numpy", "holidays")


def section_of(title: str, found: Backtest, long: LongTable, plan: Plan, flags: str) -> str:
    """Return the section as Markdown.

    Parameters
    ----------
    title : str
    found : Backtest
    long : LongTable
    plan : Plan
    flags : str
        As they were given, so that anybody can say the same again.
    """
    years = sorted({long.spelled[cutoff + 1][:4] for cutoff in found.cutoffs})
    by_year = {year: found.figures(origins=_of_year(found, long, year))[FORECASTER] for year in years}
    steps = range(found.outcomes.shape[2])
    by_step = {str(step + 1): found.figures(steps=slice(step, step + 1))[FORECASTER] for step in steps}
    lines = [
        f"## {title}",
        "",
        f"`smartblood backtest TABLE.csv {flags}`",
        "",
        f"{span_of(found, long, plan)}.",
        f"The table goes from {long.spelled[0]} to {long.spelled[-1]}; a season is {plan.season} periods.",
        "",
        *_table("", found.figures()),
        "",
        *((line, "") if (line := left_out(found)) else ()),
        "The forecaster by the year of the first target:",
        "",
        *_table("year", by_year),
        "",
        "and by how many periods ahead:",
        "",
        *_table("ahead", by_step),
        "",
        "With " + ", ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES) + ".",
        "",
        "",
    ]
    return "\n".join(lines)


def _of_year(found: Backtest, long: LongTable, year: str) -> slice:
    places = [n for n, cutoff in enumerate(found.cutoffs) if long.spelled[cutoff + 1].startswith(year)]
    return slice(places[0], places[-1] + 1)


def _table(corner: str, rows: dict[str, Figures]) -> list[str]:
    lines = [f"| {corner} | {' | '.join(TITLES.values())} |", f"|---|{'---|' * len(TITLES)}"]
    for name, figures in rows.items():
        lines.append(f"| {name} | {' | '.join(cell(one, value) for one, value in figures._asdict().items())} |")
    return lines
