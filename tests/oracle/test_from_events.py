"""From the events of donors to the lists: both processors in a row, against the oracle on what came."""

import math
from typing import ClassVar

import numpy as np
import pytest

from consumers.donor_state.processor import DonorState
from consumers.driver import Driver
from consumers.matching.processor import Matching
from features.vectors import MATCH_FEATURES
from schemas.codec import Codec
from tests.fading import panel_of
from tests.oracle import donors, matches, worlds
from tests.oracle.worlds import DAY, NOON


class NearestScorer:
    """Scores by distance alone, which no rate of a donor has a say in."""

    name, version, sha256, features = "donor_seeker_match", "nearest", "0" * 64, MATCH_FEATURES
    districts: ClassVar[dict[str, float]] = {}

    def predict(self, rows):
        return np.floor(50 / (1 + rows[:, 1] / 10)) / 50


def score(_request, _at, _donor, _tier, km):
    return math.floor(50 / (1 + km / 10)) / 50


def state_of(donor_id, history):
    """What the oracle for donors knows, as the oracle for lists takes it; None where nobody is registered."""
    known = donors.facts(history)
    if known["registered_at"] is None:
        return None
    return known | {
        "donor_id": donor_id,
        "last_unreturned_apheresis_at": max((at for at, back in known["apheresis"].items() if not back), default=None),
        "apheresis": [{"given_at": at, "red_cells_returned": back} for at, back in known["apheresis"].items()],
        "deferrals": [
            {"rule_item": item, "until": None if until == math.inf else until} for item, until in known["deferrals"]
        ],
        "promises": [{"request_id": of, "promised_at": at} for of, at in known["promises"].items()],
        "asked": [{"request_id": of, "responded_at": at} for of, at in known["asked"].items()],
    }


@pytest.mark.parametrize(
    ("seed", "n_donors"), [(0, 300), *(pytest.param(seed, 2_000, marks=pytest.mark.soak) for seed in range(1, 9))]
)
def test_lists_follow_from_what_came_of_donors(seed, n_donors):
    rng = worlds.generator(63, seed)
    histories = {of: worlds.history(rng, of, int(rng.integers(1, 12))) for of in range(1, n_donors + 1)}
    known = [state for of, history in histories.items() if (state := state_of(of, history)) is not None]
    codec = Codec()
    driver = Driver([DonorState(codec), Matching(codec, panel_of(NearestScorer()))], n_partitions=3)
    for donor_id, history in histories.items():
        for topic, event, timestamp_ms in history:
            driver.send(topic, str(donor_id), event, timestamp_ms=timestamp_ms)
    driver.run(batch_size=50)
    # The ids of few requests, so that donors are asked for them and promised to others; as of when most events are.
    wanted = {}
    for request_id in range(1, 6):
        for _ in range(12):
            at = NOON + int(rng.integers(-2, 9)) * DAY // 4
            request = worlds.request(rng, request_id, at=at) | {"required_by": at + DAY}
            wanted[request["event_id"]] = request
    in_turn = sorted(wanted.values(), key=lambda one: (one["occurred_at"], one["event_id"]))
    for request in in_turn:
        driver.send("blood-request-created", str(request["request_id"]), request)
        driver.run()
    assert driver.records("dead-letters") == []
    assert driver.alarms == []
    expected = {}
    for request_id in range(1, 6):
        records = [("blood-request-created", one, 0) for one in in_turn if one["request_id"] == request_id]
        expected |= {one.request_event_id: one for one in matches.answers(records, known, score)}
    found = {record["request_event_id"]: record for record in driver.events("matches")}
    assert found.keys() == expected.keys()
    wrong = {of: matches.departures(expected[of], wanted[of], found[of]) for of in wanted}
    assert {of: lines for of, lines in wrong.items() if lines} == {}
    assert sum(bool(record["matches"]) for record in found.values()) > 20
