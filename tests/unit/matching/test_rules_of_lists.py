from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from features.priors import AVAILABILITY, RELIABILITY
from features.response_time import BOUNDS_MINUTES
from features.vectors import FEATURES
from tests.unit.matching.world import (
    AT,
    DAY_US,
    HOUR_US,
    KOCHI,
    World,
    again,
    cell_north_of,
    donors_of,
    request,
    state,
)

TODAY = (AT + 19_800_000_000) // DAY_US


@pytest.mark.parametrize(
    ("why", "changes"),
    [
        ("another group", {"blood_group": "A_POS"}),
        ("unknown group", {"blood_group": "UNKNOWN"}),
        ("not contactable", {"contactable": False}),
        ("away until today", {"away_until": TODAY}),
        ("too light", {"weight_kg": 44.9}),
        ("weight unknown", {"weight_kg": None}),
        ("gave 89 days ago", {"last_whole_blood_at": AT - 89 * DAY_US, "total_donations": 1}),
        ("deferred until today", {"deferrals": [{"rule_item": "item 60", "until": TODAY}]}),
        ("deferred for ever", {"deferrals": [{"rule_item": "item 40", "until": None}]}),
        ("promised elsewhere", {"promises": [{"request_id": 99, "promised_at": AT - DAY_US}]}),
        ("promised elsewhere later", {"promises": [{"request_id": 99, "promised_at": AT + HOUR_US}]}),
        (
            "promised here, and elsewhere before",
            {"promises": [{"request_id": n, "promised_at": AT - HOUR_US * n} for n in (1, 99 % 23)]},
        ),
        ("asked for this request", {"asked": [{"request_id": 1, "responded_at": AT - 7 * DAY_US}]}),
        ("erased", {"erased_at": AT - DAY_US, "registered_at": None}),
        ("never registered", {"registered_at": None}),
        ("cell of another resolution", {"h3_cell": 5}),
        ("endless alerts", {"alerts_decayed": float("inf")}),
        ("more acceptances than alerts", {"alerts_decayed": 2.0, "acceptances_decayed": 2.1}),
        ("fewer promises than none", {"promises_decayed": -1.0, "kept_decayed": -2.0}),
    ],
)
def test_a_donor_who_may_not_be_asked_is_in_no_list(why, changes):
    assert donors_of(World(state(1, **changes), state(2)).answer(request())) == [2], why


@pytest.mark.parametrize(
    ("why", "changes"),
    [
        ("away until yesterday", {"away_until": TODAY - 1}),
        ("gave 90 days ago", {"last_whole_blood_at": AT - 90 * DAY_US, "total_donations": 1}),
        ("deferred until yesterday", {"deferrals": [{"rule_item": "item 60", "until": TODAY - 1}]}),
        ("promised too long ago", {"promises": [{"request_id": 99, "promised_at": AT - DAY_US - 1}]}),
        ("promised for this request", {"promises": [{"request_id": 1, "promised_at": AT - HOUR_US}]}),
        ("asked for this request too long ago", {"asked": [{"request_id": 1, "responded_at": AT - 7 * DAY_US - 1}]}),
        ("asked for another request", {"asked": [{"request_id": 2, "responded_at": AT - HOUR_US}]}),
        ("not willing to give by apheresis", {"apheresis_willing": False}),
    ],
)
def test_a_donor_who_may_be_asked_is_in_the_list(why, changes):
    assert donors_of(World(state(1, **changes)).answer(request())) == [1], why


def test_platelets_are_asked_of_the_willing_under_the_rules_of_apheresis():
    willing = {"apheresis_willing": True}
    world = World(
        state(1),
        state(2, **willing),
        state(3, weight_kg=49.0, **willing),
        state(4, last_whole_blood_at=AT - 28 * DAY_US, total_donations=1, **willing),
        state(5, last_whole_blood_at=AT - 28 * DAY_US + 1, total_donations=1, **willing),
    )
    answer = world.answer(request(component="PLATELETS"))
    assert sorted(donors_of(answer)) == [2, 4]
    assert (answer["n_considered"], answer["n_compatible"], answer["n_eligible"], answer["n_askable"]) == (5, 5, 3, 2)


def test_a_donor_must_be_eligible_until_required_by():
    turns_66 = state(1, born_on=_birthday_in(days=2, years=65) - 1, total_donations=3)
    assert donors_of(World(turns_66).answer(request(required_by=AT + 3 * HOUR_US))) == [1]
    assert donors_of(World(turns_66).answer(request(required_by=AT + 3 * DAY_US))) == []


def _birthday_in(*, days: int, years: int) -> int:
    day = dt.date(1970, 1, 1) + dt.timedelta(days=TODAY + days)
    return (day.replace(year=day.year - years) - dt.date(1970, 1, 1)).days


def test_counts_narrow_from_considered_to_askable():
    world = World(
        state(1, blood_group="A_POS"),
        state(2, blood_group="UNKNOWN"),
        state(3, weight_kg=40.0),
        state(4, contactable=False),
        state(5),
    )
    answer = world.answer(request())
    assert (answer["n_considered"], answer["n_compatible"], answer["n_eligible"], answer["n_askable"]) == (5, 3, 2, 1)


@pytest.mark.parametrize(
    ("n_near", "n_far", "changes", "reach_km"),
    [
        (20, 5, {}, 5.0),
        (19, 5, {}, 10.0),
        (10, 5, {}, 50.0),
        (10, 5, {"urgency": "CRITICAL"}, 35.0),
        (1, 0, {"units_required": 1}, 50.0),
        (1, 0, {"units_required": 2}, 250.0),
        (1, 0, {"units_required": 2, "urgency": "CRITICAL"}, 250.0),
        (25, 0, {"top_k": None}, 50.0),
        (25, 0, {"top_k": 1}, 5.0),
    ],
)
def test_the_reach_is_the_first_ring_with_enough_askable_donors(n_near, n_far, changes, reach_km):
    near = [state(n) for n in range(n_near)]
    far = [state(100 + n, h3_cell=cell_north_of(KOCHI, 8)) for n in range(n_far)]
    answer = World(*near, *far).answer(request(**changes))
    assert answer["reach_km"] == reach_km
    assert answer["n_considered"] == n_near + (n_far if reach_km > 8 else 0)


def test_beyond_the_last_ring_it_stops_at_100_km_where_that_is_enough():
    answer = World(state(1), state(2, h3_cell=cell_north_of(KOCHI, 80))).answer(request(units_required=2))
    assert (answer["reach_km"], donors_of(answer)) == (100.0, [1, 2])
    assert World(state(1, h3_cell=cell_north_of(KOCHI, 80))).answer(request(units_required=1))["reach_km"] == 100.0


def test_the_order_is_class_then_score_then_distance_then_id():
    world = World(
        state(1, blood_group="O_NEG", availability_score=0.9),
        state(2, availability_score=0.2),
        state(5, availability_score=0.4),
        state(4, availability_score=0.4),
        state(3, availability_score=0.4, h3_cell=cell_north_of(KOCHI, 2)),
    )
    answer = world.answer(request())
    assert donors_of(answer) == [4, 5, 3, 2, 1]
    assert [match["rank"] for match in answer["matches"]] == [1, 2, 3, 4, 5]
    assert [match["compatibility_tier"] for match in answer["matches"]] == [1, 1, 1, 1, 2]


def test_a_list_holds_top_k_donors_and_the_best_of_them():
    world = World(*(state(n, availability_score=n / 1000) for n in range(900)))
    assert donors_of(world.answer(request(top_k=10))) == list(range(899, 889, -1))
    assert len(donors_of(world.answer(request(2, top_k=1000)))) == 900


def test_the_model_scores_at_least_256_of_each_class_that_the_list_reaches():
    world = World(
        *(state(n) for n in range(300)),
        *(state(1000 + n, blood_group="O_NEG") for n in range(300)),
    )
    world.answer(request(top_k=10))
    world.answer(request(2, top_k=250))
    world.answer(request(3, top_k=301))
    assert [len(rows) for rows in world.scorer.calls] == [256, 300, 600]


def test_an_open_number_of_donors_fills_the_units_with_nine_tenths_certainty():
    # Facts: at p = 0.10 one unit needs 22 donors, two need 38.
    donors = [state(n, availability_score=0.1, reliability_score=1.0) for n in range(250)]
    for units, n_donors in ((1, 22), (2, 38)):
        answer = World(*donors).answer(request(top_k=None, units_required=units))
        assert answer["matches"][0]["match_score"] == pytest.approx(0.1, abs=0.01)
        assert abs(len(donors_of(answer)) - n_donors) <= 1
    assert len(donors_of(World(*donors).answer(request(top_k=None, units_required=100)))) == 200


def test_a_match_says_what_it_is_made_of():
    donor = state(
        456,
        total_donations=8,
        last_whole_blood_at=AT - 202 * DAY_US,
        n_alerts=6,
        n_answers=4,
        response_time_hours=1.4,
        h3_cell=cell_north_of(KOCHI, 3),
    )
    world = World(donor)
    answer = world.answer(request())
    (match,) = answer["matches"]
    left = 0.5 ** (30 / 365)  # of what was known 30 days ago
    rate = (AVAILABILITY.alpha + 4 * left) / (AVAILABILITY.trials + 6 * left)
    assert (match["availability_score"], match["reliability_score"]) == (round(rate, 6), round(RELIABILITY.mean, 6))
    seen = match["availability_score"], match["reliability_score"]
    assert match["features"] == [3.0, match["distance_km"], seen[0], 202.0, seen[1], 3.0, 2.0, pytest.approx(6 * left)]
    answered = 1 - 0.75 ** np.arange(13)  # a quarter of those who wait, in each stretch of time
    hours = np.interp(answered[-1] / 2, answered, np.array(BOUNDS_MINUTES) / 60)
    assert match["response_time_hours"] == pytest.approx(hours, abs=1e-4)
    assert match["features"] == world.scorer.calls[0][0].tolist()
    assert match["match_score"] == round(float(world.scorer.predict(np.array([match["features"]]))[0]), 6)
    assert match["distance_km"] == round(match["distance_km"], 2)
    assert 2 < match["distance_km"] < 4
    assert 0 < match["confidence"] < 1
    assert match["reasons"] == [
        "same group",
        "gave 8 times",
        f"{match['distance_km']:.1f} km",
        "may give since 1 June 2026",
        "usually answers within 2 hours",
    ]
    assert (match["explored"], match["propensity"]) == (False, 1.0)
    assert answer["models"] == [{"model": name, "version": "test-1", "sha256": "0" * 64} for name in FEATURES]
    assert answer["rule_set_version"] == "india-2020.1"
    assert answer["donor_state_offsets"] == [{"partition": 0, "next_offset": 1}]


def test_the_end_of_a_deferral_is_not_told():
    deferred = state(
        1,
        total_donations=1,
        last_whole_blood_at=AT - 202 * DAY_US,
        deferrals=[{"rule_item": "item 60", "until": TODAY - 5}],
    )
    (match,) = World(deferred).answer(request())["matches"]
    assert not any("since" in reason for reason in match["reasons"])


def test_donors_of_tier_3_are_offered_on_sign_off_alone():
    patient = {"blood_group": "O_NEG", "patient_sex": "MALE", "patient_age": 60}
    world = World(state(1))
    refused = world.answer(request(**patient))
    assert (donors_of(refused), refused["n_compatible"]) == ([], 0)
    (match,) = world.answer(request(2, clinician_sign_off=True, **patient))["matches"]
    assert (match["compatibility_tier"], match["features"][0]) == (3, 1.0)


@pytest.mark.parametrize(
    ("donors", "changes", "words"),
    [
        ([], {}, "no donor is registered within 250 km"),
        ([state(1, blood_group="A_POS")], {}, "nobody within 250 km has a compatible group"),
        ([state(1, weight_kg=40.0)], {}, "nobody of a compatible group within 250 km is eligible"),
        ([state(1, contactable=False)], {}, "nobody is askable within 250 km"),
        ([state(1, apheresis_willing=False)], {"component": "PLATELETS"}, "not willing to give by apheresis, away"),
        ([state(1)], {"blood_group": "UNKNOWN", "component": "PLATELETS"}, "typed first"),
    ],
)
def test_an_empty_list_says_what_stands_in_the_way(donors, changes, words):
    answer = World(*donors).answer(request(**changes))
    assert donors_of(answer) == []
    assert words in answer["empty_because"]
    assert answer["reach_km"] == 250.0


def test_a_wave_asks_others_than_the_wave_before():
    world = World(state(1), state(2))
    first = request(units_required=1, top_k=1)
    assert donors_of(world.answer(first)) == [1]
    world.know(state(1, asked=[{"request_id": 1, "responded_at": AT + 60_000_000}]))
    answer = world.answer(again(first))
    assert (donors_of(answer), answer["wave"]) == ([2], 2)


def test_a_donor_who_moves_changes_group_or_is_erased_is_found_as_the_latest_state_says():
    world = World(state(1), state(2), state(3))
    assert donors_of(world.answer(request(1))) == [1, 2, 3]
    world.know(state(1, h3_cell=cell_north_of(KOCHI, 9)), state(2, blood_group="B_POS"), state(3, registered_at=None))
    assert donors_of(world.answer(request(2))) == [1]
    world.know(state(3), state(2))
    assert donors_of(world.answer(request(3))) == [2, 3, 1]
    world.driver.send("donor-states", "2", None, timestamp_ms=0)
    assert donors_of(world.answer(request(4))) == [3, 1]


def test_what_cannot_be_read_of_donor_states_alarms_and_changes_nothing():
    world = World(state(1))
    for value in (b"", b"\0\0\0\0\1x", b"\0\0\x0fBJ\xff", world.driver._codec.encode("donor-states", state(2))):
        world.driver.send("donor-states", "1", value, timestamp_ms=0)
    world.driver.send("donor-states", "x", state(3))
    assert donors_of(world.answer(request())) == [1]
    assert len(world.driver.alarms) == 5


def test_warming_up_answers_a_request_and_leaves_nothing_behind():
    world = World(state(1))
    world.matching.warm()
    assert len(world.scorer.calls) == 1
    assert world.matching.index.n_donors == 0
    assert world.answer(request())["wave"] == 1
