"""Many Avro bodies of one schema into columns at once.

A rebuilt index reads a million ``donor-states``; a Python dict for each would be most of the time that it takes. The
schema is turned into a short program of fixed-width operations, which a kernel runs over all bodies.

Texts and bytes are skipped, since no column of the index is made from them. What the kernel can't read, and what no
writer of Avro writes (``schemas.strict``), it marks; such records go through the codec, which says what is wrong with
them.

References
----------
Apache Avro specification 1.12, "Binary encoding".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.kernels import kernel

NULL = -(2**63)
"""What a null is in a column of integers; in a column of floats it is NaN."""

NUMBER, BOOLEAN, DOUBLE, TEXT, LIST, INT = 0, 1, 2, 3, 4, 5
"""Kinds of operations: a long; a byte; eight bytes; a length and so many bytes, skipped; a list of records, whose
items' operations follow; an int or the index of an enum's symbol."""

NAN_BITS = 0x7FF8 << 48

_KINDS = {"int": INT, "long": NUMBER, "boolean": BOOLEAN, "double": DOUBLE, "string": TEXT, "bytes": TEXT}

KIND, OPTIONAL, PLACE, SIZE = 0, 1, 2, 3
"""Columns of a program: the kind; 1 where a union with null stands before the value; the column that it goes to; for
an enum how many symbols it has, for a list how many operations an item has."""


class Decoded(NamedTuple):
    """Columns of many bodies.

    Parameters
    ----------
    is_read : ndarray of bool, shape (n,)
        Where this is false, nothing else is said of the body.
    numbers : ndarray of int64, shape (n_number_fields, n)
        Integers, indexes of enums' symbols, booleans.
    double_bits : ndarray of int64, shape (n_double_fields, n)
        Their bits: a view as float64 has the numbers.
    starts, n_items : ndarray of int64, shape (n_list_fields, n)
        Where each list begins in ``items``, and how many items it has.
    items : ndarray of int64
        The integers of the lists' items, field after field, item after item.
    """

    is_read: NDArray[np.bool_]
    numbers: NDArray[np.int64]
    double_bits: NDArray[np.int64]
    starts: NDArray[np.int64]
    n_items: NDArray[np.int64]
    items: NDArray[np.int64]


class ColumnDecoder:
    """Decodes bodies of one schema into columns.

    Parameters
    ----------
    schema : dict
        An Avro record of numbers, booleans, doubles, texts, enums, unions of one of these with null (null first), and
        arrays of records of these.

    Raises
    ------
    ValueError
        If the schema holds anything else.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self.numbers: dict[str, int] = {}
        self.doubles: dict[str, int] = {}
        self.lists: dict[str, int] = {}
        program: list[tuple[int, int, int, int]] = []
        for field in schema["fields"]:
            kind, optional, size, items = _kind_of(field["name"], field["type"])
            places = {DOUBLE: self.doubles, LIST: self.lists}.get(kind, self.numbers)
            place = -1 if kind == TEXT else places.setdefault(field["name"], len(places))
            program.append((kind, optional, place, size))
            program.extend(items)
        self._program = np.array(program, np.int64)

    def decode(self, values: Sequence[bytes], skip: int) -> Decoded:
        """Decode the bodies that begin after ``skip`` bytes of each value."""
        n = len(values)
        ends = np.cumsum(np.fromiter((len(value) for value in values), np.int64, n))
        body = np.frombuffer(b"".join(values), np.uint8)
        decoded = Decoded(
            is_read=np.zeros(n, np.bool_),
            numbers=np.empty((len(self.numbers), n), np.int64),
            double_bits=np.empty((len(self.doubles), n), np.int64),
            starts=np.zeros((len(self.lists), n), np.int64),
            n_items=np.zeros((len(self.lists), n), np.int64),
            # An integer takes at least a byte, so there can't be more of them than bytes.
            items=np.empty(len(body), np.int64),
        )
        _decode(self._program, body, ends, skip, decoded)
        return decoded


def _kind_of(name: str, of: Any) -> tuple[int, int, int, list[tuple[int, int, int, int]]]:  # noqa: ANN401 - Avro's JSON
    """Return the kind, whether null may be, the size, and the operations of a list's items."""
    if isinstance(of, list) and len(of) == 2 and of[0] == "null":
        kind, optional, size, items = _kind_of(name, of[1])
        if not optional and kind in {NUMBER, INT, BOOLEAN, DOUBLE}:
            return kind, 1, size, items
    elif isinstance(of, str) and of in _KINDS:
        return _KINDS[of], 0, 0, []
    elif isinstance(of, dict) and of["type"] == "enum":
        return INT, 0, len(of["symbols"]), []
    elif isinstance(of, dict) and of["type"] == "array":
        items = [_item_of(field) for field in of["items"]["fields"]]
        return LIST, 0, len(items), items
    elif isinstance(of, dict) and of["type"] in _KINDS:
        return _KINDS[of["type"]], 0, 0, []
    message = f"field {name}: there are no columns for the type {of}"
    raise ValueError(message)


def _item_of(field: dict[str, Any]) -> tuple[int, int, int, int]:
    kind, optional, size, _ = _kind_of(field["name"], field["type"])
    if kind in {DOUBLE, LIST}:
        message = f"field {field['name']}: there are no columns for the type {field['type']} in an item"
        raise ValueError(message)
    return kind, optional, -1, size


@kernel
def _varint(body: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """Return a number and where it ends; the end is -1 where there is none."""
    value = np.uint64(0)
    shift = np.uint64(0)
    while at < end and shift < np.uint64(64):
        byte = np.uint64(body[at])
        at += 1
        value |= (byte & np.uint64(0x7F)) << shift
        if byte < np.uint64(0x80):
            if shift == np.uint64(63) and byte > np.uint64(1):  # more than 64 bits
                return 0, -1
            return int(np.int64(value >> np.uint64(1)) ^ -np.int64(value & np.uint64(1))), at
        shift += np.uint64(7)
    return 0, -1


@kernel
def _int(body: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """Return a number of 32 bits in at most five bytes, and where it ends; the end is -1 where there is none."""
    value, after = _varint(body, at, end)
    return (value, after) if after - at <= 5 and -(2**31) <= value < 2**31 else (0, -1)


@kernel
def _number(operation: NDArray[np.int64], body: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """Read a number, a boolean, a null or the length of a text, which is skipped; the end is -1 where it is none."""
    if operation[OPTIONAL]:
        branch, at = _int(body, at, end)
        if at < 0 or branch < 0 or branch > 1:
            return 0, -1
        if branch == 0:
            return NULL, at
    if operation[KIND] == BOOLEAN:
        return (int(body[at]), at + 1) if at < end and body[at] <= 1 else (0, -1)
    if operation[KIND] == INT:
        value, at = _int(body, at, end)
        return (value, at) if operation[SIZE] == 0 or 0 <= value < operation[SIZE] else (0, -1)
    value, at = _varint(body, at, end)
    if at >= 0 and operation[KIND] == TEXT:
        at = at + value if 0 <= value <= end - at else -1
    return value, at


@kernel
def _double(operation: NDArray[np.int64], body: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """Read the bits of a double or a null; the end is -1 where it is none."""
    if operation[OPTIONAL]:
        branch, at = _int(body, at, end)
        if at < 0 or branch < 0 or branch > 1:
            return 0, -1
        if branch == 0:
            return NAN_BITS, at
    if end - at < 8:
        return 0, -1
    bits = np.uint64(0)
    for i in range(8):
        bits |= np.uint64(body[at + i]) << np.uint64(8 * i)
    return int(np.int64(bits)), at + 8


@kernel
def _list(
    operations: NDArray[np.int64],
    body: NDArray[np.uint8],
    at: int,
    end: int,
    items: NDArray[np.int64],
    n_numbers: int,
) -> tuple[int, int, int]:
    """Read a list; return how many items it has, where it ends (-1: nowhere) and how many of ``items`` are in use."""
    n_items = 0
    while True:
        n_block, at = _varint(body, at, end)
        if at < 0 or n_block == 0:
            return n_items, at, n_numbers
        is_sized = n_block < 0
        size = 0
        if is_sized:
            n_block = -n_block
            size, at = _varint(body, at, end)
        # An item without a byte would let a few bytes claim any number of items; -2**63 stays negative.
        if at < 0 or n_block < 0 or n_block > end - at:
            return n_items, -1, n_numbers
        begin = at
        for _ in range(n_block):
            for i in range(len(operations)):
                value, at = _number(operations[i], body, at, end)
                if at < 0:
                    return n_items, -1, n_numbers
                if operations[i, KIND] != TEXT:
                    items[n_numbers] = value
                    n_numbers += 1
            n_items += 1
        if is_sized and size != at - begin:
            return n_items, -1, n_numbers


@kernel
def _decode(
    program: NDArray[np.int64], body: NDArray[np.uint8], ends: NDArray[np.int64], skip: int, decoded: Decoded
) -> None:
    end = n_numbers = 0
    for row in range(len(ends)):
        at, end = end + skip, ends[row]
        i = 0
        while i < len(program) and at >= 0:
            operation = program[i]
            i += 1
            if operation[KIND] == DOUBLE:
                decoded.double_bits[operation[PLACE], row], at = _double(operation, body, at, end)
            elif operation[KIND] == LIST:
                decoded.starts[operation[PLACE], row] = n_numbers
                items = program[i : i + operation[SIZE]]
                n_items, at, n_numbers = _list(items, body, at, end, decoded.items, n_numbers)
                decoded.n_items[operation[PLACE], row] = n_items
                i += operation[SIZE]
            else:
                value, at = _number(operation, body, at, end)
                if operation[PLACE] >= 0:
                    decoded.numbers[operation[PLACE], row] = value
        decoded.is_read[row] = at == end
