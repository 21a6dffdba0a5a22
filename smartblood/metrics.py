"""All metrics, one closed list: what Prometheus sees of every process.

Prefix ``smartblood_``, units last. Gauges name how they are merged where several processes write one set of files
(prometheus-client's multiprocess mode). No label ever carries a donor, a request or health data.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

LATENCY_BUCKETS_S = (
    *(0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.010, 0.012, 0.015, 0.020, 0.025, 0.030, 0.040),
    *(0.050, 0.075, 0.100, 0.150, 0.200, 0.300, 0.500, 0.750, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0),
)
STAGE_BUCKETS_S = (0.0005, 0.001, 0.002, 0.005, 0.010, 0.020, 0.050, 0.100, 0.200, 0.500, 1.0, 2.0, 5.0, 10.0, 30.0)
BATCH_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)

# The loop: records and transactions.

RECORDS = Counter("smartblood_records_processed", "Records of sources answered and committed.", ["processor", "topic"])
OUTPUTS = Counter("smartblood_records_written", "Records written in committed transactions.", ["processor", "topic"])
BATCHES = Counter("smartblood_batches", "Batches begun.", ["processor"])
BATCH_RECORDS = Histogram("smartblood_batch_records", "Records in a batch.", ["processor"], buckets=BATCH_BUCKETS)
BATCH_SECONDS = Histogram(
    "smartblood_batch_seconds",
    "From a batch's first step to its commit.",
    ["processor"],
    buckets=STAGE_BUCKETS_S,
)
STAGE_SECONDS = Histogram(
    "smartblood_stage_seconds",
    "Seconds of one stage of a batch: follow, process, produce, offsets, commit.",
    ["processor", "stage"],
    buckets=STAGE_BUCKETS_S,
)
TRANSACTIONS = Counter(
    "smartblood_transactions",
    "Transactions, by outcome: committed, aborted, in_doubt.",
    ["processor", "outcome"],
)
PRODUCERS_RECYCLED = Counter(
    "smartblood_producers_recycled",
    "Producers made anew since a transaction's end was in doubt, by reason: slow, timeout, disconnect, fatal, fenced.",
    ["processor", "reason"],
)
UNSTABLE_OFFSETS = Counter(
    "smartblood_unstable_offsets",
    "Partition numbers that went on from the offsets before a transaction whose end was lost by the cluster.",
    ["processor"],
)
EVENT_TO_COMMIT_SECONDS = Histogram(
    "smartblood_event_to_commit_seconds",
    "From a record's Kafka timestamp to the commit of its answer; at most 100 records a batch are looked at.",
    ["processor"],
    buckets=LATENCY_BUCKETS_S,
)
EVENT_TO_MATCH_SECONDS = Histogram(
    "smartblood_event_to_match_seconds",
    "From the Kafka timestamp of a request's record to the commit of its match; at most 200 of a batch are looked at.",
    buckets=LATENCY_BUCKETS_S,
)

# What needs a person.

REFUSED = Counter(
    "smartblood_records_refused",
    "Records that broke the contract, by what was wrong.",
    ["processor", "topic", "kind"],
)
IN_NO_DISTRICT = Counter(
    "smartblood_requests_in_no_district",
    "Requests that were answered though their district isn't known: they count in no district's demand.",
    ["processor"],
)
AHEAD = Counter(
    "smartblood_records_ahead",
    "Records, or events of them, over five minutes ahead of the clock; at most 200 of a batch are looked at.",
    ["processor", "topic"],
)
OWN_FAILURES = Counter("smartblood_own_failures", "Records that made our own code fail.", ["processor", "topic"])
FORWARDED = Counter(
    "smartblood_records_forwarded",
    "Records sent on to the partition where they belong: some upstream partitions by another hash.",
    ["processor", "topic"],
)
RESTARTS = Counter("smartblood_worker_restarts", "Workers that the supervisor started again.", ["worker"])
FENCED = Counter("smartblood_fenced", "Times that another producer with this slot's id took over.", ["processor"])

# Where a worker stands.

LAG_RECORDS = Gauge(
    "smartblood_lag_records",
    "Last stable offset minus the next offset to be processed.",
    ["processor", "topic", "partition"],
    multiprocess_mode="livemostrecent",
)
PARTITIONS_OWNED = Gauge(
    "smartblood_partitions_owned",
    "Partition numbers that a worker owns, by state: waiting, restoring, active.",
    ["processor", "slot", "state"],
    multiprocess_mode="livemostrecent",
)
READY = Gauge(
    "smartblood_ready",
    "1 where a worker's memory has caught up and it answers records.",
    ["processor", "slot"],
    multiprocess_mode="livemostrecent",
)
RESTORED = Counter("smartblood_records_restored", "Records of stores read back into memory.", ["processor"])
RESTORE_SECONDS = Histogram(
    "smartblood_restore_seconds",
    "From the assignment of a partition number to its memory being whole.",
    ["processor"],
    buckets=(0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0),
)
FOLLOWED = Counter("smartblood_records_followed", "Records of followed topics taken in.", ["processor", "topic"])
STALENESS_SECONDS = Gauge(
    "smartblood_index_staleness_seconds",
    "Seconds since all that was written to what is followed was last known to have been seen.",
    ["processor", "slot"],
    multiprocess_mode="livemostrecent",
)
INDEX_DONORS = Gauge(
    "smartblood_index_donors",
    "Donors in a worker's index.",
    ["processor", "slot"],
    multiprocess_mode="livemostrecent",
)
INDEX_BYTES = Gauge(
    "smartblood_index_bytes",
    "Memory of a worker's index, bytes.",
    ["processor", "slot"],
    multiprocess_mode="livemostrecent",
)
MODEL_VERSION = Gauge(
    "smartblood_model_version",
    "1 for each version of a model that a process holds, by role.",
    ["model", "version", "sha256", "role"],
    multiprocess_mode="livemax",
)

MODELS_REFUSED = Gauge(
    "smartblood_models_refused",
    "1 for each version of a model that was released, and that a process can't use: it keeps the one before.",
    ["model", "version"],
    multiprocess_mode="livemax",
)

# Processors.

SEEN_IDS_DROPPED = Counter(
    "smartblood_seen_ids_dropped",
    "Event ids forgotten since a donor had more than are remembered.",
    ["processor"],
)

FACTS_DROPPED = Counter(
    "smartblood_facts_dropped",
    "What of donors was summed up before its time since one had more than is kept one by one: requests, outcomes of "
    "donations, statements about rule items.",
    ["processor", "what"],
)

# Scheduling; ``what`` is the name of a schedule, which whoever runs it has chosen.

SCHEDULER_LEADS = Gauge(
    "smartblood_scheduler_leads",
    "1 where a worker of scheduling leads: one of all does.",
    ["slot"],
    multiprocess_mode="livemostrecent",
)
SCHEDULE_TRIGGERS = Counter("smartblood_schedule_triggers", "Slots of a schedule that were fired.", ["what"])
SCHEDULE_SLOTS_PASSED = Counter(
    "smartblood_schedule_slots_passed",
    "Slots that were missed and passed over, by reason: policy, age (of each at most 1,000 at once are counted).",
    ["what", "reason"],
)
SCHEDULE_LATE_SECONDS = Gauge(
    "smartblood_schedule_late_seconds",
    "How much later than its slot the last trigger of a schedule was fired.",
    ["what"],
    multiprocess_mode="livemostrecent",
)
SCHEDULE_NEXT_SLOT = Gauge(
    "smartblood_schedule_next_slot_seconds",
    "The next slot of a schedule, seconds since 1970, as whoever leads knows it; NaN of the others.",
    ["what", "slot"],
    multiprocess_mode="livemostrecent",
)
SCHEDULE_SETTLED = Gauge(
    "smartblood_schedule_settled_seconds",
    "The slot of a schedule up to which all is fired or passed over, seconds since 1970; as the next slot.",
    ["what", "slot"],
    multiprocess_mode="livemostrecent",
)
SCHEDULER_CLOCK_LEAPS = Counter(
    "smartblood_scheduler_clock_leaps",
    "Times that a worker's clock leapt more than five minutes ahead: nothing is fired then until it is believed.",
    ["slot"],
)

# Forecasts and maintenance.

FORECASTS_GIVEN_UP = Counter(
    "smartblood_forecasts_given_up",
    "Triggers that have no forecast, since recording hadn't taken in what was there before them in time.",
    ["processor"],
)

FORECAST_WAPE = Gauge(
    "smartblood_forecast_wape",
    "Of the last 28 days that are over, absolute errors of forecast demand by what came; of series, and of their sums.",
    ["what"],
    multiprocess_mode="livemostrecent",
)
FORECAST_COVERAGE = Gauge(
    "smartblood_forecast_coverage",
    "Share of these days of series on which what came lies within the 80 % interval of the forecast.",
    multiprocess_mode="livemostrecent",
)
MAINTENANCE_DONE = Gauge(
    "smartblood_maintenance_done_seconds",
    "The last slot of a maintenance that anybody did, seconds since 1970; 0 where it was triggered and never done.",
    ["kind"],
    multiprocess_mode="livemostrecent",
)
MAINTENANCE_AHEAD = Counter(
    "smartblood_maintenance_slots_ahead",
    "Slots of a maintenance more than an hour ahead of Postgres's clock: they are done as of that.",
    ["kind"],
)
DELETED = Counter("smartblood_rows_deleted", "Rows that maintenance deleted since they are old; waves.", ["kind"])

# How good models were lately, by what came of whom they spoke of. What is told no more is NaN.


def _of_models(name: str, documentation: str, *labels: str) -> Gauge:
    return Gauge(name, documentation, ["model", "version", "role", *labels], multiprocess_mode="livemostrecent")


MODEL_OUTCOMES = _of_models("smartblood_model_outcomes", "Settled outcomes that a version is judged by.", "outcome")
MODEL_UNSETTLED = _of_models("smartblood_model_unsettled", "Alerts whose outcome isn't settled yet.", "outcome")
MODEL_CALIBRATION = _of_models(
    "smartblood_model_observed_to_expected",
    "What was observed by what a version expected: value, lower and upper end of the 95 % interval.",
    "outcome",
    "end",
)
MODEL_CALIBRATION_ERROR = _of_models(
    "smartblood_model_calibration_error", "Expected calibration error, ten bins of equal numbers.", "outcome"
)
MODEL_LOG_LOSS = _of_models("smartblood_model_log_loss", "Log loss of a version's probabilities.", "outcome")
MODEL_BRIER = _of_models("smartblood_model_brier", "Brier score of a version's probabilities.", "outcome")
MODEL_AUC = _of_models("smartblood_model_auc", "Area under the ROC curve of a version's scores.", "outcome")
MODEL_DRIFT = _of_models(
    "smartblood_model_feature_drift",
    "Population stability index of a feature, against the alerts on which the version was judged when it was trained.",
    "feature",
)
MODEL_ALARM = _of_models(
    "smartblood_model_alarm",
    "1 where a version's calibration (of an outcome) or a feature's drift is beyond the limits that are set.",
    "kind",
    "what",
)
MODEL_JUDGED_UNTIL = Gauge(
    "smartblood_model_judged_until_seconds",
    "Stream time of the last judgement, seconds since 1970.",
    multiprocess_mode="livemostrecent",
)
