"""The models of donors that are released: whole, small, and better than what was before."""

from __future__ import annotations

import pytest

from features.vectors import AVAILABILITY, FEATURES, MATCH, RELIABILITY
from producers.simulator import World, simulate
from smartblood.registry.loading import load_panel, verify
from smartblood.registry.manifest import read_manifest
from smartblood.settings import MODELS_DIR
from smartblood.training.alerts import examples_of
from smartblood.training.judging import auc, calibration_error
from smartblood.training.replaying import items_of
from smartblood.training.views import availability_view, match_view
from tests.unit.training.world import DAY_US, END


@pytest.mark.parametrize("name", FEATURES)
def test_the_released_artefact_is_whole_and_small_and_has_a_card(name):
    assert [finding for finding in verify(MODELS_DIR) if finding.problem] == []
    entry = read_manifest(MODELS_DIR).entry(name)
    assert (MODELS_DIR / entry.file).stat().st_size < 500_000
    card = (MODELS_DIR / entry.file).with_name("card.md").read_text("utf-8")
    assert card.startswith(f"# {name} {entry.version}")
    assert entry.sha256 in card


def test_the_released_models_are_better_than_what_was_before():
    of = {name: read_manifest(MODELS_DIR).entry(name).metrics for name in FEATURES}
    match, availability = of[MATCH], of[AVAILABILITY]
    assert match["auc_model"][1] > max(match["auc_nearest_first"][2], match["auc_predecessor"][0])
    assert match["auc_model"][0] < match["auc_oracle"][0]
    assert availability["log_loss_model"][0] < availability["log_loss_own_record"][0]
    assert max(match["ece_model"][0], availability["ece_model"][0]) <= 0.02


def test_the_match_says_whom_it_has_heard():
    entry = read_manifest(MODELS_DIR).entry(MATCH)
    heard = {name: read_manifest(MODELS_DIR).entry(name).sha256 for name in (AVAILABILITY, RELIABILITY)}
    assert entry.training_data["hears"] == heard


def test_the_released_models_rank_in_a_world_that_they_have_not_seen():
    history = simulate(World(n_donors=800, history_days=400, alerts_per_donor_year=8.0), 99, END)
    fresh = examples_of(items_of(history))
    fresh = fresh.take(fresh.at > history.start + 200 * DAY_US)
    panel = load_panel(MODELS_DIR)
    scores = panel.match.predict(match_view(fresh, panel.availability, panel.reliability).rows)
    assert auc(fresh.gave, scores) > auc(fresh.gave, -fresh.distance_km) + 0.05
    assert calibration_error(fresh.gave, scores) < 0.03
    says_yes = panel.availability.predict(availability_view(fresh))
    assert auc(fresh.accepted, says_yes) > 0.65
    assert calibration_error(fresh.accepted, says_yes) < 0.05
