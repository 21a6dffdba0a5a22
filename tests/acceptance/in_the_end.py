"""What topics hold when all is over: taken in whole, nothing open, and as it should be."""

from __future__ import annotations

from collections import Counter, defaultdict

from tests.acceptance import records
from tests.acceptance.chaos import eventually
from tests.acceptance.expected import wrong_answers
from tests.acceptance.test_strays import BY_DONOR, wrong_forwards
from tests.acceptance.wire import plain
from tests.oracle.test_donor_facts import departures

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


def await_all_taken_in(outsider) -> None:
    for _ in range(2):  # what was sent on is waited for too
        outsider.await_group("donor-state", *BY_DONOR, within_s=90)
        outsider.await_group("matching", *BY_REQUEST, within_s=90)


def all_read(outsider):
    """Everything that the topics hold, by topic, when no transaction is open any more."""
    assert eventually(lambda: outsider.what_is_open() == [], within_s=30), outsider.what_is_open()
    reader = outsider.reader(*READ)
    reader.to_the_end()
    return reader.seen


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


def courses_of_donors(states) -> dict[str, int]:
    """How many donors were led each way by their states, so that a test can say that all ways were gone."""
    cells = defaultdict(set)
    for one in states:
        cells[one.key].add(one.event["h3_cell"])
    latest = records.latest_states(states).values()
    ends = [{one["until"] is None for one in state["deferrals"]} for state in latest]
    return {
        "moved": sum(len(of_donor) > 1 for of_donor in cells.values()),
        "erased": sum(state["erased_at"] is not None for state in latest),
        "back": sum(state["last_erased_at"] is not None and state["registered_at"] is not None for state in latest),
        "deferred for ever": sum(True in of_donor for of_donor in ends),
        "deferred for a time": sum(False in of_donor for of_donor in ends),
    }
