"""An open-addressing table from a 64-bit id to the row that holds it; 4 bytes a slot.

Only rows are stored: the id is looked up in the column that the rows point into. A Python dict of a million ids would
take a hundred bytes for each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.kernels import kernel

FREE = -1


@kernel
def home_slot(key: int, mask: int) -> int:
    """Return the slot where the search for ``key`` begins (the finaliser of splitmix64).

    References
    ----------
    Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014.
    """
    z = np.uint64(key)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return int(np.int64(z & np.uint64(mask)))


@kernel
def slot_of(table: NDArray[np.int32], keys: NDArray[np.int64], key: int) -> int:
    """Return the slot that holds ``key``, or the free slot where it would go."""
    mask = len(table) - 1
    slot = home_slot(key, mask)
    while table[slot] != FREE and keys[table[slot]] != key:
        slot = (slot + 1) & mask
    return slot


@kernel
def free_slot(table: NDArray[np.int32], keys: NDArray[np.int64], slot: int) -> None:
    """Empty ``slot`` and move up those that were pushed past it, so that no search ends too early."""
    mask = len(table) - 1
    hole = slot
    slot = (slot + 1) & mask
    while table[slot] != FREE:
        home = home_slot(keys[table[slot]], mask)
        if ((slot - home) & mask) >= ((slot - hole) & mask):
            table[hole] = table[slot]
            hole = slot
        slot = (slot + 1) & mask
    table[hole] = FREE


@kernel
def _fill(table: NDArray[np.int32], keys: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
    for row in rows:
        table[slot_of(table, keys, keys[row])] = row


def table_for(capacity: int) -> NDArray[np.int32]:
    """Return an empty table for ``capacity`` ids, at most six tenths full with them."""
    n_slots = 64
    while n_slots * 0.6 < capacity:
        n_slots *= 2
    return np.full(n_slots, FREE, np.int32)


def table_of(keys: NDArray[np.int64], rows: NDArray[np.int64], capacity: int) -> NDArray[np.int32]:
    """Return a table for ``capacity`` ids that holds ``keys[rows]``, all different."""
    table = table_for(capacity)
    _fill(table, keys, rows)
    return table
