"""A score that is no number is a failure of its scorer on that record, and never a match."""

from __future__ import annotations

import numpy as np
import pytest

from consumers.matching.runs import NoScoreError
from smartblood.kafka.batches import own_failure
from tests.unit.matching.world import PlainScorer, World, request, state


class OddScorer(PlainScorer):
    """Has no score for what a test says."""

    odd = np.nan

    def predict(self, rows):
        scores = super().predict(rows)
        scores[rows[:, 6] == 7] = self.odd  # requests of seven units
        return scores


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_fails_its_record_alone_and_is_no_match(odd):
    scorer = OddScorer()
    scorer.odd = odd
    world = World(state(1), state(2))
    world.scorer.predict = scorer.predict
    assert len(world.answer(request(1, units_required=3))["matches"]) == 2
    with pytest.raises(NoScoreError, match="no finite score") as failed:
        world.answer(request(2, units_required=7))
    assert own_failure(failed.value).kind == "code"
    assert len(world.driver.events("matches")) == 1
