"""Where Kerala's people and hospitals are: its larger towns, and the line of its coast.

Places are rounded to a few hundred metres; weights are rough shares of a district's town people (an assumption, from
the census's ranking of towns). Each town has a hospital that asks for blood.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Town(NamedTuple):
    """A town: degrees of latitude and longitude, and its weight within its district."""

    name: str
    district: str
    latitude: float
    longitude: float
    weight: float


TOWNS: tuple[Town, ...] = (
    Town("Kasaragod", "Kasaragod", 12.510, 74.990, 5),
    Town("Kanhangad", "Kasaragod", 12.310, 75.107, 4),
    Town("Nileshwaram", "Kasaragod", 12.256, 75.134, 2),
    Town("Kannur", "Kannur", 11.875, 75.375, 7),
    Town("Thalassery", "Kannur", 11.752, 75.496, 4),
    Town("Payyanur", "Kannur", 12.098, 75.202, 3),
    Town("Taliparamba", "Kannur", 12.037, 75.360, 3),
    Town("Mattannur", "Kannur", 11.928, 75.573, 2),
    Town("Iritty", "Kannur", 11.983, 75.667, 1),
    Town("Kalpetta", "Wayanad", 11.609, 76.084, 3),
    Town("Sulthan Bathery", "Wayanad", 11.666, 76.263, 3),
    Town("Mananthavady", "Wayanad", 11.801, 76.004, 3),
    Town("Kozhikode", "Kozhikode", 11.259, 75.785, 12),
    Town("Vadakara", "Kozhikode", 11.609, 75.596, 3),
    Town("Koyilandy", "Kozhikode", 11.443, 75.700, 3),
    Town("Mukkam", "Kozhikode", 11.321, 75.996, 2),
    Town("Malappuram", "Malappuram", 11.051, 76.071, 5),
    Town("Manjeri", "Malappuram", 11.120, 76.120, 4),
    Town("Tirur", "Malappuram", 10.914, 75.925, 4),
    Town("Kottakkal", "Malappuram", 10.998, 76.006, 4),
    Town("Perinthalmanna", "Malappuram", 10.976, 76.225, 3),
    Town("Ponnani", "Malappuram", 10.768, 75.930, 3),
    Town("Nilambur", "Malappuram", 11.279, 76.240, 2),
    Town("Palakkad", "Palakkad", 10.787, 76.655, 6),
    Town("Ottapalam", "Palakkad", 10.774, 76.378, 3),
    Town("Mannarkkad", "Palakkad", 10.994, 76.461, 2),
    Town("Alathur", "Palakkad", 10.648, 76.539, 2),
    Town("Chittur", "Palakkad", 10.699, 76.747, 2),
    Town("Thrissur", "Thrissur", 10.528, 76.214, 8),
    Town("Guruvayur", "Thrissur", 10.594, 76.041, 3),
    Town("Kunnamkulam", "Thrissur", 10.649, 76.071, 3),
    Town("Chalakudy", "Thrissur", 10.307, 76.334, 3),
    Town("Irinjalakuda", "Thrissur", 10.347, 76.211, 3),
    Town("Kodungallur", "Thrissur", 10.227, 76.198, 3),
    Town("Kochi", "Ernakulam", 9.980, 76.290, 14),
    Town("Aluva", "Ernakulam", 10.108, 76.352, 4),
    Town("Perumbavoor", "Ernakulam", 10.107, 76.478, 3),
    Town("North Paravur", "Ernakulam", 10.146, 76.230, 2),
    Town("Angamaly", "Ernakulam", 10.196, 76.386, 2),
    Town("Muvattupuzha", "Ernakulam", 9.989, 76.579, 2),
    Town("Kothamangalam", "Ernakulam", 10.060, 76.635, 2),
    Town("Thodupuzha", "Idukki", 9.893, 76.717, 4),
    Town("Kattappana", "Idukki", 9.757, 77.116, 3),
    Town("Nedumkandam", "Idukki", 9.838, 77.158, 2),
    Town("Adimali", "Idukki", 10.014, 76.957, 2),
    Town("Munnar", "Idukki", 10.089, 77.060, 1),
    Town("Kottayam", "Kottayam", 9.592, 76.522, 6),
    Town("Changanassery", "Kottayam", 9.446, 76.541, 4),
    Town("Pala", "Kottayam", 9.713, 76.683, 3),
    Town("Kanjirappally", "Kottayam", 9.559, 76.787, 2),
    Town("Vaikom", "Kottayam", 9.749, 76.398, 2),
    Town("Alappuzha", "Alappuzha", 9.498, 76.342, 6),
    Town("Cherthala", "Alappuzha", 9.684, 76.338, 4),
    Town("Kayamkulam", "Alappuzha", 9.174, 76.503, 3),
    Town("Mavelikkara", "Alappuzha", 9.250, 76.540, 2),
    Town("Chengannur", "Alappuzha", 9.318, 76.611, 2),
    Town("Haripad", "Alappuzha", 9.285, 76.455, 2),
    Town("Pathanamthitta", "Pathanamthitta", 9.265, 76.787, 3),
    Town("Thiruvalla", "Pathanamthitta", 9.384, 76.577, 4),
    Town("Adoor", "Pathanamthitta", 9.156, 76.731, 3),
    Town("Ranni", "Pathanamthitta", 9.380, 76.786, 2),
    Town("Pandalam", "Pathanamthitta", 9.225, 76.678, 2),
    Town("Kollam", "Kollam", 8.893, 76.614, 9),
    Town("Karunagappally", "Kollam", 9.054, 76.538, 3),
    Town("Kottarakkara", "Kollam", 8.998, 76.773, 3),
    Town("Punalur", "Kollam", 9.017, 76.926, 3),
    Town("Paravur", "Kollam", 8.817, 76.672, 2),
    Town("Thiruvananthapuram", "Thiruvananthapuram", 8.515, 76.945, 14),
    Town("Neyyattinkara", "Thiruvananthapuram", 8.401, 77.087, 4),
    Town("Attingal", "Thiruvananthapuram", 8.696, 76.815, 3),
    Town("Nedumangad", "Thiruvananthapuram", 8.603, 77.003, 3),
    Town("Varkala", "Thiruvananthapuram", 8.738, 76.720, 2),
    Town("Kattakada", "Thiruvananthapuram", 8.506, 77.082, 2),
)

# The coast from south to north: degrees of latitude, and the longitude west of which there is only sea.
_COAST_LATITUDE = (
    8.28,
    8.5,
    8.75,
    9.0,
    9.25,
    9.5,
    9.75,
    10.0,
    10.25,
    10.5,
    10.75,
    11.0,
    11.25,
    11.5,
    11.75,
    12.0,
    12.8,
)
_COAST_LONGITUDE = (
    *(77.10, 76.89, 76.69, 76.52, 76.41, 76.33, 76.29, 76.24, 76.15),
    *(76.05, 75.92, 75.86, 75.77, 75.63, 75.47, 75.27, 74.87),
)


def ashore(latitudes: NDArray[np.float64], longitudes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``longitudes`` with what lies in the sea mirrored at the coast's line, degrees, any shape."""
    coast = np.interp(latitudes, _COAST_LATITUDE, _COAST_LONGITUDE)
    return np.where(longitudes < coast, 2 * coast - longitudes, longitudes)
