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
from tests.bench.report import print_table, spread

NAME = "donor_seeker_match"
N_RUNS = 200
LARGEST = {
    "blood_group_compatibility": 3,
    "distance_km": 50,
    "last_donation_days": 900,
    "urgency_level": 4,
    "units_required": 4,
    "alerts_seen": 20,
}
"""Of features that aren't shares."""


def milliseconds(work, n_runs=N_RUNS):
    taken = []
    for _ in range(n_runs):
        begun_s = time.perf_counter()
        work()
        taken.append((time.perf_counter() - begun_s) * 1_000)
    return taken


def test_scorer():
    scorer = load_champion(MODELS_DIR, NAME)
    path = MODELS_DIR / read_manifest(MODELS_DIR).entry(NAME).file
    booster = lightgbm.Booster(model_str=joblib.load(path)["trees"])
    rng = np.random.default_rng(0)
    table = [("", "own", "LightGBM's")]
    for n in (1, 10, 256, 1_000, 5_000):
        rows = rng.random((n, len(scorer.features))) * [LARGEST.get(name, 1) for name in scorer.features]
        own = milliseconds(lambda rows=rows: scorer.predict(rows))
        theirs = milliseconds(lambda rows=rows: booster.predict(rows, num_threads=1))
        table.append((f"{n:,} rows", f"{spread(own, '.4f')} ms", f"{spread(theirs, '.4f')} ms"))
    loading = milliseconds(lambda: load_champion(MODELS_DIR, NAME), n_runs=20)
    table.append(("load, digest checked", f"{spread(loading, '.1f')} ms", ""))
    print_table(f"{NAME} {scorer.version}: calibrated probabilities, medians of {N_RUNS}", table, "lightgbm", "numba")
