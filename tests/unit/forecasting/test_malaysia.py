"""The bars on weekly blood donations in Malaysia; some minutes each, so with ``make soak``."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from features.forecasting.calendars import Place
from smartblood.forecasting.backtest import Plan, backtest
from smartblood.forecasting.tables import read_table
from tests.bench.malaysia import write_tables

SOURCE = Path(__file__).parents[3].parent / "shared/data/malaysia"

ORIGINS = {"national": (26, "2022-05-08"), "states": (13, "2022-07-03")}
"""Of each table: how many, and the first target."""

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not SOURCE.exists(), reason="the tables of Malaysia aren't here"),
]


@cache
def judged(name):
    n_origins, first = ORIGINS[name]
    with TemporaryDirectory() as folder:
        write_tables(SOURCE, Path(folder))
        long = read_table(Path(folder, f"{name}.csv"), "W-SUN")
    found = backtest(long.table, Plan(4, 52, n_origins, 4, Place("MY")))
    assert long.spelled[found.cutoffs[0] + 1] == first
    return found


@pytest.mark.parametrize(("name", "wape", "wql"), [("national", 0.102, 0.075), ("states", 0.27, 0.21)])
def test_weekly_forecasts_beat_the_classics_and_keep_their_word(name, wape, wql):
    found = judged(name)
    ours, naive, ets = (found.figures()[one] for one in ("forecaster", "seasonal naive", "ETS"))
    assert ours.wape <= wape
    assert ours.wape < min(naive.wape, ets.wape)
    assert ours.wql <= wql
    assert ours.wql < ets.wql
    assert 0.73 <= ours.coverage <= 0.87
    quantiles = found.said["forecaster"].quantiles
    assert (np.diff(quantiles, axis=-1) >= 0).all()
    assert (quantiles >= 0).all()


@pytest.mark.parametrize(("figure", "asked_for"), [("wape", 0.26), ("wql", 0.187)])
@pytest.mark.xfail(reason="not reached: 26.3 % and 0.2047, see docs/forecasts.md", raises=AssertionError, strict=True)
def test_new_donors_are_forecast_as_well_as_was_asked_for(figure, asked_for):
    found = judged("states").figures()["forecaster"]
    assert getattr(found, figure) <= asked_for
