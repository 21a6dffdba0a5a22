"""Places: great-circle distances, and the H3 cells that stand for donors' homes."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from h3.api import basic_int as h3
from numpy.typing import NDArray

EARTH_RADIUS_KM = 6371.0088
"""Mean radius of the Earth, kilometres (IUGG)."""

RESOLUTION: Final = 8
"""Of donors' cells: hexagons about a kilometre across."""

N_CELLS_CACHED = 1 << 16
"""Kerala has about 50,000 cells of resolution 8."""

FloatArray = NDArray[np.float64]


def distance_km(
    latitude: FloatArray | float,
    longitude: FloatArray | float,
    latitudes: FloatArray | float,
    longitudes: FloatArray | float,
) -> FloatArray:
    """Return great-circle distances from one place to many, or from each of many to another.

    Parameters
    ----------
    latitude, longitude : float or ndarray of float64, shape (n,)
        Degrees, of the one place, or of one for each.
    latitudes, longitudes : ndarray of float64, shape (n,), or float
        Degrees, of the others.

    Returns
    -------
    ndarray of float64, shape (n,)
        Kilometres, on a sphere of the mean radius; not rounded.

    References
    ----------
    R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68 (2), 1984.
    """
    phi, phis = np.radians(latitude), np.radians(latitudes)
    d_lambda = np.radians(np.asarray(longitudes) - longitude)
    half_chord_squared = np.sin((phis - phi) / 2) ** 2 + np.cos(phi) * np.cos(phis) * np.sin(d_lambda / 2) ** 2
    # Rounding can bring antipodes a hair above 1.
    distances: FloatArray = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(half_chord_squared, 1.0)))
    return distances


@lru_cache(maxsize=N_CELLS_CACHED)
def cell_centre(h3_cell: int) -> tuple[float, float]:
    """Return the latitude and longitude, in degrees, of the centre of an H3 cell.

    Raises
    ------
    ValueError
        If it is no cell.
    """
    if not h3.is_valid_cell(h3_cell):
        message = f"{h3_cell} is no H3 cell"
        raise ValueError(message)
    latitude, longitude = h3.cell_to_latlng(h3_cell)
    return latitude, longitude


@lru_cache(maxsize=N_CELLS_CACHED)
def is_cell_of_resolution_8(h3_cell: int) -> bool:
    """Return whether the number is an H3 cell of resolution 8."""
    if not 0 < h3_cell < 1 << 63:  # as an Avro long it is signed; H3 leaves the top bit 0
        return False
    return bool(h3.is_valid_cell(h3_cell)) and h3.get_resolution(h3_cell) == RESOLUTION
