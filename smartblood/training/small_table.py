"""P(a donor gives again) from a small table: what ``evaluate uci`` fits, and nothing that the stream uses.

It is of the kind of the model ``donor_availability``, which ``learning`` fits with what ``recipes`` says: other numbers
of trees, other columns, and a calibration, which there is none of here.

Boosted trees that go up where more of a column speaks for an answer and down where it speaks against: what few data
would else let them make up. The numbers below are a starting point of its kind, small steps and shallow trees, and
were not searched for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartblood.registry.trees import read_trees
from smartblood.training.fitting import fit_trees

PARAMETERS: dict[str, Any] = {
    "n_trees": 150,
    "num_leaves": 4,
    "learning_rate": 0.03,
    "min_data_in_leaf": 20,
    "max_bin": 63,
    "lambda_l2": 5.0,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
}


def fit(
    rows: NDArray[np.float64],
    answered: NDArray[np.bool_],
    features: tuple[str, ...],
    directions: Sequence[int],
    *,
    seed: int,
) -> str:
    """Fit the learner and return LightGBM's text.

    Parameters
    ----------
    rows : ndarray of float64, shape (n, n_features)
    answered : ndarray of bool, shape (n,)
    features : tuple of str
        Names of the columns.
    directions : sequence of int
        For each column 1, -1 or 0: whether more of it is more, less, or either.
    seed : int
    """
    parameters = {**PARAMETERS, "monotone_constraints": list(directions)}
    return fit_trees(rows, answered, features, parameters=parameters, seed=seed)


def probabilities(text: str, rows: NDArray[np.float64], features: tuple[str, ...]) -> NDArray[np.float64]:
    """Return what the trees of ``text`` say of rows, shape (n,), 0 to 1, as the stream evaluates them."""
    raw = read_trees(text, features).raw_scores(rows)
    found: NDArray[np.float64] = 1 / (1 + np.exp(-raw))
    return found
