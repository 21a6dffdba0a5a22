"""What an erasure leaves in a real Postgres, whatever came first."""

import itertools

import pytest
from alembic import command

from consumers.recording.folding import fold
from consumers.recording.refusals import refused_row
from schemas.errors import InvalidRecord
from smartblood.storage.schema import _config, check, upgrade
from tests.integration.recording.sink_world import (
    OFFER,
    PROJECTION,
    empty,
    in_any_order,
    matched,
    put,
    responded,
    state,
)
from tests.record_events import AT, MINUTE, an_id, record

pytestmark = pytest.mark.broker


def erased(at=0, **changes):
    return state(registered_at=None, erased_at=AT + at * MINUTE, last_erased_at=AT + at * MINUTE, **changes)


def test_an_erased_donor_leaves_the_rows_without_what_was_known_whatever_came_first(sink, ask):
    said = [matched([42, 43]), state(donor_id=43), erased(0)]
    rows = in_any_order(sink, ask, OFFER + " ORDER BY donor_id", said)
    assert [row["feature_vector"] == {} for row in rows] == [True, False]
    assert [row["distance_km"] is None for row in rows] == [True, False]
    assert ask("SELECT blood_group, compatibility_tier, behaviour FROM match_predictions WHERE donor_id = 42") == [
        {"blood_group": None, "compatibility_tier": None, "behaviour": None}
    ]
    assert ask("SELECT count(*) AS n FROM match_predictions WHERE blood_group IS NOT NULL") == [{"n": 1}]
    assert ask("SELECT id FROM donors") == [{"id": 43}]


def test_groups_of_whom_was_erased_before_the_migration_go_with_it(sink, ask, engine, postgres):
    put(sink, matched([42, 43]), state(donor_id=43), erased(0))
    with engine.begin() as connection:
        command.downgrade(_config(connection), "0005")
        connection.exec_driver_sql("UPDATE match_predictions SET blood_group = 'O+', compatibility_tier = 2")
    upgrade(postgres.url_of("sink"))
    assert check(postgres.url_of("sink")) == []
    groups = "SELECT donor_id, blood_group, compatibility_tier AS tier FROM match_predictions ORDER BY 1"
    assert ask(groups) == [
        {"donor_id": 42, "blood_group": None, "tier": None},
        {"donor_id": 43, "blood_group": "O+", "tier": 2},
    ]


def test_an_answer_made_before_the_erasure_was_seen_is_emptied_by_the_offsets_it_saw(sink, ask):
    """By its instant it is later than the erasure, but the matcher had not seen that yet."""
    put(sink, erased(-60), offset=1834)
    saw_less = matched([42], request_event_id=an_id(1))
    saw_more = matched([42], request_event_id=an_id(2))
    saw_more[1]["donor_state_offsets"] = [{"partition": 0, "next_offset": 1835}]
    put(sink, saw_less, saw_more)
    found = ask("SELECT feature_vector FROM match_predictions ORDER BY request_event_id")
    assert [row["feature_vector"] == {} for row in found] == [True, False]


def back(at=0, **changes):
    """The state of a donor who was erased, and registered again since."""
    return state(last_erased_at=AT + at * MINUTE, **changes)


def offered(n, seen, at):
    """An offer to the donor, by a matcher that had seen the states below an offset."""
    saw = [{"partition": 0, "next_offset": seen}]
    return matched(request_event_id=an_id(n), occurred_at=AT + at * MINUTE, donor_state_offsets=saw)


def emptied(sink, ask, states, offers):
    """Write states, by their offsets, and offers in every mixture of the two topics; return which offers are empty."""
    topics = [[(each, offset) for offset, each in states.items()], [(each, 0) for each in offers]]
    n, found = len(states) + len(offers), set()
    for of_states in itertools.combinations(range(n), len(states)):
        empty(sink)
        readers = [iter(each) for each in topics]
        told = [next(readers[0 if place in of_states else 1]) for place in range(n)]
        for each, offset in told:
            put(sink, each, offset=offset)
        found.add(_which_are_empty(ask))
        empty(sink)
        sink.write(fold(row for each, at in told for row in PROJECTION.rows(record(*each, offset=at))), [])
        found.add(_which_are_empty(ask))
    assert len(found) == 1, found
    return list(found.pop())


def _which_are_empty(ask):
    rows = ask("SELECT feature_vector, distance_km FROM match_predictions ORDER BY request_event_id")
    assert all((row["feature_vector"] == {}) == (row["distance_km"] is None) for row in rows)
    return tuple(row["distance_km"] is None for row in rows)


def test_offers_to_a_donor_who_came_back_keep_what_is_known_of_the_new_person(sink, ask):
    states = {9: state(), 10: erased(0), 11: back(0), 12: back(0, n_alerts=1), 14: back(0, n_alerts=2)}
    offers = [offered(1, 9, -1), offered(2, 10, 1), offered(3, 12, 2), offered(4, 14, 3)]
    assert emptied(sink, ask, states, offers) == [True, True, False, False]


def test_so_do_they_where_erasure_and_return_are_one_state(sink, ask):
    states = {9: state(), 10: back(0), 11: back(0, n_alerts=1), 12: back(0, n_alerts=2)}
    assert emptied(sink, ask, states, [offered(1, 10, 1), offered(2, 11, 2), offered(3, 12, 3)]) == [True, False, False]


def test_of_several_erasures_each_empties_what_was_offered_before_it(sink, ask):
    states = {10: erased(0), 11: back(0), 20: back(10), 22: back(10, n_alerts=1)}
    offers = [offered(1, 10, 1), offered(2, 12, 2), offered(3, 20, 11), offered(4, 22, 12)]
    assert emptied(sink, ask, states, offers) == [True, True, True, False]


WAITING = "SELECT wave, notified_at::text, answered_at::text FROM donor_responses ORDER BY wave"


def test_an_erased_donors_answers_whose_offer_never_came_go_whatever_came_first(sink, ask):
    said = [responded("NOTIFIED", -1), responded("ACCEPTED", 0), erased(0)]
    assert in_any_order(sink, ask, WAITING, said) == []


def test_an_answer_after_the_return_stays_and_so_do_those_of_others(sink, ask):
    said = [responded("NOTIFIED", -1), erased(0), responded("NOTIFIED", 1, wave=2), responded("OPENED", 1)]
    assert [row["wave"] for row in in_any_order(sink, ask, WAITING, said)] == [2]
    said = [responded("NOTIFIED", -1, donor_id=43), erased(0)]
    assert len(in_any_order(sink, ask, WAITING, said)) == 1


def test_of_a_notice_before_the_erasure_and_an_answer_after_it_the_answer_alone_stays(sink, ask):
    said = [responded("NOTIFIED", -1), erased(0), responded("ACCEPTED", 1)]
    (row,) = in_any_order(sink, ask, WAITING, said)
    assert list(row.values()) == [1, None, "2025-11-25 08:01:00+00"]
    put(sink, matched(occurred_at=AT - 2 * MINUTE))
    assert ask(WAITING) == []
    assert [(row["notified"], row["feature_vector"]) for row in ask(OFFER)] == [(False, {})]


def test_a_later_erasure_takes_what_was_said_since_the_one_before(sink, ask):
    put(sink, erased(0), responded("NOTIFIED", 1, wave=2), back(0))
    put(sink, responded("NOTIFIED", 20, wave=3), erased(10))
    assert [row["wave"] for row in ask(WAITING)] == [3]


def test_an_offer_keeps_who_was_notified_of_it_also_where_the_donor_was_erased_since(sink, ask):
    for last in (responded("NOTIFIED", -1), erased(0)):
        empty(sink)
        put(sink, matched(occurred_at=AT - 2 * MINUTE))
        for each in (responded("NOTIFIED", -1), erased(0), last):
            put(sink, each)
        assert [(row["notified"], row["feature_vector"]) for row in ask(OFFER)] == [(True, {})]


def test_a_donor_who_comes_back_is_shown_again(sink, ask):
    put(sink, state())
    put(sink, erased(1))
    assert ask("SELECT id FROM donors") == []
    put(sink, state(total_donations=0))
    assert ask("SELECT id, total_donations FROM donors") == [{"id": 42, "total_donations": 0}]


def test_of_refused_records_about_the_erased_the_place_and_the_error_are_left(sink, ask):
    def refused(topic, key, offset):
        raw = record(topic, b"garbage", offset=offset)._replace(key=key)
        return refused_row(raw, InvalidRecord("value: no frame", kind="undecodable"), f"p-{topic}")

    topics = ("donor-responded", "donation-recorded", "blood-request-created")
    rows = [refused(topic, key, offset) for topic in topics for offset, key in enumerate((b"42", b"43", b"\xff", None))]
    sink.write(fold(rows), [])
    put(sink, erased(), back(-60, donor_id=43))
    left = ask("SELECT source_topic, key, value, error FROM refused_records WHERE value IS NULL ORDER BY source_topic")
    assert [(row["source_topic"], row["key"], row["error"]) for row in left] == [
        ("p-donation-recorded", None, "value: no frame"),
        ("p-donation-recorded", None, "value: no frame"),
        ("p-donor-responded", None, "value: no frame"),
        ("p-donor-responded", None, "value: no frame"),
    ]
    assert len(ask("SELECT 1 FROM refused_records WHERE value = 'garbage'::bytea")) == 8
