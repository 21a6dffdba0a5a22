"""Schedules that a file changes and adds, and what is said where it makes no sense."""

from __future__ import annotations

import tomllib

import pytest

from producers.scheduling.schedules import STANDARD, CatchUp, Forecast
from producers.scheduling.tables import schedules_of
from smartblood.errors import Fatal
from smartblood.scheduling.file import schedules_in


def read(text):
    return {one.name: one for one in schedules_of(tomllib.loads(text))}


def test_without_a_file_the_standard_ones_hold():
    assert schedules_in(None) == STANDARD
    assert schedules_of({}) == STANDARD
    assert [one.name for one in STANDARD] == ["weekly-forecast", "nightly-reliability", "daily-retention"]
    assert {one.time_zone for one in STANDARD} == {"Asia/Kolkata"}
    assert STANDARD[0].catch_up is CatchUp.LATEST


def test_a_table_changes_what_it_names_leaves_out_and_adds(tmp_path):
    path = tmp_path / "schedules.toml"
    path.write_text(
        """
        [weekly-forecast]
        cron = "0 6 * * SUN"
        districts = ["Idukki", "Wayanad"]

        [daily-retention]
        enabled = false

        [hills-daily]
        cron = "15 4 * * *"
        time_zone = "Europe/London"
        catch_up = "all"
        greatest_age_days = 2.5
        horizon_days = 7
        """
    )
    weekly, nightly, hills = schedules_in(path)
    assert (weekly.cron, weekly.triggers) == ("0 6 * * SUN", Forecast(30, ("Idukki", "Wayanad")))
    assert weekly.greatest_age_days == STANDARD[0].greatest_age_days
    assert nightly == STANDARD[1]
    assert (hills.name, hills.time_zone, hills.catch_up) == ("hills-daily", "Europe/London", CatchUp.ALL)
    assert (hills.greatest_age_days, hills.triggers) == (2.5, Forecast(7))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = 1", "a: is no table"),
        ("[a]\nhorizon_days = 3", "a: cron: is missing"),
        ('[weekly-forecast]\ncron = "0 5 * *"', "weekly-forecast: cron: '0 5 * *' has not five fields"),
        ('[weekly-forecast]\ncron = "0 0 5 * * *"', "has not five fields"),
        ('[weekly-forecast]\ncron = "0 25 * * *"', "weekly-forecast: cron: '0 25 * * *': bad hour"),
        ('[weekly-forecast]\ncron = "0 0 31 2 *"', "weekly-forecast: cron: '0 0 31 2 *': bad day-of-month"),
        ('[weekly-forecast]\ntime_zone = "Asia/Kolkatta"', "time_zone: 'Asia/Kolkatta' is no name of a time zone"),
        ('[weekly-forecast]\ntime_zone = "../etc/passwd"', "is no name of a time zone"),
        ('[weekly-forecast]\ntime_zone = ""', "is no name of a time zone"),
        ('[weekly-forecast]\ncatch_up = "some"', "catch_up: 'some' is none of all, latest, none"),
        ("[weekly-forecast]\ngreatest_age_days = 0", "greatest_age_days: 0 is not above 0"),
        ("[weekly-forecast]\ngreatest_age_days = nan", "greatest_age_days: nan is not above 0"),
        ("[weekly-forecast]\ngreatest_age_days = true", "greatest_age_days: should be a number"),
        ("[weekly-forecast]\nhorizon_days = 0", "horizon_days: 0 is not within 1 to 366"),
        ("[weekly-forecast]\nhorizon_days = 3.5", "horizon_days: should be a number"),
        ('[weekly-forecast]\ndistricts = ["Idduki"]', "districts: 'Idduki' is none of Alappuzha"),
        ("[weekly-forecast]\ndistricts = [1]", "districts: should be a list of texts"),
        ('[weekly-forecast]\nenabled = "no"', "enabled: should be true or false"),
        ("[weekly-forecast]\nhorizon = 3", "horizon: there is no such field"),
        ("[daily-retention]\nhorizon_days = 3", "daily-retention: horizon_days: this schedule triggers no forecast"),
        ('["My Forecast"]\ncron = "0 5 * * *"', "name: 'My Forecast'"),
    ],
)
def test_what_makes_no_sense_is_said_with_schedule_and_field(text, said, tmp_path):
    with pytest.raises(ValueError, match=r".") as found:
        read(text)
    assert said in str(found.value)
    path = tmp_path / "schedules.toml"
    path.write_text(text)
    with pytest.raises(Fatal) as fatal:
        schedules_in(path)
    assert str(fatal.value).startswith(f"SMARTBLOOD_SCHEDULES_FILE: {path}: ")
    assert said in str(fatal.value)


@pytest.mark.parametrize("content", [b"[a", b"\xff\xfe"])
def test_what_is_no_toml_is_said(content, tmp_path):
    path = tmp_path / "schedules.toml"
    path.write_bytes(content)
    with pytest.raises(Fatal, match="SMARTBLOOD_SCHEDULES_FILE"):
        schedules_in(path)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(Fatal, match="can't be read: No such file"):
        schedules_in(tmp_path / "none.toml")
