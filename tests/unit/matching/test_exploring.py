from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from features.ranking import ExploringRules, draw_of
from tests.unit.matching.world import World, again, donors_of, id_of, request, state


def exploring_ids(share: float):
    """Ids of events that explore at this share."""
    return (text for text in (id_of(str(n)) for n in range(10**6)) if draw_of(text).whether < share)


EXPLORES = next(exploring_ids(0.05))
DOES_NOT = next(text for text in (id_of(str(n)) for n in range(100)) if draw_of(text).whether >= 0.05)


def donors(n: int, **changes):
    return [state(i, availability_score=0.9 - i / 1000, **changes) for i in range(n)]


def test_the_last_place_goes_to_somebody_of_the_same_class_who_was_left_out():
    world = World(*donors(30), *(state(100 + i, blood_group="O_NEG") for i in range(20)))
    answer = world.answer(request(urgency="LOW", top_k=10, event_id=EXPLORES))
    assert donors_of(answer)[:9] == list(range(9))
    last = answer["matches"][-1]
    assert last["donor_id"] in range(10, 30)
    assert last["donor_id"] == 10 + draw_of(EXPLORES).place(20)
    assert (last["rank"], last["explored"], last["propensity"]) == (10, True, 0.05 / 20)
    assert last["match_score"] == round(float(world.scorer.predict(np.array([last["features"]]))[0]), 6)
    assert [match["propensity"] for match in answer["matches"][:9]] == [1.0] * 9


def test_one_left_out_by_the_cut_may_be_drawn():
    drawn = set()
    for event_id, _ in zip(exploring_ids(0.05), range(40), strict=False):
        answer = World(*donors(600)).answer(request(urgency="LOW", top_k=5, event_id=event_id))
        drawn.add(answer["matches"][-1]["donor_id"])
        assert answer["matches"][-1]["propensity"] == 0.05 / 595
    assert max(drawn) > 256
    assert len(drawn) > 20


def test_the_last_place_is_less_than_sure_where_it_might_have_been_given_away():
    answer = World(*donors(30)).answer(request(urgency="MEDIUM", top_k=10, event_id=DOES_NOT))
    assert donors_of(answer) == list(range(10))
    assert [match["propensity"] for match in answer["matches"]] == [1.0] * 9 + [0.95]
    assert not any(match["explored"] for match in answer["matches"])


@pytest.mark.parametrize(
    ("why", "n_donors", "changes"),
    [
        ("HIGH", 30, {"urgency": "HIGH"}),
        ("CRITICAL", 30, {"urgency": "CRITICAL"}),
        ("a list of four", 30, {"urgency": "LOW", "top_k": 4}),
        ("nobody was left out", 10, {"urgency": "LOW"}),
    ],
)
def test_where_nobody_explores_everybody_is_sure(why, n_donors, changes):
    answer = World(*donors(n_donors)).answer(request(event_id=EXPLORES, **changes))
    assert {(match["explored"], match["propensity"]) for match in answer["matches"]} == {(False, 1.0)}, why


def test_nobody_of_another_class_stands_in():
    world = World(*donors(7), *(state(100 + i, blood_group="O_NEG", availability_score=0.1) for i in range(3)))
    answer = world.answer(request(urgency="LOW", top_k=7, event_id=EXPLORES))
    assert donors_of(answer) == list(range(7))
    answer = world.answer(request(2, urgency="LOW", top_k=8, event_id=next(exploring_ids(0.01))))
    assert donors_of(answer)[:7] == list(range(7))
    assert answer["matches"][-1]["donor_id"] in {101, 102}
    assert answer["matches"][-1]["propensity"] == 0.05 / 2


def test_a_preview_does_not_explore():
    preview = again(request(urgency="LOW", top_k=5), recorded=False, event_id=EXPLORES)
    answer = World(*donors(30)).answer(preview)
    assert {(match["explored"], match["propensity"]) for match in answer["matches"]} == {(False, 1.0)}


def test_a_wave_draws_by_its_own_event():
    first = request(urgency="LOW", top_k=5, event_id=DOES_NOT)
    world = World(*donors(30))
    assert not world.answer(first)["matches"][-1]["explored"]
    assert world.answer(again(first, event_id=EXPLORES))["matches"][-1]["explored"]


def test_ten_thousand_lists_confirm_the_propensities_that_they_tell():
    n, n_donors, share = 10_000, 30, 0.2
    world = World(*donors(n_donors), exploring=ExploringRules(share=share))
    lengths = [5 + 5 * (i % 2) for i in range(n)]
    for i, top_k in enumerate(lengths):
        asked = request(i, urgency="LOW", top_k=top_k, event_id=id_of(f"r{i}"))
        world.driver.send("blood-request-created", str(i), asked)
    world.driver.run(batch_size=500)
    told, n_offers = defaultdict(set), Counter()
    for answer in world.driver.events("matches"):
        for match in answer["matches"]:
            which = len(answer["matches"]), match["donor_id"]
            told[which].add(match["propensity"])
            n_offers[which] += 1
    assert told.keys() == {(top_k, donor_id) for top_k in (5, 10) for donor_id in range(n_donors)}
    for (top_k, donor_id), propensities in told.items():
        (propensity,) = propensities
        place = donor_id + 1  # if nobody explored
        assert propensity == (1.0 if place < top_k else 1 - share if place == top_k else share / (n_donors - top_k))
        n_lists = lengths.count(top_k)
        error = math.sqrt(n_lists * propensity * (1 - propensity))
        assert abs(n_offers[top_k, donor_id] - n_lists * propensity) <= 4 * error


def test_numbers_that_are_drawn_are_uniform():
    draws = np.array([draw_of(id_of(f"u{i}")) for i in range(4000)])
    assert draws.min() >= 0
    assert draws.max() < 1
    for column in draws.T:
        assert np.abs(np.histogram(column, 10, (0, 1))[0] - 400).max() < 90
    assert abs(np.corrcoef(draws.T)[0, 1]) < 0.05
