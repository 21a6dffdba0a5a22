"""What trees see of a series when they are asked of a period to come: the same columns for every pace and table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.forecasting.calendars import COLUMNS
from features.forecasting.past import N_LAGS, Past
from features.forecasting.weekdays import WEEK, WEEKS
from features.forecasting.windows import mean_known, median_known, rolling

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_RECENT = ("holidays", "ramadan_days")
_RECENT_WINDOW = 4
_SHARED = ("lag_1", "lag_2", "mean_2", "year_1", "years", "moons", "usual_year", "usual_moon", "weekday_4")
_DAYS_OF = ("year", "around_year", "moon")

FEATURES: tuple[tuple[str, str], ...] = (
    *(
        (f"lag_{n}", f"log of one more, {n} periods before the period to come begins, over the level")
        for n in range(1, N_LAGS + 1)
    ),
    *((f"mean_{n}", "mean of logs over the pace's window, over the level") for n in range(1, 6)),
    ("wobble", "standard deviation of logs over the level's window"),
    ("wobble_year", "standard deviation of logs over a year"),
    ("level", "log of one more: the mean of logs over the level's window"),
    *((f"year_{n}", f"the day {n} years before, over the level then; of daily tables") for n in (1, 2, 3)),
    *((f"around_year_{n}", f"the days around {n} years before, over the level then; of daily") for n in (1, 2, 3)),
    ("years", "mean of the days of the years before; of daily tables"),
    ("around_years", "mean of the days around, of the years before; of daily tables"),
    ("usual_year", "median of the periods one to six years before, over the level then; not of daily tables"),
    ("since_year", "the level over that of a year before"),
    *((f"moon_{n}", f"the days {n} lunar years before, over the level then; of daily tables") for n in (1, 2, 3)),
    ("moons", "mean of the days of the lunar years before; of daily tables"),
    ("usual_moon", "median of the periods one to six lunar years before, over the level then; not of daily tables"),
    ("weekday_1", "the last same weekday, over the level; of daily tables"),
    ("weekday_4", "mean of the last four same weekdays, over the level; of daily tables"),
    ("weekday_13", "mean of the last thirteen same weekdays, over the level; of daily tables"),
    *((f"all_{name}", f"mean of {name} over all series") for name in _SHARED),
    *((name, "of the period to come") for name in COLUMNS),
    *(
        (f"{name}_{when}", f"{what} of the periods known")
        for name in _RECENT
        for when, what in (
            ("now", "the last"),
            ("recently", "the mean of the last four"),
            ("in_level", "the mean over the level's window"),
        )
    ),
    ("horizon", "periods from the last one known to the one to come"),
)
"""Names and units of the columns."""

NAMES = tuple(name for name, _ in FEATURES)

LEVEL_MOST = float(np.log1p(64.0))
"""Of larger counts chance says next to nothing: how large they are would only tell trees which series it is."""


def rows_of(past: Past, calendar: Floats, origins: Ints, horizon: int, level: int) -> Floats:
    """Return rows for the period ``horizon`` after each origin.

    Parameters
    ----------
    past : Past
    calendar : ndarray of float64, shape (at least n_periods + horizon, n_columns)
        As ``calendar_columns`` gives it, from the past's first period on.
    origins : ndarray of int64, shape (n_origins,)
        Places of the last period known.
    horizon : int
    level : int
        Which of the pace's levels is measured by, 0 or 1.

    Returns
    -------
    ndarray of float64, shape (n_series, n_origins, n_features)
    """
    columns = _own(past, origins, horizon, level)
    for name in _SHARED:
        everybody = mean_known(list(columns[name]))
        columns[f"all_{name}"] = np.broadcast_to(everybody, columns[name].shape)
    shape = columns["level"].shape
    for place, name in enumerate(COLUMNS):
        columns[name] = np.broadcast_to(calendar[origins + horizon, place], shape)
    for name in _RECENT:
        known = calendar[: past.shape[1], COLUMNS.index(name)][None]
        columns[f"{name}_now"] = np.broadcast_to(known[0, origins], shape)
        columns[f"{name}_recently"] = np.broadcast_to(rolling(known, _RECENT_WINDOW)[0][0, origins], shape)
        in_level = rolling(known, past.pace.levels[level])[0][0, origins]
        columns[f"{name}_in_level"] = np.broadcast_to(in_level, shape)
    columns["horizon"] = np.full(shape, float(horizon))
    return np.stack([columns[name] for name in NAMES], axis=-1)


def rows_of_counts(rows: Floats) -> Floats:
    """Return rows as trees that speak of counts see them: levels beyond ``LEVEL_MOST`` are all alike."""
    found = rows.copy()
    place = NAMES.index("level")
    found[..., place] = np.minimum(found[..., place], LEVEL_MOST)
    return found


def _own(past: Past, origins: Ints, horizon: int, level: int) -> dict[str, Floats]:
    pace, logs, base = past.pace, past.logs, past.log_levels[level]
    now = base[:, origins]
    columns = {f"lag_{n}": _at(logs, origins - (n - 1)) - now for n in range(1, N_LAGS + 1)}
    for n, window in enumerate(pace.means, 1):
        columns[f"mean_{n}"] = past.mean(window)[:, origins] - now
    columns["wobble"] = past.wobble(pace.levels[level])[:, origins]
    columns["wobble_year"] = past.wobble(pace.a_year)[:, origins]
    columns["level"] = now
    columns |= _earlier_years(past, origins, horizon, base)
    columns["since_year"] = now - _at(base, origins - pace.a_year)
    back = WEEK * -(-horizon // WEEK)
    same = [_before(logs, origins, horizon, back + WEEK * n) for n in range(WEEKS)] if pace.step_days == 1 else []
    for n in (1, 4, WEEKS):
        columns[f"weekday_{n}"] = mean_known(same[:n]) - now if same else np.full(now.shape, np.nan)
    return columns


def _earlier_years(past: Past, origins: Ints, horizon: int, base: Floats) -> dict[str, Floats]:
    """Return what earlier years say: of days each by itself, of longer periods what is usual.

    A single year like no other, such as one of a pandemic, moves no median.
    """
    pace = past.pace
    shape = len(past.logs), len(origins)
    columns = {f"{name}{n}": np.full(shape, np.nan) for name in _DAYS_OF for n in ("_1", "_2", "_3", "s")}
    columns |= {"usual_year": np.full(shape, np.nan), "usual_moon": np.full(shape, np.nan)}
    if pace.step_days != 1:
        years = [_before(past.logs, origins, horizon, one) - _at(base, origins - one) for one in pace.years]
        moons = [_moon(past, origins, horizon, one) - _at(base, origins - one) for one in pace.moons]
        return columns | {"usual_year": median_known(years), "usual_moon": median_known(moons)}
    for n, (year, moon) in enumerate(list(zip(pace.years, pace.moons, strict=True))[:3], 1):
        then = _at(base, origins - year)
        columns[f"year_{n}"] = _before(past.logs, origins, horizon, year) - then
        around = [_before(past.logs, origins, horizon + off, year) for off in range(-pace.around, pace.around + 1)]
        columns[f"around_year_{n}"] = mean_known(around) - then
        columns[f"moon_{n}"] = _moon(past, origins, horizon, moon) - _at(base, origins - moon)
    return columns | {f"{name}s": mean_known([columns[f"{name}_{n}"] for n in (1, 2, 3)]) for name in _DAYS_OF}


def _moon(past: Past, origins: Ints, horizon: int, moon: int) -> Floats:
    if not moon:
        return np.full((past.shape[0], len(origins)), np.nan)
    if past.pace.step_days != 1:
        return _before(past.logs, origins, horizon, moon)
    return mean_known([_before(past.logs, origins, horizon + off, moon) for off in (-1, 0, 1)])


def _before(logs: Floats, origins: Ints, ahead: int, back: int) -> Floats:
    """Return the period ``back`` before the one ``ahead`` of each origin; NaN where it isn't known by then."""
    if back < ahead:
        return np.full((len(logs), len(origins)), np.nan)
    return _at(logs, origins + ahead - back)


def _at(x: Floats, places: Ints) -> Floats:
    found = np.full((len(x), len(places)), np.nan)
    there = (places >= 0) & (places < x.shape[1])
    found[:, there] = x[:, places[there]]
    return found
