"""What the past of series says as of each period: levels, means, years before, spread.

All of it is causal: what stands at a period depends on no later one, so that the same numbers come out whether a
history ends there or goes on. One thing isn't: what is out of all proportion to a series' first values is told by the
median of the first eight of them, and where there is a single one by what others of its kind have. Values are measured
in logarithms of one more, against the series' own level: so trees that learned of some series can speak of others.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from features.forecasting.pace import Pace
from features.forecasting.weekdays import Weekdays, weekdays_of
from features.forecasting.windows import rolling, shifted

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

N_LAGS = 8
BORROWED = 7.0
"""A level that rests on fewer periods than it should counts what its neighbours say as so many more of them."""

MEAN_LEAST = 1e-3
"""No level is lower: where nothing was ever asked for, something may be."""

_USUAL_SHARE = 0.1  # how much of a new value the usual level takes in, where what is out of all proportion is told
_CAP_FACTOR, _CAP_LEAST = 10.0, 20.0
_LEAP_MOST = 100.0  # of what is in proportion: what is beyond is seen three times before it is believed
_SPREAD_BORROWED = 5.0
_SPREAD_LEAST = 0.02


@dataclass(frozen=True, slots=True)
class Past:
    """Arrays of shape (n_series, n_periods), each as of the end of a period.

    Parameters
    ----------
    pace : Pace
    values : ndarray of float64
        Cut down to what is in some proportion, so that one absurd value of one series teaches nothing about the others;
        NaN where nothing is known.
    logs : ndarray of float64
        Logarithms of one more.
    log_levels : tuple of ndarray
        Means of ``logs`` over each of the pace's ``levels``.
    mean_levels : tuple of ndarray
        Means of values over each of the pace's ``levels``; above 0.
    spread : ndarray of float64
        Standard deviation around what was usual (of daily values on that weekday) over a year, relative to it, beyond
        what chance gives to counts.
    weekdays : Weekdays or None
        Of daily tables.
    """

    pace: Pace
    values: Floats
    logs: Floats
    log_levels: tuple[Floats, Floats]
    mean_levels: tuple[Floats, Floats]
    spread: Floats
    weekdays: Weekdays | None = None
    _means: dict[int, Floats] = field(default_factory=dict)
    _squares: dict[int, Floats] = field(default_factory=dict)
    _known: dict[int, Floats] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Of series and periods."""
        n_series, n_periods = self.values.shape
        return n_series, n_periods

    def usual(self, level: int, origins: Ints, horizon: int) -> Floats:
        """Return the mean level as of each origin, of daily tables as its weekday has it ``horizon`` periods later.

        Returns
        -------
        ndarray of float64, shape (n_series, n_origins)
            Above 0.
        """
        return np.asarray(self.mean_levels[level][:, origins] * self.weekday_factors(origins, horizon))

    def weekday_factors(self, origins: Ints, horizon: int) -> Floats:
        """Return what the weekday ``horizon`` periods after each origin is to its level; 1 of other than daily tables.

        Returns
        -------
        ndarray of float64, shape (n_series, n_origins)
        """
        if self.weekdays is None:
            return np.ones((len(self.values), len(origins)))
        return self.weekdays.factors(self.mean_levels[1][:, origins], origins, horizon)

    def is_heard_of(self, origins: Ints) -> NDArray[np.bool_]:
        """Tell of which series enough is known of late, as of each origin, for trees to have a say.

        They learned from series of which most periods are known; where hardly any is, what they say is far off, and the
        level alone is the better guess.

        Returns
        -------
        ndarray of bool, shape (n_series, n_origins)
        """
        window = self.pace.of_late
        if window not in self._known:  # each step ahead asks
            self._known[window] = rolling(self.values, window)[1]
        return np.asarray(self._known[window][:, origins] >= self.pace.enough)

    def mean(self, window: int) -> Floats:
        """Return means of ``logs`` over the last ``window`` periods; NaN where none is known."""
        if window not in self._means:
            self._means[window] = rolling(self.logs, window)[0]
        return self._means[window]

    def wobble(self, window: int) -> Floats:
        """Return standard deviations of ``logs`` over the last ``window`` periods; NaN where none is known."""
        if window not in self._squares:
            self._squares[window] = rolling(self.logs**2, window)[0]
        return np.sqrt(np.maximum(self._squares[window] - self.mean(window) ** 2, 0.0))


def past_of(values: Floats, names: tuple[tuple[str, ...], ...], pace: Pace) -> Past:
    """Work out what the past of series says.

    Parameters
    ----------
    values : ndarray of float64, shape (n_series, n_periods)
        0 or more; NaN where nothing is known.
    names : tuple of tuple of str
        Of each series; those that share the first or the last place are neighbours.
    pace : Pace
    """
    capped = _in_proportion(values, names, pace)
    logs = np.log1p(capped)
    log_priors = _priors(logs, names, pace)
    priors = _mean_priors(capped, names, pace)
    log_levels, mean_levels = [], []
    for window in pace.levels:
        log_levels.append(level_of(logs, window, log_priors))
        mean_levels.append(np.maximum(level_of(capped, window, priors), MEAN_LEAST))
    weekdays = weekdays_of(capped) if pace.step_days == 1 else None
    spread = _spread(capped, mean_levels[1], weekdays, pace)
    levels = (log_levels[0], log_levels[1]), (mean_levels[0], mean_levels[1])
    return Past(pace, capped, logs, *levels, spread, weekdays)


def _in_proportion(values: Floats, names: tuple[tuple[str, ...], ...], pace: Pace) -> Floats:
    """Cut down what is out of all proportion to what was usual, until it is seen to be a level and no slip.

    It is one where the period before was as large, or two were within the periods of the longer level; what is beyond
    all measure (``_LEAP_MOST``) two periods in a row don't show. What was believed once stays in proportion.
    """
    if not values.size:
        return values
    capped = values.copy()
    usual = _usual_at_first(values, names)
    highest, before = np.zeros(len(values)), np.zeros(len(values))
    for t in range(values.shape[1]):
        now = values[:, t]
        there = ~np.isnan(now)
        proportion = _CAP_LEAST + _CAP_FACTOR * usual
        most = np.maximum(proportion, highest)
        most = np.maximum(most, np.where(before <= _LEAP_MOST * proportion, before, 0.0))
        for row in np.flatnonzero(there & (now > most)):
            recent = np.sort(np.nan_to_num(values[row, max(0, t - pace.levels[1]) : t]))
            most[row] = max(most[row], recent[-2] if recent.size > 1 else 0.0)
        capped[:, t] = np.minimum(now, most)
        usual = np.where(there, usual + _USUAL_SHARE * (capped[:, t] - usual), usual)
        highest = np.fmax(highest, capped[:, t])
        before = np.where(there, now, before)
    return capped


def _usual_at_first(values: Floats, names: tuple[tuple[str, ...], ...]) -> Floats:
    """Return medians of the first values, the lower of two where they are few; of a single one what others have.

    The others are those of its kind; all, where there is none of it.
    """
    found = np.zeros(len(values))
    n_known = np.zeros(len(values), np.int64)
    for row, series in enumerate(values):
        first = np.sort(series[~np.isnan(series)][:N_LAGS])
        n_known[row] = first.size
        if first.size:
            found[row] = np.median(first) if first.size == N_LAGS else first[(first.size - 1) // 2]
    kinds = np.array(_codes(_kinds(names)))
    alone = found.copy()
    for single in np.flatnonzero(n_known == 1):
        others = (n_known > 0) & (np.arange(len(values)) != single)
        of_kind = others & (kinds == kinds[single])
        if others.any():
            found[single] = np.median(alone[of_kind if of_kind.any() else others])
    return found


def level_of(x: Floats, window: int, priors: Floats) -> Floats:
    """Return rolling means; those of fewer periods than ``window`` lean on ``priors``, where these aren't NaN."""
    mean, n = rolling(x, window)
    borrowed = np.clip(window - n, 0.0, BORROWED)
    borrowed = np.where(np.isnan(priors), 0.0, borrowed)
    weight = n + borrowed
    total = np.nan_to_num(mean) * n + np.nan_to_num(priors) * borrowed
    return np.where(weight > 0, total / np.maximum(weight, 1e-9), np.nan)


def _priors(x: Floats, names: tuple[tuple[str, ...], ...], pace: Pace) -> Floats:
    """Return what neighbours say of each series' level: that of its kind, moved as its place differs from others.

    A kind is the last place in a name, a place all before it: of ``("Kollam", "O_POS")`` the kind says how much O_POS
    is asked for in other districts, and the place how Kollam differs, over all groups.
    """
    mean, n, of_kind, codes = _by_kind(x, names, pace)
    off, known = (_summed(one, codes) for one in (np.nan_to_num(mean - of_kind) * n, n))
    prior: Floats = of_kind + (off / (known + 2 * BORROWED))[codes]
    return prior


def _kinds(names: tuple[tuple[str, ...], ...]) -> list[str]:
    return [name[-1] if len(name) > 1 else "" for name in names]


def _mean_priors(x: Floats, names: tuple[tuple[str, ...], ...], pace: Pace) -> Floats:
    """Return the same of means, which a place multiplies: by what all its series say, the less the fewer values."""
    mean, n, of_kind, codes = _by_kind(x, names, pace)
    came, said, known = (_summed(one, codes) for one in (np.nan_to_num(mean) * n, np.nan_to_num(of_kind) * n, n))
    factor = ((came + BORROWED) / (said + BORROWED)) ** (known / (known + 2 * BORROWED))
    return np.asarray(of_kind * factor[codes])


def _by_kind(x: Floats, names: tuple[tuple[str, ...], ...], pace: Pace) -> tuple[Floats, Floats, Floats, list[int]]:
    """Return means over a year, of how many values, what their kinds have, and the number of each series' place."""
    mean, n = rolling(x, pace.a_year)
    of_kind = _shared(np.nan_to_num(mean) * n, n, _kinds(names))
    return mean, n, of_kind, _codes([name[:-1] or name for name in names])


def _summed(x: Floats, codes: list[int]) -> Floats:
    """Return sums of the series of each code."""
    found = np.zeros((max(codes) + 1, x.shape[1]))
    np.add.at(found, codes, x)
    return found


def _shared(total: Floats, n: Floats, keys: list[str]) -> Floats:
    codes = _codes(keys)
    sums, counts = _summed(total, codes), _summed(n, codes)
    overall = np.where(n.sum(axis=0) > 0, total.sum(axis=0) / np.maximum(n.sum(axis=0), 1), np.nan)
    mean = np.where(counts > 0, sums / np.maximum(counts, 1), overall)
    return np.asarray(mean[codes])


def _codes(keys: list[str] | list[tuple[str, ...]]) -> list[int]:
    places: dict[object, int] = {}
    return [places.setdefault(key, len(places)) for key in keys]


def _spread(values: Floats, level: Floats, weekdays: Weekdays | None, pace: Pace) -> Floats:
    """Return how far values stray from what was usual before, relative to it, beyond what chance gives to counts."""
    usual, n_usual = shifted(level, 1), np.full(values.shape, np.inf)
    if weekdays is not None:  # who asks for twice as much every Monday isn't unsteady
        usual, n_usual = weekdays.usual_before(usual)
    beyond, n = rolling((values - usual) ** 2 - usual * (1 + 1 / n_usual), pace.a_year)
    square, _ = rolling(np.where(np.isnan(values), np.nan, usual**2), pace.a_year)
    relative = np.maximum(beyond, 0.0) / np.maximum(square, 1e-12)
    there = ~np.isnan(relative)
    relative = np.where(there, relative, 0.0)
    # of fewer than one a period chance says nearly everything: they tell little of themselves, and less of others
    known = np.minimum(np.nan_to_num(square), 1.0)
    weight = np.where(there, n * known, 0.0)
    pooled = (relative * weight * known).sum(axis=0) / np.maximum((weight * known).sum(axis=0), 1e-9)
    shrunk = (relative * weight + pooled * _SPREAD_BORROWED) / (weight + _SPREAD_BORROWED)
    return np.asarray(np.sqrt(np.maximum(shrunk, _SPREAD_LEAST**2)))
