"""Demand as the record has it, day by day, as series side by side.

A day without a row is a day without demand once its district has an earlier one; before that nothing is known, nor
between the last day that a file brought in and the first request counted after it: there nobody looked.
From a district that was never heard of nothing was asked for since anything was recorded: what is forecast is what will
be recorded. All eight common groups of all districts have a series, and the Bombay groups where any was ever asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from features.compatibility import GROUPS, group_text
from features.districts import DISTRICTS
from features.series import SeriesTable

DAYS_MAX = 5 * 366
"""So much of the past is looked at where it is forecast."""

SYMBOLS = {group_text(group): group for group in GROUPS if group != "UNKNOWN"}
"""Groups as the record has them, and as events do."""

BOMBAY = frozenset({"OH_POS", "OH_NEG"})


class Demand(NamedTuple):
    """What was asked for in a district, of a group as the record has it: days since 1970, ascending, and units."""

    district: str
    blood_group: str
    days: Sequence[int]
    units: Sequence[int]


def history_of(
    known: Iterable[Demand], before_day: int, *, unheard: range = range(0), days_max: int | None = DAYS_MAX
) -> SeriesTable:
    """Return the series of demand until the day before ``before_day``, days since 1970.

    Whatever isn't a district or a group that is forecast is passed over; patients of unknown group say that their
    district is recorded, and no more. Where nothing at all is known, the table has one day, of which nothing is known.

    Parameters
    ----------
    known : iterable of Demand
    before_day : int
    unheard : range
        Days of which nothing is known in any district, though some have earlier ones.
    days_max : int, optional
        How much of the past is looked at; None for all of it.
    """
    found = {(one.district, SYMBOLS.get(one.blood_group)): _until(one, before_day) for one in known}
    began: dict[str, int] = {}
    for (district, _), (days, _) in found.items():
        if len(days):
            began[district] = min(began.get(district, int(days[0])), int(days[0]))
    first = min(began.values(), default=before_day - 1)
    if days_max is not None:
        first = max(first, before_day - days_max)
    names = [
        (district.name, group)
        for district in DISTRICTS
        for group in SYMBOLS.values()
        if group not in BOMBAY or _is_seen(found.get((district.name, group)))
    ]
    values = np.full((len(names), before_day - first), np.nan)
    for row, (district, group) in enumerate(names):
        if not began:
            continue
        values[row, max(began.get(district, first) - first, 0) :] = 0.0
        days, units = found.get((district, group), _NOTHING)
        of_span = days >= first
        values[row, days[of_span] - first] = units[of_span]
    values[:, max(unheard.start - first, 0) : max(unheard.stop - first, 0)] = np.nan
    return SeriesTable(tuple(names), np.arange(first, before_day).astype("datetime64[D]"), values)


_NOTHING = np.empty(0, np.int64), np.empty(0, np.int64)


def _until(one: Demand, before_day: int) -> tuple[np.ndarray, np.ndarray]:
    days, units = np.asarray(one.days, np.int64), np.asarray(one.units, np.int64)
    return days[days < before_day], units[days < before_day]


def _is_seen(demand: tuple[np.ndarray, np.ndarray] | None) -> bool:
    return demand is not None and bool(demand[1].any())
