"""Events as rows, written in any order."""

import itertools

from sqlalchemy import text

from consumers.recording.folding import fold
from consumers.recording.projection import Projection
from features.rule_set import INDIA_2020
from features.vectors import MATCH_FEATURES
from smartblood.storage.tables import METADATA
from tests.record_events import AT, CODEC, MINUTE, an_id, event, matches_of, record

PROJECTION = Projection(CODEC, INDIA_2020, MATCH_FEATURES)
OFFER = (
    "SELECT donor_id, notified, actual_response_time, feature_vector, distance_km, updated_at FROM match_predictions"
)


def put(sink, *events, offset=0):
    """Write events, each (topic, event), in one batch; a record is of ``AT``, or of its event where that is later."""
    rows = []
    for n, (topic, of) in enumerate(events):
        told = record(topic, of, offset=offset + n)
        if of["occurred_at"] > AT + 24 * 60 * MINUTE:
            told = told._replace(timestamp_ms=of["occurred_at"] // 1000)
        rows.extend(PROJECTION.rows(told))
    sink.write(fold(rows), [])


def created(at=0, n=1, **changes):
    return "blood-request-created", event(
        "blood-request-created", event_id=an_id(n), occurred_at=AT + at * MINUTE, **changes
    )


def closed(at=0, n=1, **changes):
    return "blood-request-closed", event(
        "blood-request-closed", event_id=an_id(n), occurred_at=AT + at * MINUTE, **changes
    )


def responded(response, at, **changes):
    of = {"donor_id": 42, "request_id": 1001, "wave": 1} | changes
    return "donor-responded", event("donor-responded", response=response, occurred_at=AT + at * MINUTE, **of)


def matched(donors=(42,), **changes):
    return "matches", matches_of(list(donors), **changes)


def state(**changes):
    return "donor-states", event("donor-states", **changes)


def in_any_order(sink, ask, asked, events):
    """Write events one by one in every order, and all in one batch; return the one outcome."""
    outcomes = []
    for order in itertools.permutations(events):
        empty(sink)
        for each in order:
            put(sink, each)
        put(sink, order[0])
        outcomes.append(ask(asked))
        empty(sink)
        put(sink, *order)
        outcomes.append(ask(asked))
    assert all(outcome == outcomes[0] for outcome in outcomes), outcomes
    return outcomes[0]


def empty(sink):
    with sink._engine.begin() as connection:
        for table in METADATA.tables:
            connection.execute(text(f"DELETE FROM {table}"))
