from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest

from features.forecasting.calendars import beyond_calendar
from features.forecasting.histories import unit_of, usable
from features.series import LEVELS, SeriesTable
from smartblood import cli
from smartblood.cli.backtest import _season
from smartblood.errors import Fatal
from smartblood.forecasting import fitting
from smartblood.forecasting.backtest import Backtest, Plan, Said, backtest
from smartblood.forecasting.classics import exponential_smoothing, seasonal_naive
from smartblood.forecasting.combining import combine
from smartblood.forecasting.learning import learn
from smartblood.forecasting.tables import LongTable
from smartblood.forecasting.view import left_out, write_forecasts
from smartblood.registry.forecaster import forecaster_of

WEEKS = np.arange("2021-01-03", "2024-01-01", 7, dtype="datetime64[D]")


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch):
    monkeypatch.setattr(fitting, "N_TREES", 15)


def weekly(n_series=3, seed=0):
    rng = np.random.default_rng(seed)
    turn = 2 * np.pi * np.arange(len(WEEKS)) / 52.18
    size = np.array([200.0, 800.0, 50.0])[:n_series, None]
    values = rng.poisson(size * np.exp(0.3 * np.sin(turn) + rng.normal(0, 0.1, (n_series, len(WEEKS)))))
    return SeriesTable(tuple((name,) for name in "abc"[:n_series]), WEEKS, values.astype(float))


def written(path, table, spell=str):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["note", "series", "day", "value"])
        for (name,), row in zip(table.names, table.values, strict=True):
            known = ((day, value) for day, value in zip(table.days, row, strict=True) if not np.isnan(value))
            writer.writerows(["x", name, spell(day), int(value)] for day, value in known)
    return path


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


def test_large_series_get_learned_quantiles_and_bad_ones_among_them_stop_no_other():
    table = weekly()
    values = table.values.copy()
    values[1], values[2] = np.nan, np.nan
    values[2, -3] = 40
    bad = np.vstack([values, np.zeros(len(WEEKS)), values[0]])
    bad[4, -30] = 1e6
    known = SeriesTable((*table.names, ("zero",), ("million",)), WEEKS, bad)
    content = learn(known, 3, version="0").content
    said = forecaster_of(content, sha256="").forecast(known, 5)
    assert len(content["fan"]["stretches"]) == 3
    assert np.isnan(said.mean[1]).all()
    assert np.isnan(said.quantiles[1]).all()
    others = np.delete(said.quantiles, 1, axis=0)
    assert np.isfinite(others).all()
    assert (others >= 0).all()
    assert (np.diff(others, axis=-1) >= 0).all()
    assert said.mean[3].max() < 0.1
    assert (said.quantiles[3, :, 0] == 0).all()  # so nothing, if that comes, is within
    assert said.mean[4] == pytest.approx(said.mean[0], rel=1.0)
    width = said.quantiles[0, :, -1] / said.quantiles[0, :, 0]
    assert (width[3:] > 1).all()


def test_the_middle_of_lopsided_series_is_their_median_and_their_mean_adds_up():
    rng, ahead = np.random.default_rng(6), 4
    values = 100 * np.exp(rng.normal(0, 0.8, (40, len(WEEKS) + ahead)))  # a mean of 138
    known = SeriesTable(tuple((f"s{n}",) for n in range(40)), WEEKS, values[:, : len(WEEKS)])
    content = learn(known, ahead, version="0").content
    said = forecaster_of(content, sha256="").forecast(known, ahead)
    assert said.quantiles[..., LEVELS.index(0.5)].mean() == pytest.approx(100, rel=0.1)
    assert said.mean.mean() == pytest.approx(138, rel=0.1)
    below = [np.mean(values[:, len(WEEKS) :] < said.quantiles[..., n]) for n in range(len(LEVELS))]
    assert below == pytest.approx(LEVELS, abs=0.1)
    del content["fan"]["medians"]  # as those before had it
    before = forecaster_of(content, sha256="").forecast(known, ahead)
    assert before.quantiles[..., LEVELS.index(0.5)] == pytest.approx(before.mean)


@pytest.mark.parametrize("size", [1.0, 0.01], ids=["large series", "small counts"])
@pytest.mark.parametrize("absurd", [5_000.0, 1e6])
def test_one_absurd_value_in_what_judges_moves_no_other_series(size, absurd):
    table = weekly()
    plain = np.rint(table.values * size)
    spoilt = plain.copy()
    spoilt[0, -10] = absurd  # within the last fold's outcomes
    said = [
        forecaster_of(learn(one, 3, version="0").content, sha256="").forecast(one, 3).mean[1:]
        for one in (SeriesTable(table.names, WEEKS, values) for values in (plain, spoilt))
    ]
    assert said[1] == pytest.approx(said[0], rel=0.2)
    assert said[1].sum() == pytest.approx(said[0].sum(), rel=0.1)


def test_a_series_of_one_point_is_as_unsure_as_any_other():
    table = weekly()
    point = np.full(len(WEEKS), np.nan)
    point[5] = 200
    known = SeriesTable((*table.names, ("point",)), WEEKS, np.vstack([table.values, point]))
    said = forecaster_of(learn(known, 3, version="0").content, sha256="").forecast(known, 3)
    width = np.log(said.quantiles[..., -1]) - np.log(said.quantiles[..., 0])
    assert (width[3] >= width[:3].max(axis=0) - 0.02).all()  # of logarithms of one more


def test_a_fold_that_is_too_short_to_learn_from_is_left_out():
    months = np.arange("2018-01", "2024-01", dtype="datetime64[M]").astype("datetime64[D]")
    values = np.random.default_rng(3).poisson(100, (1, len(months))).astype(float)
    table = SeriesTable((("a",),), months, values)
    content = learn(table, 3, version="0")
    assert content.told["folds"]
    assert np.isfinite(forecaster_of(content.content, sha256="").forecast(table, 3).mean).all()
    with pytest.raises(ValueError, match="teach nothing"):
        learn(SeriesTable((("a",),), months[:40], values[:, :40]), 3, version="0")


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


def test_one_series_that_is_the_same_each_week_is_forecast():
    days = np.arange("2024-07-20", "2026-09-28", dtype="datetime64[D]")
    values = 3.0 + np.arange(len(days)) % 7
    said = backtest(SeriesTable((("k",),), days, values[None]), Plan(4, 7, 1, 4)).said["forecaster"]
    assert ((said.means > 2) & (said.means < 10)).all()
    assert np.isfinite(said.quantiles).all()


def test_months_and_days_with_gaps_are_forecast_too():
    rng = np.random.default_rng(1)
    months = (np.arange("2015-01", "2024-01", dtype="datetime64[M]") + 1).astype("datetime64[D]") - 1
    values = rng.poisson(100, (3, len(months))).astype(float)
    values[1, 40:44] = np.nan
    names = (("a",), ("b",), ("c",))
    found = backtest(SeriesTable(names, months, values), Plan(3, 12, 2, 3))
    assert np.isfinite(found.said["forecaster"].means).all()
    days = np.arange("2023-01-01", "2023-12-01", dtype="datetime64[D]")
    found = backtest(SeriesTable(names, days, rng.poisson(2, (3, len(days))).astype(float)), Plan(5, 7, 1, 1))
    assert np.isfinite(found.said["forecaster"].quantiles).all()


def test_where_nothing_was_asked_for_at_first_or_ever_next_to_nothing_is_forecast():
    days = np.arange("2023-01-01", "2023-07-20", dtype="datetime64[D]")
    nothing = np.zeros((4, len(days)))
    late = nothing.copy()
    late[:, -20:] = np.random.default_rng(2).poisson(3, (4, 20))
    for values in (nothing, late):
        known = SeriesTable(tuple((name,) for name in "abcd"), days, values)
        found = forecaster_of(learn(known, 1, version="0").content, sha256="").forecast(known, 1)
        assert (found.mean > 0.5).all() if values.any() else (found.mean < 0.01).all()
        assert np.isfinite(found.quantiles).all()
        assert (np.diff(found.quantiles, axis=-1) >= 0).all()


def test_what_is_no_whole_number_is_forecast_in_its_own_unit():
    table = weekly(2)
    litres = SeriesTable(table.names, table.days, table.values * 0.00045)
    found, whole = (backtest(one, Plan(2, 52, 1, 1)).said["forecaster"] for one in (litres, table))
    assert found.means == pytest.approx(whole.means * 0.00045, rel=0.1)
    assert found.quantiles == pytest.approx(whole.quantiles * 0.00045, rel=0.2)


@pytest.mark.parametrize("value", [1_000.0, 1_234_567.0, 123_456_789_012.0, 1_000 / 7])
def test_what_never_changes_lies_within_its_intervals(value):
    table = SeriesTable((("a",), ("b",), ("c",)), WEEKS, np.outer([1.0, 3.0, 7.0], np.full(len(WEEKS), value)))
    found = backtest(table, Plan(2, 52, 2, 3)).figures()
    assert (found["forecaster"].coverage, found["ETS"].coverage) == (1, 1)
    assert found["forecaster"].wape < 1e-6


def test_what_is_judged_is_what_is_written(tmp_path, monkeypatch):
    judged = []
    monkeypatch.setattr("smartblood.forecasting.backtest.figures_of", lambda *given: judged.append(given))
    found, out = backtest(weekly(2), Plan(2, 52, 1, 1)), tmp_path / "forecasts.csv"
    found.figures()
    write_forecasts(out, found, LongTable(weekly(2), tuple(map(str, WEEKS)), ()))
    rows = [[float(text) for text in list(row.values())[3:]] for row in csv.DictReader(out.open())]
    _, means, _, quantiles, _ = judged[0]
    assert rows == np.concatenate([means[..., None], quantiles], axis=-1).reshape(4, -1).tolist()


def test_one_absurd_value_makes_no_unit_of_its_own():
    litres = weekly(2).values * 0.00045
    odd = litres.copy()
    odd[0, 20] = 1e9
    assert unit_of(odd) == unit_of(litres) == 1e-4
    assert unit_of(np.array([[0.0, 0.0, 0.5, np.nan]])) == 1e-4
    assert unit_of(np.zeros((1, 3))) == unit_of(np.full((1, 3), np.nan)) == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("nothing", [1e-310, 5e-324, 1e-13, 1e-8])
def test_next_to_nothing_counts_as_nothing_and_spoils_no_other_series(nothing):
    rng = np.random.default_rng(4)
    values = np.vstack([rng.poisson(3, (2, len(WEEKS))), np.full((1, len(WEEKS)), nothing)])
    plain = np.where(np.arange(3)[:, None] > 1, 0.0, values)
    names = (("a",), ("b",), ("c",))
    assert unit_of(usable(SeriesTable(names, WEEKS, values))) == 1
    known, of_zeros = SeriesTable(names, WEEKS, values), SeriesTable(names, WEEKS, plain)
    said, same = (
        forecaster_of(learn(one, 1, version="0").content, sha256="").forecast(one, 1) for one in (known, of_zeros)
    )
    assert said.mean == pytest.approx(same.mean, rel=0.05)
    assert said.quantiles == pytest.approx(same.quantiles, abs=1)
    all_of_it = SeriesTable(names, WEEKS, np.full((3, len(WEEKS)), nothing))
    alone = forecaster_of(learn(all_of_it, 1, version="0").content, sha256="").forecast(all_of_it, 1)
    assert np.isfinite(alone.mean).all()
    assert (alone.mean < 0.01).all()


def test_the_unit_is_that_of_most_series_and_small_ones_of_their_own_have_one():
    rng = np.random.default_rng(4)
    values = np.vstack([np.where(np.arange(50) > 10, rng.poisson(3, 50) + 0.5, np.nan), np.full(50, 1e-5)])
    assert unit_of(values) == unit_of(values[:1]) == 1e-3
    assert unit_of(values[1:]) == 1e-8
    large = np.vstack([values[0], np.full(50, 25.5), np.full(50, 1e5)])
    assert unit_of(large) == 1e-2  # the largest doesn't set it either


def test_no_slips_make_more_than_ten_times_the_greatest_that_ever_was():
    """Slip after slip, of all sizes, in the last weeks: fans multiply to a million times what there is."""
    rng, days = np.random.default_rng(5), np.arange("2022-01-01", "2023-05-12", dtype="datetime64[D]")
    values = rng.poisson(np.array([65.0, 45.0, 15.0, 30.0])[:, None], (4, len(days))).astype(float)
    wild = values.copy()
    wild[:, -60:] = rng.choice([0.0, 5.0, 100_000.0], (4, 60))
    known = SeriesTable(tuple((name,) for name in "abcd"), days, wild)
    plain = SeriesTable(known.names, days, values)
    content = learn(plain, 7, version="0").content
    assert "fan" in content
    said = forecaster_of(content, sha256="").forecast(known, 7)
    most = 10 * wild.max(axis=1)
    assert (said.mean <= most[:, None]).all()
    assert (said.quantiles <= most[:, None, None]).all()
    content = learn(known, 7, version="0").content
    said = forecaster_of(content, sha256="").forecast(known, 7)
    assert (said.mean <= most[:, None]).all()
    assert (said.quantiles <= most[:, None, None]).all()
    assert (np.diff(said.quantiles, axis=-1) >= 0).all()


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


def test_the_classics_say_what_they_are_known_for():
    values = np.tile(np.array([[10.0, 20.0, 30.0]]), 20)
    assert seasonal_naive(values, 5, 3).tolist() == [[10, 20, 30, 10, 20]]
    means, quantiles = exponential_smoothing(values, 3, 3, (0.1, 0.9))
    assert np.allclose(means, [[10, 20, 30]], rtol=0.02)
    assert (quantiles[..., 0] <= quantiles[..., 1]).all()
    nothing = exponential_smoothing(np.full((1, 20), np.nan), 2, 3, (0.5,))
    assert np.isnan(nothing[0]).all()


@pytest.mark.filterwarnings("error")
def test_learners_of_whom_nothing_is_known_are_heard_alike():
    nothing = np.empty(0)
    assert combine(np.empty((2, 0)), nothing, nothing, nothing.astype(int)).weights.tolist() == [0.5, 0.5]


def test_a_long_season_is_left_out_of_smoothing_and_errors_are_in_proportion_where_they_were():
    rng = np.random.default_rng(5)
    steps = np.exp(np.cumsum(rng.normal(0, 0.05, 120)))
    rising = 100 * steps * np.exp(rng.normal(0, 0.02, 120)) * np.linspace(1, 30, 120)
    means, quantiles = exponential_smoothing(np.stack([rising, 1_000 + rng.normal(0, 10, 120)]), 2, 52, (0.1, 0.9))
    assert means[1] == pytest.approx(1_000, rel=0.01)  # 2 years of 52 periods would have taught it noise
    width = quantiles[..., 1] - quantiles[..., 0]
    assert 0.1 < width[0, 0] / means[0, 0] < 0.3  # of a level 30 times the first's, errors are larger too
    assert 15 < width[1, 0] < 40
    some_zero = np.where(np.arange(60) % 5, 50.0, 0.0)[None]
    assert np.isfinite(exponential_smoothing(some_zero, 2, 52, (0.1, 0.9))[1]).all()


def test_learners_are_combined_only_where_that_wins():
    rng = np.random.default_rng(0)
    truth = rng.uniform(50, 150, 4_000)
    good, other = truth + rng.normal(0, 5, (2, truth.size))
    bad = truth + rng.normal(0, 60, truth.size)
    rest = truth, np.full(truth.size, 100.0), np.arange(truth.size) % 8
    assert (combine(np.stack([good, other, bad]), *rest).weights > 0).tolist() == [True, True, False]
    assert (combine(np.stack([good, bad]), *rest).weights > 0).tolist() == [True, False]
    slightly = good + rng.normal(0, 1, truth.size)  # worse, but not by so much that it's certain to last
    assert (combine(np.stack([good, slightly]), *rest).weights > 0).tolist() == [True, True]
    assert combine(np.stack([good * 1.01]), *rest).weights == pytest.approx([1.0], abs=0.002)
    halved = np.stack([good / 1.5])
    assert combine(halved, *rest).weights == pytest.approx([1.5], rel=0.02)
    assert combine(halved, *rest, within=(0.9, 1.1)).weights == pytest.approx([1.1])


@pytest.mark.parametrize("said_of_it", [1.0, 1_000.0], ids=["far more came", "far less came"])
@pytest.mark.parametrize("better", [0, 1])
def test_one_series_chooses_no_learner_for_others_and_moves_no_sum_of_theirs(said_of_it, better):
    rng = np.random.default_rng(3)
    n, six = 400, 6 * 400
    truth, series = rng.poisson(3, six).astype(float), np.repeat(np.arange(7), n)
    said = 3.0 + rng.normal(0, 0.2, (2, six))
    plain = combine(said, truth, np.full(six, 3.0), series[:six]).weights
    assert (plain > 0).all()
    odd = np.full((2, n), said_of_it)
    odd[better] = 501.0  # nearer by half
    found = combine(
        np.concatenate([said, odd], axis=1),
        np.concatenate([truth, np.full(n, 1_001 - said_of_it)]),
        np.concatenate([np.full(six, 3.0), np.full(n, said_of_it)]),
        series,
    )
    assert found.weights == pytest.approx(plain, rel=0.03)


@pytest.mark.parametrize(("before", "since"), [(30, 75), (50, 150), (80, 25)])
def test_after_all_series_leapt_means_are_near_what_comes(before, since):
    rng = np.random.default_rng(11)
    rates = np.where(np.arange(300) < 240, before, since)
    days = np.datetime64("2022-01-02") + np.arange(300)
    table = SeriesTable(tuple((f"k{n}",) for n in range(6)), days, rng.poisson(rates, (6, 300)).astype(float))
    learned = forecaster_of(learn(table, 7, version="0.0.1").content, sha256="")
    assert learned.forecast(table, 7).mean == pytest.approx(since, rel=0.25)


@pytest.mark.parametrize(("before", "since", "n"), [(1, 1_000, 30), (1_000, 1, 30), (1e5, 1, 78)])
def test_a_series_that_leaps_moves_no_forecast_of_others(monkeypatch, before, since, n):
    monkeypatch.setattr(fitting, "N_TREES", 220)  # a few still say what sums of all they learned from are
    rng = np.random.default_rng(0)
    others, steady = rng.poisson(3, (6, len(WEEKS))), rng.poisson(3, len(WEEKS))
    leaps = np.where(np.arange(len(WEEKS)) < len(WEEKS) - n, before, since)
    names = tuple((name,) for name in "abcdefg")
    plain, spoilt = (
        forecaster_of(learn(known, 2, version="0").content, sha256="").forecast(known, 2).mean[:6]
        for known in (SeriesTable(names, WEEKS, np.vstack([others, one]).astype(float)) for one in (steady, leaps))
    )
    assert spoilt.sum() == pytest.approx(plain.sum(), rel=0.2)
