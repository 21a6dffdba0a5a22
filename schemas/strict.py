"""Whether bytes are what Avro's binary encoding has for a schema, which fastavro doesn't ask.

fastavro takes an index of -1 for the last symbol or branch, any byte but 0 for true, a negative length for all that is
left, and numbers beyond 64 bits for whatever they leave in 64; what it skips it doesn't look at. No writer of Avro
writes such bytes, and other readers refuse them or read something else.

What writers may choose is lawful here: lists in several blocks, blocks with their size in bytes before them, numbers
with more bytes than they need, up to the ten of a long and the five of an int.

A few numbers and texts one after another are seen to be lawful by a regular expression, in a third of a microsecond;
whatever it doesn't match is walked over field by field.

References
----------
Apache Avro 1.12 specification, *Binary encoding*.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, cast

INT_BITS, LONG_BITS = 32, 64
N_SHORT = 64
"""Lengths, counts and indexes below it are one byte where they are written as short as can be."""

Walk = Callable[[bytes, int], int]
"""Takes bytes and where a value begins in them; returns where it ends, or raises ``Unlawful``."""


class Unlawful(ValueError):  # noqa: N818 - what the bytes are, not what went wrong with us
    """No writer of Avro writes such bytes.

    Parameters
    ----------
    why : str
    path : tuple of str
        Names of fields, from the outermost on.
    """

    def __init__(self, why: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(f"{'.'.join(path)}: {why}" if path else why)
        self.why, self.path = why, path


class Shape(NamedTuple):
    """How values of a type are seen to be lawful.

    Parameters
    ----------
    walk : callable
        Tells for all of them.
    shortcut : bytes
        A regular expression: what it matches is lawful. It needn't match all that is.
    size : int or None
        How many bytes each has, where that is always the same.
    is_apart : bool
        Whether the shortcut is often of no use, so that it better be tried for itself.
    """

    walk: Walk
    shortcut: bytes
    size: int | None = None
    is_apart: bool = False


def walk_of(schema: Any) -> Walk:  # noqa: ANN401 - fastavro's parsed schemas are nested JSON
    """Return what walks over a value of ``schema``, as ``fastavro.parse_schema`` returns it.

    A list can't have more items than bytes are left: who writes lists of nothing can't be read.
    """
    return _shape(schema, {}).walk


def _shape(schema: Any, named: dict[str, Shape]) -> Shape:  # noqa: ANN401
    if isinstance(schema, list):
        return _union([_shape(branch, named) for branch in schema])
    if isinstance(schema, str):
        return _PRIMITIVES[schema] if schema in _PRIMITIVES else named[schema]
    kind = schema["type"]
    if kind == "array":
        return _blocks(_shape(schema["items"], named))
    if kind == "map":
        return _blocks(_record([("key", _TEXT), ("value", _shape(schema["values"], named))]))
    if not isinstance(kind, str) or kind not in {"record", "error", "enum", "fixed"}:
        return _shape(kind, named)
    name = schema["name"]
    if kind in {"record", "error"}:
        # a record within itself is walked over by what is made here, once it is made
        named[name] = Shape(lambda value, at: named[name].walk(value, at), _NEVER, is_apart=True)  # noqa: PLW0108
        named[name] = _record([(field["name"], _shape(field["type"], named)) for field in schema["fields"]])
    elif kind == "enum":
        named[name] = _enum(len(schema["symbols"]))
    else:
        named[name] = _of_size(schema["size"])
    return named[name]


def _record(fields: list[tuple[str, Shape]]) -> Shape:
    sizes = [shape.size for _, shape in fields]
    size = None if None in sizes else sum(cast("list[int]", sizes))
    runs: list[list[tuple[str, Shape]]] = []
    for field in fields:
        if not runs or field[1].is_apart or runs[-1][-1][1].is_apart:
            runs.append([])
        runs[-1].append(field)
    steps = [(_match_of([shape for _, shape in run]), [(name, shape.walk) for name, shape in run]) for run in runs]

    def walk(value: bytes, at: int) -> int:
        for match, walks in steps:
            if match and (found := match(value, at)):
                at = found.end()
                continue
            for name, walk_field in walks:
                try:
                    at = walk_field(value, at)
                except Unlawful as error:
                    raise Unlawful(error.why, (name, *error.path)) from None
        return at

    return Shape(walk, _all_of([shape for _, shape in fields]), size, any(shape.is_apart for _, shape in fields))


def _match_of(shapes: list[Shape]) -> Callable[[bytes, int], re.Match[bytes] | None] | None:
    """Return the shortcut over one value after the other, where there is one that is often of use."""
    return None if any(shape.is_apart for shape in shapes) else re.compile(_all_of(shapes), re.DOTALL).match


def _all_of(shapes: list[Shape]) -> bytes:
    return b"".join(shape.shortcut for shape in shapes)


def _union(branches: list[Shape]) -> Shape:
    def walk(value: bytes, at: int) -> int:
        branch, at = _number(value, at, INT_BITS)
        if not 0 <= branch < len(branches):
            message = f"there is no branch {branch} of {len(branches)}"
            raise Unlawful(message)
        return branches[branch].walk(value, at)

    shortcut = _one_of([_small(n) + branch.shortcut for n, branch in enumerate(branches[:N_SHORT])])
    return Shape(walk, shortcut, is_apart=any(branch.is_apart for branch in branches))


def _enum(n_symbols: int) -> Shape:
    def walk(value: bytes, at: int) -> int:
        symbol, at = _number(value, at, INT_BITS)
        if not 0 <= symbol < n_symbols:
            message = f"there is no symbol {symbol} of {n_symbols}"
            raise Unlawful(message)
        return at

    return Shape(walk, b"[" + b"".join(map(_small, range(min(n_symbols, N_SHORT)))) + b"]")


def _blocks(item: Shape) -> Shape:
    """Return the shape of a list; a map is one of pairs."""
    match = _match_of([item])

    def walk(value: bytes, at: int) -> int:
        while True:
            n_items, at = _number(value, at, LONG_BITS)
            if n_items == 0:
                return at
            size = None
            if n_items < 0:
                n_items = -n_items
                size, at = _number(value, at, LONG_BITS)
            if n_items > len(value) - at:
                message = f"{n_items} items in {len(value) - at} bytes"
                raise Unlawful(message)
            begin = at
            for _ in range(n_items):
                at = found.end() if match and (found := match(value, at)) else item.walk(value, at)
            if size is not None and size != at - begin:
                message = f"a block of {at - begin} bytes that says {size}"
                raise Unlawful(message)

    end = _small(0)
    if item.size is None:
        return Shape(walk, end, is_apart=True)
    if not _ANYTHING.fullmatch(item.shortcut) or item.size * N_SHORT > _REPEATED_MOST:
        return Shape(walk, end, is_apart=True)  # not any bytes are lawful, as of booleans
    blocks = [_small(n) + b".{%d}" % (n * item.size) + end for n in range(1, N_SHORT)]
    return Shape(walk, _one_of([end, *blocks]) if item.size else end)


def _of_size(size: int) -> Shape:
    def walk(value: bytes, at: int) -> int:
        if size > len(value) - at:
            message = f"{size} bytes of which {len(value) - at} are there"
            raise Unlawful(message)
        return at + size

    return Shape(walk, b".{%d}" % size if size <= _REPEATED_MOST else _NEVER, size)


def _bytes(value: bytes, at: int) -> int:
    size, at = _number(value, at, LONG_BITS)
    if not 0 <= size <= len(value) - at:
        message = f"{size} bytes of which {len(value) - at} are there"
        raise Unlawful(message)
    return at + size


def _text(value: bytes, at: int) -> int:
    if found := _short_text(value, at):
        return found.end()
    end = _bytes(value, at)
    _, at = _number(value, at, LONG_BITS)
    try:
        value[at:end].decode()
    except UnicodeDecodeError as error:
        message = f"no UTF-8 ({error.reason})"
        raise Unlawful(message) from None
    return end


def _boolean(value: bytes, at: int) -> int:
    if at >= len(value) or value[at] > 1:
        message = f"a boolean of {value[at]}" if at < len(value) else "the bytes end"
        raise Unlawful(message)
    return at + 1


def _long(value: bytes, at: int) -> int:
    return _number(value, at, LONG_BITS)[1]


def _int(value: bytes, at: int) -> int:
    return _number(value, at, INT_BITS)[1]


def _number(value: bytes, at: int, n_bits: int) -> tuple[int, int]:
    """Return a number of at most so many bits, and where it ends."""
    if at < len(value) and value[at] < 0x80:
        return value[at] >> 1 ^ -(value[at] & 1), at + 1
    zigzag = shift = 0
    while True:
        if at >= len(value):
            message = "the bytes end"
            raise Unlawful(message)
        byte = value[at]
        at += 1
        zigzag |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80 or shift >= LONG_BITS:
            break
    number = zigzag >> 1 ^ -(zigzag & 1)
    if byte >= 0x80 or zigzag >> n_bits or shift - 7 >= n_bits:
        name = "int" if n_bits == INT_BITS else "long"
        message = f"{f'{number} is' if byte < 0x80 else 'a number without an end is'} no {name} of {n_bits} bits"
        raise Unlawful(message)
    return number, at


def _small(number: int) -> bytes:
    """Return an expression that matches a number from 0 to 64, written as short as can be."""
    return b"\\x%02x" % (number << 1) if number < N_SHORT else b"\\x80\\x01"


def _one_of(shortcuts: list[bytes]) -> bytes:
    return b"(?:" + b"|".join(shortcuts) + b")"


_NEVER = b"(?!)"
_ANYTHING = re.compile(rb"(?:\.\{\d+\})+")  # shortcuts that take whatever bytes there are
_REPEATED_MOST = 2**20  # so many, and ``re`` counts to some billions
_ID_LENGTH, _DIGEST_LENGTH = 36, 64
_LENGTHS = (_ID_LENGTH, _DIGEST_LENGTH, *range(32))
# What isn't ASCII is walked over.
_TEXT = Shape(_text, _one_of([_small(n) + b"[\\x00-\\x7f]{%d}" % n for n in _LENGTHS]))
_short_text = re.compile(_TEXT.shortcut).match
_PRIMITIVES = {
    "null": Shape(lambda _, at: at, b"", 0),
    "boolean": Shape(_boolean, b"[\\x00\\x01]", 1),
    "int": Shape(_int, b"[\\x80-\\xff]{0,3}[\\x00-\\x7f]"),
    "long": Shape(_long, b"[\\x80-\\xff]{0,8}[\\x00-\\x7f]"),
    "float": _of_size(4),
    "double": _of_size(8),
    "bytes": Shape(_bytes, _one_of([_small(n) + b".{%d}" % n for n in range(N_SHORT)])),
    "string": _TEXT,
}
