"""What a person sees of the demo says what the record says."""

import io
import json

import pytest
from rich.console import Console

from schemas.catalogue import HERE
from smartblood.demo import view


@pytest.fixture
def event():
    return json.loads((HERE / "examples/matches.v1.json").read_text("utf-8"))["event"]


def shown(thing, width=200):
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(thing)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [82, 130, 200])
def test_the_table_has_request_funnel_offers_and_latency(event, width):
    watch = view.Watch()
    watch.add(view.Answer(event, 12.4))
    text = shown(view.live(watch, n_sent=3, n_requests=10, wide=width >= 150), width)
    for part in ("1001", "O+", "2 × red cells", "high", "2,310→961→540→488→1", "42", "1.04 km", "0.318", "12"):
        assert part in text
    assert "3 of 10 requests sent, 1 answered, 1 offers" in text
    assert ("gave 8 times" in text) is (width >= 150)


def test_only_the_latest_answers_are_shown_and_all_are_counted(event):
    watch = view.Watch(n_shown=2)
    for request_id in (1, 2, 3):
        watch.add(view.Answer({**event, "request_id": request_id}, float(request_id)))
    assert [answer.event["request_id"] for answer in watch.latest] == [2, 3]
    assert (watch.n_offers, len(watch.latencies_ms), view.percentile_ms(watch.latencies_ms, 50)) == (3, 3, 2.0)


def test_an_empty_list_says_why(event):
    nobody = {**event, "matches": [], "empty_because": "the request is closed"}
    assert "the request is closed" in view.plain(view.Answer(nobody, 1.0))
    assert "the request is closed" in view.best_three(nobody, wide=False).plain
    watch = view.Watch()
    watch.add(view.Answer(nobody, 1.0))
    assert (watch.n_empty, watch.n_offers) == (1, 0)


def test_a_plain_line_is_one_line(event):
    line = view.plain(view.Answer(event, 12.4))
    assert "\n" not in line
    assert line.startswith("request 1001 O+ 2 × red cells high: 2,310→961")
    assert "donor 42 0.318 (same group, gave 8 times, 1.04 km" in line
