"""Whole lists: random donors and requests through the matching processor, against the oracle, field by field."""

import math
from typing import ClassVar

import numpy as np
import pytest

from consumers.driver import Driver
from consumers.matching.processor import Matching
from features.vectors import MATCH_FEATURES
from schemas.codec import Codec
from tests.fading import panel_of
from tests.oracle import matches, worlds
from tests.oracle.worlds import DAY, NOON

HOUR = DAY // 24
IN_TURN = {"blood-request-closed": 0, "blood-request-created": 1, "match-requested": 2}

# Where in the world, and how far apart in degrees; also where longitudes and latitudes end.
PLACES = [
    ((9.98, 76.28), 0.03),
    ((9.98, 76.28), 0.2),
    ((9.98, 76.28), 1.0),
    ((0.0, 179.99), 0.4),
    ((-89.7, 10.0), 0.2),
]


class CoarseScorer:
    """Scores in steps of a fiftieth, so that distance and id decide too; the same in arrays and in single numbers."""

    name, version, sha256, features = "donor_seeker_match", "coarse", "0" * 64, MATCH_FEATURES
    districts: ClassVar[dict[str, float]] = {}

    def predict(self, rows):
        tier, km, availability, days, reliability, urgency, units, _ = rows.T
        recent = np.where(np.isnan(days), 0.0, np.minimum(days, 365.0))
        worth = tier * 0.02 + availability * 0.2 + reliability * 0.2 + 0.1 / (1 + km) + recent / 5000 + urgency / 100
        return np.floor(worth * (1.0 + units / 1000) * 50) / 50


def score(request, at, donor, tier, km):
    """What the scorer above says of a donor, from the facts."""
    given = [donor["last_whole_blood_at"], *(one["given_at"] for one in donor["apheresis"])]
    given = [one for one in given if one is not None]
    recent = min(max(at - max(given), 0) / DAY, 365.0) if given else 0.0
    availability, reliability = donor["availability_score"], donor["reliability_score"]
    urgency = worlds.URGENCIES.index(request["urgency"]) + 1
    worth = (4 - tier) * 0.02 + availability * 0.2 + reliability * 0.2 + 0.1 / (1 + km) + recent / 5000 + urgency / 100
    return math.floor(worth * (1.0 + request["units_required"] / 1000) * 50) / 50


def asked_of(rng, request_id, centre, spread):
    """What is said of one request, in the order in which it is said: statements, corrections, closings, repeats."""
    stated = worlds.request(rng, request_id, centre=centre, spread=spread)
    records = [("blood-request-created", stated)]
    versions = [stated]
    for _ in range(int(worlds.pick(rng, [0, 1, 3], [3, 2, 1]))):
        head = {"event_id": worlds.event_id(rng), "occurred_at": NOON + int(rng.integers(-3, 6)) * HOUR}
        kind = worlds.pick(rng, ["created", "closed", "requested", "preview", "repeat"])
        if kind == "created":
            version = worlds.pick(rng, versions) | head | {"required_by": head["occurred_at"] + DAY}
            versions.append(version)
            records.append(("blood-request-created", version))
        elif kind == "closed":
            closing = {"request_id": request_id, "outcome": "FULFILLED", "units_fulfilled": 1}
            records.append(("blood-request-closed", head | closing))
        elif kind == "repeat":
            records.append(worlds.pick(rng, records))
        else:
            wanted = {"request": worlds.pick(rng, versions), "recorded": kind == "requested"}
            records.append(("match-requested", head | wanted))
    return [(topic, event, event["occurred_at"] // 1000 + 1) for topic, event in records]


def states_of(rng, donors, centre, spread):
    """New states of some donors: moved, gave, erased or new."""
    return [worlds.donor_state(rng, int(donor_id), centre=centre, spread=spread) for donor_id in donors]


def departures(seed, n_donors, n_requests):
    """Play a world in three acts, donors changing between them; return what departs from the oracle, and all else."""
    rng = worlds.generator(62, seed)
    centre, spread = PLACES[seed % len(PLACES)]
    driver = Driver([Matching(Codec(), panel_of(CoarseScorer()))])
    known, said = {}, {}
    expected, request_of = [], {}
    for act in range(3):
        changed = rng.integers(1, n_donors + 1, size=n_donors if act == 0 else n_donors // 10)
        for state in states_of(rng, changed, centre, spread):
            known[state["donor_id"]] = state
            driver.send("donor-states", str(state["donor_id"]), state)
        for request_id in range(1 + act * n_requests, 1 + (act + 1) * n_requests):
            said[request_id] = []
            records = asked_of(rng, request_id, centre, spread / 2)
            for topic, event, timestamp_ms in records:
                driver.send(topic, str(request_id), event, timestamp_ms=timestamp_ms)
            records.sort(key=lambda record: IN_TURN[record[0]])  # within an act all is taken in at once
            written = matches.answers(records, list(known.values()), score)
            expected += written
            request_of |= {
                event["event_id"]: event["request"] if topic == "match-requested" else event
                for topic, event, _ in records
            }
        driver.run(batch_size=int(rng.integers(1, 30)))
    assert driver.alarms == []
    assert driver.records("dead-letters") == []
    records = {record["request_event_id"]: record for topic in TOPICS for record in driver.events(topic)}
    assert len(records) == sum(len(driver.events(topic)) for topic in TOPICS) == len(expected)
    wrong = {
        one.request_event_id: found
        for one in expected
        if (
            found := matches.departures(
                one, request_of[one.request_event_id], records.get(one.request_event_id, {"matches": []})
            )
        )
    }
    return wrong, expected, list(records.values())


TOPICS = ["matches", "match-previews"]


@pytest.mark.parametrize("seed", range(len(PLACES)))
def test_every_list_is_the_oracles(seed):
    wrong, expected, records = departures(seed, n_donors=600, n_requests=25)
    assert wrong == {}
    assert sum(bool(record["matches"]) for record in records) > 15, "lists of nobody would show little"
    assert sum(one.empty is not None for one in expected) > 5


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 140))
def test_every_list_is_the_oracles_in_larger_worlds(seed):
    wrong, _, _ = departures(seed, n_donors=1_500, n_requests=60)
    assert wrong == {}
