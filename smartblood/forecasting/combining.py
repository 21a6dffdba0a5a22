"""Which learners count, by what they said earlier of what came: a combination only where it wins."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HEARD = (0.5, 2.0)
"""A learner whose means are farther off in all isn't listened to."""

CHANCE = 0.03
"""Standard deviation of the logarithm by which chance makes sums of means wrong; what it explains isn't mended."""

WIN_LEAST = 0.05
"""All are heard, unless some of them are better by so much: small wins don't last."""

SHARE_MOST = 0.25
"""No series counts more of what is decided for all; of few, none more than twice an equal one."""

_STRAY_MOST = 2.0
"""Standard deviations, as medians tell them: what a series is wrong by beyond these is its own affair."""

_LOSS_MOST = 2.0
"""Of what a series usually loses: what it loses beyond doesn't count."""

_DEVIATION = 0.6745  # the median of what a normal distribution strays by, in standard deviations


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


def combine(
    said: Floats, came: Floats, level: Floats, series: Ints, *, within: tuple[float, float] = HEARD
) -> Combined:
    """Choose which learners are heard, each as much as the others.

    No series decides for the others, however its level changed while learners were judged: what it is wrong by and what
    it loses are cut down to what others do, and a choice must win whichever series is left out.

    Parameters
    ----------
    said : ndarray of float64, shape (n_learners, n_examples)
    came, level : ndarray of float64, shape (n_examples,)
        What came, and the level of the series then.
    series : ndarray of int64, shape (n_examples,)
        Which series each is of.
    within : tuple of float
        Least and greatest factor that makes the sum of a learner's means right.
    """
    codes = np.unique(series, return_inverse=True)[1]
    n_examples, units = (_by_series(one, codes) for one in (np.ones_like(came), said.mean(axis=0)))
    telling = capped(units)
    off = np.array([_off(_by_series(came, codes), _by_series(one, codes), telling) for one in said])
    heard = [n for n, one in enumerate(off) if np.log(HEARD[0]) <= one <= np.log(HEARD[1])] or [len(said) - 1]
    factors = np.exp(np.clip(off * off**2 / (off**2 + CHANCE**2), *np.log(within)))
    mended = said * factors[:, None]
    sets = [chosen for size in range(1, len(heard) + 1) for chosen in combinations(heard, size)]
    means = [*mended, *(mended[list(chosen)].mean(axis=0) for chosen in sets)]
    lost = np.stack([_by_series(squares(one, came, level), codes) for one in means]) / n_examples
    worst = lost[: len(said)].max(axis=0, initial=0.0)
    most = _LOSS_MOST * _median(worst, telling)
    lost *= n_examples * np.minimum(1.0, most / np.maximum(worst, 1e-9))
    chosen = list(_winner(sets, lost[len(said) :]))
    weights = np.zeros(len(said))
    weights[chosen] = factors[chosen] / len(chosen)
    return Combined(weights, lost[: len(said)].sum(axis=1) / max(len(came), 1))


def capped(sizes: Floats) -> Floats:
    """Return what series count, the largest cut down to ``SHARE_MOST`` of all, but not below the next one."""
    n_series = np.count_nonzero(sizes)
    if n_series < 2:
        return sizes
    share = max(SHARE_MOST, 2 / (n_series + 1))
    largest = int(sizes.argmax())
    others = np.delete(sizes, largest)
    most = max(share / (1 - share) * float(others.sum()), float(others.max()))
    return np.where(np.arange(len(sizes)) == largest, np.minimum(sizes, most), sizes)


def squares(mean: Floats, came: Floats, level: Floats) -> Floats:
    """Return how far off means were: squares over the level, so that large series don't drown small ones."""
    return np.asarray((came - mean) ** 2 / np.maximum(level, 1e-9))


def _winner(sets: list[tuple[int, ...]], lost: Floats) -> tuple[int, ...]:
    """Return who is better than all together by ``WIN_LEAST``, and whichever series is left out; else all, the last.

    Parameters
    ----------
    sets : list of tuple of int
    lost : ndarray of float64, shape (n_sets, n_series)
    """
    total = lost.sum(axis=1)
    without = total[:, None] - lost if lost.shape[1] > 1 else total[:, None]
    best = int(np.argmin(total))
    wins = np.all(without[best] < (1 - WIN_LEAST) * without[-1])
    return sets[best] if wins and total[-1] > 0 else sets[-1]


def _off(came: Floats, said: Floats, telling: Floats) -> float:
    """Return the logarithm by which sums of means are wrong, of series as they mostly are.

    Parameters
    ----------
    came, said : ndarray of float64, shape (n_series,)
        Sums of each series.
    telling : ndarray of float64, shape (n_series,)
        How much each is heard.
    """
    ratios = came / np.maximum(said, 1e-9)
    middle = _median(ratios, telling)
    stray = _STRAY_MOST * _median(np.abs(ratios - middle), telling) / _DEVIATION
    usual = np.clip(ratios, middle - stray, middle + stray)
    whole = float(telling.sum())
    return float(np.log(max(float(usual @ telling) / whole, 1e-9))) if whole > 0 else 0.0


def _median(x: Floats, weights: Floats) -> float:
    """Return the weighted median, between two values where it lies between them; 0 of none."""
    if not x.size:
        return 0.0
    order = np.argsort(x)
    upto = np.cumsum(weights[order]) - weights[order] / 2
    return float(np.interp(weights.sum() / 2, upto, x[order]))


def _by_series(x: Floats, codes: Ints) -> Floats:
    """Return sums over the examples of each series, shape (n_series,)."""
    return np.asarray(np.bincount(codes, x, minlength=int(codes.max(initial=-1)) + 1))
