"""A Kerala of donors as ``donor-states`` has them, its requests, and a model of the size that is used."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import h3.api.basic_int as h3
import numpy as np

from features.compatibility import GROUPS
from features.districts import DISTRICTS
from features.priors import AVAILABILITY, RELIABILITY
from producers.simulator.population import draw_groups, places
from producers.simulator.world import World
from schemas.codec import Codec
from schemas.records import Record

DAY_US = 86_400_000_000
AT = 1_790_000_000_000_000
TODAY = AT // DAY_US
N_PARTITIONS = 12


def donor_records(n_donors: int, seed: int = 1) -> Iterator[Record]:
    """Records of ``donor-states``, one a donor."""
    rng = np.random.default_rng(seed)
    world, codec = World(n_donors=n_donors), Codec()
    district, latitude, longitude = places(world, rng, n_donors)
    group = draw_groups(world, rng, n_donors)
    availability = rng.beta(*AVAILABILITY, n_donors)
    reliability = rng.beta(RELIABILITY.alpha * 5, RELIABILITY.beta * 5, n_donors)
    chance = rng.random((6, n_donors))
    gave_days = rng.exponential(200, n_donors)
    for i in range(n_donors):
        gave = chance[0, i] < 0.7
        asked = [{"request_id": int(1e6 * chance[1, i]), "responded_at": AT - int(gave_days[i] * DAY_US)}]
        yield Record(
            "donor-states",
            i % N_PARTITIONS,
            i // N_PARTITIONS,
            AT // 1000,
            str(i).encode(),
            codec.encode(
                "donor-states",
                {
                    "event_id": str(uuid.UUID(int=i)),
                    "occurred_at": AT - 30 * DAY_US,
                    "donor_id": i,
                    "erased_at": None,
                    "registered_at": AT - 400 * DAY_US,
                    "blood_group": GROUPS[group[i]],
                    "sex": "FEMALE" if chance[2, i] < 0.065 else "MALE",
                    "born_on": TODAY - int(365.25 * (18 + 42 * chance[3, i])),
                    "weight_kg": 48.0 + 40 * chance[4, i],
                    "district": DISTRICTS[district[i]].name,
                    "h3_cell": h3.latlng_to_cell(latitude[i], longitude[i], 8),
                    "joined_at": AT - 400 * DAY_US,
                    "contactable": bool(chance[5, i] > 0.03),
                    "apheresis_willing": bool(chance[5, i] > 0.88),
                    "away_until": None,
                    "total_donations": int(1 + 9 * chance[1, i] ** 2) if gave else 0,
                    "last_whole_blood_at": AT - int(gave_days[i] * DAY_US) if gave else None,
                    "apheresis": [],
                    "last_unreturned_apheresis_at": None,
                    "deferrals": [{"rule_item": "item 60", "until": TODAY}] if chance[4, i] < 0.03 else [],
                    "promises": [{"request_id": 7, "promised_at": AT}] if chance[4, i] > 0.99 else [],
                    "asked": asked if chance[2, i] > 0.7 else [],
                    "n_alerts": int(10 * chance[2, i]),
                    "n_answers": int(4 * chance[2, i]),
                    "n_promises": 1,
                    "n_kept": 1,
                    "availability_score": float(availability[i]),
                    "reliability_score": float(reliability[i]),
                    "reliability_sd": 0.2,
                    "response_time_hours": 0.7,
                    "memory": bytes(60),
                    "alerts_decayed": 8 * chance[2, i],
                    "acceptances_decayed": 8 * chance[2, i] * float(availability[i]),
                    "unanswered_decayed": 2 * chance[2, i],
                    "promises_decayed": 3 * chance[1, i],
                    "kept_decayed": 3 * chance[1, i] * float(reliability[i]),
                    "answer_times_decayed": 4 * chance[2, i],
                    "log_hours_decayed": -2 * chance[2, i],
                },
            ),
        )


def requests(n_requests: int, seed: int = 2) -> Iterator[dict[str, Any]]:
    """Requests where people live, for groups as people have them: mostly red cells, a sixth platelets."""
    rng = np.random.default_rng(seed)
    world = World(n_donors=n_requests)
    district, latitude, longitude = places(world, rng, n_requests)
    group = draw_groups(world, rng, n_requests)
    for i in range(n_requests):
        component = str(rng.choice(["RED_CELLS", "WHOLE_BLOOD", "PLATELETS"], p=[0.7, 0.15, 0.15]))
        yield {
            "event_id": str(uuid.UUID(int=int(rng.integers(2**62)))),
            "occurred_at": AT,
            "request_id": i,
            "hospital_id": i % 50,
            "blood_group": GROUPS[group[i]],
            "component": component,
            "units_required": int(rng.integers(1, 4)),
            "urgency": str(rng.choice(["LOW", "MEDIUM", "HIGH", "CRITICAL"], p=[0.2, 0.4, 0.3, 0.1])),
            "required_by": AT + int(rng.integers(1, 72)) * 3_600_000_000,
            "request_type": "DIRECTED",
            "district": DISTRICTS[district[i]].name,
            "latitude": float(latitude[i]),
            "longitude": float(longitude[i]),
            "patient_sex": str(rng.choice(["MALE", "FEMALE"])),
            "patient_age": int(rng.integers(0, 90)),
            "patient_anti_d": False,
            "clinician_sign_off": False,
            "top_k": 10,
        }
