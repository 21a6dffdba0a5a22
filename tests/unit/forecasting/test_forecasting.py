"""What a trigger makes of a history: forecasts, a log, dead letters; through the test driver."""

import json

import numpy as np
import pytest

from consumers.driver import Driver
from consumers.forecasting import Forecasting
from consumers.topology import Batch, Input
from features.demand import Demand, history_of
from features.districts import DISTRICT_NAMES, DISTRICTS
from features.local_time import local_day, start_of_day
from features.scoring import ModelRefusedError
from features.series import LEVELS
from schemas.codec import Codec
from tests.record_events import AT, an_id, event
from tests.unit.forecasting.seasonal import WeekdayMeans

DAY_US = 86_400_000_000
TODAY = local_day(AT)
COMMON = {"A_POS", "A_NEG", "B_POS", "B_NEG", "AB_POS", "AB_NEG", "O_POS", "O_NEG"}
KNOWN = [
    Demand("Kollam", "O+", range(TODAY - 30, TODAY + 5), [n % 7 for n in range(35)]),
    Demand("Kollam", "Oh+", [TODAY - 20, TODAY + 1], [1, 3]),
    Demand("Idukki", "A+", range(TODAY - 5, TODAY), [2] * 5),
    Demand("Idukki", "Oh-", [TODAY - 3], [0]),
    Demand("Idukki", "unknown", [TODAY - 3], [9]),
]


def trigger(n=1, **changes):
    of = {"schedule": "weekly-forecast", "slot_at": AT, "as_of": AT, "horizon_days": 14, "districts": []}
    return event("forecast-triggered", event_id=an_id(n), occurred_at=AT, **(of | changes))


def answered(*triggers, forecaster=None, known=KNOWN, history=None, releases=(), **parts):
    asked = history or (lambda item: history_of(known, local_day(item.event["as_of"])))
    driver = Driver([Forecasting(Codec(), forecaster or WeekdayMeans(), asked, **parts)])
    for one in releases:
        driver.send("model-released", f"{one['model']}/{one['version']}", one)
    for one in triggers:
        driver.send("forecast-triggered", one["schedule"], one)
    driver.run()
    return driver


def test_a_day_without_a_row_is_without_demand_once_its_district_has_an_earlier_one():
    table = history_of(KNOWN, TODAY)
    assert table.days[-1].astype(int) == TODAY - 1
    assert len(table.names) == 14 * 8 + 1  # and the Bombay group that was asked for once
    by_name = dict(zip(table.names, table.values, strict=True))
    assert by_name["Kollam", "O_POS"].tolist() == [n % 7 for n in range(30)]
    assert by_name["Kollam", "OH_POS"].sum() == 1
    assert by_name["Kollam", "A_NEG"].tolist() == [0] * 30
    assert np.isnan(by_name["Idukki", "A_POS"][:25]).all()
    assert by_name["Idukki", "A_POS"][25:].tolist() == [2] * 5
    assert by_name["Kannur", "A_POS"].tolist() == [0] * 30  # nobody there ever asked
    assert ("Idukki", "OH_NEG") not in by_name


def test_days_of_which_nobody_heard_are_not_known_and_no_days_without_demand():
    table = history_of(KNOWN, TODAY, unheard=range(TODAY - 12, TODAY - 5))
    by_name = dict(zip(table.names, table.values, strict=True))
    assert np.isnan(table.values[:, 18:25]).all()
    assert by_name["Kollam", "O_POS"][:18].tolist() == [n % 7 for n in range(18)]
    assert by_name["Kannur", "A_POS"][25:].tolist() == [0] * 5
    assert np.isnan(history_of(KNOWN, TODAY, unheard=range(TODAY - 90, TODAY - 20)).values[:, :10]).all()
    before = history_of(KNOWN, TODAY, unheard=range(TODAY - 90, TODAY - 40))
    assert before.values.tobytes() == history_of(KNOWN, TODAY).values.tobytes()


def test_of_a_long_past_five_years_are_looked_at_and_of_nothing_one_empty_day():
    table = history_of([Demand("Kollam", "O+", [TODAY - 4000, TODAY - 1], [7, 2])], TODAY)
    assert table.values.shape == (112, 5 * 366)
    assert np.nansum(table.values) == 2
    assert not np.isnan(table.values[table.names.index(("Kollam", "O_POS"))]).any()
    nothing = history_of([], TODAY)
    assert nothing.values.shape == (112, 1)
    assert np.isnan(nothing.values).all()


def test_every_district_and_group_gets_a_forecast_that_begins_with_the_day_as_of_which_it_is_made():
    driver = answered(trigger())
    found = driver.events("demand-forecasted")
    assert {(one["district"], one["blood_group"]) for one in found} == {
        (district, group) for district in DISTRICT_NAMES for group in COMMON
    } | {("Kollam", "OH_POS")}
    for record, one in zip(driver.records("demand-forecasted"), found, strict=True):
        assert record.key.decode() == f"{one['district']}/{one['blood_group']}"
        assert (one["occurred_at"], one["as_of"]) == (AT, AT)
        assert [day["day"] for day in one["days"]] == list(range(TODAY, TODAY + 14))
        for day in one["days"]:
            levels = {each["level"]: each["value"] for each in day["quantiles"]}
            assert tuple(levels) == LEVELS
            assert (day["confidence_lower"], day["confidence_upper"]) == (levels[0.1], levels[0.9])
        assert one["models"] == [{"model": "demand_forecast", "version": "0.0.1", "sha256": "d" * 64}]
    (logged,) = driver.events("prediction-logged")
    assert (logged["model"], logged["source"], logged["success"], logged["error"]) == (
        "demand_forecast",
        "forecasting",
        True,
        None,
    )
    units = sum(day["predicted_demand"] for one in found for day in one["days"])
    assert json.loads(logged["output_sample"])["units"] == pytest.approx(units, abs=1e-3)


@pytest.mark.parametrize(("at", "first"), [(-1, TODAY - 1), (0, TODAY), (DAY_US - 1, TODAY)])
def test_history_ends_with_the_local_day_before(at, first):
    as_of = start_of_day(TODAY) + at
    seen = []

    def history(item):
        seen.append(history_of(KNOWN, local_day(item.event["as_of"])))
        return seen[-1]

    driver = answered(trigger(as_of=as_of), history=history)
    assert seen[0].days[-1].astype(int) == first - 1
    assert driver.events("demand-forecasted")[0]["days"][0]["day"] == first


def test_districts_are_those_that_are_asked_for_and_all_borrow_from_all():
    forecaster = WeekdayMeans()
    driver = answered(trigger(districts=["Idukki", "Kollam", "Idukki"]), forecaster=forecaster)
    assert {one["district"] for one in driver.events("demand-forecasted")} == {"Idukki", "Kollam"}
    assert len(driver.events("demand-forecasted")) == 17
    assert len(forecaster.asked[0]) == 113


def test_a_trigger_that_comes_again_is_answered_again_under_the_same_ids_and_another_one_under_others():
    driver = answered(trigger(1), trigger(1), trigger(2))
    ids = [one["event_id"] for one in driver.events("demand-forecasted")]
    assert len(ids) == 3 * 113
    assert len(set(ids)) == 2 * 113
    values = [record.value for record in driver.records("demand-forecasted")]
    assert len(set(values)) == 2 * 113


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"horizon_days": 0}, "horizon_days: 0 is not within 1 to 366"),
        ({"horizon_days": 367}, "horizon_days"),
        ({"districts": ["Kollam", "Atlantis"]}, "districts: 'Atlantis' is no district that is known"),
        ({"as_of": AT + DAY_US + 1}, "as_of: before the year 2000, or more than a day after"),
        ({"as_of": 0}, "as_of"),
    ],
)
def test_what_makes_no_sense_is_a_dead_letter_with_its_reason(changes, said):
    driver = answered(trigger(**changes), trigger(2))
    (letter,) = driver.records("dead-letters")
    assert said in dict(letter.headers)["error"].decode()
    assert len(driver.events("demand-forecasted")) == 113


def test_a_series_that_can_not_be_forecast_stops_no_other():
    bad = {("Kollam", "O_POS"), ("Wayanad", "A_NEG")}
    forecaster = WeekdayMeans(refuses=bad)
    processor = Forecasting(Codec(), forecaster, lambda item: history_of(KNOWN, local_day(item.event["as_of"])))
    driver = Driver([processor])
    record = driver.send("forecast-triggered", "weekly-forecast", trigger())
    assert processor.process(Batch([Input(record, processor.read(record))]))
    processor.drop()
    assert processor.alarms == [], "a batch that came to nothing says nothing"
    driver.run()
    found = {(one["district"], one["blood_group"]) for one in driver.events("demand-forecasted")}
    assert len(found) == 111
    assert not found & bad
    (logged,) = driver.events("prediction-logged")
    assert logged["success"]
    assert "2 of 113 series have no forecast: Kollam/O_POS: " in logged["error"]
    assert processor.alarms == [logged["error"]]


def test_a_forecast_that_is_no_number_is_left_out():
    class Broken(WeekdayMeans):
        def forecast(self, *asked):
            found = super().forecast(*asked)
            found.mean[0, 3] = np.nan
            found.quantiles[1, 2, 4] = np.inf
            found.quantiles[2, 2, 4] = 1e6  # above those of higher levels
            found.mean[3, 0] = -1
            return found

    driver = answered(trigger(), forecaster=Broken())
    assert len(driver.events("demand-forecasted")) == 113 - 4
    assert driver.events("prediction-logged")[0]["error"].startswith("4 of 113")


def test_where_nothing_is_known_nothing_is_forecast_and_it_is_said():
    driver = answered(trigger(), known=[])
    assert driver.events("demand-forecasted") == []
    (logged,) = driver.events("prediction-logged")
    assert not logged["success"]
    assert "112 of 112 series have no forecast" in logged["error"]


def test_a_trigger_whose_history_was_waited_for_in_vain_leaves_nothing():
    driver = answered(trigger(), history=lambda _: None)
    assert driver.events("demand-forecasted") == driver.events("prediction-logged") == []
    assert driver.records("dead-letters") == []


def released(n, version, role="CHAMPION", model="demand_forecast"):
    of = {"model": model, "version": version, "sha256": version[0] * 64, "role": role, "share": 0.0}
    return event("model-released", event_id=an_id(900 + n), occurred_at=AT, **of)


def loads(release):
    if release.version == "bad":
        message = "its digest is another"
        raise ModelRefusedError(message)
    made = WeekdayMeans()
    made.version, made.sha256 = release.version, release.sha256
    return made


@pytest.mark.parametrize(
    ("releases", "version"),
    [
        ([], "0.0.1"),
        ([released(1, "2")], "2"),
        ([released(1, "2"), released(2, "3")], "3"),
        ([released(1, "2"), released(2, "3"), released(3, "3", "RETIRED")], "2"),
        ([released(1, "2"), released(2, "bad")], "2"),
        ([released(1, "bad")], "0.0.1"),
        ([released(1, "2", "SHADOW"), released(2, "3", "CHALLENGER")], "0.0.1"),
        ([released(1, "2", model="donor_availability")], "0.0.1"),
    ],
)
def test_the_champion_forecasts_and_one_that_can_not_be_used_has_no_say(releases, version):
    driver = answered(trigger(), releases=releases, load=loads)
    assert {one["models"][0]["version"] for one in driver.events("demand-forecasted")} == {version}


def test_a_champion_that_is_refused_is_said_once():
    processor = Forecasting(Codec(), WeekdayMeans(), lambda _: None, load=loads)
    driver = Driver([processor])
    for n, version in enumerate(["bad", "2"]):
        one = released(n, version)
        driver.send("model-released", f"{one['model']}/{version}", one)
        driver.send("forecast-triggered", "weekly-forecast", trigger(n))
        driver.run()
    assert processor.alarms == ["demand_forecast bad is refused: its digest is another"]
    assert processor.champion.forecaster.version == "2"


def test_the_table_has_the_districts_in_their_order():
    assert [names[0] for names in history_of([], TODAY).names[::8]] == [district.name for district in DISTRICTS]
