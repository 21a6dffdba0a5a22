"""Small trees of LightGBM for tests of what reads them."""

import lightgbm
import numpy as np

from features.vectors import MATCH_FEATURES

N_FEATURES = len(MATCH_FEATURES)


def rows_of(n, seed):
    rng = np.random.default_rng(seed)
    rows = rng.random((n, N_FEATURES)) * [1, 50, 1, 1000, 1, 1, 1, 6]
    rows[:, 0] = rng.integers(1, 4, n)
    rows[:, 5:7] = rng.integers(1, 5, (n, 2))
    rows[rng.random(n) < 0.2, 3] = np.nan
    return rows


def booster_of(*, seed=0, n_trees=30, leaves=8, **parameters):
    rows = rows_of(4000, seed)
    gave = np.random.default_rng(seed).random(4000) < np.exp(-rows[:, 1] / 20) * rows[:, 2]
    data = lightgbm.Dataset(rows, gave.astype(int), feature_name=list(MATCH_FEATURES))
    fixed = {"objective": "binary", "verbose": -1, "num_threads": 1, "deterministic": True, "force_row_wise": True}
    return lightgbm.train({**fixed, "num_leaves": leaves, **parameters}, data, n_trees)
