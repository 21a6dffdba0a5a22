"""Numbers out of bytes and into them: little-endian as ``struct`` writes them, and as Avro does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.kernels import part

SIGN = -(2**63)
"""Halves of ids are kept with their first bit turned, so that they sort as the ids do."""


@part
def int_at(content: NDArray[np.uint8], at: int, width: int) -> int:
    """Return a number of so many bytes, without sign where they are fewer than eight."""
    number = np.int64(0)
    for i in range(width - 1, -1, -1):
        number = number << 8 | np.int64(content[at + i])
    return int(number)


@part
def put_int(content: NDArray[np.uint8], at: int, number: int, width: int) -> int:
    """Write the lowest bytes of a number; return the place behind them."""
    for _ in range(width):
        content[at] = number & 0xFF
        number >>= 8
        at += 1
    return at


@part
def id_half_at(content: NDArray[np.uint8], at: int) -> int:
    """Return half of an id, as a number that sorts like it."""
    number = np.int64(0)
    for i in range(8):
        number = number << 8 | np.int64(content[at + i])
    return int(number ^ SIGN)


@part
def put_id(content: NDArray[np.uint8], at: int, high: int, low: int) -> int:
    """Write an id of two halves; return the place behind it."""
    for half in (high ^ SIGN, low ^ SIGN):
        for i in range(8):
            content[at + i] = half >> (56 - 8 * i) & 0xFF
        at += 8
    return at


@part
def put(content: NDArray[np.uint8], at: int, other: NDArray[np.uint8], begin: int, end: int) -> int:
    """Write a part of other bytes; return the place behind it."""
    for i in range(begin, end):
        content[at + i - begin] = other[i]
    return at + end - begin


@part
def move(rows: NDArray[np.int64], at: int, to: int) -> None:
    """Copy a row to another place."""
    for i in range(rows.shape[1]):
        rows[to, i] = rows[at, i]


@part
def put_long(content: NDArray[np.uint8], at: int, number: int) -> int:
    """Write an int or a long of Avro; return the place behind it."""
    left = np.uint64(number << 1 ^ number >> 63)
    while left > np.uint64(0x7F):
        content[at] = left & np.uint64(0x7F) | np.uint64(0x80)
        left >>= np.uint64(7)
        at += 1
    content[at] = left
    return at + 1


@part
def put_optional_long(content: NDArray[np.uint8], at: int, number: int, is_there: bool) -> int:
    """Write the union of null and a long; return the place behind it."""
    if not is_there:
        content[at] = 0
        return at + 1
    content[at] = 2
    return put_long(content, at + 1, number)
