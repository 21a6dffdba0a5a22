import json
import math
from pathlib import Path

import pytest

import schemas
from schemas.catalogue import latest_schema, topics
from smartblood.readable import bytes_text, instant_text, readable

EXAMPLES = Path(schemas.__file__).parent / "examples"


def test_instants_and_days_are_written_by_the_calendar() -> None:
    example = json.loads((EXAMPLES / "donor-registered.v1.json").read_text("utf-8"))["event"]
    shown = readable("donor-registered", example | {"occurred_at": 1_764_057_600_000_000, "born_on": -1})
    assert shown["occurred_at"] == "2025-11-25T08:00:00Z"
    assert shown["born_on"] == "1969-12-31"
    assert shown["donor_id"] == example["donor_id"]


@pytest.mark.parametrize("topic", [name for name in topics() if name != "dead-letters"])
def test_every_event_can_be_shown_as_json(topic: str) -> None:
    path = EXAMPLES / f"{topic}.v{latest_schema(topic).version}.json"
    event = json.loads(path.read_text("utf-8"))["event"]
    for field in latest_schema(topic).load()["fields"]:
        if "bytes" in str(field["type"]) and isinstance(event.get(field["name"]), str):
            event[field["name"]] = event[field["name"]].encode("latin-1")  # as Avro's JSON has it
    shown = json.loads(json.dumps(readable(topic, event)))
    assert set(shown) == {field["name"] for field in latest_schema(topic).load()["fields"]} & set(event)


def test_what_no_calendar_has_stays_a_number() -> None:
    assert instant_text(2**62) == 2**62


def test_numbers_that_json_does_not_have_are_null() -> None:
    example = json.loads((EXAMPLES / "donor-registered.v1.json").read_text("utf-8"))["event"]
    for number in (math.nan, math.inf, -math.inf):
        shown = readable("donor-registered", example | {"weight_kg": number})
        assert json.loads(json.dumps(shown, allow_nan=False))["weight_kg"] is None
    assert readable("donor-registered", example | {"weight_kg": 61.5})["weight_kg"] == 61.5


def test_bytes_are_text_where_they_are_printable() -> None:
    assert bytes_text(b"42") == "42"
    assert bytes_text(b"\x00") == {"base64": "AA=="}
    assert bytes_text(b"\xff") == {"base64": "/w=="}
    assert bytes_text(None) is None
