"""Putting donors into the columns and taking them out, a batch at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.index.columns import LAST, LIVE, NO_ENGAGEMENT, Columns, Engagements
from features.index.id_table import FREE, free_slot, slot_of
from features.index.places import Segments, forget_one
from features.kernels import kernel


class Held(NamedTuple):
    """What an index holds.

    Parameters
    ----------
    columns : Columns
    n_sorted : int
        Rows that lie in ``segments``.
    segments : Segments
    ids : ndarray of int32
        The table from a donor's id to the row.
    engagements : Engagements
    """

    columns: Columns
    n_sorted: int
    segments: Segments
    ids: NDArray[np.int32]
    engagements: Engagements


@kernel
def _copy_engagements(engagements: Engagements, n_engagements: int, source: Engagements, entry: int) -> int:
    """Copy one donor's entries, the first at ``entry`` of ``source``; return how many entries are in use then."""
    while True:
        engagements.request_id[n_engagements] = source.request_id[entry]
        engagements.at[n_engagements] = source.at[entry]
        engagements.mark[n_engagements] = source.mark[entry]
        n_engagements += 1
        if source.mark[entry] & LAST:
            return n_engagements
        entry += 1


@kernel
def _write(columns: Columns, row: int, batch: Columns, i: int, engaged: int) -> None:
    columns.donor_id[row] = batch.donor_id[i]
    columns.cell[row] = batch.cell[i]
    columns.group[row] = batch.group[i]
    columns.flags[row] = batch.flags[i]
    columns.whole_blood_from[row] = batch.whole_blood_from[i]
    columns.whole_blood_until[row] = batch.whole_blood_until[i]
    columns.apheresis_from[row] = batch.apheresis_from[i]
    columns.apheresis_until[row] = batch.apheresis_until[i]
    columns.last_donation_at[row] = batch.last_donation_at[i]
    columns.worth[row] = batch.worth[i]
    columns.away_until[row] = batch.away_until[i]
    columns.total_donations[row] = batch.total_donations[i]
    columns.joined_on[row] = batch.joined_on[i]
    columns.born_on[row] = batch.born_on[i]
    columns.as_of[row] = batch.as_of[i]
    columns.alerts[row] = batch.alerts[i]
    columns.acceptances[row] = batch.acceptances[i]
    columns.unanswered[row] = batch.unanswered[i]
    columns.promises[row] = batch.promises[i]
    columns.kept[row] = batch.kept[i]
    columns.answer_times[row] = batch.answer_times[i]
    columns.log_hours[row] = batch.log_hours[i]
    columns.completions[row] = batch.completions[i]
    columns.cancellations[row] = batch.cancellations[i]
    columns.no_shows[row] = batch.no_shows[i]
    columns.engaged[row] = engaged


@kernel
def _kill(columns: Columns, segments: Segments, n_sorted: int, row: int) -> None:
    columns.flags[row] = 0
    if row < n_sorted:
        forget_one(segments, columns.cell[row], columns.group[row])


@kernel
def put(
    held: Held, n_rows: int, n_engagements: int, batch: Columns, batch_engagements: Engagements
) -> tuple[int, int, int]:
    """Take in a batch, in its order: the later row of a donor replaces the earlier, one without ``LIVE`` removes it.

    A donor who stays in the same place and group is written over; another goes to the tail. There must be room in the
    columns, the pool and the table.

    Returns
    -------
    tuple of int
        Rows and engagements in use, and how many donors more there are.
    """
    columns, n_sorted, segments, table, engagements = held
    n_more = 0
    for i in range(len(batch.donor_id)):
        slot = slot_of(table, columns.donor_id, batch.donor_id[i])
        row = table[slot]
        known = row != FREE
        if not batch.flags[i] & LIVE:
            if known:
                free_slot(table, columns.donor_id, slot)
                _kill(columns, segments, n_sorted, row)
                n_more -= 1
            continue
        if not known or columns.cell[row] != batch.cell[i] or columns.group[row] != batch.group[i]:
            if known:
                _kill(columns, segments, n_sorted, row)
            else:
                n_more += 1
            row = n_rows
            n_rows += 1
        engaged = NO_ENGAGEMENT
        if batch.engaged[i] != NO_ENGAGEMENT:
            engaged = n_engagements
            n_engagements = _copy_engagements(engagements, n_engagements, batch_engagements, batch.engaged[i])
        _write(columns, row, batch, i, engaged)
        table[slot] = row
    return n_rows, n_engagements, n_more


@kernel
def count_engagements(columns: Columns, n_rows: int, engagements: Engagements) -> int:
    """Count the entries that living donors still point to."""
    n_used = 0
    for row in range(n_rows):
        entry = columns.engaged[row]
        if entry == NO_ENGAGEMENT or not columns.flags[row] & LIVE:
            continue
        while not engagements.mark[entry] & LAST:
            n_used += 1
            entry += 1
        n_used += 1
    return n_used


@kernel
def move_engagements(columns: Columns, n_rows: int, old: Engagements, new: Engagements) -> int:
    """Copy the entries of living donors into ``new`` and point the donors there; return how many there are."""
    n_used = 0
    for row in range(n_rows):
        entry = columns.engaged[row]
        if entry == NO_ENGAGEMENT or not columns.flags[row] & LIVE:
            continue
        columns.engaged[row] = n_used
        n_used = _copy_engagements(new, n_used, old, entry)
    return n_used
