"""Past demand from a CSV file as ``smartblood demand import`` takes it: a row for each district, group and day."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from features.compatibility import GROUPS
from features.districts import DISTRICT_NAMES
from features.series import SeriesTable
from smartblood.errors import Fatal

COLUMNS = ("district", "blood_group", "day", "units_requested")
_DAYS_MOST = 20_000


def read_demand(path: Path) -> tuple[SeriesTable, dict[str, Any]]:
    """Read daily demand; a day without a row, from a district's first on, is one on which nothing was asked for.

    Returns
    -------
    tuple of (SeriesTable, dict)
        Named by district and group, and where it is from, for the manifest.

    Raises
    ------
    Fatal
        If the file isn't such a table, in one line: which line, and what is wrong.
    """
    units: dict[tuple[str, str, dt.date], float] = {}
    try:
        data = path.read_bytes()
        reader = csv.DictReader(data.decode("utf-8-sig").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} can't be read as CSV in UTF-8: {error}"
        raise Fatal(message) from error
    if missing := [name for name in COLUMNS if name not in (reader.fieldnames or [])]:
        message = f"{path} has no column {', '.join(missing)}: it takes what `smartblood demand import` takes"
        raise Fatal(message)
    for row in reader:
        key, n = _row(f"{path}, line {reader.line_num}", row)
        if key in units:
            message = f"{path}, line {reader.line_num}: {' '.join(map(str, key))} is there already"
            raise Fatal(message)
        units[key] = n
    if not units:
        message = f"{path} has no rows: there is nothing to learn from"
        raise Fatal(message)
    origin = {"source": "recorded demand", "file": path.name, "file_sha256": hashlib.sha256(data).hexdigest()}
    return _table(path, units), origin


def _row(where: str, row: dict[str, str | None]) -> tuple[tuple[str, str, dt.date], float]:
    district, group, day, units = (row[name] or "" for name in COLUMNS)
    try:
        if district not in DISTRICT_NAMES or group not in GROUPS:
            message = f"{district!r} and {group!r} aren't a district of Kerala and a blood group"
            raise ValueError(message)  # noqa: TRY301 - said with its line below
        found = (district, group, dt.date.fromisoformat(day)), float(int(units))
        if found[1] < 0:
            message = f"{units} units are fewer than none"
            raise ValueError(message)  # noqa: TRY301
    except ValueError as error:
        message = f"{where}: {error}"
        raise Fatal(message) from error
    return found


def _table(path: Path, units: dict[tuple[str, str, dt.date], float]) -> SeriesTable:
    first, last = min(day for *_, day in units), max(day for *_, day in units)
    n_days = (last - first).days + 1
    if n_days > _DAYS_MOST:
        message = f"{path} goes from {first} to {last}: is a day mistyped?"
        raise Fatal(message)
    names = tuple(sorted({(district, group) for district, group, _ in units}))
    begins: dict[str, int] = {}
    for district, _, day in units:
        begins[district] = min(begins.get(district, n_days), (day - first).days)
    values = np.zeros((len(names), n_days))
    for row, (district, _) in enumerate(names):
        values[row, : begins[district]] = np.nan
    places = {name: row for row, name in enumerate(names)}
    for (district, group, day), n in units.items():
        values[places[district, group], (day - first).days] = n
    return SeriesTable(names, np.datetime64(first, "D") + np.arange(n_days), values)
