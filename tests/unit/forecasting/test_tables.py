"""Tables from files: what is read is what stands there, and what is none says where and why."""

from __future__ import annotations

from calendar import monthrange

import numpy as np
import pytest

from smartblood.errors import Fatal, WrongUsage
from smartblood.forecasting.tables import read_table


def months(day, skip=0):
    """Return a table dated by a day of each month of 2023 and 2024, or its last where it has none; one is left out."""
    years = [(year, month) for year in (2023, 2024) for month in range(1, 13) if month != skip]
    dated = [f"{year}-{month:02}-{min(day, monthrange(year, month)[1])}" for year, month in years]
    return "\n".join(["series,day,value", *(f"a,{text},{n}" for n, text in enumerate(dated)), ""])


@pytest.mark.parametrize("frequency", ["M", "ME"])
def test_months_may_be_dated_by_their_last_day(tmp_path, frequency):
    file = tmp_path / "table.csv"
    file.write_text(months(31, skip=2))
    long = read_table(file, frequency)
    assert long.spelled[:3] == ("2023-01-31", "2023-02-28", "2023-03-31")
    assert long.spelled[13] == "2024-02-29"
    assert np.array_equal(long.table.values[0, :3], [0, np.nan, 1], equal_nan=True)


def test_months_may_be_dated_by_any_day_that_all_have(tmp_path):
    file = tmp_path / "table.csv"
    file.write_text(months(28, skip=2))
    assert read_table(file, "M").spelled[:3] == ("2023-01-28", "2023-02-28", "2023-03-28")


GOOD = "series,day,value\na,2024-01-07,3\na,2024-01-14,4\n"


@pytest.mark.parametrize(
    ("text", "frequency", "why"),
    [
        ("serie,day,value\n", "D", "no column series"),
        ("series;day;value\na;2024-01-01;1\n", "D", "series, day and value, with commas between"),
        ("Series,Day,Value\na,2024-01-01,1\n", "D", "series, day and value, in small letters"),
        ("series,day,value\na,2024-01-01,1\na,9999-12-31,1\n", "D", "and it has 2: is a day mistyped"),
        (f"{GOOD}a,2204-01-01,1\n", "W-SUN", "between 2024-01-14 and 2204-01-01 lie 9,"),
        ("series,day,value\n", "D", "no rows"),
        ("series,day,value\na,7 Jan,3\n", "D", "line 2: the day '7 Jan' can't be read"),
        ("series,day,value\na,2024-01-07,3\na,07.01.2024,3\n", "D", "line 3: the day"),
        ("series,day,value\na,2024-01-07 10:30:00,3\n", "D", "no whole day"),
        ("series,day,value\na,2024-01-07,three\n", "D", "line 2: the value 'three'"),
        ("series,day,value\na,2024-01-07,inf\n", "D", "line 2: the value 'inf'"),
        ("series,day,value\na,2024-01-07,1_000\n", "D", "line 2: the value '1_000' is no number"),
        ("series,day,value\na,2024-01-07,٣\n", "D", "line 2: the value '٣' is no number"),
        ("series,day,value,value\na,2024-01-07,3,4\n", "D", "it has value 2 times"),
        ("series,day,value, series \na,2024-01-07,3,4\n", "D", "it has series 2 times"),
        ("series,day,value\n ,2024-01-07,3\n", "D", "line 2: a series and a day are needed"),
        ("series,day,value\na,2024-01-07T00:00:00+05:30,3\n", "D", "can't be read; write it as 2024-04-28"),
        ("series,day,value\na,2024-01-07T18:30:00Z,3\n", "D", "no whole day"),
        ("series,day,value\na,2024-01-07T00:00:00Z,3\na,2024-01-08,3\n", "D", "line 3: the day"),
        ("series,day,value\na,2024-01-07\n", "D", "line 2"),
        (GOOD + "a,2024-01-07,3\n", "W", "line 4: a has 2024-01-07 already, in line 2"),
        (GOOD + "a,2024-01-16,3\n", "W", "2024-01-16 isn't on the grid"),
        (GOOD, "W-MON", "2024-01-07 isn't on the grid of --frequency W-MON: it is one of W-SUN"),
        (GOOD, "ME", "isn't on the grid"),
        ("series,day,value\na,2024-01-01,3\na,2024-02-05,3\n", "M", "2024-02-05 isn't on the grid"),
        (months(30), "M", "2023-01-30 is a day that February doesn't have; date months by their last day"),
        (months(29, skip=2), "M", "2023-01-29 is a day that February doesn't have"),
        (months(30, skip=2), "M", "2023-01-30 is a day that February doesn't have"),
        ("series,day,value\na,2024-04-30,3\na,2024-05-30,3\n", "M", "2024-05-30 is a day that February doesn't"),
        (months(30), "ME", "isn't on the grid of --frequency ME"),
    ],
)
def test_a_table_that_is_none_says_where_and_why(tmp_path, text, frequency, why):
    file = tmp_path / "table.csv"
    file.write_text(text)
    with pytest.raises(Fatal) as refused:
        read_table(file, frequency)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 3


def test_gaps_and_values_below_0_are_said(tmp_path):
    file = tmp_path / "table.csv"
    file.write_text(GOOD + "a,2024-02-04,-1\nb,2024-01-28,\nb,2024-02-04,5.5\n")
    long = read_table(file, "W")
    assert long.spelled == ("2024-01-07", "2024-01-14", "2024-01-21", "2024-01-28", "2024-02-04")
    assert np.array_equal(long.table.values[0], [3, 4, np.nan, np.nan, -1], equal_nan=True)
    assert [note.split(" ")[0] for note in long.notes] == ["2", "1"]


def test_spaces_after_commas_say_nothing(tmp_path):
    file = tmp_path / "table.csv"
    file.write_text(GOOD.replace(",", ", "))
    assert read_table(file, "W").table.values.tolist() == [[3, 4]]


def test_spaces_around_names_and_cells_and_lines_of_nothing_else_say_nothing(tmp_path):
    file = tmp_path / "table.csv"
    file.write_text(' series ,day\t, value\n a , 2024-01-07 , 3 \n  \n ,\t, \n"a ",2024-01-14, 4\na,2024-01-21,  \n')
    long = read_table(file, "W")
    assert long.table.names == (("a",),)
    assert np.array_equal(long.table.values, [[3, 4, np.nan]], equal_nan=True)


@pytest.mark.parametrize("clock", [f"{t}00:00:00{end}" for t in " T" for end in ("", "Z", "+00:00", ".000", ".000Z")])
def test_days_may_be_spelled_as_their_first_instant(tmp_path, clock):
    file = tmp_path / "table.csv"
    file.write_text(f"series,day,value\na,2021-01-03{clock},3\na,2021-01-17{clock},4\n")
    assert read_table(file, "W").spelled == tuple(f"2021-01-{day}{clock}" for day in ("03", "10", "17"))


def test_values_that_nobody_counts_are_said(tmp_path):
    file = tmp_path / "table.csv"
    file.write_text(GOOD + "a,2024-01-21,1e15\n")
    assert read_table(file, "W").notes == ("1 values are above 1e+12: no counts, taken as not known",)
    file.write_text(GOOD + "a,2024-01-21,1e-310\n")
    assert read_table(file, "W").notes == ("1 values are below 1e-12: next to nothing, taken as 0",)


@pytest.mark.parametrize("frequency", ["", "X", "0D", "W-XYZ", "100W", "-1D", "²D", "٣D", "1M", "9" * 5_000 + "D"])
def test_a_frequency_that_nobody_knows_is_wrong_usage(tmp_path, frequency):
    file = tmp_path / "table.csv"
    file.write_text(GOOD)
    with pytest.raises(WrongUsage):
        read_table(file, frequency)
