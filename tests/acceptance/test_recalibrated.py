"""A recalibrated version is released like any other: the next matches of its district carry it, and its scores."""

from __future__ import annotations

import math

import pytest

from features.vectors import AVAILABILITY, MATCH, MATCH_FEATURES
from tests.acceptance.versions import OTHER, artefacts, other_version
from tests.acceptance.wire import plain
from tests.acceptance.world import DAY, now_us, registration, request
from tests.oracle import worlds
from tests.oracle.worlds import KOCHI

pytestmark = pytest.mark.broker

HERE, ELSEWHERE, SHIFT = "Ernakulam", "Kollam", 0.6
N_DONORS = 12


@pytest.fixture
def models_dir(tmp_path):
    """The artefacts, and beside two of them the same ones, shifted."""
    folder = artefacts(tmp_path)
    for name in (MATCH, AVAILABILITY):
        other_version(folder, name, districts={HERE: SHIFT})
    return folder


def logit(p):
    return math.log(p / (1 - p))


def test_the_next_matches_of_the_district_carry_the_version_and_the_shifted_scores(make_system, models_dir):
    system = make_system(SMARTBLOOD_MODELS_DIR=str(models_dir), SMARTBLOOD_EXPLORING_SHARE="0")
    outsider = system.outsider()
    system.run_all(names=("donor-state", "matching"))
    rng, now = worlds.generator(91), now_us()
    states, answers = outsider.reader("donor-states"), outsider.reader("matches")
    for n in range(N_DONORS):
        profile = registration(rng, n, at=now - 300 * DAY, blood_group="O_POS", sex="MALE")
        outsider.send("donor-registered", n, profile)
    outsider.flush()
    states.until(lambda: len(states.seen["donor-states"]) == N_DONORS, within_s=20, what="the donors' states")

    def ask(request_id, district):
        event = request(rng, request_id, at=now, blood_group="O_POS", district=district)
        event |= {"urgency": "LOW", "component": "RED_CELLS", "units_required": 1, "top_k": 8}
        event |= {"latitude": KOCHI[0], "longitude": KOCHI[1]}
        outsider.send("blood-request-created", request_id, event).get(timeout=20)
        answers.until(lambda: len(answers.seen["matches"]) == request_id, within_s=20, what="the answer")
        (found,) = [
            answer
            for answer in (plain(one.event) for one in answers.seen["matches"])
            if answer["request_id"] == request_id
        ]
        return found

    before = ask(1, HERE)
    assert before["matches"]
    system.command("models", "release", AVAILABILITY, OTHER, "--role", "champion")
    system.command("models", "release", MATCH, OTHER, "--role", "champion")
    after, elsewhere = ask(2, HERE), ask(3, ELSEWHERE)
    of = {one["model"]: one["version"] for one in after["models"]}
    assert (of[MATCH], of[AVAILABILITY]) == (OTHER, OTHER)
    heard = MATCH_FEATURES.index("donor_availability")
    for was, is_now, same in zip(before["matches"], after["matches"], elsewhere["matches"], strict=True):
        assert was["donor_id"] == is_now["donor_id"] == same["donor_id"]
        assert (same["match_score"], same["availability_score"]) == (was["match_score"], was["availability_score"])
        for name in ("match_score", "availability_score"):
            assert logit(is_now[name]) == pytest.approx(logit(was[name]) + SHIFT, abs=1e-3)
        assert is_now["features"][heard] == was["features"][heard] == was["availability_score"]
    system.command("models", "release", MATCH, OTHER, "--role", "retired")
    back = ask(4, HERE)
    assert [one["match_score"] for one in back["matches"]] == [one["match_score"] for one in before["matches"]]
    outsider.close()
    system.stop()
