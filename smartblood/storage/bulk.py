"""Many rows as one statement's arguments: a Postgres array for each column, unnested by the server.

Measured (tests/bench/bench_recording.py), 5,000 donors of 22 columns by upsert: rows of ``VALUES`` by executemany take
SQLAlchemy and the server's parser six times as long, a ``COPY`` into a temporary table twice as long, and it can't
be part of one statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    Subquery,
    Table,
    Text,
    Uuid,
    bindparam,
    cast,
    column,
    func,
    select,
    text,
    type_coerce,
)
from sqlalchemy.types import TypeEngine

from smartblood.storage.engine import RefusedByDatabase

DAY_US = 86_400_000_000
FIRST_INSTANT, LAST_INSTANT = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 to 9999: Postgres holds more, but whoever reads it from Python can't."""

Encode = Callable[[Any], str]


def _number(value: float) -> str:
    return repr(value)


def _boolean(value: bool) -> str:
    return "t" if value else "f"


def _quoted(value: str) -> str:
    if '"' in value or "\\" in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'


def _bytes(value: bytes) -> str:
    return f'"\\\\x{value.hex()}"'


_ENCODERS: tuple[tuple[type[TypeEngine[Any]], Encode], ...] = (
    (BigInteger, _number),
    (Integer, _number),
    (Double, _number),
    (Boolean, _boolean),
    (DateTime, _number),
    (Date, str),
    (LargeBinary, _bytes),
    (Uuid, str),
    (JSON, _quoted),
    (Text, _quoted),
)


class Incoming:
    """Rows of one kind on their way into a statement.

    Parameters
    ----------
    table : Table
        Its columns of the fields' names say the types.
    fields : sequence of str
        Names of the columns that come.
    besides : sequence of Column
        Columns that come too, and are none of the table's.
    name : str
        What the rows are called in the statement.
    """

    def __init__(
        self,
        table: Table,
        fields: Sequence[str],
        *,
        besides: Sequence[Column[Any]] = (),
        name: str = "incoming",
    ) -> None:
        extra = {each.name: each for each in besides}
        columns = [extra[field] if field in extra else table.c[field] for field in fields]
        self._names = [f"{each.name}_of_rows" for each in columns]  # a column's own name would be a value to be set
        self._encoders = [_encoder_of(each.type) for each in columns]
        self._instants = [place for place, each in enumerate(columns) if isinstance(each.type, DateTime)]
        coming = [BigInteger() if isinstance(each.type, DateTime) else each.type for each in columns]
        arrays = [
            cast(bindparam(name, type_=Text()), ARRAY(kind)) for name, kind in zip(self._names, coming, strict=True)
        ]
        sent = func.unnest(*arrays).table_valued(
            *(column(each.name, kind) for each, kind in zip(columns, coming, strict=True))
        )
        sent = sent.render_derived(name=f"{name}_as_sent")
        taken = [
            _instant(sent.c[each.name]).label(each.name) if isinstance(each.type, DateTime) else sent.c[each.name]
            for each in columns
        ]
        self.rows: Subquery = select(*taken).subquery(name)

    def arguments(self, rows: Iterable[Sequence[Any]]) -> dict[str, str]:
        """Return the arguments that carry ``rows``, of which there is at least one.

        Raises
        ------
        RefusedByDatabase
            If an instant lies outside of the years 1 to 9999.
        """
        columns = list(zip(*rows, strict=True))
        for place in self._instants:
            _require_within_calendar(columns[place])
        return {
            name: _literal(encode, values)
            for name, encode, values in zip(self._names, self._encoders, columns, strict=True)
        }


def _instant(at_us: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the timestamp of an instant; days and the rest apart, so that no microsecond is lost to rounding."""
    of_day = at_us - at_us.op("/")(DAY_US) * DAY_US
    midnight = func.to_timestamp(cast(at_us.op("/")(DAY_US) * 86_400, Double))
    return type_coerce(midnight + of_day * text("interval '1 microsecond'"), DateTime(timezone=True))


def _require_within_calendar(instants: Iterable[int | None]) -> None:
    known = [at for at in instants if at is not None]
    if known and not FIRST_INSTANT <= min(known) <= max(known) <= LAST_INSTANT:
        reason = "an instant lies outside of the years 1 to 9999"
        raise RefusedByDatabase(reason)


def _encoder_of(kind: TypeEngine[Any]) -> Encode:
    return next(encode for of, encode in _ENCODERS if isinstance(kind, of))


def _literal(encode: Encode, values: Sequence[Any]) -> str:
    return "{" + ",".join(["NULL" if value is None else encode(value) for value in values]) + "}"


class Offset(NamedTuple):
    """How far a partition is recorded, and what that was before."""

    topic: str
    partition: int
    next_offset: int
    expected: int
