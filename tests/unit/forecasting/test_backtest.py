"""How a backtest judges, what it prints and writes."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest

from features.forecasting.calendars import beyond_calendar
from features.series import LEVELS, SeriesTable
from smartblood import cli
from smartblood.cli.backtest import _season
from smartblood.errors import Fatal
from smartblood.forecasting.backtest import Backtest, Plan, Said, backtest
from smartblood.forecasting.tables import LongTable
from smartblood.forecasting.view import left_out, write_forecasts
from tests.unit.forecasting.weekly import WEEKS, weekly, written

pytestmark = pytest.mark.usefixtures("few_trees")


def test_the_future_moves_no_forecast_by_a_bit():
    table, plan = weekly(), Plan(horizon=4, season=52, origins=2, every=4)
    first = backtest(table, plan)
    known = first.cutoffs[0] + 1
    other = table.values.copy()
    other[:, known:] = np.random.default_rng(5).permuted(other[:, known:], axis=1) * 3
    again = backtest(SeriesTable(table.names, table.days, other), plan)
    for name in first.said:
        assert first.said[name].means[:, 0].tobytes() == again.said[name].means[:, 0].tobytes()
        assert first.figures()[name] != again.figures()[name]
    assert first.said["forecaster"].means[:, 1].tobytes() != again.said["forecaster"].means[:, 1].tobytes()
    assert first.said["forecaster"].quantiles[:, 0].tobytes() == again.said["forecaster"].quantiles[:, 0].tobytes()


def test_cutoffs_end_one_horizon_before_the_table():
    assert Plan(horizon=4, season=52, origins=3, every=4).cutoffs(100) == [87, 91, 95]


def test_every_forecast_is_written_as_the_table_spells_its_days(tmp_path, capsys):
    def spell(day):
        return str(day).replace("-", "/")

    file = written(tmp_path / "table.csv", weekly(2), spell)
    out = tmp_path / "forecasts.csv"
    arguments = ["backtest", str(file), "--frequency", "W-SUN", "--horizon", "3", "--origins", "2", "--every", "5"]
    assert cli.exit_code([*arguments, "--country", "MY", "--out", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["n_series"], found["season"], found["origins"]) == (2, 52, 2)
    assert (found["n_judged"], found["n_outcomes"]) == (12, 12)
    assert set(found["figures"]) == {"forecaster", "seasonal naive", "ETS"}
    assert found["figures"]["seasonal naive"]["wql"] is None
    rows = list(csv.DictReader(out.open()))
    assert list(rows[0]) == ["series", "cutoff", "day", "mean", *(f"q{level}" for level in LEVELS)]
    assert len(rows) == 2 * 2 * 3
    assert {row["cutoff"] for row in rows} == {spell(WEEKS[-9]), spell(WEEKS[-4])}
    assert [row["day"] for row in rows[-3:]] == [spell(day) for day in WEEKS[-3:]]
    for row in rows:
        quantiles = [float(row[f"q{level}"]) for level in LEVELS]
        assert quantiles == sorted(quantiles)
    assert cli.exit_code(arguments) == 0
    assert "80 % coverage" in capsys.readouterr().out


def test_of_a_series_that_was_not_forecast_nothing_is_written_and_its_name_is_told(tmp_path, capsys):
    table, out = weekly(2), tmp_path / "forecasts.csv"
    values = table.values.copy()
    values[0, :-2] = np.nan  # it begins after the cutoff
    file = written(tmp_path / "table.csv", SeriesTable(table.names, table.days, values), str)
    arguments = ["backtest", str(file), "--frequency", "W-SUN", "--horizon", "3", "--origins", "1", "--out", str(out)]
    assert cli.exit_code(arguments) == 0
    (name,), (other,) = table.names
    assert f"Not forecast, since nothing was known of them as of an origin: {name} (1 of 1)." in capsys.readouterr().out
    assert cli.exit_code([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["not_forecast"] == {name: 1}
    rows = list(csv.DictReader(out.open()))
    assert {row["series"] for row in rows} == {other}
    assert all(float(row["mean"]) > 0 for row in rows)


def hand_made(naive):
    """Return a backtest of two series, one origin, two ahead: all say 10, what came is 12, but ETS once says 0."""
    outcomes = np.array([[[12.0, 12.0]], [[12.0, np.nan]]])
    tens, quantiles = np.full(outcomes.shape, 10.0), np.full((*outcomes.shape, len(LEVELS)), 10.0)
    ets = np.where(np.arange(4).reshape(outcomes.shape) == 1, 0.0, tens)
    said = {"forecaster": Said(tens, quantiles), "seasonal naive": Said(naive, None), "ETS": Said(ets, quantiles)}
    return Backtest((5,), outcomes, (np.ones((2, 1)), np.ones((2, 1))), said)


def test_all_are_judged_on_the_outcomes_that_all_forecast():
    nan = np.nan
    found = hand_made(np.array([[[10.0, nan]], [[10.0, 10.0]]]))
    assert {name: round(one.wape, 4) for name, one in found.figures().items()} == dict.fromkeys(found.said, 0.1667)
    assert found.n_judged() == (2, 3)
    assert left_out(found) == "Judged on 2 of 3 known outcomes, those that all of them forecast."
    assert math.isnan(found.figures(steps=slice(1, 2))["forecaster"].wape)


def test_who_forecasts_nothing_at_all_takes_no_outcome_from_others():
    found = hand_made(np.full((2, 1, 2), np.nan))
    figures = found.figures()
    assert math.isnan(figures["seasonal naive"].wape)
    assert figures["ETS"].wape == pytest.approx(16 / 36)
    assert figures["forecaster"].wape == pytest.approx(6 / 36)
    assert found.n_judged() == (3, 3)
    assert left_out(found) is None


def test_what_is_judged_is_what_is_written(tmp_path, monkeypatch):
    judged = []
    monkeypatch.setattr("smartblood.forecasting.backtest.figures_of", lambda *given: judged.append(given))
    found, out = backtest(weekly(2), Plan(2, 52, 1, 1)), tmp_path / "forecasts.csv"
    found.figures()
    write_forecasts(out, found, LongTable(weekly(2), tuple(map(str, WEEKS)), ()))
    rows = [[float(text) for text in list(row.values())[3:]] for row in csv.DictReader(out.open())]
    _, means, _, quantiles, _ = judged[0]
    assert rows == np.concatenate([means[..., None], quantiles], axis=-1).reshape(4, -1).tolist()


def test_a_table_that_is_too_short_says_so():
    table = weekly()
    for n, origins, advice in (
        (30, 26, "give fewer --origins, or a longer table"),
        (9, 1, "[^-]* give a longer table$"),
        (4, 1, "are too few for 1 origin, 4 ahead; give a longer table$"),
    ):
        with pytest.raises(Fatal, match=advice):
            backtest(SeriesTable(table.names, table.days[:n], table.values[:, :n]), Plan(4, 52, origins, 4))


GOOD = "series,day,value\na,2024-01-07,3\na,2024-01-14,4\n"


@pytest.mark.parametrize(
    ("frequency", "season"),
    [("D", 7), ("1D", 7), ("01d", 7), ("2D", 182), ("W", 52), ("1W", 52), ("w-sun", 52), ("2W", 26), ("MS", 12)],
)
def test_a_season_is_that_of_the_frequency_and_a_leading_one_says_nothing(frequency, season):
    assert _season(frequency) == season


def test_the_command_ends_as_the_house_has_it(tmp_path, capsys):
    file = tmp_path / "table.csv"
    file.write_text(GOOD)
    assert cli.exit_code(["backtest", str(file)]) == 2
    assert cli.exit_code(["backtest", str(file), "--frequency", "W", "--country", "Atlantis"]) == 2
    assert "--country Atlantis" in capsys.readouterr().err
    assert cli.exit_code(["backtest", str(file), "--frequency", "W"]) == 3
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("flag", ["--out", "--section"])
def test_no_output_goes_over_the_table_itself(tmp_path, capsys, flag):
    file, link = tmp_path / "table.csv", tmp_path / "link.csv"
    file.write_text("no table at all")
    link.symlink_to(file)
    for path in (file, link, tmp_path / "." / "table.csv"):
        assert cli.exit_code(["backtest", str(file), "--frequency", "W", flag, str(path)]) == 2
        assert f"{flag} names the table itself" in capsys.readouterr().err
    assert file.read_text() == "no table at all"
    assert cli.exit_code(["backtest", str(file), "--frequency", "W", "--out", "a", "--section", "./a"]) == 2


def test_a_table_beyond_what_the_calendar_knows_says_so(tmp_path, capsys):
    table, later = weekly(2), WEEKS + 7 * 52 * 18
    file = written(tmp_path / "table.csv", SeriesTable(table.names, later, table.values))
    arguments = ["backtest", str(file), "--frequency", "W-SUN", "--origins", "1", "--json"]
    assert cli.exit_code([*arguments, "--country", "MY"]) == 0
    said = "holidays are known from 1991 to 2040: from 2041-01-06 on the table has none"
    captured = capsys.readouterr()
    assert said in captured.err
    assert json.loads(captured.out)["notes"] == [said]
    assert beyond_calendar(WEEKS) is None
    early = np.array(["1990-12-30", "1991-01-06"], "datetime64[D]")
    assert beyond_calendar(early) == "holidays are known from 1991 to 2040: up to 1990-12-30 the table has none"
    assert cli.exit_code(arguments) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == []
