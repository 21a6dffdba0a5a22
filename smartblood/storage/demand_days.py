"""Days of demand, brought in from a file and read back as history."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import Date, Integer, and_, cast, func, literal, select, tuple_
from sqlalchemy.dialects.postgresql import Insert, aggregate_order_by, insert

from features.demand import DAYS_MAX, Demand, history_of
from features.series import SeriesTable
from smartblood.storage.bulk import Incoming
from smartblood.storage.connected import Connected
from smartblood.storage.demand import in_order
from smartblood.storage.engine import translated
from smartblood.storage.tables import CONSUMER_OFFSETS, DEMAND_DAYS, DEMAND_FORECASTS

ROWS_AT_ONCE = 20_000
Day = tuple[str, str, dt.date, int, int]
"""District, group, local day, units requested, units fulfilled."""


class Imported(NamedTuple):
    """What an import did: days that are new or say something else than before, and days that recording counts too."""

    n_changed: int
    n_counted_too: int


class ForecastDay(NamedTuple):
    """A day that the latest forecast speaks of; ``actual_demand`` is None until it is over."""

    forecast_date: dt.date
    predicted_demand: float
    quantiles: list[list[float]] | None
    actual_demand: float | None
    model_version: str | None
    as_of: dt.datetime


_ROWS = Incoming(DEMAND_DAYS, ("district", "blood_group", "day", "units_requested", "units_fulfilled"))


def _import() -> Insert:
    rows, known = _ROWS.rows.c, DEMAND_DAYS.c
    values = {each.name: each for each in rows}
    values |= {"imported_requested": rows.units_requested, "imported_fulfilled": rows.units_fulfilled}
    statement = insert(DEMAND_DAYS).from_select(
        list(values), select(*values.values()).order_by(*in_order(rows, rows.day))
    )
    new = statement.excluded
    changed = {
        f"units_{what}": known[f"units_{what}"] - func.coalesce(known[f"imported_{what}"], 0) + new[f"imported_{what}"]
        for what in ("requested", "fulfilled")
    }
    changed |= {name: new[name] for name in ("imported_requested", "imported_fulfilled")}
    return statement.on_conflict_do_update(
        index_elements=["district", "blood_group", "day"],
        set_=changed,
        where=tuple_(known.imported_requested, known.imported_fulfilled).is_distinct_from(
            tuple_(new.imported_requested, new.imported_fulfilled)
        ),
    )


_IMPORT = _import()
_COUNTED_TOO = (
    select(func.count())
    .select_from(DEMAND_DAYS)
    .join(
        _ROWS.rows,
        tuple_(DEMAND_DAYS.c.district, DEMAND_DAYS.c.blood_group, DEMAND_DAYS.c.day)
        == tuple_(_ROWS.rows.c.district, _ROWS.rows.c.blood_group, _ROWS.rows.c.day),
    )
    .where(DEMAND_DAYS.c.n_requests > 0)
)

EPOCH = dt.date(1970, 1, 1)
_WRONGLY_DATED_MOST = 2  # days
_DAY_NUMBER = cast(DEMAND_DAYS.c.day - literal(EPOCH, Date()), Integer)


class DemandDays(Connected):
    """Days of demand in Postgres."""

    def bring_in(self, days: Sequence[Day], tell: Callable[[int], None] = lambda _: None) -> Imported:
        """Put what a file says beside what recording counts: all of it or nothing, and the same again changes nothing.

        Parameters
        ----------
        days : sequence of Day
            One for each district, group and day, in this order.
        tell : callable, optional
            Told how many are written, of which nothing is seen by others before the end.

        Raises
        ------
        Retryable
            If Postgres doesn't answer; nothing is brought in then.
        """
        n_done = n_changed = n_counted_too = 0
        with translated("the import"), self._engine.begin() as connection:
            for start in range(0, len(days), ROWS_AT_ONCE):
                some = days[start : start + ROWS_AT_ONCE]
                arguments = _ROWS.arguments(some)
                n_changed += connection.execute(_IMPORT, arguments).rowcount
                n_counted_too += connection.scalar(_COUNTED_TOO, arguments) or 0
                n_done += len(some)
                tell(n_done)
        return Imported(n_changed, n_counted_too)

    def demand(self, before_day: int) -> list[Demand]:
        """Return what is known of the last five years before a day, days since 1970, series by series.

        Raises
        ------
        Retryable
            If Postgres doesn't answer.
        """
        asked = (
            select(
                DEMAND_DAYS.c.district,
                DEMAND_DAYS.c.blood_group,
                func.array_agg(aggregate_order_by(_DAY_NUMBER, DEMAND_DAYS.c.day)),
                func.array_agg(aggregate_order_by(DEMAND_DAYS.c.units_requested, DEMAND_DAYS.c.day)),
            )
            .where(
                DEMAND_DAYS.c.day < EPOCH + dt.timedelta(before_day),
                DEMAND_DAYS.c.day >= EPOCH + dt.timedelta(before_day - DAYS_MAX),
            )
            .group_by(DEMAND_DAYS.c.district, DEMAND_DAYS.c.blood_group)
        )
        with translated("the history of demand"), self._engine.connect() as connection:
            return [Demand(*row) for row in connection.execute(asked)]

    def unheard(self, before_day: int) -> range:
        """Return the days between the last one of a file and the first request counted after it, days since 1970.

        Empty where no file brought in what was before, or where requests were counted beside its days; up to two days
        of such requests may be dated wrongly. Where none was counted before ``before_day``, they end there.

        Raises
        ------
        Retryable
            If Postgres doesn't answer.
        """
        at, before = DEMAND_DAYS.c, literal(EPOCH + dt.timedelta(before_day), Date())
        is_before, is_counted = at.day < before, at.n_requests > 0
        last = select(func.max(at.day)).where(at.imported_requested.is_not(None), is_before).scalar_subquery()
        after = select(func.min(at.day)).where(is_counted, at.day > last, is_before).scalar_subquery()
        beside = select(func.count(at.day.distinct())).where(is_counted, at.day <= last).scalar_subquery()
        with translated("the history of demand"), self._engine.connect() as connection:
            last_imported, first_counted, n_beside = connection.execute(select(last, after, beside)).one()
        if last_imported is None or n_beside > _WRONGLY_DATED_MOST:
            return range(0)
        end = before_day if first_counted is None else (first_counted - EPOCH).days
        return range((last_imported - EPOCH).days + 1, end)

    def history(self, before_day: int) -> SeriesTable:
        """Return the history of which a forecast as of a day is made, as ``features.demand.history_of`` has it.

        Raises
        ------
        Retryable
            If Postgres doesn't answer.
        """
        return history_of(self.demand(before_day), before_day, unheard=self.unheard(before_day))

    def forecast(self, district: str, blood_group: str) -> list[ForecastDay]:
        """Return the days of a district and group, a group as the record has it, that the latest forecast speaks of.

        Raises
        ------
        Retryable
            If Postgres doesn't answer.
        """
        at = DEMAND_FORECASTS.c
        same = and_(at.district == district, at.blood_group == blood_group)
        latest = select(func.max(at.as_of)).where(same).scalar_subquery()
        columns = (at[name] for name in ForecastDay._fields)
        asked = select(*columns).where(same, at.as_of == latest, at.quantiles.is_not(None))
        asked = asked.order_by(at.forecast_date)
        with translated("the forecast"), self._engine.connect() as connection:
            return [ForecastDay(*row) for row in connection.execute(asked)]

    def recorded(self, topics: Sequence[str]) -> dict[tuple[str, int], int]:
        """Return the offset below which each partition of topics, as the cluster has them, is recorded.

        Raises
        ------
        Retryable
            If Postgres doesn't answer.
        """
        at = CONSUMER_OFFSETS.c
        asked = select(at.topic, at.partition, at.next_offset).where(at.topic.in_(list(topics)))
        with translated("how far recording is"), self._engine.connect() as connection:
            return {(topic, partition): offset for topic, partition, offset in connection.execute(asked)}
