"""A worker that leads, turned by hand under clocks that are passed in: what leaps ahead is not believed at once."""

from __future__ import annotations

import random
import threading

import pytest
import structlog
from prometheus_client import REGISTRY

from producers.scheduling.scheduler import Scheduler
from producers.scheduling.schedules import DAY_US, CatchUp, Forecast, Schedule
from producers.scheduling.slots import slots_between
from schemas.records import Record
from smartblood.errors import Retryable
from smartblood.kafka.client import Cluster
from smartblood.scheduling import worker as worker_module
from smartblood.scheduling.clock import BelievedClock
from smartblood.scheduling.worker import Scheduling
from tests.unit.scheduling.test_scheduler import CODEC, START, us

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
WEEKLY = tuple(
    Schedule(f"weekly-{one.value}", "0 5 * * MON", Forecast(), catch_up=one, greatest_age_days=60.0) for one in CatchUp
)
DAILY = tuple(
    Schedule(f"daily-{one.value}", "0 5 * * *", Forecast(), catch_up=one, greatest_age_days=60.0) for one in CatchUp
)
NONE = DAILY[list(CatchUp).index(CatchUp.NONE)]
SLOT = us("2026-11-24T23:30")
"""The first of the daily ones."""


class AlwaysLeads:
    owned = settled = True

    def __init__(self, *_):
        pass

    def poll(self, _):
        return True

    def close(self):
        pass


class World:
    """Clocks, what was written, and a worker; its terms have the memory that is written here."""

    def __init__(self, monkeypatch, schedules):
        self.at_us, self.passed_s = START, 1_000.0
        self.fired: list[tuple[str, int]] = []
        self.states: list[Record] = []
        self.fails = 0
        world = self

        class TermDouble:
            def __init__(self, *given):
                self.take_in = given[3]

            def begin(self):
                assert self.take_in(world.states) == []

            def write(self, outputs):
                if world.fails:
                    world.fails -= 1
                    message = "whether it was written isn't known"
                    raise Retryable(message)
                for one in outputs:
                    event = CODEC.decode(one.topic, one.value)
                    if one.topic == "schedule-states":
                        world.states.append(Record(one.topic, 0, len(world.states), 0, one.key, one.value))
                    else:
                        world.fired.append((event["schedule"], event["slot_at"]))

            def close(self):
                pass

        monkeypatch.setattr(worker_module, "Term", TermDouble)
        monkeypatch.setattr(worker_module, "AFTER_A_TERM_S", 0.0)
        self.worker = Scheduling(
            Scheduler(schedules, CODEC),
            Cluster("k:1", "p-"),
            "one",
            clock=BelievedClock(lambda: self.at_us, lambda: self.passed_s),
            candidate=AlwaysLeads,
        )
        self.log = self.worker._told._log = structlog.testing.CapturingLogger()
        self.worker._stuck = worker_module.StuckDetector("one", 120.0)
        self.worker._patience = worker_module.Patience(threading.Event(), self.worker._stuck, 0.0)
        self.turn()

    def turn(self):
        self.worker._guarded_turn()

    def passes(self, us_):
        """Time passes, and the process sees it: also where it was stopped meanwhile."""
        self.at_us += us_
        self.passed_s += us_ / 1e6

    def minutes(self, n):
        """Poll each minute."""
        for _ in range(n):
            self.passes(MINUTE_US)
            self.turn()

    def slots(self, schedule):
        return [slot_us for name, slot_us in self.fired if name == schedule.name]

    def said(self):
        """Return how the lines about the clock were said."""
        return [call.method_name for call in self.log.calls if "clock" in call.args[0]]


def n_leaps():
    return REGISTRY.get_sample_value("smartblood_scheduler_clock_leaps_total", {"slot": "one"})


@pytest.mark.parametrize("by_us", [6 * MINUTE_US, 22 * DAY_US, 3 * 365 * DAY_US])
def test_a_clock_that_leaps_for_a_poll_and_returns_loses_and_doubles_nothing(monkeypatch, by_us):
    drawn = random.Random(7)
    world = World(monkeypatch, WEEKLY + DAILY)
    until_us = START + 15 * DAY_US
    while world.at_us < until_us:
        world.minutes(drawn.randrange(1, 500))
        world.at_us += by_us
        world.turn()
        world.at_us -= by_us
    for schedule in WEEKLY + DAILY:
        assert world.slots(schedule) == list(slots_between(schedule, START, world.at_us))


@pytest.mark.parametrize("minutes", [1, 9])
def test_slots_that_come_while_a_clock_is_wrong_are_on_time_when_it_has_returned(monkeypatch, minutes):
    world = World(monkeypatch, DAILY)
    world.passes(SLOT - MINUTE_US - START)
    world.turn()
    world.at_us += 22 * DAY_US
    world.minutes(minutes)
    assert world.fired == []
    world.at_us -= 22 * DAY_US
    world.fails = 1
    world.turn()
    world.turn()
    assert sorted(world.fired) == sorted((schedule.name, SLOT) for schedule in DAILY)


def test_a_machine_that_was_suspended_catches_up_by_policy_once_its_clock_is_believed(monkeypatch):
    world = World(monkeypatch, DAILY)
    before = n_leaps()
    world.at_us = SLOT + 9 * DAY_US - 4 * MINUTE_US
    world.turn()
    world.minutes(9)
    assert world.fired == [], "a slot came meanwhile, and waits too"
    assert n_leaps() == before + 1
    world.minutes(1)
    slots = [SLOT + k * DAY_US for k in range(10)]
    assert {one.catch_up: world.slots(one) for one in DAILY} == {
        CatchUp.ALL: slots,
        CatchUp.LATEST: slots[-1:],
        CatchUp.NONE: slots[-1:],
    }
    assert n_leaps() == before + 1
    world.minutes(24 * 60)
    assert world.slots(NONE) == [slots[-1], slots[-1] + DAY_US]


def test_whoever_was_stopped_and_goes_on_is_believed_at_once(monkeypatch):
    world = World(monkeypatch, DAILY)
    before = n_leaps()
    world.passes(SLOT + MINUTE_US - START)
    world.turn()
    assert sorted(world.fired) == sorted((schedule.name, SLOT) for schedule in DAILY)
    assert n_leaps() == before


def test_a_clock_that_goes_back_is_believed_at_once_and_put_right_again_after_ten_minutes(monkeypatch):
    world = World(monkeypatch, DAILY)
    world.passes(SLOT - START)
    world.turn()
    world.at_us -= 3 * DAY_US
    world.minutes(10)
    assert len(world.fired) == 3
    world.at_us += 4 * DAY_US
    world.minutes(9)
    assert len(world.fired) == 3
    world.minutes(3)
    assert sorted(world.fired[3:]) == sorted((one.name, SLOT + DAY_US) for one in DAILY if one is not NONE)


def test_readings_that_are_ahead_and_do_not_agree_are_not_believed_however_long_it_takes(monkeypatch):
    world = World(monkeypatch, DAILY)
    before = n_leaps()
    true_us = world.at_us
    for n in range(200):
        world.passed_s += 60
        true_us += MINUTE_US
        world.at_us = true_us + (22 + n // 5) * DAY_US
        world.turn()
    assert world.fired == []
    assert n_leaps() == before + 1, "it is one leap, and said once"
    world.at_us = true_us
    world.minutes((SLOT - true_us) // MINUTE_US)
    assert sorted(world.fired) == sorted((schedule.name, SLOT) for schedule in DAILY)


def test_a_clock_that_is_put_right_by_less_than_five_minutes_is_believed(monkeypatch):
    world = World(monkeypatch, DAILY)
    world.passes(SLOT - 4 * MINUTE_US - START)
    world.turn()
    world.at_us += 5 * MINUTE_US
    world.turn()
    assert len(world.fired) == 3


def test_a_leap_is_said_in_one_line_and_so_is_its_end(monkeypatch):
    world = World(monkeypatch, DAILY)
    world.at_us += 5 * DAY_US
    world.minutes(9)
    assert world.said() == ["warning"]
    world.minutes(5)
    assert world.said() == ["warning", "info"]
    world.at_us += 5 * DAY_US
    world.minutes(5)
    world.at_us -= 5 * DAY_US
    world.minutes(5)
    assert world.said() == ["warning", "info"] * 2
