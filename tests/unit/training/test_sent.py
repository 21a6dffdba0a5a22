"""Alerts that the system itself sends: what was seen of them, what came of it, and what the match learns from it."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from features.behaved import AGE_YEARS
from features.behaviour import Behaviour
from features.outcomes import KEPT
from features.vectors import AVAILABILITY, MATCH
from producers.simulator import LiveDonors, simulate
from smartblood.registry.loading import load_panel
from smartblood.settings import MODELS_DIR
from smartblood.training.anywhere import N_DISTANCES, at_random, says_yes_anywhere
from smartblood.training.examples import joined
from smartblood.training.panel import train
from smartblood.training.replaying import of_world
from smartblood.training.sent import lists_sent, sent_of, trial_of
from smartblood.training.teaching import split
from smartblood.training.views import match_view
from tests.unit.training.world import END, SMALL

N_LISTS = 40


@pytest.fixture(scope="module")
def replayed():
    return of_world(SMALL, 3, END)


@pytest.fixture(scope="module")
def panel():
    return load_panel(MODELS_DIR)


@pytest.fixture(scope="module")
def lists(replayed, panel):
    return lists_sent(panel, replayed.history, 8, N_LISTS)


@pytest.fixture(scope="module")
def sent(lists, replayed):
    return sent_of(lists, replayed.history, 8)


def test_later_lists_are_of_later_requests(lists, replayed, panel):
    later = lists_sent(panel, replayed.history, 8, N_LISTS, after=N_LISTS)
    assert len(later) == N_LISTS
    assert min(one["request_id"] for one in later) == 1 + max(one["request_id"] for one in lists)
    assert min(one["occurred_at"] for one in later) > max(one["occurred_at"] for one in lists)


def test_the_match_sees_of_an_offer_what_it_saw_when_it_was_made(lists, sent, panel):
    offers = [offer for one in lists for offer in one["matches"]]
    assert len(lists) == N_LISTS
    assert sent.examples.donor_id.tolist() == [offer["donor_id"] for offer in offers]
    seen = match_view(sent.examples, panel.availability, panel.reliability).rows
    told = np.array([offer["features"] for offer in offers])
    assert np.isnan(seen).tolist() == np.isnan(told).tolist()
    # Behaviour is told in single precision: now and then a score falls on the other side of a threshold.
    near = np.isclose(seen, told, rtol=1e-4, atol=1e-4, equal_nan=True)
    assert near[:, [0, 1, 3, 5, 6]].all()
    assert near.mean() > 0.995
    assert np.array_equal(sent.examples.behaviour.age_years, np.round([one["behaviour"][AGE_YEARS] for one in offers]))


def test_what_came_of_an_offer_is_what_the_donor_answered(lists, sent, replayed):
    donors, examples = LiveDonors(replayed.history, 8), sent.examples
    answers = [line.event for one in lists for line in donors.answers(one)]
    yes = {(one["request_id"], one["donor_id"]) for one in answers if one.get("response") == "ACCEPTED"}
    gave = {(one["request_id"], one["donor_id"]) for one in answers if one.get("outcome") == "COMPLETED"}
    pairs = list(zip(examples.request_id.tolist(), examples.donor_id.tolist(), strict=True))
    assert [pair in yes for pair in pairs] == examples.accepted.tolist()
    assert [pair in gave for pair in pairs] == examples.gave.tolist()
    assert (examples.kept[examples.gave] == KEPT).all()
    assert 20 < len(gave) < len(yes)
    for label, truth in ((examples.accepted, sent.truth.says_yes), (examples.gave, sent.truth.gives)):
        assert abs(label.sum() - truth.sum()) < 4 * np.sqrt((truth * (1 - truth)).sum())


def test_lists_that_offer_nobody_are_said(replayed):
    with pytest.raises(ValueError, match="nobody can be asked"):
        sent_of([{"matches": []}], replayed.history, 8)


def test_the_match_learns_from_what_was_sent_and_availability_is_calibrated_on_lists_drawn_at_random(replayed):
    other = replace(SMALL, n_donors=400)
    trial = trial_of(replayed, other, 4, N_LISTS)
    found = train(replayed, 3, "1.0.0", names=[AVAILABILITY, MATCH], trial=trial)
    without = train(replayed, 3, "1.0.0", names=[AVAILABILITY, MATCH])
    data = found[MATCH].entry.training_data
    assert data["sent"] == {
        "n_donors": 400,
        "days": SMALL.history_days,
        "seed": 4,
        "n_requests": N_LISTS,
        "n_alerts": data["sent"]["n_alerts"],
    }
    rows = {name: (of[MATCH].entry.training_data) for name, of in (("with", found), ("without", without))}
    n_more = sum(rows["with"][part] - rows["without"][part] for part in ("n_rows_fit", "n_rows_calibrate"))
    assert n_more == data["sent"]["n_alerts"] > 100
    assert "sent" not in found[AVAILABILITY].entry.training_data
    parts = split(replayed, trial.at_random)
    assert 0 < parts.calibrate_availability.at.size < parts.calibrate.at.size
    assert found[AVAILABILITY].entry.training_data["n_rows_calibrate"] == parts.calibrate_availability.at.size
    assert without[AVAILABILITY].entry.training_data["n_rows_calibrate"] == parts.calibrate.at.size
    drawn = {
        (request_id, is_drawn)
        for request_id, is_drawn in zip(replayed.examples.request_id, trial.at_random, strict=True)
    }
    assert len(drawn) == np.unique(replayed.examples.request_id).size  # a list is drawn as a whole
    assert np.mean([is_drawn for _, is_drawn in drawn]) == pytest.approx(0.5, abs=0.1)


def test_what_is_joined_is_all_there_and_evenly_spread(sent, replayed):
    one, other = replayed.examples, sent.examples
    both = joined(one, other)
    for field in fields(both):
        if field.name != "behaviour":
            parts = (getattr(one, field.name), getattr(other, field.name))
            assert np.array_equal(np.sort(getattr(both, field.name)), np.sort(np.concatenate(parts)))
    assert [len(column) for column in both.behaviour] == [one.at.size + other.at.size] * len(Behaviour._fields)
    is_other = both.at > replayed.history.end
    half = is_other.size // 2
    assert is_other[:half].mean() == pytest.approx(is_other[half:].mean(), abs=0.01)
    mine = np.flatnonzero(~is_other)
    assert np.array_equal(both.donor_id[mine], one.donor_id)
    assert np.array_equal(both.behaviour.tenure_days[mine], one.behaviour.tenure_days)


def test_where_distance_is_nothing_the_oracle_without_it_is_the_oracle():
    world = replace(SMALL, n_donors=300, history_days=120, decay_km_least=1e7, decay_km_most=1e8, left_factor=0.3)
    history = simulate(world, 3, END)
    everywhere = np.arange(history.asks.row.size)
    assert says_yes_anywhere(history, everywhere) == pytest.approx(history.asks.says_yes, rel=1e-4)


def test_without_distance_who_was_near_is_less_probable_and_who_was_far_is_more(replayed):
    history = replayed.history
    drawn = np.flatnonzero(at_random(history))
    averaged = says_yes_anywhere(history, drawn)
    asks = history.asks
    # Of one donor asked several times at random, all else being alike, the average lies between the least and the most.
    rows, n = np.unique(asks.row[drawn], return_counts=True)
    often = rows[n >= N_DISTANCES]
    assert often.size > 20
    ratio = averaged / asks.says_yes[drawn]
    assert (ratio > 1).any()
    assert (ratio < 1).any()
    assert averaged.mean() == pytest.approx(asks.says_yes[drawn].mean(), rel=0.05)
    assert averaged.std() < asks.says_yes[drawn].std()
