"""The rows that projections make, as tuples: one kind for each table or step of writing.

Instants are int microseconds since 1970 UTC, as events have them; what is JSON is text already.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple


class RequestRow(NamedTuple):
    """What one ``blood-request-created`` says, for ``blood_requests``."""

    id: int
    hospital_id: int
    blood_group: str
    units_required: int
    urgency: str
    required_by: int
    created_at: int
    requested_at: int
    request_event_id: str
    component: str
    request_type: str
    district: str
    latitude: float
    longitude: float
    patient_sex: str
    patient_age: int | None
    patient_anti_d: bool
    clinician_sign_off: bool
    top_k: int | None


class ClosingRow(NamedTuple):
    """What one ``blood-request-closed`` says, for ``request_closings``."""

    request_id: int
    closed_at: int
    event_id: str
    status: str
    units_fulfilled: int


class RequestEventRow(NamedTuple):
    """That an event of a request was taken in, for ``request_events``; ``topic`` is the contract's name."""

    request_id: int
    topic: str
    event_id: str
    timestamp_ms: int
    partition: int | None


class RequestEvent(NamedTuple):
    """What an event of a request says, and by what it is known when it comes again."""

    row: RequestEventRow
    says: RequestRow | ClosingRow


class OfferRow(NamedTuple):
    """One donor of one wave, for ``match_predictions``; what is the same for all of the wave is in its own row."""

    request_event_id: str
    rank: int
    donor_id: int
    match_score: float
    confidence: float
    availability_score: float
    response_time_hours: float
    reliability_score: float
    distance_km: float
    blood_group: str
    compatibility_tier: int
    explored: bool | None
    propensity: float | None
    feature_vector: str
    answers_within: str | None
    behaviour: bytes | None
    shadow_scores: str | None


class WaveRow(NamedTuple):
    """One answer on ``matches``, for ``match_waves``; without a donor too, since that is an answer."""

    request_event_id: str
    event_id: str
    request_id: int
    wave: int
    reach_km: float
    n_considered: int
    n_compatible: int
    n_eligible: int
    n_askable: int
    n_offered: int
    empty_because: str | None
    rule_set_version: str
    model_version: str | None
    donor_state_offsets: str
    created_at: int
    required_by: int
    models: str


class Wave(NamedTuple):
    """A wave and its offers, which are written together or not at all."""

    row: WaveRow
    offers: tuple[OfferRow, ...]


class ResponseRow(NamedTuple):
    """When a donor was notified of a wave, and when they accepted or declined; the earliest of each."""

    donor_id: int
    request_id: int
    wave: int
    notified_at: int | None
    answered_at: int | None


class OutcomeRow(NamedTuple):
    """What came of asking a donor for a request, for ``donor_outcomes``: since when each fact holds, None where not.

    The facts are those of ``features.outcomes``, in its order.
    """

    donor_id: int
    request_id: int
    answered_at: int | None
    said_yes_at: int | None
    expired_at: int | None
    came_at: int | None
    failed_at: int | None
    gave_at: int | None


class StreamTimeRow(NamedTuple):
    """How far a topic is recorded in stream time, for ``stream_times``."""

    topic: str
    latest_at: int


class DonorRow(NamedTuple):
    """A registered donor as of one ``donor-states``, for ``donors``; no deferral items.

    A span's ``_from`` and ``_until`` are null where there is no such instant. ``promises_left`` and ``kept_left`` are
    what is left, as of the event, of promises and of those that were kept: reliability is worked out from them later.
    """

    id: int
    blood_group: str
    district: str
    joined_at: int
    contactable: bool
    apheresis_willing: bool
    total_donations: int
    last_donation_at: int | None
    n_alerts: int
    n_answers: int
    n_promises: int
    n_kept: int
    availability_score: float
    reliability_score: float
    reliability_sd: float
    response_time_hours: float
    next_whole_blood_at: int | None
    whole_blood_until: int | None
    next_apheresis_at: int | None
    apheresis_until: int | None
    rule_set_version: str
    updated_at: int
    promises_left: float
    kept_left: float
    reliability_at: int


class DepartureRow(NamedTuple):
    """A donor of whom nothing is to be shown: erased, or not registered."""

    id: int


class ErasureRow(NamedTuple):
    """A donor was erased; where ``donor-states`` says so, so that answers made before it can be told apart."""

    donor_id: int
    erased_at: int
    state_partition: int
    state_offset: int


class PredictionRow(NamedTuple):
    """One scoring run, for ``model_prediction_logs``."""

    event_id: str
    model_name: str
    model_version: str
    endpoint: str
    n_rows: int
    input_data: str | None
    prediction_output: str | None
    inference_time_ms: float
    success: bool
    error_message: str | None
    created_at: int


class ForecastRow(NamedTuple):
    """What is forecast of a district, group and local day, for ``demand_forecasts``; ``quantiles`` is JSON."""

    district: str
    blood_group: str
    forecast_date: dt.date
    predicted_demand: float
    confidence_lower: float
    confidence_upper: float
    model_version: str | None
    created_at: int
    as_of: int
    event_id: str
    quantiles: str


class MaintenanceRow(NamedTuple):
    """A maintenance slot is due, for ``maintenance``."""

    schedule: str
    due_at: int


class ReleaseRow(NamedTuple):
    """What one ``model-released`` says, for ``model_releases``; roles are lower-case."""

    event_id: str
    release_offset: int
    model_name: str
    version: str
    sha256: str
    role: str
    share: float
    released_at: int


class RefusedRow(NamedTuple):
    """A record that was refused, for ``refused_records``; of ``donor-states`` no key and no value: health data."""

    source_topic: str
    source_partition: int
    source_offset: int
    source_timestamp_ms: int
    kind: str
    error: str
    key: bytes | None
    value: bytes | None


Row = (
    RequestEvent
    | Wave
    | ResponseRow
    | OutcomeRow
    | StreamTimeRow
    | DonorRow
    | DepartureRow
    | ErasureRow
    | PredictionRow
    | ForecastRow
    | MaintenanceRow
    | ReleaseRow
    | RefusedRow
)
