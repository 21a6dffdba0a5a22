"""Past demand to learn from, from a CSV file as ``smartblood demand import`` takes it, read by the same code."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from features.demand import SYMBOLS
from features.series import SeriesTable
from smartblood.demand.reading import DemandDay, read_days
from smartblood.errors import Fatal


def read_demand(path: Path, last_day: dt.date) -> tuple[SeriesTable, dict[str, Any]]:
    """Read daily demand; a day without a row, from a district's first on, is one on which nothing was asked for.

    Patients of unknown group are passed over: no group's demand are they.

    Parameters
    ----------
    path : Path
    last_day : date
        The last day that may be in it.

    Returns
    -------
    tuple of (SeriesTable, dict)
        Named by district and group, and where it is from, for the manifest.

    Raises
    ------
    Fatal
        If the file isn't such a table, in one line: which line, and what is wrong.
    """
    days, wrong = read_days(path, last_day)
    if wrong:
        message = f"{path}: {wrong[0]}; {len(wrong)} lines are wrong, nothing is learned from it: mend them, try again"
        raise Fatal(message)
    known = [one for one in days if one.blood_group in SYMBOLS]
    if not known:
        message = f"{path} has no rows of a known group: there is nothing to learn from"
        raise Fatal(message)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return _table(known), {"source": "recorded demand", "file": path.name, "file_sha256": digest}


def _table(days: Sequence[DemandDay]) -> SeriesTable:
    first, last = min(one.day for one in days), max(one.day for one in days)
    n_days = (last - first).days + 1
    names = tuple(sorted({(one.district, SYMBOLS[one.blood_group]) for one in days}))
    begins: dict[str, int] = {}
    for one in days:
        begins[one.district] = min(begins.get(one.district, n_days), (one.day - first).days)
    values = np.zeros((len(names), n_days))
    for row, (district, _) in enumerate(names):
        values[row, : begins[district]] = np.nan
    places = {name: row for row, name in enumerate(names)}
    for one in days:
        values[places[one.district, SYMBOLS[one.blood_group]], (one.day - first).days] = one.units_requested
    return SeriesTable(names, np.datetime64(first, "D") + np.arange(n_days), values)
