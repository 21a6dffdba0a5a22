"""From a hospital's event to ranked, lawful donors on ``matches`` and in Postgres."""

from __future__ import annotations

import json
import struct
import uuid

import pytest

from features.vectors import FEATURES
from tests.acceptance import records
from tests.acceptance.expected import wrong_answers
from tests.acceptance.wire import AVRO, SCHEMAS, plain
from tests.acceptance.world import DAY, now_us, registration, request, world
from tests.oracle import worlds
from tests.oracle.test_donor_facts import departures

pytestmark = pytest.mark.broker


@pytest.fixture
def system(make_system):
    """Made by the commands that a user has for it."""
    return make_system(by_commands=True)


EVERYTHING = (
    "blood-request-created",
    "blood-request-closed",
    "match-requested",
    "donor-registered",
    "donation-recorded",
    "donor-responded",
    "donor-states",
    "matches",
    "match-previews",
    "prediction-logged",
    "dead-letters",
)


def test_one_donor_and_one_request_make_one_match_in_postgres(system, outsider, tables):
    system.run_all()
    rng, now = worlds.generator(1), now_us()
    outsider.send("donor-registered", 42, registration(rng, 42, blood_group="O_POS", at=now - 400 * DAY))
    outsider.flush()
    outsider.await_group("donor-state", "donor-registered")
    wanted = request(rng, 7, at=now, blood_group="O_POS", units_required=1, top_k=3)
    outsider.send("blood-request-created", 7, wanted).get(timeout=20)
    reader = outsider.reader("matches")
    reader.until(lambda: reader.seen["matches"], within_s=20, what="a match")
    (answer,) = reader.seen["matches"]
    event = answer.event
    assert answer.key == b"7"
    assert answer.partition == outsider.home("matches", "7")
    assert [one["donor_id"] for one in event["matches"]] == [42]
    assert str(event["request_event_id"]) == wanted["event_id"]
    assert (event["wave"], event["n_askable"], event["empty_because"]) == (1, 1, None)
    assert event["matches"][0]["reasons"]
    assert isinstance(event["event_id"], uuid.UUID)
    tables.until("SELECT count(*) FROM match_predictions", lambda n: n == 1, within_s=20)
    tables.until("SELECT count(DISTINCT model_name) FROM model_prediction_logs", lambda n: n == 4, within_s=20)
    ((request_id, group, found, average),) = tables.query(records.BY_REQUEST)
    assert (request_id, group, found) == (7, "O+", 1)
    assert float(average) == pytest.approx(event["matches"][0]["match_score"])
    said = {
        model: (predictions, success_rate) for model, predictions, *_, success_rate in tables.query(records.BY_MODEL)
    }
    assert said == dict.fromkeys(FEATURES, (1, 100.0))
    for arguments in (["topics", "check"], ["db", "check"], ["check"], ["models", "verify"]):
        system.command(*arguments)
    shown = system.command("decode", "matches", "--max", "1").stdout.splitlines()
    assert [wanted["event_id"] in str(json.loads(line)) for line in shown] == [True]
    system.stop()


def publish_donors(outsider, made):
    for topic, donor_id, event, timestamp_ms in made.donor_records():
        outsider.send(topic, donor_id, event, timestamp_ms=timestamp_ms)
    outsider.flush()


def publish_requests(outsider, made):
    for topic, request_id, event in made.request_records():
        outsider.send(topic, request_id, event)
    outsider.flush()


def test_a_seeded_world_is_answered_as_the_oracle_says_and_recorded_row_by_row(system, outsider, tables):
    system.run_all()
    made = world(1, n_donors=400, n_requests=150)
    publish_donors(outsider, made)
    outsider.await_group("donor-state", "donor-registered", "donation-recorded", "donor-responded")
    publish_requests(outsider, made)
    outsider.await_group("matching", "blood-request-created")
    seen = outsider.reader(*EVERYTHING)
    seen.to_the_end()
    assert [one.said for one in seen.seen["dead-letters"]] == []

    states = records.latest_states(seen.seen["donor-states"])
    lines = []
    for donor_id, history in made.histories.items():
        departed = departures(states[donor_id], history) if donor_id in states else ["no state"]
        lines += [f"donor {donor_id}: {line}" for line in departed]
    assert lines == []

    lines = wrong_answers(
        seen.seen["blood-request-created"], seen.seen["matches"], seen.seen["donor-states"], ("matches",)
    )
    assert lines == []
    assert len({event["n_askable"] for event in map(plain, (one.event for one in seen.seen["matches"]))}) > 20

    assert records.once_right(tables, seen.seen) == []
    system.stop()


def test_avro_examples_are_what_the_outsider_reads():
    """The client's own reading of the framing, on bytes that the project shows to the world."""
    for path in sorted((SCHEMAS / "examples").glob("*.json")):
        example = json.loads(path.read_text("utf-8"))
        value = bytes.fromhex(example["value_hex"])
        topic = path.name.split(".")[0]
        (number,) = struct.unpack_from(">I", value, 1)
        assert AVRO.encode(topic, AVRO.decode(value), number) == value, path.name
