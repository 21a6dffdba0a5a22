"""Which learners count, by what they said earlier of what came: a combination only where it wins."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

HEARD = (0.5, 2.0)
"""A learner whose means are farther off in all isn't listened to."""

CHANCE = 0.03
"""Standard deviation of the logarithm by which chance makes sums of means wrong; what it explains isn't mended."""

WIN_LEAST = 0.05
"""All are heard, unless some of them are better by so much: small wins don't last."""


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
    """Choose which learners are heard, each as much as the others.

    Parameters
    ----------
    said : ndarray of float64, shape (n_learners, n_examples)
    came, level : ndarray of float64, shape (n_examples,)
        What came, and the level of the series then.
    """
    off = np.log(max(float(came.sum()), 1e-9) / np.maximum(said.sum(axis=1), 1e-9))
    heard = [n for n, one in enumerate(off) if np.log(HEARD[0]) <= one <= np.log(HEARD[1])] or [len(said) - 1]
    factors = np.exp(np.clip(off * off**2 / (off**2 + CHANCE**2), *np.log(HEARD)))
    mended = said * factors[:, None]
    losses = np.array([loss(one, came, level) for one in mended])
    sets = [chosen for size in range(1, len(heard) + 1) for chosen in combinations(heard, size)]
    by_set = [loss(mended[list(chosen)].mean(axis=0), came, level) for chosen in sets]
    best = int(np.argmin(by_set))
    chosen = list(sets[best] if by_set[best] < (1 - WIN_LEAST) * by_set[-1] else heard)
    weights = np.zeros(len(said))
    weights[chosen] = factors[chosen] / len(chosen)
    return Combined(weights, losses)


def loss(mean: Floats, came: Floats, level: Floats) -> float:
    """Return how far off means were: squares over the level, so that large series don't drown small ones; 0 of none."""
    return float(((came - mean) ** 2 / np.maximum(level, 1e-9)).mean()) if came.size else 0.0
