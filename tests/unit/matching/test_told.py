"""What offers tell, so that whoever reads them can make what every model saw, and judge the answers' times."""

from __future__ import annotations

import numpy as np
import pytest

from features.behaved import AGE_YEARS, Behaviour
from features.vectors import (
    AVAILABILITY,
    FEATURES,
    RELIABILITY,
    RESPONSE_TIME,
    URGENCY_LEVEL,
    availability_rows,
    reliability_rows,
    response_time_rows,
)
from schemas.codec import Codec
from tests.fading import Column
from tests.unit.matching.world import AT, DAY_US, PlainScorer, World, cell_north_of, request, state

KOCHI = (9.9816, 76.2999)


class Remembering(Column):
    """Keeps what it was shown."""

    def __init__(self, name, says):
        super().__init__(name, says)
        self.shown = []

    def predict(self, rows):
        self.shown.append(rows.copy())
        return super().predict(rows)


def told(**changes):
    """A world of donors with pasts of their own, its answer, and what the models were shown."""
    rng, donors = np.random.default_rng(5), []
    for n in range(1, 6):
        sums = {name: float(rng.uniform(0, 9)) for name in ("acceptances_decayed", "kept_decayed")}
        donors.append(
            state(
                n,
                h3_cell=cell_north_of(KOCHI, n / 2),
                born_on=AT // DAY_US - int(rng.integers(7_000, 20_000)),
                total_donations=n,
                last_whole_blood_at=AT - (200 + n) * DAY_US if n > 1 else None,
                n_alerts=7,
                **{**sums, "alerts_decayed": 10.0, "promises_decayed": 10.0},
            )
        )
    one = World(*donors, **changes)
    scorers = [Remembering(AVAILABILITY, 0.3), Remembering(RELIABILITY, 0.6), Remembering(RESPONSE_TIME, 0.1)]
    for versions, scorer in zip(one.matching.models._versions[1:], scorers, strict=True):
        versions.champion = scorer
    return one, one.answer(request()), [scorer.shown[-1] for scorer in scorers]


def test_with_what_an_offer_tells_all_that_every_model_saw_can_be_made():
    _, answer, (of_availability, of_reliability, of_response_time) = told()
    offers = answer["matches"]
    assert len(offers) == 5
    behaviour = Behaviour(*np.array([offer["behaviour"] for offer in offers]).T)
    by_distance = np.argsort(np.argsort([offer["distance_km"] for offer in offers]))
    at = np.full(len(offers), AT)
    seen = of_availability[np.argsort(of_availability[:, FEATURES[AVAILABILITY].index("total_donations")])]
    np.testing.assert_allclose(availability_rows(behaviour, at), seen[by_distance], rtol=1e-6)
    seen = of_reliability[np.argsort(of_reliability[:, FEATURES[RELIABILITY].index("total_donations")])]
    np.testing.assert_allclose(reliability_rows(behaviour), seen[by_distance], rtol=1e-6)
    rows = response_time_rows(
        behaviour,
        [offer["distance_km"] for offer in offers],
        at,
        urgency=URGENCY_LEVEL[answer["urgency"]],
        stretches=[0.0],
    )
    seen = of_response_time[::12]
    age = FEATURES[RESPONSE_TIME].index("donor_age")
    np.testing.assert_allclose(np.delete(rows, age, 1), np.delete(seen, age, 1), rtol=1e-6)
    assert rows[:, age].tolist() == np.round(seen[:, age]).tolist()


def test_ages_are_told_in_whole_years_and_an_unknown_donation_is_no_number():
    _, answer, _ = told()
    for offer in answer["matches"]:
        assert offer["behaviour"][AGE_YEARS] % 1 == 0
        last = offer["behaviour"][Behaviour._fields.index("since_donation_days")]
        assert np.isnan(last) == np.isnan(offer["features"][3])
    assert sum(np.isnan(offer["features"][3]) for offer in answer["matches"]) == 1


def test_the_chance_to_answer_within_hours_is_what_the_stretches_say():
    _, answer, _ = told()  # a tenth answers in each stretch
    for offer in answer["matches"]:
        assert offer["answers_within"] == [round(1 - 0.9**n, 6) for n in (5, 9, 12)]


def test_values_are_what_the_codec_writes():
    one, _, _ = told()
    codec = Codec()
    (record,) = one.driver.records("matches")
    assert codec.encode("matches", codec.decode("matches", record.value)) == record.value


def test_a_shadow_of_response_times_tells_the_same():
    shadow = Column(RESPONSE_TIME, 0.5)
    one = World(state(1))
    one.matching.models._versions[3].shadows = [shadow]
    (offer,) = one.answer(request())["matches"]
    (said,) = offer["shadow_scores"]
    assert said["answers_within"] == pytest.approx([1 - 0.5**n for n in (5, 9, 12)], abs=1e-6)
    assert offer["answers_within"] == pytest.approx([1 - 0.75**n for n in (5, 9, 12)], abs=1e-6)
    assert PlainScorer.version == "test-1"
