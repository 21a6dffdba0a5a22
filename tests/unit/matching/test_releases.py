"""Versions of the model that are released while the stream runs: who answers, who watches, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from features.scoring import ModelRefusedError
from features.vectors import AVAILABILITY, FEATURES, MATCH_FEATURES, RELIABILITY, RESPONSE_TIME
from schemas.codec import Codec
from tests.fading import Column
from tests.unit.matching.world import AT, PlainScorer, World, again, cell_north_of, donors_of, id_of, request, state

KOCHI = (9.9816, 76.2999)


class FarScorer(PlainScorer):
    """The farther the better, whatever else."""

    def __init__(self, version: str) -> None:
        super().__init__()
        self.version = version
        self.sha256 = version * 64

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return rows[:, 1] / 100


class WiderScorer(FarScorer):
    features = (*MATCH_FEATURES, "shoe_size")


class Constant(Column):
    """Says the same of everybody."""

    def __init__(self, name: str, says: float) -> None:
        super().__init__(name, says)
        self.version, self.sha256 = "2", "2" * 64


OTHERS = {
    AVAILABILITY: Constant(AVAILABILITY, 0.75),
    RELIABILITY: Constant(RELIABILITY, 0.5),
    RESPONSE_TIME: Constant(RESPONSE_TIME, 1.0),
}
SCORERS = {"2": FarScorer("2"), "3": FarScorer("3"), "9": WiderScorer("9")}


def load(release):
    if release.model in OTHERS:
        return OTHERS[release.model]
    if release.version not in SCORERS or release.sha256 != SCORERS[release.version].sha256:
        reason = "its file isn't there"
        raise ModelRefusedError(reason)
    return SCORERS[release.version]


def world(*states, **settings):
    return World(*(states or donors()), load=load, **settings)


def donors(n=4):
    return [state(donor_id, h3_cell=cell_north_of(KOCHI, donor_id)) for donor_id in range(1, n + 1)]


def release(of: World, version: str, role: str, *, share=0.0, model="donor_seeker_match", event_id=None, sha256=None):
    release.n += 1
    event = {
        "event_id": event_id or id_of(f"release {release.n}"),
        "occurred_at": AT,
        "model": model,
        "version": version,
        "sha256": version * 64 if sha256 is None else sha256,
        "role": role,
        "share": share,
    }
    of.driver.send("model-released", f"{model}/{version}", event)


release.n = 0


def version_of(answer, model="donor_seeker_match"):
    assert [one["model"] for one in answer["models"]] == list(FEATURES)
    (version,) = [one["version"] for one in answer["models"] if one["model"] == model]
    return version


def test_a_champion_answers_from_the_next_batch_on_and_names_itself():
    one = world()
    first = one.answer(request(1))
    assert (version_of(first), donors_of(first)) == ("test-1", [1, 2, 3, 4])
    release(one, "2", "CHAMPION")
    second = one.answer(request(2))
    assert second["models"][0] == {"model": "donor_seeker_match", "version": "2", "sha256": "2" * 64}
    assert donors_of(second) == [4, 3, 2, 1]
    assert [(one.name, one.version, role) for one, role in one.matching.models.in_use()] == [
        ("donor_seeker_match", "2", "champion"),
        *((name, "test-1", "champion") for name in list(FEATURES)[1:]),
    ]


def test_retiring_a_champion_brings_back_the_one_before_and_at_last_the_default():
    one = world()
    versions = []
    for n, (version, role) in enumerate(
        [("2", "CHAMPION"), ("3", "CHAMPION"), ("3", "RETIRED"), ("2", "RETIRED"), ("3", "CHAMPION"), ("2", "CHAMPION")]
    ):
        release(one, version, role)
        versions.append(version_of(one.answer(request(n + 1))))
    assert versions == ["2", "3", "2", "test-1", "3", "2"]


def test_the_champion_is_the_one_released_last_by_offset():
    one = world()
    release(one, "3", "CHAMPION")
    release(one, "2", "CHAMPION")
    release(one, "3", "CHAMPION")
    assert version_of(one.answer(request())) == "3"


def test_a_release_that_is_repeated_is_no_second_word():
    one = world()
    release(one, "3", "CHAMPION", event_id=id_of("twice"))
    release(one, "2", "CHAMPION")
    release(one, "3", "CHAMPION", event_id=id_of("twice"))
    assert version_of(one.answer(request())) == "2"


@pytest.mark.parametrize("version", ["7", "9"], ids=["missing", "other features"])
def test_a_version_that_cannot_be_used_leaves_the_one_before(version):
    one = world()
    release(one, "2", "CHAMPION")
    one.answer(request(1))
    release(one, version, "CHAMPION")
    release(one, version, "SHADOW", model="demand_forecast")
    assert version_of(one.answer(request(2))) == "2"
    assert version_of(one.answer(request(3))) == "2"
    assert list(one.matching.models.refused) == [("donor_seeker_match", version)]
    (alarm,) = one.matching.alarms
    assert f"donor_seeker_match {version} is refused" in alarm
    release(one, version, "RETIRED")
    one.answer(request(4))
    assert one.matching.models.refused == {}


def test_challengers_answer_their_share_of_the_requests_and_each_request_always_the_same():
    one = world()
    release(one, "2", "CHALLENGER", share=0.3)
    release(one, "3", "CHALLENGER", share=0.2)
    for n in range(1, 401):
        one.driver.send("blood-request-created", str(n), request(n))
    one.driver.run(batch_size=100)
    by_request = {answer["request_id"]: answer for answer in one.driver.events("matches")}
    answering = [by_request[n] for n in range(1, 401)]
    shares = {version: sum(version_of(answer) == version for answer in answering) / 400 for version in "23"}
    # 400 draws: a standard deviation of 0.023 and 0.020
    assert shares["2"] == pytest.approx(0.3, abs=0.09)
    assert shares["3"] == pytest.approx(0.2, abs=0.08)
    for n in range(1, 61):
        one.driver.send("match-requested", str(n), again(request(n)))
    one.driver.run(batch_size=7)
    second = {answer["request_id"]: answer for answer in one.driver.events("matches") if answer["wave"] == 2}
    assert len(second) == 60
    for n, answer in enumerate(answering[:60], 1):
        assert version_of(second[n]) == version_of(answer)
        assert donors_of(answer) == ([1, 2, 3, 4] if version_of(answer) == "test-1" else [4, 3, 2, 1])


def test_a_batch_answered_by_several_versions_is_as_if_answered_one_by_one():
    def answers(batch_size):
        one = world()
        release(one, "2", "CHALLENGER", share=0.5)
        release(one, "3", "SHADOW")
        for n in range(1, 31):
            one.driver.send("blood-request-created", str(n), request(n, urgency="LOW", top_k=None if n % 3 else 3))
        one.driver.run(batch_size=batch_size)
        return sorted(({**found, "donor_state_offsets": []} for found in one._answers()), key=lambda it: it["event_id"])

    assert repr(answers(30)) == repr(answers(1))


def test_shadows_say_what_they_think_and_move_no_rank():
    one, alone = world(), world()
    release(one, "2", "SHADOW")
    release(one, "3", "SHADOW")
    answer = one.answer(request())
    assert donors_of(answer) == donors_of(alone.answer(request()))
    assert version_of(answer) == "test-1"
    for match in answer["matches"]:
        score = round(match["distance_km"] / 100, 6)
        assert match["shadow_scores"] == [
            {"model": "donor_seeker_match", "version": version, "score": score, "answers_within": None}
            for version in "23"
        ]
    codec = Codec()
    (record,) = one.driver.records("matches")
    assert codec.encode("matches", codec.decode("matches", record.value)) == record.value


def test_every_version_that_scored_is_logged():
    one = world()
    release(one, "2", "CHALLENGER", share=1.0)
    release(one, "3", "SHADOW")
    one.answer(request())
    logged = [run for run in one.driver.events("prediction-logged") if run["model"] == "donor_seeker_match"]
    assert {(run["model"], run["version"], run["n_rows"]) for run in logged} == {
        ("donor_seeker_match", "2", 4),
        ("donor_seeker_match", "3", 4),
    }
    assert len({run["event_id"] for run in logged}) == 2


def test_an_empty_answer_names_who_would_have_scored():
    one = world()
    release(one, "2", "CHAMPION")
    first = request(1)
    one.answer(first)
    late = one.answer(again(first, occurred_at=first["required_by"] + 1))
    assert late["empty_because"]
    assert version_of(late) == "2"


def test_each_model_has_champions_of_its_own_and_the_match_hears_them():
    one = world()
    for name in OTHERS:
        release(one, "2", "CHAMPION", model=name)
    answer = one.answer(request())
    assert [version_of(answer, name) for name in FEATURES] == ["test-1", "2", "2", "2"]
    for match in answer["matches"]:
        assert (match["availability_score"], match["reliability_score"]) == (0.75, 0.5)
        assert (match["features"][2], match["features"][4]) == (0.75, 0.5)
        assert match["response_time_hours"] == round(2.5 / 60, 4)  # all answer in the first five minutes


def test_shadows_of_every_model_say_what_they_think():
    one = world()
    for name in OTHERS:
        release(one, "2", "SHADOW", model=name)
    answer = one.answer(request())
    assert [version_of(answer, name) for name in FEATURES] == ["test-1"] * 4
    for match in answer["matches"]:
        assert {shadow["model"]: shadow["score"] for shadow in match["shadow_scores"]} == {
            AVAILABILITY: 0.75,
            RELIABILITY: 0.5,
            RESPONSE_TIME: round(2.5 / 60, 4),
        }


def test_challengers_of_two_models_are_drawn_apart():
    one = world()
    release(one, "2", "CHALLENGER", share=0.5)
    release(one, "2", "CHALLENGER", share=0.5, model=AVAILABILITY)
    one.driver.run()
    panels = [one.matching.models.answering(n) for n in range(1_000)]
    both = [(panel.match.version == "2", panel.availability.version == "2") for panel in panels]
    for pair in ((False, False), (False, True), (True, False), (True, True)):
        assert both.count(pair) == pytest.approx(250, abs=60)


def test_a_release_with_a_wrong_digest_takes_nothing_from_the_version_that_serves():
    one = world()
    release(one, "2", "CHAMPION")
    release(one, "3", "CHAMPION")
    for n, role in enumerate(("CHAMPION", "SHADOW"), 1):
        release(one, "3", role, sha256="f" * 64)
        assert version_of(one.answer(request(n))) == "3"
    release(one, "3", "RETIRED", sha256="")
    assert version_of(one.answer(request(9))) == "2"
    assert one.matching.models.refused == {}


def test_what_is_released_takes_effect_though_nobody_asks():
    one = world()
    release(one, "2", "CHAMPION")
    release(one, "7", "CHAMPION")
    one.driver.run()
    assert one.matching.models.champions.match.version == "2"
    assert list(one.matching.models.refused) == [("donor_seeker_match", "7")]
    assert len(one.matching.alarms) == 1


def test_the_default_that_is_released_too_is_one_version_and_logged_once():
    one = world()
    release(one, "test-1", "SHADOW", sha256="0" * 64)
    one.answer(request())
    logged = [run for run in one.driver.events("prediction-logged") if run["model"] == "donor_seeker_match"]
    assert [(run["version"], run["n_rows"]) for run in logged] == [("test-1", 8)]
