"""One series as a picture: what was asked for, what is forecast, and between what it will probably lie."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from smartblood.errors import Fatal

INK, FAINT, LINE = "#24323f", "#6b7a88", "#dfe5ea"
DAYS_COLOUR, HISTORY, FORECAST = "#b9c4ce", "#33475b", "#b3123f"
BANDS = {(0.1, 0.9): ("#f4dce3", "80 % interval"), (0.25, 0.75): ("#e3a9ba", "50 % band")}
"""By their ends: the interval, and the band in which every other day should lie."""

LEGEND = ("asked for, each day", "mean of seven days", "forecast", "50 % band", "80 % interval", "what came")
WEEK = 7
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn.

    Parameters
    ----------
    title, subtitle : str
    days : sequence of date, shape (n,)
        Of what is known, one after the other.
    units : ndarray of float64, shape (n,)
        What was asked for; NaN where nothing is known.
    forecast_days : sequence of date, shape (m,)
    mean : ndarray of float64, shape (m,)
    levels : sequence of float, shape (n_levels,)
        Ascending, from 0.1 to 0.9.
    quantiles : ndarray of float64, shape (m, n_levels)
    actual : ndarray of float64, shape (m,)
        What came of the days that are over since; NaN of the others.
    """

    title: str
    subtitle: str
    days: Sequence[dt.date]
    units: Floats
    forecast_days: Sequence[dt.date]
    mean: Floats
    levels: Sequence[float]
    quantiles: Floats
    actual: Floats


def draw(picture: Picture, path: Path) -> None:
    """Draw it into a PNG file.

    Raises
    ------
    Fatal
        If the file can't be written.
    """
    figure = Figure(figsize=(10, 5.2), dpi=160, facecolor="white")
    axes = figure.subplots()
    figure.subplots_adjust(left=0.065, right=0.965, top=0.80, bottom=0.10)
    figure.text(0.065, 0.935, picture.title, fontsize=17, fontweight="bold", color=INK, va="center")
    figure.text(0.065, 0.875, picture.subtitle, fontsize=10, color=FAINT, va="center")
    _draw_history(axes, picture)
    _draw_forecast(axes, picture)
    _dress(axes, picture)
    try:
        figure.savefig(path, format="png")
    except OSError as error:
        message = f"{path} can't be written: {error.strerror}; give another file with --out"
        raise Fatal(message) from error


def _draw_history(axes: Axes, picture: Picture) -> None:
    days = _numbers(picture.days)
    known = ~np.isnan(picture.units)
    axes.bar(days[known], picture.units[known], width=0.85, color=DAYS_COLOUR, linewidth=0, label=LEGEND[0])
    weekly = _trailing_mean(picture.units)
    axes.plot(days, weekly, color=HISTORY, linewidth=1.8, label=LEGEND[1])


def _draw_forecast(axes: Axes, picture: Picture) -> None:
    # Each day is a step as wide as a bar, so that the band covers the last day too.
    edges = np.append(_numbers(picture.forecast_days), _numbers(picture.forecast_days)[-1] + 1) - 0.5

    def stepped(level: float) -> Floats:
        at = _at_level(picture, level)
        return np.append(at, at[-1])

    for (low, high), (colour, label) in BANDS.items():
        axes.fill_between(edges, stepped(low), stepped(high), step="post", color=colour, linewidth=0, label=label)
    axes.step(edges, np.append(picture.mean, picture.mean[-1]), where="post", color=FORECAST, lw=1.8, label=LEGEND[2])
    if not np.isnan(picture.actual).all():
        axes.scatter(_numbers(picture.forecast_days), picture.actual, s=14, color=HISTORY, zorder=3, label=LEGEND[5])
    axes.axvline(edges[0], color=FAINT, linewidth=0.9, linestyle=(0, (4, 3)))


def _dress(axes: Axes, picture: Picture) -> None:
    units = np.concatenate([picture.units, picture.actual, [1.0]])
    top = max(float(np.nanmax(units)), float(picture.quantiles.max()))
    axes.set_ylim(0, top * 1.12)
    axes.set_xlim(_numbers(picture.days)[0] - 1, _numbers(picture.forecast_days)[-1] + 1)
    locator = AutoDateLocator(minticks=5, maxticks=9)  # type: ignore[no-untyped-call] # matplotlib's
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))  # type: ignore[no-untyped-call]
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(colors=FAINT, labelsize=9, length=0, pad=6)
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    labels = [label for label in LEGEND if label in handles]
    axes.legend(
        [handles[label] for label in labels],
        labels,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.005),
        ncols=len(labels),
        frameon=False,
        fontsize=9,
        labelcolor=INK,
        handlelength=1.4,
        columnspacing=1.4,
        borderaxespad=0.0,
    )


def _at_level(picture: Picture, level: float) -> Floats:
    """Return the quantile of a level, between two that are known by a straight line."""
    return np.array([np.interp(level, picture.levels, row) for row in picture.quantiles])


def _trailing_mean(units: Floats) -> Floats:
    """Return the mean of the seven days until each; NaN where one of them isn't known."""
    if len(units) < WEEK:
        return np.full(len(units), np.nan)
    mean = np.convolve(units, np.full(WEEK, 1 / WEEK), mode="valid")
    return np.concatenate([np.full(WEEK - 1, np.nan), mean])


def _numbers(days: Sequence[dt.date]) -> Floats:
    return np.array([date2num(day) for day in days])  # type: ignore[no-untyped-call] # matplotlib's
