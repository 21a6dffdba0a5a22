"""Slots of schedules: in any time zone, over every change of clocks, the same wherever one begins."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest

from producers.scheduling.cron import EPOCH, instant
from producers.scheduling.schedules import DAY_US, STANDARD, Forecast, Schedule
from producers.scheduling.slots import is_slot, latest_slot, next_slot, slots_between

MINUTE_US = 60_000_000


def us(text):
    at = datetime.fromisoformat(text)
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH) // timedelta(microseconds=1)


def schedule(cron, time_zone="Asia/Kolkata"):
    return Schedule("a-forecast", cron, Forecast(), time_zone=time_zone)


def local(cron, time_zone, after, until):
    """The slots between two days, as the clocks there show them."""
    found = slots_between(schedule(cron, time_zone), us(after) - 1, us(until))
    return [instant(slot_us).astimezone(ZoneInfo(time_zone)).isoformat() for slot_us in found]


def by_elapsed_time(fits, time_zone, after, until):
    """Every minute whose local time fits: minute by minute in UTC, without the library."""
    zone, found = ZoneInfo(time_zone), []
    for at_us in range(us(after), us(until) + 1, MINUTE_US):
        at = instant(at_us).astimezone(zone)
        if fits(at):
            found.append(at.isoformat())
    return found


def test_a_week_in_kerala_has_one_monday_at_five_and_seven_nights():
    week = (us("2026-11-23T00:00+05:30"), us("2026-11-30T00:00+05:30"))
    weekly, nightly, daily = ([instant(s).isoformat() for s in slots_between(one, *week)] for one in STANDARD)
    assert weekly == ["2026-11-22T23:30:00+00:00"]
    assert nightly == [f"2026-11-{day}T21:00:00+00:00" for day in range(22, 29)]
    assert daily == [f"2026-11-{day}T22:00:00+00:00" for day in range(22, 29)]


@pytest.mark.parametrize(
    ("time_zone", "day", "shown"),
    [
        # clocks leap from 01:00 to 02:00, from 02:00 to 03:00, by half an hour at 02:00, at midnight
        ("Europe/London", "2026-03-29", "2026-03-29T02:00:00+01:00"),
        ("America/New_York", "2026-03-08", "2026-03-08T01:30:00-05:00"),
        ("Australia/Lord_Howe", "2026-10-04", "2026-10-04T01:30:00+10:30"),
        ("Asia/Beirut", "2026-03-29", "2026-03-29T01:30:00+03:00"),
    ],
)
def test_where_clocks_leap_forward_a_time_that_is_left_out_comes_right_after(time_zone, day, shown):
    before = (datetime.fromisoformat(day) - timedelta(days=1)).date().isoformat()
    after = (datetime.fromisoformat(day) + timedelta(days=2)).date().isoformat()
    found = local("30 1 * * *", time_zone, f"{before}T12:00", f"{after}T12:00")
    assert found[0] == shown
    assert len(found) == 3
    assert [one[:10] for one in found] == sorted({one[:10] for one in found}), "one each day"


def test_two_times_that_are_left_out_together_come_once():
    found = local("0,30 2 * * *", "America/New_York", "2026-03-07T12:00", "2026-03-09T12:00")
    assert found == ["2026-03-08T03:00:00-04:00", "2026-03-09T02:00:00-04:00", "2026-03-09T02:30:00-04:00"]


@pytest.mark.parametrize(
    ("time_zone", "day", "first"),
    [
        ("Europe/London", "2026-10-25", "2026-10-25T01:30:00+01:00"),
        ("America/New_York", "2026-11-01", "2026-11-01T01:30:00-04:00"),
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-05T01:30:00+11:00"),  # by half an hour
    ],
)
def test_where_clocks_are_put_back_a_time_that_comes_twice_is_a_slot_once(time_zone, day, first):
    before = (datetime.fromisoformat(day) - timedelta(days=1)).date().isoformat()
    after = (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()
    found = local("30 1 * * *", time_zone, f"{before}T12:00", f"{after}T12:00")
    assert [one for one in found if one.startswith(day)] == [first]


@pytest.mark.parametrize(
    ("time_zone", "after", "until"),
    [
        ("Europe/London", "2026-03-28T12:00", "2026-03-30T12:00"),
        ("Europe/London", "2026-10-24T12:00", "2026-10-26T12:00"),
        ("America/New_York", "2026-03-07T12:00", "2026-03-09T12:00"),
        ("America/New_York", "2026-10-31T12:00", "2026-11-02T12:00"),
        ("Australia/Lord_Howe", "2026-04-04T06:00", "2026-04-05T12:00"),
        ("Australia/Lord_Howe", "2026-10-03T06:00", "2026-10-04T12:00"),
        ("Asia/Kolkata", "2026-11-28T12:00", "2026-11-30T12:00"),
    ],
)
def test_what_comes_every_few_minutes_goes_on_by_elapsed_time(time_zone, after, until):
    for cron, fits in (
        ("*/20 * * * *", lambda at: at.minute % 20 == 0),
        ("15 * * * *", lambda at: at.minute == 15),
        ("*/30 1 * * SUN", lambda at: at.minute % 30 == 0 and at.hour == 1 and at.weekday() == 6),
    ):
        assert local(cron, time_zone, after, until) == by_elapsed_time(fits, time_zone, after, until)


@pytest.mark.parametrize("time_zone", ["Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut"])
@pytest.mark.parametrize("cron", ["30 1 * * *", "0,30 2 * * *", "*/15 1-2 * * *", "10 * * * *", "0 0 * * SUN"])
def test_wherever_one_begins_the_slots_are_the_same(time_zone, cron):
    one = schedule(cron, time_zone)
    for begin, end in (("2026-03-06T00:00", "2026-04-16T00:00"), ("2026-10-02T00:00", "2026-11-12T00:00")):
        whole = list(slots_between(one, us(begin), us(end)))
        assert all(a < b for a, b in pairwise(whole))
        for change in (a for a, b in pairwise(whole) if _offset(one, a) != _offset(one, b)):
            for at_us in range(change - 150 * MINUTE_US, change + 150 * MINUTE_US, 13 * MINUTE_US):
                expected = whole[bisect_right(whole, at_us) :][:3]
                assert list(islice(slots_between(one, at_us, us(end)), 3)) == expected
        assert any(_offset(one, a) != _offset(one, b) for a, b in pairwise(whole)), "the test saw no change of clocks"


def _offset(one, at_us):
    return instant(at_us).astimezone(one.zone).utcoffset()


def test_the_latest_slot_is_the_last_one_that_is_not_later():
    weekly = STANDARD[0]
    monday = us("2026-11-23T05:00+05:30")
    assert latest_slot(weekly, monday) == monday
    assert latest_slot(weekly, monday + 6 * DAY_US) == monday
    assert latest_slot(weekly, monday - 1) == monday - 7 * DAY_US
    assert latest_slot(schedule("0 0 29 2 *"), us("2026-11-23")) == us("2024-02-29T00:00+05:30")
    assert next_slot(weekly, monday) == monday + 7 * DAY_US
    assert is_slot(weekly, monday)
    assert not is_slot(weekly, monday + 1)


def test_the_29th_of_february_is_looked_for_over_a_century_without_one():
    found = latest_slot(schedule("0 0 29 2 *"), us("2103-06-01"))
    assert found == us("2096-02-29T00:00+05:30")
