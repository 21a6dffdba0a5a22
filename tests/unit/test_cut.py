from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.cut import best_of

WORTH = st.one_of(st.sampled_from([0.0, 0.1, 0.25, 1.0, 5e-324, 1e-305]), st.floats(0, 1))


@settings(max_examples=300, deadline=None)
@given(st.lists(WORTH, min_size=1, max_size=60), st.integers(0, 59), st.randoms(use_true_random=False))
def test_the_best_are_those_of_sorting(worth, n_less, random):
    donor = random.sample(range(-100, 100), len(worth))
    n_wanted = max(1, len(worth) - n_less)
    best = best_of(np.array(worth), np.array(donor, np.int64), n_wanted).tolist()
    order = sorted(range(len(worth)), key=lambda j: (-worth[j], donor[j]))
    assert sorted(best) == sorted(order[:n_wanted])


@pytest.mark.parametrize("worth", [np.zeros(2000), np.full(2000, 0.3), np.random.default_rng(1).beta(0.5, 2, 2000)])
def test_many_are_cut_to_few(worth):
    donor = np.arange(2000)[::-1].copy()
    best = best_of(worth, donor, 256)
    assert set(best.tolist()) == set(np.lexsort((donor, -worth))[:256].tolist())
