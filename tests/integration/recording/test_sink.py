"""What a batch leaves in a real Postgres, whatever came first."""

import threading

import pytest
from sqlalchemy import create_engine, text

from consumers.recording.folding import fold
from consumers.recording.refusals import refused_row
from schemas.errors import InvalidRecord
from smartblood.errors import Fatal, Retryable
from smartblood.storage.bulk import Offset
from smartblood.storage.counts import row_counts
from smartblood.storage.engine import RefusedByDatabase, TooSlow
from smartblood.storage.schema import check, upgrade
from smartblood.storage.sink import OwnershipLost, Sink
from tests.integration.recording.sink_world import (
    OFFER,
    PROJECTION,
    closed,
    created,
    in_any_order,
    matched,
    put,
    responded,
    state,
)
from tests.record_events import AT, an_id, event, matches_of, record

pytestmark = pytest.mark.broker

FIRST_QUERY = """
SELECT r.id AS request_id, r.blood_group, COUNT(mp.id) AS matches_found, AVG(mp.match_score) AS avg_score
FROM blood_requests r LEFT JOIN match_predictions mp ON r.id = mp.request_id
WHERE r.created_at > NOW() - INTERVAL '7 days'
GROUP BY r.id, r.blood_group ORDER BY r.created_at DESC;
"""
SECOND_QUERY = """
SELECT model_name, COUNT(*) AS predictions, AVG(inference_time_ms) AS avg_latency_ms,
       MAX(inference_time_ms) AS max_latency_ms,
       SUM(CASE WHEN success THEN 1 ELSE 0 END)::float / COUNT(*) * 100 AS success_rate
FROM model_prediction_logs WHERE created_at > NOW() - INTERVAL '24 hours' GROUP BY model_name;
"""


def test_migrations_and_metadata_agree_and_are_asked_for_twice_without_harm(database_url):
    (pending,) = check(database_url)
    assert "db upgrade" in pending
    upgraders = [threading.Thread(target=upgrade, args=(database_url,)) for _ in range(2)]
    for each in upgraders:
        each.start()
    for each in upgraders:
        each.join()
    assert check(database_url) == []
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE donors DROP COLUMN district"))
        connection.execute(text("CREATE TABLE of_the_back_end (id int)"))
    engine.dispose()
    (line,) = check(database_url)
    assert "district" in line


def test_a_pending_migration_stops_recording(database_url):
    sink = Sink(database_url)
    with pytest.raises(Fatal, match="db upgrade"):
        sink.require_up_to_date()
    sink.close()


def test_both_queries_of_the_contract_run_as_they_stand(sink, ask, engine):
    put(sink, created(), matched([1, 2]), ("prediction-logged", event("prediction-logged")))
    with engine.begin() as connection:
        connection.execute(text("UPDATE blood_requests SET created_at = now()"))
        connection.execute(text("UPDATE model_prediction_logs SET created_at = now()"))
    (request,) = ask(FIRST_QUERY)
    assert request["matches_found"] == 2
    assert request["avg_score"] == pytest.approx(0.318214)
    (model,) = ask(SECOND_QUERY)
    assert (model["predictions"], model["success_rate"]) == (1, 100.0)


ROW = "SELECT status, units_required, units_fulfilled, created_at, updated_at, hospital_id FROM blood_requests"


def test_a_request_is_as_it_was_last_stated_whatever_came_first(sink, ask):
    said = [created(0, 1, units_required=1), created(5, 2, units_required=2), created(5, 3, units_required=3)]
    (row,) = in_any_order(sink, ask, ROW, said)
    assert (row["units_required"], row["status"]) == (3, "open")
    assert (row["updated_at"] - row["created_at"]).total_seconds() == 300


def test_a_closing_counts_unless_the_request_is_later_and_the_later_of_two_holds(sink, ask):
    said = [created(0), closed(2, 1, outcome="EXPIRED"), closed(2, 2, outcome="FULFILLED", units_fulfilled=2)]
    (row,) = in_any_order(sink, ask, ROW, said)
    assert (row["status"], row["units_fulfilled"]) == ("fulfilled", 2)
    (row,) = in_any_order(sink, ask, ROW, [created(0), closed(2), created(3, 2)])
    assert (row["status"], row["units_fulfilled"]) == ("open", None)
    (row,) = in_any_order(sink, ask, ROW, [created(0), closed(2), created(3, 2), closed(3, 2, outcome="CANCELLED")])
    assert row["status"] == "cancelled"


def test_a_closing_without_a_request_waits(sink, ask):
    put(sink, closed(2))
    assert ask(ROW) == []
    put(sink, created(0))
    assert ask(ROW)[0]["status"] != "open"


def test_notice_and_answer_reach_the_offer_whatever_came_first(sink, ask):
    said = [matched(), responded("NOTIFIED", 1), responded("ACCEPTED", 31), responded("NOTIFIED", 2)]
    (row,) = in_any_order(sink, ask, OFFER, said)
    assert (row["notified"], row["actual_response_time"]) == (True, 0.5)
    assert ask("SELECT * FROM donor_responses") == []


def test_an_answer_without_a_notice_or_before_it_has_no_time(sink, ask):
    (row,) = in_any_order(sink, ask, OFFER, [matched(), responded("DECLINED", 31)])
    assert (row["notified"], row["actual_response_time"]) == (False, None)
    (row,) = in_any_order(sink, ask, OFFER, [matched(), responded("DECLINED", 31), responded("NOTIFIED", 40)])
    assert (row["notified"], row["actual_response_time"]) == (True, None)


def test_responses_to_another_wave_or_request_or_donor_wait(sink, ask):
    put(sink, matched(), responded("NOTIFIED", 1, wave=2), responded("NOTIFIED", 1, request_id=7))
    put(sink, responded("NOTIFIED", 1, donor_id=7))
    assert ask(OFFER)[0]["notified"] is False
    assert len(ask("SELECT * FROM donor_responses")) == 3


def test_a_repeated_wave_adds_nothing_even_where_it_differs(sink, ask):
    put(sink, matched([1, 2]))
    put(sink, matched([3, 2, 1]))
    assert [row["donor_id"] for row in ask(OFFER)] == [1, 2]


def test_waves_of_a_request_are_all_kept(sink, ask):
    put(sink, matched([1, 2]), matched([3], wave=2, request_event_id=an_id(9)))
    found = ask("SELECT wave, rank, donor_id FROM match_predictions ORDER BY wave, rank")
    assert [tuple(row.values()) for row in found] == [(1, 1, 1), (1, 2, 2), (2, 1, 3)]


@pytest.mark.parametrize(
    ("at", "read"),
    [
        (AT + 1, "2025-11-25 08:00:00.000001+00"),
        (-62_135_596_800_000_000, "0001-01-01 00:00:00+00"),
        (-1, "1969-12-31 23:59:59.999999+00"),
        (253_402_300_799_999_999, "9999-12-31 23:59:59.999999+00"),
    ],
)
def test_no_microsecond_is_lost(sink, ask, at, read):
    put(sink, state(joined_at=at))
    assert ask("SELECT joined_at::text FROM donors") == [{"joined_at": read}]


def test_the_table_of_donors_says_nothing_of_deferrals(sink, ask):
    put(sink, state())
    (row,) = ask("SELECT * FROM donors")
    assert "item" not in repr(row)
    assert not any("deferral" in name for name in row)


def test_a_logged_prediction_is_kept_once(sink, ask):
    sample = "[1.5, NaN]"
    logged = "prediction-logged", event("prediction-logged", input_sample=sample, success=False, error="no\0file")
    put(sink, logged, logged)
    put(sink, logged)
    (row,) = ask("SELECT endpoint, input_data, prediction_output, success, error_message FROM model_prediction_logs")
    assert list(row.values()) == ["matching", [1.5, None], None, False, "no\ufffdfile"]


def test_a_refused_record_keeps_its_bytes(sink, ask):
    raw = record("matches", bytes(range(256)), partition=2, offset=5)
    row = refused_row(raw, InvalidRecord("value: no frame", kind="undecodable"), "p-matches")
    for _ in range(2):
        sink.write(fold([row]), [])
    (found,) = ask("SELECT * FROM refused_records")
    assert bytes(found["value"]) == bytes(range(256))
    assert (found["source_topic"], found["source_partition"], found["source_offset"]) == ("p-matches", 2, 5)


def test_rows_are_written_only_while_the_offsets_are_where_the_writer_believes_them(sink, ask):
    places = {("matches", 0): "one", ("matches", 1): "one"}
    assert sink.positions(places) == dict.fromkeys(places, 0)
    rows = fold(PROJECTION.rows(record(*matched([42]))))
    sink.write(rows, [Offset("matches", 0, 7, 0)])
    for moves in ([Offset("matches", 0, 9, 0)], [Offset("matches", 0, 9, 7), Offset("matches", 1, 3, 2)]):
        with pytest.raises(OwnershipLost):
            sink.write(fold(PROJECTION.rows(record(*matched([5], request_event_id=an_id(3))))), moves)
    assert sink.positions(places) == {("matches", 0): 7, ("matches", 1): 0}
    assert [row["donor_id"] for row in ask(OFFER)] == [42]


def test_a_topic_that_was_made_anew_is_recorded_from_its_beginning(sink):
    place = ("matches", 0)
    sink.positions({place: "one"})
    sink.write(fold([]), [Offset("matches", 0, 7, 0)])
    assert sink.positions({place: None}) == {place: 7}
    assert sink.positions({place: "one"}) == {place: 7}
    assert sink.positions({place: "two"}) == {place: 0}
    assert sink.positions({place: "two"}) == {place: 0}


@pytest.mark.parametrize(
    "bad",
    [
        created(0, 2, request_id=7, required_by=AT + 10**18),
        matched([42], request_event_id=an_id(4), wave=2**70),
        ("matches", matches_of([42, 43]) | {"request_event_id": an_id(5), "occurred_at": -(2**62)}),
    ],
)
def test_what_postgres_cannot_hold_is_told_apart(sink, ask, bad):
    rows = _unchecked(bad)
    with pytest.raises(RefusedByDatabase) as refused:
        sink.write(fold(rows), [])
    assert len(str(refused.value)) < 300
    assert ask(OFFER) == ask(ROW) == []


def _unchecked(of):
    return PROJECTION._projections[of[0]](record(of[0], b""), of[1])


def test_no_database_is_said_in_one_line(postgres):
    with pytest.raises(Fatal, match="does not exist"):
        upgrade(postgres.url_of("nowhere"))
    with pytest.raises(Retryable, match="is Postgres running"):
        row_counts("postgresql://postgres@127.0.0.1:1/x")
    with pytest.raises(Fatal, match="sqlite"):
        upgrade("sqlite://")
    with pytest.raises(Fatal, match="URL"):
        upgrade("nonsense")


def test_two_workers_that_read_a_request_and_its_closing_at_once_miss_nothing(sink, ask, postgres):
    other = Sink(postgres.url_of("sink"))
    for n in range(20):
        pair = [created(0, request_id=n), closed(1, request_id=n)]
        writers = [
            threading.Thread(target=put, args=(into, each)) for into, each in zip((sink, other), pair, strict=True)
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
    other.close()
    assert "open" not in {row["status"] for row in ask(ROW)}
    assert len(ask(ROW)) == 20


def test_a_statement_that_takes_too_long_is_told_apart(sink, engine, monkeypatch):  # noqa: ARG001 - empties the tables
    monkeypatch.setattr("smartblood.storage.engine.STATEMENT_MS_MAX", 300)
    hurried = Sink(engine.url.render_as_string(hide_password=False))
    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE match_waves"))
        with pytest.raises(TooSlow):
            put(hurried, matched())
    put(hurried, matched())
    hurried.close()
