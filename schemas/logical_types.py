"""Avro's logical types: what the numbers of a schema mean.

Events are read and written without them (docs/adr/0003), so a writer's must be seen to be the contract's: milliseconds
taken for microseconds would make who gave yesterday look as if they had given decades ago.

References
----------
Apache Avro 1.12 specification, *Logical Types*.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

LOGICAL = "logicalType"

Path = tuple[str, ...]


def without_logical_types(schema: Any) -> Any:  # noqa: ANN401 - Avro schemas are nested JSON
    """Return ``schema`` without its ``logicalType`` entries, at any depth."""
    if isinstance(schema, dict):
        return {name: without_logical_types(part) for name, part in schema.items() if name != LOGICAL}
    if isinstance(schema, list):
        return [without_logical_types(part) for part in schema]
    return schema


def contradiction(written: Any, wanted: Any) -> str | None:  # noqa: ANN401 - as above
    """Return in words where a writer's numbers mean something else than the reader's; None where nowhere.

    A type without a logical type says nothing, and contradicts none.
    """
    meant = dict(_meanings(wanted, (), {}))
    for path, logical in _meanings(written, (), {}):
        if path in meant and meant[path] != logical:
            return f"{'.'.join(path)} is {logical}, not {meant[path]}"
    return None


def _meanings(schema: Any, path: Path, named: dict[str, Any]) -> Iterator[tuple[Path, str]]:  # noqa: ANN401 - as above
    """Yield each logical type with the names of the fields that lead to it; of a union those of its branches."""
    if isinstance(schema, list):
        for branch in schema:
            yield from _meanings(branch, path, named)
    elif isinstance(schema, str) and schema in named:
        yield from _meanings(named[schema], path, {name: of for name, of in named.items() if name != schema})
    elif isinstance(schema, dict):
        if isinstance(schema.get("name"), str):
            named[schema["name"]] = schema
        if isinstance(schema.get(LOGICAL), str):
            yield path, schema[LOGICAL]
        for below, part in _parts(schema):
            yield from _meanings(part, path + below, named)


def _parts(schema: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    for part in ("items", "values", "type"):
        if isinstance(schema.get(part), (dict, list)):
            yield (), schema[part]
    for field in schema.get("fields", ()):
        if isinstance(field, dict):
            yield (str(field.get("name")),), field.get("type")
