"""The index of all donors: columns sorted by place and group, and a short tail of newcomers.

Donors who change in place are written over where they stand; those who are new, who moved or whose group changed go to
the tail, which every search looks through whole. ``settle`` merges the tail in when it has grown too long, so that a
bulk load pays for one merge and not for hundreds. Nothing changes between ``put`` and ``settle`` calls: whoever holds
the index freezes it for a batch by not calling them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.index.changes import Held, count_engagements, move_engagements, put
from features.index.columns import (
    LIVE,
    Columns,
    Engagements,
    empty_columns,
    empty_engagements,
    longer,
)
from features.index.id_table import FREE, slot_of, table_for, table_of
from features.index.places import Places, Segments, joined, places_of, segments_of, take_places

TAIL_ROWS_MIN = 1024
TAIL_SHARE = 128
"""The tail is merged in where it has more than 1,024 rows and more than a 128th of the sorted ones."""

GROWTH_SHARE = 8
"""Where there is no more room, there will be an eighth more: some copies while a million come, little lies idle."""


class IndexView(NamedTuple):
    """The arrays that a search reads.

    Parameters
    ----------
    columns : Columns
    engagements : Engagements
    places : Places
    segments : Segments
    n_sorted : int
        Rows in segments; from there to ``n_rows`` lies the tail.
    n_rows : int
    """

    columns: Columns
    engagements: Engagements
    places: Places
    segments: Segments
    n_sorted: int
    n_rows: int


class DonorIndex:
    """All registered donors, by the numbers that a search needs."""

    def __init__(self) -> None:
        self.n_donors = 0
        self.n_sorted = 0
        self.n_rows = 0
        self._columns = empty_columns(0)
        self._engagements = empty_engagements(0)
        self._n_engagements = 0
        self._places = places_of(np.empty(0, np.int64))
        self._segments = segments_of(self._columns.cell, self._columns.group, 0)
        self._ids = table_for(0)
        self._cell_numbers = table_for(0)
        self._view: IndexView | None = None

    @property
    def view(self) -> IndexView:
        """The arrays, as they are until the next change."""
        if self._view is None:
            self._view = IndexView(
                self._columns, self._engagements, self._places, self._segments, self.n_sorted, self.n_rows
            )
        return self._view

    @property
    def columns(self) -> Columns:
        """The donors' columns; rows from ``n_rows`` on hold nothing."""
        return self._columns

    @property
    def n_tail(self) -> int:
        """Rows that are not sorted in yet."""
        return self.n_rows - self.n_sorted

    @property
    def n_bytes(self) -> int:
        """Bytes that all arrays of the index take."""
        parts = (self._columns, self._engagements, self._places, self._segments, (self._ids, self._cell_numbers))
        return sum(array.nbytes for part in parts for array in part)

    def row_of(self, donor_id: int) -> int | None:
        """Return the donor's row, or None where the donor isn't registered."""
        row = int(self._ids[slot_of(self._ids, self._columns.donor_id, donor_id)])
        return None if row == FREE else row

    def numbers_of_cells(self, h3_cells: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the number of each H3 cell, for ``Columns.cell``; cells that are new get one.

        Raises
        ------
        ValueError
            If one is no H3 cell.
        """
        distinct, inverse = np.unique(h3_cells, return_inverse=True)
        known = self._places.h3_cell
        slots = [slot_of(self._cell_numbers, known, cell) for cell in distinct]
        numbers = self._cell_numbers[slots] if slots else np.empty(0, np.int32)
        new = distinct[numbers == FREE]
        if len(new):
            self._places = joined(self._places, places_of(new))
            self._number_cells()
            self._view = None
            numbers[numbers == FREE] = np.arange(len(known), len(known) + len(new))
        return numbers[inverse]

    def put(self, batch: Columns, engagements: Engagements) -> None:
        """Take in donors; of two rows of one donor the later holds, and a row without ``LIVE`` removes the donor.

        Parameters
        ----------
        batch : Columns
            ``cell`` as ``numbers_of_cells`` gave it, ``engaged`` pointing into ``engagements``.
        engagements : Engagements
        """
        self._make_room(len(batch.donor_id), len(engagements.mark))
        self.n_rows, self._n_engagements, n_more = put(
            Held(self._columns, self.n_sorted, self._segments, self._ids, self._engagements),
            self.n_rows,
            self._n_engagements,
            batch,
            engagements,
        )
        self._view = None
        self.n_donors += n_more

    def settle(self) -> None:
        """Merge the tail in, where it has grown too long to be looked through for every request."""
        if self.n_tail > max(TAIL_ROWS_MIN, self.n_sorted // TAIL_SHARE):
            self.merge()

    def merge(self) -> None:
        """Sort all living donors by place and group and drop what is dead."""
        rows = np.flatnonzero(self._columns.flags[: self.n_rows] & LIVE)
        cell = self._renumber_cells(self._columns.cell[rows])
        order = np.argsort(cell.astype(np.int64) * 16 + self._columns.group[rows], kind="stable")
        rows, cell = rows[order], cell[order]
        n_rows = len(rows)
        capacity = n_rows + max(TAIL_ROWS_MIN, n_rows // TAIL_SHARE) + 1
        # One column after the other, so that no more than one is there twice.
        taken = {}
        for name in Columns._fields:
            old = cell if name == "cell" else getattr(self._columns, name)[rows]
            taken[name] = np.empty(capacity, old.dtype)
            taken[name][:n_rows] = old
            self._columns = self._columns._replace(**{name: taken[name]})
        self.n_rows = self.n_sorted = n_rows
        self._segments = segments_of(cell, self._columns.group[:n_rows], len(self._places.h3_cell))
        self._ids = table_of(self._columns.donor_id, np.arange(n_rows), capacity)
        self._pack_engagements(spare=n_rows // TAIL_SHARE)
        self._view = None

    def _renumber_cells(self, cell: NDArray[np.int32]) -> NDArray[np.int32]:
        """Sort the places that are still lived in by latitude; return ``cell`` in the new numbers."""
        used = np.unique(cell)
        order = used[np.lexsort((self._places.h3_cell[used], self._places.latitude[used]))]
        new_number = np.empty(len(self._places.h3_cell), np.int32)
        new_number[order] = np.arange(len(order))
        self._places = take_places(self._places, order)
        self._number_cells()
        return new_number[cell]

    def _number_cells(self) -> None:
        n_places = len(self._places.h3_cell)
        self._cell_numbers = table_of(self._places.h3_cell, np.arange(n_places), n_places)

    def _make_room(self, n_more_rows: int, n_more_engagements: int) -> None:
        n_rows = self.n_rows + n_more_rows
        if n_rows > len(self._columns.donor_id):
            self._columns = longer(self._columns, self.n_rows, max(n_rows, self.n_rows + self.n_rows // GROWTH_SHARE))
            self._view = None
        if (self.n_donors + n_more_rows) > len(self._ids) * 0.6:
            rows = self._ids[self._ids != FREE].astype(np.int64)
            self._ids = table_of(self._columns.donor_id, rows, 2 * (self.n_donors + n_more_rows))
        if self._n_engagements + n_more_engagements > len(self._engagements.mark):
            self._pack_engagements(spare=n_more_engagements + self._n_engagements // 2)

    def _pack_engagements(self, *, spare: int) -> None:
        """Drop the entries that no living donor points to, and leave room for ``spare`` more."""
        n_used = count_engagements(self._columns, self.n_rows, self._engagements)
        packed = empty_engagements(n_used + spare)
        self._n_engagements = move_engagements(self._columns, self.n_rows, self._engagements, packed)
        self._engagements = packed
        self._view = None
