"""Where a region answers differently: a shift of a score's logit, by the district of the request.

A shift turns no order round, so a list keeps its order and only its scores move, and with them how many are asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from features.kernels import kernel

SHIFT_MAX = 5.0
"""No district's odds differ by more than this many powers of e: a hundred and fifty times."""

Floats = NDArray[np.float64]


def shifts_of(by_district: Mapping[str, float], districts: Sequence[str]) -> Floats | None:
    """Return the shift of each request, by its district; 0 where none is known, None where there is none at all.

    Parameters
    ----------
    by_district : mapping of str to float
        A scorer's.
    districts : sequence of str
        Of n requests.

    Returns
    -------
    ndarray of float64, shape (n,), or None
    """
    if not by_district:
        return None
    shifts = np.array([by_district.get(district, 0.0) for district in districts], np.float64)
    return shifts if shifts.any() else None


@kernel
def shifted(probability: Floats, shift: Floats) -> Floats:
    """Return probabilities whose logits are shifted, each by its own shift; by 0 it is the same to the last bit.

    Parameters
    ----------
    probability, shift : ndarray of float64, shape (n,)
    """
    found = np.empty(probability.shape[0])
    for i in range(probability.shape[0]):
        p = probability[i]
        if shift[i] == 0.0:
            found[i] = p
        else:
            yes = p * np.exp(shift[i])
            found[i] = yes / (1.0 - p + yes)
    return found
