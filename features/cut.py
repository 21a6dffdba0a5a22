"""The cheap cut before the model: of many donors those who are worth scoring.

What a donor is worth is availability × reliability × exp(−d/k): what the model says anew, with more to go by. The cut
is exact, and a total order (of equals the least id), so that it depends on nothing but the donors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.kernels import kernel

CUT_DISTANCE_KM = 10.0
"""k of exp(−d/k): the geometric mean of the 5–20 km of the domain facts, section 3."""

N_BUCKETS = 1024


@kernel
def _sink(worth: NDArray[np.float64], donor: NDArray[np.int64], heap: NDArray[np.int64], n: int, i: int) -> None:
    """Restore a heap whose root is the least worthy: of least worth, and of equals the one of greatest id."""
    while True:
        least = i
        for child in (2 * i + 1, 2 * i + 2):
            if child < n:
                a, b = heap[child], heap[least]
                if worth[a] < worth[b] or (worth[a] == worth[b] and donor[a] > donor[b]):
                    least = child
        if least == i:
            return
        heap[i], heap[least] = heap[least], heap[i]
        i = least


@kernel
def _keep_best(
    worth: NDArray[np.float64], donor: NDArray[np.int64], among: NDArray[np.int64], n_among: int, n_wanted: int
) -> None:
    """Bring the ``n_wanted`` best of the first ``n_among`` to the front of ``among``."""
    for i in range(n_wanted // 2 - 1, -1, -1):
        _sink(worth, donor, among, n_wanted, i)
    for j in range(n_wanted, n_among):
        candidate, root = among[j], among[0]
        if worth[candidate] > worth[root] or (worth[candidate] == worth[root] and donor[candidate] < donor[root]):
            among[0] = candidate
            _sink(worth, donor, among, n_wanted, 0)


@kernel
def _bucket(worth: float, scale: float) -> int:
    return min(int(worth * scale), N_BUCKETS - 1)


@kernel
def best_of(worth: NDArray[np.float64], donor: NDArray[np.int64], n_wanted: int) -> NDArray[np.int64]:
    """Return the places of the ``n_wanted`` donors who are worth most, unordered.

    Buckets of worth tell nearly all of them apart in two passes; only within the bucket that the edge falls into are
    donors compared with each other.

    Parameters
    ----------
    worth : ndarray of float64, shape (n,)
        Not negative.
    donor : ndarray of int64, shape (n,)
        Ids, all different; of equals the least is better.
    n_wanted : int
        1 to n.
    """
    most = 0.0
    for j in range(len(worth)):
        most = max(most, worth[j])
    # Below the least normal number the quotient overflows; such worths are all one bucket.
    scale = N_BUCKETS / most if most > 1e-300 else 0.0
    n_in_bucket = np.zeros(N_BUCKETS, np.int64)
    for j in range(len(worth)):
        n_in_bucket[_bucket(worth[j], scale)] += 1
    edge, n_above = N_BUCKETS - 1, n_in_bucket[0] * 0
    while n_above + n_in_bucket[edge] < n_wanted:
        n_above += n_in_bucket[edge]
        edge -= 1
    best = np.empty(n_wanted, np.int64)
    at_edge = np.empty(n_in_bucket[edge], np.int64)
    n = n_at_edge = 0
    for j in range(len(worth)):
        bucket = _bucket(worth[j], scale)
        if bucket > edge:
            best[n] = j
            n += 1
        elif bucket == edge:
            at_edge[n_at_edge] = j
            n_at_edge += 1
    _keep_best(worth, donor, at_edge, n_at_edge, n_wanted - n)
    for i in range(n_wanted - n):
        best[n + i] = at_edge[i]
    return best
