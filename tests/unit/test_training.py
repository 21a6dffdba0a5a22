from __future__ import annotations

import dataclasses
import inspect

import h3.api.basic_int as h3
import numpy as np
import pytest

from features.vectors import MATCH_FEATURES
from producers.simulator import Published, World, simulate
from producers.simulator.population import Hidden
from smartblood.registry.loading import load_champion, verify
from smartblood.registry.manifest import read_manifest
from smartblood.registry.scorer import Calibration
from smartblood.registry.writing import write
from smartblood.settings import MODELS_DIR
from smartblood.training import examples as examples_module
from smartblood.training.donor_seeker_match import NAME, PARAMETERS, train
from smartblood.training.examples import examples_of
from smartblood.training.fitting import fit_beta, fit_calibration, fit_isotonic
from smartblood.training.judging import auc, brier, calibration_error, log_loss, ndcg, with_interval

DAY_US = 86_400_000_000
END = 1_764_000_000_000_000
LATITUDE, LONGITUDE = 9.98, 76.29
SMALL = World(n_donors=700, history_days=330, alerts_per_donor_year=14.0)


@pytest.fixture(scope="module")
def cells():
    return h3.latlng_to_cell(LATITUDE, LONGITUDE, 8), h3.latlng_to_cell(LATITUDE + 0.1, LONGITUDE, 8)


@pytest.fixture(scope="module")
def small():
    return train(SMALL, 3, END, "1.0.0")


def event(topic, number, at, **fields):
    key = "request_id" if topic == "blood-request-created" else "donor_id"
    head = {"event_id": f"00000000-0000-8000-8000-{number:012d}", "occurred_at": at}
    return Published(topic, str(fields[key]), {**head, **fields}, at // 1000)


def profile(cell, **changes):
    return {
        "donor_id": 1,
        "blood_group": "O_POS",
        "sex": "MALE",
        "born_on": 9_000,
        "weight_kg": 70.0,
        "district": "Ernakulam",
        "h3_cell": cell,
        "joined_at": END - 400 * DAY_US,
        "contactable": True,
        "apheresis_willing": False,
        "away_until": None,
        "total_donations": 1,
        "last_whole_blood_at": END - 300 * DAY_US,
        "last_apheresis_at": None,
        "red_cells_returned": True,
        "recent_apheresis": [],
        "deferrals": [],
        **changes,
    }


def request(**changes):
    return {
        "request_id": 5,
        "hospital_id": 1,
        "blood_group": "O_POS",
        "component": "RED_CELLS",
        "units_required": 1,
        "urgency": "MEDIUM",
        "required_by": END + DAY_US,
        "request_type": "DIRECTED",
        "district": "Ernakulam",
        "latitude": LATITUDE,
        "longitude": LONGITUDE,
        "patient_sex": "MALE",
        "patient_age": 40,
        "patient_anti_d": False,
        "clinician_sign_off": False,
        "top_k": None,
        **changes,
    }


def responded(number, at, response, request_id):
    return event("donor-responded", number, at, donor_id=1, request_id=request_id, wave=1, response=response)


def gave(number, at, request_id=None, outcome="COMPLETED"):
    fields = {"outcome": outcome, "component": "WHOLE_BLOOD", "red_cells_returned": True, "deferral": None}
    return event("donation-recorded", number, at, donor_id=1, request_id=request_id, **fields)


def row_after(cell, *before, request_changes=None, profile_changes=None):
    """What the model sees of a donor who is alerted at END, after the events ``before``."""
    lines = [
        event("donor-registered", 1, END - 350 * DAY_US, **profile(cell, **(profile_changes or {}))),
        *before,
        event("blood-request-created", 90, END, **request(**(request_changes or {}))),
        responded(91, END, "NOTIFIED", 5),
    ]
    [row] = examples_of(lines).rows
    return dict(zip(MATCH_FEATURES, row.tolist(), strict=True))


def alert(first, ago_days, *responses):
    at = END - ago_days * DAY_US
    told = ("NOTIFIED", *responses)
    return [responded(first + n, at + n * 600_000_000, response, 100 + first) for n, response in enumerate(told)]


MOVES = {
    "blood_group_compatibility": {"request_changes": {"blood_group": "A_POS"}},
    "distance_km": {},
    "donor_availability": {"before": alert(10, 40, "EXPIRED")},
    "last_donation_days": {"before": [gave(20, END - 120 * DAY_US)]},
    "reliability_score": {"before": [*alert(30, 40, "ACCEPTED"), gave(40, END - 39 * DAY_US, 130, "NO_SHOW")]},
    "urgency_level": {"request_changes": {"urgency": "CRITICAL"}},
    "units_required": {"request_changes": {"units_required": 4}},
}


@pytest.mark.parametrize("feature", MATCH_FEATURES)
def test_an_event_moves_each_feature(cells, feature):
    home, elsewhere = cells
    still = row_after(home)
    how = dict(MOVES[feature])
    moved = row_after(elsewhere if feature == "distance_km" else home, *how.pop("before", ()), **how)
    assert moved[feature] != still[feature]
    answered = {"donor_availability"} if feature == "reliability_score" else set()
    assert {name for name in MATCH_FEATURES if moved[name] != still[name]} == {feature} | answered


def test_features_are_as_of_the_alert_and_the_alert_itself_isnt_in_them(cells):
    before = alert(10, 40, "ACCEPTED")
    assert row_after(cells[0], *before)["donor_availability"] > row_after(cells[0])["donor_availability"]
    lines = [
        event("donor-registered", 1, END - 350 * DAY_US, **profile(cells[0])),
        event("blood-request-created", 90, END, **request()),
        responded(91, END, "NOTIFIED", 5),
        responded(92, END + 1_000_000, "ACCEPTED", 5),
        gave(93, END + DAY_US // 12, 5),
    ]
    told = examples_of(lines)
    assert dict(zip(MATCH_FEATURES, told.rows[0].tolist(), strict=True)) == row_after(cells[0])
    assert told.gave.tolist() == [True]


@pytest.mark.parametrize("outcome", ["NO_SHOW", "CANCELLED", "DEFERRED"])
def test_only_a_completed_donation_for_this_request_is_giving(cells, outcome):
    lines = [
        event("donor-registered", 1, END - 350 * DAY_US, **profile(cells[0])),
        event("blood-request-created", 90, END, **request()),
        responded(91, END, "NOTIFIED", 5),
        gave(92, END + 1, 5, outcome),
        gave(93, END + 2),
    ]
    assert examples_of(lines).gave.tolist() == [False]


def test_a_donor_who_never_gave_has_no_days(cells):
    row = row_after(cells[0], profile_changes={"total_donations": 0, "last_whole_blood_at": None})
    assert np.isnan(row["last_donation_days"])


def test_what_is_hidden_is_not_even_named_where_features_are_made():
    source = inspect.getsource(examples_module)
    names = {field.name for field in dataclasses.fields(Hidden)} | {"hidden", "asks", "people", "diary", "probability"}
    assert not [name for name in names if f".{name}" in source]


def test_training_twice_gives_the_same_bytes(small, tmp_path):
    again = train(SMALL, 3, END, "1.0.0")
    assert again.artefact == small.artefact
    assert again.entry == small.entry
    assert again.card == small.card
    assert write(tmp_path, small.entry, small.artefact, small.card)
    assert not write(tmp_path, again.entry, again.artefact, again.card)
    assert [finding.problem for finding in verify(tmp_path)] == [None]


def test_nearer_more_available_more_reliable_better_matched_is_never_worse(small, tmp_path):
    write(tmp_path, small.entry, small.artefact, small.card)
    scorer = load_champion(tmp_path, NAME)
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.integers(1, 4, 500), *rng.random((4, 500)), *rng.integers(1, 5, (2, 500))])
    rows[:, [1, 3]] *= [50, 900]
    for column, direction in enumerate(PARAMETERS["monotone_constraints"]):
        better = rows.copy()
        better[:, column] = np.sort(rng.permutation(rows[:, column]))
        order = np.argsort(better[:, column])
        same = np.repeat(rows[:1], 500, axis=0)
        same[:, column] = better[order, column]
        assert (np.diff(scorer.predict(same)) * direction >= -1e-12).all()


def test_a_world_too_small_to_learn_from_is_said():
    with pytest.raises(ValueError, match="too few to learn from"):
        train(World(n_donors=50, history_days=100), 1, END, "1.0.0")


def test_calibration_undoes_what_was_done_to_a_logit():
    rng = np.random.default_rng(0)
    truth = rng.normal(-2.5, 1.2, 40_000)
    gave_it = rng.random(truth.size) < 1 / (1 + np.exp(-truth))
    bent = truth * 2 + 1
    for fit in (fit_beta, fit_isotonic):
        probability = Calibration(fit(bent[:20_000], gave_it[:20_000])).probabilities(bent[20_000:])
        assert calibration_error(gave_it[20_000:], probability) < 0.01
    _, losses = fit_calibration(bent, gave_it, 0)
    assert max(losses.values()) < log_loss(gave_it, 1 / (1 + np.exp(-bent)))


def test_beta_calibration_of_upside_down_scores_stays_level():
    rng = np.random.default_rng(0)
    raw = rng.normal(size=5000)
    parameters = fit_beta(raw, rng.random(5000) < 1 / (1 + np.exp(raw)))
    assert (parameters["a"], parameters["b"]) == (0.0, 0.0)
    assert Calibration(parameters).probabilities(raw) == pytest.approx(0.5, abs=0.03)


def test_figures_are_those_of_the_textbook():
    gave_it = np.array([True, False, True, False])
    score = np.array([0.9, 0.8, 0.8, 0.1])
    assert auc(gave_it, score) == 0.875  # one tie counts a half
    assert brier(gave_it, score) == pytest.approx((0.01 + 0.64 + 0.04 + 0.01) / 4)
    assert log_loss(gave_it, score) == pytest.approx(-np.log([0.9, 0.2, 0.8, 0.9]).mean())
    assert calibration_error(np.array([True] * 50 + [False] * 50), np.full(100, 0.5)) == pytest.approx(0.5)
    groups = np.array([1, 1, 2, 2])
    assert ndcg(gave_it, score, groups) == 1.0
    assert ndcg(gave_it, -score, groups) == pytest.approx(1 / np.log2(3))


def test_an_interval_holds_its_value_and_narrows_with_more_requests():
    rng = np.random.default_rng(0)
    values, groups = rng.random(8000), np.repeat(np.arange(2000), 4)
    wide = with_interval(lambda places: float(values[:400][places].mean()), groups[:400], seed=1)
    narrow = with_interval(lambda places: float(values[places].mean()), groups, seed=1)
    for interval in (wide, narrow):
        assert interval.lower < interval.value < interval.upper
    assert narrow.upper - narrow.lower < (wide.upper - wide.lower) / 2


def test_the_released_artefact_is_whole_small_and_better_than_what_was_before():
    assert [finding for finding in verify(MODELS_DIR) if finding.problem] == []
    entry = read_manifest(MODELS_DIR).entry(NAME)
    assert (MODELS_DIR / entry.file).stat().st_size < 500_000
    metrics = entry.metrics
    assert metrics["auc_model"][1] > max(metrics["auc_nearest_first"][2], metrics["auc_predecessor"][2])
    assert metrics["auc_model"][0] < metrics["auc_oracle"][0]
    assert metrics["ece_model"][0] <= 0.02
    assert (MODELS_DIR / entry.file).with_name("card.md").read_text("utf-8").startswith(f"# {NAME} {entry.version}")


def test_the_released_model_ranks_in_a_world_that_it_has_not_seen():
    history = simulate(World(n_donors=800, history_days=400, alerts_per_donor_year=8.0), 99, END)
    fresh = examples_of(history.events(with_requests=True))
    fresh = fresh.take(fresh.at > history.start + 200 * DAY_US)
    scores = load_champion(MODELS_DIR, NAME).predict(fresh.rows)
    assert auc(fresh.gave, scores) > auc(fresh.gave, -fresh.rows[:, 1]) + 0.05
    assert calibration_error(fresh.gave, scores) < 0.03
