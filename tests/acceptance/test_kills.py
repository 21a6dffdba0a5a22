"""Whatever befalls the processes: one output for each input, equal to the oracle's, and Postgres agrees row by row."""

from __future__ import annotations

import pytest

from tests.acceptance import records
from tests.acceptance.chaos import Afterwards, Chaos, Load, plan_of
from tests.acceptance.in_the_end import BY_REQUEST, all_read, await_all_taken_in, courses_of_donors, wrong_topics

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def broker(own_broker):
    """Not the one that all share: it is killed."""
    return own_broker


SHORT = plan_of(kill=5, stop=1, sleep=1, break_broker=1, break_postgres=1)
LONG = plan_of(kill=10, stop=1, sleep=2, join=1, break_broker=1, break_postgres=1, freeze_postgres=1, cut_power=1)
AFTERWARDS, LONG_AFTERWARDS = plan_of(kill=2), plan_of(kill=3)
N_LONG = 10
"""Ten times twenty."""


@pytest.mark.parametrize(
    ("seed", "plan", "afterwards", "pace_s"),
    [
        pytest.param(1, SHORT, AFTERWARDS, 2.0, id="short"),
        *(
            pytest.param(2 + n, LONG, LONG_AFTERWARDS, 2.5, id=f"long-{n}", marks=pytest.mark.soak)
            for n in range(N_LONG)
        ),
    ],
)
def test_kills_leave_one_right_output_for_each_input(system, broker, postgres, seed, plan, afterwards, pace_s):
    outsider, publisher = system.outsider(), system.outsider()
    chaos = Chaos(system, broker, postgres, seed)
    chaos.start("a", "b")
    load = Load(publisher, seed, n_donors=200, rate=40)
    load.publish_donors()
    load.start()
    chaos.go_on(list(plan), pace_s)
    load.stop()
    await_all_taken_in(outsider)
    more = Afterwards(publisher, seed, load.requests, rate=40)
    more.start()
    chaos.go_on(list(afterwards), pace_s)
    more.stop()
    await_all_taken_in(outsider)
    chaos.check_alive()
    seen = all_read(outsider)
    assert len(seen["blood-request-created"]) > 40
    assert min(len(seen[topic]) for topic in (*BY_REQUEST, "match-previews")) > 5
    courses = courses_of_donors(seen["donor-states"])
    assert min(courses.values()) > 2, courses
    report = [*wrong_topics(outsider, seen), *records.once_right(system.tables(), seen, within_s=60)]
    assert report == [], "\n".join([*report[:20], *chaos.log])
    system.stop()
    outsider.close()
    publisher.close()
