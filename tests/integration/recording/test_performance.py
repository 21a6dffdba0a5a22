"""Models judged by what a real Postgres has of them, against figures that the test works out by itself."""

import random

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from features.drift import references_of
from features.outcomes import FACTS, KEPT, NOT_KNOWN, labels_of
from features.vectors import AVAILABILITY_FEATURES, MATCH_FEATURES
from producers.simulator import World, simulate
from smartblood.performance.alerts import alerts_of
from smartblood.performance.judgement import Limits, _rows, judge
from smartblood.training.alerts import examples_of
from smartblood.training.replaying import items_of
from tests.integration.recording.judged_world import (
    AVAILABILITY,
    DAY,
    HOUR,
    MATCH,
    RELIABILITY,
    RESPONSE_TIME,
    answer,
    donated,
    history,
    outcomes_of,
    put,
    rows_of,
    said,
    until,
)
from tests.integration.recording.sink_world import empty, in_any_order, responded, state
from tests.record_events import AT, MINUTE, an_id, event, matches_of

pytestmark = pytest.mark.broker

LIMITS = Limits(requests_min=20)


def judged(judgements, references=None, limits=LIMITS, window_days=28, alerts_max=10_000, **how):
    recorded = judgements.read(window_days, alerts_max)
    return judge(alerts_of(recorded), references or {}, limits, window_days=window_days, **how)


def of(judgement, model, role, outcome=None, version=None):
    (found,) = (
        one
        for one in judgement.performances
        if (one.model, one.role) == (model, role) and outcome in {None, one.outcome} and version in {None, one.version}
    )
    return found


def check(found, label, score):
    label, score = np.array(label), np.array(score)
    assert (found.n_alerts, found.n_yes) == (len(label), label.sum())
    assert found.auc == pytest.approx(roc_auc_score(label, score))
    assert found.log_loss == pytest.approx(log_loss(label, score))
    assert found.brier == pytest.approx(brier_score_loss(label, score))
    assert found.observed_to_expected.value == pytest.approx(label.sum() / score.sum())
    order = np.argsort(score, kind="stable")
    bins = np.array_split(order, 10)
    gaps = [abs(label[part].mean() - score[part].mean()) * len(part) for part in bins]
    assert found.ece == pytest.approx(sum(gaps) / len(label))


def test_each_version_is_judged_in_its_role_by_what_came_of_whom_it_spoke_of(sink, judgements):
    requests = rows_of(60)
    put(sink, *history(requests))
    found = judged(judgements)
    everybody = [row for rows in requests for row in rows]
    assert (found.n_alerts, found.n_settled) == (480, 480)
    for role, version in (("champion", "1"), ("challenger", "2")):
        rows = [row for row in everybody if row.version == version]
        one = of(found, MATCH, role)
        assert (one.version, one.outcome, one.n_requests) == (version, "gave", len({row.request_id for row in rows}))
        check(one, [row.gave for row in rows], [row.match for row in rows])
    shadow, label = of(found, MATCH, "shadow", version="3"), [row.gave for row in everybody]
    check(shadow, label, [row.shadow for row in everybody])
    saved = log_loss(label, [row.match for row in everybody]) - log_loss(label, [row.shadow for row in everybody])
    assert shadow.log_loss_saved.value == pytest.approx(saved)
    assert shadow.log_loss_saved.lower < saved < shadow.log_loss_saved.upper
    assert of(found, MATCH, "champion").log_loss_saved is None
    check(of(found, AVAILABILITY, "champion"), [r.accepted for r in everybody], [r.availability for r in everybody])
    known = [row for row in everybody if row.kept is not None]
    assert 0 < len(known) < sum(row.accepted for row in everybody)
    check(of(found, RELIABILITY, "champion"), [r.kept for r in known], [r.reliability for r in known])


def test_response_times_are_judged_where_it_was_waited_so_long(sink, judgements):
    requests = rows_of(40)
    put(sink, *history(requests))
    found = judged(judgements)
    everybody = [row for rows in requests for row in rows]
    for n, hours in enumerate((0.5, 2.0)):
        label = [row.answer_hours is not None and row.answer_hours <= hours for row in everybody]
        check(
            of(found, RESPONSE_TIME, "champion", f"answered within {hours:g} h"),
            label,
            [row.within[n] for row in everybody],
        )
    # Everybody is told a minute late: a day after that their requests are past, and nothing is known of it.
    assert of(found, RESPONSE_TIME, "champion", "answered within 24 h").n_alerts == 0


def test_who_was_stopped_on_the_way_by_a_closing_tells_nothing_of_giving(sink, judgements):
    requests = rows_of(30)
    everybody = [row for rows in requests for row in rows]
    waiting = [row for row in everybody if row.accepted and row.kept is None]
    closed = {row.request_id for row in waiting}
    put(sink, *history(requests))
    for request_id in closed:
        how = {"request_id": request_id, "occurred_at": AT + 100 * HOUR, "outcome": "FULFILLED", "units_fulfilled": 1}
        put(sink, ("blood-request-closed", event("blood-request-closed", **how)))
    found = judged(judgements)
    assert len(waiting) > 0
    n = sum(of(found, MATCH, role).n_alerts for role in ("champion", "challenger"))
    assert n == len(everybody) - len(waiting)
    assert of(found, AVAILABILITY, "champion").n_alerts == len(everybody)


def test_repeats_a_shuffle_and_a_second_wave_count_nobody_twice(sink, judgements):
    told = history(rows_of(12))
    put(sink, *told)
    before = judged(judgements, with_intervals=True)
    order = list(told)
    random.Random(5).shuffle(order)
    put(sink, *order)
    assert judged(judgements, with_intervals=True) == before
    empty(sink)
    for each in order:
        put(sink, each)
    assert judged(judgements, with_intervals=True) == before


def test_an_answer_to_a_re_statement_is_a_wave_of_its_own_and_the_same_wave_again_counts_once(sink, judgements):
    rows = rows_of(1)[0]
    put(sink, ("matches", answer(rows, AT)), *(each for row in rows for each in outcomes_of(row, AT + MINUTE)))
    put(sink, *until(AT + 40 * HOUR))
    assert judged(judgements).n_alerts == 8
    again = answer(rows, AT + HOUR, wave=2)
    put(sink, ("matches", again), said(rows[0], "NOTIFIED", AT + HOUR, 2))
    assert judged(judgements).n_alerts == 9
    same_wave = answer(rows, AT + 2 * HOUR, wave=2) | {"request_event_id": an_id(77)}
    put(sink, ("matches", same_wave), said(rows[0], "NOTIFIED", AT + 3 * HOUR, 2))
    assert judged(judgements).n_alerts == 9


def test_who_was_not_notified_or_is_not_settled_does_not_count(sink, judgements):
    requests = rows_of(3)
    first, second, third = requests
    put(sink, *(("matches", answer(rows, AT)) for rows in requests))
    put(sink, *(each for row in first for each in outcomes_of(row, AT + MINUTE)))
    put(sink, *(("donor-responded", one) for topic, one in outcomes_of(second[0], AT) if topic == "donor-responded"))
    put(sink, said(third[0], "ACCEPTED", AT + HOUR), said(third[1], "OPENED", AT + HOUR))  # a NOTIFIED never came
    put(sink, *until(AT + DAY + 6 * HOUR - 1))
    found = judged(judgements)
    assert (found.n_alerts, found.n_settled) == (9, 0)
    put(sink, *until(AT + DAY + 6 * HOUR))
    found = judged(judgements)
    assert (found.n_alerts, found.n_settled) == (9, 9)
    later = event("blood-request-created", request_id=2, event_id=an_id(5), occurred_at=AT, required_by=AT + 2 * DAY)
    put(sink, ("blood-request-created", later))  # what it states holds, whatever the answer said
    found = judged(judgements)
    one = of(found, MATCH, "champion")
    assert (found.n_alerts, found.n_settled, one.n_alerts, one.n_unsettled) == (9, 8, 8, 1)


def test_stream_time_is_what_both_topics_of_outcomes_have_come_to(sink, judgements):
    assert judgements.as_of() is None
    assert judgements.read(28, 100) is None
    donation, response = until(AT)
    put(sink, donation)
    assert judgements.as_of() is None
    put(sink, response)
    assert judgements.as_of() == AT
    put(sink, *until(AT + 5 * DAY)[:1], *until(AT - DAY))
    assert judgements.as_of() == AT
    put(sink, until(AT + 3 * DAY)[1])
    assert judgements.as_of() == AT + 3 * DAY


def test_the_window_and_the_most_alerts_hold_and_are_told(sink, judgements):
    requests = rows_of(10)
    for n, rows in enumerate(requests):
        put(sink, ("matches", answer(rows, AT + n * DAY)))
        put(sink, *(each for row in rows for each in outcomes_of(row, AT + n * DAY + MINUTE)))
    put(sink, *until(AT + 12 * DAY))
    assert judged(judgements, window_days=5).n_alerts == 2 * 8
    found = judged(judgements, alerts_max=20)
    assert (found.n_alerts, found.is_cut) == (20, True)
    assert sum(one.n_requests for one in found.performances if (one.model, one.role) == (MATCH, "champion")) == 3
    found = judged(judgements, alerts_max=80)
    assert (found.n_alerts, found.is_cut) == (80, False)


def test_a_version_has_the_role_that_it_had_when_it_answered(sink, judgements):
    requests = rows_of(8)
    put(sink, *history(requests))
    promoted = {"model": MATCH, "version": "2", "sha256": "b" * 64, "role": "CHAMPION", "share": 0.0}
    put(
        sink,
        ("model-released", event("model-released", event_id=an_id(9), occurred_at=AT + 5 * HOUR, **promoted)),
        offset=1_000,
    )
    found = judged(judgements)
    assert {(one.version, one.role): one.n_alerts for one in found.performances if one.model == MATCH} == {
        ("1", "champion"): 48,
        ("2", "challenger"): 8,
        ("2", "champion"): 8,
        ("3", "shadow"): 64,
    }


FACTS_OF = "SELECT donor_id, request_id, " + ", ".join(f"{fact}_at::text" for fact in FACTS) + " FROM donor_outcomes"


def given(outcome, at, **changes):
    of_event = {"donor_id": 42, "request_id": 1001} | changes
    return "donation-recorded", event("donation-recorded", outcome=outcome, occurred_at=AT + at * MINUTE, **of_event)


def test_what_came_of_asking_is_the_same_in_any_order(sink, ask):
    events = [responded("ACCEPTED", 5), responded("EXPIRED", 9), responded("EXPIRED", 12), given("COMPLETED", 20)]
    (row,) = in_any_order(sink, ask, FACTS_OF, events)
    assert list(row.values()) == [
        *(42, 1001),
        *("2025-11-25 08:05:00+00", "2025-11-25 08:05:00+00", "2025-11-25 08:12:00+00"),
        *("2025-11-25 08:20:00+00", None, "2025-11-25 08:20:00+00"),
    ]
    events = [
        responded("DECLINED", 7),
        responded("NOTIFIED", 1),
        given("NO_SHOW", 3),
        given("COMPLETED", 2, request_id=None),
    ]
    (row,) = in_any_order(sink, ask, FACTS_OF, events)
    assert [value is None for value in row.values()] == [False, False, False, True, True, True, False, True]


def gone(at):
    return state(registered_at=None, erased_at=AT + at * MINUTE, last_erased_at=AT + at * MINUTE)


def test_of_the_erased_nothing_is_kept_whatever_came_first(sink, ask):
    assert in_any_order(sink, ask, FACTS_OF, [responded("ACCEPTED", 5), given("DEFERRED", 9), gone(9)]) == []
    (row,) = in_any_order(sink, ask, FACTS_OF, [responded("ACCEPTED", 5), given("COMPLETED", 10), gone(9)])
    assert (row["answered_at"], row["gave_at"]) == (None, "2025-11-25 08:10:00+00")


def test_the_erased_count_in_nothing_and_it_is_said(sink, judgements, ask):
    requests = rows_of(4)
    put(sink, *history(requests))
    erased_id = requests[0][0].donor_id
    at = AT + 4 * DAY
    put(sink, state(donor_id=erased_id, registered_at=None, erased_at=at, last_erased_at=at))
    found = judged(judgements)
    assert (found.n_alerts, found.n_erased) == (31, 1)
    (row,) = ask(f"SELECT feature_vector, behaviour FROM match_predictions WHERE donor_id = {erased_id}")
    assert row == {"feature_vector": {}, "behaviour": None}


def test_labels_are_those_of_training(sink, judgements):
    """The events of a simulated world, in which some are asked twice: through training's code, and the record."""
    world = World(n_donors=600, history_days=120, alerts_per_donor_year=14.0)
    simulated = simulate(world, 3, AT)
    items = [again for one in items_of(simulated) for again in _asked_twice(one)]
    items.sort(key=lambda one: one.record.timestamp_ms)
    ends_at = max(item.event["occurred_at"] for item in items)
    examples = examples_of(items, ends_at=ends_at)
    asked, told = {}, []
    for topic, one in ((item.record.topic, item.event) for item in items):
        if topic in {"blood-request-created", "donor-responded", "donation-recorded"}:
            told.append((topic, dict(one)))
        if topic == "donor-responded" and one["response"] == "NOTIFIED":
            asked.setdefault((one["request_id"], one["wave"]), []).append(one["donor_id"])
    created = {one["request_id"]: one for topic, one in told if topic == "blood-request-created"}
    for (request_id, wave), donors in asked.items():
        at, required_by = (created[request_id][name] for name in ("occurred_at", "required_by"))
        of_wave = {"request_id": request_id, "wave": wave, "request_event_id": an_id(request_id * 10 + wave)}
        told.append(("matches", matches_of(donors, occurred_at=at, required_by=required_by, **of_wave)))
    told += until(ends_at)
    random.Random(3).shuffle(told)
    for first in range(0, len(told), 2_000):
        put(sink, *told[first : first + 2_000])
    alerts = alerts_of(judgements.read(3_000, 1_000_000))
    closed_or_again = (alerts.closed, alerts.asked_again)
    labels = labels_of(alerts.at, alerts.required_by, *closed_or_again, alerts.since, alerts.as_of)
    assert alerts.n == examples.at.size > 500
    order = np.lexsort((examples.at, examples.donor_id, examples.request_id))
    donors = _donors(judgements, alerts)
    assert 1.2 * len(set(zip(alerts.request_id.tolist(), donors.tolist(), strict=True))) < alerts.n
    by_key = np.lexsort((alerts.at, donors, alerts.request_id))
    assert np.count_nonzero(labels.kept == KEPT) > 10
    assert np.count_nonzero(labels.kept == NOT_KNOWN) > 10
    for name in labels._fields:
        np.testing.assert_array_equal(getattr(labels, name)[by_key], getattr(examples, name)[order], name)


def _asked_twice(item):
    """Yield a record, and where somebody is asked another of a second wave, before or after their answer."""
    yield item
    record, one = item
    if record.topic == "donor-responded" and one["response"] == "NOTIFIED" and one["donor_id"] % 3 == 0:
        event_id = one["event_id"][:-1] + ("1" if one["event_id"].endswith("0") else "0")
        again = {**one, "event_id": event_id, "wave": 2, "occurred_at": one["occurred_at"] + 20 * MINUTE}
        yield item._replace(record=record._replace(timestamp_ms=record.timestamp_ms + 1_200_000), event=again)


def _donors(judgements, alerts):
    """The donors of alerts, by the same order as theirs."""
    recorded = judgements.read(3_000, 1_000_000)
    waves = recorded.waves
    found = sorted(recorded.asked, key=lambda one: (waves[one.wave].request_id, waves[one.wave].number))
    assert [one.key[0] for one in found] == alerts.request_id.tolist()
    return np.array([one.key[2] for one in found])


def references_from(judgements):
    """References that are what is recorded now."""
    alerts = alerts_of(judgements.read(28, 10_000))
    of_match = references_of(alerts.match_rows, MATCH_FEATURES)
    of_availability = references_of(_rows(AVAILABILITY, alerts)[1], AVAILABILITY_FEATURES)
    return {(MATCH, "1"): of_match, (MATCH, "2"): of_match, (AVAILABILITY, "1"): of_availability}


def test_a_drifted_feature_alarms_and_others_do_not(sink, judgements):
    put(sink, *history(rows_of(60, seed=1)))
    references = references_from(judgements)
    empty(sink)
    put(sink, *history(rows_of(60, seed=2)))
    found = judged(judgements, references, Limits(requests_min=40))
    assert {one.model for one in found.drifts} == {MATCH, AVAILABILITY}
    assert [one.feature for one in found.drifts if one.alarm] == []
    empty(sink)
    put(sink, *history(rows_of(60, seed=2), km=9.0))
    found = judged(judgements, references, Limits(requests_min=40))
    raised = {(one.model, one.version, one.feature) for one in found.drifts if one.alarm}
    assert raised == {(MATCH, "1", "distance_km")}  # version 2 answered 15 requests: too few to say
    (far,) = (one for one in found.drifts if (one.version, one.feature) == ("2", "distance_km"))
    assert far.stability_index > 0.25
    assert far.alarm is None


def test_scores_that_come_true_half_as_often_alarm_and_true_ones_do_not(sink, judgements):
    put(sink, *history(rows_of(120)))
    found = judged(judgements)
    models = {MATCH, AVAILABILITY, RELIABILITY}
    assert not [one for one in found.performances if one.alarm and one.role == "champion" and one.model in models]
    empty(sink)
    put(sink, *history(rows_of(120, true_by=0.4)))
    one = of(judged(judgements), AVAILABILITY, "champion")
    assert one.observed_to_expected.upper < 0.7
    assert "observed ÷ expected" in one.alarm
    assert of(judged(judgements, limits=Limits(requests_min=121)), AVAILABILITY, "champion").alarm is None


def test_donated_tells_of_the_request(sink, ask):
    row = rows_of(1)[0][0]
    put(sink, donated(row, "COMPLETED", AT))
    assert [one["request_id"] for one in ask("SELECT request_id FROM donor_outcomes")] == [row.request_id]
