"""No feature at an instant changes when later events are taken away, whatever the history."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.topology import Input
from features.vectors import AVAILABILITY, MATCH, RELIABILITY, RESPONSE_TIME
from smartblood.training.alerts import examples_of
from smartblood.training.views import availability_view, chances_view, match_view, reliability_view
from tests.fading import panel_of
from tests.unit.donor_state.histories import DAY, DAY_MS, HOUR, START, histories, profile, record_of, response
from tests.unit.matching.world import PlainScorer
from tests.unit.training.world import event, request

SPAN_DAYS = 5
OWN_RECORD = panel_of(PlainScorer())
FIRST_ALERT, FIRST_OF_REQUESTS = 60, 80
URGENCIES = ("LOW", "MEDIUM", "HIGH", "CRITICAL")


def _instants():
    return st.integers(0, SPAN_DAYS * 4).map(lambda quarter: START + quarter * 6 * HOUR)


def stated(number, request_id, at, urgency, units):
    about = {"request_id": request_id, "blood_group": "AB_POS", "urgency": urgency, "units_required": units}
    return event("blood-request-created", number, at, **request(**about, required_by=START + SPAN_DAYS * 2 * DAY))


@st.composite
def recordings(draw):
    """A donor's events and those of three requests, as a stream saw them: some late, some twice; alerts amply.

    Each request is stated before anybody is asked, and anew now and then. No two alerts have the same instant.
    """
    found = [profile(START - DAY, 50), *draw(histories(span_days=SPAN_DAYS, nulls=draw(st.booleans()), skewed=True))]
    for number in range(FIRST_ALERT, FIRST_ALERT + draw(st.integers(3, 6))):
        asked = draw(_instants()), number, "NOTIFIED", draw(st.integers(1, 3)), draw(st.integers(1, 3))
        found.append(response(*asked, delay_ms=draw(st.sampled_from((0, 0, 60_000, DAY_MS)))))
    found = [told_apart(one, number) for number, one in enumerate(found)]
    repeats = [one for one in found if one.event is not None and draw(st.booleans())]
    found += [one._replace(timestamp_ms=one.timestamp_ms + draw(st.sampled_from((1, DAY_MS)))) for one in repeats]
    items = [Input(record_of(one), one.event) for one in found]
    for number in range(draw(st.integers(3, 8))):
        at = START - DAY if number < 3 else draw(_instants())
        what = draw(st.sampled_from(URGENCIES)), draw(st.integers(1, 4))
        items.append(stated(FIRST_OF_REQUESTS + number, number % 3 + 1, at, *what))
    return sorted(items, key=lambda item: item.record.timestamp_ms)


def told_apart(one, number):
    """An alert at an instant of its own, by which it is known; a profile of somebody who may be asked."""
    if one.topic == "donor-registered" and one.event:
        return one._replace(event=one.event | {"blood_group": "O_POS"})
    if one.event and one.event.get("response") == "NOTIFIED":
        return one._replace(event=one.event | {"occurred_at": one.event["occurred_at"] + number})
    return one


def instant_of(item):
    return item.record.timestamp_ms * 1000 if item.event is None else item.event["occurred_at"]


def rows_of(items):
    """What each model sees of each alert that can be learned from, bit by bit, by the alert's instant."""
    examples = examples_of(items)
    views = {
        MATCH: match_view(examples, OWN_RECORD.availability, OWN_RECORD.reliability).rows,
        AVAILABILITY: availability_view(examples),
        RELIABILITY: reliability_view(examples),
        RESPONSE_TIME: chances_view(examples),
    }
    n = examples.at.size
    rows = zip(*(np.split(view, n) if n else () for view in views.values()), strict=True)
    return dict(zip(examples.at.tolist(), ([part.tobytes() for part in row] for row in rows), strict=True))


def asked_at(items):
    """When somebody was asked, alert by alert in the order in which they were recorded first."""
    responses = [item.event for item in items if item.record.topic == "donor-responded"]
    return list(dict.fromkeys(one["occurred_at"] for one in responses if one["response"] == "NOTIFIED"))


def until_its_instant(items, at):
    """What had occurred by an instant, however late it was recorded."""
    return [item for item in items if instant_of(item) <= at]


def until_it_was_recorded(items, at):
    """What was recorded of donors before an alert of an instant, and that."""
    first = next(n for n, item in enumerate(items) if item.record.topic == "donor-responded" and instant_of(item) == at)
    return [item for n, item in enumerate(items) if n <= first or item.record.topic == "blood-request-created"]


@pytest.mark.parametrize("cut", [until_its_instant, until_it_was_recorded], ids=lambda cut: cut.__name__)
def test_no_feature_of_an_alert_changes_when_all_that_is_later_is_taken_away(cut):
    n_compared = 0

    @settings(max_examples=50)
    @given(recordings())
    def alike(items):
        nonlocal n_compared
        everything = rows_of(items)
        # Not each is there: one that was recorded after something later teaches nothing while that is there.
        for at in everything.keys() & asked_at(items):
            assert rows_of(cut(items, at))[at] == everything[at]
            n_compared += 1

    alike()
    assert n_compared > 20
