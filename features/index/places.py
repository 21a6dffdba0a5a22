"""Where donors are: the centre of each H3 cell in which one lives, once for all who live there.

Places are sorted by latitude, so that those near a request lie in one short run; behind them, unsorted, stand the
cells that came since the last merge. Each sorted place has its segments: the donors of one group who live there, side
by side in the columns.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.geo import cell_centre
from features.kernels import kernel


class Places(NamedTuple):
    """The cells, those of the last merge sorted by latitude, then newer ones.

    Parameters
    ----------
    h3_cell : ndarray of int64
    latitude, longitude : ndarray of float64
        Radians.
    x, y, z : ndarray of float64
        Unit vector of the centre: a dot product tells near from far for a few nanoseconds.
    """

    h3_cell: NDArray[np.int64]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    z: NDArray[np.float64]


class Segments(NamedTuple):
    """Donors by place and group, as of the last merge.

    Parameters
    ----------
    first : ndarray of int32, shape (n_sorted_places + 1,)
        First segment of each place.
    n_live_of_place : ndarray of int32, shape (n_sorted_places,)
        Living donors of each place.
    group : ndarray of int8, shape (n_segments,)
    start : ndarray of int64, shape (n_segments + 1,)
        First row of each segment.
    n_live : ndarray of int32, shape (n_segments,)
    """

    first: NDArray[np.int32]
    n_live_of_place: NDArray[np.int32]
    group: NDArray[np.int8]
    start: NDArray[np.int64]
    n_live: NDArray[np.int32]


def places_of(h3_cells: NDArray[np.int64]) -> Places:
    """Return the places of ``h3_cells``, in their order.

    Raises
    ------
    ValueError
        If one is no H3 cell.
    """
    centres = np.array([cell_centre(cell) for cell in h3_cells.tolist()], np.float64).reshape(-1, 2)
    latitude, longitude = np.radians(centres[:, 0]), np.radians(centres[:, 1])
    return Places(
        h3_cells,
        latitude,
        longitude,
        np.cos(latitude) * np.cos(longitude),
        np.cos(latitude) * np.sin(longitude),
        np.sin(latitude),
    )


def take_places(places: Places, order: NDArray[np.integer[Any]]) -> Places:
    """Return ``places`` in another order."""
    taken: list[Any] = [array[order] for array in places]
    return Places(*taken)


def joined(places: Places, more: Places) -> Places:
    """Return ``places`` followed by ``more``."""
    both: list[Any] = [np.concatenate(pair) for pair in zip(places, more, strict=True)]
    return Places(*both)


def segments_of(cell: NDArray[np.int32], group: NDArray[np.int8], n_places: int) -> Segments:
    """Return the segments of donors who are all alive and sorted by (cell, group)."""
    key = cell.astype(np.int64) * 16 + group
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    places = cell[starts]
    return Segments(
        first=np.searchsorted(places, np.arange(n_places + 1)).astype(np.int32),
        n_live_of_place=np.bincount(cell, minlength=n_places).astype(np.int32),
        group=group[starts].copy(),
        start=np.append(starts, len(cell)).astype(np.int64),
        n_live=np.diff(np.append(starts, len(cell))).astype(np.int32),
    )


@kernel
def forget_one(segments: Segments, cell: int, group: int) -> None:
    """Count one donor less at a sorted place."""
    segments.n_live_of_place[cell] -= 1
    for segment in range(segments.first[cell], segments.first[cell + 1]):
        if segments.group[segment] == group:
            segments.n_live[segment] -= 1
