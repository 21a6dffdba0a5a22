"""What the cards of the artefacts that are there say, all five: from what, of what, how good, and what not."""

from __future__ import annotations

import re

import pytest

from features.vectors import FEATURES
from smartblood.forecasting import card as of_forecasters
from smartblood.registry.builders import BUILDERS, DEMAND_FORECAST
from smartblood.registry.manifest import read_manifest
from smartblood.settings import MODELS_DIR

MANIFEST = read_manifest(MODELS_DIR)
N_BYTES_MOST = 10 * 2**20
INTERVAL = r"\(-?\d+(\.\d+)?–-?\d+(\.\d+)?\)"
SECTIONS = ("Features", "Made from", "How good", "Limits")


def sections_of(name):
    """The text below each heading of a card."""
    card = (MODELS_DIR / MANIFEST.entry(name).file).with_name("card.md").read_text("utf-8")
    _, *parts = re.split(r"^## ", card, flags=re.MULTILINE)
    return dict(part.split("\n", 1) for part in parts)


def test_all_five_together_are_small():
    assert set(BUILDERS) == {*FEATURES, DEMAND_FORECAST}
    n_bytes = [(MODELS_DIR / MANIFEST.entry(name).file).stat().st_size for name in BUILDERS]
    assert len(n_bytes) == 5
    assert sum(n_bytes) <= N_BYTES_MOST


@pytest.mark.parametrize("name", BUILDERS)
def test_a_card_has_all_that_is_to_be_said(name):
    said = sections_of(name)
    assert tuple(said) == SECTIONS
    assert all(len(text.split()) > 10 for text in said.values())


@pytest.mark.parametrize("name", BUILDERS)
def test_features_are_said_with_types_and_units(name):
    entry = MANIFEST.entry(name)
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+?) \|", sections_of(name)["Features"], re.MULTILINE)
    assert rows == [tuple(one) for one in entry.features] == [tuple(one) for one in BUILDERS[name]]
    assert all(type_ and unit.strip() for _, type_, unit in rows)


@pytest.mark.parametrize("name", BUILDERS)
def test_what_it_was_made_from_is_said_with_its_span_and_digests(name):
    entry, made_from = MANIFEST.entry(name), sections_of(name)["Made from"]
    data = entry.training_data
    span = data["days"] if name == DEMAND_FORECAST else data["asked"]
    assert len(span) == 2
    assert span[0] < span[1]
    digests = [entry.sha256] if name == DEMAND_FORECAST else [entry.sha256, data["rows_sha256"]]
    assert all(re.fullmatch("[0-9a-f]{64}", one) for one in digests)
    for one in (*span, *digests, data["source"], str(data["seed"]), *entry.libraries.values()):
        assert one in made_from


@pytest.mark.parametrize("name", FEATURES)
def test_figures_of_models_of_donors_have_intervals(name):
    entry, how_good = MANIFEST.entry(name), sections_of(name)["How good"]
    kept = {figure: one for figure, one in entry.metrics.items() if re.match(r"(auc|log_loss|brier)_model", figure)}
    assert {figure.split("_model")[0] for figure in kept} == {"auc", "log_loss", "brier"}
    for figure, (value, lower, upper) in kept.items():
        assert lower < value < upper, figure
        assert f"| {value} ({lower}–{upper}) |" in how_good
    assert re.search(rf"^\| ECE.*{INTERVAL}", how_good, re.MULTILINE)


def test_figures_of_the_forecaster_are_said_and_that_they_have_no_intervals():
    said = sections_of(DEMAND_FORECAST)
    assert "\n".join(of_forecasters.figures_of(MANIFEST.entry(DEMAND_FORECAST).metrics)) in said["How good"]
    assert "no intervals" in said["Limits"]
