"""The fourteen districts of Kerala: how many people live there, and where.

References
----------
Population: Census of India 2011. Centroids and areas: worked out from district polygons (CC BY 2.5 IN), so that areas
differ a little from the official ones.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class District:
    """A district.

    Parameters
    ----------
    name : str
        As every event spells it.
    population : int
        People in 2011.
    latitude, longitude : float
        Degrees, of its centroid.
    area_km2 : float
        Square kilometres.
    """

    name: str
    population: int
    latitude: float
    longitude: float
    area_km2: float

    @property
    def density_per_km2(self) -> float:
        """People per square kilometre."""
        return self.population / self.area_km2


DISTRICTS = (
    District("Kasaragod", 1_307_375, 12.46282, 75.15368, 1963.3),
    District("Kannur", 2_523_003, 11.9999, 75.52628, 2954.5),
    District("Wayanad", 817_420, 11.71125, 76.09813, 2128.6),
    District("Kozhikode", 3_086_293, 11.4848, 75.83436, 2330.3),
    District("Malappuram", 4_112_920, 11.13207, 76.15578, 3562.9),
    District("Palakkad", 2_809_934, 10.79464, 76.55858, 4485.8),
    District("Thrissur", 3_121_200, 10.47118, 76.31615, 3025.3),
    District("Ernakulam", 3_282_388, 10.05766, 76.47268, 2409.7),
    District("Idukki", 1_108_974, 9.8822, 77.02746, 5005.2),
    District("Kottayam", 1_974_551, 9.63707, 76.65092, 2209.9),
    District("Alappuzha", 2_127_789, 9.42356, 76.44958, 1420.4),
    District("Pathanamthitta", 1_197_412, 9.28406, 76.92897, 2643.4),
    District("Kollam", 2_635_375, 8.96099, 76.87487, 2486.4),
    District("Thiruvananthapuram", 3_301_427, 8.60846, 77.015, 2178.7),
)
"""From north to south, as the census numbers them."""

DISTRICT_NAMES = frozenset(district.name for district in DISTRICTS)
POPULATION = sum(district.population for district in DISTRICTS)
"""Of Kerala, 2011."""
