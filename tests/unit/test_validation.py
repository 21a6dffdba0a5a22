"""What the contract refuses is refused, with the field in the reason; nothing else is."""

import json
import math

import pytest

from consumers.validation import DAY_US, LAST_DAY, LAST_INSTANT, checked, donor_of_key, not_null
from schemas.catalogue import HERE
from schemas.errors import InvalidRecord
from schemas.records import Record


def example(topic):
    loaded = json.loads((HERE / f"examples/{topic}.v1.json").read_text("utf-8"))
    return loaded["key"], loaded["event"]


def record(topic, key, timestamp_ms):
    return Record(topic, 0, 0, timestamp_ms, key if key is None else key.encode(), b"")


def check(topic, *, key=None, timestamp_ms=None, **changes):
    own_key, event = example(topic)
    changed = {**event, **changes}
    at_ms = event["occurred_at"] // 1000 if timestamp_ms is None else timestamp_ms
    return checked(record(topic, own_key if key is None else key, at_ms), changed)


def refusal(topic, **changes):
    with pytest.raises(InvalidRecord) as refused:
        check(topic, **changes)
    return refused.value


INPUTS = ["blood-request-created", "blood-request-closed", "match-requested", "donor-registered", "donation-recorded"]
INPUTS += ["donor-responded", "model-released", "prediction-logged", "forecast-triggered", "maintenance-triggered"]
INPUTS += ["demand-forecasted"]
NOW = example("blood-request-created")[1]["occurred_at"]


@pytest.mark.parametrize("topic", INPUTS)
def test_the_example_is_accepted_as_it_is(topic):
    assert check(topic) == example(topic)[1]


@pytest.mark.parametrize("topic", INPUTS)
@pytest.mark.parametrize("key", ["", "0042", " 42", "42 ", "43", "x"])
def test_a_key_that_is_not_the_id_in_the_value(topic, key):
    assert refusal(topic, key=key).kind == "key"


@pytest.mark.parametrize("topic", INPUTS)
@pytest.mark.parametrize("event_id", ["", "7", "6f1c2a34-0000-4000-8000-00000000000g"])
def test_an_event_id_that_is_no_uuid(topic, event_id):
    assert refusal(topic, event_id=event_id).kind == "event_id"


def test_an_event_id_in_upper_case_is_the_same_id():
    upper = example("donor-responded")[1]["event_id"].upper()
    assert check("donor-responded", event_id=upper)["event_id"] == upper.lower()


@pytest.mark.parametrize("topic", INPUTS)
def test_occurred_at_before_2000(topic):
    assert "2000" in refusal(topic, occurred_at=946_684_799_999_999, timestamp_ms=NOW // 1000).reason


@pytest.mark.parametrize("topic", sorted(set(INPUTS) - {"prediction-logged", "demand-forecasted"}))
def test_occurred_at_more_than_a_day_after_the_records_timestamp(topic):
    at = example(topic)[1]["occurred_at"]
    at_ms = -(-at // 1000)
    assert refusal(topic, timestamp_ms=(at - DAY_US - 1) // 1000).kind == "instant"
    assert check(topic, timestamp_ms=at_ms - 86_400_000)


def test_what_processors_write_carries_stream_time_which_may_be_far_ahead_of_the_time_of_writing():
    at = example("prediction-logged")[1]["occurred_at"]
    for topic in ("prediction-logged", "demand-forecasted"):
        assert check(topic, timestamp_ms=(at - 400 * DAY_US) // 1000)["occurred_at"] == at


@pytest.mark.parametrize(
    ("field", "bad", "good"),
    [
        ("units_required", (0, 101, -1), (1, 100)),
        ("top_k", (0, 1001), (1, 1000, None)),
        ("patient_age", (-1, 131), (0, 130, None)),
        ("latitude", (math.nan, math.inf, 90.001, -90.001), (90.0, -90.0)),
        ("longitude", (math.nan, -math.inf, 180.001), (180.0, -180.0)),
        ("required_by", (NOW - 1, NOW + 90 * DAY_US + 1), (NOW, NOW + 90 * DAY_US)),
        ("component", ("UNKNOWN",), ("PLASMA",)),
        ("urgency", ("UNKNOWN",), ("LOW",)),
        ("blood_group", (), ("UNKNOWN",)),
        ("patient_sex", (), ("UNKNOWN", "OTHER")),
        ("request_type", (), ("UNKNOWN",)),
        ("district", (), ("Atlantis",)),
    ],
)
def test_fields_of_a_request_also_inside_a_match_requested(field, bad, good):
    inner = example("match-requested")[1]["request"]
    for value in bad:
        assert refusal("blood-request-created", **{field: value}).reason.startswith(f"{field}: ")
        reason = refusal("match-requested", request={**inner, field: value}).reason
        assert reason.startswith(f"request.{field}: ")
    for value in good:
        assert check("blood-request-created", **{field: value})
        assert check("match-requested", request={**inner, field: value})


@pytest.mark.parametrize(
    ("topic", "field"),
    [
        ("blood-request-closed", "outcome"),
        ("donation-recorded", "outcome"),
        ("donor-responded", "response"),
        ("model-released", "role"),
    ],
)
def test_a_symbol_that_leaves_nothing_lawful_to_do(topic, field):
    assert refusal(topic, **{field: "UNKNOWN"}).kind == "unknown_symbol"


def test_a_completed_donation_of_unknown_component_is_kept():
    assert check("donation-recorded", component="UNKNOWN")


@pytest.mark.parametrize("district", ["", "ernakulam", "Mumbai"])
def test_a_donors_unknown_district(district):
    assert refusal("donor-registered", district=district).kind == "place"


@pytest.mark.parametrize("cell", [0, -1, 2**62, 0x8760A259BFFFFFF, 0x8960A259BDBFFFF])
def test_an_h3_cell_that_is_not_one_of_resolution_8(cell):
    assert refusal("donor-registered", h3_cell=cell).kind == "place"


@pytest.mark.parametrize("topic", ["donation-recorded", "donor-responded", "donor-registered", "blood-request-created"])
def test_what_occurred_after_the_calendars_end_is_moved_to_it(topic):
    late = 2**63 - 1
    by = {"required_by": late} if topic == "blood-request-created" else {}
    event = check(topic, occurred_at=late, timestamp_ms=late // 1000, **by)
    assert {event["occurred_at"], *(event[name] for name in by)} == {LAST_INSTANT}


def test_instants_and_days_that_no_calendar_has_are_moved_to_its_end():
    event = check(
        "donor-registered",
        last_whole_blood_at=2**63 - 1,
        away_until=2**31 - 1,
        recent_apheresis=[{"given_at": 2**63 - 1, "red_cells_returned": True}],
        deferrals=[{"rule_item": "item 60", "until": 2**31 - 1}, {"rule_item": "item 40", "until": None}],
    )
    assert event["last_whole_blood_at"] == event["recent_apheresis"][0]["given_at"] == LAST_INSTANT
    assert event["away_until"] == event["deferrals"][0]["until"] == LAST_DAY
    assert event["deferrals"][1]["until"] is None


@pytest.mark.parametrize(
    ("changes", "kind"),
    [({"model": "donor_seeker"}, "key"), ({"share": 1.01}, "range"), ({"share": math.nan}, "range")],
)
def test_releases(changes, kind):
    assert refusal("model-released", **changes).kind == kind
    assert refusal("model-released", model="tarot", key="tarot/1").kind == "model"


@pytest.mark.parametrize("key", [None, "", "x", "007", "9223372036854775808", "1.0", "１"])
def test_a_null_registration_needs_a_donors_id_as_its_key(key):
    with pytest.raises(InvalidRecord):
        donor_of_key(record("donor-registered", key, 0))


@pytest.mark.parametrize("donor_id", [0, 42, -7, 2**63 - 1])
def test_a_null_registration_names_its_donor(donor_id):
    assert donor_of_key(record("donor-registered", str(donor_id), 0)) == donor_id


def test_a_null_value_elsewhere_is_refused():
    with pytest.raises(InvalidRecord):
        not_null(Record("donor-responded", 0, 0, 0, b"1", None))


@pytest.mark.parametrize(
    ("topic", "changes", "kind"),
    [
        ("forecast-triggered", {"horizon_days": 0}, "range"),
        ("forecast-triggered", {"horizon_days": 367}, "range"),
        ("forecast-triggered", {"as_of": NOW + DAY_US + 1}, "instant"),
        ("forecast-triggered", {"as_of": 0}, "instant"),
        ("forecast-triggered", {"districts": ["Kollam", "kollam"]}, "place"),
        ("maintenance-triggered", {"slot_at": NOW + DAY_US + 1}, "instant"),
        ("maintenance-triggered", {"slot_at": 0}, "instant"),
        ("demand-forecasted", {"district": "Atlantis", "key": "Atlantis/O_POS"}, "place"),
        ("demand-forecasted", {"blood_group": "UNKNOWN", "key": "Ernakulam/UNKNOWN"}, "unknown_symbol"),
        ("demand-forecasted", {"as_of": LAST_INSTANT + 1}, "instant"),
    ],
)
def test_triggers_and_forecasts(topic, changes, kind):
    assert refusal(topic, **changes).kind == kind


@pytest.mark.parametrize("field", ["predicted_demand", "confidence_lower", "confidence_upper"])
@pytest.mark.parametrize("units", [math.nan, math.inf, -0.5])
def test_units_that_are_no_number(field, units):
    (day,) = example("demand-forecasted")[1]["days"]
    assert refusal("demand-forecasted", days=[day | {field: units}]).kind == "range"
    assert refusal("demand-forecasted", days=[day | {"quantiles": [{"level": 0.5, "value": units}]}]).kind == "range"


def test_a_slot_of_today_triggers():
    assert check("forecast-triggered", as_of=NOW + DAY_US, districts=["Kollam", "Idukki"], horizon_days=366)
    for slot_us in (NOW - 9 * DAY_US, 0, 2**62):  # it is as_of that a forecast goes by
        assert check("forecast-triggered", slot_at=slot_us)
    assert check("maintenance-triggered", slot_at=NOW - 9 * DAY_US)
