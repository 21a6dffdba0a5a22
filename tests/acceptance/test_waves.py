"""The course of a request: waves, previews, corrections, closings; what donors say and who is erased."""

from __future__ import annotations

import pytest

from tests.acceptance import records
from tests.acceptance.expected import wrong_answers
from tests.acceptance.wire import plain
from tests.acceptance.world import DAY, closing, now_us, registration, rematch, request, response
from tests.oracle import worlds

pytestmark = pytest.mark.broker

MINUTE = 60_000_000
BY_REQUEST = ("blood-request-created", "blood-request-closed", "match-requested")
TABLES_SHOW = (*BY_REQUEST, "donor-responded", "donor-states", "matches", "match-previews", "prediction-logged")


class Course:
    """Publishes step by step, each taken in before the next, and remembers the order."""

    def __init__(self, outsider):
        self._outsider = outsider
        self._answers = outsider.reader("matches", "match-previews")
        self.order = {}
        self.sent = []

    def ask(self, topic, request_id, event):
        """Publish something about a request; return the new answers, of which there may be none."""
        sent = self._outsider.send(topic, request_id, event).get(timeout=20)
        self.order[topic, sent.partition, sent.offset] = len(self.order)
        self.sent.append((topic, request_id, event))
        self._outsider.await_group("matching", *BY_REQUEST)
        before = sum(map(len, self._answers.seen.values()))
        self._answers.to_the_end()
        every = [one for topic in ("matches", "match-previews") for one in self._answers.seen[topic]]
        return [plain(one.event) for one in sorted(every, key=lambda one: one.timestamp_ms)][before:]

    def tell(self, topic, donor_id, event, **more):
        """Publish something about a donor, and wait until it is known."""
        self._outsider.send(topic, donor_id, event, **more)
        self._outsider.flush()
        self._outsider.await_group("donor-state", "donor-registered", "donor-responded")


def donors_of(answer):
    return [one["donor_id"] for one in answer["matches"]]


def test_a_request_runs_its_course_and_repeats_change_nothing_even_after_a_restart(system, outsider, tables):
    _, matching, _ = system.run_all()
    course, rng, now = Course(outsider), worlds.generator(75), now_us()
    for donor_id in range(1, 41):
        known = registration(rng, donor_id, at=now - 100 * DAY, blood_group="B_POS", sex="MALE")
        outsider.send("donor-registered", donor_id, known)
    outsider.flush()
    outsider.await_group("donor-state", "donor-registered")

    first = request(rng, 5, at=now - 60 * MINUTE, blood_group="B_POS", top_k=5, urgency="HIGH")
    (one,) = course.ask("blood-request-created", 5, first)
    assert (one["wave"], len(one["matches"])) == (1, 5)
    assert course.ask("blood-request-created", 5, first) == []

    asked = donors_of(one)
    said_at = now - 50 * MINUTE
    for donor_id, said in zip(asked, ["NOTIFIED", "OPENED", "ACCEPTED", "DECLINED", "EXPIRED"], strict=True):
        course.tell("donor-responded", donor_id, response(rng, donor_id, said_at, 5, said))
    (shown,) = course.ask("match-requested", 5, rematch(rng, first, now - 40 * MINUTE, recorded=False))
    (two,) = course.ask("match-requested", 5, rematch(rng, first, now - 40 * MINUTE, recorded=True))
    assert (shown["wave"], two["wave"], donors_of(shown)) == (2, 2, donors_of(two))
    assert set(donors_of(two)) & set(asked) <= {asked[4]}  # who let it expire may be asked again

    (other,) = course.ask(
        "blood-request-created", 6, first | {"event_id": worlds.event_id(rng), "request_id": 6, "top_k": 40}
    )
    assert set(asked) - set(donors_of(other)) == {asked[2]}  # promised elsewhere

    corrected = first | {"event_id": worlds.event_id(rng), "occurred_at": now - 30 * MINUTE, "units_required": 4}
    (three,) = course.ask("blood-request-created", 5, corrected)
    assert (three["wave"], three["units_required"]) == (3, 4)
    (stale,) = course.ask(
        "blood-request-created", 5, first | {"event_id": worlds.event_id(rng), "occurred_at": now - 70 * MINUTE}
    )
    assert (stale["wave"], stale["matches"], stale["n_considered"], stale["reach_km"]) == (4, [], 0, 0)
    assert stale["empty_because"]
    (late,) = course.ask("match-requested", 5, rematch(rng, corrected, corrected["required_by"] + 1, recorded=True))
    assert (late["wave"], late["matches"]) == (5, [])

    assert course.ask("blood-request-closed", 5, closing(rng, 5, now - 20 * MINUTE, "CANCELLED")) == []
    (over,) = course.ask("match-requested", 5, rematch(rng, corrected, now - 10 * MINUTE, recorded=True))
    assert (over["wave"], over["matches"]) == (6, [])
    assert "clos" in over["empty_because"]
    again = corrected | {"event_id": worlds.event_id(rng), "occurred_at": now - 5 * MINUTE}
    (opened,) = course.ask("blood-request-created", 5, again)
    assert (opened["wave"], len(opened["matches"])) == (7, 5)
    done = closing(rng, 6, now, "FULFILLED", units=2)
    assert course.ask("blood-request-closed", 6, done) == []
    # A producer's bug: other content under ids that were given away.
    reused = again | {"occurred_at": now - 2 * MINUTE, "units_required": 9}
    assert course.ask("blood-request-created", 5, reused) == []
    reused = done | {"occurred_at": now + MINUTE, "outcome": "CANCELLED", "units_fulfilled": 0}
    assert course.ask("blood-request-closed", 6, reused) == []

    gone = donors_of(opened)[0]
    course.tell("donor-registered", gone, None)
    (without,) = course.ask("match-requested", 5, rematch(rng, again, now - MINUTE, recorded=True))
    assert gone not in donors_of(without)

    matching.kill()
    system.await_ready(system.run("matching"))
    for topic, request_id, event in list(course.sent):
        assert course.ask(topic, request_id, event) == []
    everything_agrees(course, outsider, tables, gone)
    system.stop()


def everything_agrees(course, outsider, tables, gone):
    """The oracle is told of all of it at once; the tables hold what the topics hold."""
    reader = outsider.reader(*TABLES_SHOW, "dead-letters")
    reader.to_the_end()
    seen = reader.seen
    assert [one.said for one in seen["dead-letters"]] == []
    asked = sorted((one for topic in BY_REQUEST for one in seen[topic]), key=lambda one: course.order[one.place])
    answers = [*seen["matches"], *seen["match-previews"]]
    assert wrong_answers(asked, answers, seen["donor-states"], ("matches", "match-previews")) == []

    assert records.once_right(tables, seen) == []
    assert dict(tables.query("SELECT id, status FROM blood_requests")) == {5: "open", 6: "fulfilled"}
    told = tables.query("SELECT request_id, wave, donor_id FROM match_predictions WHERE notified")
    assert set(told) == records.notified_in(seen["donor-responded"], seen["matches"])
    assert len(told) == 1
    assert tables.query("SELECT count(*) FROM donors WHERE id = %s", gone) == [(0,)]
    kept = tables.query("SELECT feature_vector FROM match_predictions WHERE donor_id = %s", gone)
    assert kept
    assert all(not vector for (vector,) in kept)
