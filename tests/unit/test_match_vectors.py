from __future__ import annotations

import numpy as np
import pytest

from features.confidence import confidence_of
from features.reasons import reasons_for
from features.vectors import MATCH_FEATURES, NEVER_GAVE, match_rows

DAY_US = 86_400_000_000


def test_rows_have_the_contracts_features_in_its_order():
    assert MATCH_FEATURES == (
        "blood_group_compatibility",
        "distance_km",
        "donor_availability",
        "last_donation_days",
        "reliability_score",
        "urgency_level",
        "units_required",
    )
    rows = match_rows(
        [1, 3], [2.5, 7.0], [0.3, 0.4], [4 * DAY_US, 9 * DAY_US], [0.5, 0.6], at=10 * DAY_US, urgency=4, units=[2, 3]
    )
    assert rows.tolist() == [[3, 2.5, 0.3, 6.0, 0.5, 4, 2], [1, 7.0, 0.4, 1.0, 0.6, 4, 3]]


def test_days_since_a_donation_that_never_was_are_unknown_and_since_a_later_one_none():
    rows = match_rows([1, 1], [1, 1], [1, 1], [NEVER_GAVE, 3 * DAY_US], [1, 1], at=2 * DAY_US, urgency=1, units=1)
    assert np.isnan(rows[0, 3])
    assert rows[1, 3] == 0


def test_confidence_grows_with_what_was_seen_of_a_donor():
    score = np.full(4, 0.3)
    confidence = confidence_of(score, np.array([0, 5, 50, 5000], np.int32))
    assert (np.diff(confidence) > 0).all()
    assert confidence[0] >= 0
    assert confidence[3] == pytest.approx(1 - 2 * 1.2816 * (0.3 * 0.7 / 5000) ** 0.5, abs=1e-3)


def test_confidence_is_a_number_for_sure_scores_too():
    confidence = confidence_of(np.array([0.0, 1.0]), np.array([0, 3], np.int32))
    assert ((confidence >= 0) & (confidence <= 1)).all()


@pytest.mark.parametrize(
    ("facts", "reasons"),
    [
        ((1, 0, 0.04, None, 0, 0.7), ["same group", "0.0 km"]),
        ((2, 1, 12.35, None, 2, 0.7), ["compatible group", "gave once", "12.3 km"]),
        ((3, 2, 2.0, 0, 3, 0.7), None),
        ((1, 2, 2.0, None, 3, 12.5), ["same group", "gave 2 times", "2.0 km"]),
        ((1, 2, 2.0, None, 3, 11.5), ["same group", "gave 2 times", "2.0 km", "usually answers within 12 hours"]),
    ],
)
def test_reasons_are_said_only_where_they_hold(facts, reasons):
    if reasons is None:
        reasons = ["a clinician accepts the group", "gave 2 times", "2.0 km", "may give since 1 January 1970"]
        reasons.append("usually answers within an hour")
    assert reasons_for(*facts) == reasons
