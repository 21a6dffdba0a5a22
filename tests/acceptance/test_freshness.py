"""A matcher sees every donor state that a reader could read before the request was appended."""

from __future__ import annotations

import pytest

from tests.acceptance.wire import plain
from tests.acceptance.world import DAY, now_us, registration, request
from tests.oracle import worlds

pytestmark = pytest.mark.broker

N_ROUNDS = 40


def test_what_a_reader_could_read_before_the_request_is_in_the_answer(system, outsider):
    system.run_all("a", "b", names=("donor-state", "matching"))
    rng, now = worlds.generator(80), now_us()
    states, answers = outsider.reader("donor-states"), outsider.reader("matches")
    profile = registration(rng, 9, at=now - 300 * DAY, blood_group="O_POS", sex="MALE")
    wanted = {}
    for n in range(N_ROUNDS):
        reachable = n % 2 == 0
        changed = {"event_id": worlds.event_id(rng), "occurred_at": now - 200 * DAY + n, "contactable": reachable}
        outsider.send("donor-registered", 9, profile | changed).get(timeout=20)
        states.until(lambda n=n: len(states.seen["donor-states"]) > n, within_s=20, what="the donor's state")
        asked = request(rng, n, at=now, blood_group="O_POS")
        outsider.send("blood-request-created", n, asked)
        wanted[asked["event_id"]] = reachable, states.seen["donor-states"][-1]
    outsider.flush()
    answers.until(lambda: len(answers.seen["matches"]) == N_ROUNDS, within_s=20, what="all answers")
    for one in answers.seen["matches"]:
        event = plain(one.event)
        reachable, state = wanted[event["request_event_id"]]
        seen = {at["partition"]: at["next_offset"] for at in event["donor_state_offsets"]}
        assert sorted(seen) == list(range(outsider.n_partitions("donor-states")))
        assert seen[state.partition] > state.offset
        if seen[state.partition] == state.offset + 1:  # else it saw the next change as well
            assert len(event["matches"]) == reachable
    system.stop()
