"""A version that can't score a request's donors: the request is refused, the run is logged, all others are answered."""

import numpy as np
import pytest

from features.vectors import RESPONSE_TIME
from schemas.records import Record
from smartblood.kafka.batches import look_at
from smartblood.kafka.halving import answered
from tests.fading import Column
from tests.unit.matching.test_releases import release
from tests.unit.matching.world import AT, KOCHI, PlainScorer, World, donors_of, request, state


class Failing(PlainScorer):
    """Can't score who is more than 3 km away."""

    def __init__(self, fails):
        super().__init__()
        self.fails = fails

    def predict(self, rows):
        if (rows[:, 1] > 3).any():
            return self.fails(rows)
        return super().predict(rows)


def raises(rows):
    message = f"health data: {rows}"
    raise FloatingPointError(message)


def says_nan(rows):
    return np.where(rows[:, 1] > 3, np.nan, 0.5)


@pytest.mark.parametrize(
    ("fails", "why"), [(raises, "FloatingPointError"), (says_nan, "it says what is no number")], ids=["raises", "nan"]
)
def test_its_request_is_refused_the_run_is_logged_and_the_others_are_answered(fails, why):
    world = World(state(1), state(2), scorer=Failing(fails))
    world.driver.run(batch_size=1)  # follows the donors
    codec = world.driver._codec

    def item(n, **changes):
        value = codec.encode("blood-request-created", request(n, **changes))
        return look_at(world.matching, Record("blood-request-created", 0, n, AT // 1000, str(n).encode(), value), 1)

    items = [item(1), item(2, latitude=KOCHI[0] + 0.05), item(3)]
    outputs, taken = answered(world.matching, items, {}, n_culprits_max=10, checked=lambda outputs: outputs)
    assert [one.error is None for one in taken] == [True, False, True]
    assert (taken[1].ours, taken[1].error.kind) == (True, "code")
    assert "health data" not in taken[1].error.reason
    answers = [codec.decode("matches", output.value) for output in outputs if output.topic == "matches"]
    assert [(answer["request_id"], donors_of(answer)) for answer in answers] == [(1, [1, 2]), (3, [1, 2])]
    logs = [
        codec.decode("prediction-logged", output.value) for output in outputs if output.topic == "prediction-logged"
    ]
    of_match = [log for log in logs if log["model"] == "donor_seeker_match"]
    # The run that failed had the rows of the requests before it in the batch too.
    assert [(log["success"], log["error"], log["n_rows"]) for log in of_match] == [(True, None, 4), (False, why, 4)]
    assert len({log["event_id"] for log in logs}) == len(logs)
    assert (of_match[1]["version"], of_match[1]["occurred_at"]) == ("test-1", AT)


class Silent(Column):
    """Says nothing of anybody."""

    def __init__(self, name):
        super().__init__(name, np.nan)
        self.version, self.sha256 = "9", "9" * 64


def watched(fails, batch_size):
    """What is answered with a shadow that can't score who is far away, and one that says nothing of anybody."""
    failing, silent = Failing(fails), Silent(RESPONSE_TIME)
    failing.version, failing.sha256 = "7", "7" * 64
    shadows = {failing.name: failing, silent.name: silent}
    world = World(state(1), state(2), load=lambda release: shadows[release.model])
    for shadow in shadows.values():
        release(world, shadow.version, "SHADOW", model=shadow.name, sha256=shadow.sha256)
    for n, changes in enumerate(({}, {"latitude": KOCHI[0] + 0.05}, {}), 1):
        world.driver.send("blood-request-created", str(n), request(n, **changes))
    world.driver.run(batch_size=batch_size)
    return world


@pytest.mark.parametrize("fails", [raises, says_nan])
def test_a_shadow_that_fails_is_in_nobodys_way(fails):
    world = watched(fails, 100)
    answers = {answer["request_id"]: answer for answer in world.driver.events("matches")}
    assert {n: donors_of(answer) for n, answer in answers.items()} == {1: [1, 2], 2: [1, 2], 3: [1, 2]}
    seen = {n: {s["model"] for m in one["matches"] for s in m["shadow_scores"] or []} for n, one in answers.items()}
    assert seen == {1: {"donor_seeker_match"}, 2: set(), 3: {"donor_seeker_match"}}
    failed = {log["model"] for log in world.driver.events("prediction-logged") if not log["success"]}
    assert failed == {"donor_seeker_match", RESPONSE_TIME}

    def said(one):
        return sorted(
            ({**a, "donor_state_offsets": []} for a in one.driver.events("matches")), key=lambda a: a["event_id"]
        )

    assert repr(said(world)) == repr(said(watched(fails, 1)))
