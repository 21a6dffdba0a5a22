"""The tables against the topics, row by row; a line for whatever differs."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import psycopg2

from tests.acceptance.outsider import Seen
from tests.acceptance.tables import Tables
from tests.acceptance.wire import micros, plain

TEXT_OF_GROUP = {
    "UNKNOWN": "unknown",
    **{f"{abo}_POS": f"{abo}+" for abo in ("A", "B", "AB", "O")},
    **{f"{abo}_NEG": f"{abo}-" for abo in ("A", "B", "AB", "O")},
    "OH_POS": "Oh+",
    "OH_NEG": "Oh-",
}

WEEK_MS = 7 * 86_400_000

FEATURES = [
    "blood_group_compatibility",
    "distance_km",
    "donor_availability",
    "last_donation_days",
    "reliability_score",
    "urgency_level",
    "units_required",
    "alerts_seen",
]

BY_REQUEST = """
SELECT r.id AS request_id, r.blood_group, COUNT(mp.id) AS matches_found, AVG(mp.match_score) AS avg_score
FROM blood_requests r LEFT JOIN match_predictions mp ON r.id = mp.request_id
WHERE r.created_at > NOW() - INTERVAL '7 days'
GROUP BY r.id, r.blood_group ORDER BY r.created_at DESC;
"""

BY_MODEL = """
SELECT model_name, COUNT(*) AS predictions, AVG(inference_time_ms) AS avg_latency_ms,
       MAX(inference_time_ms) AS max_latency_ms,
       SUM(CASE WHEN success THEN 1 ELSE 0 END)::float / COUNT(*) * 100 AS success_rate
FROM model_prediction_logs WHERE created_at > NOW() - INTERVAL '24 hours' GROUP BY model_name;
"""


class Erasure(NamedTuple):
    """When a donor was erased, and where ``donor-states`` says so first."""

    at: int
    partition: int
    offset: int


def erasures_in(states: Iterable[Seen]) -> dict[int, Erasure]:
    """The latest erasure of each donor, of those who came back too: what ``erased_donors`` must hold."""
    found: dict[int, Erasure] = {}
    for seen in sorted(states, key=lambda one: one.place):
        state = plain(seen.event)
        donor_id, at = state["donor_id"], state["last_erased_at"]
        if at is not None and (donor_id not in found or at > found[donor_id].at):
            found[donor_id] = Erasure(at, seen.partition, seen.offset)
    return found


def erasures_recorded(tables: Tables) -> dict[int, Erasure]:
    return {
        donor_id: Erasure(micros(at), *place)
        for donor_id, at, *place in tables.query(
            "SELECT donor_id, erased_at, state_partition, state_offset FROM erased_donors"
        )
    }


def is_forgotten(answer: Mapping[str, Any], erasure: Erasure | None) -> bool:
    """Whether a donor was erased after an answer by its instant, or after what its matcher had seen of donors."""
    if erasure is None:
        return False
    seen = {one["partition"]: one["next_offset"] for one in answer["donor_state_offsets"]}
    return micros(answer["occurred_at"]) <= erasure.at or seen[erasure.partition] <= erasure.offset


def offers_in(matches: Iterable[Seen], erasures: Mapping[int, Erasure]) -> Counter:
    """What ``match_predictions`` must hold of these answers."""
    rows = Counter()
    for answer in matches:
        event = answer.event
        versions = [one["version"] for one in event["models"] if one["model"] == "donor_seeker_match"]
        for one in event["matches"]:
            is_empty = is_forgotten(event, erasures.get(one["donor_id"]))
            features = () if is_empty else vector(one["features"])
            rows[
                event["request_id"],
                event["wave"],
                one["rank"],
                one["donor_id"],
                one["match_score"],
                one["availability_score"],
                one["reliability_score"],
                one["response_time_hours"],
                versions[0],
                features,
            ] += 1
    return rows


def vector(features: Any) -> tuple[float | None, ...]:
    """Features as they can be compared: by name or by place, not-a-number as None."""
    if not features:
        return ()
    values = [features[name] for name in FEATURES] if isinstance(features, dict) else features
    return tuple(None if value is None or math.isnan(value) else float(value) for value in values)


def offers_recorded(tables: Tables) -> Counter:
    return Counter(
        (*row[:-1], vector(row[-1]))
        for row in tables.query(
            "SELECT request_id, wave, rank, donor_id, match_score, availability_score, reliability_score, "
            "response_time_hours, model_version, feature_vector FROM match_predictions"
        )
    )


def difference(wanted: Counter, found: Counter, what: str) -> list[str]:
    lines = []
    for found_to_be, rows in (("missing", wanted - found), ("too many", found - wanted)):
        if rows:
            lines.append(f"{what}: {sum(rows.values())} {found_to_be}, such as {next(iter(rows))}")
    return lines


def unrepeated(records: Iterable[Seen]) -> Iterable[dict[str, Any]]:
    """The events of a topic of requests that count: of an id that a request's event has again, the first to lie there.

    Again is within 7 days, by Kafka timestamps, of one that counts.
    """
    counted = defaultdict(list)
    for each in sorted(records, key=lambda one: one.place):
        event = plain(each.event)
        before_ms = counted[event["request_id"], event["event_id"]]
        if all(abs(each.timestamp_ms - ms) > WEEK_MS for ms in before_ms):
            before_ms.append(each.timestamp_ms)
            yield event


def requests_in(created: Iterable[Seen], closed: Iterable[Seen]) -> dict[int, tuple[Any, ...]]:
    """What ``blood_requests`` must hold."""
    statements, closings = defaultdict(list), defaultdict(list)
    for event in unrepeated(created):
        statements[event["request_id"]].append((event["occurred_at"], event["event_id"], event))
    for event in unrepeated(closed):
        closings[event["request_id"]].append((event["occurred_at"], event["event_id"], event["outcome"]))
    rows = {}
    for request_id, said in statements.items():
        requested_at, _, latest = max(said, key=lambda one: one[:2])
        closing = max(closings[request_id], default=None)
        status = "open" if closing is None or requested_at > closing[0] else closing[2].lower()
        rows[request_id] = (
            latest["hospital_id"],
            TEXT_OF_GROUP[latest["blood_group"]],
            latest["units_required"],
            latest["urgency"].lower(),
            status,
            latest["required_by"],
        )
    return rows


def requests_recorded(tables: Tables) -> dict[int, tuple[Any, ...]]:
    return {
        request_id: (*columns, micros(required_by))
        for request_id, *columns, required_by in tables.query(
            "SELECT id, hospital_id, blood_group, units_required, urgency, status, required_by FROM blood_requests"
        )
    }


def latest_states(states: Iterable[Seen]) -> dict[int, dict[str, Any]]:
    """Donor → the last state; its partition's order is the order."""
    latest: dict[bytes, Seen] = {}
    for seen in states:
        if seen.key not in latest or seen.offset > latest[seen.key].offset:
            latest[seen.key] = seen
    return {int(key): plain(seen.event) for key, seen in latest.items()}


def donors_in(states: Iterable[Seen]) -> dict[int, tuple[Any, ...]]:
    """What the table of donors must hold: those who are registered and not erased."""
    return {
        donor_id: (
            TEXT_OF_GROUP[state["blood_group"]],
            state["district"],
            state["total_donations"],
            state["availability_score"],
            state["reliability_score"],
        )
        for donor_id, state in latest_states(states).items()
        if state["registered_at"] is not None and state["erased_at"] is None
    }


def donors_recorded(tables: Tables) -> dict[int, tuple[Any, ...]]:
    return {
        donor_id: tuple(columns)
        for donor_id, *columns in tables.query(
            "SELECT id, blood_group, district, total_donations, availability_score, reliability_score FROM donors"
        )
    }


def notified_in(responses: Iterable[Seen], matches: Iterable[Seen]) -> set[tuple[int, int, int]]:
    """(request, wave, donor) of offers whose donor was notified."""
    offered = {
        (event["request_id"], event["wave"], one["donor_id"])
        for event in (answer.event for answer in matches)
        for one in event["matches"]
    }
    told = {
        (event["request_id"], event["wave"], event["donor_id"])
        for event in (seen.event for seen in responses)
        if event["response"] == "NOTIFIED"
    }
    return offered & told


def wrong_rows(tables: Tables, seen: Mapping[str, Sequence[Seen]]) -> list[str]:
    """Compare the tables with records of the topics, which must be whole: valid records only, nulls left out."""
    erasures = erasures_in(seen["donor-states"])
    lines = difference(offers_in(seen["matches"], erasures), offers_recorded(tables), "match_predictions")
    pairs = [
        ("blood_requests", requests_in(seen["blood-request-created"], seen["blood-request-closed"]), requests_recorded),
        ("donors", donors_in(seen["donor-states"]), donors_recorded),
        ("erased_donors", erasures, erasures_recorded),
    ]
    for name, wanted, read in pairs:
        found = read(tables)
        lines += [
            f"{name} {key}: {found.get(key)} instead of {wanted.get(key)}"
            for key in wanted.keys() | found.keys()
            if wanted.get(key) != found.get(key)
        ][:5]
    logged = Counter(
        (event["model"], event["version"], event["inference_time_ms"], event["success"])
        for event in (one.event for one in seen["prediction-logged"])
    )
    kept = Counter(
        tables.query("SELECT model_name, model_version, inference_time_ms, success FROM model_prediction_logs")
    )
    return lines + difference(logged, kept, "model_prediction_logs")


def once_right(tables: Tables, seen: Mapping[str, Sequence[Seen]], *, within_s: float = 60.0) -> list[str]:
    """Compare again and again until recording is done; what is still wrong when the time is over."""
    give_up_at = time.monotonic() + within_s
    while True:
        try:
            lines = wrong_rows(tables, seen)
        except psycopg2.OperationalError as error:
            lines = [str(error)]
        if not lines or time.monotonic() > give_up_at:
            return lines
        time.sleep(0.5)
