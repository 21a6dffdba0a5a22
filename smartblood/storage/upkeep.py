"""What maintenance does to the tables, in bites: each is a short transaction that waits for nobody's locks.

Rows that somebody is writing are passed over, so no bite can stand in a circle with recording; whatever is passed over
is there again at the next slot. Everything may be done again: done twice it changes nothing more.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    Table,
    and_,
    case,
    cast,
    delete,
    extract,
    func,
    literal,
    not_,
    or_,
    select,
    tuple_,
    update,
)

from features.outcomes import FACTS
from smartblood.storage.bulk import Incoming
from smartblood.storage.connected import Connected
from smartblood.storage.engine import translated
from smartblood.storage.tables import (
    DEMAND_DAYS,
    DEMAND_FORECASTS,
    DONOR_OUTCOMES,
    DONOR_RESPONSES,
    DONORS,
    MAINTENANCE,
    MATCH_PREDICTIONS,
    MATCH_WAVES,
    MODEL_DRIFT,
    MODEL_PERFORMANCE,
    MODEL_PREDICTION_LOGS,
    REFUSED_RECORDS,
    REQUEST_EVENTS,
)

MAINTAINING_LOCK = 7_352_911_004
"""Key of the advisory lock: one worker at a time does what is due."""

ROWS_AT_ONCE = 5_000
WAVES_AT_ONCE = 100
"""A wave has up to a thousand offers."""

REQUEST_EVENTS_DAYS = 120
"""So long ids of requests' events are kept, as matching's memory is (``request-states``)."""

_RECORDED_BEYOND_DAYS = 30

AHEAD_MAX = dt.timedelta(hours=1)
"""So far may the clock of whoever triggers be ahead of Postgres's own."""

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Due(NamedTuple):
    """A slot that was triggered and not done; microseconds since 1970."""

    schedule: str
    slot_at: int


class Promises(NamedTuple):
    """What is left of a donor's promises and of those kept, as of an instant, microseconds since 1970."""

    donor_id: int
    promises: float
    kept: float
    as_of: int


class Forecasted(NamedTuple):
    """A day that is over: what was forecast of it, and what came."""

    district: str
    blood_group: str
    day: dt.date
    predicted: float
    lower: float
    upper: float
    actual: float


def _instant(at_us: int) -> dt.datetime:
    return EPOCH + dt.timedelta(microseconds=at_us)


def _micros(column: ColumnElement[Any]) -> ColumnElement[int]:
    return cast(func.round(extract("epoch", column) * 1_000_000), BigInteger)


def _put_back(column: ColumnElement[dt.datetime]) -> ColumnElement[dt.datetime]:
    return case((column > func.now() + AHEAD_MAX, func.now()), else_=column)


def _milliseconds(at: dt.datetime) -> int:
    return int(at.timestamp() * 1000)


def _is_old_event(before: dt.datetime) -> ColumnElement[bool]:
    """Whether an id may be forgotten: it is older, and of its partition what came long after it is recorded too.

    Where a record is made anew, from the beginning of the topics, events that are old by the slot are only just coming,
    repeats of them included.
    """
    known = REQUEST_EVENTS.c
    beyond_ms = _milliseconds(before + dt.timedelta(days=_RECORDED_BEYOND_DAYS))
    places = select(known.topic, known.partition).group_by(known.topic, known.partition)
    is_recorded = tuple_(known.topic, known.partition).in_(places.having(func.max(known.timestamp_ms) >= beyond_ms))
    return and_(known.timestamp_ms < _milliseconds(before), or_(known.partition.is_(None), is_recorded))


_OLD: Mapping[str, tuple[Table, Callable[[dt.datetime], ColumnElement[bool]]]] = {
    "responses": (
        DONOR_RESPONSES,
        lambda before: func.greatest(DONOR_RESPONSES.c.notified_at, DONOR_RESPONSES.c.answered_at) < before,
    ),
    "outcomes": (
        DONOR_OUTCOMES,
        lambda before: func.greatest(*(DONOR_OUTCOMES.c[f"{fact}_at"] for fact in FACTS)) < before,
    ),
    "logs": (MODEL_PREDICTION_LOGS, lambda before: MODEL_PREDICTION_LOGS.c.created_at < before),
    "refused": (
        REFUSED_RECORDS,
        lambda before: REFUSED_RECORDS.c.source_timestamp_ms < _milliseconds(before),
    ),
    "request_events": (REQUEST_EVENTS, _is_old_event),
    "forecasts": (DEMAND_FORECASTS, lambda before: DEMAND_FORECASTS.c.forecast_date < before.date()),
    "performance": (MODEL_PERFORMANCE, lambda before: MODEL_PERFORMANCE.c.day < before.date()),
    "drift": (MODEL_DRIFT, lambda before: MODEL_DRIFT.c.day < before.date()),
}
"""What is deleted by its age alone. Requests and closings are in no such list: a late repeat of one that is gone would
count again in ``demand_days``."""

KINDS = ("matches", *_OLD)
_SCORES = Incoming(DONORS, ("id", "reliability_score", "reliability_sd", "reliability_at"))


class Upkeep(Connected):
    """Maintenance of the record in Postgres."""

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Tell whether nobody else does maintenance, and keep others from it meanwhile; it ends with the process.

        Raises
        ------
        Retryable
            If Postgres doesn't answer.
        """
        with translated("maintenance"), self._engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            alone = bool(connection.scalar(select(func.pg_try_advisory_lock(MAINTAINING_LOCK))))
            try:
                yield alone
            finally:
                if alone:
                    connection.execute(select(func.pg_advisory_unlock(MAINTAINING_LOCK)))

    def put_back(self) -> list[Due]:
        """Put what lies ahead of Postgres's own clock back to what that says; return the slots, as they were.

        What was due in truth until now is done as of now then, and a slot that comes later is due again: whoever's
        clock was wrong, that of scheduling or Postgres's own before.
        """
        at = MAINTENANCE.c
        is_ahead = func.greatest(at.due_at, at.done_at) > func.now() + AHEAD_MAX
        ahead = select(at.schedule, at.due_at).where(is_ahead).with_for_update().cte("ahead")
        put = update(MAINTENANCE).where(at.schedule == ahead.c.schedule)
        put = put.values({one.name: _put_back(one) for one in (at.due_at, at.done_at)})
        with translated("what is due"), self._engine.begin() as connection:
            found = connection.execute(put.returning(ahead.c.schedule, _micros(ahead.c.due_at)))
            return sorted(Due(*row) for row in found)

    def due(self) -> list[Due]:
        """Return of each schedule the latest slot, where it isn't done yet; by schedule.

        What lies ahead of Postgres's own clock isn't due: see ``put_back``.
        """
        at = MAINTENANCE.c
        asked = select(at.schedule, _micros(at.due_at)).order_by(at.schedule)
        asked = asked.where(or_(at.done_at.is_(None), at.done_at < at.due_at), at.due_at <= func.now() + AHEAD_MAX)
        with translated("what is due"), self._engine.connect() as connection:
            return [Due(*row) for row in connection.execute(asked)]

    def last_done(self) -> dict[str, int | None]:
        """Return of each schedule that was triggered the last slot that was done, None where none was.

        Microseconds since 1970.
        """
        asked = select(MAINTENANCE.c.schedule, _micros(MAINTENANCE.c.done_at))
        with translated("what was done"), self._engine.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(asked)}

    def done(self, due: Due) -> None:
        """Note that a slot was done."""
        at, slot_at = MAINTENANCE.c, _instant(due.slot_at)
        noted = update(MAINTENANCE).values(done_at=func.greatest(at.done_at, literal(slot_at, at.done_at.type)))
        with translated("what was done"), self._engine.begin() as connection:
            connection.execute(noted.where(at.schedule == due.schedule))

    def delete(self, kind: str, before_us: int) -> int:
        """Delete a bite of what is older; return how many rows that are, 0 where nothing is left.

        Parameters
        ----------
        kind : str
            One of ``KINDS``; ``matches`` counts waves, which go with their offers.
        before_us : int
            Microseconds since 1970.
        """
        with translated("what is old"), self._engine.begin() as connection:
            if kind == "matches":
                old = select(MATCH_WAVES.c.request_event_id).where(MATCH_WAVES.c.created_at < _instant(before_us))
                old = old.order_by(MATCH_WAVES.c.created_at).limit(WAVES_AT_ONCE).with_for_update(skip_locked=True)
                ids = list(connection.scalars(old))
                if ids:
                    of_waves = MATCH_PREDICTIONS.c.request_event_id.in_(ids)
                    connection.execute(delete(MATCH_PREDICTIONS).where(of_waves))
                    connection.execute(delete(MATCH_WAVES).where(MATCH_WAVES.c.request_event_id.in_(ids)))
                return len(ids)
            table, is_older = _OLD[kind]
            keys = list(table.primary_key)
            old = select(*keys).where(is_older(_instant(before_us))).limit(ROWS_AT_ONCE)
            victims = old.with_for_update(skip_locked=True).cte("victims")
            same = and_(*(key == victims.c[key.name] for key in keys))
            return connection.execute(delete(table).where(same)).rowcount

    def fill_actual(self, before_day: dt.date) -> int:
        """Put a bite of what came beside what was forecast of days before ``before_day``; return how many were wrong.

        Who came late counts too: what was filled in before is looked at again.
        """
        forecast, known = DEMAND_FORECASTS.c, DEMAND_DAYS.c
        came = cast(func.coalesce(known.units_requested, 0), Double)
        same = and_(
            known.district == forecast.district,
            known.blood_group == forecast.blood_group,
            known.day == forecast.forecast_date,
        )
        wrong = (
            select(forecast.id, came.label("came"))
            .select_from(DEMAND_FORECASTS.outerjoin(DEMAND_DAYS, same))
            .where(forecast.forecast_date < before_day, forecast.actual_demand.is_distinct_from(came))
            .limit(ROWS_AT_ONCE)
            .with_for_update(of=DEMAND_FORECASTS, skip_locked=True)
            .cte("wrong")
        )
        filled = update(DEMAND_FORECASTS).values(actual_demand=wrong.c.came).where(forecast.id == wrong.c.id)
        with translated("what came of forecasts"), self._engine.begin() as connection:
            return connection.execute(filled).rowcount

    def over(self, n_days: int) -> list[Forecasted]:
        """Return what was forecast of the last days of which it is known what came, and that."""
        at = DEMAND_FORECASTS.c
        last = select(func.max(at.forecast_date)).where(at.actual_demand.is_not(None)).scalar_subquery()
        asked = select(
            at.district,
            at.blood_group,
            at.forecast_date,
            at.predicted_demand,
            at.confidence_lower,
            at.confidence_upper,
            at.actual_demand,
        ).where(at.actual_demand.is_not(None), at.forecast_date > last - n_days)
        with translated("what came of forecasts"), self._engine.connect() as connection:
            return [Forecasted(*row) for row in connection.execute(asked)]

    def refresh_reliability(
        self, slot_us: int, after_id: int | None, scored: Callable[[Promises], tuple[float, float]]
    ) -> int | None:
        """Show a bite of donors as reliable as they are as of a slot; return the last id, None where none is left.

        Parameters
        ----------
        slot_us : int
            Microseconds since 1970. Who was heard of later is left as they are.
        after_id : int or None
            The last id of the bite before.
        scored : callable
            Returns score and standard deviation.
        """
        at, slot_at = DONORS.c, _instant(slot_us)
        is_shown = and_(at.reliability_at >= slot_at, at.reliability_at <= func.now() + AHEAD_MAX)
        asked = select(at.id, at.promises_left, at.kept_left, _micros(at.updated_at)).where(
            at.promises_left > 0, at.updated_at < slot_at, or_(at.reliability_at.is_(None), not_(is_shown))
        )
        if after_id is not None:
            asked = asked.where(at.id > after_id)
        asked = asked.order_by(at.id).limit(ROWS_AT_ONCE).with_for_update(skip_locked=True)
        new = _SCORES.rows.c
        shown = update(DONORS).where(at.id == new.id)
        shown = shown.values({name: new[name] for name in ("reliability_score", "reliability_sd", "reliability_at")})
        with translated("reliability"), self._engine.begin() as connection:
            found = [Promises(*row) for row in connection.execute(asked)]
            if not found:
                return None
            rows = [(one.donor_id, *scored(one), slot_us) for one in found]
            connection.execute(shown, _SCORES.arguments(rows))
        return found[-1].donor_id
