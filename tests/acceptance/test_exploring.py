"""The share of lists that explore is a setting of the workers."""

from __future__ import annotations

import pytest

from tests.acceptance.wire import plain
from tests.acceptance.world import DAY, now_us, registration, request
from tests.oracle import worlds

pytestmark = pytest.mark.broker

N_DONORS, N_REQUESTS, TOP_K = 12, 8, 5


@pytest.mark.parametrize("share", ["0", "1"])
def test_as_many_lists_explore_as_the_setting_says(make_system, share):
    system = make_system(SMARTBLOOD_EXPLORING_SHARE=share)
    outsider = system.outsider()
    system.run_all("a", names=("donor-state", "matching"))
    rng, now = worlds.generator(81), now_us()
    states, answers = outsider.reader("donor-states"), outsider.reader("matches")
    for n in range(N_DONORS):
        profile = registration(rng, n, at=now - 300 * DAY, blood_group="O_POS", sex="MALE") | {"contactable": True}
        outsider.send("donor-registered", n, profile)
    outsider.flush()
    states.until(lambda: len(states.seen["donor-states"]) == N_DONORS, within_s=20, what="the donors' states")
    for n in range(N_REQUESTS):
        outsider.send("blood-request-created", n, asked_for(rng, n, now))
    outsider.flush()
    answers.until(lambda: len(answers.seen["matches"]) == N_REQUESTS, within_s=20, what="all answers")
    lists = [plain(one.event)["matches"] for one in answers.seen["matches"]]
    full = [one for one in lists if len(one) == TOP_K]
    assert full, "no list was long enough to explore"
    for one in full:
        assert [offer["explored"] for offer in one] == [False] * (TOP_K - 1) + [share == "1"]
        assert all(offer["propensity"] == 1 for offer in one[:-1])
        assert (one[-1]["propensity"] < 1) == (share == "1")
    outsider.close()
    system.stop()


def asked_for(rng, request_id, now):
    return request(rng, request_id, at=now, blood_group="O_POS") | {
        "urgency": "LOW",
        "top_k": TOP_K,
        "component": "RED_CELLS",
        "units_required": 1,
    }
