"""Distances and cells."""

import numpy as np
import pytest
from h3.api import basic_int as h3
from hypothesis import given, settings
from hypothesis import strategies as st

from features.geo import cell_centre, distance_km, is_cell_of_resolution_8

latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180)


def test_a_known_distance():
    # Thiruvananthapuram to Kasaragod: by the spherical law of cosines, on the mean radius.
    assert distance_km(8.60846, 77.015, 12.46282, 75.15368) == pytest.approx(474.33, abs=0.5)
    assert distance_km(0, 0, 0, 180) == pytest.approx(np.pi * 6371.0088)


@settings(deadline=None)
@given(latitudes, longitudes, latitudes, longitudes)
def test_distances_agree_with_the_vectors_between(latitude, longitude, latitude_2, longitude_2):
    def vector(lat, lon):
        lat, lon = np.radians(lat), np.radians(lon)
        return np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])

    chord = np.linalg.norm(vector(latitude, longitude) - vector(latitude_2, longitude_2))
    expected = 2 * 6371.0088 * np.arcsin(min(chord / 2, 1.0))
    there = distance_km(latitude, longitude, np.array([latitude_2]), np.array([longitude_2]))
    assert there.shape == (1,)
    assert there[0] == pytest.approx(expected, abs=1e-3)


@settings(deadline=None)
@given(st.floats(8, 13), st.floats(74, 78), st.integers(0, 15))
def test_cells_of_resolution_8_alone_are_taken(latitude, longitude, resolution):
    cell = h3.latlng_to_cell(latitude, longitude, resolution)
    assert is_cell_of_resolution_8(cell) == (resolution == 8)
    assert cell_centre(cell) == h3.cell_to_latlng(cell)


@pytest.mark.parametrize("number", [0, 1, -1, -(2**63), 2**63 - 1, 2**64, 614178727537934335 + 1])
def test_other_numbers_are_no_cells(number):
    assert not is_cell_of_resolution_8(number)
    with pytest.raises((ValueError, OverflowError)):
        cell_centre(number)
