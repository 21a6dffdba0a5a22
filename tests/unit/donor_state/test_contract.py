"""The contract's paragraph "A donor's profile", sentence by sentence."""

from __future__ import annotations

import pytest

from consumers.donor_state.repeats import N_REMEMBERED_MAX
from consumers.donor_state.responses import N_REQUESTS_MAX
from features.priors import AVAILABILITY, RELIABILITY
from schemas.errors import InvalidRecord
from schemas.records import Record
from tests.unit.donor_state.histories import (
    CODEC,
    DAY,
    DAY_OF_START,
    HOUR,
    START,
    Runner,
    donation,
    event_id,
    last_state,
    named,
    profile,
    response,
)

# Registrations and donations


def test_total_is_the_profiles_and_what_was_completed_later() -> None:
    state = last_state(
        profile(START, 1, total_donations=3),
        donation(START, 2),
        donation(START + 1, 3),
        donation(START + DAY, 4, outcome="NO_SHOW"),
    )
    assert state["total_donations"] == 4


def test_an_older_profile_changes_nothing_that_a_newer_says_but_names_donations() -> None:
    state = last_state(
        profile(START, 1, total_donations=3, weight_kg=60.0),
        profile(START - DAY, 2, total_donations=9, weight_kg=40.0, last_whole_blood_at=START - 90 * DAY),
    )
    assert (state["total_donations"], state["weight_kg"]) == (3, 60.0)
    assert state["last_whole_blood_at"] == START - 90 * DAY


def test_of_two_profiles_of_one_instant_the_greater_id_holds() -> None:
    low, high = profile(START, 1, sex="MALE"), profile(START, 2, sex="FEMALE")
    assert last_state(low, high)["sex"] == last_state(high, low)["sex"] == "FEMALE"


@pytest.mark.parametrize(
    ("component", "whole_blood", "apheresis"),
    [
        ("WHOLE_BLOOD", True, []),
        ("RED_CELLS", True, []),
        ("PLATELETS", False, [True]),
        ("PLASMA", False, [True]),
        ("UNKNOWN", True, [False]),
    ],
)
def test_components_count_as_their_procedure(component: str, whole_blood: bool, apheresis: list[bool]) -> None:
    state = last_state(profile(START, 1), donation(START + DAY, 2, component=component))
    assert (state["last_whole_blood_at"] is not None) == whole_blood
    assert [one["red_cells_returned"] for one in state["apheresis"]] == apheresis
    assert state["total_donations"] == 4


def test_the_last_24_of_apheresis_are_known_and_the_last_without_return_beyond_them() -> None:
    first = donation(START, 1, component="PLATELETS", red_cells_returned=False)
    later = [donation(START + n * 3 * DAY, 1 + n, component="PLATELETS") for n in range(1, 31)]
    state = last_state(first, *later)
    assert [one["given_at"] for one in state["apheresis"]] == [START + n * 3 * DAY for n in range(30, 6, -1)]
    assert state["last_unreturned_apheresis_at"] == START


def test_a_donor_who_never_registered_has_no_profile() -> None:
    state = last_state(donation(START, 1))
    assert state["registered_at"] is None
    assert (state["blood_group"], state["total_donations"]) == ("UNKNOWN", 1)


# Deferrals


def test_a_later_statement_never_shortens_an_earlier() -> None:
    until = DAY_OF_START + 100
    state = last_state(
        profile(START, 1, deferrals=[named("item 46", None)]),
        donation(START + DAY, 2, outcome="DEFERRED", deferral=named("item 46", until)),
        profile(START + 2 * DAY, 3, deferrals=[]),
    )
    assert state["deferrals"] == [named("item 46", None)]


def test_a_statement_that_is_past_on_its_own_local_day_lifts_all_that_was_stated_before() -> None:
    lift = profile(START + 9 * DAY, 3, deferrals=[named("item 46", DAY_OF_START + 8)])
    late = donation(START + 5 * DAY, 4, deferral=named("ITEM  46", DAY_OF_START + 300))
    after = donation(START + 10 * DAY, 5, deferral=named("item 46", DAY_OF_START + 20))
    stated = profile(START, 1, deferrals=[named("item 46", None)])
    assert last_state(stated, lift)["deferrals"] == []
    assert last_state(stated, lift, late)["deferrals"] == []
    assert last_state(after, late, lift, stated)["deferrals"] == [named("item 46", DAY_OF_START + 20)]


def test_the_own_day_of_a_statement_is_the_local_one() -> None:
    # 18:30 UTC is midnight in Kerala: the day after has begun
    until = named("item 60", DAY_OF_START)
    before, after = START + 18 * HOUR, START + 19 * HOUR
    permanent = profile(START, 1, deferrals=[named("item 60", None)])
    assert last_state(permanent, donation(before, 2, deferral=until))["deferrals"] == [named("item 60", None)]
    assert last_state(permanent, donation(after, 2, deferral=until))["deferrals"] == []


def test_in_one_event_a_deferral_isnt_lifted_by_its_neighbour() -> None:
    both = [named("item 46", DAY_OF_START - 1), named("item 46", None)]
    assert last_state(profile(START, 1, deferrals=both))["deferrals"] == [named("item 46", None)]


@pytest.mark.parametrize("item", ["item 52", "items 43,52", "items 51-53", "", "  "])
def test_item_52_is_kept_without_its_item_and_never_lifted(item: str) -> None:
    state = last_state(
        profile(START, 1, deferrals=[named(item, DAY_OF_START + 50)]),
        profile(START + DAY, 2, deferrals=[named(item, DAY_OF_START)]),
    )
    assert named("", DAY_OF_START + 50) in state["deferrals"]
    assert {one["rule_item"] for one in state["deferrals"]} == {""}
    assert b"52" not in state["memory"].replace(bytes.fromhex(event_id(52).replace("-", "")), b"")


def test_whatever_outcome_and_component_a_deferral_holds() -> None:
    state = last_state(donation(START, 1, outcome="COMPLETED", component="PLASMA", deferral=named("item 92", None)))
    assert state["deferrals"] == [named("item 92", None)]


def test_texts_too_long_for_an_item_are_told_apart_and_cut() -> None:
    texts = ["x" * 5000 + end for end in "ab"]
    state = last_state(profile(START, 1, deferrals=[named(text, None) for text in texts]))
    assert len({one["rule_item"] for one in state["deferrals"]}) == 2
    assert all(len(one["rule_item"]) < 200 for one in state["deferrals"])


def test_more_items_than_there_are_rules_stand_without_their_item() -> None:
    items = [named(f"garbage {n}", DAY_OF_START + n) for n in range(1100)]
    state = last_state(profile(START, 1, deferrals=items))
    assert len(state["deferrals"]) <= 1064
    assert named("", DAY_OF_START + 1099) in state["deferrals"]


# Promises and who was asked


def test_a_promise_is_open_until_a_donation_at_or_after_it() -> None:
    accepted = response(START, 1, "ACCEPTED", request_id=5)
    promise = [{"request_id": 5, "promised_at": START}]
    assert last_state(accepted)["promises"] == promise
    assert last_state(accepted, donation(START - 1, 2))["promises"] == promise
    assert last_state(accepted, donation(START, 2))["promises"] == []
    assert last_state(donation(START + DAY, 2), accepted)["promises"] == []
    assert last_state(accepted, donation(START + 1, 2, outcome="NO_SHOW"))["promises"] == promise
    assert last_state(accepted, donation(START + 1, 2, outcome="NO_SHOW", request_id=6))["promises"] == promise
    assert last_state(accepted, donation(START + 1, 2, outcome="NO_SHOW", request_id=5))["promises"] == []


def test_opening_a_message_says_nothing_about_a_promise() -> None:
    events = [response(START, 1, "ACCEPTED"), response(START + 1, 2, "OPENED"), response(START + 2, 3, "NOTIFIED")]
    assert last_state(*events)["promises"] == [{"request_id": 1, "promised_at": START}]
    assert last_state(*events, response(START + 3, 4, "DECLINED"))["promises"] == []


def test_the_two_latest_promises_are_told() -> None:
    events = [response(START + n, 1 + n, "ACCEPTED", request_id=n) for n in (1, 4, 2, 3)]
    assert [one["request_id"] for one in last_state(*events)["promises"]] == [4, 3]


def test_a_promise_stays_open_however_old_until_something_ends_it() -> None:
    runner = Runner()
    runner.each(donation(START - DAY, 1), response(START, 2, "ACCEPTED"))
    runner.each(response(START + 300 * DAY, 3, "NOTIFIED", request_id=2))
    assert runner.state is not None
    assert runner.state["promises"] == [{"request_id": 1, "promised_at": START}]
    runner.each(donation(START + 301 * DAY, 4))
    assert runner.state["promises"] == []


def test_a_promise_taken_back_long_ago_stays_so_when_it_comes_late() -> None:
    runner = Runner()
    runner.each(donation(START - DAY, 1), response(START + DAY, 2, "DECLINED"))
    runner.each(response(START + 300 * DAY, 3, "NOTIFIED", request_id=2), response(START, 4, "ACCEPTED"))
    assert runner.state is not None
    assert runner.state["promises"] == []


def test_asked_are_requests_whose_latest_response_isnt_expired() -> None:
    events = [response(START, 1, "NOTIFIED"), response(START + HOUR, 2, "EXPIRED")]
    asked = [{"request_id": 1, "responded_at": START}]
    assert last_state(events[0])["asked"] == asked
    assert last_state(*events)["asked"] == []
    assert last_state(*events, response(START + DAY, 3, "NOTIFIED", wave=2))["asked"][0]["responded_at"] == START + DAY
    assert last_state(events[0], donation(START + 127 * DAY, 9))["asked"] == asked
    assert last_state(events[0], donation(START + 127 * DAY + 1, 9))["asked"] == []


# Rates


def test_each_alert_answer_and_promise_counts_once() -> None:
    state = last_state(
        response(START, 1, "NOTIFIED", wave=1),
        response(START + HOUR, 2, "NOTIFIED", wave=1),
        response(START + 2 * HOUR, 3, "ACCEPTED", wave=1),
        response(START + 3 * HOUR, 4, "ARRIVED", wave=1),
        donation(START + 4 * HOUR, 5, request_id=1),
        response(START, 6, "NOTIFIED", request_id=2),
        response(START + HOUR, 7, "ACCEPTED", request_id=2),
        donation(START + 2 * HOUR, 8, request_id=2, outcome="NO_SHOW"),
        response(START, 9, "NOTIFIED", request_id=3),
    )
    assert [state[name] for name in ("n_alerts", "n_answers", "n_promises", "n_kept")] == [3, 2, 2, 1]
    # Some hours lie between, of half-lives of a year.
    assert state["availability_score"] == pytest.approx((AVAILABILITY.alpha + 2) / (AVAILABILITY.trials + 3), rel=1e-3)
    assert state["reliability_score"] == pytest.approx((RELIABILITY.alpha + 1) / (RELIABILITY.trials + 2), rel=1e-3)
    # answers after 2 h and 1 h, and the prior's 42.4 minutes, in logarithms
    assert state["response_time_hours"] == pytest.approx((2 * 1 * 0.5**0.5) ** (1 / 3), rel=1e-3)


def test_a_no_is_an_answer_and_no_yes() -> None:
    alert = response(START, 1, "NOTIFIED")
    silent, no, yes = (
        last_state(alert, *([response(START, 2, answer)] if answer else []))
        for answer in (None, "DECLINED", "ACCEPTED")
    )
    assert [state["n_answers"] for state in (silent, no, yes)] == [0, 1, 1]
    assert silent["availability_score"] == no["availability_score"] < AVAILABILITY.mean < yes["availability_score"]
    assert silent["unanswered_decayed"] == 1.0
    assert (no["unanswered_decayed"], yes["unanswered_decayed"]) == (None, None)


def test_what_is_more_than_30_days_older_counts_in_no_rate_but_in_facts() -> None:
    latest = donation(START, 1)
    at = START - 30 * DAY
    for late, n_alerts in ((at, 1), (at - 1, 0)):
        state = last_state(latest, response(late, 2, "NOTIFIED"), response(late + 1, 3, "NOTIFIED", request_id=2))
        assert state["n_alerts"] == 1 + n_alerts
    state = last_state(latest, donation(at - DAY, 2, deferral=named("item 60", None)))
    assert state["total_donations"] == 2
    assert state["deferrals"] == [named("item 60", None)]


def test_rates_outlive_the_requests_they_come_from() -> None:
    runner = Runner()
    asked = [response(START + n * DAY, 1 + n, "NOTIFIED", request_id=n) for n in range(5)]
    runner.each(*asked, response(START + 4 * DAY, 50, "DECLINED", request_id=4))
    runner.each(donation(START + 400 * DAY, 51), response(START + 400 * DAY, 52, "NOTIFIED", request_id=99))
    assert runner.state is not None
    assert (runner.state["n_alerts"], runner.state["n_answers"]) == (6, 1)
    assert len(runner.state["memory"]) < 400  # of each only the number is left, of its events a digest, and five sums


def test_what_is_said_long_after_a_request_counts_in_no_rate_whether_it_was_summed_up_or_not() -> None:
    first, other = response(START, 1, "NOTIFIED"), response(START + 128 * DAY, 2, "NOTIFIED", request_id=2)
    late = response(START + 130 * DAY, 3, "ACCEPTED")
    states = [last_state(first, *rest) for rest in ((other, late), (late, other))]
    assert [(state["n_alerts"], state["n_answers"]) for state in states] == [(2, 0), (2, 0)]
    assert states[0]["promises"] == states[1]["promises"] == [{"request_id": 1, "promised_at": START + 130 * DAY}]


def test_of_too_much_about_one_request_what_matters_is_kept() -> None:
    runner = Runner()
    answers = [response(START + n * HOUR, n, "ACCEPTED", wave=1) for n in range(2, 400)]
    waves = [response(START + n * HOUR, 1_000 + n, "NOTIFIED", wave=n) for n in range(2, 400)]
    runner.batch(response(START + HOUR, 1, "NOTIFIED"), *answers)
    runner.batch(*waves, response(START + 400 * HOUR, 2_000, "DECLINED"))
    state = runner.state
    assert state is not None
    assert (state["n_answers"], state["n_promises"], state["n_kept"]) == (1, 1, 0)
    assert 200 < state["n_alerts"] <= 255  # the earliest
    assert state["answer_times_decayed"] == state["acceptances_decayed"] > 0


def test_too_many_requests_are_summed_up_and_counted() -> None:
    runner = Runner()
    n = N_REQUESTS_MAX + 3
    runner.batch(*(response(START + i, 1 + i, "DECLINED", request_id=i) for i in range(n)))
    assert runner.processor.counts["requests_dropped"] == 3
    assert runner.processor.counts["event_ids_dropped"] == n - N_REMEMBERED_MAX


# What is refused


def test_a_null_donation_is_refused() -> None:
    record = Record("donation-recorded", 0, 0, START // 1000, b"7", None)
    with pytest.raises(InvalidRecord, match="null"):
        Runner().processor.read(record)


def test_a_null_whose_key_is_no_donor_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="key"):
        Runner().processor.read(Record("donor-registered", 0, 0, START // 1000, b"seven", None))


def test_a_restore_takes_the_last_record_and_forgets_what_is_gone() -> None:
    runner = Runner()
    runner.each(profile(START, 1), donation(START + 1, 2))
    runner.restart()
    assert runner.processor.n_donors == 1
    runner.store.append(Record("donor-states", 0, 9, 0, b"7", None))
    runner.restart()
    assert runner.processor.n_donors == 0
    assert CODEC.decode("donor-states", runner.store[0].value or b"")["total_donations"] == 3
