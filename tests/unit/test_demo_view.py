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
    text = shown(view.live(watch, n_sent=3, n_requests=10, width=width, height=24), width)
    for part in ("1001", "O+", "2 × red cells", "high", "2,310→961→540→488→1", "42", "1.04 km", "0.318", "12"):
        assert part in text
    assert "3 of 10 requests sent, 1 answered, 1 offers" in text
    assert "same group, gave" in text


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 40), (160, 24), (160, 60), (80, 5)])
def test_the_table_fits_the_screen_and_ends_with_the_latest(event, width, height):
    event = {**event, "n_considered": 20_310, "matches": [{**event["matches"][0], "donor_id": 12_042}] * 3}
    watch = view.Watch()
    for request_id in range(1, 9):
        watch.add(view.Answer({**event, "request_id": request_id * 111}, 12.4))
    lines = shown(view.live(watch, n_sent=8, n_requests=10, width=width, height=height), width).splitlines()
    assert len(lines) <= max(height, view.LINES_BESIDES + view.LINES_A_ROW)
    assert [line for line in lines if "888 " in line]
    assert sum("12042" in line for line in lines) == 3 * min(8, max((height - 11) // 3, 1))


def test_only_the_latest_answers_are_shown_and_all_are_counted(event):
    watch = view.Watch(n_shown=2)
    for request_id in (1, 2, 3):
        watch.add(view.Answer({**event, "request_id": request_id}, float(request_id)))
    assert [answer.event["request_id"] for answer in watch.latest] == [2, 3]
    assert (watch.n_offers, len(watch.latencies_ms), view.percentile_ms(watch.latencies_ms, 50)) == (3, 3, 2.0)


def test_an_empty_list_says_why(event):
    nobody = {**event, "matches": [], "empty_because": "the request is closed"}
    assert "the request is closed" in view.plain(view.Answer(nobody, 1.0))
    assert "the request is closed" in view.best_three(nobody).plain
    far = {**nobody, "empty_because": "nobody is askable within 250 km: those who are eligible are not willing to give"}
    assert "askable within 250 km: those" in view.best_three(far).plain.replace("\n", " ")
    assert max(map(len, view.best_three(far).plain.splitlines())) <= view.REASON_COLUMNS
    watch = view.Watch()
    watch.add(view.Answer(nobody, 1.0))
    assert (watch.n_empty, watch.n_offers) == (1, 0)


def test_a_plain_line_is_one_line(event):
    line = view.plain(view.Answer(event, 12.4))
    assert "\n" not in line
    assert line.startswith("request 1001 O+ 2 × red cells high: 2,310→961")
    assert "donor 42 0.318 (same group, gave 8 times, 1.04 km" in line
