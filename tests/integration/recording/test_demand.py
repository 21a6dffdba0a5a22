"""Demand by day against a count of all requests that the test makes by itself, in a real Postgres."""

import datetime as dt
import random
import threading
from collections import Counter

import numpy as np
import pytest
from alembic import command
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from features.compatibility import group_text
from features.districts import DISTRICT_NAMES
from smartblood import cli
from smartblood.storage.demand_days import DemandDays
from smartblood.storage.schema import _config, upgrade
from smartblood.storage.sink import Sink
from tests.integration.recording.sink_world import closed, created, empty, put
from tests.record_events import AT, MINUTE

pytestmark = pytest.mark.broker

HOUR = 60
DAYS = "SELECT district, blood_group, day, units_requested, units_fulfilled FROM demand_days"
KERALA = dt.timezone(dt.timedelta(hours=5, minutes=30))
INDEX = st.integers(0, 3)


def asked(minutes, n, **changes):
    return created(minutes, n, required_by=AT + (minutes + HOUR) * MINUTE, **changes)


a_request = st.builds(
    lambda request, n, hours, district, group, units: asked(
        hours * HOUR, 1000 + n, request_id=request, district=district, blood_group=group, units_required=units
    ),
    st.integers(1, 4),
    st.integers(1, 6),
    st.integers(-60, 23),
    st.sampled_from(["Kollam", "Idukki", "Elsewhere"]),
    st.sampled_from(["O_POS", "OH_POS", "UNKNOWN"]),
    st.integers(1, 9),
)
a_closing = st.builds(
    lambda request, n, hours, units: closed(hours * HOUR, 2000 + n, request_id=request, units_fulfilled=units),
    st.integers(1, 4),
    st.integers(1, 6),
    st.integers(-60, 23),
    st.integers(0, 9),
)


def local_day(at):
    return dt.datetime.fromtimestamp(at // 1_000_000, KERALA).date()


def by_hand(events):
    """Count all requests of all events, one by one."""
    found = {}
    requests = {}
    for topic, of in events:
        requests.setdefault(of["request_id"], {"blood-request-created": [], "blood-request-closed": []})[topic].append(
            of
        )
    for said in requests.values():
        if not said["blood-request-created"]:
            continue
        day = local_day(min(of["occurred_at"] for of in said["blood-request-created"]))
        latest = max(said["blood-request-created"], key=lambda of: (of["occurred_at"], of["event_id"]))
        given = max(said["blood-request-closed"], key=lambda of: (of["occurred_at"], of["event_id"]), default=None)
        if latest["district"] in DISTRICT_NAMES:
            key = (latest["district"], group_text(latest["blood_group"]), day)
            units = found.setdefault(key, [0, 0])
            units[0] += latest["units_required"]
            units[1] += given["units_fulfilled"] if given else 0
    return {key: tuple(units) for key, units in found.items()}


def days(ask):
    return {
        (row["district"], row["blood_group"], row["day"]): (row["units_requested"], row["units_fulfilled"])
        for row in ask(DAYS)
    }


@pytest.fixture
def demand(sink, postgres):  # noqa: ARG001 - it is emptied
    made = DemandDays(postgres.url_of("sink"))
    yield made
    made.close()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(st.one_of(a_request, a_closing), max_size=14), seed=st.integers(0, 2**16))
@example(events=[closed(5, 1, units_fulfilled=2), asked(0, 2, units_required=3)], seed=1)
def test_sums_are_those_of_all_requests_whatever_came_twice_late_corrected_or_first(sink, ask, postgres, events, seed):
    empty(sink)
    rng = random.Random(seed)
    events = list({of["event_id"]: (topic, of) for topic, of in events}.values())  # an id says one thing
    told = [*events, *rng.sample(events, len(events) // 2)]  # some come twice
    rng.shuffle(told)
    writer = sink
    while told:
        batch, told = told[: rng.randint(1, 5)], told[5:] if rng.random() < 0.5 else told[1:]
        if rng.random() < 0.3:  # a worker dies in the middle, and another goes on
            fails_at = rng.choice(["offsets moved", "rows written"])
            dying = Sink(postgres.url_of("sink"), probe=lambda step, at=fails_at: 1 / 0 if step == at else None)
            with pytest.raises(ZeroDivisionError):
                put(dying, *batch)
            dying.close()
        put(writer, *batch)
    put(writer, *events)  # whatever was left out
    assert days(ask) == by_hand(events)
    put(writer, *events)
    assert days(ask) == by_hand(events)


def test_the_local_day_is_that_of_kerala(sink, ask):
    # 18:30 UTC is midnight there; the example's instant is 08:00 UTC on 2025-11-25.
    put(sink, asked(10 * HOUR + 29, 1, request_id=1), asked(10 * HOUR + 30, 2, request_id=2))
    assert sorted(row["day"] for row in ask(DAYS)) == [dt.date(2025, 11, 25), dt.date(2025, 11, 26)]


def test_a_closing_before_its_request_and_one_that_reopening_follows_both_count(sink, ask):
    put(sink, closed(5, 1, units_fulfilled=2))
    assert days(ask) == {}
    put(sink, asked(0, 1, units_required=3))
    put(sink, asked(9, 2, units_required=4))  # open again; what its latest closing says stands
    assert list(days(ask).values()) == [(4, 2)]


def test_two_workers_at_once_count_nothing_twice_and_lose_nothing(sink, ask, postgres):  # noqa: ARG001 - it is emptied
    rng = random.Random(3)
    events = [
        asked(
            rng.randint(-72 * HOUR, 20 * HOUR),
            n,
            request_id=rng.randint(1, 60),
            district=rng.choice(sorted(DISTRICT_NAMES)),
            units_required=rng.randint(1, 9),
        )
        if rng.random() < 0.7
        else closed(
            rng.randint(-72 * HOUR, 20 * HOUR), n, request_id=rng.randint(1, 60), units_fulfilled=rng.randint(0, 9)
        )
        for n in range(1, 400)
    ]
    failed = []

    def write(events):
        own = Sink(postgres.url_of("sink"))
        try:
            for start in range(0, len(events), 7):
                put(own, *events[start : start + 7])
        except Exception as error:  # noqa: BLE001 - said below
            failed.append(error)
        finally:
            own.close()

    orders = [events, events[::-1], rng.sample(events, len(events))]
    threads = [threading.Thread(target=write, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert days(ask) == by_hand(events)


def test_what_a_file_brings_stands_beside_what_is_counted_and_the_same_again_changes_nothing(sink, ask, demand):
    put(sink, asked(0, 1, request_id=1, district="Kollam", blood_group="O_POS", units_required=3))
    day, before = dt.date(2025, 11, 25), dt.date(2025, 11, 24)
    file = [("Kollam", "O+", before, 5, 4), ("Kollam", "O+", day, 7, 6), ("Kollam", "Oh+", before, 0, 0)]
    assert tuple(demand.bring_in(file)) == (3, 1)
    expected = {("Kollam", "O+", before): (5, 4), ("Kollam", "O+", day): (10, 6), ("Kollam", "Oh+", before): (0, 0)}
    assert days(ask) == expected
    assert tuple(demand.bring_in(file)) == (0, 1)
    put(sink, asked(0, 1, request_id=1, district="Kollam", blood_group="O_POS", units_required=3))
    assert days(ask) == expected
    put(sink, asked(1, 2, request_id=1, district="Idukki", blood_group="O_POS", units_required=2))  # it moved away
    assert days(ask) == expected | {("Kollam", "O+", day): (7, 6), ("Idukki", "O+", day): (2, 0)}
    assert tuple(demand.bring_in([("Kollam", "O+", day, 1, 1)])) == (1, 0)  # a corrected file
    assert days(ask)["Kollam", "O+", day] == (1, 1)


def test_nothing_is_known_between_the_last_day_of_a_file_and_the_first_request_counted(sink, demand):
    today = (dt.date(2025, 11, 25) - dt.date(1970, 1, 1)).days
    before = [("Kollam", "O+", dt.date(2025, 10, 1), 5, 4), ("Idukki", "O+", dt.date(2025, 10, 20), 1, 1)]
    assert demand.unheard(today) == range(0)
    demand.bring_in(before)
    assert demand.unheard(today) == range(today - 35, today)  # nothing is counted yet
    put(sink, asked(0, 1, request_id=1, district="Kollam", blood_group="O_POS", units_required=3))
    assert demand.unheard(today + 7) == range(today - 35, today)
    put(sink, asked(-HOUR * 24 * 5, 2, request_id=2, district="Idukki", blood_group="O_POS", units_required=2))
    assert demand.unheard(today) == range(today - 35, today - 5)
    history = demand.history(today)
    of = dict(zip(history.names, history.values, strict=True))
    assert np.nansum(history.values) == 5 + 1 + 2
    assert np.isnan(history.values[:, -35:-5]).all()
    assert of["Kollam", "O_POS"][-5:].tolist() == [0] * 5
    assert of["Kollam", "O_POS"][-36] == 0  # the file goes on until then
    put(sink, asked(-HOUR * 24 * 40, 3, request_id=3, district="Idukki", blood_group="O_POS"))  # dated wrongly
    assert demand.unheard(today) == range(today - 35, today - 5)
    demand.bring_in([("Kollam", "A+", dt.date(2025, 11, 19), 1, 1)])
    assert demand.unheard(today) == range(0)


def test_a_file_that_goes_on_beside_counted_requests_leaves_no_gap(sink, demand):
    today = (dt.date(2025, 11, 25) - dt.date(1970, 1, 1)).days
    for n in range(4):
        put(sink, asked(-HOUR * 24 * n, n + 1, request_id=n + 1, district="Kollam", blood_group="O_POS"))
    demand.bring_in([("Kollam", "O+", dt.date(2025, 10, 1), 5, 4), ("Kollam", "O+", dt.date(2025, 11, 25), 1, 1)])
    assert demand.unheard(today + 10) == range(0)
    of = dict(zip((history := demand.history(today + 10)).names, history.values, strict=True))
    assert not np.isnan(of["Kollam", "O_POS"]).any()


def test_the_command_tells_of_days_that_nobody_knows(sink, postgres, tmp_path, capsys):  # noqa: ARG001 - it is emptied
    path, today = tmp_path / "past.csv", dt.datetime.now(KERALA).date()
    header = "district,blood_group,day,units_requested,units_fulfilled\n"
    for days_ago, said in ((11, f"days, {today - dt.timedelta(10)} to"), (1, None)):
        path.write_text(f"{header}Kollam,O+,{today - dt.timedelta(days_ago)},1,1\n")
        assert cli.exit_code(["demand", "import", str(path), "--database-url", postgres.url_of("sink")]) == 0
        printed = capsys.readouterr().out
        if dt.datetime.now(KERALA).date() == today:  # else midnight came between
            assert said in printed if said else "nothing is known" not in printed


def test_the_command_brings_in_all_or_nothing(sink, ask, postgres, tmp_path, capsys):  # noqa: ARG001 - it is emptied
    path = tmp_path / "past.csv"
    header = "district,blood_group,day,units_requested,units_fulfilled\n"
    command_line = ["demand", "import", str(path), "--database-url", postgres.url_of("sink")]
    path.write_text(header + "Kollam,O+,2024-01-30,1,1\nKollam,O+,2024-01-31,nonsense,1\n")
    assert cli.exit_code(command_line) == 3
    assert days(ask) == {}
    path.write_text(header + "Kollam,O+,2024-01-30,1,1\nKollam,O+,2024-01-31,2,1\n")
    assert cli.exit_code(command_line) == 0
    assert "2 are new or changed, 0 were there already" in capsys.readouterr().out
    assert cli.exit_code(command_line) == 0
    assert "0 are new or changed, 2 were there already" in capsys.readouterr().out
    assert len(days(ask)) == 2


def test_what_was_recorded_before_the_migration_is_counted_by_it(postgres):
    postgres.create_database("before")
    url = postgres.url_of("before")
    engine = create_engine(url)
    try:
        upgrade(url)
        sink = Sink(url)
        told = [asked(-n * HOUR, n, request_id=n, district="Idukki" if n % 3 else "Elsewhere") for n in range(1, 40)]
        told += [closed(n, n, request_id=n, units_fulfilled=n % 4) for n in range(1, 50, 2)]
        put(sink, *told)

        def ask(statement):
            with engine.connect() as connection:
                return [dict(row) for row in connection.execute(text(statement)).mappings()]

        expected = days(ask)
        assert expected == by_hand(told)
        with engine.begin() as connection:
            command.downgrade(_config(connection), "0003")
            assert connection.scalar(text("SELECT count(*) FROM demand_days")) == 0
            connection.execute(text("INSERT INTO demand_days VALUES ('Kollam', 'O+', '2020-01-01', 5, 4)"))
        upgrade(url)
        assert days(ask) == expected | {("Kollam", "O+", dt.date(2020, 1, 1)): (5, 4)}
        put(sink, *told, asked(9, 99, request_id=2, district="Kollam", units_required=1))  # and it goes on from there
        told.append(asked(9, 99, request_id=2, district="Kollam", units_required=1))
        assert days(ask) == by_hand(told) | {("Kollam", "O+", dt.date(2020, 1, 1)): (5, 4)}
        sink.close()
    finally:
        engine.dispose()
        postgres.drop_database("before")


def test_the_count_by_hand_counts(sink, ask):
    # The test's own count against the plainest of cases, so that both can't be wrong in the same way.
    told = [asked(0, n, request_id=n, district="Kollam", blood_group="O_POS", units_required=n) for n in (1, 2, 3)]
    told.append(closed(1, 4, request_id=3, units_fulfilled=2))
    put(sink, *told)
    day = local_day(AT + 0 * MINUTE)
    assert days(ask) == by_hand(told) == {("Kollam", "O+", day): (6, 2)}
    assert Counter(row["n_requests"] for row in ask("SELECT n_requests FROM demand_days")) == Counter({3: 1})
