"""Forecasters learned from tables of all kinds: slips, leaps, next to nothing, units of their own."""

from __future__ import annotations

import numpy as np
import pytest

from features.forecasting.histories import unit_of, usable
from features.series import LEVELS, SeriesTable
from smartblood.forecasting import fitting
from smartblood.forecasting.backtest import Plan, backtest
from smartblood.forecasting.learning import learn
from smartblood.registry.forecaster import forecaster_of
from tests.unit.forecasting.weekly import WEEKS, weekly

pytestmark = pytest.mark.usefixtures("few_trees")


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
