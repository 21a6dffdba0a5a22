"""Whatever befalls the processes: one output for each input, equal to the oracle's, and Postgres agrees row by row."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from tests.acceptance import records
from tests.acceptance.chaos import Afterwards, Chaos, Load, eventually, plan_of
from tests.acceptance.expected import wrong_answers
from tests.acceptance.test_strays import BY_DONOR, wrong_forwards
from tests.acceptance.wire import plain
from tests.oracle.test_donor_facts import departures

pytestmark = pytest.mark.broker

BY_REQUEST = ("blood-request-created", "blood-request-closed", "match-requested")
SOURCES = (*BY_DONOR, *BY_REQUEST)
READ = (
    *SOURCES,
    "donor-states",
    "request-states",
    "matches",
    "match-previews",
    "prediction-logged",
    "dead-letters",
)


@pytest.fixture(scope="module")
def broker(own_broker):
    """Not the one that all share: it is killed."""
    return own_broker


SHORT = plan_of(kill=5, stop=1, sleep=1, break_broker=1, break_postgres=1)
LONG = plan_of(kill=10, stop=1, sleep=2, join=1, break_broker=1, break_postgres=1, cut_power=1)
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
    assert eventually(lambda: outsider.what_is_open() == [], within_s=30), outsider.what_is_open()
    reader = outsider.reader(*READ)
    reader.to_the_end()
    seen = reader.seen
    assert len(seen["blood-request-created"]) > 40
    assert min(len(seen[topic]) for topic in (*BY_REQUEST, "match-previews")) > 5
    report = [*wrong_topics(outsider, seen), *records.once_right(system.tables(), seen, within_s=60)]
    assert report == [], "\n".join([*report[:20], *chaos.log])
    system.stop()
    outsider.close()
    publisher.close()


def await_all_taken_in(outsider) -> None:
    for _ in range(2):  # what was sent on is waited for too
        outsider.await_group("donor-state", *BY_DONOR, within_s=90)
        outsider.await_group("matching", *BY_REQUEST, within_s=90)


def wrong_topics(outsider, seen) -> list[str]:
    """Everything that the topics hold otherwise than they should."""
    lines = [f"dead letter: {one.said}" for one in seen["dead-letters"]]
    lines += [line for topic in SOURCES for line in wrong_forwards(outsider, topic, seen[topic])]
    at_home = {
        topic: [one for one in seen[topic] if one.partition == outsider.home(topic, one.key)] for topic in SOURCES
    }
    lines += wrong_states(at_home, seen["donor-states"])
    published = [one for topic in BY_REQUEST for one in at_home[topic]]
    answers = [*seen["matches"], *seen["match-previews"]]
    lines += wrong_answers(published, answers, seen["donor-states"], ("matches", "match-previews"))
    ids = Counter(one.event["event_id"] for one in [*answers, *seen["prediction-logged"]])
    lines += [f"{event_id} is the id of {n} events" for event_id, n in ids.items() if n > 1]
    lines += [f"{one.event['event_id']} was drawn" for one in answers if one.event["event_id"].version != 5]
    return lines


def wrong_states(at_home, states) -> list[str]:
    """What is known of each donor in the end, against all that lies where it belongs."""
    histories = defaultdict(list)
    for topic in BY_DONOR:
        for one in at_home[topic]:
            histories[int(one.key)].append((topic, one.value and plain(one.event), one.timestamp_ms))
    latest = records.latest_states(states)
    lines = []
    for donor_id, history in histories.items():
        departed = departures(latest[donor_id], history) if donor_id in latest else ["no state"]
        lines += [f"donor {donor_id}: {line}" for line in departed]
    return lines
