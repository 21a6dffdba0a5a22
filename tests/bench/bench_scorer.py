"""The scorer: its trees against LightGBM's own prediction, and how long it takes to load; one thread.

Run by ``make bench``.
"""

from __future__ import annotations

import time

import joblib
import lightgbm
import numpy as np

from smartblood.registry.loading import load_champion
from smartblood.registry.manifest import read_manifest
from smartblood.settings import MODELS_DIR
from tests.bench.report import median, print_table

NAME = "donor_seeker_match"
N_RUNS = 200


def milliseconds(work, n_runs=N_RUNS):
    taken = []
    for _ in range(n_runs):
        begun_s = time.perf_counter()
        work()
        taken.append((time.perf_counter() - begun_s) * 1_000)
    return median(taken)


def test_scorer():
    scorer = load_champion(MODELS_DIR, NAME)
    path = MODELS_DIR / read_manifest(MODELS_DIR).entry(NAME).file
    booster = lightgbm.Booster(model_str=joblib.load(path)["trees"])
    rng = np.random.default_rng(0)
    table = [("", "own", "LightGBM's")]
    for n in (1, 10, 256, 1_000, 5_000):
        rows = np.column_stack([rng.integers(1, 4, n), rng.random((n, 4)), rng.integers(1, 5, (n, 2))]).astype(float)
        rows[:, [1, 3]] *= [50, 900]
        own = milliseconds(lambda rows=rows: scorer.predict(rows))
        theirs = milliseconds(lambda rows=rows: booster.predict(rows, num_threads=1))
        table.append((f"{n:,} rows", f"{own:.4f} ms", f"{theirs:.4f} ms"))
    loading = milliseconds(lambda: load_champion(MODELS_DIR, NAME), n_runs=20)
    table.append(("load, digest checked", f"{loading:.1f} ms", ""))
    print_table(f"{NAME} {scorer.version}: calibrated probabilities, medians of {N_RUNS}", table, "lightgbm", "numba")
