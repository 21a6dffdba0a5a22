"""Bringing the tables up to date, and saying what differs."""

from __future__ import annotations

from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, func, select, text

from smartblood.errors import Fatal
from smartblood.storage.engine import RefusedByDatabase, engine_of, translated
from smartblood.storage.steps import MIGRATIONS, pending_migrations
from smartblood.storage.tables import METADATA

UPGRADE_LOCK = 7_352_911_001
"""Key of the advisory lock that lets one process at a time migrate."""


def upgrade(url: str) -> None:
    """Make the tables, or bring them up to date; several processes may ask at once.

    Raises
    ------
    Retryable
        If Postgres doesn't answer.
    Fatal
        If it refuses.
    """
    engine = engine_of(url)
    try:
        with translated("the migrations"), engine.begin() as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(select(func.pg_advisory_xact_lock(UPGRADE_LOCK)))
            command.upgrade(_config(connection), "head")
    except RefusedByDatabase as error:
        message = f"Postgres refuses the migrations: {error.reason}: the tables hold what they shouldn't"
        raise Fatal(message) from error
    finally:
        engine.dispose()


def check(url: str) -> list[str]:
    """Return what differs between the database and what this release needs, a line each; nothing where all is well.

    Raises
    ------
    Retryable
        If Postgres doesn't answer.
    Fatal
        If it refuses.
    """
    engine = engine_of(url)
    try:
        with translated("the tables"), engine.connect() as connection:
            pending = pending_migrations(connection)
            return pending or [_line(difference) for difference in _differences(connection)]
    finally:
        engine.dispose()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _differences(connection: Connection) -> list[Any]:
    """Compare what is ours; tables of others (the back end has its own) are none of our business."""
    context = MigrationContext.configure(
        connection,
        opts={"compare_type": True, "compare_server_default": True, "include_object": _is_ours},
    )
    return list(compare_metadata(context, METADATA))


def _is_ours(item: Any, _name: str | None, kind: str, _reflected: bool, _compared: Any) -> bool:  # noqa: ANN401 - alembic's
    table = item if kind == "table" else getattr(item, "table", None)
    return table is None or table.name in METADATA.tables


def _line(difference: Any) -> str:  # noqa: ANN401 - alembic's tuples
    if isinstance(difference, list):
        return "; ".join(_line(part) for part in difference)
    what, *where = difference
    names = [str(getattr(part, "name", part)) for part in where if part is not None and not isinstance(part, dict)]
    return f"{what.replace('_', ' ')}: {' '.join(names)}"
