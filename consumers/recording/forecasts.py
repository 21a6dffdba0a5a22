"""``demand-forecasted`` → ``demand_forecasts``: of a date, the forecast as of the latest instant.

A forecast that is published again, under the same id, replaces itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from consumers.recording.rows import ForecastRow
from consumers.recording.texts import json_of, text_of
from features.compatibility import group_text
from schemas.records import Event

DEMAND_MODEL = "demand_forecast"
FIRST_ORDINAL = dt.date(1970, 1, 1).toordinal()


def forecast_rows(event: Event) -> tuple[ForecastRow, ...]:
    """Return a row for each day of a forecast."""
    versions = [one["version"] for one in event["models"] if one["model"] == DEMAND_MODEL]
    group, version = group_text(event["blood_group"]), text_of(versions[0]) if versions else None
    return tuple(
        ForecastRow(
            district=event["district"],
            blood_group=group,
            forecast_date=dt.date.fromordinal(FIRST_ORDINAL + one["day"]),
            predicted_demand=one["predicted_demand"],
            confidence_lower=one["confidence_lower"],
            confidence_upper=one["confidence_upper"],
            model_version=version,
            created_at=event["occurred_at"],
            as_of=event["as_of"],
            event_id=event["event_id"],
            quantiles=json_of([[quantile["level"], quantile["value"]] for quantile in one["quantiles"]]),
        )
        for one in event["days"]
    )


def folded_forecasts(rows: Iterable[ForecastRow]) -> list[ForecastRow]:
    """Return one row for each district, group and date; by these."""
    found: dict[tuple[str, str, dt.date], ForecastRow] = {}
    for row in rows:
        known = found.get(row[:3])
        if known is None or (row.as_of, row.event_id) >= (known.as_of, known.event_id):
            found[row[:3]] = row
    return [found[key] for key in sorted(found)]
