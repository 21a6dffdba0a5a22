"""Demand by district, group and local day: exact sums, moved by what each batch changes.

A request counts once: on the local day of its earliest event, with the district, group and units of its latest, and the
units of its latest closing. What the touched requests counted for before a batch is taken away, and what they count for
after it is added, under the lock that settles requests (``sink``): so sums are those of all requests, whatever came
twice, late or corrected, as long as no request is ever deleted.

What a file brings of the time before this system stands beside what is counted, in columns of its own, and both are in
the sums: see docs/adr/0022-demand.md.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, Date, cast, collate, delete, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import Insert, insert

from features.districts import DISTRICT_NAMES
from smartblood.storage import statements as sql
from smartblood.storage.bulk import Incoming
from smartblood.storage.tables import BLOOD_REQUESTS, DEMAND_DAYS, REQUEST_CLOSINGS

Key = tuple[str, str, dt.date]
"""District, group as the record has it, local day."""


class Counts(NamedTuple):
    """What some requests come to: units asked for, units given, and how many requests they are."""

    units_requested: int
    units_fulfilled: int
    n_requests: int


NOTHING = Counts(0, 0, 0)
_KEYS = ("district", "blood_group", "day")
_LOCAL_DAY = cast(func.timezone(text("interval '5 hours 30 minutes'"), BLOOD_REQUESTS.c.created_at), Date)
"""As ``features.local_time``, which knows of no other offset."""


def in_order(rows: Any, day: Any) -> list[Any]:  # noqa: ANN401 - a set of columns, and one of them
    """Return what rows of a day are written in the order of, so that two writers never wait for each other."""
    return [collate(rows.district, "C"), collate(rows.blood_group, "C"), day]


_COUNTED = (
    select(
        BLOOD_REQUESTS.c.district,
        BLOOD_REQUESTS.c.blood_group,
        _LOCAL_DAY,
        cast(func.sum(BLOOD_REQUESTS.c.units_required), BigInteger),
        cast(func.coalesce(func.sum(REQUEST_CLOSINGS.c.units_fulfilled), 0), BigInteger),
        func.count(),
    )
    .select_from(
        sql.TOUCHED.rows.join(BLOOD_REQUESTS, BLOOD_REQUESTS.c.id == sql.TOUCHED.rows.c.id).outerjoin(
            REQUEST_CLOSINGS, REQUEST_CLOSINGS.c.request_id == BLOOD_REQUESTS.c.id
        )
    )
    .where(BLOOD_REQUESTS.c.district.in_(sorted(DISTRICT_NAMES)))
    .group_by(BLOOD_REQUESTS.c.district, BLOOD_REQUESTS.c.blood_group, _LOCAL_DAY)
)

_CHANGES = Incoming(DEMAND_DAYS, (*_KEYS, *Counts._fields))


def _add() -> Insert:
    names, rows, known = [*_KEYS, *Counts._fields], _CHANGES.rows.c, DEMAND_DAYS.c
    statement = insert(DEMAND_DAYS).from_select(
        names, select(*(rows[name] for name in names)).order_by(*in_order(rows, rows.day))
    )
    added = {name: known[name] + statement.excluded[name] for name in Counts._fields}
    return statement.on_conflict_do_update(index_elements=list(_KEYS), set_=added)


_ADD = _add()
_DROP_EMPTY = delete(DEMAND_DAYS).where(
    tuple_(*(DEMAND_DAYS.c[name] for name in _KEYS)).in_(select(*(_CHANGES.rows.c[name] for name in _KEYS))),
    DEMAND_DAYS.c.n_requests == 0,
    DEMAND_DAYS.c.imported_requested.is_(None),
)
"""A day for which no request counts any more, since its request was said to be of another district, or earlier."""


def counted(connection: Connection, touched: Mapping[str, str]) -> dict[Key, Counts]:
    """Return what the touched requests count for now.

    Parameters
    ----------
    connection : Connection
        Holds the lock that settles requests.
    touched : mapping of str to str
        Arguments of ``statements.TOUCHED``.
    """
    return {(row[0], row[1], row[2]): Counts(*row[3:]) for row in connection.execute(_COUNTED, touched)}


def add(connection: Connection, before: Mapping[Key, Counts], after: Mapping[Key, Counts]) -> None:
    """Take away what requests counted for, and add what they count for; what is the same isn't touched."""
    changes = {key: _minus(after.get(key, NOTHING), before.get(key, NOTHING)) for key in {*before, *after}}
    rows = [(*key, *change) for key, change in sorted(changes.items()) if change != NOTHING]
    if not rows:
        return
    connection.execute(_ADD, _CHANGES.arguments(rows))
    fewer = [row for row in rows if row[-1] < 0]
    if fewer:
        connection.execute(_DROP_EMPTY, _CHANGES.arguments(fewer))


def _minus(one: Counts, other: Counts) -> Counts:
    return Counts(*(a - b for a, b in zip(one, other, strict=True)))
