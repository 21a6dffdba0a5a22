from __future__ import annotations

import dataclasses
import inspect

import h3.api.basic_int as h3
import numpy as np
import pytest

from features.decay import HalfLives
from features.drift import from_json
from features.outcomes import BROKEN, KEPT, NEVER, NOT_KNOWN
from features.vectors import AVAILABILITY, FEATURES, MATCH, RELIABILITY, RESPONSE_TIME
from producers.simulator import World, simulate
from producers.simulator.population import Hidden
from smartblood.registry.loading import load_champion, verify
from smartblood.registry.writing import THERE, WRITTEN, write
from smartblood.training import alerts as alerts_module
from smartblood.training.alerts import AFTER_LATER, Alerts, examples_of
from smartblood.training.panel import train
from smartblood.training.recipes import PARAMETERS
from smartblood.training.replaying import Recording, items_of, of_recording, of_world
from smartblood.training.views import availability_view, chances_view, match_view, reliability_view, waiting_view
from tests.fading import panel_of
from tests.unit.matching.world import PlainScorer
from tests.unit.training.world import DAY_US, END, LATITUDE, LONGITUDE, SMALL, event, gave, profile, request, responded


@pytest.fixture(scope="module")
def cells():
    return h3.latlng_to_cell(LATITUDE, LONGITUDE, 8), h3.latlng_to_cell(LATITUDE + 0.1, LONGITUDE, 8)


@pytest.fixture(scope="module")
def small():
    return train(of_world(SMALL, 3, END), 3, "1.0.0")


RATES = (
    "donor_availability",
    "reliability_score",
    "response_rate",
    "completion_rate",
    "cancellation_rate",
    "kept_rate",
)
OWN_RECORD = panel_of(PlainScorer())
WAITED = FEATURES[RESPONSE_TIME].index("waited_minutes")


def rows_of(examples):
    """What each model sees of the last alert, the match hearing the donor's own record."""
    last = examples.take(np.array([examples.at.size - 1]))
    views = {
        MATCH: match_view(last, OWN_RECORD.availability, OWN_RECORD.reliability).rows,
        AVAILABILITY: availability_view(last),
        RELIABILITY: reliability_view(last),
        RESPONSE_TIME: chances_view(last)[:1],
    }
    return {model: dict(zip(FEATURES[model], rows[0].tolist(), strict=True)) for model, rows in views.items()}


def rows_after(cell, *before, request_changes=None, profile_changes=None, at=END):
    """What the models see of a donor who is alerted at ``at``, after the events ``before``."""
    lines = [
        event("donor-registered", 1, END - 350 * DAY_US, **profile(cell, **(profile_changes or {}))),
        *before,
        event("blood-request-created", 90, END, **request(**(request_changes or {}))),
        responded(91, at, "NOTIFIED", 5),
    ]
    return rows_of(examples_of(lines))


def row_after(*arguments, **more):
    return rows_after(*arguments, **more)[MATCH]


def alert(first, ago_days, *responses):
    at = END - ago_days * DAY_US
    told = ("NOTIFIED", *responses)
    return [responded(first + n, at + n * 600_000_000, response, 100 + first) for n, response in enumerate(told)]


KEPT_ONE = [*alert(30, 40, "ACCEPTED"), gave(40, END - 39 * DAY_US, 130, "NO_SHOW")]
MOVES = {
    (MATCH, "blood_group_compatibility"): {"request_changes": {"blood_group": "A_POS"}},
    (MATCH, "distance_km"): {"elsewhere": True},
    (MATCH, "donor_availability"): {"before": alert(10, 40, "EXPIRED")},
    (MATCH, "last_donation_days"): {"before": [gave(20, END - 120 * DAY_US)]},
    (MATCH, "reliability_score"): {"before": KEPT_ONE},
    (MATCH, "urgency_level"): {"request_changes": {"urgency": "CRITICAL"}},
    (MATCH, "units_required"): {"request_changes": {"units_required": 4}},
    (MATCH, "alerts_seen"): {"before": alert(10, 40, "DECLINED")},
    (AVAILABILITY, "time_since_last_donation"): {"before": [gave(20, END - 120 * DAY_US)]},
    (AVAILABILITY, "total_donations"): {"before": [gave(20, END - 120 * DAY_US)]},
    (AVAILABILITY, "response_rate"): {"before": alert(10, 40, "ACCEPTED")},
    (AVAILABILITY, "day_of_week"): {"at": END + DAY_US},
    (AVAILABILITY, "hour_of_day"): {"at": END + 3 * 3_600_000_000},
    (AVAILABILITY, "is_weekend"): {"at": END + 5 * DAY_US},
    (AVAILABILITY, "is_business_hours"): {"at": END + 12 * 3_600_000_000},
    (AVAILABILITY, "unanswered_alerts"): {"before": alert(10, 40, "EXPIRED")},
    (AVAILABILITY, "alerts_seen"): {"before": alert(10, 40, "DECLINED")},
    (AVAILABILITY, "tenure_days"): {"profile_changes": {"joined_at": END - 90 * DAY_US}},
    (RELIABILITY, "total_donations"): {"before": [gave(20, END - 120 * DAY_US)]},
    (RELIABILITY, "completion_rate"): {"before": [gave(20, END - 120 * DAY_US)]},
    (RELIABILITY, "cancellation_rate"): {"before": [gave(20, END - 120 * DAY_US, outcome="CANCELLED")]},
    (RELIABILITY, "average_response_time"): {"before": alert(10, 40, "DECLINED")},
    (RELIABILITY, "tenure_days"): {"profile_changes": {"joined_at": END - 90 * DAY_US}},
    (RELIABILITY, "kept_rate"): {"before": KEPT_ONE},
    (RELIABILITY, "promises_seen"): {"before": KEPT_ONE},
    (RESPONSE_TIME, "distance_km"): {"elsewhere": True},
    (RESPONSE_TIME, "donor_age"): {"profile_changes": {"born_on": 8_000}},
    (RESPONSE_TIME, "past_response_times"): {"before": alert(10, 40, "DECLINED")},
    (RESPONSE_TIME, "urgency_level"): {"request_changes": {"urgency": "CRITICAL"}},
    (RESPONSE_TIME, "time_of_day"): {"at": END + 3 * 3_600_000_000},
    (RESPONSE_TIME, "is_weekend"): {"at": END + 5 * DAY_US},
    (RESPONSE_TIME, "response_rate"): {"before": alert(10, 40, "ACCEPTED")},
    (RESPONSE_TIME, "unanswered_alerts"): {"before": alert(10, 40, "EXPIRED")},
}


def test_every_feature_that_is_made_of_events_is_among_the_moved():
    made = {(model, name) for model, names in FEATURES.items() for name in names}
    assert made - MOVES.keys() == {(RESPONSE_TIME, "waited_minutes")}


@pytest.mark.parametrize(("model", "feature"), MOVES, ids=lambda one: one)
def test_an_event_moves_each_feature(cells, model, feature):
    how = dict(MOVES[model, feature])
    still = rows_after(cells[0])[model]
    moved = rows_after(cells[how.pop("elsewhere", False)], *how.pop("before", ()), **how)[model]
    assert moved[feature] != still[feature]
    if model == MATCH:
        asked = {"donor_availability", "alerts_seen"}
        with_it = asked if feature in asked | {"reliability_score"} else set()
        assert {name for name in FEATURES[MATCH] if moved[name] != still[name]} == {feature} | with_it


def test_no_feature_changes_when_later_events_are_taken_away(cells):
    before = [*KEPT_ONE, gave(20, END - 120 * DAY_US), *alert(10, 60, "EXPIRED")]
    later = [responded(92, END + 1, "ACCEPTED", 5), gave(93, END + DAY_US // 12, 5), gave(94, END + 9 * DAY_US)]
    head = [event("donor-registered", 1, END - 350 * DAY_US, **profile(cells[0])), *before]
    asked = [event("blood-request-created", 90, END, **request()), responded(91, END, "NOTIFIED", 5)]
    assert repr(rows_of(examples_of([*head, *asked, *later]))) == repr(rows_of(examples_of([*head, *asked])))


@pytest.mark.parametrize("n_before", range(1, 6))
def test_an_alert_that_is_recorded_after_something_later_is_left_out(cells, n_before):
    head = [event("donor-registered", 1, END - 350 * DAY_US, **profile(cells[0])), *KEPT_ONE]
    later = [
        gave(94, END + 9 * DAY_US),
        responded(95, END + DAY_US, "NOTIFIED", 77),
        responded(96, END + DAY_US + 60, "ACCEPTED", 77),
        responded(97, END + DAY_US + 90, "EXPIRED", 78),
        gave(98, END + 1),
    ]
    late = [event("blood-request-created", 90, END, **request()), responded(91, END, "NOTIFIED", 5)]
    kept = [*head, *later[:n_before], *late]
    alerts = Alerts()
    for one in kept:
        alerts.take(one)
    assert 5 not in alerts.examples().request_id
    assert alerts.left_out[AFTER_LATER] == 1
    assert 5 in examples_of([*head, *late, *later[:n_before]]).request_id


def outcome_of(cells, *after, **request_changes):
    lines = [
        event("donor-registered", 1, END - 350 * DAY_US, **profile(cells[0])),
        event("blood-request-created", 90, END, **request(**request_changes)),
        responded(91, END, "NOTIFIED", 5),
        *after,
        gave(99, END + 3 * DAY_US),
    ]
    return examples_of(lines)


@pytest.mark.parametrize(
    ("after", "accepted", "answered_us", "watched_us", "kept"),
    [
        ([], False, NEVER, 3 * DAY_US, NOT_KNOWN),
        ([responded(92, END + 60, "EXPIRED", 5)], False, NEVER, 60, NOT_KNOWN),
        ([responded(92, END + 60, "DECLINED", 5)], False, 60, 60, NOT_KNOWN),
        ([responded(92, END + 60, "ACCEPTED", 5)], True, 60, 60, NOT_KNOWN),
        ([responded(92, END + 60, "ACCEPTED", 5), gave(93, END + 90, 5)], True, 60, 60, KEPT),
        ([responded(92, END + 60, "ACCEPTED", 5), gave(93, END + 90, 5, "DEFERRED")], True, 60, 60, KEPT),
        ([responded(92, END + 60, "ACCEPTED", 5), gave(93, END + 90, 5, "CANCELLED")], True, 60, 60, BROKEN),
        ([responded(92, END + 60, "OPENED", 5), responded(93, END + 90, "ARRIVED", 5)], True, 90, 90, KEPT),
    ],
)
def test_what_came_of_an_alert(cells, after, accepted, answered_us, watched_us, kept):
    told = outcome_of(cells, *after)
    found = (told.accepted[0], told.answered_us[0], told.watched_us[0], told.kept[0])
    assert found == (accepted, answered_us, watched_us, kept)
    assert told.life_us[0] == DAY_US


def test_stretches_that_were_waited_through_count_and_those_cut_short_do_not(cells):
    minute = 60_000_000
    answered = waiting_view(outcome_of(cells, responded(92, END + 12 * minute, "DECLINED", 5)))
    assert answered.rows[:, WAITED].tolist() == [0.0, 5.0, 10.0]
    assert answered.answered.tolist() == [False, False, True]
    expired = waiting_view(outcome_of(cells, responded(92, END + 17 * minute, "EXPIRED", 5)))
    assert expired.rows[:, WAITED].tolist() == [0.0, 5.0, 10.0]
    assert not expired.answered.any()
    silent = waiting_view(outcome_of(cells))
    assert silent.rows[-1, WAITED] == 480.0  # until the request's own end, a day later


def test_a_stretch_that_ends_after_the_request_does_teaches_nothing_whether_the_answer_came_in_it_or_not(cells):
    minute = 60_000_000
    soon = END + 40 * minute
    silent = waiting_view(outcome_of(cells, required_by=soon))
    answered = waiting_view(outcome_of(cells, responded(92, END + 35 * minute, "DECLINED", 5), required_by=soon))
    for view in (silent, answered):
        assert view.rows[:, WAITED].tolist() == [0.0, 5.0, 10.0, 15.0, 20.0]  # the next one ends at 45
        assert not view.answered.any()
    earlier = waiting_view(outcome_of(cells, responded(92, END + 25 * minute, "DECLINED", 5), required_by=soon))
    assert earlier.rows[:, WAITED].tolist() == [0.0, 5.0, 10.0, 15.0, 20.0]
    assert earlier.answered.tolist() == [False] * 4 + [True]


def test_features_are_as_of_the_alert_and_the_alert_itself_isnt_in_them(cells):
    before = alert(10, 40, "ACCEPTED")
    assert row_after(cells[0], *before)["donor_availability"] > row_after(cells[0])["donor_availability"]
    lines = [
        event("donor-registered", 1, END - 350 * DAY_US, **profile(cells[0])),
        event("blood-request-created", 90, END, **request()),
        responded(91, END, "NOTIFIED", 5),
        responded(92, END + 1_000_000, "ACCEPTED", 5),
        gave(93, END + DAY_US // 12, 5),
    ]
    told = examples_of(lines)
    assert rows_of(told)[MATCH] == row_after(cells[0])
    assert told.gave.tolist() == [True]


@pytest.mark.parametrize("outcome", ["NO_SHOW", "CANCELLED", "DEFERRED"])
def test_only_a_completed_donation_for_this_request_is_giving(cells, outcome):
    lines = [
        event("donor-registered", 1, END - 350 * DAY_US, **profile(cells[0])),
        event("blood-request-created", 90, END, **request()),
        responded(91, END, "NOTIFIED", 5),
        gave(92, END + 1, 5, outcome),
        gave(93, END + 2),
    ]
    assert examples_of(lines).gave.tolist() == [False]


def test_a_donor_who_never_gave_has_no_days(cells):
    row = row_after(cells[0], profile_changes={"total_donations": 0, "last_whole_blood_at": None})
    assert np.isnan(row["last_donation_days"])


def test_what_is_hidden_is_not_even_named_where_features_are_made():
    source = inspect.getsource(alerts_module)
    names = {field.name for field in dataclasses.fields(Hidden)} | {"hidden", "asks", "people", "diary", "probability"}
    assert not [name for name in names if f".{name}" in source]


def test_training_twice_gives_the_same_bytes(small, tmp_path):
    again = train(of_world(SMALL, 3, END), 3, "1.0.0")
    assert list(again) == list(small)
    assert sorted(again) == sorted(FEATURES)
    for name, one in again.items():
        assert one == small[name]
        assert write(tmp_path, one.entry, one.artefact, one.card) == WRITTEN
        assert write(tmp_path, one.entry, one.artefact, one.card) == THERE
    assert [finding.problem for finding in verify(tmp_path)] == [None] * 4
    assert sum(len(one.artefact) for one in again.values()) < 10 * 2**20


def test_each_version_says_how_what_it_saw_was_spread(small):
    for name, one in small.items():
        references = from_json(one.entry.reference)
        assert set(references) == set(FEATURES[name]) - {"waited_minutes"}
        assert all(sum(of.shares) == pytest.approx(1, abs=1e-4) for of in references.values())
    assert len(from_json(small["donor_availability"].entry.reference)["is_weekend"].edges) == 1


def test_one_model_trained_by_itself_is_the_same(small):
    assert train(of_world(SMALL, 3, END), 3, "1.0.0", names=[RELIABILITY]) == {RELIABILITY: small[RELIABILITY]}
    assert train(of_world(SMALL, 3, END), 3, "1.0.0", names=[MATCH]) == {MATCH: small[MATCH]}


@pytest.mark.parametrize("name", [MATCH, AVAILABILITY, RELIABILITY])
def test_what_speaks_for_a_donor_is_never_to_their_harm(small, tmp_path, name):
    write(tmp_path, small[name].entry, small[name].artefact, small[name].card)
    scorer = load_champion(tmp_path, name)
    rng, width = np.random.default_rng(0), len(FEATURES[name])
    rows = rng.random((500, width)) * np.where(
        [one in RATES or one.endswith("ion_rate") for one in FEATURES[name]], 1, 50
    )
    directions = PARAMETERS[name]["monotone_constraints"]
    assert any(directions)
    for column, direction in enumerate(directions):
        same = np.repeat(rows[:1], 500, axis=0)
        same[:, column] = np.sort(rows[:, column])
        assert (np.diff(scorer.predict(same)) * direction >= -1e-12).all()


def test_a_world_too_small_to_learn_from_is_said():
    with pytest.raises(ValueError, match="too few to learn from"):
        train(of_world(World(n_donors=50, history_days=100), 1, END), 1, "1.0.0")


def test_why_alerts_teach_nothing_is_said_where_too_few_are_left():
    history = simulate(World(n_donors=300, history_days=100, alerts_per_donor_year=6.0), 1, END)
    items = [item for item in items_of(history) if item.record.topic != "blood-request-created"]
    replayed = of_recording(Recording(items, dict, END), HalfLives(), 30)
    with pytest.raises(ValueError, match=r"0 examples.*; left out: [\d,]+ of a request that isn't recorded$"):
        train(replayed, 1, "1.0.0")
