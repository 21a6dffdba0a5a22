from __future__ import annotations

import dataclasses
import json
from collections import Counter, defaultdict
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from consumers.validation import checked
from producers.simulator import LiveDonors, Published, World, simulate
from producers.simulator.law import normal_cdf
from producers.simulator.population import Hidden
from producers.simulator.requests import requests
from producers.simulator.towns import TOWNS
from schemas.catalogue import schema_files
from schemas.codec import Codec
from schemas.records import Record

DAY_US = 86_400_000_000
END = 1_764_000_000_000_000  # 24 November 2025
SMALL = World(n_donors=1500, alerts_per_donor_year=12.0)
POLYGONS = Path("../shared/data/kerala/kerala_districts.geojson")


@pytest.fixture(scope="module")
def history():
    return simulate(SMALL, 7, END)


@pytest.fixture(scope="module")
def published(history):
    return list(history.events(with_requests=True))


def of(published, topic):
    return [line.event for line in published if line.topic == topic]


def test_the_same_seed_gives_the_same_events_and_another_seed_others(published):
    assert list(simulate(SMALL, 7, END).events(with_requests=True)) == published
    other = list(simulate(SMALL, 8, END).events())
    assert {line.event["event_id"] for line in other}.isdisjoint(line.event["event_id"] for line in published)


def test_a_history_that_ends_at_another_instant_has_other_event_ids(published):
    later = islice(simulate(SMALL, 7, END + DAY_US).events(), 1000)
    assert {line.event["event_id"] for line in later}.isdisjoint(line.event["event_id"] for line in published)


def test_events_come_in_order_of_time_and_end_at_the_end(published):
    instants = [line.event["occurred_at"] for line in published]
    assert instants == sorted(instants)
    assert END - 3 * DAY_US < instants[-1] <= END
    assert len({line.event["event_id"] for line in published}) == len(published)


def test_every_event_is_what_the_contract_takes(published):
    codec = Codec()
    for offset, line in enumerate(published):
        value = codec.encode(line.topic, line.event)
        record = Record(line.topic, 0, offset, line.timestamp_ms, line.key.encode(), value)
        assert checked(record, codec.decode(line.topic, value)) == line.event


def test_what_is_hidden_of_donors_is_in_no_schema_and_in_no_event(published):
    hidden = {field.name for field in dataclasses.fields(Hidden)} | {"fatigue", "unanswered", "probability", "kind"}
    for file in schema_files():
        assert hidden.isdisjoint(names_in(file.load()))
    for names in {frozenset(line.event) for line in published}:
        assert hidden.isdisjoint(names)


def names_in(schema):
    if isinstance(schema, dict):
        own = {schema["name"]} if isinstance(schema.get("name"), str) else set()
        return own.union(*(names_in(part) for part in schema.values()))
    if isinstance(schema, list):
        return set().union(*map(names_in, schema))
    return set()


def test_nobody_gives_before_the_law_allows_it(published):
    profiles = {event["donor_id"]: event for event in reversed(of(published, "donor-registered"))}
    given = defaultdict(list)
    barred_until = {}
    for event in of(published, "donation-recorded"):
        donor, at = event["donor_id"], event["occurred_at"]
        if event["outcome"] == "COMPLETED":
            profile = profiles[donor]
            age_years = (at // DAY_US - profile["born_on"]) / 365.25
            assert 18 <= age_years <= 60
            assert not profile["deferrals"]
            assert (at + 19_800_000_000) // DAY_US > barred_until.get(donor, -1)
            given[donor].append((at, event["component"], event["red_cells_returned"]))
        if event["deferral"]:
            until = event["deferral"]["until"]
            barred_until[donor] = max(barred_until.get(donor, -1), 10**9 if until is None else until)
    n_pairs = 0
    for donor, donations in given.items():
        profile = profiles[donor]
        if profile["last_whole_blood_at"] is not None:
            donations.insert(0, (profile["last_whole_blood_at"], "WHOLE_BLOOD", True))
        for i, (later, component, _) in enumerate(donations):
            for earlier, before, returned in donations[:i]:
                n_pairs += 1
                assert later - earlier >= least_days(profile["sex"], before, returned, component) * DAY_US
        apheresis = [at for at, component, _ in donations if component in {"PLATELETS", "PLASMA"}]
        for i, first in enumerate(apheresis):
            assert sum(at < first + 365 * DAY_US for at in apheresis[i:]) <= 24
            assert sum(at < first + 7 * DAY_US for at in apheresis[i:]) <= 2
    assert n_pairs > 500
    assert any(component == "PLATELETS" for donations in given.values() for _, component, _ in donations)


def least_days(sex, before, returned, component):
    if component == "WHOLE_BLOOD":
        if before == "WHOLE_BLOOD":
            return 90 if sex == "MALE" else 120
        return 28 if returned else 90
    return 28 if before == "WHOLE_BLOOD" else 2


def test_profiles_count_what_was_recorded_before_them(published):
    totals, last = {}, {}
    updated = 0
    for line in published:
        event = line.event
        if line.topic == "donor-registered":
            donor = event["donor_id"]
            if donor in totals:
                updated += 1
                assert event["total_donations"] == totals[donor]
                assert event["last_whole_blood_at"] == last[donor]
            totals[donor], last[donor] = event["total_donations"], event["last_whole_blood_at"]
        elif line.topic == "donation-recorded" and event["outcome"] == "COMPLETED":
            totals[event["donor_id"]] += 1
            if event["component"] == "WHOLE_BLOOD":
                last[event["donor_id"]] = event["occurred_at"]
    assert updated > 100


def test_each_alert_goes_its_way_from_notified_to_its_end(published):
    told = defaultdict(list)
    for event in of(published, "donor-responded"):
        told[event["request_id"], event["donor_id"]].append(event["response"])
    settled = {request["request_id"] for request in of(published, "blood-request-created")[:-100]}
    ways = Counter(tuple(way) for (request, _), way in told.items() if request in settled)
    assert set(ways) <= {
        ("NOTIFIED", *opened, *end)
        for opened in ((), ("OPENED",))
        for end in (("ACCEPTED",), ("ACCEPTED", "ARRIVED"), ("DECLINED",), ("EXPIRED",))
    }
    assert ways["NOTIFIED", "OPENED", "ACCEPTED", "ARRIVED"] > 100


def test_alerts_end_in_what_the_oracle_says(history):
    asks = history.asks
    n = asks.gave.size
    assert asks.gave.sum() == pytest.approx(asks.probability.sum(), abs=4 * np.sqrt(asks.probability.sum()))
    high = asks.probability > np.quantile(asks.probability, 0.9)
    assert asks.gave[high].mean() == pytest.approx(asks.probability[high].mean(), abs=0.06)
    assert 0.02 < asks.gave.mean() < 0.12  # 3.7 % broad, 5 to 21 % by an Indian organisation's kinds of donors
    assert n > 10_000


def test_first_time_donors_return_as_those_of_ribeirao_preto():
    world = World(n_donors=6000, alerts_per_donor_year=1.0, joined_within_history_share=0.5, history_days=1200)
    history = simulate(world, 5, END)
    gave = defaultdict(list)
    new = {
        event["donor_id"]
        for event in of(history.events(), "donor-registered")
        if event["total_donations"] == 0 and event["joined_at"] >= history.start
    }
    for event in of(history.events(), "donation-recorded"):
        if event["outcome"] == "COMPLETED" and event["donor_id"] in new:
            gave[event["donor_id"]].append(event["occurred_at"])

    def returned_within(years):
        span = int(years * 365 * DAY_US)
        seen = [at for at in gave.values() if at[0] + span <= END]
        assert len(seen) > 300
        return np.mean([len(at) > 1 and at[1] - at[0] <= span for at in seen])

    assert returned_within(1) == pytest.approx(0.40, abs=0.08)
    assert returned_within(2) == pytest.approx(0.53, abs=0.08)


def test_groups_sexes_and_districts_are_keralas():
    people = simulate(World(n_donors=20_000, history_days=1, alerts_per_donor_year=0.0), 3, END).people
    share = np.bincount(people.group, minlength=11) / people.group.size
    assert share[7] == pytest.approx(0.393, abs=0.02)  # O+
    assert share[8] == pytest.approx(0.023, abs=0.005)  # O-
    assert 0.05 <= np.mean(people.sex == 1) <= 0.08
    assert np.mean(people.district == 4) == pytest.approx(0.123, abs=0.015)  # Malappuram
    assert np.mean(people.hidden.keen) == pytest.approx(0.271, abs=0.02)
    assert len(np.unique(people.h3_cell)) < 0.5 * people.h3_cell.size  # around towns, not spread evenly


@pytest.mark.skipif(not POLYGONS.exists(), reason="the districts' polygons are not here")
def test_donors_live_in_their_districts_and_towns_lie_in_theirs():
    polygons = {
        feature["properties"]["DISTRICT"]: feature["geometry"]
        for feature in json.loads(POLYGONS.read_text("utf-8"))["features"]
    }
    for town in TOWNS:
        assert lies_in(polygons[town.district], town.latitude, town.longitude), town.name
    people = simulate(World(n_donors=1000, history_days=1, alerts_per_donor_year=0.0), 3, END).people
    names = sorted({town.district for town in TOWNS}, key=[town.district for town in TOWNS].index)
    inside = [
        lies_in(polygons[names[people.district[row]]], people.latitude[row], people.longitude[row])
        for row in range(1000)
    ]
    assert np.mean(inside) > 0.8


def lies_in(geometry, latitude, longitude):
    parts = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    return any(lies_in_ring(np.array([point[:2] for point in part[0]]), latitude, longitude) for part in parts)


def lies_in_ring(ring, latitude, longitude):
    x, y = ring[:, 0], ring[:, 1]
    x_before, y_before = np.roll(x, 1), np.roll(y, 1)
    crosses = (y > latitude) != (y_before > latitude)
    with np.errstate(divide="ignore", invalid="ignore"):
        east = (x_before - x) * (latitude - y) / (y_before - y) + x
    return bool(np.count_nonzero(crosses & (longitude < east)) % 2)


def test_requests_come_evenly_at_a_rate_and_else_as_the_world_has_them():
    steady = [line.event["occurred_at"] for line in islice(requests(World(), 1, END, 100.0), 1000)]
    assert steady == [END + i * 10_000 for i in range(1000)]
    by_day = [line.event["occurred_at"] for line in islice(requests(World(), 1, END), 3800)]
    assert by_day == sorted(by_day)
    assert (by_day[-1] - END) / DAY_US == pytest.approx(100, abs=7)


def test_requests_are_lawful_and_shaped_as_the_public_line_has_them():
    codec = Codec()
    lines = list(islice(requests(World(), 1, END, 10.0, first_request_id=500, top_k=10), 4000))
    assert lines == list(islice(requests(World(), 1, END, 10.0, first_request_id=500, top_k=10), 4000))
    for line in lines[:300]:
        record = Record(line.topic, 0, 0, line.timestamp_ms, line.key.encode(), codec.encode(line.topic, line.event))
        assert checked(record, line.event) == line.event
    events = [line.event for line in lines]
    assert [event["request_id"] for event in events] == list(range(500, 4500))
    assert np.mean([event["units_required"] for event in events]) == pytest.approx(1.61, abs=0.06)
    assert {event["top_k"] for event in events} == {10}
    assert len({event["district"] for event in events}) == 14
    assert {event["urgency"] for event in events} == {"LOW", "MEDIUM", "HIGH", "CRITICAL"}


def matches_event(request_id, donor_ids, wave=1):
    offers = [
        {"donor_id": donor_id, "distance_km": 1.0 + donor_id % 7, "blood_group": "O_POS"} for donor_id in donor_ids
    ]
    return {
        "occurred_at": END,
        "request_id": request_id,
        "wave": wave,
        "blood_group": "O_POS",
        "component": "RED_CELLS",
        "district": "Ernakulam",
        "urgency": "HIGH",
        "required_by": END + DAY_US // 2,
        "matches": offers,
    }


def test_live_donors_answer_by_request_and_donor_whatever_else_is_asked(history):
    donors = LiveDonors(history, 9)
    together = donors.answers(matches_event(1, range(1, 200)))
    again = LiveDonors(history, 9)
    again.answers(matches_event(2, range(1, 50)))
    alone = again.answers(matches_event(1, [17]))
    assert [line for line in together if line.event["donor_id"] == 17] == alone
    assert donors.answers(matches_event(1, range(1, 200), wave=2)) != together
    assert LiveDonors(history, 10).answers(matches_event(1, range(1, 200))) != together


def test_live_answers_are_whole_ordered_and_as_the_contract_takes_them(history):
    codec = Codec()
    donors = LiveDonors(history, 9, pace=3600.0)
    lines = [line for request_id in range(20) for line in donors.answers(matches_event(request_id, range(1, 200)))]
    for line in lines:
        assert isinstance(line, Published)
        codec.encode(line.topic, line.event)
        assert line.event["occurred_at"] >= END
    told = Counter(event["response"] for event in of(lines, "donor-responded"))
    outcomes = Counter(event["outcome"] for event in of(lines, "donation-recorded"))
    assert told["NOTIFIED"] == 20 * 199 == told["ACCEPTED"] + told["DECLINED"] + told["EXPIRED"]
    assert told["ACCEPTED"] == outcomes.total()
    assert told["ARRIVED"] == outcomes["COMPLETED"] + outcomes["DEFERRED"]
    assert max(line.event["occurred_at"] for line in lines) <= END + 60_000_000
    assert donors.answers(matches_event(1, [10**9])) == []


def test_the_oracle_of_live_donors_is_the_share_of_lists_for_which_each_gives(history):
    donors, n = LiveDonors(history, 9), 3_000
    probability = donors.gives(matches_event(1, range(1, 41)))
    lines = [line for request_id in range(n) for line in donors.answers(matches_event(request_id, range(1, 41)))]
    gave = Counter(e["donor_id"] for e in of(lines, "donation-recorded") if e["outcome"] == "COMPLETED")
    seen = np.array([gave[donor_id] / n for donor_id in range(1, 41)])
    assert np.abs(seen - probability).max() < 4.5 * np.sqrt(0.25 / n)
    assert seen.mean() == pytest.approx(probability.mean(), abs=0.005)
    assert donors.gives(matches_event(1, [10**9])).size == 0
    late = {**matches_event(1, [1, 2]), "required_by": END}
    assert donors.gives(late).tolist() == [0, 0]


def test_the_normal_distribution_is_close_to_its_table():
    values = normal_cdf(np.array([-1.959964, 0.0, 1.0, 2.326348]))
    assert values == pytest.approx([0.025, 0.5, 0.841345, 0.99], abs=1e-6)
