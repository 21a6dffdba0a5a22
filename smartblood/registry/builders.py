"""Which features the project computes for each model, in their order."""

from __future__ import annotations

from typing import NamedTuple

from features.forecasting.rows import FEATURES as FORECAST_FEATURES
from features.vectors import AVAILABILITY, FEATURES, MATCH, RELIABILITY, RESPONSE_TIME

DEMAND_FORECAST = "demand_forecast"
"""The model of demand; all others are of donors."""


class Feature(NamedTuple):
    """A column of what a model sees: its name, its type, and its unit or range in words."""

    name: str
    type: str
    unit: str


_UNITS = {
    MATCH: {
        "blood_group_compatibility": "3 identical, 2 compatible, 1 on a clinician's sign-off",
        "distance_km": "kilometres, great-circle",
        "donor_availability": "probability to say yes if asked, 0-1, as donor_availability has it",
        "last_donation_days": "days; NaN where the donor never gave",
        "reliability_score": "probability to keep a promise, 0-1, as donor_reliability has it",
        "urgency_level": "1 low to 4 critical",
        "units_required": "units, 1-100",
        "alerts_seen": "alerts, each by what is left of it",
    },
    AVAILABILITY: {
        "time_since_last_donation": "days; NaN where the donor never gave",
        "total_donations": "donations",
        "response_rate": "probability to say yes if asked by the donor's own record, 0-1; fades",
        "day_of_week": "local, 0 Monday to 6 Sunday",
        "hour_of_day": "local, 0-23",
        "is_weekend": "0 or 1, local",
        "is_business_hours": "0 or 1: local Monday to Friday, 9 to 17 o'clock",
        "unanswered_alerts": "alerts, each by what is left of the fatigue from it",
        "alerts_seen": "alerts, each by what is left of it",
        "tenure_days": "days since joining",
    },
    RELIABILITY: {
        "total_donations": "donations",
        "completion_rate": "probability that an appointment ends with a donation, 0-1; fades",
        "cancellation_rate": "probability that an appointment is cancelled, 0-1; fades",
        "average_response_time": "median hours to answer; fades",
        "tenure_days": "days since joining",
        "kept_rate": "probability to keep a promise by the donor's own record, 0-1; fades",
        "promises_seen": "promises, each by what is left of it",
    },
    RESPONSE_TIME: {
        "distance_km": "kilometres, great-circle",
        "donor_age": "years",
        "past_response_times": "median hours to answer; fades",
        "urgency_level": "1 low to 4 critical",
        "time_of_day": "local hour of asking, 0-23",
        "is_weekend": "0 or 1, local",
        "waited_minutes": "minutes since asking at which the stretch of time begins that is asked about",
        "response_rate": "probability to say yes if asked by the donor's own record, 0-1; fades",
        "unanswered_alerts": "alerts, each by what is left of the fatigue from it",
    },
}

BUILDERS: dict[str, tuple[Feature, ...]] = {
    **{
        model: tuple(Feature(name, "double", _UNITS[model][name]) for name in names)
        for model, names in FEATURES.items()
    },
    DEMAND_FORECAST: tuple(Feature(name, "double", unit) for name, unit in FORECAST_FEATURES),
}
