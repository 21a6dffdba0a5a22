from __future__ import annotations

import io
import json

import pytest

from schemas.errors import InvalidRecord
from schemas.records import Record
from smartblood import logs
from smartblood.kafka.alarms import Alarms
from smartblood.kafka.batches import Item

RECORD = Record("blood-request-created", 3, 17, 0, b"1001", b"O_NEG and item 60")


@pytest.fixture
def out() -> io.StringIO:
    stream = io.StringIO()
    logs.configure("json", stream=stream)
    return stream


def said(out: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_flood_of_refused_records_is_one_line_a_second_that_counts_them(out) -> None:
    now = [0.0]
    alarms = Alarms(logs.logger(), clock=lambda: now[0])
    refused = Item(RECORD, error=InvalidRecord("item 60 is bad", kind="range"))
    for tenth in range(25):
        now[0] = tenth / 10
        alarms.of_batch([refused] * 4)
        alarms.tell()
    lines = said(out)
    assert [line["n_records"] for line in lines] == [4, 40, 40]
    assert lines[0]["request_id"] == 1001
    assert lines[0]["kind"] == "range"
    assert "item 60" not in out.getvalue(), "what a record says is nobody's business here"


def test_strays_say_where_they_lay_and_where_they_belong(out) -> None:
    alarms = Alarms(logs.logger())
    alarms.of_batch([Item(RECORD), Item(RECORD, home=5)])
    alarms.tell()
    (line,) = said(out)
    assert (line["partition"], line["to_partition"], line["n_records"]) == (3, 5, 1)


def test_all_quiet_is_no_line(out) -> None:
    alarms = Alarms(logs.logger())
    alarms.of_batch([Item(RECORD)])
    alarms.of_followed([])
    alarms.tell()
    assert said(out) == []
