"""The forecaster: fourteen districts by ten groups, five years of history, thirty days ahead; one thread.

Run by ``make bench``.
"""

from __future__ import annotations

import resource
import time

import numpy as np

from features.forecasting.calendars import KERALA
from features.series import SeriesTable
from producers.simulator import World
from producers.simulator.demand import daily_demand
from smartblood.registry.loading import load_forecaster
from smartblood.registry.manifest import read_manifest
from smartblood.settings import MODELS_DIR
from tests.bench.report import median, print_table

N_DAYS, HORIZON = 1_826, 30


def seconds(work, n_runs):
    taken = []
    for _ in range(n_runs):
        begun_s = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun_s)
    return median(taken)


def test_forecaster():
    loading = seconds(lambda: load_forecaster(MODELS_DIR), 5)
    forecaster = load_forecaster(MODELS_DIR)
    table = daily_demand(World(), 1, np.datetime64("2025-06-30"), N_DAYS)
    one = seconds(lambda: forecaster.forecast(table, HORIZON), 9)
    week = SeriesTable(table.names, table.days[-400:], table.values[:, -400:])
    short = seconds(lambda: forecaster.forecast(week, HORIZON), 9)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    from smartblood.forecasting.learning import learn  # noqa: PLC0415 - not before memory was looked at

    fit = seconds(lambda: learn(table, HORIZON, version="bench", place=KERALA), 1)
    n_bytes = (MODELS_DIR / read_manifest(MODELS_DIR).entry("demand_forecast").file).stat().st_size
    rows = [
        ("", ""),
        (f"{len(table.names)} series, {HORIZON} days, {N_DAYS} days of history", f"{one:.3f} s"),
        ("the same, 400 days of history", f"{short:.3f} s"),
        ("load, digest checked, tried out", f"{loading:.3f} s"),
        ("memory until here, at most", f"{megabytes:.0f} MB"),
        ("artefact", f"{n_bytes:,} bytes"),
        ("a full refit, folds and all", f"{fit:.1f} s"),
    ]
    print_table(f"demand_forecast {forecaster.version}, medians", rows, "lightgbm", "numba", "scipy")
