"""A recalibrated version shifts the scores of its districts' requests, and nothing else."""

from __future__ import annotations

import math

import pytest

from features.vectors import AVAILABILITY, MATCH_FEATURES, RESPONSE_TIME
from tests.fading import Column
from tests.unit.matching.test_releases import KOCHI, release
from tests.unit.matching.world import PlainScorer, World, cell_north_of, donors_of, request, state

HERE, ELSEWHERE, SHIFT = "Ernakulam", "Kollam", -0.7


class Shifted(PlainScorer):
    districts = {HERE: SHIFT}  # noqa: RUF012 - nobody changes it
    version, sha256 = "2", "2" * 64


class ShiftedColumn(Column):
    districts = {HERE: SHIFT}  # noqa: RUF012
    version, sha256 = "2", "2" * 64


VERSIONS = {
    "donor_seeker_match": Shifted(),
    AVAILABILITY: ShiftedColumn(AVAILABILITY, "response_rate"),
    RESPONSE_TIME: ShiftedColumn(RESPONSE_TIME, 0.25),
}


def world():
    states = [
        state(donor_id, h3_cell=cell_north_of(KOCHI, donor_id), **rates(0.2 + 0.01 * donor_id))
        for donor_id in range(1, 41)
    ]
    return World(*states, load=lambda released: VERSIONS[released.model])


def rates(says_yes):
    return {"alerts_decayed": 1e8, "acceptances_decayed": says_yes * 1e8, "promises_decayed": 1e8, "kept_decayed": 8e7}


def logit(p):
    return math.log(p / (1 - p))


def scores(answer, name="match_score"):
    return [match[name] for match in answer["matches"]]


def test_scores_of_the_district_are_shifted_sizes_follow_and_the_order_stays():
    one = world()
    asked = {"top_k": None, "units_required": 1}
    before = one.answer(request(1, district=HERE, **asked))
    release(one, "2", "CHAMPION")
    after = one.answer(request(2, district=HERE, **asked))
    same = one.answer(request(3, district=ELSEWHERE, **asked))
    nowhere = one.answer(request(4, district="Atlantis", **asked))
    assert scores(same) == scores(nowhere) == scores(before)
    assert len(after["matches"]) > len(before["matches"])  # less is expected of each: more are asked
    assert donors_of(after)[: len(before["matches"])] == donors_of(before)
    for was, is_now in zip(scores(before), scores(after), strict=False):
        assert logit(is_now) == pytest.approx(logit(was) + SHIFT, abs=1e-4)
    assert {one["version"] for one in after["models"] if one["model"] == "donor_seeker_match"} == {"2"}


def test_the_match_hears_what_availability_learned_and_the_offer_tells_what_it_says_now():
    one = world()
    before = one.answer(request(1, district=HERE))
    release(one, "2", "CHAMPION", model=AVAILABILITY)
    release(one, "2", "CHAMPION", model=RESPONSE_TIME)
    after = one.answer(request(2, district=HERE))
    heard = MATCH_FEATURES.index("donor_availability")
    assert scores(after) == scores(before)
    for was, is_now in zip(before["matches"], after["matches"], strict=True):
        assert is_now["features"][heard] == was["availability_score"]
        told = is_now["availability_score"]
        assert logit(told) == pytest.approx(logit(was["availability_score"]) + SHIFT, abs=1e-4)
        assert is_now["response_time_hours"] > was["response_time_hours"]


def test_requests_of_a_batch_are_shifted_each_by_its_own_district():
    one = world()
    release(one, "2", "CHAMPION")
    alone = [one.answer(request(n, district=place)) for n, place in enumerate((HERE, ELSEWHERE, HERE), 1)]
    two = world()
    release(two, "2", "CHAMPION")
    for n, place in enumerate((HERE, ELSEWHERE, HERE), 1):
        two.driver.send("blood-request-created", str(n), request(n, district=place))
    two.driver.run(batch_size=100)
    together = sorted(two.driver.events("matches"), key=lambda answer: answer["request_id"])
    assert [repr(answer["matches"]) for answer in together] == [repr(answer["matches"]) for answer in alone]


def test_a_challenger_shifts_only_what_it_answers_and_a_shadow_tells_what_it_would_say():
    one = world()
    release(one, "2", "SHADOW")
    here, elsewhere = one.answer(request(1, district=HERE)), one.answer(request(2, district=ELSEWHERE))
    for match in here["matches"]:
        (said,) = match["shadow_scores"]
        assert logit(said["score"]) == pytest.approx(logit(match["match_score"]) + SHIFT, abs=1e-4)
    assert [match["shadow_scores"][0]["score"] for match in elsewhere["matches"]] == scores(elsewhere)
    release(one, "2", "CHALLENGER", share=0.5)
    answers = [one.answer(request(n, district=HERE)) for n in range(3, 23)]
    by_version = {version: {tuple(scores(answer)) for answer in answers if of(answer) == version} for version in "2t"}
    assert by_version == {
        "2": {tuple(m["shadow_scores"][0]["score"] for m in here["matches"])},
        "t": {tuple(scores(here))},
    }


def of(answer):
    return next(one["version"][0] for one in answer["models"] if one["model"] == "donor_seeker_match")
