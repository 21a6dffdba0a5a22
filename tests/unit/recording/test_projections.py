import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.recording.folding import fold
from consumers.recording.projection import TOPOLOGY, Projection
from consumers.recording.refusals import refused_row
from consumers.recording.requests import folded_closings, folded_requests, unrepeated
from consumers.recording.rows import (
    ClosingRow,
    DepartureRow,
    DonorRow,
    ErasureRow,
    OutcomeRow,
    RequestRow,
    ResponseRow,
    StreamTimeRow,
    Wave,
)
from consumers.recording.texts import json_of, json_sample, text_of
from features.rule_set import INDIA_2020
from features.vectors import MATCH_FEATURES
from schemas.catalogue import topics
from schemas.errors import InvalidRecord
from schemas.identifiers import REMEMBERED_MS
from tests.record_events import AT, CODEC, MINUTE, an_id, event, matches_of, record

PROJECTION = Projection(CODEC, INDIA_2020, MATCH_FEATURES)
DAY = 24 * 60 * MINUTE


def rows_of(topic, of, **place):
    return PROJECTION.rows(record(topic, of, **place))


def test_every_source_is_projected_and_named_by_the_catalogue_as_read_by_recording():
    for topic in TOPOLOGY.sources:
        assert "recording" in topics()[topic].read_by
        assert rows_of(topic, event(topic))


def test_a_request_has_the_texts_of_the_contract():
    (row,) = rows_of("blood-request-created", event("blood-request-created", blood_group="OH_NEG", urgency="CRITICAL"))
    assert isinstance(row.says, RequestRow)
    assert (row.says.blood_group, row.says.urgency, row.says.component) == ("Oh-", "critical", "red_cells")


@pytest.mark.parametrize("outcome", ["FULFILLED", "CANCELLED", "EXPIRED"])
def test_a_closing_has_the_status_of_the_contract(outcome):
    (row,) = rows_of("blood-request-closed", event("blood-request-closed", outcome=outcome))
    assert isinstance(row.says, ClosingRow)
    assert row.says.status == outcome.lower()


def test_a_feature_vector_names_what_the_model_saw_and_has_no_nan():
    of = matches_of([42])
    of["matches"][0]["features"] = [3.0, 1.04, 0.36, math.nan, 0.62, 3.0, 2.0, 1.5]
    (wave,) = rows_of("matches", of)
    vector = json.loads(wave.offers[0].feature_vector)
    assert list(vector) == list(MATCH_FEATURES)
    assert vector["last_donation_days"] is None
    assert vector["distance_km"] == 1.04


@pytest.mark.parametrize(("n", "last"), [(5, "reliability_score"), (9, "feature_9")])
def test_a_feature_vector_of_another_length_is_kept_whole(n, last):
    of = matches_of([42])
    of["matches"][0]["features"] = [float(i) for i in range(n)]
    (wave,) = rows_of("matches", of)
    vector = json.loads(wave.offers[0].feature_vector)
    assert len(vector) == n
    assert list(vector)[-1] == last


def test_an_answer_without_donors_is_a_wave_too():
    of = event("matches", matches=[], empty_because="nobody askable within reach", models=[])
    (wave,) = rows_of("matches", of)
    assert (wave.row.n_offered, wave.row.empty_because, wave.offers) == (0, "nobody askable within reach", ())
    assert wave.row.model_version is None


@pytest.mark.parametrize("field", ["match_score", "availability_score", "distance_km"])
def test_a_score_that_is_no_number_is_refused(field):
    of = matches_of([42])
    of["matches"][0][field] = math.nan
    with pytest.raises(InvalidRecord, match=field):
        rows_of("matches", of)


def test_a_donor_is_shown_with_the_instants_of_the_rules_and_without_deferrals():
    of = event("donor-states", deferrals=[], apheresis=[], last_unreturned_apheresis_at=None)
    (row,) = rows_of("donor-states", of)
    assert isinstance(row, DonorRow)
    assert row.next_whole_blood_at == of["last_whole_blood_at"] + 90 * DAY
    assert row.next_apheresis_at == of["last_whole_blood_at"] + 28 * DAY
    assert row.blood_group == "O+"
    assert "item" not in repr(row)


def test_who_may_never_give_has_no_next_instant():
    (row,) = rows_of("donor-states", event("donor-states", weight_kg=40.0))
    assert (row.next_whole_blood_at, row.whole_blood_until) == (None, None)


def test_a_state_without_a_profile_shows_nobody():
    assert rows_of("donor-states", event("donor-states", registered_at=None)) == (DepartureRow(42),)


def test_an_erased_donor_goes_and_is_remembered_with_the_place_of_the_state():
    of = event("donor-states", registered_at=None, erased_at=AT, last_erased_at=AT)
    assert rows_of("donor-states", of, partition=3, offset=17) == (DepartureRow(42), ErasureRow(42, AT, 3, 17))


def test_a_donor_who_was_erased_and_registered_anew_is_shown_and_the_erasure_known():
    shown, erasure = rows_of("donor-states", event("donor-states", last_erased_at=AT), partition=3, offset=17)
    assert (shown.id, erasure) == (42, ErasureRow(42, AT, 3, 17))


def test_of_states_that_repeat_an_erasure_the_first_is_where_it_was_seen():
    rows = [rows_of("donor-states", event("donor-states", last_erased_at=AT), offset=n)[1] for n in (5, 6)]
    assert fold(rows).erasures == [ErasureRow(42, AT, 0, 5)]


@pytest.mark.parametrize("response", ["OPENED", "EXPIRED", "ARRIVED"])
def test_responses_that_say_nothing_of_notice_or_answer_leave_no_row_of_them(response):
    rows = rows_of("donor-responded", event("donor-responded", response=response))
    assert not [row for row in rows if isinstance(row, ResponseRow)]


FACTS_OF_RESPONSE = {
    "NOTIFIED": set(),
    "OPENED": set(),
    "DECLINED": {"answered_at"},
    "ACCEPTED": {"answered_at", "said_yes_at"},
    "ARRIVED": {"answered_at", "said_yes_at", "came_at"},
    "EXPIRED": {"expired_at"},
}
FACTS_OF_DONATION = {
    "COMPLETED": {"came_at", "gave_at"},
    "DEFERRED": {"came_at"},
    "CANCELLED": {"failed_at"},
    "NO_SHOW": {"failed_at"},
}


def facts_in(rows):
    """Since when which facts hold, and how late it is said to be."""
    facts = [row._asdict() for row in rows if isinstance(row, OutcomeRow)]
    (time,) = (row for row in rows if isinstance(row, StreamTimeRow))
    return {name for row in facts for name, at in row.items() if name.endswith("_at") and at is not None}, time


@pytest.mark.parametrize(("response", "facts"), FACTS_OF_RESPONSE.items())
def test_a_response_says_what_came_of_asking(response, facts):
    of = event("donor-responded", response=response, occurred_at=AT + 1)
    assert facts_in(rows_of("donor-responded", of)) == (facts, StreamTimeRow("donor-responded", AT + 1))


@pytest.mark.parametrize(("outcome", "facts"), FACTS_OF_DONATION.items())
def test_a_donation_says_what_came_of_the_request_that_it_names_alone(outcome, facts):
    of = event("donation-recorded", outcome=outcome, request_id=7, occurred_at=AT)
    assert facts_in(rows_of("donation-recorded", of)) == (facts, StreamTimeRow("donation-recorded", AT))
    of = event("donation-recorded", outcome=outcome, request_id=None, occurred_at=AT)
    assert facts_in(rows_of("donation-recorded", of)) == (set(), StreamTimeRow("donation-recorded", AT))


@given(st.permutations(range(5)), st.integers(0, 4))
def test_folded_outcomes_are_the_same_in_any_order_and_with_repeats(order, repeated):
    said = [("ACCEPTED", 5), ("ACCEPTED", 3), ("EXPIRED", 2), ("EXPIRED", 8), ("ARRIVED", 9)]
    rows = [
        row
        for n in [*order, repeated]
        for row in rows_of(
            "donor-responded", event("donor-responded", response=said[n][0], occurred_at=AT + said[n][1] * MINUTE)
        )
    ]
    found = fold(rows)
    minutes = [None if at is None else (at - AT) // MINUTE for at in found.outcomes[0][2:]]
    assert minutes == [3, 3, 8, 9, None, None]
    assert found.stream_times == [StreamTimeRow("donor-responded", AT + 9 * MINUTE)]


def test_an_offer_keeps_what_it_tells_for_judging():
    of = matches_of([42, 43])
    of["matches"][0] |= {
        "answers_within": [0.25, math.nan, 0.5],
        "behaviour": [0.5, math.nan, 3.0],
        "shadow_scores": [{"model": "m", "version": "2", "score": math.nan, "answers_within": None}],
    }
    (wave,) = rows_of("matches", of)
    first, second = wave.offers
    assert json.loads(first.answers_within) == [0.25, None, 0.5]
    assert struct.unpack("<3f", first.behaviour)[::2] == (0.5, 3.0)
    assert json.loads(first.shadow_scores) == [{"model": "m", "version": "2", "score": None, "answers_within": None}]
    assert (second.answers_within, second.behaviour, second.shadow_scores) == (None, None, None)
    assert wave.row.required_by == of["required_by"]
    assert json.loads(wave.row.models) == of["models"]


def test_a_refused_donor_state_leaves_no_bytes():
    row = refused_row(record("donor-states", b"\0secret"), InvalidRecord("value: bad", kind="undecodable"), "t")
    assert (row.key, row.value) == (None, None)
    row = refused_row(record("matches", b"\0known"), InvalidRecord("value:\n bad", kind="undecodable"), "t")
    assert (row.key, row.value, row.error) == (b"1", b"\0known", "value: bad")


@given(st.permutations(range(4)), st.integers(0, 3))
def test_folded_requests_are_the_same_in_any_order_and_with_repeats(order, repeated):
    said = [
        event("blood-request-created", event_id=an_id(n), occurred_at=AT + at * MINUTE, units_required=n + 1)
        for n, at in enumerate([5, 0, 5, 3])
    ]
    rows = [rows_of("blood-request-created", said[n])[0].says for n in [*order, repeated]]
    (row,) = folded_requests(rows)
    assert (row.units_required, row.created_at, row.requested_at) == (3, AT, AT + 5 * MINUTE)


def test_what_is_a_repeat_is_told_by_request_topic_id_and_seven_days_from_what_was_taken_in():

    def at(ms, n=1, topic="blood-request-created", **changes):
        (row,) = PROJECTION.rows(record(topic, event(topic, event_id=an_id(n), **changes))._replace(timestamp_ms=ms))
        return row

    base = AT // 1000
    first, last, other = at(base), at(base + REMEMBERED_MS), at(base, 2)
    after = at(base + REMEMBERED_MS + 1)
    elsewhere = [at(base, request_id=7), at(base, topic="blood-request-closed")]
    assert unrepeated([first, last, other, *elsewhere, after, first], []) == [first, other, *elsewhere, after]
    assert unrepeated([last, after], [first.row]) == [after]
    assert unrepeated([first, other], [last.row, other.row]) == []


@given(st.permutations(range(3)))
def test_folded_closings_are_the_latest_in_any_order(order):
    said = [
        event("blood-request-closed", event_id=an_id(n), occurred_at=AT + at * MINUTE, units_fulfilled=n)
        for n, at in enumerate([1, 1, 0])
    ]
    (row,) = folded_closings(rows_of("blood-request-closed", said[n])[0].says for n in order)
    assert row.units_fulfilled == 1


@given(st.permutations(range(4)))
def test_folded_responses_are_the_earliest_in_any_order(order):
    said = [("NOTIFIED", 2), ("NOTIFIED", 1), ("DECLINED", 5), ("ACCEPTED", 4)]
    rows = [
        rows_of("donor-responded", event("donor-responded", response=what, occurred_at=AT + at * MINUTE))[0]
        for what, at in said
    ]
    (row,) = fold([rows[n] for n in order]).responses
    assert isinstance(row, ResponseRow)
    assert (row.notified_at, row.answered_at) == (AT + MINUTE, AT + 4 * MINUTE)


def test_of_a_donor_the_last_state_holds_and_every_erasure_counts():
    known = rows_of("donor-states", event("donor-states"))
    erased = rows_of(
        "donor-states", event("donor-states", registered_at=None, erased_at=AT, last_erased_at=AT), offset=1
    )
    again = rows_of("donor-states", event("donor-states", total_donations=9), offset=2)
    folded = fold([*known, *erased, *again])
    assert [row.total_donations for row in folded.donors] == [9]
    assert (list(folded.departures), len(folded.erasures)) == ([], 1)


def test_a_repeated_wave_is_one_wave_the_first():
    first, second = rows_of("matches", matches_of([1, 2])) + rows_of("matches", matches_of([3]))
    (wave,) = fold([first, second]).waves
    assert isinstance(wave, Wave)
    assert [offer.donor_id for offer in wave.offers] == [1, 2]


@given(st.text())
def test_texts_are_what_a_utf8_database_holds(text):
    found = text_of(text + "\0\ud800")
    assert "\0" not in found
    found.encode()


def test_samples_are_json_by_the_letter():
    assert json_sample(None) is None
    assert json_sample('{"a": [NaN, Infinity, 1.5]}') == '{"a":[null,null,1.5]}'
    assert json_sample("no json") == '"no json"'
    assert json_sample("[" * 100_000)[:2] == '"['
    assert json_of({"a\0": "b\0"}) == '{"a\\ufffd":"b\\ufffd"}'
