"""What topics recorded, read from records or from files, teaches what the world itself teaches."""

from __future__ import annotations

import io
import random

import fastavro
import h3.api.basic_int as h3
import numpy as np
import pytest

from consumers.forwarding import FORWARDED_TO
from consumers.topology import Input
from features.decay import HalfLives
from features.outcomes import NEVER, NOT_KNOWN
from features.vectors import MATCH
from producers.simulator import simulate
from schemas.codec import Codec
from schemas.containers import read_container, write_container
from schemas.records import Record
from smartblood.errors import Fatal
from smartblood.training import alerts as gathering
from smartblood.training.alerts import Alerts, examples_of
from smartblood.training.panel import train
from smartblood.training.recorded import TOPICS, Reading, in_order, keep, read_kept
from smartblood.training.replaying import RECORDED, Recording, of_recording, of_world
from tests.unit.training.world import DAY_US, END, LATITUDE, LONGITUDE, SMALL, event, gave, profile, request, responded

CELL = h3.latlng_to_cell(LATITUDE, LONGITUDE, 8)
N_PARTITIONS = 3


def records_of(history):
    """A history as topics hold it: by partition, encoded."""
    codec, ends, found = Codec(), {}, []
    for line in history.events(with_requests=True):
        partition = int(line.key) % N_PARTITIONS
        offset = ends[line.topic, partition] = ends.get((line.topic, partition), -1) + 1
        value = codec.encode(line.topic, line.event)
        found.append(Record(line.topic, partition, offset, line.timestamp_ms, line.key.encode(), value))
    random.Random(4).shuffle(found)
    spans = {place: (0, last + 1) for place, last in ends.items()}
    return in_order(found), spans


@pytest.fixture(scope="module")
def history():
    return simulate(SMALL, 3, END)


@pytest.fixture(scope="module")
def recorded(history):
    return records_of(history)


def learned_from(recording):
    return train(of_recording(recording, HalfLives(), 30), 3, "1.0.0", names=[MATCH])[MATCH]


@pytest.fixture(scope="module")
def from_topics(recorded):
    records, spans = recorded
    reading = Reading(Codec())
    return learned_from(Recording(reading.items(records), lambda: {"topics": reading.told(spans)}, END))


def test_what_was_recorded_teaches_what_the_world_teaches(from_topics):
    of_the_world = train(of_world(SMALL, 3, END), 3, "1.0.0", names=[MATCH])[MATCH]
    assert from_topics.artefact == of_the_world.artefact
    assert from_topics.entry.training_data["rows_sha256"] == of_the_world.entry.training_data["rows_sha256"]
    assert from_topics.entry.training_data["source"] == RECORDED
    assert from_topics.entry.training_data["asked"] == of_the_world.entry.training_data["asked"]
    told = from_topics.entry.training_data["topics"]
    assert set(told) == set(TOPICS)
    assert sorted(told["donor-responded"]["offsets"]) == ["0", "1", "2"]
    assert "auc_oracle" not in from_topics.entry.metrics
    assert "simulated" not in from_topics.card
    assert f"sha256 {told['donor-responded']['sha256']}" in from_topics.card


def test_files_teach_the_same_and_are_the_same_bytes_twice(recorded, from_topics, tmp_path):
    records, spans = recorded
    for folder in ("one", "two"):
        keep(tmp_path / folder, records, Codec(), spans, END)
    for topic in TOPICS:
        assert (tmp_path / f"one/{topic}.avro").read_bytes() == (tmp_path / f"two/{topic}.avro").read_bytes()
    kept = read_kept([tmp_path / "one"])
    found = learned_from(Recording(kept.items, lambda: {"files": kept.files}, kept.ends_at))
    assert found.artefact == from_topics.artefact
    assert found.entry.metrics == from_topics.entry.metrics
    assert len(found.entry.training_data["files"]["one/donor-responded.avro"]["sha256"]) == 64
    twice = read_kept([tmp_path / "one", tmp_path / "two"])
    assert learned_from(Recording(twice.items, dict, twice.ends_at)).artefact == from_topics.artefact


def test_a_file_can_be_read_by_anybody_who_reads_avro(recorded, tmp_path):
    records, spans = recorded
    keep(tmp_path / "kept", records, Codec(), spans, END)
    with (tmp_path / "kept/donor-registered.avro").open("rb") as file:
        lines = list(fastavro.reader(file))
    assert lines[0]["event"]["joined_at"].tzinfo is not None
    assert {line["partition"] for line in lines} == {0, 1, 2}


def test_no_deferral_is_kept_and_nothing_that_an_erasure_forgot(tmp_path):
    barred = profile(CELL, deferrals=[{"rule_item": "item 46", "until": None}])
    deferred = gave(3, END - 30 * DAY_US, outcome="DEFERRED")
    deferred = deferred._replace(event=deferred.event | {"deferral": {"rule_item": "item 48", "until": 9}})
    lines = [
        event("donor-registered", 1, END - 300 * DAY_US, **barred),
        deferred,
        event("donor-registered", 2, END - 300 * DAY_US, **{**barred, "donor_id": 2}),
    ]
    codec = Codec()
    encoded = [
        record._replace(value=codec.encode(record.topic, what), offset=n) for n, (record, what) in enumerate(lines)
    ]
    encoded.append(Record("donor-registered", 0, 9, END // 1000, b"2", None))
    left = Record("donor-registered", 1, 9, END // 1000, b"1", None, ((FORWARDED_TO, b"0"),))
    keep(tmp_path / "kept", in_order([*encoded, left]), codec, {}, None)
    items = list(read_kept([tmp_path / "kept"]).items)
    assert [(item.record.topic, item.record.key, item.event is None) for item in items] == [
        ("donor-registered", b"1", False),
        ("donation-recorded", b"1", False),
        ("donor-registered", b"2", True),
    ]
    assert items[0].event["deferrals"] == []
    assert items[1].event["deferral"] is None
    assert "item 4" not in repr(items)


@pytest.mark.parametrize("topic", TOPICS)
def test_a_container_holds_what_was_written_and_says_where_it_is_damaged(topic):
    codec = Codec()
    lines = [one for one in alike(codec) if one[0].topic == topic]
    out = io.BytesIO()
    write_container(out, topic, lines, {"ends_at": 5})
    of, told, found = read_container(io.BytesIO(out.getvalue()))
    assert (of, told) == (topic, {"ends_at": 5})
    assert [(record.key, event) for record, event in found] == [(record.key, event) for record, event in lines]
    with pytest.raises(ValueError, match="damaged"):
        list(read_container(io.BytesIO(out.getvalue()[:-20]))[2])
    with pytest.raises(ValueError, match="no Avro file"):
        read_container(io.BytesIO(b"nothing of the kind"))


def alike(codec):
    for line in simulate(SMALL, 3, END).events(with_requests=True):
        value = codec.encode(line.topic, line.event)
        yield Record(line.topic, 0, 0, line.timestamp_ms, line.key.encode(), b""), codec.decode(line.topic, value)
    closed = {"event_id": "00000000-0000-8000-8000-000000000001", "occurred_at": END, "request_id": 4}
    closed |= {"outcome": "FULFILLED", "units_fulfilled": 1}
    yield Record("blood-request-closed", 0, 0, END // 1000, b"4", b""), closed


def test_a_folder_that_holds_nothing_or_something_else_is_said(tmp_path):
    with pytest.raises(Fatal, match="can't be read"):
        read_kept([tmp_path])
    keep(tmp_path / "kept", [], Codec(), {}, None)
    with pytest.raises(Fatal, match="there already"):
        keep(tmp_path / "kept", [], Codec(), {}, None)
    (tmp_path / "kept/donor-responded.avro").write_bytes((tmp_path / "kept/donation-recorded.avro").read_bytes())
    with pytest.raises(Fatal, match="holds records of donation-recorded"):
        read_kept([tmp_path / "kept"])


def test_what_the_stream_refuses_is_counted_and_left_out(recorded):
    records, spans = recorded
    good = next(record for record in records if record.topic == "donor-responded")
    reading = Reading(Codec())
    bad = [good._replace(value=b"nothing"), good._replace(key=b"77"), good._replace(value=None)]
    assert [item.record for item in reading.items([*bad, good])] == [good]
    assert reading.told(spans)["donor-responded"] | {"offsets": 0, "sha256": 0} == {
        "offsets": 0,
        "n": 4,
        "sha256": 0,
        "n_refused": 3,
    }


HEAD = (
    event("donor-registered", 1, END - 350 * DAY_US, **profile(CELL)),
    event("blood-request-created", 90, END, **request()),
)
HOUR_US = DAY_US // 24


def responded_in(wave, number, at, response):
    item = responded(number, at, response, 5)
    return item._replace(event={**item.event, "wave": wave})


def closed(at):
    return event("blood-request-closed", 95, at, request_id=5, outcome="FULFILLED", units_fulfilled=1)


def gathered(*items):
    alerts = Alerts()
    for item in items:
        alerts.take(item)
    return alerts.examples(END + 9 * DAY_US), {why: n for why, n in alerts.left_out.items() if n}


def test_each_wave_is_an_alert_and_a_donation_is_of_the_one_that_was_accepted():
    found, _ = gathered(
        *HEAD,
        responded_in(1, 91, END + 1, "NOTIFIED"),
        responded_in(1, 91, END + 1, "NOTIFIED"),
        responded_in(1, 92, END + HOUR_US, "EXPIRED"),
        responded_in(2, 93, END + 2 * HOUR_US, "NOTIFIED"),
        responded_in(2, 94, END + 3 * HOUR_US, "ACCEPTED"),
        gave(96, END + 4 * HOUR_US, 5),
    )
    assert found.accepted.tolist() == [False, True]
    assert found.gave.tolist() == [False, True]
    assert found.behaviour.alerts[1] > found.behaviour.alerts[0] == 0


def test_an_answer_is_of_the_wave_that_last_asked_before_it_whichever_it_names():
    asked = [responded_in(1, 91, END + 1, "NOTIFIED"), responded_in(2, 93, END + 2 * HOUR_US, "NOTIFIED")]
    found, _ = gathered(*HEAD, *asked, responded_in(1, 94, END + 3 * HOUR_US, "ACCEPTED"))
    assert found.accepted.tolist() == [False, True]
    assert found.answered_us.tolist() == [NEVER, HOUR_US]
    assert found.watched_us.tolist() == [2 * HOUR_US - 1, HOUR_US]
    early, _ = gathered(
        *HEAD, asked[0], responded_in(1, 94, END + HOUR_US, "ACCEPTED"), asked[1], gave(96, END + DAY_US, 5)
    )
    assert (early.accepted.tolist(), early.gave.tolist()) == ([True, False], [True, False])


def test_an_alert_heard_of_after_a_later_ones_answer_teaches_nothing():
    later = [responded_in(2, 93, END + 2 * HOUR_US, "NOTIFIED"), responded_in(2, 94, END + 3 * HOUR_US, "DECLINED")]
    found, left_out = gathered(*HEAD, *later, responded_in(1, 91, END + 1, "NOTIFIED"))
    assert (found.at.size, left_out) == (1, {gathering.TOO_LATE: 1})


def test_an_alert_heard_of_after_its_answer_teaches_nothing():
    found, left_out = gathered(*HEAD, responded(92, END + 9, "ACCEPTED", 5), responded(91, END + 1, "NOTIFIED", 5))
    assert (found.at.size, left_out) == (0, {gathering.TOO_LATE: 1})


def test_who_was_erased_or_has_no_profile_yet_or_no_request_teaches_nothing():
    erased = Input(Record("donor-registered", 0, 0, (END + DAY_US) // 1000, b"1", None), None)
    asked = responded(91, END + 1, "NOTIFIED", 5)
    assert gathered(*HEAD, asked, erased)[1] == {gathering.ERASED: 1}
    assert gathered(HEAD[1], asked, HEAD[0])[1] == {gathering.NO_PROFILE: 1}
    assert gathered(HEAD[0], asked)[1] == {gathering.NO_REQUEST: 1}
    other = event("blood-request-created", 90, END, **request(blood_group="OH_POS"))
    assert gathered(HEAD[0], other, asked)[1] == {gathering.NOT_COMPATIBLE: 1}
    assert gathered(*HEAD, asked)[0].at.size == 1


def test_the_request_is_as_it_was_said_when_the_donor_was_asked_whenever_it_was_recorded():
    urgent = event("blood-request-created", 97, END + HOUR_US, **request(urgency="CRITICAL"))
    asked = [responded_in(1, 91, END + 1, "NOTIFIED"), responded_in(2, 92, END + 2 * HOUR_US, "NOTIFIED")]
    for order in ([*HEAD, *asked, urgent], [HEAD[0], urgent, *asked, HEAD[1]]):
        assert gathered(*order)[0].urgency.tolist() == [2, 4]


def test_whom_a_closing_stopped_broke_no_promise_and_nobody_knows_whether_they_would_have_given():
    asked, yes = responded(91, END + 1, "NOTIFIED", 5), responded(92, END + HOUR_US, "ACCEPTED", 5)
    found, _ = gathered(*HEAD, asked, yes, closed(END + 2 * HOUR_US))
    assert (found.stopped[0], found.kept[0]) == (True, NOT_KNOWN)
    came, _ = gathered(*HEAD, asked, yes, closed(END + 2 * HOUR_US), gave(93, END + 3 * HOUR_US, 5))
    assert (came.stopped[0], came.gave[0]) == (False, True)
    silent, _ = gathered(*HEAD, asked, closed(END + 2 * HOUR_US))
    assert (silent.stopped[0], silent.watched_us[0]) == (False, 2 * HOUR_US - 1)
    before, _ = gathered(*HEAD, closed(END), asked)
    assert before.watched_us[0] == 9 * DAY_US - 1


def test_examples_lie_in_one_order_whatever_the_order_of_donors():
    lines = [
        *HEAD,
        event("donor-registered", 2, END - 350 * DAY_US, **profile(CELL, donor_id=2)),
        responded(91, END + 1, "NOTIFIED", 5),
    ]
    other = Input(lines[-1].record._replace(key=b"2"), {**lines[-1].event, "donor_id": 2})
    one, two = examples_of([*lines, other]), examples_of([*lines[:-1], other, lines[-1]])
    assert one.donor_id.tolist() == two.donor_id.tolist() == [1, 2]
    assert np.array_equal(one.behaviour.tenure_days, two.behaviour.tenure_days)
