"""Generated donors and requests, dense around the edges of the rules. Seeded, plain data."""

from __future__ import annotations

import math
import uuid
from datetime import date

import numpy as np
from h3.api import basic_int as h3

from tests.fading import sums_of
from tests.oracle.rules import DAY, EPOCH, KOLKATA

GROUPS = ["UNKNOWN", "A_POS", "A_NEG", "B_POS", "B_NEG", "AB_POS", "AB_NEG", "O_POS", "O_NEG", "OH_POS", "OH_NEG"]
SEXES = ["UNKNOWN", "FEMALE", "MALE", "OTHER"]
COMPONENTS = ["WHOLE_BLOOD", "RED_CELLS", "PLATELETS", "PLASMA"]
URGENCIES = ["LOW", "MEDIUM", "HIGH", "CRITICAL"]
NOON = (date(2026, 3, 10) - EPOCH).days * DAY - KOLKATA + DAY // 2
KOCHI = (9.98, 76.28)


def event_id(rng):
    return str(uuid.UUID(bytes=rng.bytes(16)))


def pick(rng, choices, weights=None):
    total = None if weights is None else [weight / sum(weights) for weight in weights]
    return choices[rng.choice(len(choices), p=total)]


def maybe(rng, chance, value):
    return value if rng.random() < chance else None


def donor_state(rng, donor_id, *, centre=KOCHI, spread=0.2, n_requests=20):
    """A donor about whom anything may be true; mostly registered, askable and of an age to give."""
    aphereses = aphereses_of(rng)
    availability, reliability = round(float(rng.random()), 1), round(float(rng.random()), 1)
    return {
        "event_id": event_id(rng),
        "occurred_at": NOON - int(rng.integers(0, 400)) * DAY,
        "donor_id": donor_id,
        "erased_at": maybe(rng, 0.02, NOON - DAY),
        "registered_at": maybe(rng, 0.98, NOON - 500 * DAY),
        "blood_group": pick(rng, GROUPS, [1, 5, 3, 5, 3, 3, 3, 8, 5, 1, 1]),
        "sex": pick(rng, SEXES, [1, 4, 10, 1]),
        "born_on": born_on(rng),
        "weight_kg": pick(rng, [None, math.nan, 44.99, 45.0, 49.99, 50.0, 55.0, 80.0], [1, 1, 1, 3, 3, 3, 8, 30]),
        "district": "Ernakulam",
        "h3_cell": h3.latlng_to_cell(centre[0] + rng.normal(0, spread), centre[1] + rng.normal(0, spread), 8),
        "joined_at": NOON - 900 * DAY,
        "contactable": bool(rng.random() < 0.9),
        "apheresis_willing": bool(rng.random() < 0.7),
        "away_until": maybe(rng, 0.15, NOON // DAY + int(rng.integers(-2, 3))),
        "total_donations": int(pick(rng, [0, 1, 2, 30])),
        "last_whole_blood_at": maybe(rng, 0.5, given_at(rng)),
        "apheresis": aphereses,
        "last_unreturned_apheresis_at": max(
            (one["given_at"] for one in aphereses if not one["red_cells_returned"]), default=None
        ),
        "deferrals": [
            {
                "rule_item": str(pick(rng, ["item 60", "item 48", ""])),
                "until": maybe(rng, 0.9, NOON // DAY + int(rng.integers(-3, 8))),
            }
            for _ in range(pick(rng, [0, 1, 2], [17, 2, 1]))
        ],
        "promises": engagements(rng, n_requests, 2, "promised_at"),
        "asked": engagements(rng, n_requests, 4, "responded_at"),
        "n_alerts": 0,
        "n_answers": 0,
        "n_promises": 0,
        "n_kept": 0,
        "availability_score": availability,
        "reliability_score": reliability,
        "reliability_sd": 0.1,
        "response_time_hours": round(float(rng.uniform(0.2, 20)), 2),
        **sums_of(availability, reliability),
        "memory": b"",
    }


def born_on(rng):
    """Mostly of an age to give; often within some days of a birthday that decides."""
    if rng.random() < 0.6:
        return int(rng.integers((date(1963, 1, 1) - EPOCH).days, (date(2006, 1, 1) - EPOCH).days))
    birthday = date(2026 - int(pick(rng, [18, 60, 65])), 3, 10)
    return (birthday - EPOCH).days + int(rng.integers(-4, 5))


def given_at(rng):
    """An instant some time ago, often to the microsecond at the end of an interval around noon."""
    if rng.random() < 0.5:
        return NOON - int(rng.integers(0, 400 * DAY))
    days = int(pick(rng, [2, 7, 28, 90, 120, 365])) + int(rng.integers(-1, 3))
    return NOON - days * DAY + int(rng.integers(-1, 2))


def aphereses_of(rng):
    n_given = int(pick(rng, [0, 1, 2, 3, 24], [14, 3, 3, 1, 1]))
    if n_given == 24:
        instants = [NOON - (3 + 15 * n) * DAY + int(rng.integers(-1, 2)) for n in range(24)]
    else:
        instants = sorted((given_at(rng) for _ in range(n_given)), reverse=True)
    return [{"given_at": at, "red_cells_returned": bool(rng.random() < 0.8)} for at in instants]


def engagements(rng, n_requests, n_most, field):
    """Newest first, each of a request of its own."""
    n = min(int(pick(rng, [0, 1, n_most], [8, 1, 1])), n_requests)
    requests = rng.permutation(n_requests)[:n]
    ages = [int(pick(rng, [DAY - 1, DAY, DAY + 1, 7 * DAY, 7 * DAY + 1, -DAY, 3 * DAY])) for _ in range(n)]
    return [
        {"request_id": int(request_id) + 1, field: NOON - age}
        for request_id, age in zip(requests, sorted(ages), strict=True)
    ]


def request(rng, request_id, *, at=NOON, centre=KOCHI, spread=0.1):
    """A request about which anything may be true."""
    return {
        "event_id": event_id(rng),
        "occurred_at": at,
        "request_id": request_id,
        "hospital_id": int(rng.integers(1, 100)),
        "blood_group": str(pick(rng, GROUPS)),
        "component": str(pick(rng, COMPONENTS, [1, 3, 1, 1])),
        "units_required": int(pick(rng, [1, 2, 3, 10, 100], [6, 3, 3, 1, 1])),
        "urgency": str(pick(rng, URGENCIES)),
        "required_by": at + int(pick(rng, [0, 1, DAY // 2, DAY, 2 * DAY, 20 * DAY, 90 * DAY])),
        "request_type": "DIRECTED",
        "district": "Ernakulam",
        "latitude": min(max(centre[0] + float(rng.normal(0, spread)), -90.0), 90.0),
        "longitude": (centre[1] + float(rng.normal(0, spread)) + 180) % 360 - 180,
        "patient_sex": str(pick(rng, SEXES)),
        "patient_age": pick(rng, [None, 0, 16, 17, 18, 19, 40, 49, 50, 51, 80]),
        "patient_anti_d": bool(rng.random() < 0.15),
        "clinician_sign_off": bool(rng.random() < 0.4),
        "top_k": pick(rng, [None, 1, 3, 10, 40, 1000], [3, 3, 3, 8, 2, 1]),
    }


def generator(*seed):
    return np.random.default_rng(seed)


def history(rng, donor_id, n_events):
    """All that came of one donor, in the order in which it came: late, repeated, contradicting, erased between.

    Each is ``(topic, event, timestamp_ms)``; a null registration has None for its event. Instants are few, so that ties
    and edges come up; some events claim to be of up to a day later than they were written, some are very late.
    """
    records = [_record(rng, donor_id) for _ in range(n_events)]
    copies = [records[i] for i in rng.integers(0, n_events, size=n_events // 4) if records[i][1] is not None]
    records += copies
    rng.shuffle(records)
    return [tuple(record) for record in records]


def _record(rng, donor_id):
    # Written within three days, so that every repeat comes within the seven in which it must be recognised.
    timestamp_ms = (NOON - int(rng.integers(0, 12)) * DAY // 4) // 1000 + int(pick(rng, [0, 1]))
    back = int(pick(rng, [rng.integers(-4, 8), rng.integers(0, 240)], [2, 1]))
    occurred_at = min(NOON - back * DAY // 4, timestamp_ms * 1000 + DAY)
    if rng.random() < 0.03:
        return "donor-registered", None, timestamp_ms
    topic = str(pick(rng, ["donor-registered", "donation-recorded", "donor-responded"], [2, 3, 5]))
    return topic, donor_event(rng, topic, donor_id, occurred_at), timestamp_ms


def donor_event(rng, topic, donor_id, occurred_at):
    """An event of a donor in which nearly anything may be true."""
    head = {"event_id": event_id(rng), "occurred_at": occurred_at, "donor_id": donor_id}
    event = {"donor-registered": _registration, "donation-recorded": _donation, "donor-responded": _response}[topic]
    return head | event(rng, occurred_at)


def _registration(rng, occurred_at):
    return {
        "blood_group": str(pick(rng, GROUPS)),
        "sex": str(pick(rng, SEXES)),
        "born_on": born_on(rng),
        "weight_kg": pick(rng, [None, 45.0, 80.0]),
        "district": "Ernakulam",
        "h3_cell": h3.latlng_to_cell(KOCHI[0] + rng.normal(0, 0.2), KOCHI[1], 8),
        "joined_at": NOON - 900 * DAY,
        "contactable": bool(rng.random() < 0.9),
        "apheresis_willing": bool(rng.random() < 0.7),
        "away_until": maybe(rng, 0.2, NOON // DAY),
        "total_donations": int(rng.integers(0, 9)),
        "last_whole_blood_at": maybe(rng, 0.3, occurred_at - int(rng.integers(-2, 200)) * DAY),
        "last_apheresis_at": maybe(rng, 0.2, occurred_at - int(rng.integers(0, 40)) * DAY // 4),
        "red_cells_returned": bool(rng.random() < 0.8),
        "recent_apheresis": [
            {
                "given_at": occurred_at - int(rng.integers(0, 40)) * DAY // 4,
                "red_cells_returned": bool(rng.random() < 0.8),
            }
            for _ in range(pick(rng, [0, 1, 3, 30], [8, 2, 2, 1]))
        ],
        "deferrals": [_deferral(rng, occurred_at) for _ in range(pick(rng, [0, 1, 3], [4, 2, 1]))],
    }


def _donation(rng, occurred_at):
    return {
        "outcome": str(pick(rng, ["COMPLETED", "CANCELLED", "NO_SHOW", "DEFERRED"], [5, 1, 1, 2])),
        "component": str(pick(rng, ["UNKNOWN", *COMPONENTS])),
        "request_id": maybe(rng, 0.5, int(rng.integers(1, 6))),
        "red_cells_returned": bool(rng.random() < 0.8),
        "deferral": maybe(rng, 0.3, _deferral(rng, occurred_at)),
    }


def _deferral(rng, occurred_at):
    today = (occurred_at + KOLKATA) // DAY
    return {
        "rule_item": str(pick(rng, ["item 60", "item 46", "item 52", "items 51-53", ""], [5, 4, 1, 1, 1])),
        "until": maybe(rng, 0.85, today + int(pick(rng, [-30, -1, 0, 1, 100]))),
    }


def _response(rng, _):
    return {
        "request_id": int(rng.integers(1, 6)),
        "wave": int(rng.integers(1, 3)),
        "response": str(
            pick(rng, ["NOTIFIED", "OPENED", "ACCEPTED", "DECLINED", "EXPIRED", "ARRIVED"], [2, 1, 3, 1, 1, 2])
        ),
    }
