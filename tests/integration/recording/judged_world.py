"""Requests whose donors were asked, what three versions said of them, and what came of it: as events, and as plain rows
from which a test works out by itself what should be found."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from consumers.recording.folding import fold
from features.behaved import Behaviour
from features.vectors import FEATURES
from tests.integration.recording.sink_world import PROJECTION
from tests.record_events import AT, MINUTE, an_id, event, matches_of, record

HOUR = 60 * MINUTE
DAY = 24 * HOUR
SHA = {"1": "a" * 64, "2": "b" * 64, "3": "c" * 64}
MATCH, AVAILABILITY, RELIABILITY, RESPONSE_TIME = FEATURES


def put(sink: Any, *events: tuple[str, dict[str, Any]], offset: int = 0) -> None:
    """Write events, each (topic, event), in one batch, as records of their own instants."""
    rows: list[Any] = []
    for n, (topic, of) in enumerate(events):
        found = record(topic, of, offset=offset + n)._replace(timestamp_ms=of["occurred_at"] // 1_000)
        rows.extend(PROJECTION.rows(found))
    sink.write(fold(rows), [])


class Row(NamedTuple):
    """One who was asked: what was said, and what came of it."""

    request_id: int
    donor_id: int
    version: str
    match: float
    shadow: float
    availability: float
    reliability: float
    within: tuple[float, float, float]
    accepted: bool
    answer_hours: float | None
    kept: bool | None
    gave: bool


def released(n: int, model: str, version: str, role: str, at: int, share: float = 0.0) -> tuple[str, dict[str, Any]]:
    of = {"model": model, "version": version, "sha256": SHA[version], "role": role, "share": share}
    return "model-released", event("model-released", event_id=an_id(50_000 + n), occurred_at=at, **of)


def behaviour_of(rng: np.random.Generator) -> list[float]:
    values = rng.uniform(0.05, 0.95, len(Behaviour._fields)).astype(np.float32)
    values[Behaviour._fields.index("age_years")] = np.float32(rng.integers(18, 60))
    values[Behaviour._fields.index("tenure_days")] = np.float32(rng.integers(10, 2000))
    return [float(value) for value in values]


def answer(
    rows: list[Row], at: int, *, wave: int = 1, km: float = 0.0, seed: int = 0, **changes: Any
) -> dict[str, Any]:
    """The ``matches`` of one request: version 3 of the match model is a shadow."""
    rng = np.random.default_rng([seed, rows[0].request_id])
    request_id, version = rows[0].request_id, rows[0].version
    found = matches_of(
        [row.donor_id for row in rows],
        request_id=request_id,
        wave=wave,
        request_event_id=an_id(request_id * 10 + wave),
        occurred_at=at,
        required_by=at + DAY,
        **changes,
    )
    found["models"] = [{"model": MATCH, "version": version, "sha256": SHA[version]}]
    found["models"] += [{"model": name, "version": "1", "sha256": SHA["1"]} for name in list(FEATURES)[1:]]
    for offer, row in zip(found["matches"], rows, strict=True):
        offer |= {
            "match_score": row.match,
            "availability_score": row.availability,
            "reliability_score": row.reliability,
            "features": [
                3.0,
                round(km + float(rng.uniform(0, 20)), 2),
                row.availability,
                float(rng.integers(90, 900)),
                row.reliability,
                float(rng.integers(1, 5)),
                float(rng.integers(1, 4)),
                float(row.donor_id % 5),
            ],
            "shadow_scores": [{"model": MATCH, "version": "3", "score": row.shadow, "answers_within": None}],
            "answers_within": list(row.within),
            "behaviour": behaviour_of(rng),
        }
    return found


def rows_of(n_requests: int, n_donors: int = 8, seed: int = 7, *, true_by: float = 1.0) -> list[list[Row]]:
    """Who is asked for each request; what comes is as probable as was said, times ``true_by``."""
    rng = np.random.default_rng(seed)
    made = []
    for request_id in range(1, n_requests + 1):
        rows = []
        for k in range(n_donors):
            says_yes, keeps = round(float(rng.uniform(0.05, 0.6)), 6), round(float(rng.uniform(0.4, 0.9)), 6)
            accepted = bool(rng.random() < says_yes * true_by)
            hours = round(float(rng.exponential(1.5)), 3) if accepted or rng.random() < 0.2 else None
            hours = None if hours is not None and hours > 23 else hours
            accepted = accepted and hours is not None
            kept = None if not accepted or rng.random() < 0.1 else bool(rng.random() < keeps)
            match = round(says_yes * keeps, 6)
            shadow = round(min(match * float(rng.uniform(0.5, 1.5)), 0.999), 6)
            within = tuple(round(says_yes * share, 6) for share in (0.2, 0.6, 1.0))
            gave = bool(kept and rng.random() < 0.9)
            version = "2" if request_id % 4 == 0 else "1"
            rows.append(
                Row(
                    request_id,
                    request_id * 100 + k,
                    version,
                    match,
                    shadow,
                    says_yes,
                    keeps,
                    within,
                    accepted,
                    hours,
                    kept,
                    gave,
                )
            )
        made.append(rows)
    return made


def said(row: Row, response: str, at: int, wave: int = 1) -> tuple[str, dict[str, Any]]:
    of = {"donor_id": row.donor_id, "request_id": row.request_id, "wave": wave, "response": response}
    return "donor-responded", event("donor-responded", occurred_at=at, **of)


def donated(row: Row, outcome: str, at: int) -> tuple[str, dict[str, Any]]:
    of = {"donor_id": row.donor_id, "request_id": row.request_id, "outcome": outcome}
    return "donation-recorded", event("donation-recorded", occurred_at=at, **of)


def outcomes_of(row: Row, at: int, wave: int = 1) -> list[tuple[str, dict[str, Any]]]:
    """What is recorded of one who was asked at an instant."""
    told = [said(row, "NOTIFIED", at, wave)]
    if row.answer_hours is None:
        told.append(said(row, "EXPIRED", at + DAY, wave))
    else:
        answered_at = at + round(row.answer_hours * HOUR)
        told.append(said(row, "ACCEPTED" if row.accepted else "DECLINED", answered_at, wave))
    if row.gave:
        told.append(donated(row, "COMPLETED", at + 30 * HOUR))
    elif row.kept is not None:
        told.append(donated(row, "DEFERRED" if row.kept else "NO_SHOW", at + 29 * HOUR))
    return told


def until(at: int) -> list[tuple[str, dict[str, Any]]]:
    """Events of others that bring stream time to an instant."""
    walk_in = event("donation-recorded", donor_id=1, request_id=None, occurred_at=at)
    opened = event("donor-responded", donor_id=1, request_id=1, wave=1, response="OPENED", occurred_at=at)
    return [("donation-recorded", walk_in), ("donor-responded", opened)]


def history(requests: list[list[Row]], *, at: int = AT, km: float = 0.0) -> list[tuple[str, dict[str, Any]]]:
    """Answers an hour apart, everybody notified a minute after, and what came of it; all of it settled."""
    told = [
        released(1, MATCH, "1", "CHAMPION", at - DAY),
        released(2, MATCH, "2", "CHALLENGER", at - DAY, 0.25),
        released(3, MATCH, "3", "SHADOW", at - DAY),
    ]
    for n, rows in enumerate(requests):
        made_at = at + n * HOUR
        told.append(("matches", answer(rows, made_at, km=km)))
        told += [each for row in rows for each in outcomes_of(row, made_at + MINUTE)]
    return told + until(at + len(requests) * HOUR + 31 * HOUR)
