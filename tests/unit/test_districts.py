"""The districts, against the domain's table."""

import csv
from pathlib import Path

import pytest

from features.districts import DISTRICT_NAMES, DISTRICTS, POPULATION

TABLE = Path(__file__).parents[3] / "shared/data/kerala/kerala_districts.csv"


@pytest.mark.skipif(not TABLE.exists(), reason="the domain's table is not on this machine")
def test_districts_are_those_of_the_domain_table():
    rows = list(csv.DictReader(TABLE.open(encoding="utf-8")))
    assert [(d.name, d.population, d.latitude, d.longitude, d.area_km2) for d in DISTRICTS] == [
        (
            row["district"],
            int(row["population_2011"]),
            float(row["centroid_lat"]),
            float(row["centroid_lon"]),
            float(row["area_km2_from_polygon"]),
        )
        for row in rows
    ]
    assert [round(d.density_per_km2, 1) for d in DISTRICTS] == [float(row["density_per_km2"]) for row in rows]


def test_there_are_fourteen_of_33_4_million_people():
    assert len(DISTRICT_NAMES) == 14
    assert round(POPULATION / 1e6, 1) == 33.4
