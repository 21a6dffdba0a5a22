"""The forecaster: fourteen districts by ten groups, five years of history, thirty days ahead; one thread.

Run by ``make bench``.
"""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from features.forecasting.calendars import KERALA
from features.series import SeriesTable
from producers.simulator import World
from producers.simulator.demand import daily_demand
from smartblood.registry.loading import load_forecaster
from smartblood.registry.manifest import read_manifest
from smartblood.settings import MODELS_DIR
from tests.bench.report import print_table, spread

N_DAYS, HORIZON = 1_826, 30


def seconds(work, n_runs):
    taken = []
    for _ in range(n_runs):
        begun_s = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun_s)
    return taken


def history():
    return daily_demand(World(), 1, np.datetime64("2025-06-30"), N_DAYS)


def peak_megabytes():
    """The most memory that this process ever had; ``getrusage`` would tell its parent's, too."""
    status = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1_024


def forecast_once():
    load_forecaster(MODELS_DIR).forecast(history(), HORIZON)
    return peak_megabytes()


def test_forecaster():
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
        megabytes = alone.submit(forecast_once).result()
    loading = seconds(lambda: load_forecaster(MODELS_DIR), 5)
    forecaster = load_forecaster(MODELS_DIR)
    table = history()
    one = seconds(lambda: forecaster.forecast(table, HORIZON), 9)
    week = SeriesTable(table.names, table.days[-400:], table.values[:, -400:])
    short = seconds(lambda: forecaster.forecast(week, HORIZON), 9)
    from smartblood.forecasting.learning import learn  # noqa: PLC0415 - the child that is measured is spared it

    fit = seconds(lambda: learn(table, HORIZON, version="bench", place=KERALA), 3)
    n_bytes = (MODELS_DIR / read_manifest(MODELS_DIR).entry("demand_forecast").file).stat().st_size
    rows = [
        ("figure", "value", "to reach"),
        (f"{len(table.names)} series, {HORIZON} days, {N_DAYS} days of history, s", spread(one, ".3f"), "2"),
        ("the same, 400 days of history, s", spread(short, ".3f"), ""),
        ("load, digest checked, tried out, s", spread(loading, ".3f"), ""),
        ("a process that loads it and forecasts once, MB at most", f"{megabytes:.0f}", "300"),
        ("artefact, bytes", f"{n_bytes:,}", "3,000,000"),
        ("a full refit, folds and all, s", spread(fit, ".1f"), "60"),
    ]
    title = f"demand_forecast {forecaster.version}, medians of 9, 9, 5, 1, 1, 3"
    print_table(title, rows, "lightgbm", "numba", "scipy")
