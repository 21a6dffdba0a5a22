"""The artefact that is there, on histories as they come."""

from __future__ import annotations

import dataclasses
import json
import shutil

import joblib
import numpy as np
import pytest

from features.forecasting.calendars import calendar_columns
from features.forecasting.histories import refusals
from features.forecasting.past import past_of
from features.forecasting.reconciliation import added_up
from features.forecasting.rows import LEVEL_MOST, NAMES, rows_of
from features.scoring import ModelRefusedError
from features.series import LEVELS, SeriesTable
from producers.simulator import World
from producers.simulator.demand import daily_demand
from smartblood.errors import Fatal
from smartblood.registry.forecaster import COUNT, USUAL, Learner, forecaster_of
from smartblood.registry.loading import load_forecaster, load_released_forecaster, verify
from smartblood.registry.manifest import read_manifest
from smartblood.registry.trees import UnreadableTreesError
from smartblood.settings import MODELS_DIR

LAST = np.datetime64("2025-06-30")
HORIZON = 30


@pytest.fixture(scope="module")
def forecaster():
    return load_forecaster(MODELS_DIR)


@pytest.fixture(scope="module")
def world():
    # Another seed than the artefact was learned from, and districts that differ as Kerala's may.
    return daily_demand(World(), 77, LAST, 800, sizes=(0.5, 20.0))


class Heard:
    """Trees that say nothing, and keep what they were shown."""

    def raw_scores(self, rows):
        self.rows = rows
        return np.zeros(len(rows))


def changed(table, rows):
    values = table.values.copy()
    for row, given in rows.items():
        values[row] = given
    return SeriesTable(table.names, table.days, values)


def same(one, other):
    assert one.mean.tobytes() == other.mean.tobytes()
    assert one.quantiles.tobytes() == other.quantiles.tobytes()


def test_every_series_gets_a_mean_and_quantiles_that_do_not_cross(forecaster, world):
    said = forecaster.forecast(world, HORIZON)
    assert said.days[0] == LAST + 1
    assert said.mean.shape == (len(world.names), HORIZON)
    assert said.quantiles.shape == (len(world.names), HORIZON, len(LEVELS))
    assert (said.mean > 0).all()
    assert (said.quantiles >= 0).all()
    assert (np.diff(said.quantiles, axis=-1) >= 0).all()
    same(said, forecaster.forecast(world, HORIZON))
    few = forecaster.forecast(world, 7, (0.1, 0.5, 0.9))
    assert few.quantiles.tobytes() == np.ascontiguousarray(said.quantiles[:, :7, [0, 4, 8]]).tobytes()


def test_a_version_of_before_weekdays_counted_says_what_it_said(world):
    content = joblib.load(MODELS_DIR / read_manifest(MODELS_DIR).entry("demand_forecast").file)
    world = SeriesTable(world.names, world.days, world.values * 200)
    learners = [{**one, "kind": "count"} for one in content["learners"]]
    by_size = np.array(content["conformal"])[:, :4, 0].tolist()
    earlier = forecaster_of({**content, "learners": learners, "conformal": by_size}, sha256="")
    said = earlier.forecast(world, 7)
    assert np.isfinite(said.quantiles).all()
    past = past_of(world.values, world.names, earlier.pace)
    last = np.array([len(world.days) - 1])
    calendar = calendar_columns(np.concatenate([world.days, said.days]), earlier.pace, earlier.place)
    rows = rows_of(past, calendar, last, 1, 0)  # with levels as large as they are
    assert (rows[..., NAMES.index("level")] > LEVEL_MOST).any()
    levels = {}
    for kind in (COUNT, USUAL):
        trees = Heard()
        means = Learner(kind, 0, trees).means(past, last, rows, 1)[:, 0]
        levels[kind] = trees.rows[:, NAMES.index("level")]
        if kind == COUNT:
            assert np.array_equal(means, past.mean_levels[0][:, -1])
    assert np.array_equal(levels[COUNT], rows[:, 0, NAMES.index("level")])
    assert levels[USUAL].max() == LEVEL_MOST


def test_means_add_up_to_what_is_asked_for(forecaster):
    table = daily_demand(World(), 78, LAST, 830)
    known = SeriesTable(table.names, table.days[:-HORIZON], table.values[:, :-HORIZON])
    said = added_up(known.names, forecaster.forecast(known, HORIZON).mean, 1)[1].sum(axis=1)
    came = added_up(known.names, table.values[:, -HORIZON:], 1)[1].sum(axis=1)
    before = added_up(known.names, known.values[:, -HORIZON:], 1)[1].sum(axis=1)
    assert np.abs(said - came).sum() < np.abs(before - came).sum() * 1.2
    assert np.abs(said - came).sum() < 0.25 * came.sum()


def test_bad_histories_are_forecast_or_refused_and_the_rest_goes_on(forecaster, world):
    million = world.values[4].copy()
    million[-40] = 1e6
    gaps = world.values[5].copy()
    gaps[100:400], gaps[-20:-10] = np.nan, np.nan
    one_point = np.full(len(world.days), np.nan)
    one_point[-3] = 2
    bad = changed(
        world,
        {0: 0.0, 1: np.nan, 2: -5.0, 3: one_point, 4: million, 5: gaps, 6: np.where(world.values[6] > 0, -1, np.nan)},
    )
    said = forecaster.forecast(bad, HORIZON)
    assert set(refusals(bad)) == {bad.names[1], bad.names[2], bad.names[6]}
    assert "nothing is known" in refusals(bad)[bad.names[1]]
    assert "0 or more" in refusals(bad)[bad.names[2]]
    for row in (1, 2, 6):
        assert np.isnan(said.mean[row]).all()
        assert np.isnan(said.quantiles[row]).all()
    assert np.isfinite(np.delete(said.mean, [1, 2, 6], axis=0)).all()
    assert np.isfinite(np.delete(said.quantiles, [1, 2, 6], axis=0)).all()
    plain = forecaster.forecast(world, HORIZON)
    assert said.mean[0].mean() < 0.2 * plain.mean[0].mean()
    assert said.mean[4].mean() < 10 * max(plain.mean[4].mean(), 1.0)
    assert np.allclose(said.mean[20:], plain.mean[20:], rtol=0.3, atol=0.1)


def test_intervals_of_an_unsteady_history_are_wider(forecaster, world):
    row = int(world.values.mean(axis=1).argmax())
    rng = np.random.default_rng(0)
    wild = world.values[row] * rng.choice([0.2, 1.8], len(world.days))
    said, plain = (
        forecaster.forecast(changed(world, {row: np.rint(wild)}), HORIZON),
        forecaster.forecast(world, HORIZON),
    )

    def width(forecast):
        return ((forecast.quantiles[row, :, -1] - forecast.quantiles[row, :, 0]) / forecast.mean[row]).mean()

    assert width(said) > 1.3 * width(plain)


@pytest.mark.parametrize("sizes", [(0.5, 20.0), (0.5, 2_000.0)])
def test_a_district_with_a_week_of_history_borrows(forecaster, sizes):
    world = daily_demand(World(), 77, LAST, 800, sizes=sizes)
    rows = [n for n, name in enumerate(world.names) if name[0] == "Kollam"]
    known = world.values[rows].copy()
    known[:, :-7] = np.nan
    said = forecaster.forecast(changed(world, dict(zip(rows, known, strict=True))), HORIZON).mean[rows].sum()
    plain = forecaster.forecast(world, HORIZON).mean[rows].sum()
    assert plain / 2 < said < plain * 2
    alone = forecaster.forecast(changed(world, dict(zip(rows, known, strict=True))), HORIZON).mean[rows]
    shares = alone.sum(axis=1) / alone.sum()
    assert shares[0] > 0.2  # O_POS, as everywhere
    assert (alone > 0).all()


@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_few_days_are_enough_for_a_forecast(forecaster, world, n):
    short = SeriesTable(world.names, world.days[-n:], world.values[:, -n:])
    said = forecaster.forecast(short, HORIZON)
    assert np.isfinite(said.mean).all()
    state = said.mean.sum(axis=0).mean()
    assert world.values[:, -n:].sum(axis=0).mean() * 0.4 < state < world.values[:, -n:].sum(axis=0).mean() * 2.5


@pytest.mark.parametrize("at", [(-400, -35), (-41, -40)])
def test_two_absurd_values_move_a_forecast_no_more_than_one_does(forecaster, world, at):
    values = world.values[4].copy()
    values[list(at)] = 1e9
    said, plain = forecaster.forecast(changed(world, {4: values}), HORIZON), forecaster.forecast(world, HORIZON)
    assert said.mean[4].mean() < 10 * max(plain.mean[4].mean(), 1.0)
    assert said.quantiles[4].max() < 30 * max(plain.quantiles[4].max(), 1.0)
    assert np.allclose(np.delete(said.mean, 4, axis=0), np.delete(plain.mean, 4, axis=0), rtol=0.3, atol=0.1)


@pytest.mark.parametrize("n", [1, 2, 3, 10])
@pytest.mark.parametrize("at", [0, -1])
def test_one_absurd_value_of_a_short_history_gives_no_absurd_forecast(forecaster, world, n, at):
    values = world.values[:, -n:].copy()
    plain = forecaster.forecast(SeriesTable(world.names, world.days[-n:], values), HORIZON)
    odd = values.copy()
    odd[4, at] = 1e9
    said = forecaster.forecast(SeriesTable(world.names, world.days[-n:], odd), HORIZON)
    assert said.mean[4].mean() < 20 * max(plain.mean[4].mean(), 1.0)
    assert said.mean.sum() < 2 * plain.mean.sum()


def test_what_it_did_not_learn_is_refused(forecaster, world):
    weekly = SeriesTable((("a",),), np.arange("2024-01-07", "2025-01-01", 7, dtype="datetime64[D]"), np.ones((1, 52)))
    with pytest.raises(ValueError, match="7 days"):
        forecaster.forecast(weekly, 4)
    with pytest.raises(ValueError, match="horizon of 0"):
        forecaster.forecast(world, 0)
    with pytest.raises(ValueError, match="no series or no day"):
        forecaster.forecast(SeriesTable((), world.days, np.empty((0, len(world.days)))), 4)


@pytest.fixture
def models_dir(tmp_path):
    return shutil.copytree(MODELS_DIR, tmp_path / "models")


def test_the_artefact_is_checked_before_it_is_read(models_dir):
    entry = read_manifest(models_dir).entry("demand_forecast")
    assert load_forecaster(models_dir).sha256 == entry.sha256
    assert load_released_forecaster(models_dir, entry.version, entry.sha256).version == entry.version
    with pytest.raises(ModelRefusedError, match="was released"):
        load_released_forecaster(models_dir, entry.version, "0" * 64)
    path = models_dir / entry.file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Fatal, match="has the digest"):
        load_forecaster(models_dir)
    assert [one.what for one in verify(models_dir) if one.problem] == [f"demand_forecast {entry.version}"]


@pytest.mark.parametrize("part", ["weights", "conformal", "medians", "stretches"])
@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_an_artefact_with_a_number_that_is_none_is_refused(part, odd):
    content = joblib.load(MODELS_DIR / read_manifest(MODELS_DIR).entry("demand_forecast").file)
    # Of tables whose series are large
    content["fan"] = {"level": 0, "trees": [], "medians": [1.0], "stretches": [1.0, 1.0]}
    holder = content if part in content else content["fan"]
    numbers = np.array(holder[part], float)
    numbers[(-1,) * numbers.ndim] = odd
    holder[part] = numbers.tolist()
    with pytest.raises(UnreadableTreesError, match="no finite number"):
        forecaster_of(content, sha256="")


def test_a_forecast_that_is_no_number_is_refused(forecaster):
    for weights in (np.nan, -1e6):
        odd = dataclasses.replace(forecaster, weights=forecaster.weights * weights)
        with pytest.raises(UnreadableTreesError, match="no finite number, or below 0"):
            odd.try_out()


def test_another_version_of_a_library_is_refused(models_dir):
    path = models_dir / "model_map.json"
    data = json.loads(path.read_text("utf-8"))
    for entry in data["models"]:
        entry["libraries"] |= {"holidays": "0.1"}
    path.write_text(json.dumps(data), "utf-8")
    with pytest.raises(Fatal, match=r"holidays 0\.1"):
        load_forecaster(models_dir)
    version = load_forecaster(MODELS_DIR).version
    assert [one.what for one in verify(models_dir) if one.problem] == [f"demand_forecast {version}"]


@pytest.mark.parametrize(("rate", "spread"), [(5, 0.0), (100, 0.0), (100, 0.15), (1_000, 0.0)])
def test_steady_series_are_forecast_as_well_as_by_the_mean_of_their_weekdays(forecaster, rate, spread):
    rng = np.random.default_rng(rate)
    days = np.arange(LAST - 699, LAST + 1)
    weekdays = np.exp(rng.normal(0, 0.3, (16, 7)))[:, np.arange(700) % 7]
    values = rng.poisson(rate * weekdays * np.exp(rng.normal(0, spread, (16, 700)))).astype(float)
    names = tuple((f"place {n}", "O_POS") for n in range(16))
    known, came = SeriesTable(names, days[:-HORIZON], values[:, :-HORIZON]), values[:, -HORIZON:]
    said = forecaster.forecast(known, HORIZON)
    usual = np.stack([known.values[:, -7 * 13 + n % 7 :: 7].mean(axis=1) for n in range(HORIZON)], axis=1)
    missed_by_trees = 0.02 * came.sum()  # they go by steps: of large counts it is as much as chance
    assert np.abs(said.mean - came).sum() < 1.2 * np.abs(usual - came).sum() + missed_by_trees
    low, high = (said.quantiles[:, :, LEVELS.index(level)] for level in (0.1, 0.9))
    within = ((low <= came) & (came <= high)).mean()
    assert (0.45 if rate > 500 else 0.65) < within < 0.93


@pytest.mark.parametrize("n", [14, 28, 40, 91])
@pytest.mark.parametrize("rate", [0.5, 7, 50])
def test_a_group_that_was_never_asked_for_and_then_is_is_believed(forecaster, world, rate, n):
    row, rng = 4, np.random.default_rng(n)
    values = rng.poisson(rate, len(world.days) + HORIZON).astype(float)
    values[: len(world.days) - n] = 0
    said = forecaster.forecast(changed(world, {row: values[:-HORIZON]}), HORIZON)
    now = values[-HORIZON - n : -HORIZON].mean()
    assert said.mean[row].mean() == pytest.approx(now, rel=0.3, abs=0.3)
    came = values[-HORIZON:]
    within = (said.quantiles[row, :, 0] <= came) & (came <= said.quantiles[row, :, -1])
    assert within.mean() > 0.6


@pytest.mark.parametrize("n", [28, 60])
def test_a_group_that_is_asked_for_no_more_is_believed_too(forecaster, world, n):
    values = np.random.default_rng(n).poisson(7, len(world.days)).astype(float)
    values[-n:] = 0
    said = forecaster.forecast(changed(world, {4: values}), HORIZON)
    assert said.mean[4].max() < 0.5


def test_a_break_of_one_series_leaves_the_others_nearly_alone(forecaster, world):
    values = np.zeros(len(world.days))
    values[-40:] = np.random.default_rng(3).poisson(7, 40)
    said, plain = forecaster.forecast(changed(world, {4: values}), HORIZON), forecaster.forecast(world, HORIZON)
    assert np.allclose(np.delete(said.mean, 4, axis=0), np.delete(plain.mean, 4, axis=0), rtol=0.05, atol=0.05)
