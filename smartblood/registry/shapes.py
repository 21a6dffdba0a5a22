"""What JSON data must look like before anybody works with it: a file that others wrote can hold anything."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, TypeVar

Kind = TypeVar("Kind", dict[str, Any], list[Any])

DEPTH_MAX = 16
"""Nested as deep as this and deeper, nothing is a manifest; those that are written have 7 levels."""

INTEGER_MAX = 2**63 - 1
LINE_MAX = 400
"""So many letters are enough for a name, a path or a unit."""

SHOWN = 80
"""So many letters of what is odd tell enough."""

VERSION_MEANT = "letters, digits, dots, underscores, hyphens and plus signs, 64 at most, the first a letter or digit"
"""A version is the name of a folder too."""

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
_IN_NO_FILE_NAME_OR_TABLE = re.compile("[\0\ud800-\udfff]")
_NOT_ON_A_LINE = re.compile("[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]")


def check_plain(data: Any) -> None:  # noqa: ANN401 - whatever a file holds
    """Check what JSON data is made of, wherever it lies: what can be told, shown and kept in Postgres.

    Raises
    ------
    ValueError
        If it is nested too deeply, a text has a NUL or half a surrogate pair, or a number is beyond 64 bits, infinite
        or none.
    """
    inner = [data]
    for _ in range(DEPTH_MAX):
        for one in inner:
            _check_part(one)
        inner = [part for one in inner for part in _parts(one)]
        if not inner:
            return
    message = f"it is nested more than {DEPTH_MAX} deep"
    raise ValueError(message)


def line_of(value: Any, what: str) -> str:  # noqa: ANN401 - whatever a file holds
    """Return a text that fits on a line.

    Raises
    ------
    ValueError
        If it is none.
    """
    if not isinstance(value, str) or len(value) > LINE_MAX or _NOT_ON_A_LINE.search(value):
        message = f"{what} is {shown(value)}, and should be a text of one line, {LINE_MAX} letters at most"
        raise ValueError(message)
    return value


def version_of(value: Any) -> str:  # noqa: ANN401 - whatever a file holds
    """Return what a version may be called.

    Raises
    ------
    ValueError
        If it is none.
    """
    if not isinstance(value, str) or not _VERSION.fullmatch(value):
        message = f"{shown(value)} is no version: use {VERSION_MEANT}"
        raise ValueError(message)
    return value


def mapping_of(value: Any, what: str) -> dict[str, Any]:  # noqa: ANN401 - whatever a file holds
    """Return an object of JSON; ValueError if it is none."""
    return _of_kind(value, dict, what, "an object")


def list_of(value: Any, what: str) -> list[Any]:  # noqa: ANN401 - whatever a file holds
    """Return a list of JSON; ValueError if it is none."""
    return _of_kind(value, list, what, "a list")


def shown(value: Any) -> str:  # noqa: ANN401 - whatever a file holds
    """Return what something odd looks like, on one line."""
    return ascii(value)[:SHOWN]


def _of_kind(value: Any, kind: type[Kind], what: str, meant: str) -> Kind:  # noqa: ANN401 - whatever a file holds
    if not isinstance(value, kind):
        message = f"{what} is {shown(value)}, and should be {meant}"
        raise ValueError(message)  # noqa: TRY004 - of what a file holds, not of an argument
    return value


def _check_part(one: Any) -> None:  # noqa: ANN401 - whatever a file holds
    if isinstance(one, str) and _IN_NO_FILE_NAME_OR_TABLE.search(one):
        message = f"{shown(one)} has a NUL or half a surrogate pair"
        raise ValueError(message)
    if isinstance(one, float) and not math.isfinite(one):
        message = f"{one} is no finite number"
        raise ValueError(message)
    if isinstance(one, int) and not -INTEGER_MAX <= one <= INTEGER_MAX:
        message = "a number is beyond 64 bits"
        raise ValueError(message)


def _parts(one: Any) -> Iterator[Any]:  # noqa: ANN401 - whatever a file holds
    if isinstance(one, dict):
        yield from one
        yield from one.values()
    elif isinstance(one, list):
        yield from one
