"""Builders for tests of training: events as the stream reads them, and a world small enough to learn from at once."""

from __future__ import annotations

from consumers.topology import Input
from producers.simulator import World
from schemas.records import Record

DAY_US = 86_400_000_000
END = 1_764_000_000_000_000
LATITUDE, LONGITUDE = 9.98, 76.29
SMALL = World(
    n_donors=700, history_days=330, alerts_per_donor_year=14.0, keen_share=0.8
)  # whoever says yes teaches most


def event(topic, number, at, **fields):
    key = "donor_id" if "donor_id" in fields else "request_id"
    head = {"event_id": f"00000000-0000-8000-8000-{number:012d}", "occurred_at": at}
    return Input(Record(topic, 0, 0, at // 1000, str(fields[key]).encode(), b""), {**head, **fields})


def profile(cell, **changes):
    return {
        "donor_id": 1,
        "blood_group": "O_POS",
        "sex": "MALE",
        "born_on": 9_000,
        "weight_kg": 70.0,
        "district": "Ernakulam",
        "h3_cell": cell,
        "joined_at": END - 400 * DAY_US,
        "contactable": True,
        "apheresis_willing": False,
        "away_until": None,
        "total_donations": 1,
        "last_whole_blood_at": END - 300 * DAY_US,
        "last_apheresis_at": None,
        "red_cells_returned": True,
        "recent_apheresis": [],
        "deferrals": [],
        **changes,
    }


def request(**changes):
    return {
        "request_id": 5,
        "hospital_id": 1,
        "blood_group": "O_POS",
        "component": "RED_CELLS",
        "units_required": 1,
        "urgency": "MEDIUM",
        "required_by": END + DAY_US,
        "request_type": "DIRECTED",
        "district": "Ernakulam",
        "latitude": LATITUDE,
        "longitude": LONGITUDE,
        "patient_sex": "MALE",
        "patient_age": 40,
        "patient_anti_d": False,
        "clinician_sign_off": False,
        "top_k": None,
        **changes,
    }


def responded(number, at, response, request_id):
    return event("donor-responded", number, at, donor_id=1, request_id=request_id, wave=1, response=response)


def gave(number, at, request_id=None, outcome="COMPLETED"):
    fields = {"outcome": outcome, "component": "WHOLE_BLOOD", "red_cells_returned": True, "deferral": None}
    return event("donation-recorded", number, at, donor_id=1, request_id=request_id, **fields)
