"""Which features the project computes for each model, in their order."""

from __future__ import annotations

from typing import NamedTuple

from features.vectors import MATCH_FEATURES


class Feature(NamedTuple):
    """A column of what a model sees: its name, its type, and its unit or range in words."""

    name: str
    type: str
    unit: str


_MATCH_UNITS = {
    "blood_group_compatibility": "3 identical, 2 compatible, 1 on a clinician's sign-off",
    "distance_km": "kilometres, great-circle",
    "donor_availability": "probability to answer, 0-1",
    "last_donation_days": "days; NaN where the donor never gave",
    "reliability_score": "probability to keep a promise, 0-1",
    "urgency_level": "1 low to 4 critical",
    "units_required": "units, 1-100",
}

BUILDERS: dict[str, tuple[Feature, ...]] = {
    "donor_seeker_match": tuple(Feature(name, "double", _MATCH_UNITS[name]) for name in MATCH_FEATURES),
}
"""Model → its features; a model that isn't named here can't be loaded, since nothing could feed it."""
