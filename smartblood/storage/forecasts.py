"""Forecasts and maintenance slots as rows: of each date the latest forecast, of each schedule the latest slot."""

from __future__ import annotations

from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects.postgresql import Insert, insert

from consumers.recording.rows import ForecastRow, MaintenanceRow
from smartblood.storage.bulk import Incoming
from smartblood.storage.demand import in_order
from smartblood.storage.tables import DEMAND_FORECASTS, MAINTENANCE

FORECASTS = Incoming(DEMAND_FORECASTS, ForecastRow._fields)
_KEYS = ("district", "blood_group", "forecast_date")


def _put_forecasts() -> Insert:
    rows, known = FORECASTS.rows.c, DEMAND_FORECASTS.c
    ordered = select(*rows).order_by(*in_order(rows, rows.forecast_date))
    statement = insert(DEMAND_FORECASTS).from_select(list(ForecastRow._fields), ordered)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=list(_KEYS),
        set_={name: new[name] for name in ForecastRow._fields if name not in _KEYS},
        where=tuple_(new.as_of, new.event_id) >= tuple_(known.as_of, known.event_id),
    )


PUT_FORECASTS = _put_forecasts()

MAINTENANCE_ROWS = Incoming(MAINTENANCE, MaintenanceRow._fields)


def _put_maintenance() -> Insert:
    statement = insert(MAINTENANCE).from_select(list(MaintenanceRow._fields), select(*MAINTENANCE_ROWS.rows.c))
    later = func.greatest(MAINTENANCE.c.due_at, statement.excluded.due_at)
    return statement.on_conflict_do_update(index_elements=["schedule"], set_={"due_at": later})


PUT_MAINTENANCE = _put_maintenance()
