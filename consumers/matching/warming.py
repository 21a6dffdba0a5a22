"""One donor, one request: what a processor is put through so that everything is compiled before it is needed."""

from __future__ import annotations

from consumers.matching.asking import CREATED
from consumers.matching.following import NOBODY
from consumers.topology import Batch, Input, Processor
from features.index.facts import TOPIC as DONOR_STATES
from schemas.codec import Codec
from schemas.records import Event, Record

YEAR_US = 365 * 86_400_000_000
AT = 50 * YEAR_US
KOCHI_CELL, KOCHI = 614_178_730_278_911_999, (9.98, 76.28)
EVENT_ID = "00000000-0000-0000-0000-000000000000"


def warm_up(processor: Processor, codec: Codec) -> None:
    """Let a processor that nobody else uses follow donors and answer a request."""
    states = [_state(donor_id) for donor_id in range(1, 7)]
    processor.follow(
        [
            Record(DONOR_STATES, 0, n, 0, str(state["donor_id"]).encode(), codec.encode(DONOR_STATES, state))
            for n, state in enumerate(states)
        ]
    )
    request = _request()
    record = Record(CREATED, 0, 0, AT // 1000, b"1", codec.encode(CREATED, request))
    processor.process(Batch([Input(record, processor.read(record))], {DONOR_STATES: {0: len(states)}}))
    processor.drop()


def _state(donor_id: int) -> Event:
    return {
        **NOBODY,
        "donor_id": donor_id,
        "registered_at": 0,
        "blood_group": "O_POS",
        "born_on": 20 * 365,
        "weight_kg": 70.0,
        "h3_cell": KOCHI_CELL,
        "contactable": True,
        "apheresis": [{"given_at": 0, "red_cells_returned": True}],
        "deferrals": [{"rule_item": "", "until": 0}],
        "promises": [{"request_id": 1, "promised_at": 0}],
        "asked": [{"request_id": 2, "responded_at": 0}],
        "availability_score": 0.5,
        "reliability_score": 0.5,
    }


def _request() -> Event:
    return {
        "event_id": EVENT_ID,
        "occurred_at": AT,
        "request_id": 1,
        "hospital_id": 1,
        "blood_group": "O_POS",
        "component": "RED_CELLS",
        "units_required": 1,
        "urgency": "MEDIUM",
        "required_by": AT,
        "request_type": "UNKNOWN",
        "district": "Ernakulam",
        "latitude": KOCHI[0],
        "longitude": KOCHI[1],
        "patient_sex": "MALE",
        "patient_age": 40,
        "patient_anti_d": False,
        "clinician_sign_off": False,
        "top_k": None,
    }
