"""Which learners count, by what they said earlier of what came: a combination only where it wins."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FACTORS = (0.5, 2.0)
"""A learner whose means are farther off than that in all isn't listened to."""


class Combined(NamedTuple):
    """How much each learner counts.

    Parameters
    ----------
    weights : ndarray of float64, shape (n_learners,)
        0 for who isn't heard; the factor that makes the sum of means right is in them.
    losses : ndarray of float64, shape (n_learners,)
        Of each by itself.
    """

    weights: Floats
    losses: Floats


def combine(said: Floats, came: Floats, level: Floats) -> Combined:
    """Choose, of all equal-handed combinations of learners, the one that was best.

    Parameters
    ----------
    said : ndarray of float64, shape (n_learners, n_examples)
    came, level : ndarray of float64, shape (n_examples,)
        What came, and the level of the series then.
    """
    total = max(float(came.sum()), 1e-9)
    factors = total / np.maximum(said.sum(axis=1), 1e-9)
    heard = [n for n, factor in enumerate(factors) if FACTORS[0] <= factor <= FACTORS[1]] or [len(said) - 1]
    factors = np.clip(factors, *FACTORS)
    mended = said * factors[:, None]
    losses = np.array([loss(one, came, level) for one in mended])
    sets = [chosen for size in range(1, len(heard) + 1) for chosen in combinations(heard, size)]
    best = min(sets, key=lambda chosen: loss(mended[list(chosen)].mean(axis=0), came, level))
    weights = np.zeros(len(said))
    weights[list(best)] = factors[list(best)] / len(best)
    return Combined(weights, losses)


def loss(mean: Floats, came: Floats, level: Floats) -> float:
    """Return how far off means were: squares over the level, so that large series don't drown small ones."""
    return float(((came - mean) ** 2 / np.maximum(level, 1e-9)).mean())
