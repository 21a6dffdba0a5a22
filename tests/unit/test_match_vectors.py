from __future__ import annotations

import numpy as np
import pytest

from features.behaviour import Behaviour
from features.confidence import confidence_of
from features.local_time import DAY_US, HOUR_US, IST_US
from features.reasons import reasons_for
from features.vectors import (
    AVAILABILITY_FEATURES,
    MATCH_FEATURES,
    RELIABILITY_FEATURES,
    RESPONSE_TIME_FEATURES,
    availability_rows,
    match_rows,
    reliability_rows,
    response_time_rows,
)


def test_rows_have_the_contracts_features_in_its_order():
    assert MATCH_FEATURES[7:] == ("alerts_seen",)
    assert MATCH_FEATURES[:7] == (
        "blood_group_compatibility",
        "distance_km",
        "donor_availability",
        "last_donation_days",
        "reliability_score",
        "urgency_level",
        "units_required",
    )
    rows = match_rows(DONORS, [1, 3], [2.5, 7.0], [0.3, 0.4], [0.5, 0.6], urgency=4, units=[2, 3])
    of = [(DONORS.since_donation_days[i], DONORS.alerts[i]) for i in range(2)]
    assert rows.tolist() == [[3, 2.5, 0.3, of[0][0], 0.5, 4, 2, of[0][1]], [1, 7.0, 0.4, of[1][0], 0.6, 4, 3, of[1][1]]]
    assert AVAILABILITY_FEATURES[:7] == (
        "time_since_last_donation",
        "total_donations",
        "response_rate",
        "day_of_week",
        "hour_of_day",
        "is_weekend",
        "is_business_hours",
    )
    assert RELIABILITY_FEATURES[:5] == (
        "total_donations",
        "completion_rate",
        "cancellation_rate",
        "average_response_time",
        "tenure_days",
    )
    assert RESPONSE_TIME_FEATURES[:6] == (
        "distance_km",
        "donor_age",
        "past_response_times",
        "urgency_level",
        "time_of_day",
        "is_weekend",
    )


DONORS = Behaviour(*(np.array([10.0 * place + 1, 10.0 * place + 2]) for place in range(len(Behaviour._fields))))
MONDAY = 20_724 * DAY_US - IST_US  # 2026-09-28, midnight in Kerala


@pytest.mark.parametrize(
    ("at", "calendar"),
    [
        (MONDAY, [0, 0, 0, 0]),
        (MONDAY + 9 * HOUR_US, [0, 9, 0, 1]),
        (MONDAY + 9 * HOUR_US - 1, [0, 8, 0, 0]),
        (MONDAY + 17 * HOUR_US - 1, [0, 16, 0, 1]),
        (MONDAY + 17 * HOUR_US, [0, 17, 0, 0]),
        (MONDAY + 4 * DAY_US + 23 * HOUR_US, [4, 23, 0, 0]),
        (MONDAY + 5 * DAY_US + 12 * HOUR_US, [5, 12, 1, 0]),
        (MONDAY + 6 * DAY_US + 12 * HOUR_US, [6, 12, 1, 0]),
    ],
)
def test_availability_sees_the_local_calendar_of_the_instant(at, calendar):
    rows = availability_rows(DONORS, np.array([at, at]))
    assert rows[:, 3:7].tolist() == [calendar, calendar]
    seen = ("since_donation_days", "total_donations", "response_rate", "unanswered", "alerts", "tenure_days")
    assert rows[:, [0, 1, 2, 7, 8, 9]].T.tolist() == [getattr(DONORS, name).tolist() for name in seen]


def test_reliability_and_response_time_see_what_they_are_named_for():
    names = ("total_donations", "completion_rate", "cancellation_rate", "answer_hours", "tenure_days")
    expected = [getattr(DONORS, name).tolist() for name in (*names, "kept_rate", "promises")]
    assert reliability_rows(DONORS).T.tolist() == expected
    at = np.array([MONDAY + 13 * HOUR_US, MONDAY + 5 * DAY_US])
    rows = response_time_rows(DONORS, [2.0, 3.0], at, urgency=[1, 4], stretches=[0.0, 45.0])
    of_donor = [getattr(DONORS, name).tolist() for name in ("age_years", "answer_hours")]
    seen = [[2.0, 3.0], *of_donor, [1, 4], [13, 0], [0, 1]]
    answers = [DONORS.response_rate.tolist(), DONORS.unanswered.tolist()]
    assert rows[::2].T.tolist() == [*seen, [0.0, 0.0], *answers]
    assert rows[1::2].T.tolist() == [*seen, [45.0, 45.0], *answers]


def test_confidence_grows_with_what_was_seen_of_a_donor():
    score = np.full(4, 0.3)
    confidence = confidence_of(score, np.array([0.0, 5, 50, 5000]))
    assert (np.diff(confidence) > 0).all()
    assert confidence[0] >= 0
    assert confidence[3] == pytest.approx(1 - 2 * 1.2816 * (0.3 * 0.7 / 5000) ** 0.5, abs=1e-3)


def test_confidence_is_a_number_for_sure_scores_too():
    confidence = confidence_of(np.array([0.0, 1.0]), np.array([0.0, 3]))
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
