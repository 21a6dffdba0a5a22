from __future__ import annotations

import pytest

from consumers.topology import Batch, Input
from features.vectors import FEATURES
from schemas.identifiers import derived_event_id
from tests.unit.matching.world import AT, HOUR_US, World, again, closing, donors_of, request, state

DAY_MS = 86_400_000


def empty(answer) -> str | None:
    """Why a list is empty, of an answer for which nobody was looked for."""
    counts = [answer[name] for name in ("reach_km", "n_considered", "n_compatible", "n_eligible", "n_askable")]
    if answer["empty_because"] is not None:
        assert counts == [0, 0, 0, 0, 0]
        assert answer["matches"] == []
    return answer["empty_because"]


def test_the_answer_carries_the_event_that_it_answers():
    first = request()
    world = World(state(1))
    answer = world.answer(first)
    assert answer["event_id"] == derived_event_id("matches", first["event_id"])
    assert answer["request_event_id"] == first["event_id"]
    assert answer["occurred_at"] == first["occurred_at"]
    wave = again(first)
    answer = world.answer(wave)
    assert (answer["request_event_id"], answer["occurred_at"]) == (wave["event_id"], wave["occurred_at"])


def test_each_new_event_is_a_wave_and_a_repeat_is_none():
    world = World(state(1))
    first, changed = request(), request(units_required=3, occurred_at=AT + 1)
    assert world.answer(first)["wave"] == 1
    assert world.answer(first) is None
    assert world.answer(changed)["wave"] == 2
    assert world.answer(again(changed))["wave"] == 3
    assert world.answer(again(changed)) is None


def test_a_repeat_in_one_batch_is_answered_once():
    world = World(state(1))
    for _ in range(3):
        world.driver.send("blood-request-created", "1", request())
    world.driver.run(batch_size=10)
    assert len(world.driver.events("matches")) == 1


def test_a_preview_shows_the_next_wave_and_counts_as_none():
    world = World(state(1))
    first = request()
    world.answer(first)
    preview = again(first, recorded=False)
    answer = world.answer(preview)
    assert answer["event_id"] == derived_event_id("match-previews", preview["event_id"])
    assert answer["wave"] == 2
    assert world.answer(preview) is None
    assert world.answer(again(first))["wave"] == 2
    assert len(world.driver.events("match-previews")) == 1


def test_a_statement_that_was_corrected_asks_nobody_but_is_a_wave():
    world = World(state(1))
    old, new = request(), request(occurred_at=AT + HOUR_US)
    assert empty(world.answer(new)) is None
    late = world.answer(old)
    assert "corrects" in empty(late)
    assert late["wave"] == 2
    assert "corrects" in empty(world.answer(again(old, occurred_at=AT + 2 * HOUR_US)))
    assert empty(world.answer(again(new))) is None


def test_of_one_instant_the_greater_event_id_holds():
    world = World(state(1))
    low, high = sorted([request(), request(units_required=3)], key=lambda event: event["event_id"])
    assert empty(world.answer(high)) is None
    assert "corrects" in empty(world.answer(low))


def test_after_a_closing_nobody_is_asked_until_a_later_request():
    world = World(state(1))
    first = request()
    world.answer(first)
    world.close(closing())
    assert "closed" in empty(world.answer(again(first, occurred_at=AT + 2 * HOUR_US)))
    assert "closed" in empty(world.answer(request(occurred_at=AT + HOUR_US)))
    later = request(occurred_at=AT + HOUR_US + 1)
    assert empty(world.answer(later)) is None
    assert empty(world.answer(again(later))) is None
    world.close(closing(occurred_at=AT + 3 * HOUR_US))
    assert "closed" in empty(world.answer(again(later, occurred_at=AT + 4 * HOUR_US)))


@pytest.mark.parametrize("restarted", [False, True])
def test_of_an_old_statement_it_is_said_what_bars_it_now(restarted):
    world = World(state(1))
    old, current, later = (request(occurred_at=AT + hours * HOUR_US) for hours in (0, 2, 6))

    def said_of(statement, hours):
        if restarted:
            world.driver.restart(world.matching)
        return empty(world.answer(again(statement, occurred_at=AT + hours * HOUR_US)))

    world.answer(old)
    world.close(closing(occurred_at=AT + HOUR_US))
    assert "closed" in said_of(old, 1)
    # opened again: what bars the old one is the new one
    assert empty(world.answer(current)) is None
    assert "corrects" in said_of(old, 3)
    assert "corrects" in empty(world.answer(request(occurred_at=AT + HOUR_US // 2)))
    assert said_of(current, 3) is None
    # closed again
    world.close(closing(occurred_at=AT + 4 * HOUR_US))
    assert "closed" in said_of(old, 5)
    assert "closed" in said_of(current, 5)
    # and opened again
    assert empty(world.answer(later)) is None
    assert "corrects" in said_of(old, 7)
    assert "corrects" in said_of(current, 7)


def test_what_one_match_requested_opened_is_closed_to_statements_that_nothing_corrects():
    world = World(state(1))
    old = request()
    world.answer(old)
    world.close(closing())
    assert empty(world.answer(again(request(occurred_at=AT + 2 * HOUR_US)))) is None
    assert "closed" in empty(world.answer(again(old, occurred_at=AT + 3 * HOUR_US)))


def test_a_later_request_inside_a_match_requested_opens_a_closed_request():
    world = World(state(1))
    world.answer(request())
    world.close(closing())
    assert empty(world.answer(again(request(occurred_at=AT + 2 * HOUR_US)))) is None


def test_the_later_of_two_closings_holds_whatever_came_last():
    world = World(state(1))
    world.close(closing(occurred_at=AT + 3 * HOUR_US))
    world.close(closing(occurred_at=AT + HOUR_US))
    assert "closed" in empty(world.answer(request(occurred_at=AT + 2 * HOUR_US)))


def test_a_closing_in_the_same_batch_goes_first():
    world = World(state(1))
    world.driver.send("blood-request-created", "1", request())
    world.driver.send("blood-request-closed", "1", closing())
    world.driver.run(batch_size=10)
    (answer,) = world.driver.events("matches")
    assert "closed" in empty(answer)


def test_a_match_requested_after_required_by_asks_nobody():
    world = World(state(1))
    first = request()
    world.answer(first)
    assert empty(world.answer(again(first, occurred_at=first["required_by"]))) is None
    assert "passed" in empty(world.answer(again(first, occurred_at=first["required_by"] + 1)))


def test_an_empty_preview_counts_as_none():
    world = World(state(1))
    first = request()
    world.answer(first)
    late = world.answer(again(first, occurred_at=first["required_by"] + 1, recorded=False))
    assert (empty(late) is not None, late["wave"]) == (True, 2)
    assert world.answer(again(first))["wave"] == 2


@pytest.mark.parametrize("n_partitions", [1, 3])
def test_a_restarted_processor_remembers(n_partitions):
    world = World(state(1), n_partitions=n_partitions)
    firsts = [request(n) for n in range(1, 6)]
    for first in firsts:
        world.answer(first)
    world.close(closing(2))
    world.driver.restart(world.matching)
    for first in firsts:
        assert world.answer(first) is None
    assert world.answer(again(firsts[0]))["wave"] == 2
    assert "closed" in empty(world.answer(again(firsts[1], occurred_at=AT + 2 * HOUR_US)))


def test_a_revoked_partition_is_forgotten():
    world = World(state(1))
    world.answer(request())
    world.matching.revoke([0])
    world.driver.send("blood-request-created", "1", request())
    world.driver.run()
    assert [answer["wave"] for answer in world.driver.events("matches")] == [1, 1]


def test_what_is_staged_is_the_memory_only_once_it_is_kept():
    world = World(state(1))
    record = world.driver.send("blood-request-created", "1", request())
    batch = Batch([Input(record, request())], {"donor-states": {0: 0}})
    first = world.matching.process(batch)
    assert world.matching.process(batch) == []
    world.matching.drop()
    assert world.matching.process(batch) == first
    world.matching.keep()
    world.matching.drop()
    assert world.matching.process(batch) == []


def test_a_repeat_is_recognised_for_seven_days_by_kafka_timestamps():
    world = World(state(1))
    first = request()
    times_ms = [AT // 1000, AT // 1000 + 7 * DAY_MS, AT // 1000 + 7 * DAY_MS + 1]
    for timestamp_ms in times_ms:
        world.driver.send("blood-request-created", "1", first, timestamp_ms=timestamp_ms)
        world.driver.run()
    assert [answer["wave"] for answer in world.driver.events("matches")] == [1, 2]


def test_a_repeat_with_an_old_timestamp_is_recognised():
    world = World(state(1))
    first = request()
    for event, days in ((again(first, occurred_at=AT + 1), 20), (first, 0), (first, 0)):
        topic = "match-requested" if "request" in event else "blood-request-created"
        world.driver.send(topic, "1", event, timestamp_ms=AT // 1000 + days * DAY_MS)
        world.driver.run()
    assert len(world.driver.events("matches")) == 2


def test_a_thousand_events_of_a_request_are_remembered_and_the_oldest_go_first():
    world = World(state(1))
    first = request()
    events = [first, *(again(first, occurred_at=AT + n) for n in range(1, 1001))]
    for event in events:
        topic = "match-requested" if "request" in event else "blood-request-created"
        world.driver.send(topic, "1", event, timestamp_ms=AT // 1000 + event["occurred_at"] - AT)
    world.driver.run(batch_size=2000)
    n_answers = len(world.driver.events("matches"))
    assert n_answers == 1001
    assert world.answer(events[1000]) is None
    assert world.answer(events[1]) is None
    world.driver.send("blood-request-created", "1", first)
    world.driver.run()
    assert len(world.driver.events("matches")) == 1002


def ask_at(world, event, ms):
    topic = "match-requested" if "request" in event else "blood-request-created"
    world.driver.send(topic, "1", event, timestamp_ms=AT // 1000 + ms)


def previews_of(first, n):
    return [again(first, occurred_at=AT + each, recorded=False) for each in range(1, n + 1)]


@pytest.mark.parametrize("restarted", [False, True])
def test_no_number_of_previews_pushes_out_what_was_answered_or_closed(restarted):
    world = World(state(1))
    first, closed = request(), closing(occurred_at=AT - HOUR_US)
    world.close(closed)
    world.answer(first)
    previews = previews_of(first, 1100)
    for ms, event in enumerate(previews):
        ask_at(world, event, ms)
    world.driver.run(batch_size=2000)
    if restarted:
        world.driver.restart(world.matching)
    assert len(world.driver.events("match-previews")) == 1100
    n_states = len(world.driver.records("request-states"))
    assert world.answer(first) is None
    world.close(closed)
    assert world.answer(previews[-1]) is None
    assert world.answer(previews[100]) is None
    assert len(world.driver.records("request-states")) == n_states
    assert world.answer(again(first))["wave"] == 2


def test_a_thousand_previews_of_a_request_are_remembered_whatever_else_is():
    world = World(state(1))
    first = request()
    previews = previews_of(first, 1001)
    waves = [again(first, occurred_at=AT + n) for n in range(1001)]
    for ms, event in enumerate([*previews, *waves]):
        ask_at(world, event, ms)
    world.driver.run(batch_size=3000)
    assert len(world.driver.events("match-previews")) == 1001
    for ms, event in enumerate(previews):
        ask_at(world, event, ms)
    world.driver.run(batch_size=3000)
    assert len(world.driver.events("match-previews")) == 1002
    assert len(world.driver.events("request-states")[-1]["memory"]) == 2000 * 24


def test_a_preview_is_recognised_for_seven_days_by_kafka_timestamps():
    world = World(state(1))
    (preview,) = previews_of(request(), 1)
    for ms in (0, 7 * DAY_MS, 7 * DAY_MS + 1):
        ask_at(world, preview, ms)
        world.driver.run()
    assert len(world.driver.events("match-previews")) == 2


def test_an_id_in_capitals_is_the_same_id_and_comes_back_in_lower_case():
    first, world = request(), World(state(1))
    answer = world.answer({**first, "event_id": first["event_id"].upper()})
    assert answer["request_event_id"] == first["event_id"]
    assert answer["event_id"] == derived_event_id("matches", first["event_id"])
    assert world.answer(first) is None


def test_a_batch_logs_its_scoring_once():
    world = World(state(1), state(2), timer=iter(range(100)).__next__)
    for n in (1, 2):
        world.driver.send("blood-request-created", str(n), request(n))
    world.driver.run(batch_size=10)
    runs = world.driver.events("prediction-logged")
    assert sorted(run["model"] for run in runs) == sorted(FEATURES)
    (logged,) = [run for run in runs if run["model"] == "donor_seeker_match"]
    assert (logged["n_rows"], logged["inference_time_ms"], logged["success"]) == (4, 1000.0, True)
    assert (logged["source"], logged["model"], logged["version"]) == ("matching", "donor_seeker_match", "test-1")
    assert logged["event_id"] == derived_event_id("prediction-logged/donor_seeker_match/test-1", request(1)["event_id"])


def test_a_request_of_an_unknown_district_is_answered_and_said_once_its_batch_is_committed():
    world = World(state(1))
    record = world.driver.send("blood-request-created", "1", request(district="Atlantis"))
    for _ in range(2):
        assert world.matching.process(Batch([Input(record, world.matching.read(record))]))
        world.matching.drop()
    assert world.matching.in_no_district == []
    world.driver.run()
    assert donors_of(world.driver.events("matches")[0]) == [1]
    assert world.matching.in_no_district == [(1, "Atlantis")]
    assert world.answer(request(district="Atlantis")) is None, "a repeat"
    assert world.answer(request(2))["district"] == "Ernakulam"
    assert world.matching.in_no_district == [(1, "Atlantis")]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"units_required": 0}, "units_required"),
        ({"latitude": float("nan")}, "latitude"),
        ({"required_by": AT - 1}, "required_by"),
        ({"urgency": "UNKNOWN"}, "urgency"),
    ],
)
def test_what_breaks_the_contract_is_refused_and_remembered_by_nobody(changes, words):
    world = World(state(1))
    assert world.answer(request(**changes)) is None
    (letter,) = world.driver.records("dead-letters")
    assert words in dict(letter.headers)["error"].decode()
    assert world.driver.records("request-states") == []
    assert world.answer(request())["wave"] == 1


def test_what_a_record_costs_is_estimated():
    world = World()
    for topic, event, rows in (
        ("blood-request-created", request(), 256),
        ("blood-request-created", request(top_k=500), 1000),
        ("match-requested", again(request(top_k=None)), 400),
        ("blood-request-closed", closing(), 1),
    ):
        record = world.driver.send(topic, "1", event)

        assert world.matching.work(Input(record, event)) == rows
