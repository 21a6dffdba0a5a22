"""A seeded world of donors and requests as records of the contract; events are plain, instants in microseconds.

Half of the donors are ordinary; about the other half nearly anything may be true, and came late, twice or out of order.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from h3.api import basic_int as h3

from tests.oracle import worlds
from tests.oracle.worlds import DAY, KOCHI, NOON

COMMON = ["A_POS", "B_POS", "O_POS", "AB_POS", "O_NEG", "A_NEG"]


@dataclass
class World:
    """What is published.

    Parameters
    ----------
    histories : dict of int to list
        Donor → ``(topic, event, timestamp_ms)`` in the order of their records; a null registration has None.
    requests : dict of int to list
        Request → ``(topic, event)`` in the order of their records.
    """

    histories: dict[int, list[tuple[str, dict[str, Any] | None, int]]] = field(default_factory=dict)
    requests: dict[int, list[tuple[str, dict[str, Any]]]] = field(default_factory=dict)

    def donor_records(self) -> list[tuple[str, int, dict[str, Any] | None, int]]:
        """All donors' records, shuffled among donors as they come in life: each donor's own order is kept."""
        waiting = [(donor_id, list(history)) for donor_id, history in self.histories.items()]
        records = []
        while waiting:
            for donor_id, history in waiting:
                topic, event, timestamp_ms = history.pop(0)
                records.append((topic, donor_id, event, timestamp_ms))
            waiting = [(donor_id, history) for donor_id, history in waiting if history]
        return records

    def request_records(self) -> list[tuple[str, int, dict[str, Any]]]:
        waiting = [(request_id, list(records)) for request_id, records in self.requests.items()]
        taken = []
        while waiting:
            for request_id, records in waiting:
                topic, event = records.pop(0)
                taken.append((topic, request_id, event))
            waiting = [(request_id, records) for request_id, records in waiting if records]
        return taken


def world(seed: int, n_donors: int, n_requests: int, *, wild: float = 0.5, within_days: int | None = None) -> World:
    """Make a world; ``within_days`` leaves out what is older than the latest known of a donor by more than so much."""
    rng = worlds.generator(67, seed)
    made = World()
    for donor_id in range(1, n_donors + 1):
        if rng.random() < wild:
            made.histories[donor_id] = worlds.history(rng, donor_id, int(rng.integers(1, 12)))
        else:
            made.histories[donor_id] = ordinary(rng, donor_id)
        if within_days is not None:
            made.histories[donor_id] = recent(made.histories[donor_id], within_days * DAY)
    for request_id in range(1, n_requests + 1):
        made.requests[request_id] = course(rng, request_id)
    return made


def recent(history: list, span_us: int) -> list:
    """A history without what is too old for rates and averages not to hang on the order of events."""
    latest_at = max((event["occurred_at"] for _, event, _ in history if event), default=0)
    kept = []
    for topic, event, timestamp_ms in history:
        is_rate = topic != "donor-registered"
        if not (event and is_rate and event["occurred_at"] < latest_at - span_us):
            kept.append((topic, event, timestamp_ms))
    return kept


def registration(rng, donor_id: int, *, at: int = NOON - 400 * DAY, **changes: Any) -> dict[str, Any]:
    """Somebody who may give: of age, heavy enough, near, long without a donation."""
    return {
        "event_id": worlds.event_id(rng),
        "occurred_at": at,
        "donor_id": donor_id,
        "blood_group": str(worlds.pick(rng, COMMON)),
        "sex": str(worlds.pick(rng, ["MALE", "FEMALE"])),
        "born_on": int(rng.integers(3_000, 11_000)),
        "weight_kg": float(rng.integers(52, 95)),
        "district": "Ernakulam",
        "h3_cell": h3.latlng_to_cell(KOCHI[0] + rng.normal(0, 0.1), KOCHI[1] + rng.normal(0, 0.1), 8),
        "joined_at": at - 500 * DAY,
        "contactable": True,
        "apheresis_willing": bool(rng.random() < 0.6),
        "away_until": None,
        "total_donations": int(rng.integers(1, 20)),
        "last_whole_blood_at": at - int(rng.integers(1, 300)) * DAY,
        "last_apheresis_at": None,
        "red_cells_returned": True,
        "recent_apheresis": [],
        "deferrals": [],
    } | changes


def donation(rng, donor_id: int, at: int, **changes: Any) -> dict[str, Any]:
    return {
        "event_id": worlds.event_id(rng),
        "occurred_at": at,
        "donor_id": donor_id,
        "outcome": "COMPLETED",
        "component": "WHOLE_BLOOD",
        "request_id": None,
        "red_cells_returned": True,
        "deferral": None,
    } | changes


def response(rng, donor_id: int, at: int, request_id: int, said: str, wave: int = 1) -> dict[str, Any]:
    return {
        "event_id": worlds.event_id(rng),
        "occurred_at": at,
        "donor_id": donor_id,
        "request_id": request_id,
        "wave": wave,
        "response": said,
    }


def ordinary(rng, donor_id: int) -> list[tuple[str, dict[str, Any] | None, int]]:
    """A registration, perhaps donations long ago, perhaps answers to requests of the past."""
    given = sorted(rng.integers(125, 390, size=int(rng.integers(0, 3))), reverse=True)
    events = [("donor-registered", registration(rng, donor_id))]
    events += [("donation-recorded", donation(rng, donor_id, NOON - int(days) * DAY)) for days in given]
    for days in sorted(rng.integers(2, 390, size=int(rng.integers(0, 4))), reverse=True):
        at, request_id = NOON - int(days) * DAY, int(rng.integers(10_000, 20_000))
        events.append(("donor-responded", response(rng, donor_id, at, request_id, "NOTIFIED")))
        if rng.random() < 0.5:
            said = str(worlds.pick(rng, ["ACCEPTED", "DECLINED", "EXPIRED"]))
            events.append(("donor-responded", response(rng, donor_id, at + DAY // 24, request_id, said)))
    return [(topic, event, -(-event["occurred_at"] // 1000)) for topic, event in events]


def request(rng, request_id: int, *, at: int = NOON, **changes: Any) -> dict[str, Any]:
    """A request that many may answer."""
    return {
        "event_id": worlds.event_id(rng),
        "occurred_at": at,
        "request_id": request_id,
        "hospital_id": int(rng.integers(1, 100)),
        "blood_group": str(worlds.pick(rng, COMMON)),
        "component": "RED_CELLS",
        "units_required": 2,
        "urgency": "HIGH",
        "required_by": at + DAY // 4,
        "request_type": "REPLACEMENT",
        "district": "Ernakulam",
        "latitude": KOCHI[0] + float(rng.normal(0, 0.05)),
        "longitude": KOCHI[1] + float(rng.normal(0, 0.05)),
        "patient_sex": "MALE",
        "patient_age": 40,
        "patient_anti_d": False,
        "clinician_sign_off": False,
        "top_k": 10,
    } | changes


def closing(rng, request_id: int, at: int, outcome: str = "FULFILLED", units: int = 1) -> dict[str, Any]:
    return {
        "event_id": worlds.event_id(rng),
        "occurred_at": at,
        "request_id": request_id,
        "outcome": outcome,
        "units_fulfilled": units,
    }


def rematch(rng, of: dict[str, Any], at: int, *, recorded: bool) -> dict[str, Any]:
    return {"event_id": worlds.event_id(rng), "occurred_at": at, "request": dict(of), "recorded": recorded}


def course(rng, request_id: int) -> list[tuple[str, dict[str, Any]]]:
    """What happens to a request, such as it can be told apart by ``blood-request-created`` alone: repeats, corrections.

    All are on one topic, so that their order is fixed however batches are cut.
    """
    wild = rng.random() < 0.5
    first = worlds.request(rng, request_id) if wild else request(rng, request_id)
    records = [("blood-request-created", first)]
    luck = rng.random()
    if luck < 0.15:
        records.append(("blood-request-created", first))
    elif luck < 0.35:
        later = first["occurred_at"] + int(rng.integers(1, 60)) * 60_000_000
        changed = {"event_id": worlds.event_id(rng), "occurred_at": later, "units_required": 3}
        corrected = first | changed | {"required_by": max(first["required_by"], later)}
        records.append(("blood-request-created", corrected))
        if rng.random() < 0.5:
            records.reverse()  # the correction overtook what it corrects
    return records


def now_us() -> int:
    return int(time.time() * 1_000_000)
