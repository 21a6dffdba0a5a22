"""LightGBM's trees, evaluated without walking them.

For each feature the thresholds of all trees cut the line into bins. For each bin a table says, for each tree, which
leaves a row in that bin may still reach; the leaf that a row does reach is the only one left when the entries of its
features are intersected. So a row costs one search a feature and a few wide ANDs, instead of a jump for each node:
256 rows of 7 features in a hundred trees take a fifth of the time that LightGBM's own prediction does. Leaf values are
added in the order of the trees, in doubles, as LightGBM adds them: the sums are the same, bit for bit.

References
----------
Lucchese et al., "QuickScorer: a fast algorithm to rank documents with additive ensembles of regression trees",
SIGIR 2015.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

N_LEAVES_MAX = 64
EIGHTH = 8
"""Of this many thresholds one is looked at first."""

_CATEGORICAL, _DEFAULT_LEFT, _MISSING = 1, 2, 12
_MISSING_ZERO, _MISSING_NAN = 4, 8


class UnreadableTreesError(ValueError):
    """The text of a model is not one that can be evaluated: {what}."""


class _Hash(NamedTuple):
    """Turns the one bit that is set in a word of ``dtype`` into a place below ``n_bits``: de Bruijn's sequence."""

    dtype: type[np.unsignedinteger[Any]]
    n_bits: int
    sequence: int


_HASHES = (_Hash(np.uint16, 16, 0x09AF), _Hash(np.uint64, 64, 0x03F79D71B4CB0A89))


@dataclass(frozen=True, slots=True)
class Trees:
    """Trees in the form in which they are evaluated.

    Parameters
    ----------
    thresholds : ndarray of float64, shape (n_thresholds,)
        Of all features, one after the other, going up within a feature.
    starts : ndarray of int64, shape (n_features + 1,)
        Where a feature's thresholds begin. It has one bin more than thresholds, and one for NaN.
    reachable : ndarray of uint16 or uint64, shape (n_bins, n_trees)
        Leaves that can be reached from a bin, as bits; feature by feature.
    values : ndarray of float64, shape (n_trees, n_bits)
        What each leaf adds, at the place to which its bit is hashed.
    sequence, all_bits, shift : uint64
        Of the hash.
    """

    thresholds: NDArray[np.float64]
    starts: NDArray[np.int64]
    reachable: NDArray[np.unsignedinteger[Any]]
    values: NDArray[np.float64]
    sequence: np.uint64
    all_bits: np.uint64
    shift: np.uint64

    def raw_scores(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sums of leaf values, shape (n,), of rows of shape (n, n_features): each row's by itself."""
        scores: NDArray[np.float64] = _raw_scores(
            np.ascontiguousarray(rows, np.float64),
            self.thresholds,
            self.starts,
            self.reachable,
            self.values,
            self.sequence,
            self.all_bits,
            self.shift,
        )
        return scores


@njit(cache=True, nogil=True)
def _raw_scores(  # noqa: PLR0913, PLR0917 - numba takes no dataclass
    rows: NDArray[np.float64],
    thresholds: NDArray[np.float64],
    starts: NDArray[np.int64],
    reachable: NDArray[np.unsignedinteger[Any]],
    values: NDArray[np.float64],
    sequence: np.uint64,
    all_bits: np.uint64,
    shift: np.uint64,
) -> NDArray[np.float64]:
    n_rows, n_features = rows.shape
    n_trees = reachable.shape[1]
    scores = np.empty(n_rows, np.float64)
    left = np.empty(n_trees, reachable.dtype)
    for i in range(n_rows):
        for j in range(n_features):
            x = rows[i, j]
            first, last = starts[j], starts[j + 1]
            place = first + 2 * j  # of the feature's first bin
            if np.isnan(x):
                place += last - first + 1
            else:
                # Counting thresholds below is quicker than halving: no branch is guessed wrong. Every eighth, then
                # those between two of them.
                n_eighths = 0
                for k in range(first + EIGHTH - 1, last, EIGHTH):
                    n_eighths += thresholds[k] < x
                begin = first + EIGHTH * n_eighths
                place += EIGHTH * n_eighths
                for k in range(begin, min(begin + EIGHTH - 1, last)):
                    place += thresholds[k] < x
            bin_leaves = reachable[place]
            if j == 0:
                for t in range(n_trees):
                    left[t] = bin_leaves[t]
            else:
                for t in range(n_trees):
                    left[t] &= bin_leaves[t]
        total = 0.0
        for t in range(n_trees):
            total += values[t, ((np.uint64(left[t]) * sequence) & all_bits) >> shift]
        scores[i] = total
    return scores


@dataclass(frozen=True, slots=True)
class _Tree:
    """A tree as LightGBM writes it: children below 0 are leaves, the first is -1."""

    feature: list[int]
    threshold: list[float]
    decision: list[int]
    left: list[int]
    right: list[int]
    value: list[float]


def read_trees(text: str, features: tuple[str, ...]) -> Trees:
    """Read the text of a LightGBM model that gives one number a row.

    Parameters
    ----------
    text : str
        As ``Booster.model_to_string`` gives it.
    features : tuple of str
        Names that it must state, in this order.

    Raises
    ------
    UnreadableTreesError
        If it isn't such a text, states other features, or has what isn't evaluated here: categories, zeros that stand
        for missing values, linear leaves, averages over trees, or more than 64 leaves a tree; or if a tree is none:
        counts differ, a split is on no feature, a number isn't finite, or a node hangs on none or on two.
    """
    head, *blocks = text.split("\nTree=")
    stated = _fields(head)
    if not blocks or stated.get("num_class") != "1" or stated.get("num_tree_per_iteration") != "1":
        message = "no LightGBM model of one number a row"
        raise UnreadableTreesError(message)
    if "average_output" in head.split("\n"):
        message = "trees are to be averaged, not added"
        raise UnreadableTreesError(message)
    if tuple(stated.get("feature_names", "").split()) != features:
        message = f"it takes {stated.get('feature_names')!r}, not {' '.join(features)!r}"
        raise UnreadableTreesError(message)
    try:
        trees = [_tree(_fields(block.partition("end of trees")[0]), len(features)) for block in blocks]
    except (KeyError, ValueError) as error:
        if isinstance(error, UnreadableTreesError):
            raise
        message = f"a tree can't be read: {error}"
        raise UnreadableTreesError(message) from error
    return _compiled(trees, len(features))


def _fields(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.split("\n") if "=" in line)


def _tree(fields: Mapping[str, str], n_features: int) -> _Tree:
    n_leaves = int(fields["num_leaves"])
    if n_leaves > N_LEAVES_MAX or fields.get("num_cat", "0") != "0" or fields.get("is_linear", "0") != "0":
        message = f"a tree has categories, linear leaves or more than {N_LEAVES_MAX} leaves"
        raise UnreadableTreesError(message)
    value = [float(word) for word in fields["leaf_value"].split()]
    if n_leaves == 1:
        tree = _Tree([], [], [], [], [], value)
    else:
        tree = _Tree(
            feature=[int(word) for word in fields["split_feature"].split()],
            threshold=[float(word) for word in fields["threshold"].split()],
            decision=[int(word) for word in fields["decision_type"].split()],
            left=[int(word) for word in fields["left_child"].split()],
            right=[int(word) for word in fields["right_child"].split()],
            value=value,
        )
    _check(tree, n_leaves, n_features)
    return tree


def _check(tree: _Tree, n_leaves: int, n_features: int) -> None:
    """Refuse what would be evaluated to anything: a digest says only that it is what somebody wrote."""
    nodes = (tree.feature, tree.threshold, tree.decision, tree.left, tree.right)
    if n_leaves < 1 or len(tree.value) != n_leaves or any(len(one) != n_leaves - 1 for one in nodes):
        message = f"a tree of {n_leaves} leaves has other numbers of values or splits"
        raise UnreadableTreesError(message)
    # LightGBM tells what isn't there from all that is by an infinite threshold.
    if not all(map(math.isfinite, tree.value)) or not all(at > -math.inf for at in tree.threshold):
        message = "a leaf is no finite number, or a threshold is none"
        raise UnreadableTreesError(message)
    if not all(0 <= feature < n_features for feature in tree.feature):
        message = f"a split is on none of the {n_features} features"
        raise UnreadableTreesError(message)
    # Each leaf, and each node but the first, hangs on one node, and a node on one before it: so all hang together.
    hanging = sorted([*tree.left, *tree.right])
    comes_before = all(child < 0 or child > node for side in (tree.left, tree.right) for node, child in enumerate(side))
    if not comes_before or (n_leaves > 1 and hanging != [*range(-n_leaves, 0), *range(1, n_leaves - 1)]):
        message = "splits and leaves of a tree don't hang together"
        raise UnreadableTreesError(message)
    if any(decision & _CATEGORICAL or decision & _MISSING == _MISSING_ZERO for decision in tree.decision):
        message = "a split is by category, or takes zeros for missing values"
        raise UnreadableTreesError(message)


def _compiled(trees: list[_Tree], n_features: int) -> Trees:
    feature = np.array([of for tree in trees for of in tree.feature], np.int64)
    threshold = np.array([at for tree in trees for at in tree.threshold], np.float64)
    thresholds = [np.unique(threshold[feature == one]) for one in range(n_features)]
    starts = np.cumsum([0, *(len(part) for part in thresholds)])
    most = max(len(tree.value) for tree in trees)
    hashing = next(hashing for hashing in _HASHES if hashing.n_bits >= most)
    shift = hashing.n_bits - (hashing.n_bits - 1).bit_length()
    all_bits = (1 << hashing.n_bits) - 1
    places = [((hashing.sequence << leaf) & all_bits) >> shift for leaf in range(most)]
    values = np.zeros((len(trees), hashing.n_bits))
    for number, tree in enumerate(trees):
        values[number, places[: len(tree.value)]] = tree.value
    bins = _Bins([part.tolist() for part in thresholds], (starts + 2 * np.arange(n_features + 1)).tolist())
    reachable = np.empty((len(trees), bins.starts[-1]), np.uint64)
    for tree, row in zip(trees, reachable, strict=True):
        row[:] = (1 << len(tree.value)) - 1
        _rule_out(tree, 0 if tree.feature else -1, bins, row)
    return Trees(
        thresholds=np.concatenate(thresholds),
        starts=starts.astype(np.int64),
        reachable=np.ascontiguousarray(reachable.T, hashing.dtype),
        values=values,
        sequence=np.uint64(hashing.sequence),
        all_bits=np.uint64(all_bits),
        shift=np.uint64(shift),
    )


class _Bins(NamedTuple):
    """Thresholds of each feature, going up, and where its bins start among those of all; its last is that of NaN."""

    thresholds: list[list[float]]
    starts: list[int]


def _rule_out(tree: _Tree, node: int, bins: _Bins, row: NDArray[np.uint64]) -> int:
    """Take from each bin in ``row`` the leaves below ``node`` that a split on its feature sends it away from.

    Returns
    -------
    int
        All leaves below ``node``, as bits.
    """
    if node < 0:
        return 1 << ~node
    left = _rule_out(tree, tree.left[node], bins, row)
    right = _rule_out(tree, tree.right[node], bins, row)
    feature, threshold = tree.feature[node], tree.threshold[node]
    first, nan = bins.starts[feature], bins.starts[feature + 1] - 1
    cut = first + bisect_left(bins.thresholds[feature], threshold) + 1
    every_bit = (1 << N_LEAVES_MAX) - 1
    not_left, not_right = np.uint64(every_bit ^ left), np.uint64(every_bit ^ right)
    row[first:cut] &= not_right
    row[cut:nan] &= not_left
    # Where NaN never came up in training, LightGBM takes it for a zero.
    decision = tree.decision[node]
    goes_left = decision & _DEFAULT_LEFT if decision & _MISSING == _MISSING_NAN else threshold >= 0
    row[nan] &= not_right if goes_left else not_left
    return left | right
