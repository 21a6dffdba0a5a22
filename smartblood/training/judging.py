"""How good scores are: discrimination, calibration, ranking, each with an interval."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

LEAST = 1e-15
N_BINS = 10


class Interval(NamedTuple):
    """A figure and its 95 % interval."""

    value: float
    lower: float
    upper: float


def auc(gave: Flags, score: Floats) -> float:
    """Return the probability that one who gave has a higher score than one who didn't; 0.5 where nobody did either."""
    if not 0 < np.count_nonzero(gave) < gave.size:
        return 0.5
    others = np.sort(score[~gave])
    below = np.searchsorted(others, score[gave], "left") + np.searchsorted(others, score[gave], "right")
    return float(below.mean() / 2 / others.size)


def log_losses(gave: Flags, probability: Floats) -> Floats:
    """Return of each example the negative logarithm of the probability of what happened."""
    of_truth = np.where(gave, probability, 1 - probability).clip(LEAST, 1.0)
    return np.asarray(-np.log(of_truth))


def log_loss(gave: Flags, probability: Floats) -> float:
    """Return the mean negative logarithm of the probability of what happened."""
    return float(log_losses(gave, probability).mean())


def brier(gave: Flags, probability: Floats) -> float:
    """Return the mean squared distance from what happened."""
    return float(np.square(probability - gave).mean())


def calibration_error(gave: Flags, probability: Floats) -> float:
    """Return the expected calibration error over ten bins of equal numbers of scores."""
    order = np.argsort(probability, kind="stable")
    bins = [part for part in np.array_split(order, N_BINS) if part.size]
    gaps = [abs(probability[part].mean() - gave[part].mean()) * part.size for part in bins]
    return float(sum(gaps) / max(gave.size, 1))


def calibration_error_by_chance(probability: Floats) -> float:
    """Return what ``calibration_error`` would be on average were every probability right.

    Few examples make a gap in every bin: of a sum of independent outcomes, taken as normal, the mean absolute distance
    from what was expected is its standard deviation times √(2 / π).
    """
    order = np.argsort(probability, kind="stable")
    bins = [part for part in np.array_split(order, N_BINS) if part.size]
    variances = [float((probability[part] * (1 - probability[part])).sum()) for part in bins]
    return float(np.sqrt(variances).sum() * np.sqrt(2 / np.pi) / max(probability.size, 1))


def observed_to_expected(label: Flags, probability: Floats) -> tuple[list[float], list[float]]:
    """Return for ten bins of equal numbers of scores, lowest first, what was seen by what was expected, and that."""
    order = np.argsort(probability, kind="stable")
    bins = [part for part in np.array_split(order, N_BINS) if part.size]
    expected = [float(probability[part].mean()) for part in bins]
    ratios = [float(label[part].mean()) / max(one, LEAST) for part, one in zip(bins, expected, strict=True)]
    return [round(one, 4) for one in ratios], [round(one, 4) for one in expected]


class Bins(NamedTuple):
    """Calibration in ten bins of equal numbers of scores, lowest first.

    Parameters
    ----------
    expected : list of float
        Mean score of each bin.
    ratio : list of Interval
        What was seen by what was expected, with its 95 % interval.
    """

    expected: list[float]
    ratio: list[Interval]


def ratios_by_bin(seen: Flags | Floats, probability: Floats, groups: Ints, *, seed: int, n_samples: int = 200) -> Bins:
    """Return observed ÷ expected in ten bins, with intervals by a bootstrap that draws whole groups.

    Parameters
    ----------
    seen : ndarray of bool or float64, shape (n,)
        What came of it; or how probable that truly was, where that is known: without the noise of single outcomes.
    probability : ndarray of float64, shape (n,)
    groups : ndarray of int64, shape (n,)
        Whose outcomes they are: a donor's hang together.
    """
    rng = np.random.default_rng([seed, 6])
    order = np.argsort(probability, kind="stable")
    expected, ratio = [], []
    for part in (one for one in np.array_split(order, N_BINS) if one.size):
        _, of = np.unique(groups[part], return_inverse=True)
        sums = np.stack([np.bincount(of, weights=column[part]) for column in (seen.astype(np.float64), probability)])
        drawn = rng.integers(0, sums.shape[1], (n_samples, sums.shape[1]))
        values = sums[0][drawn].sum(axis=1) / np.maximum(sums[1][drawn].sum(axis=1), LEAST)
        value = sums[0].sum() / max(sums[1].sum(), LEAST)
        expected.append(round(float(probability[part].mean()), 4))
        ratio.append(Interval(*(round(float(one), 4) for one in (value, *np.quantile(values, [0.025, 0.975])))))
    return Bins(expected, ratio)


def ndcg(gave: Flags, score: Floats, groups: Ints, k: int = 10) -> float:
    """Return the mean NDCG@k over the groups (requests) in which somebody gave.

    References
    ----------
    Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 2002.
    """
    order = np.lexsort((-score, groups))
    sizes = np.unique(groups, return_counts=True)[1]
    starts = np.cumsum(sizes) - sizes
    rank = np.arange(gave.size) - np.repeat(starts, sizes)
    discount = np.where(rank < k, 1 / np.log2(rank + 2), 0.0)
    gained = np.add.reduceat(gave[order] * discount, starts)
    n_gave = np.add.reduceat(gave[order].astype(np.int64), starts)
    best = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(k) + 2))])[np.minimum(n_gave, k)]
    return float((gained[n_gave > 0] / best[n_gave > 0]).mean()) if (n_gave > 0).any() else 0.0


def with_interval(
    figure: Callable[[NDArray[np.int64]], float],
    groups: Ints,
    *,
    seed: int,
    n_samples: int = 100,
    is_distance: bool = False,
) -> Interval:
    """Return a figure with its 95 % interval, by a bootstrap that draws whole groups (requests).

    Parameters
    ----------
    figure : callable
        Takes places of examples, repeated as drawn; those of one request lie together.
    groups : ndarray of int64, shape (n,)
        The request of each example.
    is_distance : bool
        Whether the figure is one of 0 or more that chance makes greater, such as a calibration error. Drawing again
        adds chance to chance: percentiles lie too high, often above the figure itself. So they are moved back by as
        much as their median lies too high.

    References
    ----------
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3 (percentiles), 10.2 (bias). Their
    BC and BCa percentiles leave the figure out too where it lies below 2.5 % of what is drawn.
    """
    rng = np.random.default_rng([seed, 5])
    order = np.argsort(groups, kind="stable")
    _, starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    values = []
    for _ in range(n_samples):
        drawn = rng.integers(0, starts.size, starts.size)
        places = np.repeat(starts[drawn] - np.cumsum(sizes[drawn]) + sizes[drawn], sizes[drawn])
        values.append(figure(order[places + np.arange(places.size)]))
    value, (lower, middle, upper) = figure(order), np.quantile(values, [0.025, 0.5, 0.975])
    if is_distance:
        lower, upper = max(lower - (middle - value), 0.0), upper - (middle - value)
    return Interval(value, float(lower), float(upper))
