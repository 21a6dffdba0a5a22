"""What a search is asked, within which limits, and where it writes what it finds.

Named tuples, since numba's kernels take no other objects.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

N_CLASSES = 11
"""There are no more preference classes than groups."""


class Question(NamedTuple):
    """One request, as the search needs it.

    Parameters
    ----------
    latitude, longitude : float
        Degrees.
    classes : ndarray of int8, shape (11,), read-only
        Preference class of each donor group, -1 where it is never offered.
    apheresis : bool
        Whether the component is given by apheresis.
    at, required_by : int
        Microseconds since 1970, the second not before the first.
    local_day : int
        The local day of ``at``.
    request_id : int
    """

    latitude: float
    longitude: float
    classes: NDArray[np.int8]
    apheresis: bool
    at: int
    required_by: int
    local_day: int
    request_id: int


class Limits(NamedTuple):
    """How far to look, and how many donors to bring.

    Parameters
    ----------
    rings_km : ndarray of float64, shape (n,)
        Rings in turn, then those beyond the last for requests that nobody else can fill.
    n_rings : int
        How many are rings of the first kind.
    n_enough, n_enough_wide : int
        Askable donors that end the search, in a ring of the first kind and after it.
    n_wanted : int
        How long the list may be at most: it reaches classes until they hold so many askable donors.
    n_scored : int
        Donors of a class to bring, at most.
    promised_since, asked_since : int
        Promises and askings before these instants don't count any more; microseconds since 1970.
    """

    rings_km: NDArray[np.float64]
    n_rings: int
    n_enough: int
    n_enough_wide: int
    n_wanted: int
    n_scored: int
    promised_since: int
    asked_since: int


class Askable(NamedTuple):
    """Room for the askable donors of one request; the kernels make it longer where it is short.

    Parameters
    ----------
    row : ndarray of int32
    km : ndarray of float64
        Distance, not rounded.
    preference : ndarray of int8
        Preference class.
    """

    row: NDArray[np.int32]
    km: NDArray[np.float64]
    preference: NDArray[np.int8]


class Tally(NamedTuple):
    """Counts of donors, which the kernels add to.

    Parameters
    ----------
    counts : ndarray of int64, shape (3,)
        Considered, compatible and eligible.
    of_class : ndarray of int64, shape (11,)
        Askable, by preference class.
    """

    counts: NDArray[np.int64]
    of_class: NDArray[np.int64]


class Filter(NamedTuple):
    """What decides whether a donor may be asked.

    Parameters
    ----------
    wanted : int
        Flags that an askable donor has.
    flags, from_at, until_at, away_until, engaged : ndarray
        Columns; the span is that of the component.
    """

    wanted: int
    flags: NDArray[np.uint8]
    from_at: NDArray[np.int64]
    until_at: NDArray[np.int64]
    away_until: NDArray[np.int32]
    engaged: NDArray[np.int32]


class Ring(NamedTuple):
    """What lies farther than ``inner_km`` and not farther than ``outer_km`` from a place; radians, and cosines of both.

    ``inner_cos`` is 2 where there is no inner bound.
    """

    latitude: float
    longitude: float
    x: float
    y: float
    z: float
    inner_km: float
    outer_km: float
    inner_cos: float
    outer_cos: float
