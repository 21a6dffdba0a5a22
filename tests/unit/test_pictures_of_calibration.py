"""Pictures of calibration: one a model, small, the same twice, of whatever a manifest tells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.vectors import FEATURES
from smartblood.pictures.calibration import pictures_of
from smartblood.registry.manifest import read_manifest
from smartblood.settings import MODELS_DIR
from smartblood.training.judging import ratios_by_bin
from smartblood.training.report import PICTURES, calibrations_of

PNG = b"\x89PNG\r\n\x1a\n"
DOCS = Path(__file__).parents[2] / "docs"
BYTES_MOST = 60_000


def test_there_is_a_small_picture_of_each_model_and_the_same_twice():
    manifest = read_manifest(MODELS_DIR)
    found = dict(pictures_of(manifest))
    assert list(found) == list(FEATURES)
    assert dict(pictures_of(manifest)) == found
    for picture in found.values():
        assert picture.startswith(PNG)
        assert 5_000 < len(picture) < BYTES_MOST


@pytest.mark.parametrize("name", FEATURES)
def test_the_report_shows_the_picture_that_lies_beside_it(name):
    assert f"({PICTURES}/{name}.png)" in (DOCS / "models.md").read_text("utf-8")
    picture = (DOCS / PICTURES / f"{name}.png").read_bytes()
    assert picture.startswith(PNG)
    assert len(picture) < BYTES_MOST


def test_a_version_that_was_judged_without_intervals_or_truth_is_told_of_all_the_same():
    metrics = {"observed_to_expected_within_2_h": [1.1], "expected_within_2_h": [0.2], "bins_true": [0.9]}
    (found,) = calibrations_of(metrics)
    assert (found.of, found.expected, found.ratio) == ("within 2 h", [0.2], [1.1])
    assert (found.lower, found.upper, found.true) == ([], [], [])


def test_intervals_of_bins_hold_one_where_scores_are_right_and_truth_is_nearer_to_it():
    rng = np.random.default_rng(1)
    probability = rng.beta(1, 15, 40_000)
    label, donors = rng.random(probability.size) < probability, rng.integers(0, 5_000, probability.size)
    seen = ratios_by_bin(label, probability, donors, seed=1)
    true = ratios_by_bin(probability, probability, donors, seed=1)
    assert len(seen.expected) == 10
    assert seen.expected == sorted(seen.expected) == true.expected
    assert sum(one.lower <= 1 <= one.upper for one in seen.ratio) >= 8
    assert all(one == (1.0, 1.0, 1.0) for one in true.ratio)
    boastful = ratios_by_bin(label, probability * 2, donors, seed=1)
    assert [one.value for one in boastful.ratio] == pytest.approx([one.value / 2 for one in seen.ratio], abs=1e-3)


def test_outcomes_of_one_donor_that_hang_together_widen_an_interval():
    rng = np.random.default_rng(2)
    probability = np.full(10_000, 0.1)
    label = np.repeat(rng.random(500) < 0.1, 20)
    of_donors = ratios_by_bin(label, probability, np.repeat(np.arange(500), 20), seed=1).ratio
    alone = ratios_by_bin(label, probability, np.arange(10_000), seed=1).ratio
    width = [np.mean([one.upper - one.lower for one in bins]) for bins in (of_donors, alone)]
    assert width[0] > 2 * width[1]
