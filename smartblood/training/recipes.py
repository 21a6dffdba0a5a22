"""How each model of donors is fitted: small trees, and what may only go up or down.

Nothing here was searched for: the trees are few and flat enough that all models together score a thousand donors in a
millisecond, with leaves large enough for a few per cent of givers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from features.vectors import AVAILABILITY, FEATURES, MATCH, RELIABILITY, RESPONSE_TIME

MORE_IS_MORE: Mapping[str, Mapping[str, int]] = {
    MATCH: {
        "blood_group_compatibility": 1,
        "distance_km": -1,
        "donor_availability": 1,
        "reliability_score": 1,
    },
    AVAILABILITY: {"total_donations": 1, "response_rate": 1, "unanswered_alerts": -1},
    RELIABILITY: {"completion_rate": 1, "cancellation_rate": -1, "kept_rate": 1},
    RESPONSE_TIME: {},
}
"""Of each model, columns of which more speaks for the event (1) or against it (-1); others are free."""

START: Mapping[str, str] = {
    AVAILABILITY: "response_rate",
    RELIABILITY: "kept_rate",
    MATCH: "donor_availability",
}
"""Of models that refine what is known of the donor already: the feature that their trees add to.

Who hardly ever says yes is so told apart from who never does: trees alone are level where alerts are few.
"""

_COMMON: dict[str, Any] = {
    "num_leaves": 8,
    "learning_rate": 0.08,
    "min_data_in_leaf": 300,
    "max_bin": 63,
    "lambda_l2": 5.0,
}
_SIZES: dict[str, dict[str, Any]] = {
    MATCH: {"n_trees": 80, "num_leaves": 12},
    AVAILABILITY: {"n_trees": 60},
    RELIABILITY: {"n_trees": 30, "num_leaves": 4, "learning_rate": 0.05},
    RESPONSE_TIME: {"n_trees": 60, "min_data_in_leaf": 500},
}


def _parameters(name: str) -> dict[str, Any]:
    found = {**_COMMON, **_SIZES[name]}
    directions = [MORE_IS_MORE[name].get(feature, 0) for feature in FEATURES[name]]
    if any(directions):
        found |= {"monotone_constraints": directions, "monotone_constraints_method": "intermediate"}
    return found


PARAMETERS: Mapping[str, dict[str, Any]] = {name: _parameters(name) for name in FEATURES}
"""LightGBM's, for each model."""
