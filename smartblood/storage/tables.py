"""The tables: those of the contract, which a web back end reads, and our own beside them.

Names and types of the contract's columns are fixed; columns below a comment ``own`` are the project's. No row depends
on a clock: instants are those of events. Deferral items, being health data, are in no table.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    },
)

INSTANT = DateTime(timezone=True)
EVENT_ID = Uuid(as_uuid=False)

# The contract's.

BLOOD_REQUESTS = Table(
    "blood_requests",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("hospital_id", BigInteger, nullable=False),
    Column("blood_group", Text, nullable=False),
    Column("units_required", Integer, nullable=False),
    Column("urgency", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="open"),
    Column("required_by", INSTANT, nullable=False),
    Column("created_at", INSTANT, nullable=False),
    Column("updated_at", INSTANT, nullable=False),
    # own: the latest statement, whole, and what the closing that counts says
    Column("requested_at", INSTANT, nullable=False),
    Column("request_event_id", EVENT_ID, nullable=False),
    Column("component", Text, nullable=False),
    Column("request_type", Text, nullable=False),
    Column("district", Text, nullable=False),
    Column("latitude", Double, nullable=False),
    Column("longitude", Double, nullable=False),
    Column("patient_sex", Text, nullable=False),
    Column("patient_age", Integer),
    Column("patient_anti_d", Boolean, nullable=False),
    Column("clinician_sign_off", Boolean, nullable=False),
    Column("top_k", Integer),
    Column("units_fulfilled", BigInteger),
    Index(None, "created_at"),
)

MATCH_PREDICTIONS = Table(
    "match_predictions",
    METADATA,
    Column("id", BigInteger, primary_key=True),
    Column("request_id", BigInteger, nullable=False),
    Column("donor_id", BigInteger, nullable=False),
    Column("match_score", Double, nullable=False),
    Column("availability_score", Double, nullable=False),
    Column("response_time_hours", Double, nullable=False),
    Column("reliability_score", Double, nullable=False),
    Column("model_version", Text),
    Column("feature_vector", JSON, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("notified", Boolean, nullable=False, server_default=text("false")),
    Column("actual_response_time", Double),
    Column("created_at", INSTANT, nullable=False),
    Column("updated_at", INSTANT, nullable=False),
    # own
    Column("wave", BigInteger, nullable=False),
    Column("request_event_id", EVENT_ID, nullable=False),
    Column("confidence", Double, nullable=False),
    Column("distance_km", Double),
    Column("blood_group", Text),
    Column("compatibility_tier", Integer),
    Column("explored", Boolean),
    Column("propensity", Double),
    Column("notified_at", INSTANT),
    Column("answered_at", INSTANT),
    Column("answers_within", JSON(none_as_null=True)),
    Column("behaviour", LargeBinary),  # floats, little-endian: see features/behaved.py
    Column("shadow_scores", JSON(none_as_null=True)),
    UniqueConstraint("request_event_id", "rank"),
    Index(None, "request_id", "wave", "donor_id"),
    Index(None, "donor_id"),
)

DEMAND_FORECASTS = Table(
    "demand_forecasts",
    METADATA,
    Column("id", BigInteger, primary_key=True),
    Column("district", Text, nullable=False),
    Column("blood_group", Text, nullable=False),
    Column("forecast_date", Date, nullable=False),
    Column("predicted_demand", Double, nullable=False),
    Column("confidence_lower", Double, nullable=False),
    Column("confidence_upper", Double, nullable=False),
    Column("model_version", Text),
    Column("actual_demand", Double),
    Column("created_at", INSTANT, nullable=False),
    # own: the row of a date is that of the latest instant as of which it was forecast
    Column("as_of", INSTANT, nullable=False),
    Column("event_id", EVENT_ID, nullable=False),
    Column("quantiles", JSON(none_as_null=True)),  # [level, units], by level
    UniqueConstraint("district", "blood_group", "forecast_date"),
    Index(None, "forecast_date"),
)

MODEL_ARTIFACTS = Table(
    "model_artifacts",
    METADATA,
    Column("id", BigInteger, primary_key=True),
    Column("model_name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("artifact_path", Text, nullable=False),
    Column("metadata_json", JSON, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("deployed_at", INSTANT),
    Column("created_at", INSTANT, nullable=False),
    Column("updated_at", INSTANT, nullable=False),
    UniqueConstraint("model_name"),
)

MODEL_PREDICTION_LOGS = Table(
    "model_prediction_logs",
    METADATA,
    Column("id", BigInteger, primary_key=True),
    Column("model_name", Text, nullable=False),
    Column("model_version", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("input_data", JSON(none_as_null=True)),
    Column("prediction_output", JSON(none_as_null=True)),
    Column("inference_time_ms", Double, nullable=False),
    Column("success", Boolean, nullable=False),
    Column("error_message", Text),
    Column("created_at", INSTANT, nullable=False),
    # own
    Column("event_id", EVENT_ID, nullable=False),
    Column("n_rows", BigInteger, nullable=False),
    UniqueConstraint("event_id"),
    Index(None, "created_at"),
)

# Our own that others may read.

DONORS = Table(
    "donors",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("blood_group", Text, nullable=False),
    Column("district", Text, nullable=False),
    Column("joined_at", INSTANT, nullable=False),
    Column("contactable", Boolean, nullable=False),
    Column("apheresis_willing", Boolean, nullable=False),
    Column("total_donations", BigInteger, nullable=False),
    Column("last_donation_at", INSTANT),
    Column("n_alerts", BigInteger, nullable=False),
    Column("n_answers", BigInteger, nullable=False),
    Column("n_promises", BigInteger, nullable=False),
    Column("n_kept", BigInteger, nullable=False),
    Column("availability_score", Double, nullable=False),
    Column("reliability_score", Double, nullable=False),
    Column("reliability_sd", Double, nullable=False),
    Column("response_time_hours", Double, nullable=False),
    Column("next_whole_blood_at", INSTANT),
    Column("whole_blood_until", INSTANT),
    Column("next_apheresis_at", INSTANT),
    Column("apheresis_until", INSTANT),
    Column("rule_set_version", Text, nullable=False),
    Column("updated_at", INSTANT, nullable=False),
    # what is left of promises and of those kept, as of ``updated_at``; as of when the reliability is that is shown
    Column("promises_left", Double),
    Column("kept_left", Double),
    Column("reliability_at", INSTANT),
)

MATCH_WAVES = Table(
    "match_waves",
    METADATA,
    Column("request_event_id", EVENT_ID, primary_key=True),
    Column("event_id", EVENT_ID, nullable=False),
    Column("request_id", BigInteger, nullable=False),
    Column("wave", BigInteger, nullable=False),
    Column("reach_km", Double, nullable=False),
    Column("n_considered", BigInteger, nullable=False),
    Column("n_compatible", BigInteger, nullable=False),
    Column("n_eligible", BigInteger, nullable=False),
    Column("n_askable", BigInteger, nullable=False),
    Column("n_offered", Integer, nullable=False),
    Column("empty_because", Text),
    Column("rule_set_version", Text, nullable=False),
    Column("model_version", Text),
    Column("donor_state_offsets", JSON, nullable=False),
    Column("created_at", INSTANT, nullable=False),
    Column("required_by", INSTANT),
    Column("models", JSON(none_as_null=True)),
    Index(None, "request_id", "wave"),
    Index(None, "created_at"),
)

DEMAND_DAYS = Table(
    "demand_days",
    METADATA,
    Column("district", Text, primary_key=True),
    Column("blood_group", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("units_requested", BigInteger, nullable=False),  # what was counted, and what was imported
    Column("units_fulfilled", BigInteger, nullable=False),
    Column("n_requests", BigInteger, nullable=False, server_default=text("0")),  # of those that recording counted
    Column("imported_requested", BigInteger),  # of the units above, those of a file; null where no file has the day
    Column("imported_fulfilled", BigInteger),
)

MODEL_RELEASES = Table(
    "model_releases",
    METADATA,
    Column("event_id", EVENT_ID, primary_key=True),
    Column("release_offset", BigInteger, nullable=False),
    Column("model_name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("share", Double, nullable=False),
    Column("released_at", INSTANT, nullable=False),
    Index(None, "model_name", "release_offset"),
)

MODEL_PERFORMANCE = Table(
    "model_performance",  # a day's last judgement of each version in each role, on each outcome
    METADATA,
    Column("day", Date, primary_key=True),
    Column("model_name", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("outcome", Text, primary_key=True),
    Column("as_of", INSTANT, nullable=False),
    Column("window_days", Integer, nullable=False),
    Column("n_requests", BigInteger, nullable=False),
    Column("n_alerts", BigInteger, nullable=False),
    Column("n_yes", BigInteger, nullable=False),
    Column("n_unsettled", BigInteger, nullable=False),
    Column("expected", Double),
    Column("observed", Double),
    Column("observed_to_expected", Double),
    Column("observed_to_expected_lower", Double),
    Column("observed_to_expected_upper", Double),
    Column("ece", Double),
    Column("ece_by_chance", Double),
    Column("log_loss", Double),
    Column("brier", Double),
    Column("auc", Double),
    Column("log_loss_saved", Double),
    Column("log_loss_saved_lower", Double),
    Column("log_loss_saved_upper", Double),
    Column("bins", JSON, nullable=False),
    Column("alarm", Text),
)

MODEL_DRIFT = Table(
    "model_drift",  # likewise, of each feature
    METADATA,
    Column("day", Date, primary_key=True),
    Column("model_name", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("feature", Text, primary_key=True),
    Column("as_of", INSTANT, nullable=False),
    Column("window_days", Integer, nullable=False),
    Column("n_requests", BigInteger, nullable=False),
    Column("n_alerts", BigInteger, nullable=False),
    Column("stability_index", Double, nullable=False),
    Column("alarm", Text),
)

REFUSED_RECORDS = Table(
    "refused_records",
    METADATA,
    Column("id", BigInteger, primary_key=True),
    Column("source_topic", Text, nullable=False),
    Column("source_partition", Integer, nullable=False),
    Column("source_offset", BigInteger, nullable=False),
    Column("source_timestamp_ms", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    UniqueConstraint("source_topic", "source_partition", "source_offset"),
)

# Our own that the recorder alone needs.

CONSUMER_OFFSETS = Table(
    "consumer_offsets",
    METADATA,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("topic_id", Text),
)

REQUEST_CLOSINGS = Table(
    "request_closings",
    METADATA,
    Column("request_id", BigInteger, primary_key=True, autoincrement=False),
    Column("closed_at", INSTANT, nullable=False),
    Column("event_id", EVENT_ID, nullable=False),
    Column("status", Text, nullable=False),
    Column("units_fulfilled", BigInteger, nullable=False),
)

REQUEST_EVENTS = Table(
    "request_events",  # those that were taken in, by which a repeat is known; timestamps are Kafka's
    METADATA,
    Column("request_id", BigInteger, primary_key=True, autoincrement=False),
    Column("topic", Text, primary_key=True),
    Column("event_id", EVENT_ID, primary_key=True),
    Column("timestamp_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("partition", Integer),  # null for what was recorded before this table
)

DONOR_RESPONSES = Table(
    "donor_responses",  # only those whose match hasn't come yet; once it has, they are in its row
    METADATA,
    Column("donor_id", BigInteger, primary_key=True, autoincrement=False),
    Column("request_id", BigInteger, primary_key=True, autoincrement=False),
    Column("wave", BigInteger, primary_key=True, autoincrement=False),
    Column("notified_at", INSTANT),
    Column("answered_at", INSTANT),
)

DONOR_OUTCOMES = Table(
    "donor_outcomes",  # since when each fact of features/outcomes.py holds
    METADATA,
    Column("donor_id", BigInteger, primary_key=True, autoincrement=False),
    Column("request_id", BigInteger, primary_key=True, autoincrement=False),
    Column("answered_at", INSTANT),
    Column("said_yes_at", INSTANT),
    Column("expired_at", INSTANT),
    Column("came_at", INSTANT),
    Column("failed_at", INSTANT),
    Column("gave_at", INSTANT),
)

STREAM_TIMES = Table(
    "stream_times",
    METADATA,
    Column("topic", Text, primary_key=True),
    Column("latest_at", INSTANT, nullable=False),
)

MAINTENANCE = Table(
    "maintenance",  # of each schedule the latest slot that was triggered, and the latest that was done
    METADATA,
    Column("schedule", Text, primary_key=True),
    Column("due_at", INSTANT, nullable=False),
    Column("done_at", INSTANT),
)

ERASED_DONORS = Table(
    "erased_donors",
    METADATA,
    Column("donor_id", BigInteger, primary_key=True, autoincrement=False),
    Column("erased_at", INSTANT, nullable=False),
    Column("state_partition", Integer, nullable=False),
    Column("state_offset", BigInteger, nullable=False),
)
