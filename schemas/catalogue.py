"""The topics of the contract: who writes, who reads, how long they are kept.

Facts are in ``catalogue.toml``, schemas in ``events/<topic>.v<N>.avsc``; this module only reads them.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of the contract.

    Parameters
    ----------
    name : str
        Kebab-case, without the prefix that a setting may add.
    key : str
        What the key identifies.
    cleanup : tuple of str
        ``delete``, ``compact`` or both.
    kept_days : int or None
        Retention; -1 for ever, None where compaction alone forgets.
    partitions : str
        ``donor``, ``request``, ``output`` or ``single``: topics of one group have one number of partitions.
    versions_kept : bool
        Whether every version of a key stays for the replay horizon.
    written_by, read_by : tuple of str
        Processors and outsiders.
    """

    name: str
    key: str
    cleanup: tuple[str, ...]
    kept_days: int | None
    partitions: str
    versions_kept: bool
    written_by: tuple[str, ...]
    read_by: tuple[str, ...]


@cache
def topics() -> dict[str, Topic]:
    """All topics by name, in the order of the catalogue."""
    entries = tomllib.loads((HERE / "catalogue.toml").read_text("utf-8"))
    return {name: _topic(name, entry) for name, entry in entries.items()}


def _topic(name: str, entry: dict[str, Any]) -> Topic:
    return Topic(
        name=name,
        key=entry["key"],
        cleanup=tuple(entry["cleanup"]),
        kept_days=entry.get("kept_days"),
        partitions=entry["partitions"],
        versions_kept=entry.get("versions_kept", False),
        written_by=tuple(entry["written_by"]),
        read_by=tuple(entry["read_by"]),
    )


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """One released version of a topic's schema; ``schema_id`` is what frames carry where no registry is configured."""

    schema_id: int
    topic: str
    version: int
    path: str

    def load(self) -> dict[str, Any]:
        """Return the Avro schema as JSON data."""
        schema: dict[str, Any] = json.loads((HERE / self.path).read_text("utf-8"))
        return schema


@cache
def schema_files() -> tuple[SchemaFile, ...]:
    """All released schemas, by id.

    Raises
    ------
    ValueError
        If ``ids.json`` names a file that isn't called ``events/<topic>.v<N>.avsc``.
    """
    ids: dict[str, str] = json.loads((HERE / "ids.json").read_text("utf-8"))
    return tuple(_schema_file(int(schema_id), path) for schema_id, path in sorted(ids.items(), key=lambda e: int(e[0])))


def _schema_file(schema_id: int, path: str) -> SchemaFile:
    name, _, rest = path.removeprefix("events/").rpartition(".v")
    version = rest.removesuffix(".avsc")
    if not name or not version.isdigit():
        message = f"ids.json: {path!r} is not of the form events/<topic>.v<N>.avsc"
        raise ValueError(message)
    return SchemaFile(schema_id, name, int(version), path)


def latest_schema(topic: str) -> SchemaFile:
    """Return the newest released schema of ``topic``.

    Raises
    ------
    KeyError
        If the topic has no schema (``dead-letters`` carries the bytes of others).
    """
    files = [file for file in schema_files() if file.topic == topic]
    if not files:
        raise KeyError(topic)
    return max(files, key=lambda file: file.version)
