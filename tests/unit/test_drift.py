"""The population stability index: by hand, with few values, with unknown ones, and what chance gives."""

import json
import math

import numpy as np
import pytest

from features.drift import Reference, as_json, from_json, reference_of, references_of, stability_index
from features.vectors import FEATURES
from smartblood.registry.manifest import read_manifest
from smartblood.settings import MODELS_DIR


def test_by_hand():
    reference = Reference((0.5,), (0.6, 0.4, 0.0))
    now = np.array([0.0] * 3 + [1.0] * 7)
    expected = (0.3 - 0.6) * math.log(0.3 / 0.6) + (0.7 - 0.4) * math.log(0.7 / 0.4)
    assert stability_index(reference, now) == pytest.approx(expected)
    assert stability_index(reference, np.array([0.0] * 6 + [1.0] * 4)) == 0.0


def test_what_is_not_known_has_a_bin_of_its_own():
    values = np.array([1.0, 2.0, np.nan, np.nan])
    reference = reference_of(values)
    assert reference == Reference((1.5,), (0.25, 0.25, 0.5))
    assert stability_index(reference, values) == 0.0
    known = np.array([1.0, 2.0])
    expected = 2 * (0.5 - 0.25) * math.log(0.5 / 0.25) + (1e-4 - 0.5) * math.log(1e-4 / 0.5)
    assert stability_index(reference, known) == pytest.approx(expected)


def test_few_values_have_a_bin_each_however_rare():
    values = np.repeat([0.0, 1.0], [990, 10])
    reference = reference_of(values)
    assert reference == Reference((0.5,), (0.99, 0.01, 0.0))
    assert stability_index(reference, np.repeat([0.0, 1.0], [900, 100])) > 0.2


def test_many_values_have_ten_bins_of_equal_numbers_and_one_that_is_common_has_its_own_edge():
    reference = reference_of(np.arange(1000.0))
    assert len(reference.edges) == 9
    assert reference.shares == pytest.approx([0.1] * 10 + [0.0], abs=2e-3)
    common = np.concatenate([np.zeros(700), np.arange(1.0, 301.0)])
    reference = reference_of(common)
    assert sum(reference.shares) == pytest.approx(1)
    assert max(reference.shares) == pytest.approx(0.7, abs=0.01)
    assert stability_index(reference, common) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("values", [[], [math.nan], [3.0], [3.0, 3.0]])
def test_the_least_that_can_be_seen(values):
    reference = reference_of(np.array(values))
    assert reference.edges == ()
    assert len(reference.shares) == 2
    if values:
        assert stability_index(reference, np.array(values)) == 0.0


def test_chance_alone_gives_little_and_another_spread_much():
    rng = np.random.default_rng(1)
    reference = reference_of(rng.normal(0, 1, 20_000))
    by_chance = [stability_index(reference, rng.normal(0, 1, 2_000)) for _ in range(200)]
    assert np.mean(by_chance) == pytest.approx(9 * (1 / 2_000 + 1 / 20_000), rel=0.15)
    assert max(by_chance) < 0.02
    assert stability_index(reference, rng.normal(0.6, 1, 2_000)) > 0.25


def test_json_and_back():
    rows = np.random.default_rng(2).normal(size=(500, 2))
    references = references_of(rows, ("a", "b"))
    assert from_json(json.loads(json.dumps(as_json(references)))) == references


@pytest.mark.parametrize(
    "data", [{"a": {}}, {"a": {"edges": [1.0], "shares": [1.0]}}, {"a": {"edges": [2, 1], "shares": [0, 0, 0, 1]}}]
)
def test_what_is_no_reference_is_refused(data):
    with pytest.raises(ValueError, match=r"^a: "):
        from_json(data)


@pytest.mark.parametrize("name", FEATURES)
def test_every_default_version_says_what_drift_is_measured_against(name):
    references = from_json(read_manifest(MODELS_DIR).entry(name).reference)
    assert set(references) == set(FEATURES[name]) - {"waited_minutes"}
    for one in references.values():
        assert sum(one.shares) == pytest.approx(1, abs=1e-4)
