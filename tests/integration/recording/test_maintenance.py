"""What maintenance leaves in a real Postgres, by the slots that were triggered."""

import datetime as dt
import math
import threading
import time

import pytest
import structlog
from prometheus_client import REGISTRY

from consumers.recording.folding import fold
from consumers.recording.refusals import refused_row
from features.decay import left
from features.local_time import local_day
from features.priors import RELIABILITY, beta_mean_sd
from schemas.errors import InvalidRecord
from smartblood.maintenance import watching
from smartblood.maintenance.accuracy import LEVELS, coverage, wape
from smartblood.maintenance.watching import Keeping, Maintenance
from smartblood.storage import upkeep as storage
from smartblood.storage.upkeep import KINDS, Upkeep
from tests.integration.recording.sink_world import (
    PROJECTION,
    closed,
    created,
    empty,
    in_any_order,
    matched,
    put,
    responded,
    state,
)
from tests.record_events import AT, MINUTE, an_id, event, record

pytestmark = pytest.mark.broker

DAY = 24 * 60
TODAY = local_day(AT)
NIGHTLY, DAILY = "nightly-reliability", "daily-retention"


def due(schedule, minutes, n=1):
    at = AT + minutes * MINUTE
    of = {"schedule": schedule, "slot_at": at, "occurred_at": at, "event_id": an_id(n)}
    return record("maintenance-triggered", event("maintenance-triggered", **of))._replace(timestamp_ms=at // 1000)


def trigger(sink, schedule, minutes):
    sink.write(fold(PROJECTION.rows(due(schedule, minutes))), [])


def forecasted(first_day, means, *, as_of=AT, n=1, district="Kollam", group="O_POS", version="1", spread=1.0):
    days = [
        {
            "day": first_day + k,
            "predicted_demand": mean,
            "confidence_lower": max(mean - spread, 0.0),
            "confidence_upper": mean + spread,
            "quantiles": [{"level": 0.1, "value": max(mean - spread, 0.0)}, {"level": 0.9, "value": mean + spread}],
        }
        for k, mean in enumerate(means)
    ]
    models = [{"model": "demand_forecast", "version": version, "sha256": "a" * 64}]
    of = {"district": district, "blood_group": group, "as_of": as_of, "days": days, "models": models}
    return "demand-forecasted", event("demand-forecasted", event_id=an_id(n), occurred_at=as_of, **of)


@pytest.fixture
def maintained(sink, postgres):  # noqa: ARG001 - it is emptied
    upkeep = Upkeep(postgres.url_of("sink"))
    keeping = Keeping(dict.fromkeys(KINDS, 100), rate_half_life_days=365.0)
    yield Maintenance(upkeep, keeping, lambda: True, structlog.get_logger())
    upkeep.close()


@pytest.fixture(autouse=True)
def small_bites(monkeypatch):
    monkeypatch.setattr(storage, "ROWS_AT_ONCE", 3)
    monkeypatch.setattr(storage, "WAVES_AT_ONCE", 2)
    monkeypatch.setattr(watching, "PAUSE_S", 0)


def on(day):
    return dt.date(1970, 1, 1) + dt.timedelta(day)


def test_the_row_of_a_date_is_that_of_the_latest_as_of_whatever_came_first(sink, ask):
    hour = 60 * MINUTE
    events = [
        forecasted(TODAY, [1.0, 2.0, 3.0], n=9, version="1"),
        forecasted(TODAY + 1, [5.0, 6.0], as_of=AT + 24 * hour, n=2, version="2"),
        forecasted(TODAY, [7.0], as_of=AT - hour, n=3, version="0"),
    ]
    asked = "SELECT forecast_date, predicted_demand, model_version, quantiles FROM demand_forecasts ORDER BY 1"
    rows = in_any_order(sink, ask, asked, events)
    assert [(row["forecast_date"], row["predicted_demand"], row["model_version"]) for row in rows] == [
        (on(TODAY), 1.0, "1"),
        (on(TODAY + 1), 5.0, "2"),
        (on(TODAY + 2), 6.0, "2"),
    ]
    assert rows[0]["quantiles"] == [[0.1, 0.0], [0.9, 2.0]]


def test_a_forecast_made_again_under_its_id_replaces_itself(sink, ask):
    put(sink, forecasted(TODAY, [1.0]))
    put(sink, forecasted(TODAY, [2.0]))
    assert [row["predicted_demand"] for row in ask("SELECT predicted_demand FROM demand_forecasts")] == [2.0]


def test_what_came_is_filled_in_once_the_day_is_over_and_again_where_more_came_late(sink, ask, maintained):
    put(sink, forecasted(TODAY, [3.0, 4.0, 5.0]), forecasted(TODAY, [1.0], district="Idukki", n=2))
    put(sink, created(0, 1, request_id=1, district="Kollam", blood_group="O_POS", units_required=2))
    asked = "SELECT district, forecast_date AS day, actual_demand AS came FROM demand_forecasts ORDER BY 1, 2"

    def came():
        maintained.look(threading.Event())
        return [(row["district"], row["day"], row["came"]) for row in ask(asked)]

    trigger(sink, DAILY, 0)  # of the day itself nothing is known yet
    assert [one[2] for one in came()] == [None] * 4
    trigger(sink, DAILY, DAY)
    expected = [("Idukki", on(TODAY), 0), ("Kollam", on(TODAY), 2), ("Kollam", on(TODAY + 1), None)]
    assert came()[:3] == expected
    put(sink, created(60, 2, request_id=2, district="Kollam", blood_group="O_POS", units_required=7))  # it comes late
    assert came()[:3] == expected
    trigger(sink, DAILY, 2 * DAY)
    assert came() == [
        ("Idukki", on(TODAY), 0),
        ("Kollam", on(TODAY), 9),
        ("Kollam", on(TODAY + 1), 0),
        ("Kollam", on(TODAY + 2), None),
    ]


def test_accuracy_is_that_of_the_days_that_are_over(sink, maintained):
    put(sink, forecasted(TODAY - 1, [3.0, 4.0, 9.0], as_of=AT - DAY * MINUTE))  # the last of them isn't over
    put(sink, forecasted(TODAY - 1, [9.0, 2.0], as_of=AT - DAY * MINUTE, n=2, group="A_POS"))
    put(sink, forecasted(TODAY, [8.0, 1.0], n=3, district="Idukki", spread=5.0))
    for n, (district, group, minutes, units) in enumerate(
        (
            ("Kollam", "O_POS", -DAY, 4),
            ("Kollam", "A_POS", -DAY, 5),
            ("Kollam", "O_POS", 0, 9),
            ("Idukki", "O_POS", 0, 6),
        ),
        1,
    ):
        put(sink, created(minutes, n, request_id=n, district=district, blood_group=group, units_required=units))
    trigger(sink, DAILY, DAY)
    maintained.look(threading.Event())
    days = maintained.upkeep.over(28)
    assert len(days) == 5
    # Yesterday 3 for 4 and 9 for 5 of Kollam; today 4 for 9 and 2 for none of Kollam, 8 for 6 of Idukki.
    series, district, group, total = 1 + 4 + 5 + 2 + 2, 3 + 3 + 2, 1 + 4 + 3 + 2, 3 + 1
    expected = {"series": series / 24, "district": district / 24, "group": group / 24, "state": total / 24}
    assert {level: wape(days, key) for level, key in LEVELS.items()} == pytest.approx(expected)
    assert {level: REGISTRY.get_sample_value("smartblood_forecast_wape", {"what": level}) for level in LEVELS} == (
        pytest.approx(expected)
    )
    assert coverage(days) == REGISTRY.get_sample_value("smartblood_forecast_coverage") == 2 / 5
    assert math.isnan(wape([], LEVELS["state"]))
    assert math.isnan(coverage([]))


def test_reliability_is_shown_as_of_the_night_and_again_it_changes_nothing(sink, ask, maintained):
    of = {"promises_decayed": 4.0, "kept_decayed": 3.0, "alerts_decayed": 9.0}
    mean, sd = beta_mean_sd(RELIABILITY, 3.0, 4.0)
    donors = [
        state(donor_id=n, occurred_at=AT - n * DAY * MINUTE, reliability_score=mean, reliability_sd=sd, **of)
        for n in range(1, 9)
    ]
    nothing = {"promises_decayed": None, "kept_decayed": None, "alerts_decayed": 1.0}
    put(sink, *donors, state(donor_id=20, occurred_at=AT, **nothing))
    put(sink, state(donor_id=21, occurred_at=AT + 20 * DAY * MINUTE, **of))  # heard of after the night
    asked = "SELECT id, reliability_score AS score, reliability_sd AS sd FROM donors ORDER BY id"
    before = ask(asked)
    trigger(sink, NIGHTLY, 10 * DAY)
    maintained.look(threading.Event())
    after = ask(asked)
    for n, row in enumerate(after[:8], 1):
        share = left((10 + n) * DAY * MINUTE, 365.0)
        assert (row["score"], row["sd"]) == pytest.approx(beta_mean_sd(RELIABILITY, 3.0 * share, 4.0 * share))
        assert row["score"] < before[n - 1]["score"]  # nearer to what is known of everybody
    assert after[8:] == before[8:]
    maintained.look(threading.Event())
    assert ask(asked) == after
    for at in (9, 10, 12):  # an older slot, the same again, a later one
        trigger(sink, NIGHTLY, at * DAY)
        maintained.look(threading.Event())
    share = left(13 * DAY * MINUTE, 365.0)
    assert ask(asked)[0]["score"] == pytest.approx(beta_mean_sd(RELIABILITY, 3.0 * share, 4.0 * share)[0])
    put(sink, donors[0])  # what is heard of a donor holds until the next night
    assert ask(asked)[0] == before[0]


def old_and_new(sink, by=0):
    """What is 99 and more than 100 days old ``by`` minutes after ``AT``."""
    for age, n in ((101, 1), (102, 2), (103, 3), (104, 4), (105, 5), (99, 6)):
        minutes = by - age * DAY
        day = {"occurred_at": AT + minutes * MINUTE}
        put(sink, matched((42, 43), request_id=n, request_event_id=an_id(n), **day))
        put(sink, responded("NOTIFIED", minutes, donor_id=77, request_id=n))
        put(sink, responded("ACCEPTED", minutes, donor_id=78, request_id=n))
        put(sink, ("prediction-logged", event("prediction-logged", event_id=an_id(n), **day)))
        put(sink, forecasted(day["occurred_at"] // (DAY * MINUTE), [1.0], as_of=day["occurred_at"], n=n))
        put(sink, created(minutes, n, request_id=n, required_by=day["occurred_at"]), closed(minutes, n, request_id=n))
        refused = record("matches", b"x", offset=n)._replace(timestamp_ms=day["occurred_at"] // 1000)
        sink.write(fold([refused_row(refused, InvalidRecord("no", kind="range"), "matches")]), [])


COUNTED = " UNION ALL ".join(
    f"SELECT '{table}' AS name, count(*) AS n FROM {table}"
    for table in (
        "match_waves",
        "match_predictions",
        "donor_responses",
        "donor_outcomes",
        "model_prediction_logs",
        "demand_forecasts",
        "refused_records",
        "blood_requests",
        "request_closings",
    )
)


NOT_OLD = {
    "match_waves": 1,
    "match_predictions": 2,
    "donor_responses": 2,
    "donor_outcomes": 1,
    "model_prediction_logs": 1,
    "demand_forecasts": 1,
    "refused_records": 1,
    "blood_requests": 6,
    "request_closings": 6,
}


def test_what_is_old_by_the_slot_is_deleted_in_bites_and_nothing_else(sink, ask, maintained):
    old_and_new(sink)
    days = ask("SELECT * FROM demand_days ORDER BY day")
    assert {row["name"]: row["n"] for row in ask(COUNTED)}["match_predictions"] == 12
    trigger(sink, DAILY, 0)
    maintained.look(threading.Event())
    assert {row["name"]: row["n"] for row in ask(COUNTED)} == NOT_OLD
    assert ask("SELECT * FROM demand_days ORDER BY day") == days
    assert ask("SELECT id FROM match_predictions WHERE request_id <> 6") == []


YEARS = 3 * 365 * DAY


def now_minutes():
    """Minutes from ``AT`` to the clock's now, which is Postgres's own."""
    return (time.time_ns() // 1_000 - AT) // MINUTE


def n_ahead(kind):
    return REGISTRY.get_sample_value("smartblood_maintenance_slots_ahead_total", {"kind": kind}) or 0


def test_a_slot_years_ahead_deletes_and_fills_no_more_than_postgres_own_clock_lets_it(sink, ask, maintained):
    by = now_minutes()
    old_and_new(sink, by)
    put(sink, forecasted(local_day(AT + by * MINUTE) - 1, [1.0, 1.0, 1.0], as_of=AT + by * MINUTE, n=9))
    put(sink, state(donor_id=1, occurred_at=AT, promises_decayed=4.0, kept_decayed=3.0, reliability_score=0.0))
    for schedule in (NIGHTLY, DAILY):
        trigger(sink, schedule, by + YEARS)
    before = {kind: n_ahead(kind) for kind in (NIGHTLY, DAILY)}
    with structlog.testing.capture_logs() as said:
        maintained.log = structlog.get_logger()
        for _ in range(3):
            maintained.look(threading.Event())
    assert {row["name"]: row["n"] for row in ask(COUNTED)} == NOT_OLD | {"demand_forecasts": 4}
    filled = ask("SELECT forecast_date FROM demand_forecasts WHERE actual_demand IS NOT NULL ORDER BY 1 DESC")
    assert filled[0]["forecast_date"] in {on(local_day(AT + (by + k) * MINUTE) - 1) for k in (0, 10)}
    assert [line["schedule"] for line in said if line["log_level"] == "warning"] == [DAILY, NIGHTLY]
    assert {kind: n_ahead(kind) - n for kind, n in before.items()} == {NIGHTLY: 1, DAILY: 1}
    (donor,) = ask("SELECT reliability_score AS score FROM donors")
    share = left(by * MINUTE, 365.0)
    assert donor["score"] == pytest.approx(beta_mean_sd(RELIABILITY, 3.0 * share, 4.0 * share)[0], rel=1e-4)


def test_a_slot_years_ahead_is_in_the_way_of_no_true_slot(sink, ask, maintained):
    by = now_minutes()
    trigger(sink, DAILY, by + YEARS)
    assert maintained.upkeep.due() == []
    trigger(sink, DAILY, by - 1)  # it comes before anybody looked
    maintained.look(threading.Event())
    done = maintained.upkeep.last_done()[DAILY]
    assert by <= (done - AT) / MINUTE <= now_minutes() + 1, "what was due until now is done, and nothing later"
    old_and_new(sink, by)
    for ahead in (30, 40):  # within what clocks may differ by
        trigger(sink, DAILY, by + ahead)
        assert [one.slot_at for one in maintained.upkeep.due()] == [AT + (by + ahead) * MINUTE]
        maintained.look(threading.Event())
        assert maintained.upkeep.last_done() == {DAILY: AT + (by + ahead) * MINUTE}
    assert {row["name"]: row["n"] for row in ask(COUNTED)} == NOT_OLD


def test_what_was_noted_as_done_by_a_clock_that_was_ahead_is_in_the_way_of_no_true_slot(sink, ask, maintained):
    by = now_minutes()
    put(sink, state(donor_id=1, occurred_at=AT, promises_decayed=4.0, kept_decayed=3.0, reliability_score=0.0))
    with sink._engine.begin() as connection:  # as Postgres's own clock would have left it
        ahead = "now() + interval '3 years'"
        connection.exec_driver_sql(f"INSERT INTO maintenance SELECT '{NIGHTLY}', {ahead}, {ahead}")
        connection.exec_driver_sql(f"UPDATE donors SET reliability_at = {ahead}")
    maintained.look(threading.Event())
    assert ask("SELECT reliability_score AS score FROM donors") == [{"score": 0.0}], "it was done"
    trigger(sink, NIGHTLY, by + 30)
    maintained.look(threading.Event())
    assert maintained.upkeep.last_done() == {NIGHTLY: AT + (by + 30) * MINUTE}
    (donor,) = ask("SELECT reliability_score AS score FROM donors")
    share = left((by + 30) * MINUTE, 365.0)
    assert donor["score"] == pytest.approx(beta_mean_sd(RELIABILITY, 3.0 * share, 4.0 * share)[0])


def test_ids_of_events_are_forgotten_when_they_are_old_and_what_came_long_after_them_is_recorded(sink, ask, maintained):
    def taken(n, age, partition):
        of = created(-age * DAY, n, request_id=n, required_by=AT - age * DAY * MINUTE)
        told = record(*of, partition=partition)._replace(timestamp_ms=(AT - age * DAY * MINUTE) // 1000)
        sink.write(fold(PROJECTION.rows(told)), [])

    for n in range(1, 6):
        taken(n, 100 + n, partition=0)
    taken(6, 100, partition=0)
    taken(7, 70, partition=0)  # 30 days beyond what is old
    taken(8, 105, partition=1)
    taken(9, 71, partition=1)  # not so far: what comes again of 8 may still be on its way
    as_before_the_table = (
        "INSERT INTO request_events SELECT 10, topic, event_id, timestamp_ms FROM request_events"
        " WHERE request_id IN (1, 7)"
    )
    with sink._engine.begin() as connection:
        connection.exec_driver_sql(as_before_the_table)
    trigger(sink, DAILY, 0)
    maintained.look(threading.Event())
    kept = ask("SELECT request_id, partition FROM request_events ORDER BY 1")
    assert [tuple(row.values()) for row in kept] == [(6, 0), (7, 0), (8, 1), (9, 1), (10, None)]
    assert len(ask("SELECT 1 FROM blood_requests")) == 9


def test_who_stops_on_the_way_leaves_the_rest_to_the_next(sink, ask, maintained, monkeypatch):
    old_and_new(sink)
    trigger(sink, DAILY, 0)
    done = threading.Event()
    delete, n_bites = maintained.upkeep.delete, []

    def stops_after_two(*asked):
        n_bites.append(asked)
        if len(n_bites) == 2:
            done.set()
        return delete(*asked)

    monkeypatch.setattr(maintained.upkeep, "delete", stops_after_two)
    maintained.look(done)
    assert len(n_bites) == 2
    assert {row["name"]: row["n"] for row in ask(COUNTED)}["match_waves"] == 2
    assert len(maintained.upkeep.due()) == 1
    maintained.look(threading.Event())
    assert maintained.upkeep.due() == []
    assert {row["name"]: row["n"] for row in ask(COUNTED)}["model_prediction_logs"] == 1


def test_one_worker_at_a_time_and_rows_in_use_are_passed_over(sink, ask, maintained, postgres):
    old_and_new(sink)
    trigger(sink, DAILY, 0)
    other = Upkeep(postgres.url_of("sink"))
    with other.alone() as alone:
        assert alone
        maintained.look(threading.Event())
        assert len(maintained.upkeep.due()) == 1
    other.close()
    writer = sink._engine.connect()
    writer.exec_driver_sql("SELECT 1 FROM match_waves WHERE request_id = 1 FOR UPDATE")  # somebody writes
    maintained.look(threading.Event())
    assert {row["request_id"] for row in ask("SELECT request_id FROM match_waves")} == {1, 6}
    writer.close()


def test_nothing_is_done_while_recording_is_behind_and_what_nobody_knows_is_let_go(sink, maintained):
    trigger(sink, "monthly-nonsense", 0)
    assert maintained.upkeep.last_done() == {"monthly-nonsense": None}
    maintained.may_work = lambda: False
    maintained.look(threading.Event())
    assert [one.schedule for one in maintained.upkeep.due()] == ["monthly-nonsense"]
    maintained.may_work = lambda: True
    maintained.look(threading.Event())
    assert maintained.upkeep.due() == []
    assert maintained.upkeep.last_done() == {"monthly-nonsense": AT}
    empty(sink)
