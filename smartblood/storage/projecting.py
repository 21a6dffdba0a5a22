"""From records to rows, and which of them are written together: pure, no Postgres here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from consumers.recording.projection import Projection
from consumers.recording.refusals import refused_row
from consumers.recording.rows import Row, Wave
from schemas.errors import InvalidRecord
from schemas.records import Record
from smartblood.kafka.batches import PASSED_ON, Item, own_failure


class Projected(NamedTuple):
    """A record, what became of it, and its rows."""

    item: Item
    rows: tuple[Row, ...]

    @property
    def work(self) -> int:
        """How many rows it is, counting large refused records by their size."""
        return self.item.work


class Projecting:
    """Says what becomes of records.

    Parameters
    ----------
    projection : Projection
        Makes the rows.
    topic_on_cluster : callable
        What the cluster calls a topic of the contract.
    """

    def __init__(self, projection: Projection, topic_on_cluster: Callable[[str], str]) -> None:
        self._projection = projection
        self._topic_on_cluster = topic_on_cluster

    def look_at(self, record: Record) -> Projected:
        """Return the rows of a record, or the row that says that it was refused.

        Raises
        ------
        Retryable
            If a schema registry doesn't answer: nothing is known of the record.
        Fatal
            If it refuses us.
        """
        try:
            rows = self._projection.rows(record)
        except InvalidRecord as error:
            return self.refused(record, error)
        except PASSED_ON:
            raise
        except Exception as error:  # noqa: BLE001 - a failure of ours is kept beside the record, counted and limited
            return self.refused(record, own_failure(error), ours=True)
        return Projected(Item(record, work=max(1, sum(_n_rows(row) for row in rows))), rows)

    def refused(self, record: Record, error: InvalidRecord, *, ours: bool = False) -> Projected:
        """Return a record that is refused, with the row that says why."""
        row = refused_row(record, error, self._topic_on_cluster(record.topic))
        work = 1 + len(row.value or b"") // 200
        return Projected(Item(record, error=error, ours=ours, work=work), (row,))


def batches(projected: Iterable[Projected], rows_max: int) -> Iterable[list[Projected]]:
    """Cut records into batches of at most ``rows_max`` rows each, and at least one record."""
    batch: list[Projected] = []
    n_rows = 0
    for each in projected:
        if batch and n_rows + each.work > rows_max:
            yield batch
            batch, n_rows = [], 0
        batch.append(each)
        n_rows += each.work
    if batch:
        yield batch


def _n_rows(row: Row) -> int:
    return 1 + len(row.offers) if isinstance(row, Wave) else 1
