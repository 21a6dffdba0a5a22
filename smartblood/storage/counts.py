"""How many rows each table has: for people who look, not for the stream."""

from __future__ import annotations

from sqlalchemy import func, literal, select, union_all

from smartblood.storage.engine import engine_of, translated
from smartblood.storage.tables import METADATA


def row_counts(url: str) -> dict[str, int]:
    """Return the number of rows of each table, in the order of their names.

    Raises
    ------
    Retryable, Fatal
        If Postgres can't be asked.
    """
    counts = [
        select(literal(table.name).label("name"), func.count().label("n")).select_from(table)
        for table in METADATA.sorted_tables
    ]
    engine = engine_of(url)
    try:
        with translated("counting rows"), engine.connect() as connection:
            found = {str(name): int(n) for name, n in connection.execute(union_all(*counts))}
    finally:
        engine.dispose()
    return dict(sorted(found.items()))
