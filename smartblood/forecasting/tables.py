"""A long table (series, day, value) from a CSV file, at the frequency named; its own spelling of days is kept."""

from __future__ import annotations

import csv
import datetime as dt
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from features.forecasting.histories import VALUE_LEAST, VALUE_MOST
from features.forecasting.pace import SHORTEST_MONTH_DAYS, Days, last_of_month, weekdays
from features.series import SeriesTable
from smartblood.errors import Fatal, WrongUsage

COLUMNS = ("series", "day", "value")
FORMATS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y-%m"),
    *(f"%Y-%m-%d{then}%H:%M:%S{end}" for then in " T" for end in ("", "Z", "+00:00", ".000", ".000Z", ".000+00:00")),
)
"""Of days; an instant must be a day's first, in no zone or in UTC, and is that day."""

WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
FREQUENCIES = (
    "D, W, W-MON to W-SUN, M (month by month, by a day up to the 28th or the last), MS (firsts), ME (lasts), "
    "or 2D, 10D, 2W and the like"
)
_SEVERAL = re.compile(r"([0-9]{1,3})([DW])")
_SEVERAL_MOST = 60  # days between periods
_HOLE_LEAST, _HOLE_TIMES = 500, 10  # periods that nobody has, and times the days that a table has
_ROWS_MOST = 20_000_000  # of a grid of all series and days


class LongTable(NamedTuple):
    """A table as arrays, and how it spells its days.

    Parameters
    ----------
    table : SeriesTable
        Each name has one place: the series' name.
    spelled : tuple of str
        The day of each period, as the table has it.
    notes : tuple of str
        What was seen that somebody should know: gaps, values that are no counts.
    """

    table: SeriesTable
    spelled: tuple[str, ...]
    notes: tuple[str, ...]


class _Row(NamedTuple):
    line: int
    series: str
    day: str
    value: float


def read_table(path: Path, frequency: str) -> LongTable:
    """Read a table.

    Raises
    ------
    WrongUsage
        If no such frequency is known.
    Fatal
        If the table isn't one, in one line: which line, and what is wrong.
    """
    step = _step(frequency)
    rows = list(_rows(path))
    if not rows:
        message = f"{path} has no rows: nothing can be forecast"
        raise Fatal(message)
    form = _format(path, rows[0])
    dates = {text: _date(path, row, form) for row in rows for text in (row.day,)}
    days = np.array(sorted(set(dates.values())), "datetime64[D]")
    grid = _grid(path, days, frequency, step)
    _check_holes(path, days, grid)
    names = sorted({row.series for row in rows})
    if len(names) * len(grid) > _ROWS_MOST:
        message = f"{path}: {len(names)} series of {len(grid)} periods are more than fits; give a part of it"
        raise Fatal(message)
    at_series = {name: n for n, name in enumerate(names)}
    at_day = {day: n for n, day in enumerate(grid.tolist())}
    values = np.full((len(names), len(grid)), np.nan)
    seen: dict[tuple[int, int], int] = {}
    for row in rows:
        place = at_series[row.series], at_day[dates[row.day]]
        if place in seen:
            message = f"{path}, line {row.line}: {row.series} has {row.day} already, in line {seen[place]}"
            raise Fatal(message)
        seen[place] = row.line
        values[place] = row.value
    texts = {dates[row.day]: row.day for row in reversed(rows)}
    spelled = tuple(texts.get(day) or day.strftime(form) for day in grid.tolist())
    table = SeriesTable(tuple((name,) for name in names), grid, values)
    return LongTable(table, spelled, tuple(_notes(table)))


def _rows(path: Path) -> Iterator[_Row]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, skipinitialspace=True)
            places = _places(path, [name.strip() for name in next(reader, [])])
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield _row(path, reader.line_num, [cells[n].strip() if n < len(cells) else None for n in places])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        message = f"{path} can't be read as CSV in UTF-8: {error}"
        raise Fatal(message) from error


def _places(path: Path, header: list[str]) -> list[int]:
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        message = f"{path} has no column {', '.join(missing)}: the first line must name series, day and value"
        if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
            message += ", with commas between"
        elif {name.lower() for name in header} >= set(COLUMNS):
            message += ", in small letters"
        raise Fatal(message)
    for name in COLUMNS:
        if header.count(name) > 1:
            message = f"{path}: the first line must name series, day and value once; it has {name} "
            message += f"{header.count(name)} times"
            raise Fatal(message)
    return [header.index(name) for name in COLUMNS]


def _row(path: Path, line: int, cells: list[str | None]) -> _Row:
    series, day, text = cells
    if not series or not day or text is None:
        message = f"{path}, line {line}: a series and a day are needed, and a value or nothing after a comma"
        raise Fatal(message)
    try:
        value = float(text) if text else math.nan
    except ValueError:
        value = math.inf
    if math.isinf(value) or "_" in text or not text.isascii():  # Python's own spellings of numbers
        message = f"{path}, line {line}: the value {text[:40]!r} is no number; leave it empty where nothing is known"
        raise Fatal(message)
    return _Row(line, series, day, value)


def _format(path: Path, row: _Row) -> str:
    for form in FORMATS:
        try:
            dt.datetime.strptime(row.day, form)  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
        return form
    message = f"{path}, line {row.line}: the day {row.day!r} can't be read; write it as 2024-04-28"
    raise Fatal(message)


def _date(path: Path, row: _Row, form: str) -> dt.date:
    try:
        found = dt.datetime.strptime(row.day, form)  # noqa: DTZ007 - a day has no zone
    except ValueError:
        message = f"{path}, line {row.line}: the day {row.day!r} can't be read as the first one was ({form})"
        raise Fatal(message) from None
    if found.time() != dt.time():
        message = f"{path}, line {row.line}: {row.day!r} is no whole day"
        raise Fatal(message)
    return found.date()


def _step(frequency: str) -> int | str:
    """Return days between periods, or ``frequency`` itself where periods are months.

    Raises
    ------
    WrongUsage
        If no such frequency is known.
    """
    name = frequency.upper()
    several = _SEVERAL.fullmatch(name)
    number, unit = (int(several[1]), several[2]) if several else (1, name)
    if unit in {"D", "W"} and 1 <= (step := number * (7 if unit == "W" else 1)) <= _SEVERAL_MOST:
        return step
    if name.startswith("W-") and name[2:] in WEEKDAYS:
        return 7
    if name in {"M", "MS", "ME"}:
        return name
    message = f"--frequency {frequency} isn't known: {FREQUENCIES}"
    raise WrongUsage(message)


def _grid(path: Path, days: Days, frequency: str, step: int | str) -> Days:
    """Return all days from the first to the last at a frequency.

    Raises
    ------
    Fatal
        If a day of the table lies between, or months are dated by a day that not all of them have.
    """
    wrong = _off(days, frequency, step)
    if wrong.any():
        first = days[wrong][0]
        message = f"{path}: {first} isn't on the grid of --frequency {frequency}"
        if not wrong[0]:
            message += f" that begins with {days[0]}"
        elif frequency.upper().startswith("W-"):
            message += f": it is one of W-{WEEKDAYS[weekdays(days)[0]]}"
        if frequency.upper() == "M" and _of_month(first) >= SHORTEST_MONTH_DAYS:
            message = f"{path}: {first} is a day that February doesn't have; date months by their last day, "
            message += f"or by one up to the {SHORTEST_MONTH_DAYS}th"
        raise Fatal(message)
    if isinstance(step, int):
        return np.arange(days[0], days[-1] + 1, step, dtype="datetime64[D]")
    months = np.arange(days[0].astype("datetime64[M]"), days[-1].astype("datetime64[M]") + 1)
    if np.all(days == last_of_month(days.astype("datetime64[M]"))):
        return last_of_month(months)
    grid: Days = months.astype("datetime64[D]") + (days[0] - days[0].astype("datetime64[M]").astype("datetime64[D]"))
    return grid


def _check_holes(path: Path, days: Days, grid: Days) -> None:
    """Refuse a table that is nearly all hole: one mistyped year would make thousands of periods.

    Raises
    ------
    Fatal
        In one line.
    """
    places = np.searchsorted(grid, days)
    if len(days) < 2 or (hole := int(np.diff(places).max())) <= max(_HOLE_LEAST, _HOLE_TIMES * len(days)):
        return
    at = int(np.diff(places).argmax())
    message = f"{path}: between {days[at]} and {days[at + 1]} lie {hole - 1:,} periods that the table doesn't have, "
    message += f"and it has {len(days):,}: is a day mistyped, or the frequency another?"
    raise Fatal(message)


def _off(days: Days, frequency: str, step: int | str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    of_month, is_last = _of_month(days), days == last_of_month(days.astype("datetime64[M]"))
    if frequency.upper() == "MS":
        return np.asarray(of_month != 0)
    if frequency.upper() == "ME" or (isinstance(step, str) and (is_last.all() or of_month[0] >= SHORTEST_MONTH_DAYS)):
        return np.asarray(~is_last)
    if isinstance(step, str):
        return np.asarray(of_month != of_month[0])
    name = frequency.upper()
    if name.startswith("W-"):
        return np.asarray(weekdays(days) != WEEKDAYS.index(name[2:]))
    return np.asarray((days - days[0]).astype(np.int64) % step != 0)


def _of_month(days: Days | np.datetime64) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return how many days lie between a month's first and each day."""
    return np.asarray((days - days.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64))


def _notes(table: SeriesTable) -> Iterable[str]:
    known = ~np.isnan(table.values)
    first = known.argmax(axis=1)
    inside = np.arange(len(table.days))[None] >= first[:, None]
    if n_gaps := int((inside & ~known).sum()):
        yield f"{n_gaps:,} values are missing between a series' first day and the table's last: taken as not known"
    with np.errstate(invalid="ignore"):
        n_below, n_beyond = int((table.values < 0).sum()), int((table.values > VALUE_MOST).sum())
        n_nothing = int(((table.values > 0) & (table.values < VALUE_LEAST)).sum())
    if n_below:
        yield f"{n_below:,} values are below 0: no counts, taken as not known"
    if n_beyond:
        yield f"{n_beyond:,} values are above {VALUE_MOST:.0e}: no counts, taken as not known"
    if n_nothing:
        yield f"{n_nothing:,} values are below {VALUE_LEAST:.0e}: next to nothing, taken as 0"
