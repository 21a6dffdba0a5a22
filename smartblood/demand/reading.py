"""Past days of demand from a file: read whole, and refused whole where a line makes no sense."""

from __future__ import annotations

import csv
import datetime as dt
import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from features.compatibility import GROUPS, group_text
from features.districts import DISTRICT_NAMES
from smartblood.errors import Fatal

COLUMNS = ("district", "blood_group", "day", "units_requested", "units_fulfilled")
GROUP_TEXTS = tuple(group_text(group) for group in (*GROUPS[1:], *GROUPS[:1]))
"""As the record has them, ``unknown`` last: patients whose group wasn't typed yet are demand too."""

FIRST_DAY = dt.date(2000, 1, 1)
UNITS_MAX = 1_000_000
"""Kerala gives about half a million units a year: a day in one district doesn't come to so many."""

_FORMER = {
    "trivandrum": "Thiruvananthapuram",
    "quilon": "Kollam",
    "alleppey": "Alappuzha",
    "trichur": "Thrissur",
    "palghat": "Palakkad",
    "calicut": "Kozhikode",
    "cannanore": "Kannur",
}
"""Names that districts had in English until 1990; they are hinted at, not taken."""

_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


class DemandDay(NamedTuple):
    """One line: units that were asked for and given in a district, of a group, on a local day."""

    district: str
    blood_group: str
    day: dt.date
    units_requested: int
    units_fulfilled: int


class Wrong(NamedTuple):
    """What is wrong, and in which line of the file, counted from 1."""

    line: int
    what: str

    def __str__(self) -> str:
        """Say it as people are told."""
        return f"line {self.line}: {self.what}"


class _LineError(Exception):
    """A line makes no sense: {field}: {what}."""


def read_days(path: Path, last_day: dt.date) -> tuple[list[DemandDay], list[Wrong]]:
    """Read a file; return its days in order, and what is wrong with it.

    Parameters
    ----------
    path : Path
        CSV with a header that names at least ``COLUMNS``, in any order; commas, UTF-8.
    last_day : date
        The last day that may be in it.

    Raises
    ------
    Fatal
        If it can't be read, or is no such table.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _parsed(csv.reader(file), str(path), last_day)
    except OSError as error:
        message = f"{path} can't be read: {error.strerror}; give a CSV file"
        raise Fatal(message) from error
    except UnicodeDecodeError as error:
        message = f"{path} is no UTF-8 text (byte {error.start}): save it as CSV in UTF-8"
        raise Fatal(message) from error
    except csv.Error as error:
        message = f"{path} is no CSV: {error}; give a CSV file"
        raise Fatal(message) from error


def _parsed(lines: Iterator[list[str]], name: str, last_day: dt.date) -> tuple[list[DemandDay], list[Wrong]]:
    header = [each.strip() for each in next(lines, [])]
    missing = [column for column in COLUMNS if header.count(column) != 1]
    if missing:
        message = f"{name}: line 1 should name {', '.join(COLUMNS)}, with commas between; it hasn't {missing[0]} once"
        raise Fatal(message)
    places = [header.index(column) for column in COLUMNS]
    found: dict[tuple[str, str, dt.date], tuple[int, DemandDay]] = {}
    wrong: list[Wrong] = []
    for cells in lines:
        number = lines.line_num  # type: ignore[attr-defined] # a reader of csv has it
        if not any(cell.strip() for cell in cells):
            continue
        try:
            day = _day_of(cells, places, len(header), last_day)
            before = found.setdefault(day[:3], (number, day))
            if before[0] != number:
                wrong.append(Wrong(number, f"the same district, group and day as line {before[0]}"))
        except _LineError as error:
            wrong.append(Wrong(number, str(error)))
    return [found[key][1] for key in sorted(found)], wrong


def _day_of(cells: Sequence[str], places: Iterable[int], n_columns: int, last_day: dt.date) -> DemandDay:
    if len(cells) != n_columns:
        message = f"{len(cells)} columns, where the header has {n_columns}"
        raise _LineError(message)
    district, group, day, requested, fulfilled = (cells[place].strip() for place in places)
    return DemandDay(
        _one_of(district, sorted(DISTRICT_NAMES), "district"),
        _one_of(group, GROUP_TEXTS, "blood_group"),
        _date(day, last_day),
        _units(requested, "units_requested"),
        _units(fulfilled, "units_fulfilled"),
    )


def _one_of(text: str, known: Sequence[str], field: str) -> str:
    if text in known:
        return text
    by_name = {one.casefold(): one for one in known}
    by_name |= {former: now for former, now in _FORMER.items() if now in known}
    near = difflib.get_close_matches(text.casefold(), by_name, n=1)
    hint = f"did you mean {by_name[near[0]]}?" if near else f"use one of {', '.join(known)}"
    message = f"{field}: {text[:40]!r} is none that is known; {hint}"
    raise _LineError(message)


def _date(text: str, last_day: dt.date) -> dt.date:
    try:
        day = dt.date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        message = f"day: {text[:40]!r} is no day such as 2025-12-31"
        raise _LineError(message)
    if not FIRST_DAY <= day <= last_day:
        message = f"day: {day} is not within {FIRST_DAY} to {last_day}, which is today in Kerala"
        raise _LineError(message)
    return day


def _units(text: str, field: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) > UNITS_MAX:
        message = f"{field}: {text[:40]!r} is no whole number from 0 to {UNITS_MAX}"
        raise _LineError(message)
    return int(text)
