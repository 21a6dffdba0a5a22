"""Weekly tables with a season, and how they are written."""

from __future__ import annotations

import csv

import numpy as np

from features.series import SeriesTable

WEEKS = np.arange("2021-01-03", "2024-01-01", 7, dtype="datetime64[D]")


def weekly(n_series=3, seed=0):
    rng = np.random.default_rng(seed)
    turn = 2 * np.pi * np.arange(len(WEEKS)) / 52.18
    size = np.array([200.0, 800.0, 50.0])[:n_series, None]
    values = rng.poisson(size * np.exp(0.3 * np.sin(turn) + rng.normal(0, 0.1, (n_series, len(WEEKS)))))
    return SeriesTable(tuple((name,) for name in "abc"[:n_series]), WEEKS, values.astype(float))


def written(path, table, spell=str):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["note", "series", "day", "value"])
        for (name,), row in zip(table.names, table.values, strict=True):
            known = ((day, value) for day, value in zip(table.days, row, strict=True) if not np.isnan(value))
            writer.writerows(["x", name, spell(day), int(value)] for day, value in known)
    return path
