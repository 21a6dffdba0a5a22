"""Builders for tests of matching: donors' states, requests, a scorer that anybody can work out, and a processor."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

import h3.api.basic_int as h3
import numpy as np

from consumers.driver import Driver
from consumers.matching import Matching
from features.vectors import MATCH_FEATURES
from tests.fading import panel_of, sums_of

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
AT = 1_790_000_000_000_000
"""2026-09-21, the instant of requests unless a test says otherwise."""

KOCHI = (9.9816, 76.2999)


def id_of(text: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, text))


def cell_at(latitude: float, longitude: float) -> int:
    return h3.latlng_to_cell(latitude, longitude, 8)


def cell_north_of(place: tuple[float, float], km: float) -> int:
    return cell_at(place[0] + km / 111.195, place[1])


def state(donor_id: int, **changes: Any) -> dict[str, Any]:
    """A healthy man of 30 next to the hospital who never gave."""
    found = {
        "event_id": id_of(f"state {donor_id} {sorted(changes.items())}"),
        "occurred_at": AT - 30 * DAY_US,
        "donor_id": donor_id,
        "erased_at": None,
        "registered_at": AT - 400 * DAY_US,
        "blood_group": "O_POS",
        "sex": "MALE",
        "born_on": AT // DAY_US - 30 * 365,
        "weight_kg": 70.0,
        "district": "Ernakulam",
        "h3_cell": cell_at(*KOCHI),
        "joined_at": AT - 400 * DAY_US,
        "contactable": True,
        "apheresis_willing": False,
        "away_until": None,
        "total_donations": 0,
        "last_whole_blood_at": None,
        "apheresis": [],
        "last_unreturned_apheresis_at": None,
        "deferrals": [],
        "promises": [],
        "asked": [],
        "n_alerts": 0,
        "n_answers": 0,
        "n_promises": 0,
        "n_kept": 0,
        "availability_score": 0.3,
        "reliability_score": 0.5,
        "reliability_sd": 0.2,
        "response_time_hours": 1.0,
        "memory": b"",
        **changes,
    }
    if "n_alerts" in changes:
        return found
    return {**sums_of(found["availability_score"], found["reliability_score"]), **found}


def request(request_id: int = 1, **changes: Any) -> dict[str, Any]:
    """Two units of red cells for a man of 40 with O+, wanted tomorrow in Kochi."""
    return {
        "event_id": id_of(f"request {request_id} {sorted(changes.items())}"),
        "occurred_at": AT,
        "request_id": request_id,
        "hospital_id": 7,
        "blood_group": "O_POS",
        "component": "RED_CELLS",
        "units_required": 2,
        "urgency": "HIGH",
        "required_by": changes.get("occurred_at", AT) + DAY_US,
        "request_type": "DIRECTED",
        "district": "Ernakulam",
        "latitude": KOCHI[0],
        "longitude": KOCHI[1],
        "patient_sex": "MALE",
        "patient_age": 40,
        "patient_anti_d": False,
        "clinician_sign_off": False,
        "top_k": 10,
        **changes,
    }


def closing(request_id: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "event_id": id_of(f"closing {request_id} {sorted(changes.items())}"),
        "occurred_at": AT + HOUR_US,
        "request_id": request_id,
        "outcome": "FULFILLED",
        "units_fulfilled": 2,
        **changes,
    }


def again(of: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A ``match-requested`` for the request ``of``."""
    return {
        "event_id": id_of(f"again {of['event_id']} {sorted(changes.items())}"),
        "occurred_at": of["occurred_at"] + HOUR_US,
        "request": of,
        "recorded": True,
        **changes,
    }


class PlainScorer:
    """P = availability × reliability × exp(−distance / 10 km), a little less for a group that is only compatible."""

    name = "donor_seeker_match"
    version = "test-1"
    sha256 = "0" * 64
    features = MATCH_FEATURES
    districts: ClassVar[dict[str, float]] = {}

    def __init__(self) -> None:
        self.calls: list[np.ndarray] = []

    def predict(self, rows: np.ndarray) -> np.ndarray:
        self.calls.append(rows.copy())
        return rows[:, 2] * rows[:, 4] * np.exp(-rows[:, 1] / 10) * (0.7 + 0.1 * rows[:, 0])


class World:
    """A driver with matching alone; donors are sent as ``donor-states``."""

    def __init__(
        self, *states: dict[str, Any], n_partitions: int = 1, scorer: PlainScorer | None = None, **settings: Any
    ) -> None:
        self.scorer = scorer or PlainScorer()
        self.driver = Driver([], n_partitions)
        self.matching = Matching(self.driver._codec, panel_of(self.scorer), **settings)
        self.driver._processors = [self.matching]
        self.know(*states)

    def know(self, *states: dict[str, Any]) -> None:
        for one in states:
            self.driver.send("donor-states", str(one["donor_id"]), one)

    def answer(self, event: dict[str, Any], topic: str | None = None) -> dict[str, Any] | None:
        """Send an event and return its answer; None where it has none."""
        if topic is None:
            topic = "match-requested" if "request" in event else "blood-request-created"
        request_id = event["request"]["request_id"] if "request" in event else event["request_id"]
        before = {answer["event_id"] for answer in self._answers()}
        n_before = len(self._answers())
        self.driver.send(topic, str(request_id), event)
        self.driver.run(batch_size=100)
        new = [answer for answer in self._answers() if answer["event_id"] not in before]
        assert len(self._answers()) == n_before + len(new)
        assert len(new) <= 1
        return new[0] if new else None

    def _answers(self) -> list[Any]:
        return [*self.driver.events("matches"), *self.driver.events("match-previews")]

    def close(self, event: dict[str, Any]) -> None:
        assert self.answer(event, "blood-request-closed") is None


def donors_of(answer: dict[str, Any]) -> list[int]:
    return [match["donor_id"] for match in answer["matches"]]
