"""Forecasts where little is known of late: the first days of a system, and what comes after nobody looked."""

import numpy as np
import pytest

from features.demand import SYMBOLS, Demand, history_of
from features.districts import DISTRICT_NAMES
from features.series import SeriesTable
from smartblood.forecasting.learning import learn
from smartblood.registry.forecaster import forecaster_of
from smartblood.registry.loading import load_forecaster
from smartblood.settings import MODELS_DIR

TODAY, HORIZON = 20_000, 30
SHARES = {"A+": 6.0, "A-": 0.6, "B+": 9.0, "B-": 0.6, "AB+": 1.8, "AB-": 0.2, "O+": 10.8, "O-": 1.0}
TRUE = len(DISTRICT_NAMES) * sum(SHARES.values())


@pytest.fixture(scope="module")
def forecaster():
    return load_forecaster(MODELS_DIR)


def flat(days, seed, sizes=()):
    """Units asked for on days, by chance alone: each district and group has a rate that never changes."""
    rng = np.random.default_rng(seed)
    return [
        Demand(district, group, list(days), rng.poisson(rate * dict(sizes).get(district, 1.0), len(days)).tolist())
        for district in DISTRICT_NAMES
        for group, rate in SHARES.items()
    ]


def of_the_state(forecaster, history):
    return forecaster.forecast(history, HORIZON).mean.sum() / HORIZON / TRUE


@pytest.mark.parametrize("n", range(1, 8))
def test_the_first_days_of_all_are_taken_for_what_they_are(forecaster, n):
    for offset in (0, 2, 5):  # whichever weekday it is
        end = TODAY + offset
        history = history_of(flat(range(end - n, end), offset), end)
        assert of_the_state(forecaster, history) == pytest.approx(history.values.sum() / n / TRUE, rel=0.1)


@pytest.mark.parametrize(("gap", "n_since"), [(14, 0), (60, 3), (500, 0), (500, 1), (280, 7)])
def test_days_that_nobody_saw_do_not_move_the_level(forecaster, gap, n_since):
    unheard = range(TODAY - n_since - gap, TODAY - n_since)
    sizes = {"Kollam": 0.25, "Idukki": 4.0}
    history = history_of(flat(range(TODAY - 700, TODAY), 9, sizes.items()), TODAY, unheard=unheard)
    said = forecaster.forecast(history, HORIZON)
    of_district = dict.fromkeys(DISTRICT_NAMES, 0.0)
    for (district, _), mean in zip(history.names, said.mean, strict=True):
        of_district[district] += mean.mean() / sum(SHARES.values())
    assert sum(of_district.values()) == pytest.approx(12 + 0.25 + 4, rel=0.1)
    assert of_district["Kollam"] == pytest.approx(0.25, rel=0.35)
    assert of_district["Idukki"] == pytest.approx(4.0, rel=0.15)
    came = {(one.district, SYMBOLS[one.blood_group]): one.units for one in flat(range(HORIZON), 1, sizes.items())}
    outcomes = np.stack([came[name] for name in history.names])
    inside = (said.quantiles[..., 0] <= outcomes) & (outcomes <= said.quantiles[..., -1])
    assert inside.mean() > 0.85


def weeks(n, rates, seed):
    days = np.datetime64("2019-01-06") + 7 * np.arange(n)
    values = np.random.default_rng(seed).poisson(rates, (n, len(rates))).T.astype(float)
    return SeriesTable(tuple((f"s{k}",) for k in range(len(rates))), days, values)


@pytest.fixture(scope="module")
def of_weeks():
    table = weeks(300, (40.0, 200.0, 60.0, 30.0, 90.0, 120.0), 3)
    return table, forecaster_of(learn(table, 4, version="0.0.1").content, sha256="")


@pytest.mark.parametrize(("n_lost", "n_since"), [(20, 0), (60, 0), (130, 0), (20, 1), (60, 1), (60, 3)])
def test_a_series_that_nobody_heard_of_for_long_is_as_it_was_and_unsure(of_weeks, n_lost, n_since):
    table, learned = of_weeks
    values = table.values.copy()
    values[0, 300 - n_lost - n_since : 300 - n_since] = np.nan
    said, plain = (learned.forecast(SeriesTable(table.names, table.days, one), 4) for one in (values, table.values))
    assert said.mean[0] == pytest.approx(40.0, rel=0.2)
    low, high = said.quantiles[0, :, 0], said.quantiles[0, :, -1]
    assert ((low < 38) & (high > 42)).all()
    if n_lost > 52 and not n_since:
        assert ((low < 26) & (high > 58)).all()
    assert said.mean[1:] == pytest.approx(plain.mean[1:], rel=0.1)


def test_large_series_keep_their_weekdays_where_days_of_late_are_not_known():
    rng, shape = np.random.default_rng(8), np.array([1.2, 1.1, 1.0, 0.9, 0.2, 1.4, 1.2])
    days = np.datetime64("2023-01-02") + np.arange(400)
    rates = np.array([30.0, 50.0, 60.0, 80.0])[:, None] * shape[np.arange(400) % 7]
    table = SeriesTable(tuple((f"d{n}",) for n in range(4)), days, rng.poisson(rates).astype(float))
    learned = forecaster_of(learn(table, 7, version="0.0.1").content, sha256="")
    assert learned.fan is not None
    values = table.values.copy()
    values[3, -10:] = np.nan
    said = learned.forecast(SeriesTable(table.names, days, values), 7).mean[3]
    assert said == pytest.approx(80.0 * shape[(400 + np.arange(7)) % 7], rel=0.2)


def test_a_table_that_ends_where_nothing_is_known_is_learned_from_and_forecast():
    table = weeks(300, (40.0,), 4)
    values = table.values.copy()
    values[0, -70:] = np.nan
    of_lull = SeriesTable(table.names, table.days, values)
    learned = forecaster_of(learn(of_lull, 4, version="0.0.1").content, sha256="")
    assert learned.fan is not None  # its series is a large one, and known to be
    said = learned.forecast(of_lull, 4)
    assert said.mean[0] == pytest.approx(40.0, rel=0.2)
    assert (said.quantiles[0, :, 0] < 36).all()
    assert (said.quantiles[0, :, -1] > 44).all()
