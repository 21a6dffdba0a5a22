"""Past demand to learn from, from a CSV file as ``smartblood demand import`` takes it, read by the same code."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from features.demand import SYMBOLS, Demand, history_of
from features.local_time import day_of_civil
from features.series import SeriesTable
from smartblood.demand.reading import DemandDay, read_days
from smartblood.errors import Fatal


def read_demand(path: Path, last_day: dt.date) -> tuple[SeriesTable, dict[str, Any]]:
    """Read daily demand: the history that a trigger is given once the file is imported, but all of it, however long.

    Parameters
    ----------
    path : Path
    last_day : date
        The last day that may be in it.

    Returns
    -------
    tuple of (SeriesTable, dict)
        As ``features.demand.history_of`` has it, and where it is from, for the manifest.

    Raises
    ------
    Fatal
        If the file isn't such a table, in one line: which line, and what is wrong.
    """
    days, wrong = read_days(path, last_day)
    if wrong:
        message = f"{path}: {wrong[0]}; {len(wrong)} lines are wrong, nothing is learned from it: mend them, try again"
        raise Fatal(message)
    if not any(one.blood_group in SYMBOLS for one in days):
        message = f"{path} has no rows of a known group: there is nothing to learn from"
        raise Fatal(message)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    table = history_of(_recorded(days), max(_day(one.day) for one in days) + 1, days_max=None)
    return table, {"source": "recorded demand", "file": path.name, "file_sha256": digest}


def _recorded(days: Iterable[DemandDay]) -> Iterator[Demand]:
    """Yield the days of a file, which are in order, as the record has them."""
    for (district, group), of in groupby(days, key=attrgetter("district", "blood_group")):
        told = list(of)
        yield Demand(district, group, [_day(one.day) for one in told], [one.units_requested for one in told])


def _day(day: dt.date) -> int:
    return int(day_of_civil(day.year, day.month, day.day))
