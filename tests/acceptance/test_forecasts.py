"""From requests and a file to a forecast in the table, a picture of it, and what came of it; as outsiders see it."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter

import pytest

from tests.acceptance.chaos import eventually
from tests.acceptance.system import get
from tests.acceptance.wire import plain
from tests.acceptance.world import DAY, closing, now_us, request
from tests.oracle import worlds

pytestmark = pytest.mark.broker

KERALA = dt.timezone(dt.timedelta(hours=5, minutes=30))
DISTRICTS, HORIZON = ("Ernakulam", "Idukki", "Kollam"), 10
TEXT = {"POS": "+", "NEG": "-"}
SUMS = "SELECT sum(units_requested), sum(units_fulfilled) FROM demand_days"


def local_day(at):
    return dt.datetime.fromtimestamp(at / 1_000_000, KERALA).date()


def text_of(group):
    abo, _, rhesus = group.partition("_")
    return abo.replace("OH", "Oh") + TEXT[rhesus]


def asked_for(rng, n_requests, until):
    """Requests of the weeks before, some stated anew, some closed before they are made known, all told twice."""
    told, asked, given = [], Counter(), Counter()
    for n in range(n_requests):
        at = until - int(rng.integers(1, 60 * 24 * 60)) * 60_000_000
        one = request(rng, n, at=at, district=str(worlds.pick(rng, [*DISTRICTS, "Atlantis"])))
        told.append(("blood-request-created", n, one))
        if rng.random() < 0.3:
            later = {"event_id": worlds.event_id(rng), "occurred_at": at + 60_000_000, "units_required": 5}
            one = one | later | {"district": "Idukki"}
            told.append(("blood-request-created", n, one))
        key = (one["district"], text_of(one["blood_group"]), local_day(at))
        if one["district"] in DISTRICTS:
            asked[key] += one["units_required"]
        if rng.random() < 0.5:
            told.append(("blood-request-closed", n, closing(rng, n, at + DAY // 8, units=3)))
            if one["district"] in DISTRICTS:
                given[key] += 3
    order = [*rng.permutation(len(told)), *range(len(told))]
    return [told[place] for place in order], asked, given


def in_table(tables):
    return {
        tuple(row[:3]): tuple(row[3:])
        for row in tables.query("SELECT district, blood_group, day, units_requested, units_fulfilled FROM demand_days")
    }


def published_rows(outsider, tables, as_of):
    """What was published is what is in the table, and it begins with the day as of which it was made; return it."""
    published = [plain(seen.event) for seen in outsider.read("demand-forecasted")]
    assert {(one["district"], one["blood_group"]) for one in published} >= {
        (d, g) for d in DISTRICTS for g in ("A_POS", "O_NEG")
    }
    first = (local_day(as_of) - dt.date(1970, 1, 1)).days
    rows = {
        (one["district"], text_of(one["blood_group"]), dt.date(1970, 1, 1) + dt.timedelta(day["day"])): (
            day["predicted_demand"],
            day["confidence_lower"],
            day["confidence_upper"],
        )
        for one in published
        for day in one["days"]
    }
    assert {day for _, _, day in rows} == {dt.date(1970, 1, 1) + dt.timedelta(first + n) for n in range(HORIZON)}
    found = tables.query(
        "SELECT district, blood_group, forecast_date, predicted_demand, confidence_lower, confidence_upper "
        "FROM demand_forecasts"
    )
    assert {tuple(row[:3]): tuple(row[3:]) for row in found} == rows
    for one in published:
        for day in one["days"]:
            levels = [quantile["value"] for quantile in day["quantiles"]]
            assert levels == sorted(levels)
            assert (levels[0], levels[-1]) == (day["confidence_lower"], day["confidence_upper"])
    return rows


def test_requests_become_demand_and_a_trigger_a_forecast_a_picture_and_what_came_of_it(make_system):
    system = make_system()
    outsider, tables = system.outsider(), system.tables()
    rng, as_of = worlds.generator(22), now_us() - 5 * DAY
    told, asked, given = asked_for(rng, 300, now_us())
    before = [
        (district, "O+", local_day(as_of) - dt.timedelta(90 + n), 3 + n % 7, 2)
        for district in DISTRICTS
        for n in range(60)
    ]
    lines = "".join(f"{','.join(map(str, line))}\n" for line in before)
    (system.folder / "past.csv").write_text("district,blood_group,day,units_requested,units_fulfilled\n" + lines)
    assert "180 are new or changed" in system.command("demand", "import", "past.csv").stdout
    for topic, key, event in told:
        outsider.send(topic, key, event)
    outsider.flush()
    trigger = {
        "event_id": worlds.event_id(rng),
        "occurred_at": as_of,
        "schedule": "weekly-forecast",
        "slot_at": as_of,
        "as_of": as_of,
        "horizon_days": HORIZON,
        "districts": [],
    }
    outsider.send("forecast-triggered", "weekly-forecast", trigger)
    outsider.send(
        "forecast-triggered", "weekly-forecast", trigger | {"event_id": worlds.event_id(rng), "districts": ["Atlantis"]}
    )
    outsider.flush()
    running = [system.run("recording", SMARTBLOOD_KEEP_FORECASTS_DAYS="35"), system.run("forecasting")]
    system.await_ready(*running)
    tables.until("SELECT count(*) FROM demand_forecasts", lambda n: n >= 112 * HORIZON, within_s=60)

    # What was counted, by hand and by recording, and what the file says beside it.
    wanted = {key: (units, given[key]) for key, units in asked.items()}
    for *key, requested, fulfilled in before:
        units = wanted.get(tuple(key), (0, 0))
        wanted[tuple(key)] = (units[0] + requested, units[1] + fulfilled)
    assert in_table(tables) == wanted

    rows = published_rows(outsider, tables, as_of)
    (letter,) = outsider.read("dead-letters")
    assert (letter.said["processor"], letter.said["source-topic"]) == (
        "forecasting",
        f"{system.prefix}forecast-triggered",
    )
    assert "Atlantis" in letter.said["error"]
    (logged,) = [plain(seen.event) for seen in outsider.read("prediction-logged")]
    assert (logged["model"], logged["source"], logged["success"]) == ("demand_forecast", "forecasting", True)

    drawn = system.command("forecast", "plot", "--district", "Kollam", "--group", "O+", "--out", "kollam.png").stdout
    expected = sum(units[0] for key, units in rows.items() if key[:2] == ("Kollam", "O+"))
    assert f"{expected:.1f} units of O+ expected in Kollam" in drawn
    assert (system.folder / "kollam.png").read_bytes()[:4] == b"\x89PNG"

    # The days that are over by the daily slot say what came; how good that was is a metric.
    slot = now_us()
    daily = {"event_id": worlds.event_id(rng), "occurred_at": slot, "schedule": "daily-retention", "slot_at": slot}
    outsider.send("maintenance-triggered", "daily-retention", daily).get()
    tables.until("SELECT count(*) FROM maintenance WHERE done_at = due_at", lambda n: n == 1, within_s=60)
    over = tables.query("SELECT district, blood_group, forecast_date, actual_demand FROM demand_forecasts")
    for district, group, day, actual in over:
        is_over = day < local_day(slot)
        assert actual == (asked[district, group, day] if is_over else None), (district, group, day)
    errors = sum(abs(units[0] - asked[key]) for key, units in rows.items() if key[2] < local_day(slot))
    came = sum(units for key, units in asked.items() if local_day(as_of) <= key[2] < local_day(slot))
    assert eventually(lambda: shown(running[0]) == pytest.approx(errors / came, rel=1e-6), within_s=20)
    outsider.close()
    system.stop()


def shown(worker):
    (found,) = re.findall(
        r'^smartblood_forecast_wape\{.*what="series".*\} (\S+)$', get(f"{worker.metrics}/metrics")[1], re.MULTILINE
    ) or ["nan"]
    return float(found)
