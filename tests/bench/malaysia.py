"""The Malaysian tables of docs/forecasts.md, made of what lies in ``shared/data/malaysia``: weeks that end on Sundays.

    python -m tests.bench.malaysia SHARED/data/malaysia FOLDER

writes FOLDER/national.csv and FOLDER/states.csv. Only whole weeks count.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

NATIONAL, STATES = "blood_donations_national_daily_by_group.csv", "newdonors_state_daily_by_age.csv"


def weekly(daily, series, value):
    summed = daily.set_index("date").groupby(series)[value].resample("W-SUN")
    table, n_days = summed.sum(), summed.count()
    table = table[n_days == 7].reset_index()
    table.columns = ["series", "day", "value"]
    return table


def write_tables(source, folder):
    folder.mkdir(parents=True, exist_ok=True)
    national = pd.read_csv(source / NATIONAL, parse_dates=["date"])
    weekly(national[national.blood_type != "all"], "blood_type", "donations").to_csv(
        folder / "national.csv", index=False
    )
    states = pd.read_csv(source / STATES, parse_dates=["date"])
    weekly(states[states.state != "Malaysia"], "state", "total").to_csv(folder / "states.csv", index=False)


if __name__ == "__main__":
    write_tables(Path(sys.argv[1]), Path(sys.argv[2]))
