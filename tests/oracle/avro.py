"""Avro's binary encoding, said plainly: read as strictly as the specification is, and written in all ways that it lets.

References
----------
Apache Avro 1.12 specification, *Binary encoding*. How many bytes a number may have is Java's to say, of whose readers
most others were made: five for an int, ten for a long.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

Names = dict[str, Any]


class Unlawful(Exception):  # noqa: N818 - what the bytes are
    """No writer of Avro wrote this."""


def insist(condition: bool) -> None:
    if not condition:
        raise Unlawful


class Reader:
    """Reads one value of ``schema``, an ``.avsc`` file as JSON; all of the bytes must be its."""

    def __init__(self, schema: Any, content: bytes) -> None:
        self.rest = content
        self.names: Names = {}
        self.value = self.read(schema)
        insist(self.rest == b"")

    def take(self, n: int) -> bytes:
        insist(0 <= n <= len(self.rest))
        taken, self.rest = self.rest[:n], self.rest[n:]
        return taken

    def number(self, n_bits: int) -> int:
        groups = []
        while not groups or groups[-1] >= 128:
            insist(len(groups) < -(-n_bits // 7))
            groups.append(self.take(1)[0])
        zigzag = sum((group & 127) << 7 * n for n, group in enumerate(groups))
        insist(zigzag < 2**n_bits)
        return zigzag // 2 if zigzag % 2 == 0 else -(zigzag + 1) // 2

    def read(self, schema: Any) -> Any:
        if isinstance(schema, list):
            branch = self.number(32)
            insist(0 <= branch < len(schema))
            return self.read(schema[branch])
        kind = schema["type"] if isinstance(schema, dict) else schema
        if isinstance(schema, dict) and "name" in schema:
            self.names[schema["name"]] = schema
        if kind in self.names:
            return self.read(self.names[kind])
        return getattr(self, f"read_{kind}")(schema)

    def read_null(self, _: Any) -> None:
        return None

    def read_boolean(self, _: Any) -> bool:
        byte = self.take(1)[0]
        insist(byte in (0, 1))
        return byte == 1

    def read_int(self, _: Any) -> int:
        return self.number(32)

    def read_long(self, _: Any) -> int:
        return self.number(64)

    def read_float(self, _: Any) -> float:
        return float(struct.unpack("<f", self.take(4))[0])

    def read_double(self, _: Any) -> float:
        return float(struct.unpack("<d", self.take(8))[0])

    def read_bytes(self, _: Any) -> bytes:
        return self.take(self.number(64))

    def read_string(self, _: Any) -> str:
        content = self.take(self.number(64))
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            raise Unlawful from None

    def read_fixed(self, schema: Any) -> bytes:
        return self.take(schema["size"])

    def read_enum(self, schema: Any) -> str:
        symbol = self.number(32)
        insist(0 <= symbol < len(schema["symbols"]))
        return str(schema["symbols"][symbol])

    def read_record(self, schema: Any) -> dict[str, Any]:
        return {field["name"]: self.read(field["type"]) for field in schema["fields"]}

    def blocks(self, read_item: Callable[[], Any]) -> list[Any]:
        items = []
        while (n := self.number(64)) != 0:
            size = self.number(64) if n < 0 else None
            before = len(self.rest)
            insist(abs(n) <= before)  # an item has a byte
            items += [read_item() for _ in range(abs(n))]
            insist(size is None or before - len(self.rest) == size)
        return items

    def read_array(self, schema: Any) -> list[Any]:
        return self.blocks(lambda: self.read(schema["items"]))

    def read_map(self, schema: Any) -> dict[str, Any]:
        return dict(self.blocks(lambda: (self.read_string(None), self.read(schema["values"]))))


class Writer:
    """Writes values as any writer might.

    Parameters
    ----------
    choose : callable
        Takes how many ways there are, and returns one of them, from 0 on; 0 is the usual one.
    """

    def __init__(self, choose: Callable[[int], int]) -> None:
        self.choose = choose
        self.names: Names = {}

    def number(self, number: int, n_bits: int = 64) -> bytes:
        zigzag = 2 * number if number >= 0 else -2 * number - 1
        groups = [zigzag & 127]
        while zigzag := zigzag >> 7:
            groups.append(zigzag & 127)
        n_most = -(-n_bits // 7)
        groups += [0] * self.choose(n_most - len(groups) + 1)
        return bytes([group | 128 for group in groups[:-1]] + groups[-1:])

    def write(self, schema: Any, value: Any) -> bytes:
        if isinstance(schema, list):
            branch = 0 if value is None else 1  # ours are of null and one more
            return self.number(branch, 32) + self.write(schema[branch], value)
        kind = schema["type"] if isinstance(schema, dict) else schema
        if isinstance(schema, dict) and "name" in schema:
            self.names[schema["name"]] = schema
        if kind in self.names:
            return self.write(self.names[kind], value)
        written: bytes = getattr(self, f"write_{kind}")(schema, value)
        return written

    def write_null(self, _: Any, __: None) -> bytes:
        return b""

    def write_boolean(self, _: Any, value: bool) -> bytes:
        return bytes([value])

    def write_int(self, _: Any, value: int) -> bytes:
        return self.number(value, 32)

    def write_long(self, _: Any, value: int) -> bytes:
        return self.number(value)

    def write_float(self, _: Any, value: float) -> bytes:
        return struct.pack("<f", value)

    def write_double(self, _: Any, value: float) -> bytes:
        return struct.pack("<d", value)

    def write_bytes(self, _: Any, value: bytes) -> bytes:
        return self.number(len(value)) + value

    def write_string(self, _: Any, value: str) -> bytes:
        return self.write_bytes(_, value.encode())

    def write_enum(self, schema: Any, value: str) -> bytes:
        return self.number(schema["symbols"].index(value), 32)

    def write_record(self, schema: Any, value: Any) -> bytes:
        return b"".join(self.write(field["type"], value[field["name"]]) for field in schema["fields"])

    def write_array(self, schema: Any, value: list[Any]) -> bytes:
        return self.blocks([self.write(schema["items"], item) for item in value])

    def blocks(self, items: list[bytes]) -> bytes:
        written = b""
        while items:
            n = len(items) - self.choose(len(items))
            block, items = b"".join(items[:n]), items[n:]
            written += self.number(-n) + self.number(len(block)) if self.choose(2) else self.number(n)
            written += block
        return written + self.number(0)


class Forger(Writer):
    """Writes as usual, but for what ``forge`` puts in the place of one field, at whatever depth.

    Parameters
    ----------
    field : str
    forge : callable
        Takes the field's bytes as they should be; returns what is written instead.
    """

    def __init__(self, field: str, forge: Callable[[bytes], bytes]) -> None:
        super().__init__(lambda _: 0)
        self.field = field
        self.forge = forge

    def write_record(self, schema: Any, value: Any) -> bytes:
        fields = ((field["name"], self.write(field["type"], value[field["name"]])) for field in schema["fields"])
        return b"".join(self.forge(content) if name == self.field else content for name, content in fields)


def forgeries(schema: Any) -> list[tuple[str, str, Callable[[bytes], bytes]]]:
    """What no writer writes for a schema, for each of its fields: what it is, the field, and what forges it."""
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "array":
        return forgeries(schema["items"])
    if kind != "record":
        return []
    found = []
    for field in schema["fields"]:
        name, of = field["name"], field["type"]
        found += [(what, name, forge) for what, forge in _forgeries_of(of)]
        for branch in of if isinstance(of, list) else [of]:
            found += forgeries(branch)
    return found


def _forgeries_of(of: Any) -> list[tuple[str, Callable[[bytes], bytes]]]:
    if isinstance(of, list):
        return [
            ("a branch before the first", lambda right: bytes([right[0] + 3 & 3]) + right[1:]),  # 0, 2 to 3, 1
            ("a branch after the last", lambda right: b"\x04" + right[1:]),
        ]
    kind = of["type"] if isinstance(of, dict) else of
    n_most = 5 if kind == "int" else 10
    of_numbers = [
        (f"{kind} of too many bytes", lambda _: b"\x80" * n_most + b"\x00"),
        (f"{kind} of too many bits", lambda _: b"\x80" * (n_most - 1) + b"\x10"),
    ]
    after = bytes([2 * len(of["symbols"])]) if kind == "enum" else b""
    found: dict[str, list[tuple[str, Callable[[bytes], bytes]]]] = {
        "boolean": [("a boolean of 2", lambda _: b"\x02"), ("a boolean of 255", lambda _: b"\xff")],
        "enum": [
            ("a symbol before the first", lambda _: b"\x01"),
            ("a symbol after the last", lambda _: after),
            ("a symbol of six bytes", lambda _: b"\x82" + b"\x80" * 4 + b"\x00"),
        ],
        "int": of_numbers,
        "long": of_numbers,
        "string": [("a negative length", lambda right: bytes([right[0] | 1]) + right[1:])],
        "array": [("a block that says another size", lambda right: b"\x01\xfe\x01" + right[1:])],
    }
    return found.get(kind, [])
