"""What is due: two years in a second, clocks that leap and go back, policies, first starts."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from producers.scheduling.cron import EPOCH
from producers.scheduling.scheduler import COUNTED_MAX, FIRED_AT_ONCE_MAX, ON_TIME_US, Scheduler, decide
from producers.scheduling.schedules import DAY_US, STANDARD, CatchUp, Forecast, Schedule
from producers.scheduling.slots import slots_between
from producers.scheduling.triggers import state_of, trigger_of
from schemas.codec import Codec
from schemas.records import Record

CODEC = Codec()
HOUR_US = DAY_US // 24
MINUTE_US = HOUR_US // 60


def us(text):
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


START = us("2026-11-24T12:00")
"""A Tuesday."""


def daily(catch_up, *, name="daily", age_days=7.0, cron="0 5 * * *", time_zone="Asia/Kolkata"):
    return Schedule(name, cron, Forecast(), catch_up=catch_up, greatest_age_days=age_days, time_zone=time_zone)


def turn(scheduler, at_us, *, keep=True):
    """Let it decide, as the worker does; return what it wrote, decoded, by topic."""
    decisions = scheduler.due(at_us)
    outputs = scheduler.outputs(decisions)
    (scheduler.keep if keep else scheduler.drop)()
    return [(output.topic, CODEC.decode(output.topic, output.value)) for output in outputs]


def fired(scheduler, at_us, **how):
    return [event["slot_at"] for topic, event in turn(scheduler, at_us, **how) if topic != "schedule-states"]


def started(*schedules, at_us=START):
    scheduler = Scheduler(schedules, CODEC)
    assert fired(scheduler, at_us) == [], "the first start fires nothing"
    return scheduler


def restored(written, schedules):
    """Another scheduler, with the memory that is on the topic."""
    other = Scheduler(schedules, CODEC)
    records = [
        Record("schedule-states", 0, offset, 0, event["schedule"].encode(), CODEC.encode(topic, event))
        for offset, (topic, event) in enumerate(written)
        if topic == "schedule-states"
    ]
    assert other.restore(records) == []
    return other


def test_two_years_of_slots_in_a_second():
    began_s = time.process_time()
    scheduler = started(*STANDARD)
    found = Counter()
    at_us = START
    while at_us < START + 731 * DAY_US:
        at_us = min(scheduler.next_us(one) for one in STANDARD)
        for topic, event in turn(scheduler, at_us):
            assert event["occurred_at"] == event["slot_at"]
            if topic != "schedule-states":
                assert event["slot_at"] == at_us
                found[event["schedule"], event["event_id"]] += 1
    spent_s = time.process_time() - began_s
    assert set(found.values()) == {1}
    by_schedule = Counter(name for name, _ in found)
    assert by_schedule == {"weekly-forecast": 104, "nightly-reliability": 732, "daily-retention": 731}
    print(f"two years: {spent_s:.2f} s")


def test_the_first_start_is_from_now_and_says_so_once():
    scheduler = Scheduler(STANDARD, CODEC)
    written = turn(scheduler, START)
    assert {topic for topic, _ in written} == {"schedule-states"}
    assert {event["schedule"]: event["slot_at"] for _, event in written} == {
        "weekly-forecast": us("2026-11-22T23:30"),
        "nightly-reliability": us("2026-11-23T21:00"),
        "daily-retention": us("2026-11-23T22:00"),
    }
    assert turn(scheduler, START + 1) == []


def test_who_leads_after_a_first_start_catches_up_from_there():
    scheduler = Scheduler(STANDARD, CODEC)
    other = restored(turn(scheduler, START), STANDARD)
    assert fired(other, us("2026-11-30T00:00")) == [
        us("2026-11-29T21:00"),
        us("2026-11-29T22:00"),
        us("2026-11-29T23:30"),
    ]


def test_what_was_not_committed_is_due_again_with_the_same_bytes():
    scheduler = started(*STANDARD)
    at_us = us("2026-11-29T23:30")
    lost = scheduler.outputs(scheduler.due(at_us))
    scheduler.drop()
    assert scheduler.outputs(scheduler.due(at_us + 7 * HOUR_US)) == lost
    assert lost


def test_a_clock_that_goes_back_fires_nothing_again_and_nothing_else():
    scheduler = started(daily(CatchUp.ALL))
    first = us("2026-11-24T23:30")
    assert fired(scheduler, first) == [first]
    for back_us in (1, HOUR_US, 40 * DAY_US):
        assert fired(scheduler, first - back_us) == []
    assert fired(scheduler, first + DAY_US - 1) == []
    assert fired(scheduler, first + DAY_US) == [first + DAY_US]


@pytest.mark.parametrize(
    ("catch_up", "age_days", "n_fired"),
    [
        (CatchUp.ALL, 30.0, 10),
        (CatchUp.ALL, 4.0, 4),
        (CatchUp.LATEST, 30.0, 1),
        (CatchUp.LATEST, 0.25, 0),
        (CatchUp.NONE, 30.0, 0),
    ],
)
def test_a_clock_that_leaps_forward_is_caught_up_with_by_policy(catch_up, age_days, n_fired):
    scheduler = started(daily(catch_up, age_days=age_days))
    slots = list(slots_between(scheduler.schedules[0], START, START + 10 * DAY_US))
    (decision,) = scheduler.due(START + 10 * DAY_US)
    assert list(decision.fired) == slots[len(slots) - n_fired :]
    assert decision.settled_us == slots[-1]
    assert decision.n_passed + decision.n_too_old + n_fired == 10
    scheduler.keep()
    assert fired(scheduler, START + 10 * DAY_US + 1) == []
    assert fired(scheduler, slots[-1] + DAY_US) == [slots[-1] + DAY_US], "the next one is on time, whatever the policy"


def test_with_none_a_slot_is_fired_until_it_is_no_longer_on_time():
    slot = us("2026-11-24T23:30")
    assert fired(started(daily(CatchUp.NONE)), slot + ON_TIME_US) == [slot]
    assert fired(started(daily(CatchUp.NONE)), slot + ON_TIME_US + 1) == []


def test_a_slot_as_old_as_is_allowed_is_fired_and_an_older_one_is_not():
    slot = us("2026-11-24T23:30")
    assert fired(started(daily(CatchUp.LATEST, age_days=0.5)), slot + DAY_US // 2) == [slot]
    assert fired(started(daily(CatchUp.LATEST, age_days=0.5)), slot + DAY_US // 2 + 1) == []


def test_a_long_row_of_slots_is_caught_up_with_in_bites_in_order():
    every_hour = daily(CatchUp.ALL, cron="0 * * * *", age_days=60.0)
    scheduler = started(every_hour)
    expected = list(slots_between(every_hour, START, START + 30 * DAY_US))
    found = []
    while bite := fired(scheduler, START + 30 * DAY_US):
        assert len(bite) <= FIRED_AT_ONCE_MAX
        found += bite
    assert found == expected


@pytest.mark.parametrize("age_days", [1.0, 3_660.0])
@pytest.mark.parametrize(("catch_up", "n_fired"), [(CatchUp.LATEST, 1), (CatchUp.NONE, 6), (CatchUp.ALL, 100)])
def test_years_away_with_a_slot_every_minute_take_no_time(catch_up, n_fired, age_days):
    every_minute = daily(catch_up, cron="* * * * *", age_days=age_days)
    scheduler = started(every_minute)
    at_us = START + 9 * 365 * DAY_US
    began_s = time.process_time()
    (decision,) = scheduler.due(at_us)
    assert time.process_time() - began_s < 2
    first_us = at_us - 1_440 * MINUTE_US if age_days == 1.0 else START + MINUTE_US
    if catch_up is not CatchUp.ALL:
        first_us = at_us - (n_fired - 1) * MINUTE_US
        assert decision.settled_us == at_us
    assert decision.fired == tuple(first_us + k * MINUTE_US for k in range(n_fired))
    assert decision.n_passed == (0 if catch_up is CatchUp.ALL else 1000), "they are counted no further"
    assert decision.n_too_old == (1000 if age_days == 1.0 else 0)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_chosen_is_what_a_walk_over_all_slots_chooses(seed):
    drawn = random.Random(seed)
    crons = ("30 1 * * *", "*/20 * * * *", "0 5 * * MON", "0 5 29 2 *", "15 */6 1 * *", "0 1,2 * * SUN")
    for _ in range(40):
        one = daily(
            drawn.choice([CatchUp.LATEST, CatchUp.NONE]),
            cron=drawn.choice(crons),
            time_zone=drawn.choice(("Asia/Kolkata", "Europe/London", "America/New_York")),
            age_days=drawn.choice((0.01, 1.0, 9.0)),
        )
        last_us = START + drawn.randrange(400 * DAY_US)
        at_us = last_us + drawn.choice((drawn.randrange(1, 2 * HOUR_US), drawn.randrange(1, 20 * DAY_US)))
        held_us = drawn.choice((0, 10 * MINUTE_US))
        oldest_us = at_us - one.greatest_age_us
        walked = list(slots_between(one, last_us, at_us))
        due = [slot_us for slot_us in walked if slot_us >= oldest_us]
        on_time = [slot_us for slot_us in due if slot_us >= at_us - ON_TIME_US - held_us]
        fired_ = due[-1:] if one.catch_up is CatchUp.LATEST else on_time
        decision = decide(one, last_us, at_us, held_us)
        if not walked:
            assert decision is None
            continue
        assert decision.fired == tuple(fired_)
        assert decision.n_passed == min(COUNTED_MAX, len(due) - len(fired_))
        assert decision.n_too_old == min(COUNTED_MAX, len(walked) - len(due))
        assert decision.settled_us == walked[-1]


@pytest.mark.parametrize("seed", range(5))
def test_whatever_clock_and_crashes_do_each_slot_is_fired_once_and_with_all_none_is_missing(seed):
    drawn = random.Random(seed)
    zones = ("Asia/Kolkata", "Europe/London", "America/New_York")
    schedules = tuple(
        daily(CatchUp.ALL, name=f"s{n}", cron=cron, time_zone=drawn.choice(zones), age_days=3_000.0)
        for n, cron in enumerate(("30 1 * * *", "0 5 * * MON", "15 */6 * * *"))
    )
    scheduler = Scheduler(schedules, CODEC)
    written, true_us = turn(scheduler, us("2026-03-01T00:00")), us("2026-03-01T00:00")
    end_us = us("2027-01-01T00:00")
    while true_us < end_us:
        true_us += drawn.randrange(1, 3 * DAY_US)
        shown_us = true_us + drawn.choice((0, 0, 0, -20 * DAY_US, -HOUR_US))
        committed = drawn.random() < 0.7
        written += turn(scheduler, shown_us, keep=committed) if committed else []
        if not committed:
            turn(scheduler, shown_us, keep=False)
        if drawn.random() < 0.3:
            scheduler = restored(written, schedules)
    while more := turn(scheduler, true_us):
        written += more
    for one in schedules:
        found = [e["slot_at"] for topic, e in written if topic != "schedule-states" and e["schedule"] == one.name]
        assert found == list(slots_between(one, us("2026-03-01T00:00"), true_us))


CHANGED = {
    "another expression": {"cron": "0 */6 * * *"},
    "another zone": {"cron": "0 5 * * *", "time_zone": "Europe/London"},
    "the same, left out meanwhile": {"cron": "0 5 * * *"},
}


@pytest.mark.parametrize("changes", CHANGED.values(), ids=CHANGED)
@pytest.mark.parametrize("catch_up", CatchUp)
@pytest.mark.parametrize("age_days", [2.0, 30.0])
def test_a_schedule_that_was_changed_or_is_enabled_again_catches_up_by_its_new_definition(changes, catch_up, age_days):
    before = daily(CatchUp.ALL)
    scheduler = started(before)
    written = turn(scheduler, us("2026-11-24T23:30"))
    after = daily(catch_up, age_days=age_days, **changes)
    at_us = us("2026-11-30T12:10")
    found = fired(restored(written, (after,)), at_us)
    slots = list(slots_between(after, us("2026-11-24T23:30"), at_us))
    due = [slot_us for slot_us in slots if slot_us >= at_us - age_days * DAY_US]
    assert 1 < len(due) <= len(slots)
    assert (len(due) < len(slots)) is (age_days == 2.0)
    assert found == {CatchUp.ALL: due, CatchUp.LATEST: due[-1:], CatchUp.NONE: []}[catch_up]


def test_a_null_forgets_a_schedule_and_what_can_not_be_read_is_said():
    scheduler = started(daily(CatchUp.ALL))
    assert scheduler.restore([Record("schedule-states", 0, 7, 0, b"daily", None)]) == []
    assert scheduler.settled_us("daily") is None
    (alarm,) = scheduler.restore([Record("schedule-states", 0, 8, 0, b"daily", b"nonsense")])
    assert alarm.startswith("schedule-states/0/8: ")


@pytest.mark.parametrize("slot_us", [2**62, 2**63 - 1, -(2**62), us("9950-01-01"), us("1999-12-31"), 0])
def test_a_memory_of_no_slot_that_can_be_is_said_and_leaves_what_was_known(slot_us):
    scheduler = started(daily(CatchUp.ALL))
    known_us = scheduler.settled_us("daily")
    state = state_of(scheduler.schedules[0], START) | {"slot_at": slot_us, "occurred_at": slot_us}
    written = Record("schedule-states", 0, 8, 0, b"daily", CODEC.encode("schedule-states", state))
    (alarm,) = scheduler.restore([written])
    assert alarm.startswith(f"schedule-states/0/8: slot_at: {slot_us} ")
    assert scheduler.settled_us("daily") == known_us
    assert fired(scheduler, START + DAY_US) == [us("2026-11-24T23:30")]
    other = Scheduler(scheduler.schedules, CODEC)  # one that finds nothing else begins now, as with what isn't Avro
    assert len(other.restore([written])) == 1
    assert fired(other, START) == []


def test_a_memory_at_the_end_of_all_slots_keeps_its_schedule_at_rest():
    scheduler = Scheduler([daily(CatchUp.ALL)], CODEC)
    state = state_of(scheduler.schedules[0], us("9899-12-31T23:30"))
    assert (
        scheduler.restore([Record("schedule-states", 0, 8, 0, b"daily", CODEC.encode("schedule-states", state))]) == []
    )
    assert scheduler.due(START) == []
    assert scheduler.next_us(scheduler.schedules[0]) is not None


def test_triggers_of_one_turn_come_by_their_slots():
    schedules = (daily(CatchUp.ALL, name="b"), daily(CatchUp.ALL, name="a", cron="0 6 * * *"))
    scheduler = started(*schedules)
    topics_and_slots = [(event["schedule"], event["slot_at"]) for _, event in turn(scheduler, START + 2 * DAY_US)[:4]]
    assert [name for name, _ in topics_and_slots] == ["b", "a", "b", "a"]
    assert [slot for _, slot in topics_and_slots] == sorted(slot for _, slot in topics_and_slots)


def test_an_id_is_of_schedule_and_slot_alone_and_by_hand_it_is_another():
    weekly = STANDARD[0]
    slot = us("2026-11-29T23:30")
    event = trigger_of(weekly, slot)
    # what it was in the first release: an id that changed would fire slots again for readers that drop repeats
    assert event["event_id"] == "78b75a89-d9ac-5d4a-a0b8-a535f3b972bd"
    changed = Schedule("weekly-forecast", "30 23 * * SUN", Forecast(7, ("Idukki",)), time_zone="UTC")
    assert trigger_of(changed, slot)["event_id"] == event["event_id"]
    others = {trigger_of(weekly, slot + 7 * DAY_US)["event_id"], trigger_of(weekly, slot, by_hand=True)["event_id"]}
    assert len(others | {event["event_id"]}) == 3
    assert (event["as_of"], event["occurred_at"], event["horizon_days"], event["districts"]) == (slot, slot, 30, [])
