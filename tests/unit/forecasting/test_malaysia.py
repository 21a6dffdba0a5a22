"""The bars on weekly blood donations in Malaysia; some minutes each, so with ``make soak``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.forecasting.calendars import Place
from smartblood.forecasting.backtest import Plan, backtest
from smartblood.forecasting.tables import read_table
from tests.bench.malaysia import write_tables

SOURCE = Path(__file__).parents[3].parent / "shared/data/malaysia"


@pytest.mark.soak
@pytest.mark.skipif(not SOURCE.exists(), reason="the tables of Malaysia aren't here")
@pytest.mark.parametrize(
    ("name", "n_origins", "first", "wape", "wql"),
    [
        ("national", 26, "2022-05-08", 0.102, 0.075),
        pytest.param(
            *("states", 13, "2022-07-03", 0.26, 0.187),
            marks=pytest.mark.xfail(reason="not reached: 26.3 % and 0.2062, see docs/forecasts.md"),
        ),
    ],
)
def test_weekly_forecasts_beat_the_classics_and_keep_their_word(tmp_path, name, n_origins, first, wape, wql):
    write_tables(SOURCE, tmp_path)
    long = read_table(tmp_path / f"{name}.csv", "W-SUN")
    found = backtest(long.table, Plan(4, 52, n_origins, 4, Place("MY")))
    assert long.spelled[found.cutoffs[0] + 1] == first
    ours, naive, ets = (found.figures()[one] for one in ("forecaster", "seasonal naive", "ETS"))
    assert ours.wape <= wape
    assert ours.wape < min(naive.wape, ets.wape)
    assert ours.wql <= wql
    assert ours.wql < ets.wql
    assert 0.73 <= ours.coverage <= 0.87
    quantiles = found.said["forecaster"].quantiles
    assert (np.diff(quantiles, axis=-1) >= 0).all()
    assert (quantiles >= 0).all()
