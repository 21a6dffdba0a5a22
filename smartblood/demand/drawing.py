"""From the record to a picture of one series."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np

from features.demand import SYMBOLS
from features.local_time import local_day, text_of_day
from smartblood.errors import Fatal
from smartblood.pictures.forecast import Picture, draw
from smartblood.storage.demand_days import EPOCH, DemandDays, ForecastDay

KERALA = dt.timezone(dt.timedelta(hours=5, minutes=30))


def drawn(database_url: str, district: str, blood_group: str, path: Path, *, n_days: int = 120) -> str:
    """Draw a district's latest forecast of a group, as the record has it, into a PNG file; return what to say of it.

    Parameters
    ----------
    n_days : int
        How much of the past is drawn.

    Raises
    ------
    Fatal
        If there is no forecast, or the file can't be written.
    Retryable
        If Postgres doesn't answer.
    """
    record = DemandDays(database_url)
    try:
        record.require_up_to_date()
        days = record.forecast(district, blood_group)
        if not days:
            message = (
                f"there is no forecast of {blood_group} in {district} yet: run forecasting, and trigger it with "
                "`smartblood schedules fire weekly-forecast`"
            )
            raise Fatal(message)
        first = local_day(round(days[0].as_of.timestamp() * 1_000_000))
        history = record.history(first)
    finally:
        record.close()
    names = (district, SYMBOLS[blood_group])
    units = history.values[history.names.index(names)] if names in history.names else np.zeros(len(history.days))
    last = [EPOCH + dt.timedelta(int(day)) for day in history.days.astype(np.int64)[-n_days:]]
    draw(_picture(district, blood_group, days, last, units[-n_days:]), path)
    total = sum(day.predicted_demand for day in days)
    span = f"{len(days)} days from {days[0].forecast_date}"
    return f"{path}: {total:.1f} units of {blood_group} expected in {district}, {span}"


def _picture(
    district: str, blood_group: str, days: list[ForecastDay], known: list[dt.date], units: np.ndarray
) -> Picture:
    as_of, version = days[0].as_of.astimezone(KERALA), days[0].model_version
    when = text_of_day((as_of.date() - EPOCH).days)
    levels = [level for level, _ in days[0].quantiles or []]
    return Picture(
        title=f"Demand for {blood_group} in {district}",
        subtitle=f"units a day · forecast as of {when}" + (f", demand_forecast {version}" if version else ""),
        days=known,
        units=units,
        forecast_days=[day.forecast_date for day in days],
        mean=np.array([day.predicted_demand for day in days]),
        levels=levels,
        quantiles=np.array([[value for _, value in day.quantiles or []] for day in days]),
        actual=np.array([np.nan if day.actual_demand is None else day.actual_demand for day in days]),
    )
