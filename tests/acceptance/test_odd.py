"""Odd, and lawful: at the ends of every range, with texts and sizes that nobody expects. All of it is answered."""

from __future__ import annotations

import math
import random

import pytest

from tests.acceptance import records
from tests.acceptance.expected import wrong_answers
from tests.acceptance.wire import plain
from tests.acceptance.world import DAY, closing, donation, now_us, registration, request, response
from tests.oracle import worlds
from tests.oracle.test_donor_facts import departures

pytestmark = pytest.mark.broker

LEAST, MOST = -(2**63), 2**63 - 1
BY_DONOR = ("donor-registered", "donation-recorded", "donor-responded")
NUL = "Erna\0kulam"


def odd_registrations(rng, now):
    """Donor → profile."""

    def of(donor_id, **changes):
        return donor_id, registration(rng, donor_id, at=now - 200 * DAY, **changes)

    far = {"joined_at": MOST, "last_whole_blood_at": MOST, "last_apheresis_at": LEAST}
    many = [{"given_at": now - n * DAY, "red_cells_returned": n % 2 == 0} for n in range(3_000)]
    rnd = random.Random(1)
    wide = "".join(chr(rnd.randrange(0x10000, 0x2FFFF)) for _ in range(100_000))
    return dict(
        [
            of(1),
            of(LEAST),
            of(MOST),
            of(-5),
            of(0),
            of(2, **far),
            of(3, joined_at=LEAST, last_whole_blood_at=LEAST),
            of(4, born_on=-(2**31)),
            of(5, born_on=2**31 - 1),
            of(6, weight_kg=math.nan),
            of(7, weight_kg=math.inf),
            of(8, weight_kg=-1.0),
            of(9, total_donations=-(2**31)),
            of(10, total_donations=2**31 - 1),
            of(11, away_until=2**31 - 1),
            of(12, away_until=-(2**31)),
            of(13, recent_apheresis=many),
            of(14, deferrals=[{"rule_item": f"item {n}", "until": n - 500} for n in range(3_000)]),
            of(15, deferrals=[{"rule_item": wide, "until": None}]),
            of(16, deferrals=[{"rule_item": NUL, "until": 2**31 - 1}, {"rule_item": "", "until": -(2**31)}]),
        ]
    )


def odd_requests(rng, now):
    def of(request_id, **changes):
        return request(rng, request_id, at=now - DAY // 24, **changes)

    return [
        of(LEAST, hospital_id=MOST),
        of(MOST, hospital_id=LEAST),
        of(0, hospital_id=0),
        of(21, district=NUL),
        of(22, district=""),
        of(23, district="ñ" * 100_000),
        of(24, latitude=90.0, longitude=-180.0, top_k=1_000),
        of(25, units_required=100, top_k=None, urgency="LOW"),
        of(26, required_by=now - DAY // 24),
        of(27, patient_age=0, patient_sex="UNKNOWN", blood_group="UNKNOWN"),
        of(28, blood_group="OH_NEG", clinician_sign_off=True, component="PLASMA"),
    ]


def test_what_is_odd_and_lawful_is_answered_and_recorded(system, outsider, tables):
    system.run_all()
    rng, now = worlds.generator(77), now_us()
    histories = {}

    def tell(topic, donor_id, event):
        outsider.send(topic, donor_id, event).get(timeout=20)
        histories.setdefault(donor_id, []).append((topic, event, now // 1000))

    for donor_id, profile in odd_registrations(rng, now).items():
        tell("donor-registered", donor_id, profile)
        tell("donor-registered", donor_id, profile | {"event_id": profile["event_id"].upper()})
    tell("donation-recorded", 1, donation(rng, 1, now - 150 * DAY, request_id=MOST, outcome="COMPLETED"))
    again = {"rule_item": NUL, "until": 20_000}
    tell("donation-recorded", 0, donation(rng, 0, now - 140 * DAY, outcome="DEFERRED", deferral=again))
    for wave in (-(2**31), 2**31 - 1):
        tell("donor-responded", 1, response(rng, 1, now - 2 * DAY, LEAST, "NOTIFIED", wave=wave))
    outsider.await_group("donor-state", *BY_DONOR)
    for event in odd_requests(rng, now):
        outsider.send("blood-request-created", event["request_id"], event)
        outsider.send("blood-request-created", event["request_id"], event | {"event_id": event["event_id"].upper()})
    outsider.flush()
    outsider.await_group("matching", "blood-request-created")
    for request_id, units in ((LEAST, 2**31 - 1), (MOST, -(2**31)), (404, 1)):
        outsider.send("blood-request-closed", request_id, closing(rng, request_id, now, units=units))
    outsider.flush()

    reader = outsider.reader(
        *BY_DONOR,
        "blood-request-created",
        "blood-request-closed",
        "donor-states",
        "matches",
        "prediction-logged",
        "dead-letters",
    )
    reader.to_the_end()
    seen = reader.seen
    assert [one.said for one in seen["dead-letters"]] == []
    states = records.latest_states(seen["donor-states"])
    assert states.keys() == histories.keys()
    asked = [one._replace(value=one.value) for one in seen["blood-request-created"]]
    assert wrong_answers(distinct(asked), seen["matches"], seen["donor-states"], ("matches",)) == []
    assert records.once_right(tables, seen, within_s=20) == []
    assert tables.query("SELECT error FROM refused_records") == []
    ordinary = (1, LEAST, MOST, -5, 0)
    assert [line for donor_id in ordinary for line in departures(states[donor_id], histories[donor_id])] == []
    system.stop()


def distinct(asked):
    """Without those that differ in the case of their id alone, which is no difference."""
    found = {}
    for one in asked:
        found.setdefault((one.key, str(plain(one.event)["event_id"]).lower()), one)
    return list(found.values())
